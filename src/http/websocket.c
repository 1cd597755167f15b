/*
 * wslay calls back for bytes and messages; it must not be freed in there, so a websocket that is
 * freed inside its own callback goes at the end of the turn. wslay queues an answer to every ping:
 * while more than `max_queued` waits, nothing is read, so that the peer cannot make it grow.
 */
#include "http/websocket.h"

#include <errno.h>
#include <wslay/wslay.h>

#include "base/mem.h"
#include "base/rand.h"
#include "http/ws_frame.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"

enum {
    DEFAULT_MAX_MESSAGE = 64 * 1024,
    DEFAULT_MAX_QUEUED = 1024 * 1024,
    MAX_QUEUED_FRAMES = 1000, /* before reading stops; messages and answers to pings */
};

static const usec_t close_timeout = 5 * USEC_PER_SEC;

struct websocket {
    struct stream *s;
    struct loop *loop;
    struct websocket_options o;
    wslay_event_context_ptr ctx;
    struct timer close_timer;
    struct defer tick;
    bool freed;
    bool told_closed;
    bool closing; /* by websocket_close(), when the queue is empty */
    uint16_t close_status;
    char close_reason[WS_CONTROL_MAX - 1];
    int failed; /* of the stream */
};

static bool is_full(const struct websocket *ws)
{
    return wslay_event_get_queued_msg_count(ws->ctx) > MAX_QUEUED_FRAMES ||
           wslay_event_get_queued_msg_length(ws->ctx) > ws->o.max_queued;
}

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *data, size_t len, int flags, void *ud)
{
    struct websocket *ws = ud;
    ssize_t n = -EAGAIN;
    if (!ws->freed && !ws->failed && !is_full(ws))
        n = stream_recv(ws->s, data, len);
    if (n > 0)
        return n;
    if (n != -EAGAIN)
        ws->failed = n == 0 ? -ECONNRESET : (int)n;
    wslay_event_set_error(ctx, n == -EAGAIN ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
                       void *ud)
{
    struct websocket *ws = ud;
    ssize_t n = ws->failed ? ws->failed : stream_send_bytes(ws->s, data, len);
    if (n > 0)
        return n;
    if (n != -EAGAIN)
        ws->failed = (int)n;
    wslay_event_set_error(ctx, n == -EAGAIN ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static int on_genmask(wslay_event_context_ptr ctx, uint8_t *mask, size_t len, void *ud)
{
    rand_bytes(mask, len);
    return 0;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *msg,
                       void *ud)
{
    struct websocket *ws = ud;
    if (!ws->freed && !wslay_is_ctrl_frame(msg->opcode))
        ws->o.message(ws, msg->opcode == WSLAY_TEXT_FRAME, span_from(msg->msg, msg->msg_length),
                      ws->o.ud);
}

static const struct wslay_event_callbacks callbacks = {
    .recv_callback = on_recv,
    .send_callback = on_send,
    .genmask_callback = on_genmask,
    .on_msg_recv_callback = on_message,
};

static bool is_over(const struct websocket *ws)
{
    if (ws->failed)
        return true;
    if (wslay_event_want_write(ws->ctx))
        return false;
    if (wslay_event_get_close_received(ws->ctx))
        return wslay_event_get_close_sent(ws->ctx);
    /* wslay stops reading when the peer broke a rule, having sent a Close that says which. */
    return !wslay_event_get_read_enabled(ws->ctx);
}

static uint16_t end_status(const struct websocket *ws)
{
    if (wslay_event_get_close_received(ws->ctx))
        return wslay_event_get_status_code_received(ws->ctx);
    if (!ws->failed && !wslay_event_get_read_enabled(ws->ctx))
        return wslay_event_get_status_code_sent(ws->ctx);
    return WS_ABNORMAL;
}

static void update(struct websocket *ws)
{
    if (ws->told_closed || ws->freed)
        return;
    if (is_over(ws)) {
        stream_want(ws->s, 0);
        defer_schedule(ws->loop, &ws->tick);
        return;
    }
    unsigned want = 0;
    if (wslay_event_want_read(ws->ctx) && !is_full(ws))
        want |= STREAM_READ;
    if (wslay_event_want_write(ws->ctx))
        want |= STREAM_WRITE;
    stream_want(ws->s, want);
}

/* wslay sends control frames before messages, and nothing after a Close: so it comes last. */
static void send_queued(struct websocket *ws)
{
    if (!ws->failed && wslay_event_want_write(ws->ctx))
        wslay_event_send(ws->ctx);
    if (ws->failed || !ws->closing || wslay_event_want_write(ws->ctx))
        return;
    ws->closing = false;
    wslay_event_queue_close(ws->ctx, ws->close_status, (const uint8_t *)ws->close_reason,
                            strlen(ws->close_reason));
    wslay_event_send(ws->ctx);
}

static void run(struct websocket *ws, unsigned events)
{
    if (!ws->failed && (events & STREAM_READ))
        wslay_event_recv(ws->ctx);
    send_queued(ws);
    update(ws);
}

static void stream_is_ready(struct stream *s, unsigned events, void *ud)
{
    run(ud, events);
}

static void release(struct websocket *ws)
{
    timer_cancel(&ws->close_timer);
    wslay_event_context_free(ws->ctx);
    stream_free(ws->s);
    free(ws);
}

static void tick(void *ud)
{
    struct websocket *ws = ud;
    if (ws->freed) {
        release(ws);
        return;
    }
    if (!is_over(ws)) {
        run(ws, 0);
        return;
    }
    if (!ws->told_closed) {
        ws->told_closed = true;
        timer_cancel(&ws->close_timer);
        stream_shutdown(ws->s);
        ws->o.closed(ws, end_status(ws), ws->o.ud);
    }
}

static void close_timed_out(struct timer *t, void *ud)
{
    struct websocket *ws = ud;
    ws->failed = -ETIMEDOUT;
    update(ws);
}

struct websocket *websocket_new(struct stream *s, enum ws_role role,
                                const struct websocket_options *options)
{
    struct websocket *ws = new0(struct websocket);
    ws->s = s;
    ws->loop = s->loop;
    ws->o = *options;
    if (ws->o.max_message == 0)
        ws->o.max_message = DEFAULT_MAX_MESSAGE;
    if (ws->o.max_queued == 0)
        ws->o.max_queued = DEFAULT_MAX_QUEUED;
    int r = role == WS_SERVER ? wslay_event_context_server_init(&ws->ctx, &callbacks, ws)
                              : wslay_event_context_client_init(&ws->ctx, &callbacks, ws);
    if (r < 0)
        abort();
    wslay_event_config_set_max_recv_msg_length(ws->ctx, ws->o.max_message);
    timer_init(&ws->close_timer, ws->loop, close_timed_out, ws);
    defer_init(&ws->tick, tick, ws);
    stream_set_ready(s, stream_is_ready, ws);
    update(ws);
    return ws;
}

struct websocket *websocket_free(struct websocket *ws)
{
    if (!ws || ws->freed)
        return NULL;
    ws->freed = true;
    stream_want(ws->s, 0);
    timer_cancel(&ws->close_timer);
    defer_schedule(ws->loop, &ws->tick);
    return NULL;
}

int websocket_send(struct websocket *ws, bool text, const void *data, size_t len)
{
    const struct wslay_event_msg msg = {
        .opcode = text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, .msg = data, .msg_length = len};
    if (ws->failed || ws->told_closed || timer_pending(&ws->close_timer))
        return -EPIPE;
    size_t queued = websocket_queued(ws);
    if (len > ws->o.max_queued || queued > ws->o.max_queued - len)
        return -ENOBUFS;
    int r = wslay_event_queue_msg(ws->ctx, &msg);
    if (r == WSLAY_ERR_NO_MORE_MSG)
        return -EPIPE;
    if (r < 0)
        return -ENOBUFS;
    defer_schedule(ws->loop, &ws->tick);
    return 0;
}

size_t websocket_queued(const struct websocket *ws)
{
    return wslay_event_get_queued_msg_length(ws->ctx);
}

void websocket_close(struct websocket *ws, uint16_t status, const char *reason)
{
    if (ws->failed || ws->told_closed || timer_pending(&ws->close_timer))
        return;
    ws->closing = true;
    ws->close_status = status;
    str_copy(ws->close_reason, sizeof(ws->close_reason), reason ? reason : "");
    timer_start(&ws->close_timer, close_timeout);
    defer_schedule(ws->loop, &ws->tick);
}
