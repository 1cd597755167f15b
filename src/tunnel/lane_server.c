/*
 * One `offer` per request, until its lane ends, and one `arrival` per connection, until it has said
 * its token:
 *
 *     dial -> TLS -> token -> attached (moved)        relayed: the offer makes its connection
 *             TLS -> token -> attached (moved)        direct: the client comes
 *
 * An offer belongs to the stream whose channel it is for, and goes with it.
 */
#include "tunnel/lane_server.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/span.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "model/id.h"
#include "tunnel/direct_acceptor.h"
#include "tunnel/lane_dial.h"
#include "tunnel/lane_stream.h"
#include "tunnel/lane_ticket.h"
#include "tunnel/session.h"

enum { LANES_PER_SESSION = 32, SESSIONS_WORTH = 4, ARRIVALS_MAX = 64 };

static const char lane_protocol[] = "adit-lane/1";

struct arrival;

struct lane_server {
    struct loop *loop;
    struct lane_server_options options;
    char *server_url;
    struct list offers;
    size_t n_offers;
    struct list arrivals;
    size_t n_arrivals;
    struct direct_protocol protocol;
};

struct offer {
    struct list link;
    struct lane_server *server;           /* NULL once that is gone */
    const struct tunnel_session *session; /* to compare with only */
    struct stream *s;                     /* the channel's */
    struct id peer, token;
    struct tls_pin pin;
    bool direct; /* no ticket: waits for an arrival */
    struct lane_dial *dial;
    struct stream *tls; /* handshake */
    struct arrival *arrival;
    struct timer timeout;
};

struct arrival {
    struct list link;
    struct lane_server *server;
    struct offer *offer; /* whose connection it is; NULL: a direct one */
    struct id peer;
    struct stream *tls;
    unsigned char said[ID_LEN];
    size_t said_len;
    struct timer timeout;
};

static void arrival_free(struct arrival *a)
{
    if (a->offer)
        a->offer->arrival = NULL;
    timer_cancel(&a->timeout);
    stream_free(a->tls);
    list_remove(&a->link);
    a->server->n_arrivals--;
    free(a);
}

static void offer_free(struct offer *o)
{
    const struct lane_stream_watch nobody = {0};
    lane_stream_watch(o->s, &nobody);
    timer_cancel(&o->timeout);
    lane_dial_cancel(o->dial);
    stream_free(o->tls);
    if (o->arrival)
        arrival_free(o->arrival);
    list_remove(&o->link);
    if (o->server)
        o->server->n_offers--;
    free(o);
}

static void fail(struct offer *o, const char *why)
{
    log_debug("no lane", LOG_STR("reason", why));
    offer_free(o);
}

static void timed_out(struct timer *t, void *ud)
{
    struct offer *o = ud;
    if (lane_stream_has_lane(o->s))
        lane_stream_drop(o->s); /* it fails: this side has moved */
    else
        fail(o, "it took too long");
}

/* ---- the stream's news ---- */

static void on_moved(struct stream *s, void *ud)
{
    struct offer *o = ud;
    timer_cancel(&o->timeout);
}

static void on_lost(struct stream *s, void *ud)
{
    fail(ud, "it was lost before it was of use");
}

static void on_freed(struct stream *s, void *ud)
{
    offer_free(ud);
}

/* ---- making it ---- */

/* The one that waits for this token, or NULL. */
static struct offer *meant(const struct arrival *a)
{
    struct offer *o;
    list_for_each (o, &a->server->offers, link)
        if (o->direct && timer_pending(&o->timeout) && !lane_stream_has_lane(o->s) &&
            id_equal(&o->peer, &a->peer) && secret_equal(a->said, ID_LEN, o->token.bytes, ID_LEN))
            return o;
    return NULL;
}

static void token_is_whole(struct arrival *a)
{
    struct offer *o = a->offer ? a->offer : meant(a);
    struct stream *tls = steal(&a->tls);
    bool right = o && secret_equal(a->said, ID_LEN, o->token.bytes, ID_LEN);
    bool own = a->offer != NULL;
    arrival_free(a);
    if (right) {
        lane_stream_attach(o->s, tls, true);
        return;
    }
    stream_free(tls);
    if (own)
        fail(o, "another token");
}

static void arrival_ended(struct arrival *a)
{
    struct offer *o = a->offer;
    arrival_free(a);
    if (o)
        fail(o, "it ended before its token");
}

static void token_came(struct stream *tls, unsigned events, void *ud)
{
    struct arrival *a = ud;
    ssize_t n = stream_recv(tls, a->said + a->said_len, ID_LEN - a->said_len);
    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        arrival_ended(a);
        return;
    }
    a->said_len += (size_t)n;
    if (a->said_len == ID_LEN)
        token_is_whole(a);
}

static void silent(struct timer *t, void *ud)
{
    arrival_ended(ud);
}

static struct arrival *arrive(struct lane_server *l, struct stream *tls)
{
    struct arrival *a = new0(struct arrival);
    a->server = l;
    a->tls = tls;
    list_append(&l->arrivals, &a->link);
    l->n_arrivals++;
    timer_init(&a->timeout, l->loop, silent, a);
    timer_start(&a->timeout, LANE_SET_UP_SEC * USEC_PER_SEC);
    stream_set_ready(tls, token_came, a);
    stream_want(tls, STREAM_READ);
    return a;
}

static void came_directly(struct stream *tls, const struct id *peer, const struct addr *from,
                          void *ud)
{
    struct lane_server *l = ud;
    if (l->n_arrivals >= ARRIVALS_MAX) {
        stream_free(tls);
        return;
    }
    lane_tune(tls);
    arrive(l, tls)->peer = *peer;
}

static void tls_done(struct stream *tls, int result, const struct err *err, void *ud)
{
    struct offer *o = ud;
    if (result < 0) {
        fail(o, err ? err->text : "no TLS");
        return;
    }
    if (!str_eq(tls_alpn(tls), lane_protocol)) {
        fail(o, "another protocol");
        return;
    }
    o->tls = NULL;
    o->arrival = arrive(o->server, tls);
    o->arrival->offer = o;
}

static void dialled(struct stream *s, const struct err *err, void *ud)
{
    struct offer *o = ud;
    o->dial = NULL;
    if (!s) {
        fail(o, err->text);
        return;
    }
    const struct tls_start_options tls = {
        .server = true, .pin = &o->pin, .done = tls_done, .ud = o};
    o->tls = tls_start(o->server->options.tls, s, &tls);
}

/* ---- requests ---- */

struct wish {
    uint32_t channel;
    struct id token;
    char ticket[LANE_TICKET_TEXT_SIZE]; /* "": it comes to the agent's own port */
};

static int read_wish(const struct channel_request_info *info, struct wish *ret)
{
    struct wish w = {0};
    struct lane_ticket checked;
    json_t *root = json_loadb(info->body, info->body_len, JSON_REJECT_DUPLICATES, NULL);
    json_int_t channel = json_integer_value(json_object_get(root, "channel"));
    const char *token = json_string_value(json_object_get(root, "token"));
    const char *ticket = json_string_value(json_object_get(root, "ticket"));
    bool good =
        channel > 0 && channel <= INT32_MAX && token && id_parse(span_of(token), &w.token) == 0;
    if (good && ticket)
        good = lane_ticket_parse(span_of(ticket), &checked) == 0 && checked.end == LANE_AGENT &&
               str_copy(w.ticket, sizeof(w.ticket), ticket);
    w.channel = (uint32_t)channel;
    json_decref(root);
    if (!good)
        return -EINVAL;
    *ret = w;
    return 0;
}

static bool has_room(const struct lane_server *l, const struct tunnel_session *session)
{
    size_t max = l->options.max_lanes ? l->options.max_lanes : LANES_PER_SESSION, n = 0;
    const struct offer *o;
    list_for_each (o, &l->offers, link)
        n += o->session == session;
    return n < max && l->n_offers < max * SESSIONS_WORTH;
}

static bool has_offer(const struct lane_server *l, const struct stream *s)
{
    const struct offer *o;
    list_for_each (o, &l->offers, link)
        if (o->s == s)
            return true;
    return false;
}

static struct offer *offer_new(struct lane_server *l, const struct tunnel_session *session,
                               struct stream *s)
{
    struct offer *o = new0(struct offer);
    o->server = l;
    o->session = session;
    o->s = s;
    list_append(&l->offers, &o->link);
    l->n_offers++;
    timer_init(&o->timeout, l->loop, timed_out, o);
    timer_start(&o->timeout, LANE_SET_UP_SEC * USEC_PER_SEC);
    const struct lane_stream_watch watch = {
        .moved = on_moved, .lost = on_lost, .freed = on_freed, .ud = o};
    lane_stream_watch(s, &watch);
    return o;
}

void lane_server_answer(struct lane_server *l, struct channel_request *rq, const struct id *peer,
                        const struct tls_pin *pin)
{
    struct tunnel_session *session = channel_request_session(rq);
    struct wish wish;
    struct err err = ERR_INIT;
    if (!str_eq(channel_request_info(rq)->method, "POST")) {
        channel_answer(rq, 405, NULL);
        return;
    }
    if (read_wish(channel_request_info(rq), &wish) < 0) {
        channel_answer(rq, 400, NULL);
        return;
    }
    struct stream *s = session ? lane_stream_find(session, wish.channel) : NULL;
    if (!s || has_offer(l, s) || !has_room(l, session)) {
        channel_answer(rq, s ? 503 : 404, NULL);
        return;
    }
    struct offer *o = offer_new(l, session, s);
    o->peer = *peer;
    o->token = wish.token;
    o->pin = *pin;
    o->direct = !*wish.ticket;
    if (*wish.ticket &&
        lane_dial_start(l->loop, l->server_url, wish.ticket, dialled, o, &o->dial, &err) < 0) {
        fail(o, err.text);
        channel_answer(rq, 503, NULL);
        return;
    }
    channel_answer(rq, 202, NULL);
}

/* ---- life ---- */

struct lane_server *lane_server_new(struct loop *loop, const struct lane_server_options *options)
{
    struct lane_server *l = new0(struct lane_server);
    l->loop = loop;
    l->options = *options;
    l->server_url = xstrdup(options->server_url);
    tls_context_ref(options->tls);
    list_init(&l->offers);
    list_init(&l->arrivals);
    l->protocol =
        (struct direct_protocol){.alpn = lane_protocol, .accepted = came_directly, .ud = l};
    return l;
}

const struct direct_protocol *lane_server_protocol(const struct lane_server *l)
{
    return &l->protocol;
}

struct lane_server *lane_server_free(struct lane_server *l)
{
    struct offer *o, *next;
    struct arrival *a, *after;
    if (!l)
        return NULL;
    list_for_each_safe (o, next, &l->offers, link)
        offer_free(o);
    list_for_each_safe (a, after, &l->arrivals, link)
        arrival_free(a);
    tls_context_unref(l->options.tls);
    free(l->server_url);
    free(l);
    return NULL;
}
