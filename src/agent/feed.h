#pragma once
/*
 * What the agent tells its server of itself, unasked: lines of JSON (api/news.h) on answers that
 * are held open. While somebody looks, the ports are looked at every second, otherwise every ten;
 * what has changed is told at once. Forwards are told while somebody looks only, for they always
 * change; what came to the agent's own port, when it looks. A reader that is behind misses states
 * in between, and always gets the newest.
 */
#include <stdbool.h>

#include "agent/ports.h"

struct api_app_checks;
struct channel_request;
struct direct_acceptor;
struct feed;
struct forwards;
struct loop;
struct ssh_host;

struct feed_options {
    bool no_port_probe;
    struct forwards *forwards;            /* borrowed, as the next */
    const struct ssh_host *ssh;           /* may be NULL */
    const struct direct_acceptor *direct; /* NULL: there is no port for people */
};

struct feed *feed_new(struct loop *loop, const struct feed_options *options);
/* Takes over GET /events. */
void feed_start(struct feed *f, struct channel_request *rq);
/* Whether somebody looks; the end of the last GET /events says that nobody does. */
void feed_watch(struct feed *f, bool watched);
/* The apps of the template: what is checked, and which ports are theirs. */
void feed_set_apps(struct feed *f, const struct api_app_checks *apps);

/* ---- the same, asked for: each appends the JSON of the message. 0 or -ENOBUFS ---- */

struct buf;
/* Looks first. */
int feed_write_ports(struct feed *f, struct buf *out);
int feed_write_forwards(struct feed *f, struct buf *out);

/* Returns NULL; accepts NULL. */
struct feed *feed_free(struct feed *f);
