#pragma once
/* One connection of the command line to a workspace's SSH service. */
#include "api/peer.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "model/workspace_ref.h"

struct ssh_link_options {
    const struct workspace_ref *workspace;
    /*
     * What ssh calls the workspace: account and host key, which come over the same connection, are
     * kept under this name (ssh_known.h). NULL: they are not asked for.
     */
    const char *alias;
    /* How long to try while server or agent are away; 0: not at all. */
    usec_t wait;
    bool no_direct; /* by the server's relay only */
};

/*
 * Asks the agent what an SSH client has to know, and keeps it. Needs an alias. 0; otherwise the
 * error has been printed and the exit code is returned.
 */
int ssh_link_ask(struct cli *cli, const struct ssh_link_options *options, struct api_ssh_info *ret);

/*
 * Carries an SSH connection over standard input and output, for ssh's ProxyCommand, until it has
 * ended. `key`: the client's public line. What is asked for is kept before the first byte passes;
 * an account that is not the one kept before, which ssh is using, is an error. Returns the exit
 * code; errors have been printed.
 */
int ssh_link_carry(struct cli *cli, const struct ssh_link_options *options, const char *key);
