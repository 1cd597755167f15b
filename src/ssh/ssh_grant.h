#pragma once
/*
 * What one sshd is told to allow, made from a person's policy. Pure.
 *
 * Bounds of what sshd can say: a PermitOpen host is one exact text or `*`, a port is one number or
 * `*`; PermitListen likewise, and only texts are compared, never addresses. So the rules of
 * proto/permit.h are translated where the meaning stays exactly the same. The others are left out,
 * and what they would allow is not possible over SSH: the notice tells the person so.
 *
 * Unix sockets know no rules in sshd, and through one of them a person reaches whatever some
 * program forwards. They are on if the policy has them on, both directions are open, and
 * permit_open has
 * "*:*": with any other list sshd connects to no Unix socket.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "model/template.h"
#include "model/text_list.h"

enum {
    SSH_RULE_PORTS_MAX = 64,  /* the widest port range that is written out */
    SSH_RULES_MAX = 1024,     /* entries of PermitOpen or of PermitListen */
    SSH_NOTICE_RULES_MAX = 4, /* rules that a notice names, of each list */
    SSH_NOTICE_MAX = 8 * 1024,
};

struct ssh_rules {
    bool any;                  /* allows everything; there may be entries as well */
    struct text_list entries;  /* "host:port", each part may be "*"; IPv6 in brackets */
    struct text_list left_out; /* of the policy's rules those that sshd cannot enforce */
};

struct ssh_grant {
    bool local, remote, public_listen, unix_sockets, agent_forwarding;
    struct ssh_rules open, listen; /* empty when the direction is off */
};

/* ssh_grant_deinit() the result. */
struct ssh_grant ssh_grant_make(const struct forward_policy *policy);
void ssh_grant_deinit(struct ssh_grant *grant);

/*
 * Whether `grant` allows all that `other` does. When in doubt false: a range that is covered by
 * several entries together is found, a `*` that is only covered by many entries is not.
 */
bool ssh_grant_covers(const struct ssh_grant *grant, const struct ssh_grant *other);

/*
 * Appends what the person is to know: which rules do not work over SSH, and what does. Lines with
 * newlines; nothing when there is nothing to say. 0 or -ENOBUFS.
 */
int ssh_grant_notice(const struct ssh_grant *grant, struct buf *dst);
