#pragma once
/*
 * Channels of a tunnel session by what they carry (docs/PROTOCOL.md): how to ask for one, and how
 * the serving end sees and answers a request.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/id.h"
#include "proto/dial_result.h"
#include "proto/hostport.h"

struct stream;
struct tunnel_session;

enum channel_kind {
    CHANNEL_TCP,       /* CONNECT host:port */
    CHANNEL_UDP,       /* connect-udp: wrap the stream in a struct datagram_channel */
    CHANNEL_UNIX,      /* connect-unix */
    CHANNEL_SSH,       /* ssh */
    CHANNEL_PEER,      /* peer: carrier of a relayed peer session (server -> agent) */
    CHANNEL_LISTEN,    /* listen: use listen_client.h and listen_server.h */
    CHANNEL_ACCEPT,    /* accept: likewise */
    CHANNEL_SPEEDTEST, /* speedtest: zeros from the agent, or bytes that it swallows */
    CHANNEL_REQUEST,   /* a plain request */
};

/* "tcp", "udp", ...: for logs and records. */
const char *channel_kind_name(enum channel_kind kind);

/* What to reach. Texts are borrowed for the call they are given to. */
struct channel_target {
    enum channel_kind kind;
    const char *host; /* TCP, UDP, LISTEN: without brackets */
    uint16_t port;    /* likewise */
    bool tls; /* TCP: the agent speaks TLS to the target; the channel carries what is in it */
    const char *path;    /* UNIX, LISTEN on a Unix socket: its path */
    const char *ssh_key; /* SSH: the client's public key, "ssh-ed25519 AAAA..." */
    bool lane_first;     /* SSH: a lane is asked for at once, and worth waiting for */
    struct id id;        /* PEER: the peer's; ACCEPT: the connection's */
    bool down;           /* SPEEDTEST: zeros come from the agent; else it swallows */
};

/* ---- asking ---- */

/* An open that is under way. */
struct channel_open;

/*
 * result DIAL_OK: `channel` is the callee's. Otherwise it is NULL, and `reason` (borrowed, may be
 * empty) is what the other side says about it, for people. The handle is gone. Called once, never
 * inside the call that asked.
 */
typedef void channel_opened_fn(struct stream *channel, enum dial_result result, const char *reason,
                               void *ud);
/*
 * `early` only: a channel that was handed over already has been refused. It has failed with
 * dial_result_to_errno(result) and is still the owner's. Not called once the owner freed it.
 */
typedef void channel_refused_fn(struct stream *channel, enum dial_result result, const char *reason,
                                void *ud);

struct channel_open_options {
    /*
     * Hands the channel over as soon as its request is on the way, which saves a round trip:
     * bytes may be sent at once, and a refusal comes later.
     */
    bool early;
    channel_opened_fn *opened;
    channel_refused_fn *refused; /* early only; may be NULL */
    void *ud;
};

/* Gives it up; no callback afterwards, not for an early channel either until it is handed over. */
struct channel_open *channel_open_cancel(struct channel_open *open);

/* ---- serving ---- */

/*
 * A request that has come and is not answered. Whoever has it answers it exactly once with one
 * of the functions below, which end it; or frees it without an answer.
 */
struct channel_request;

/* The peer gave it up or the session ended: nothing can be answered. Free it in the call. */
typedef void channel_cancelled_fn(struct channel_request *rq, void *ud);

enum { CHANNEL_BODY_MAX = 64 * 1024 };

struct channel_request_info {
    enum channel_kind kind;
    char host[HOST_SIZE]; /* TCP, UDP; LISTEN: "" when none was given */
    uint16_t port;        /* TCP, UDP, LISTEN (0: any) */
    char unix_path[108];  /* UNIX, LISTEN (else empty) */
    struct id id;         /* PEER, ACCEPT */
    bool down;            /* SPEEDTEST */
    const char *method;   /* REQUEST */
    const char *path;     /* as on the wire */
    const char *body;     /* REQUEST: whole, at most CHANNEL_BODY_MAX bytes; NUL-terminated */
    size_t body_len;
};

/* The field of an SSH request that carries the client's public key. */
extern const char channel_ssh_key_field[];
/* The field by which it says that it asks for a lane at once: "1". */
extern const char channel_lane_first_field[];

/* Valid until the request is answered or freed. */
const struct channel_request_info *channel_request_info(const struct channel_request *rq);
/* The value of a field (lower-case name), or NULL. */
const char *channel_request_field(const struct channel_request *rq, const char *name);
struct tunnel_session *channel_request_session(const struct channel_request *rq);
/* Who is told when it is given up before it is answered. May be NULL (then it is freed). */
void channel_request_on_cancel(struct channel_request *rq, channel_cancelled_fn *cancelled,
                               void *ud);

/* 200: the stream is the caller's. It has failed already if the peer is gone. */
struct stream *channel_accept(struct channel_request *rq);
/*
 * REQUEST: 200 with a body that is written piece by piece, such as JSON lines. recv on the stream
 * gives nothing until the other side has gone.
 */
struct stream *channel_accept_body(struct channel_request *rq, const char *content_type);
/* Answers with the status and Proxy-Status field for `result` (not DIAL_OK). */
void channel_refuse(struct channel_request *rq, enum dial_result result, const char *details);
/* REQUEST: a whole answer. `json` may be NULL. */
void channel_answer(struct channel_request *rq, unsigned status, const char *json);
/* RST_STREAM. Returns NULL; accepts NULL. */
struct channel_request *channel_request_free(struct channel_request *rq);
