#pragma once
/* An app behind channels in memory, and the live server in between played by the test. */
#include "proxy/test_scene.h"

/* ---- the app ---- */

static inline void on_raw(struct stream *raw, unsigned events, void *ud)
{
    char data[4096];
    ssize_t n = stream_recv(raw, data, sizeof(data));
    if (n > 0)
        stream_send_bytes(raw, data, (size_t)n);
    else if (n != -EAGAIN)
        stream_want(raw, 0);
}

static inline void on_raw_start(struct stream *raw, int result, void *ud)
{
    struct scene *s = ud;
    s->raw = raw;
    if (!raw)
        return;
    stream_set_ready(raw, on_raw, s);
    stream_want(raw, STREAM_READ);
}

static inline void echo_body(struct exchange *x, int result, struct span body, void *ud)
{
    struct headers trailers;
    assert_int_equal(result, 0);
    headers_init(&trailers, &x->arena, 0, 0);
    headers_add(&trailers, "X-Sum", "42");
    headers_add_all(&trailers, exchange_trailers(x)); /* those that the app got */
    exchange_start(x, 200, BODY_UNKNOWN);
    exchange_send_bytes(x, body.p, body.len);
    exchange_end(x, &trailers);
}

/* Says what it got: the request line and the fields. */
static inline void app_request(struct exchange *x, void *ud)
{
    struct scene *s = ud;
    struct buf text = BUF_INIT(65536);
    if (exchange_wants_upgrade(x)) {
        headers_add(&x->response, "Upgrade", "echo");
        headers_add(&x->response, "Connection", "Upgrade");
        assert_int_equal(exchange_upgrade(x, 101, on_raw_start, s), 0);
        return;
    }
    headers_add(&x->response, "Set-Cookie", "adit_ticket=evil");
    headers_add(&x->response, "Access-Control-Allow-Origin", "*");
    headers_add(&x->response, "Service-Worker-Allowed", "/");
    if (span_is(x->method, "POST")) {
        exchange_read_all(x, 1 << 20, echo_body, s);
        return;
    }
    if (span_is(x->path, "/hints")) {
        struct headers hints;
        headers_init(&hints, &x->arena, 0, 0);
        headers_add(&hints, "Link", "</a.css>");
        exchange_inform(x, 103, &hints);
    }
    if (span_is(x->path, "/cut")) {
        exchange_abort(x);
        return;
    }
    buf_appendf(&text, SPAN_FMT " " SPAN_FMT "\n", SPAN_ARG(x->method), SPAN_ARG(x->target));
    for (size_t i = 0; i < x->headers.len; i++)
        buf_appendf(&text, SPAN_FMT ": " SPAN_FMT "\n", SPAN_ARG(x->headers.list[i].name),
                    SPAN_ARG(x->headers.list[i].value));
    exchange_respond(x, span_is(x->path, "/304") ? 304 : 200, buf_data(&text), text.len);
    buf_deinit(&text);
}

static inline void app_closed(struct server_conn *c, void *ud)
{
    struct scene *s = ud;
    if (s->app == c)
        s->app = NULL;
}

/* ---- the live server ---- */

struct fake_open {
    struct channel_open head;
    struct scene *s;
    struct defer soon;
    struct channel_open_options options;
};

static inline void fake_cancel(struct channel_open *head)
{
    struct fake_open *o = container_of(head, struct fake_open, head);
    defer_cancel(&o->soon);
    free(o);
}

static inline void fake_opened(void *ud)
{
    struct fake_open *o = ud;
    struct scene *s = o->s;
    struct channel_open_options options = o->options;
    struct stream *ends[2];
    free(o);
    if (s->dial != DIAL_OK) {
        options.opened(NULL, s->dial, "no", options.ud);
        return;
    }
    stream_pair(s->loop, 65536, ends);
    s->app = server_conn_new(
        s->loop, ends[1],
        &(struct server_conn_options){.handler = app_request, .closed = app_closed, .ud = s});
    options.opened(ends[0], DIAL_OK, "", options.ud);
}

static inline struct channel_open *live_open(void *ud, uint64_t link,
                                             const struct channel_target *target,
                                             const struct channel_open_options *options)
{
    struct scene *s = ud;
    struct fake_open *o = new0(struct fake_open);
    assert_int_equal(link, 77);
    s->n_dials++;
    s->dialled = *target;
    str_copy(s->dialled_host, sizeof(s->dialled_host), target->host);
    o->head.cancel = fake_cancel;
    o->s = s;
    o->options = *options;
    defer_init(&o->soon, fake_opened, o);
    defer_schedule(s->loop, &o->soon);
    return &o->head;
}

static inline void live_client(void *ud, const struct exchange *x, struct proxy_client *ret)
{
    *ret = (struct proxy_client){.ip = "192.0.2.1", .peer = "192.0.2.1"};
}

static inline bool live_presence(void *ud, const struct id *agent_id)
{
    struct scene *s = ud;
    return !s->away && id_equal(agent_id, &s->agent.id);
}

static inline int live_move(void *ud, struct exchange *x, const struct id *agent_id,
                            proxy_moved_fn *moved, void *moved_ud)
{
    struct scene *s = ud;
    if (!live_presence(ud, agent_id))
        return -ENOTCONN;
    moved(s->proxy, x, 77, moved_ud);
    return 0;
}

static const struct proxy_live live = {
    .client = live_client, .presence = live_presence, .move = live_move, .open = live_open};
