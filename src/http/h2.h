#pragma once
/*
 * HTTP/2 sessions (RFC 9113) over any stream, in either role, by nghttp2. Every request is a
 * `struct stream`, its channel: for CONNECT and extended CONNECT (RFC 8441) the tunnelled bytes,
 * for other methods the body sent one way and the body received the other way.
 *
 * A channel as a stream
 * - Half-close is kept: END_STREAM one way never closes the other way.
 * - RST_STREAM from the peer makes recv (behind the bytes that came before it) and send fail with
 *   -ECONNRESET; the end of the session with the session's reason.
 * - stream_free() after both directions ended sends nothing. After stream_shutdown() the bytes
 *   taken are still delivered, behind the owner's back; otherwise they are dropped and the peer
 *   gets RST_STREAM: CANCEL, or NO_ERROR when only the peer's direction was open.
 * - A channel outlives its session: it fails, and is freed by its owner as ever.
 *
 * Flow control (RFC 9113 section 5.2)
 * - A channel's window bounds the bytes held for it and is credited as its owner consumes. It
 *   starts at 64 KiB and doubles whenever a whole window is received and consumed within four
 *   round trips, up to `window_max`, while the sum of all channels' windows fits `memory_max`.
 *   An idle channel's window falls back.
 * - The session's window grows likewise from 1 MiB. It is credited when bytes *arrive*, so that a
 *   stuck channel does not stop the others, but only as far as the bytes held for all channels
 *   and the session's open window together stay within `memory_max`: that is the most a session
 *   ever holds. Should many stuck channels use all of that up for 30 s, the one that has been
 *   stuck for longest is reset (ENHANCE_YOUR_CALM).
 * - Bytes to be sent are queued per channel, 64 to 256 KiB, and 4 KiB once 8 MiB wait in the
 *   session; send gives -EAGAIN beyond.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

struct loop;
struct stream;
struct h2;

enum h2_role { H2_CLIENT, H2_SERVER };

struct h2_field {
    const char *name; /* lower case */
    const char *value;
};

/* The head of a request or an answer. Absent texts are NULL. */
struct h2_head {
    unsigned status; /* answers: 200-599; 0 in requests */
    const char *method, *scheme, *authority, *path;
    const char *protocol; /* extended CONNECT: the `:protocol` */
    const struct h2_field *fields;
    size_t n_fields;
};

/* The value of the first field of that (lower-case) name, or NULL. */
const char *h2_head_get(const struct h2_head *head, const char *name);

/*
 * Server: a request came; its body may still be coming. `channel` is the callee's, which answers
 * with h2_answer() now or later, or frees it (RST_STREAM). `head` is borrowed for the call.
 */
typedef void h2_requested_fn(struct h2 *session, struct stream *channel, const struct h2_head *head,
                             void *ud);
/*
 * Client: the answer's head came (result 0; `head` is borrowed for the call), or none will come
 * (negative, `head` NULL): -EPROTONOSUPPORT: the peer does not do extended CONNECT; -ECONNREFUSED:
 * it did not process the request, which may be repeated (REFUSED_STREAM, GOAWAY); -ECONNRESET;
 * the session's reason. Called once, never inside h2_request(). The channel stays the owner's.
 */
typedef void h2_answered_fn(struct stream *channel, int result, const struct h2_head *head,
                            void *ud);
/*
 * The session is over; called once, in its own turn; every channel has failed with `reason`, or
 * will in this turn. 0: in order (drained, or the peer said GOAWAY or closed with no channel open);
 * -ECONNRESET, -EPIPE: the carrier ended; -ETIMEDOUT: no life sign; -EPROTO: the peer broke a rule;
 * -EDQUOT: the peer went over a quota. `err` is borrowed.
 */
typedef void h2_ended_fn(struct h2 *session, int reason, const struct err *err, void *ud);

/* What a peer may do. Zero means the default. */
struct h2_limits {
    unsigned max_channels;    /* open at once; 4,096 */
    unsigned max_head_len;    /* bytes of a head's names and values; 32 KiB */
    unsigned max_fields;      /* fields of a head; 100 */
    unsigned reset_rate;      /* RST_STREAM received a second, for long; 1,000 */
    unsigned reset_burst;     /* and at once; 10,000 */
    unsigned control_rate;    /* PING, SETTINGS, PRIORITY, empty DATA, ... a second; 100 */
    unsigned control_burst;   /* and at once; 2,000 */
    size_t window_max;        /* a channel's; 16 MiB */
    size_t memory_max;        /* see above; 24 MiB, at least 1 MiB */
    usec_t stuck_limit;       /* see above; 30 s */
    unsigned hpack_table_len; /* either direction; 512 */
};

struct h2_options {
    enum h2_role role;
    struct h2_limits limits;
    usec_t ping_interval; /* 0: no PING but for measuring; dead after three without any byte */
    h2_requested_fn *requested; /* server */
    h2_ended_fn *ended;
    void *ud;
};

/* Takes over `carrier`. No callback runs inside this call. */
struct h2 *h2_new(struct loop *loop, struct stream *carrier, const struct h2_options *options);
/*
 * Ends it at once (with GOAWAY as far as the carrier takes it); all channels fail with
 * -ECONNABORTED; `ended` is not called. Also inside a callback. Returns NULL; accepts NULL.
 */
struct h2 *h2_free(struct h2 *session);

/*
 * Client: sends a request and gives its channel, usable at once: what is sent waits behind the
 * request, what comes follows its answer. `head` is copied. `end`: no body follows (not for
 * CONNECT). Extended CONNECT waits for the peer's SETTINGS, and any request for a free place
 * below its SETTINGS_MAX_CONCURRENT_STREAMS. On a session that is over or draining the answer is
 * a failure. `answered` may be NULL.
 */
struct stream *h2_request(struct h2 *session, const struct h2_head *head, bool end,
                          h2_answered_fn *answered, void *ud);

/*
 * Server: answers a request. The body (or the tunnel) is what is sent on the channel afterwards,
 * until stream_shutdown(); `end`: there is none. `fields` are copied. 0; -EALREADY: answered
 * before; or the channel's failure.
 */
int h2_answer(struct stream *channel, unsigned status, const struct h2_field *fields,
              size_t n_fields, bool end);
/*
 * The same with 200, no end, and in no hurry where the peer has sent something behind its request
 * already, which shows that it does not wait for the answer: that then goes out with the first
 * bytes, or with anything else of the session, or after a millisecond.
 */
int h2_answer_early(struct stream *channel, const struct h2_field *fields, size_t n_fields);
/*
 * Answers with a whole body (may be NULL) and frees the channel, whatever came of it. The body is
 * copied, beyond what a channel else queues; one longer than H2_ANSWER_MAX is answered 500 instead.
 */
enum { H2_ANSWER_MAX = 1 << 20 };
void h2_answer_and_free(struct stream *channel, unsigned status, const struct h2_field *fields,
                        size_t n_fields, const char *body);

/*
 * For owners that do not read yet: called once, in its own turn, when the channel has failed (was
 * reset, or its session is over). NULL: no more.
 */
typedef void h2_failed_fn(struct stream *channel, int error, void *ud);
void h2_on_failure(struct stream *channel, h2_failed_fn *failed, void *ud);
/*
 * Client, for those that hand a channel on before its answer came: called inside stream_free()
 * instead of `answered`.
 */
typedef void h2_abandoned_fn(void *ud);
void h2_on_abandon(struct stream *channel, h2_abandoned_fn *abandoned, void *ud);
/*
 * Server, for a long answer to a request whose body has been read: recv gives -EAGAIN in place of
 * the end of that body, so that what it tells is the end of the channel.
 */
void h2_hide_end(struct stream *channel);
/* Resets a channel; recv (at once, dropping what came) and send give `error` from now on. */
void h2_fail_channel(struct stream *channel, int error);

/*
 * Resets a channel with CONNECT_ERROR: what it stands for was cut (RFC 9113 section 7). Whether the
 * peer has said so.
 */
void h2_cut_channel(struct stream *channel);
bool h2_channel_was_cut(const struct stream *channel);

/*
 * The session of a channel; NULL once that is over. For streams made by h2_request() or handed to
 * h2_requested_fn only.
 */
struct h2 *h2_of_channel(const struct stream *channel);
/* Bytes taken for sending on the channel and not yet handed to the carrier. */
size_t h2_unsent(const struct stream *channel);
/* For an owner that sends no more but does not end its direction: STREAM_WRITE says, as behind
 * stream_shutdown(), that all is out. */
void h2_report_when_sent(struct stream *channel);
/* The stream's identifier, by which both ends know it; 0: the request has not gone out yet. */
uint32_t h2_channel_id(const struct stream *channel);
/* The `ud` of the session's options. */
void *h2_owner(const struct h2 *session);

/*
 * Graceful end: GOAWAY, no new channels either way, those that are open go on; `ended` (0) comes
 * once the last has closed.
 */
void h2_drain(struct h2 *session);

/* The longest ping interval may change while the session runs (a CLI that comes into use). */
void h2_set_ping_interval(struct h2 *session, usec_t interval);

struct h2_stats {
    usec_t rtt;     /* last measured round trip; 0: not yet */
    usec_t rtt_min; /* least of the last minutes */
    unsigned channels;
    uint64_t bytes_received, bytes_sent; /* on the carrier */
    usec_t received_at;                  /* loop_now() of the last byte from it; 0: none yet */
    size_t held;   /* bytes received and not yet consumed by the channels' owners */
    size_t queued; /* bytes taken for sending and not yet handed to the carrier */
    size_t window; /* the session's receive window */
};
void h2_get_stats(const struct h2 *session, struct h2_stats *ret);
/* A channel's receive window as of now. */
size_t h2_channel_window(const struct stream *channel);
