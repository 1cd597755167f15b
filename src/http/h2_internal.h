#pragma once
/* What the files of the HTTP/2 session share. Not for others. */
#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "base/list.h"
#include "http/h2.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"

enum {
    H2_WINDOW_FIRST = 65535, /* RFC 9113 section 6.9.2: needs no SETTINGS */
    H2_SESSION_WINDOW_FIRST = 1 << 20,
    H2_OUT_LIMIT_FIRST = 64 * 1024, /* bytes a channel queues for sending */
    H2_OUT_LIMIT_MOST = 256 * 1024,
    H2_OUT_LIMIT_CROWDED = 4 * 1024, /* once the session queues H2_OUT_CROWDED */
    H2_OUT_CROWDED = 8 << 20,
    H2_PIECES = 32,
    H2_FRAME_HEADER_LEN = 9,
};

struct h2_channel {
    struct stream s;
    struct h2 *session; /* NULL once that is over */
    struct list link;
    struct list touched;
    struct defer report;
    int32_t id; /* 0 until submitted */
    int error;  /* what recv (behind what came in order) and send give */

    bool local_client; /* made by h2_request() */
    bool waiting;      /* for the peer's SETTINGS; `head_text` holds the request */
    bool remote_ended; /* END_STREAM received */
    bool end_hidden;   /* h2_hide_end() */
    bool when_sent;    /* h2_report_when_sent() */
    bool was_cut;      /* reset by the peer with CONNECT_ERROR */
    bool shut;         /* stream_shutdown() */
    bool end_sent;     /* END_STREAM is in the output */
    bool closed;       /* nghttp2 has closed the stream, or it never had one */
    bool owner_gone;   /* stream_free(): lingers until sent or closed */
    bool reset;        /* RST_STREAM submitted */
    bool has_provider; /* request or answer was submitted with a body to come */
    bool deferred;     /* the provider waits for resume */
    bool in_no_hurry;  /* the answer was given by h2_answer_early() and no flush scheduled */
    bool answered;     /* server: h2_answer(); client: the head was delivered */
    bool head_ready;   /* a complete head waits for its delivery */
    bool undelivered;  /* server: nobody owns it yet */

    struct buf head_text; /* "name\0value\0..." while a head is being received or waits */
    unsigned n_fields;
    h2_answered_fn *answered_fn;
    void *answered_ud;
    h2_failed_fn *failed_fn;
    void *failed_ud;
    h2_abandoned_fn *abandoned_fn;
    void *abandoned_ud;

    struct buf in;  /* received */
    struct buf out; /* taken; the first in_flight bytes are in the session's output */
    size_t in_flight;
    size_t packed;     /* further bytes that a frame header was made for */
    size_t packed_off; /* scratch of h2_output.c */
    unsigned pieces;   /* of the session's output that refer to it */
    size_t out_limit;

    size_t window;      /* present receive window */
    size_t epoch_bytes; /* consumed since epoch_start */
    usec_t epoch_start;
    usec_t last_received, last_consumed;
};

/* Output: control bytes from `ctl`, then bytes from the head of a channel's queue. */
struct h2_piece {
    size_t ctl_len;
    size_t data_len;
    struct h2_channel *ch;
};

struct h2 {
    struct loop *loop;
    struct stream *carrier;
    nghttp2_session *ng;
    struct h2_options options; /* with the defaults filled in */
    bool over;                 /* ended or freed: nothing but memory is left */
    bool draining;             /* no new channels */
    bool settings_received;
    bool may_extend; /* the peer takes extended CONNECT */
    struct list channels;
    struct list touched;
    unsigned n_channels; /* with an open stream, or waiting for one */
    struct defer flush, end, reap;

    struct buf ctl;
    struct h2_piece pieces[H2_PIECES];
    unsigned n_pieces;
    size_t batch_len; /* bytes in pieces */
    size_t queued;    /* in all channels' `out` */

    size_t held; /* in all channels' `in` */
    size_t window;
    size_t grown; /* sum of what channels' windows have above the first */
    size_t epoch_bytes;
    usec_t epoch_start;
    usec_t blocked_since; /* credit is withheld, and nobody consumes; 0: not */

    struct timer tick;
    struct timer soon; /* flushes what is in no hurry */
    bool tick_fast;
    uint64_t data_bytes, data_at_tick, data_at_ping;
    usec_t next_ping;
    usec_t ping_sent; /* 0: none in flight */
    uint64_t received_at_ping;
    unsigned pings_missed;
    usec_t rtt, rtt_min, rtt_min_at;

    usec_t resets_paid_until, control_paid_until; /* quotas, see h2_quota() */

    uint64_t bytes_received, bytes_sent;
    usec_t received_at;
    int reason; /* a failure that ends the session as soon as nghttp2 is left */
    struct err err;
};

/* h2_session.c */
void h2_schedule(struct h2 *s);
/* The same, unless something else does it before, after a millisecond. */
void h2_schedule_soon(struct h2 *s);
/* Notes the failure; the session ends outside of nghttp2's callbacks. */
void h2_fail(struct h2 *s, int reason, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Ends when it has failed, or has nothing more to do. True: it is over. */
bool h2_settle(struct h2 *s);
/* Delivers what happened to the channels while nghttp2 read. */
void h2_dispatch(struct h2 *s);
int h2_result_from_nghttp2(int code);

/* h2_callbacks.c */
void h2_callbacks_set(nghttp2_session_callbacks *cbs);
extern const nghttp2_data_source_read_callback h2_read_body;

/* h2_head.c */
int h2_head_add(struct h2_channel *ch, const void *name, size_t name_len, const void *value,
                size_t value_len, const struct h2_limits *limits);
/* Fields of at most `size` entries; their texts stay in the channel. 0 or -EPROTO. */
int h2_head_read(const struct h2_channel *ch, struct h2_head *ret_head, struct h2_field *ret_fields,
                 size_t size);
int h2_head_copy(struct h2_channel *ch, const struct h2_head *head, const struct h2_limits *limits);
/* The stored head as name-value pairs for nghttp2; the caller frees *ret. Returns their number. */
size_t h2_head_to_nv(const struct h2_channel *ch, nghttp2_nv **ret);

/* h2_channel.c */
struct h2_channel *h2_channel_new(struct h2 *s, bool local_client);
/* Submits a request whose head is stored. */
void h2_channel_submit(struct h2_channel *ch);
void h2_channel_failed(struct h2_channel *ch, int error);
/* The stream is closed in nghttp2 (or will never be there). */
void h2_channel_closed(struct h2_channel *ch, uint32_t error_code);
void h2_channel_end_sent(struct h2_channel *ch);
void h2_channel_touch(struct h2_channel *ch);
/* Delivers a head, then readiness. May run the owner's code; the memory lives until turn's end. */
void h2_channel_report(struct h2_channel *ch);
void h2_channel_kick(struct h2_channel *ch);
/* `len` bytes at the head of the queue have been handed to the carrier. */
void h2_channel_written(struct h2_channel *ch, size_t len);
/* One piece of the output no longer refers to it. */
void h2_channel_unref_piece(struct h2_channel *ch);
/* The session is over. */
void h2_channel_orphan(struct h2_channel *ch, int error);
void h2_channel_reset(struct h2_channel *ch, uint32_t error_code);
/* Resets it and drops what it holds, though its owner is still there. */
void h2_channel_evict(struct h2_channel *ch);

/* h2_output.c */
/* Writes as much as the carrier takes. 0, -EAGAIN: the carrier is full; or the failure. */
int h2_output_flush(struct h2 *s);
int h2_output_add_data(struct h2 *s, struct h2_channel *ch, const void *frame_header, size_t len);
void h2_output_drop(struct h2 *s);

/* h2_flow.c */
void h2_flow_start(struct h2 *s);
void h2_flow_received(struct h2 *s, struct h2_channel *ch, size_t len);
void h2_flow_consumed(struct h2 *s, struct h2_channel *ch, size_t len);
/* A channel ends: its windows and what it holds count no more. */
void h2_flow_closed(struct h2 *s, struct h2_channel *ch);
void h2_flow_credit(struct h2 *s);
/* Once a second while bytes flow: windows of idle channels fall back, a stuck one is found. */
void h2_flow_tick(struct h2 *s);
/* There is something to be watched in the next second. */
bool h2_flow_active(const struct h2 *s);

/* h2_alive.c */
void h2_alive_start(struct h2 *s);
/* A PING was acknowledged. */
void h2_alive_acked(struct h2 *s);
void h2_alive_data_moved(struct h2 *s, size_t len);
/* One more of what may happen `rate` times a second and `burst` times at once. False: too many. */
bool h2_quota(usec_t *paid_until, unsigned rate, unsigned burst, usec_t now);
