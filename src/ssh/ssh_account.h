#pragma once
/* The account that this process runs as, and what stands between it and an sshd of its own. */
#include <stdbool.h>

#include "base/err.h"

enum { SSH_USER_SIZE = 64, SSH_SHELL_SIZE = 128 };

struct ssh_account {
    char user[SSH_USER_SIZE];
    bool root;
    bool pam; /* sshd must leave the account check to PAM: the password field is locked */
    const char
        *sshd_name; /* what sshd is to see as its own path, from which PAM's service follows */
    char no_shell[SSH_SHELL_SIZE]; /* a login shell that only refuses; empty: a real one */
    bool no_terminal;              /* sshd would end where it gives one to this account */
};

/*
 * 0; -ENOENT: the user id has no name; -EACCES: the shell cannot be run, or the account is locked
 * in a way that sshd does not pass over. With a text that says what to do.
 */
int ssh_account_read(struct ssh_account *ret, struct err *err);

/*
 * Where sshd is, as an absolute path (a constant), or NULL with a text that names the package.
 */
const char *ssh_server_path(struct err *err);
/*
 * Whether sshd may look at addresses: where it is built with TCP wrappers (Debian's is), the rules
 * of /etc/hosts.deny, which are about people who come to a port, would hit those who come by adit.
 */
bool ssh_server_minds_addresses(void);

/* As root: makes sshd's privilege separation folder, which only its boot script makes. 0 or -errno
 */
int ssh_account_prepare(const struct ssh_account *account, struct err *err);
