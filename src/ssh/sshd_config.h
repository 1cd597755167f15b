#pragma once
/* The configuration of one sshd for one person's grant (sshd_config(5), OpenSSH 9.2). Pure. */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "ssh/ssh_grant.h"

enum { SSHD_CONFIG_MAX = 1024 * 1024 };

struct sshd_config {
    const char *user;                 /* the only one that may log in */
    const char *host_key_file;        /* paths without line breaks and quotation marks */
    const char *authorized_keys_file; /* likewise */
    const char *banner_file;          /* likewise; NULL: none */
    const struct ssh_grant *grant;
    bool no_terminal; /* give none; commands run without one */
    bool pam; /* let PAM decide about the account (a locked password field does not lock out) */
};

/* Appends the file's text. 0; -EINVAL: a path that cannot be quoted; -ENOBUFS. With a text. */
int sshd_config_write(const struct sshd_config *config, struct buf *dst, struct err *err);
