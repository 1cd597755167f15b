#pragma once
/*
 * The configuration of one sshd for one person's grant (sshd_config(5), OpenSSH 8.7 and later).
 * Pure: text out.
 *
 * Bounds of what sshd can say: a PermitOpen host is one exact text or `*`, a port is one number or
 * `*`; PermitListen likewise, and only texts are compared, never addresses. So the rules of
 * proto/permit.h are translated where the meaning stays exactly the same, and refused otherwise.
 * Unix sockets know no rules in sshd, and through one of them a person reaches whatever some
 * program forwards: they are on only if the policy has them on and both directions are open.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/template.h"

enum {
    SSHD_CONFIG_MAX = 128 * 1024,
    SSHD_RULE_PORTS_MAX = 64, /* the widest port range that is written out */
    SSHD_RULES_MAX = 1024,    /* entries of PermitOpen or PermitListen */
};

struct sshd_config {
    const char *user;                 /* the only one that may log in */
    const char *host_key_file;        /* paths without line breaks and quotation marks */
    const char *authorized_keys_file; /* likewise */
    const struct forward_policy *forwarding;
    bool pam; /* let PAM decide about the account (a locked password field does not lock out) */
};

/*
 * Whether sshd can enforce exactly these rules. 0, or -ENOTSUP with a text for the person that
 * names the rule and points at adit port-forward.
 */
int ssh_rules_expressible(const struct forward_policy *forwarding, struct err *err);

/* Appends the file's text. 0; -ENOTSUP as above; -EINVAL: a path that cannot be quoted. */
int sshd_config_write(const struct sshd_config *config, struct buf *dst, struct err *err);
