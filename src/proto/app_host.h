#pragma once
/*
 * Host names of apps under the wildcard access URL:
 *
 *     [PREFIX---] (PORT[s] | SLUG) [--AGENT] --WORKSPACE --USER        long form
 *     [PREFIX---] (PORT[s] | SLUG) --ALIAS                             short form
 *
 * in the place of the asterisk of a pattern such as `*.apps.example.com` or
 * `*--apps.example.com:8443`.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "model/name.h"
#include "model/workspace.h"
#include "proto/host.h"

enum {
    APP_LABEL_MAX_LEN = 63, /* RFC 1035 section 2.3.4 */
    APP_LABEL_SIZE = APP_LABEL_MAX_LEN + 1,
    APP_SUFFIX_MAX_LEN = 16, /* leaves room for every short form: 32 + 2 + 13 */
    APP_PORT_MIN = 9,
};

struct app_pattern {
    char suffix[APP_SUFFIX_MAX_LEN + 1]; /* after the asterisk in its label; may be empty */
    char domain[HOST_SIZE];              /* after the first dot */
    uint16_t port;                       /* 0: none given */
};

/* 0, or -EINVAL with a text. Upper case and a final dot are folded away. */
int app_pattern_parse(struct span text, struct app_pattern *ret, struct err *err);

/* What an app's host name says. Empty texts are parts that are not there. */
struct app_host {
    char prefix[APP_LABEL_SIZE];
    uint16_t port; /* 0: `slug` counts */
    bool https;    /* the app behind `port` speaks HTTPS */
    char slug[NAME_SIZE];
    char alias[AGENT_ALIAS_SIZE]; /* not empty: the short form, and the next three are empty */
    char agent[NAME_SIZE];
    char workspace[NAME_SIZE];
    char user[NAME_SIZE];
};

enum app_host_match {
    APP_HOST_OTHER,   /* not under the pattern */
    APP_HOST_MATCH,   /* *ret is filled */
    APP_HOST_INVALID, /* under the pattern, but no app's name */
};

/*
 * Takes a Host header field's value apart; its case, port and final dot do not matter. Whoever
 * serves other hosts below the same domain (the access URL's) asks for those first.
 */
enum app_host_match app_host_parse(const struct app_pattern *pattern, struct span host,
                                   struct app_host *ret);

/*
 * Appends the host name, with the pattern's port. The long form when it is known and its label
 * fits 63 characters, otherwise the short one, for which `alias` is needed.
 * 0; -EINVAL: parts are missing or wrong; -ENAMETOOLONG: the prefix is too long; -ENOBUFS.
 */
int app_host_format(const struct app_pattern *pattern, const struct app_host *app, struct buf *dst);
