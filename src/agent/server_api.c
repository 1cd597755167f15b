#include "agent/server_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/ports.h"
#include "agent/records.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/num.h"
#include "io/stream.h"
#include "io/timer.h"
#include "io/tls.h"
#include "tunnel/channel.h"

enum {
    EVENT_STREAMS_MAX = 8,
    BODY_MAX_LEN = 1 << 20,
};

static const char records_path[] = "/events?after=";
static const usec_t look_interval = USEC_PER_SEC;

struct server_api {
    struct loop *loop;
    struct records *records;
    struct tls_pin pin;
    bool direct;
    struct list streams; /* of GET /events */
    size_t n_streams;
    struct timer look;    /* runs while there are streams */
    struct buf last_seen; /* the line that was sent last */
};

struct event_stream {
    struct list link;
    struct server_api *api;
    struct stream *body;
    struct buf unsent;
};

static void answer_info(struct server_api *a, struct channel_request *rq)
{
    struct api_agent_info info = {0};
    memcpy(info.pin, a->pin.sha256, sizeof(info.pin));
    str_copy(info.version, sizeof(info.version), ADIT_VERSION);
    info.direct = a->direct;
    struct utsname system;
    if (uname(&system) == 0) {
        str_copy(info.os, sizeof(info.os), system.sysname);
        str_copy(info.arch, sizeof(info.arch), system.machine);
        str_copy(info.hostname, sizeof(info.hostname), system.nodename);
    }
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(BODY_MAX_LEN);
    if (api_agent_info_write(&info, &json) < 0)
        channel_answer(rq, 500, NULL);
    else
        channel_answer(rq, 200, buf_cstr(&json));
}

static int write_ports(struct buf *json)
{
    struct api_ports ports;
    ports_list(&ports);
    int r = api_ports_write(&ports, json);
    api_ports_release(&ports);
    return r;
}

static void answer_ports(struct channel_request *rq)
{
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(BODY_MAX_LEN);
    if (write_ports(&json) < 0)
        channel_answer(rq, 500, NULL);
    else
        channel_answer(rq, 200, buf_cstr(&json));
}

static void event_stream_end(struct event_stream *e)
{
    struct server_api *a = e->api;
    list_remove(&e->link);
    stream_free(e->body);
    buf_deinit(&e->unsent);
    free(e);
    if (--a->n_streams == 0)
        timer_cancel(&a->look);
}

/* False when the stream has ended (and is gone). */
static bool event_stream_flush(struct event_stream *e)
{
    while (e->unsent.len > 0) {
        ssize_t n = stream_send_bytes(e->body, buf_data(&e->unsent), e->unsent.len);
        if (n == -EAGAIN)
            break;
        if (n < 0) {
            event_stream_end(e);
            return false;
        }
        buf_consume(&e->unsent, (size_t)n);
    }
    stream_want(e->body, STREAM_READ | (e->unsent.len ? STREAM_WRITE : 0));
    return true;
}

static void event_stream_ready(struct stream *s, unsigned events, void *ud)
{
    struct event_stream *e = ud;
    char ignored[256];
    if (events & STREAM_READ) {
        /* The server has nothing to say here: its end means that it has gone. */
        ssize_t n = stream_recv(s, ignored, sizeof(ignored));
        if (n == 0 || (n < 0 && n != -EAGAIN)) {
            event_stream_end(e);
            return;
        }
    }
    event_stream_flush(e);
}

/* A reader that is behind gets the newest line once it has caught up, not all between. */
static bool event_stream_offer(struct event_stream *e, const struct buf *line)
{
    if (e->unsent.len == 0)
        buf_append(&e->unsent, buf_data(line), line->len);
    return event_stream_flush(e);
}

static void look_again(struct timer *t, void *ud)
{
    struct server_api *a = ud;
    _cleanup_(buf_deinit) struct buf line = BUF_INIT(BODY_MAX_LEN);
    timer_start(t, look_interval);
    if (write_ports(&line) < 0 || buf_append_byte(&line, '\n') < 0)
        return;
    if (span_eq(span_from(buf_data(&line), line.len),
                span_from(buf_data(&a->last_seen), a->last_seen.len)))
        return;
    buf_clear(&a->last_seen);
    buf_append(&a->last_seen, buf_data(&line), line.len);
    struct event_stream *e, *next;
    list_for_each_safe (e, next, &a->streams, link)
        event_stream_offer(e, &line);
}

static void start_events(struct server_api *a, struct channel_request *rq)
{
    if (a->n_streams == EVENT_STREAMS_MAX) {
        channel_answer(rq, 503, NULL);
        return;
    }
    struct event_stream *e = new0(struct event_stream);
    e->api = a;
    e->body = channel_accept_body(rq, "application/jsonl");
    buf_init(&e->unsent, BODY_MAX_LEN);
    stream_set_ready(e->body, event_stream_ready, e);
    stream_want(e->body, STREAM_READ);
    list_append(&a->streams, &e->link);
    if (a->n_streams++ == 0) {
        buf_clear(&a->last_seen);
        look_again(&a->look, a);
    } else {
        event_stream_offer(e, &a->last_seen);
    }
}

static void answer_records(struct server_api *a, struct channel_request *rq)
{
    struct span path = span_of(channel_request_info(rq)->path);
    struct span number = span_sub(path, sizeof(records_path) - 1, path.len);
    uint64_t after;
    if (num_parse(number, 0, INT64_MAX, &after) < 0)
        channel_answer(rq, 400, NULL);
    else
        records_answer(a->records, rq, after);
}

struct server_api *server_api_new(struct loop *loop, const struct tls_identity *identity,
                                  struct records *records)
{
    struct server_api *a = new0(struct server_api);
    a->loop = loop;
    a->records = records;
    tls_identity_pin(identity, &a->pin);
    list_init(&a->streams);
    timer_init(&a->look, loop, look_again, a);
    buf_init(&a->last_seen, BODY_MAX_LEN);
    return a;
}

void server_api_tell_direct(struct server_api *a)
{
    a->direct = true;
}

void server_api_handle(struct server_api *a, struct channel_request *rq)
{
    const struct channel_request_info *info = channel_request_info(rq);
    if (info->kind != CHANNEL_REQUEST) {
        channel_refuse(rq, DIAL_UNSUPPORTED, NULL);
    } else if (!str_eq(info->method, "GET")) {
        channel_answer(rq, 405, NULL);
    } else if (str_eq(info->path, "/info")) {
        answer_info(a, rq);
    } else if (str_eq(info->path, "/ports")) {
        answer_ports(rq);
    } else if (span_starts(span_of(info->path), records_path)) {
        answer_records(a, rq);
    } else if (str_eq(info->path, "/events")) {
        start_events(a, rq);
    } else {
        channel_answer(rq, 404, NULL);
    }
}

struct server_api *server_api_free(struct server_api *a)
{
    if (!a)
        return NULL;
    struct event_stream *e, *next;
    list_for_each_safe (e, next, &a->streams, link)
        event_stream_end(e);
    timer_cancel(&a->look);
    buf_deinit(&a->last_seen);
    free(a);
    return NULL;
}
