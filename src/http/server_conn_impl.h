#pragma once
/* What server_conn.c and exchange.c share. Not for anybody else. */
#include "base/buf.h"
#include "http/exchange.h"
#include "http/h1_reader.h"
#include "http/h1_writer.h"
#include "http/server_conn.h"
#include "io/loop.h"
#include "io/timer.h"

/* Bytes of a body nobody has read that are read to keep the connection. */
enum { SERVER_DROP_BODY_MAX = 256 * 1024 };

enum server_conn_state {
    CONN_HEAD,     /* waits for a head, or is in one */
    CONN_DISPATCH, /* a head is complete, the handler is called at the end of the turn */
    CONN_HANDLE,   /* the handler has the exchange */
    CONN_FINISH,   /* answered: sends what is queued, drops what is left of the request's body */
    CONN_UPGRADE,  /* as FINISH, then hands the stream over */
    CONN_LINGER,   /* will close: has ended sending, lets the peer read before it does */
    CONN_CLOSED,   /* the stream is gone; waits for the exchange to end */
    CONN_DETACHED,
};

struct server_exchange {
    struct exchange x; /* first: the two are cast */
    struct headers trailers;
    enum h1_framing framing;
    int64_t body_length;
    bool keep_alive;      /* as the request asks */
    bool upgrade;         /* the request asks to leave HTTP */
    bool expect_continue; /* the client waits for 100 (Continue), and has not got it */
    bool started;         /* the answer's head is queued */
    bool read;            /* the handler has asked for the body */

    exchange_ready_fn *ready;
    exchange_gone_fn *gone;
    void *ud;
    unsigned want;
    bool told_ended, told_failed; /* what `gone` has said */

    struct timer all_timer; /* of exchange_read_all() */
    struct buf all;
    int all_result;
    exchange_body_fn *all_done;
    void *all_ud;
};

struct server_conn {
    struct loop *loop;
    struct stream *s;
    struct server_conn_options o;
    struct h1_reader in;
    struct h1_writer out;
    enum server_conn_state state;
    struct server_exchange *x; /* the running one, or NULL */
    unsigned n_requests;
    bool keep_alive; /* after the running exchange */
    bool draining;
    bool owned;       /* somebody holds the pointer: tell `closed` */
    bool writable;    /* the stream said so, and nothing has been offered since */
    int failed;       /* why the stream is gone; 0 while it is not */
    size_t drop_left; /* bytes of unread body, or after the end, that are read to be dropped */

    struct timer timer;
    usec_t deadline;   /* the timer runs lazily behind it */
    usec_t head_since; /* first byte of the head; 0: none yet */
    usec_t idle_since;
    usec_t last_read, last_write; /* progress while it was waited for */
    struct defer tick;

    exchange_upgraded_fn *upgraded;
    void *upgraded_ud;
};

/* Looks at the connection again at the end of the turn. */
void server_conn_poke(struct server_conn *c);
/* Sets what is wanted of the stream and the timer after something has changed. */
void server_conn_update(struct server_conn *c);
/* The stream has failed: the handler will be told. Returns `error`. */
int server_conn_fail(struct server_conn *c, int error);
/* The handler has ended its exchange, which is freed. */
void server_conn_exchange_ended(struct server_conn *c);
/* Date, Connection: the lines that every final answer has. 0 or -ENOBUFS. */
int server_conn_write_date(struct server_conn *c, const struct headers *fields);

/* From exchange.c: a fresh exchange from a head. 0, or the status to refuse it with. */
unsigned server_exchange_new(struct server_conn *c, struct span head, struct server_exchange **ret);
void server_exchange_free(struct server_exchange *e);
/* Calls `gone` and `ready` as far as they are due. May end the exchange. */
void server_exchange_deliver(struct server_exchange *e);
/* The body was waited for too long. */
void server_exchange_body_timed_out(struct server_exchange *e);
/* There may be something to read without the stream saying so. */
bool server_exchange_may_read(const struct server_exchange *e);
