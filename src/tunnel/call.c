/* Plain requests with short bodies, from asking to the whole answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/stream.h"
#include "io/timer.h"
#include "tunnel/channel_request.h"
#include "tunnel/session.h"

static const usec_t call_timeout = 15 * USEC_PER_SEC;

struct tunnel_call {
    struct stream *channel;
    struct timer timeout;
    struct buf body;
    int status;
    tunnel_answered_fn *answered;
    void *ud;
};

static void release(struct tunnel_call *call)
{
    timer_cancel(&call->timeout);
    stream_free(call->channel);
    buf_deinit(&call->body);
    free(call);
}

struct tunnel_call *tunnel_call_cancel(struct tunnel_call *call)
{
    if (call)
        release(call);
    return NULL;
}

static void finish(struct tunnel_call *call, int status)
{
    struct buf body = call->body;
    tunnel_answered_fn *answered = call->answered;
    void *ud = call->ud;
    call->body = (struct buf)BUF_INIT(0);
    release(call);
    const char *text = buf_cstr(&body);
    if (text)
        answered(status, text, body.len, ud);
    else
        answered(-ENOMEM, "", 0, ud);
    buf_deinit(&body);
}

static void timed_out(struct timer *t, void *ud)
{
    finish(ud, -ETIMEDOUT);
}

static void body_came(struct stream *channel, unsigned events, void *ud)
{
    struct tunnel_call *call = ud;
    char piece[4096];
    ssize_t n = stream_recv(channel, piece, sizeof(piece));
    if (n == -EAGAIN)
        return;
    if (n <= 0)
        finish(call, n < 0 ? (int)n : call->status);
    else if (buf_append(&call->body, piece, (size_t)n) < 0)
        finish(call, -EMSGSIZE);
}

static void head_came(struct stream *channel, int result, const struct h2_head *head, void *ud)
{
    struct tunnel_call *call = ud;
    if (result < 0) {
        finish(call, result);
        return;
    }
    call->status = (int)head->status;
    stream_set_ready(channel, body_came, call);
    stream_want(channel, STREAM_READ);
}

struct tunnel_call *tunnel_session_call(struct tunnel_session *s, const char *method,
                                        const char *path, const char *json,
                                        tunnel_answered_fn *answered, void *ud)
{
    const struct h2_field type = {"content-type", "application/json"};
    const struct h2_head head = {.method = method,
                                 .scheme = "https",
                                 .authority = "agent",
                                 .path = path,
                                 .fields = &type,
                                 .n_fields = json ? 1 : 0};
    size_t len = json ? strlen(json) : 0;
    struct tunnel_call *call = new0(struct tunnel_call);
    call->answered = answered;
    call->ud = ud;
    buf_init(&call->body, TUNNEL_ANSWER_MAX);
    timer_init(&call->timeout, s->loop, timed_out, call);
    timer_start(&call->timeout, call_timeout);
    call->channel = h2_request(s->h2, &head, json == NULL, head_came, call);
    if (json) {
        if (len == 0 || stream_send_bytes(call->channel, json, len) == (ssize_t)len)
            stream_shutdown(call->channel);
        else
            h2_fail_channel(call->channel, -EMSGSIZE);
    }
    return call;
}
