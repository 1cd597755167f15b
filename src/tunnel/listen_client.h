#pragma once
/*
 * A reverse listener, seen from the end that wants it: the listener is opened at the other end of
 * the session, each connection accepted there comes here as a stream. Ends with its session: a
 * caller that wants it back after a reconnect opens it again (with the port that was bound).
 */
#include <stdint.h>

#include "proto/dial_result.h"

struct channel_open;
struct channel_open_options;
struct channel_target;
struct stream;
struct tunnel_session;
struct listen_client;

/*
 * result DIAL_OK: it listens; `port` is the bound one (0 for a Unix socket). Otherwise it does not
 * (`reason` for people, borrowed): free it.
 */
typedef void listen_client_bound_fn(struct listen_client *l, enum dial_result result, uint16_t port,
                                    const char *reason, void *ud);
/*
 * A connection came; `connection` is the callee's and usable at once (an end that withdrew it
 * meanwhile makes it fail with -ECONNRESET). `originator`: "host:port" or "".
 */
typedef void listen_client_accepted_fn(struct listen_client *l, struct stream *connection,
                                       const char *originator, void *ud);
/* It listened and does not any longer (session ended, right withdrawn). Free it. */
typedef void listen_client_ended_fn(struct listen_client *l, int reason, void *ud);

struct listen_client_options {
    const char *bind; /* address, "localhost", "*"; NULL or "": loopback, both families */
    uint16_t port;    /* 0: any */
    const char *path; /* not NULL: a Unix socket instead */
    /*
     * Opens the channels on which connections are taken: on the same session (NULL), or on another
     * one to the same agent, by the same peer.
     */
    struct channel_open *(*open)(const struct channel_target *target,
                                 const struct channel_open_options *options, void *open_ud);
    void *open_ud;
    listen_client_bound_fn *bound;
    listen_client_accepted_fn *accepted;
    listen_client_ended_fn *ended;
    void *ud;
};

/* No callback inside this call. Texts are copied. */
struct listen_client *listen_client_new(struct tunnel_session *session,
                                        const struct listen_client_options *options);
/* Closes the listener; connections that were handed over go on. Returns NULL; accepts NULL. */
struct listen_client *listen_client_free(struct listen_client *l);
