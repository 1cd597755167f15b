#pragma once
/* One connection of the command line to a workspace's SSH service. */
#include "api/peer.h"
#include "cli/cli.h"
#include "model/workspace_ref.h"

/*
 * Asks the agent what an SSH client has to know. 0; otherwise the error has been printed and the
 * exit code is returned.
 */
int ssh_link_ask(struct cli *cli, const struct workspace_ref *workspace, struct api_ssh_info *ret);

/*
 * Carries an SSH connection over standard input and output, for ssh's ProxyCommand, until it has
 * ended. `key`: the client's public line. Returns the exit code; errors have been printed.
 */
int ssh_link_carry(struct cli *cli, const struct workspace_ref *workspace, const char *key);
