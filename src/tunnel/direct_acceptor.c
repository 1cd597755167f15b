/*
 * Strangers are in a list, oldest first: there are few enough to count those of an address by
 * walking it. Nothing is allocated for one beyond its TLS state, and a slow one costs its place for
 * `timeout` at most.
 */
#include "tunnel/direct_acceptor.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/addr.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "tunnel/peer_acceptor.h"

enum { STRANGERS_MAX = 64, PER_ADDRESS_MAX = 16, PROTOCOLS_MAX = 4 };

static const usec_t default_timeout = 5 * USEC_PER_SEC;
static const char session_protocol[] = "adit/1";

struct direct_acceptor {
    struct loop *loop;
    struct direct_acceptor_options options;
    const struct direct_protocol *protocols[PROTOCOLS_MAX];
    size_t n_protocols;
    struct list strangers;
    struct direct_counts counts;
    struct log_limit log;
};

struct stranger {
    struct list link;
    struct direct_acceptor *acceptor;
    struct stream *tls;
    struct addr from;
    struct timer timeout;
    bool named; /* asked for a peer that is expected */
    struct id peer;
};

static void stranger_free(struct stranger *s)
{
    list_remove(&s->link);
    s->acceptor->counts.strangers--;
    timer_cancel(&s->timeout);
    stream_free(s->tls);
    free(s);
}

static void turn_away(struct stranger *s, uint64_t *counter, const char *why)
{
    struct direct_acceptor *a = s->acceptor;
    char from[ADDR_TEXT_LEN];
    unsigned held_back;
    ++*counter;
    if (log_limit_pass(&a->log, loop_now(a->loop), &held_back))
        log_info("direct connection refused", LOG_STR("from", addr_format_ip(&s->from, from)),
                 LOG_STR("reason", why), LOG_INT("held_back", held_back));
    stranger_free(s);
}

static bool expected(struct stream *tls, const char *name, struct tls_pin *ret_pin, void *ud)
{
    struct stranger *s = ud;
    s->named = peer_acceptor_expects(s->acceptor->options.peers, name, &s->peer, ret_pin);
    return s->named;
}

static const struct direct_protocol *protocol_of(const struct direct_acceptor *a, const char *alpn)
{
    for (size_t i = 0; i < a->n_protocols; i++)
        if (str_eq(a->protocols[i]->alpn, alpn))
            return a->protocols[i];
    return NULL;
}

static void shaken(struct stream *tls, int result, const struct err *err, void *ud)
{
    struct stranger *s = ud;
    struct direct_acceptor *a = s->acceptor;
    if (result < 0) {
        turn_away(s, &a->counts.refused, s->named ? err->text : "not expected");
        return;
    }
    const struct direct_protocol *p = protocol_of(a, tls_alpn(tls));
    bool session = str_eq(tls_alpn(tls), session_protocol);
    if (!p && !session) {
        turn_away(s, &a->counts.refused, "unknown protocol");
        return;
    }
    struct id peer = s->peer;
    struct addr from = s->from;
    s->tls = NULL;
    stranger_free(s);
    a->counts.accepted++;
    if (p)
        p->accepted(tls, &peer, &from, p->ud);
    else
        peer_acceptor_admit(a->options.peers, &peer, tls, &from);
}

static void took_too_long(struct timer *t, void *ud)
{
    struct stranger *s = ud;
    turn_away(s, &s->acceptor->counts.timed_out, "no handshake in time");
}

/* ---- places ---- */

static bool same_place(const struct addr *a, const struct addr *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    if (a->sa.sa_family == AF_INET6)
        return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 8) == 0;
    return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

/* A place of `from`, or (NULL) any; whether there is one now. */
static bool make_room(struct direct_acceptor *a, const struct addr *from, unsigned max)
{
    struct stranger *s, *oldest = NULL;
    unsigned n = 0;
    list_for_each (s, &a->strangers, link) {
        if (from && !same_place(&s->from, from))
            continue;
        n++;
        if (!oldest && !s->named)
            oldest = s;
    }
    if (n < max)
        return true;
    if (!oldest)
        return false;
    turn_away(oldest, &a->counts.pushed_out, "too many connections");
    return true;
}

void direct_acceptor_take(struct direct_acceptor *a, struct stream *stream, const struct addr *from)
{
    if (!make_room(a, from, a->options.max_per_address) ||
        !make_room(a, NULL, a->options.max_strangers)) {
        a->counts.pushed_out++;
        stream_free(stream);
        return;
    }
    struct stranger *s = new0(struct stranger);
    s->acceptor = a;
    s->from = *from;
    list_append(&a->strangers, &s->link);
    a->counts.strangers++;
    timer_init(&s->timeout, a->loop, took_too_long, s);
    timer_start(&s->timeout, a->options.timeout);
    const struct tls_start_options options = {
        .server = true, .expect = expected, .done = shaken, .ud = s};
    s->tls = tls_start(a->options.tls, stream, &options);
}

/* ---- life ---- */

void direct_acceptor_add(struct direct_acceptor *a, const struct direct_protocol *protocol)
{
    if (a->n_protocols < PROTOCOLS_MAX)
        a->protocols[a->n_protocols++] = protocol;
}

struct direct_counts direct_acceptor_counts(const struct direct_acceptor *a)
{
    return a->counts;
}

struct direct_acceptor *direct_acceptor_new(struct loop *loop,
                                            const struct direct_acceptor_options *options)
{
    struct direct_acceptor *a = new0(struct direct_acceptor);
    a->loop = loop;
    a->options = *options;
    if (!a->options.max_strangers)
        a->options.max_strangers = STRANGERS_MAX;
    if (!a->options.max_per_address)
        a->options.max_per_address = PER_ADDRESS_MAX;
    if (!a->options.timeout)
        a->options.timeout = default_timeout;
    a->log = (struct log_limit){.burst = 10, .per_usec = USEC_PER_MIN};
    tls_context_ref(a->options.tls);
    list_init(&a->strangers);
    return a;
}

struct direct_acceptor *direct_acceptor_free(struct direct_acceptor *a)
{
    if (!a)
        return NULL;
    struct stranger *s, *next;
    list_for_each_safe (s, next, &a->strangers, link)
        stranger_free(s);
    tls_context_unref(a->options.tls);
    free(a);
    return NULL;
}
