#pragma once
/*
 * Forwarding rules of a template, `host:port`: the host a name, an address (IPv6 in brackets) or a
 * pattern in which `*` stands for any characters; the port a number, a range `8000-8100` or `*`.
 * `localhost` stands for localhost, 127.0.0.1 and ::1. A pattern of digits, dots and asterisks
 * only matches addresses, never names that look like one. Case does not matter.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "proto/host.h"

struct permit_rule {
    char host[HOST_SIZE];
    uint16_t port_first, port_last; /* 0-65535: any, also "give me one" of a listener */
};

/* 0, or -EINVAL with a text that quotes the rule. */
int permit_rule_parse(struct span text, struct permit_rule *ret, struct err *err);

/*
 * Whether the rule allows this target, or this listener: there, `host` is the bind address (empty:
 * loopback) and port 0 asks for any. What is no valid host matches no rule.
 */
bool permit_rule_matches(const struct permit_rule *rule, struct span host, uint16_t port);

/* Whether one of the rules in text form does. Rules that do not parse allow nothing. */
bool permit_any(char *const *rules, size_t n, struct span host, uint16_t port);
