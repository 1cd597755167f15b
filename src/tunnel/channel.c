/*
 * Requests at the serving end. All texts of a request's head live in one copy of their own,
 * because the head is lent for the call only and the answer may be long in coming.
 */
#include "tunnel/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "io/stream.h"
#include "proto/proxy_status.h"
#include "tunnel/channel_head.h"
#include "tunnel/channel_open.h"
#include "tunnel/channel_request.h"

const char *channel_kind_name(enum channel_kind kind)
{
    static const char *const names[] = {
        [CHANNEL_TCP] = "tcp",         [CHANNEL_UDP] = "udp",
        [CHANNEL_UNIX] = "unix",       [CHANNEL_SSH] = "ssh",
        [CHANNEL_PEER] = "peer",       [CHANNEL_LISTEN] = "listen",
        [CHANNEL_ACCEPT] = "accept",   [CHANNEL_SPEEDTEST] = "speedtest",
        [CHANNEL_REQUEST] = "request",
    };
    return names[kind];
}

struct channel_open *channel_open_cancel(struct channel_open *open)
{
    if (open)
        open->cancel(open);
    return NULL;
}

/* ---- the request as an object ---- */

static void release(struct channel_request *rq)
{
    list_remove(&rq->link);
    buf_deinit(&rq->body);
    free(rq->fields);
    free(rq->text);
    free(rq);
}

struct channel_request *channel_request_free(struct channel_request *rq)
{
    if (!rq)
        return NULL;
    stream_free(rq->channel);
    release(rq);
    return NULL;
}

/* Hands the channel out and lets go of the rest. */
static struct stream *take_channel(struct channel_request *rq)
{
    struct stream *channel = rq->channel;
    h2_on_failure(channel, NULL, NULL);
    stream_set_ready(channel, NULL, NULL);
    stream_want(channel, 0);
    release(rq);
    return channel;
}

const struct channel_request_info *channel_request_info(const struct channel_request *rq)
{
    return &rq->info;
}

const char *channel_request_field(const struct channel_request *rq, const char *name)
{
    const struct h2_head head = {.fields = rq->fields, .n_fields = rq->n_fields};
    return h2_head_get(&head, name);
}

struct tunnel_session *channel_request_session(const struct channel_request *rq)
{
    return rq->session;
}

void channel_request_on_cancel(struct channel_request *rq, channel_cancelled_fn *cancelled,
                               void *ud)
{
    rq->cancelled = cancelled;
    rq->ud = ud;
}

void channel_request_orphan_all(struct tunnel_session *s)
{
    struct channel_request *rq;
    while ((rq = list_first(&s->requests, struct channel_request, link))) {
        list_remove(&rq->link);
        rq->session = NULL;
    }
}

/* ---- answers ---- */

static struct stream *accept_with(struct channel_request *rq, const struct h2_field *fields,
                                  size_t n_fields)
{
    struct stream *channel = take_channel(rq);
    h2_answer_early(channel, fields, n_fields);
    return channel;
}

struct stream *channel_accept(struct channel_request *rq)
{
    const struct h2_field capsules = {"capsule-protocol", "?1"};
    return accept_with(rq, &capsules, rq->info.kind == CHANNEL_UDP ? 1 : 0);
}

struct stream *channel_accept_body(struct channel_request *rq, const char *content_type)
{
    const struct h2_field type = {"content-type", content_type};
    h2_hide_end(rq->channel);
    return accept_with(rq, &type, 1);
}

static void refuse(struct stream *channel, enum dial_result result, const char *details)
{
    struct buf value = BUF_INIT(1024);
    const char *text = NULL;
    if (proxy_status_format(result, details, &value) == 0)
        text = buf_cstr(&value);
    const struct h2_field field = {"proxy-status", text};
    h2_answer_and_free(channel, (unsigned)dial_result_status(result), &field, text ? 1 : 0, NULL);
    buf_deinit(&value);
}

void channel_refuse(struct channel_request *rq, enum dial_result result, const char *details)
{
    refuse(take_channel(rq), result == DIAL_OK ? DIAL_INTERNAL : result, details);
}

void channel_answer(struct channel_request *rq, unsigned status, const char *json)
{
    const struct h2_field type = {"content-type", "application/json"};
    h2_answer_and_free(take_channel(rq), status, &type, json ? 1 : 0, json);
}

/* ---- receiving ---- */

static void channel_failed(struct stream *channel, int error, void *ud)
{
    struct channel_request *rq = ud;
    if (rq->delivered && rq->cancelled)
        rq->cancelled(rq, rq->ud);
    else
        channel_request_free(rq);
}

static void deliver(struct channel_request *rq)
{
    struct tunnel_session *s = rq->session;
    if (!s) {
        channel_request_free(rq);
        return;
    }
    rq->delivered = true;
    stream_set_ready(rq->channel, NULL, NULL);
    stream_want(rq->channel, 0);
    if (s->options.requested)
        s->options.requested(s, rq, s->options.ud);
    else
        channel_refuse(rq, DIAL_UNSUPPORTED, NULL);
}

static void body_came(struct stream *channel, unsigned events, void *ud)
{
    struct channel_request *rq = ud;
    char piece[4096];
    ssize_t n = stream_recv(channel, piece, sizeof(piece));
    if (n == -EAGAIN)
        return;
    if (n < 0) {
        stream_want(channel, 0); /* channel_failed() ends it */
        return;
    }
    if (n == 0) {
        rq->info.body = buf_cstr(&rq->body);
        rq->info.body_len = rq->body.len;
        deliver(rq);
    } else if (buf_append(&rq->body, piece, (size_t)n) < 0) {
        channel_answer(rq, 413, NULL);
    }
}

static size_t text_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static const char *copy_text(char **p, const char *s)
{
    size_t size = text_size(s);
    char *copy = *p;
    if (size == 0)
        return NULL;
    memcpy(copy, s, size);
    *p += size;
    return copy;
}

static void copy_texts(struct channel_request *rq, const struct h2_head *head)
{
    size_t size = text_size(head->method) + text_size(head->path) + 1;
    for (size_t i = 0; i < head->n_fields; i++)
        size += text_size(head->fields[i].name) + text_size(head->fields[i].value);
    char *p = rq->text = xmalloc(size);
    rq->info.method = copy_text(&p, head->method);
    rq->info.path = copy_text(&p, head->path);
    rq->n_fields = head->n_fields;
    rq->fields = xcalloc(head->n_fields + 1, sizeof(*rq->fields));
    for (size_t i = 0; i < head->n_fields; i++) {
        rq->fields[i].name = copy_text(&p, head->fields[i].name);
        rq->fields[i].value = copy_text(&p, head->fields[i].value);
    }
}

void channel_request_receive(struct tunnel_session *s, struct stream *channel,
                             const struct h2_head *head)
{
    struct channel_request_info info = {.body = ""};
    int result = channel_head_read(head, &info);
    if (result < 0) {
        if (result == -EOPNOTSUPP)
            refuse(channel, DIAL_UNSUPPORTED, head->protocol);
        else
            h2_answer_and_free(channel, 400, NULL, 0, NULL);
        return;
    }
    struct channel_request *rq = new0(struct channel_request);
    rq->session = s;
    rq->channel = channel;
    rq->info = info;
    buf_init(&rq->body, CHANNEL_BODY_MAX);
    copy_texts(rq, head);
    list_append(&s->requests, &rq->link);
    h2_on_failure(channel, channel_failed, rq);
    if (info.kind != CHANNEL_REQUEST) {
        deliver(rq);
        return;
    }
    stream_set_ready(channel, body_came, rq);
    stream_want(channel, STREAM_READ);
}
