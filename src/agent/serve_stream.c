/*
 * TCP and Unix socket channels: dial the target, perhaps speak TLS to it, answer the request with
 * the outcome, copy until both directions have ended. The target of a speed test is at hand. At any
 * time exactly one of dial, handshake and relay is there; the request is there until the relay is.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/served.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "io/dial.h"
#include "io/null_stream.h"
#include "io/relay.h"
#include "io/stream.h"
#include "io/timer.h"
#include "io/tls.h"
#include "tunnel/dial_answer.h"
#include "tunnel/lane_stream.h"

struct stream_channel {
    struct served served;
    struct loop *loop;
    struct channel_request *rq;
    struct tls_context *tls; /* of a target that speaks TLS; NULL: bytes as they are */
    struct dial *dial;
    struct stream *handshake;
    struct timer timer; /* bounds the handshake */
    struct relay *relay;
    uint64_t bytes_in, bytes_out; /* of a relay that has ended */
};

/*
 * A target that has closed one direction and then says nothing for so long, while the other end
 * has not gone either, is taken for dead.
 */
static const usec_t half_closed_limit = USEC_PER_HOUR;
static const usec_t handshake_limit = 10 * USEC_PER_SEC;

static void stream_channel_free(struct served *s)
{
    struct stream_channel *c = container_of(s, struct stream_channel, served);
    channel_request_free(c->rq);
    dial_cancel(c->dial);
    timer_cancel(&c->timer);
    stream_free(c->handshake);
    tls_context_unref(c->tls);
    relay_free(c->relay);
    free(c);
}

static void count(const struct served *s, uint64_t *ret_in, uint64_t *ret_out)
{
    const struct stream_channel *c = container_of(s, struct stream_channel, served);
    *ret_in = c->relay ? relay_bytes_a_to_b(c->relay) : c->bytes_in;
    *ret_out = c->relay ? relay_bytes_b_to_a(c->relay) : c->bytes_out;
}

static void relay_done(struct relay *r, int result, void *ud)
{
    struct stream_channel *c = ud;
    if (result < 0 && result != -ECONNRESET && result != -EPIPE)
        c->served.result = err_name(result);
    c->bytes_in = relay_bytes_a_to_b(r);
    c->bytes_out = relay_bytes_b_to_a(r);
    c->relay = NULL; /* it frees itself behind this call */
    served_end(&c->served);
}

static void refuse(struct stream_channel *c, enum dial_result result, const char *reason)
{
    c->served.result = dial_result_name(result);
    channel_refuse(steal(&c->rq), result, reason);
    served_end(&c->served);
}

static void start_relay(struct stream_channel *c, struct stream *target)
{
    const struct relay_options options = {.half_closed_limit = half_closed_limit,
                                          .failure_resets = true,
                                          .eager = true,
                                          .done = relay_done,
                                          .ud = c};
    served_opened(&c->served);
    c->relay = relay_new(lane_stream_wrap(channel_accept(steal(&c->rq))), target, &options);
}

static void handshake_done(struct stream *tls, int result, const struct err *err, void *ud)
{
    struct stream_channel *c = ud;
    timer_cancel(&c->timer);
    if (result < 0)
        refuse(c, DIAL_TLS_FAILED, err ? err->text : NULL);
    else
        start_relay(c, steal(&c->handshake));
}

static void handshake_too_long(struct timer *t, void *ud)
{
    refuse(ud, DIAL_TLS_FAILED, "no TLS handshake in time");
}

static void target_dialled(enum dial_outcome outcome, struct stream *target, const struct err *err,
                           void *ud)
{
    struct stream_channel *c = ud;
    c->dial = NULL;
    if (outcome != DIAL_OUTCOME_OK) {
        refuse(c, dial_answer(outcome, err), err ? err->text : NULL);
        return;
    }
    if (!c->tls) {
        start_relay(c, target);
        return;
    }
    const struct tls_start_options options = {
        .host = c->served.goal.host, .done = handshake_done, .ud = c};
    timer_start(&c->timer, handshake_limit);
    c->handshake = tls_start(c->tls, target, &options);
}

static void request_cancelled(struct channel_request *rq, void *ud)
{
    struct stream_channel *c = ud;
    served_end(&c->served);
}

void serve_tls_stream(struct loop *loop, struct channel_request *rq, struct tls_context *tls,
                      struct list *list)
{
    struct stream_channel *c = new0(struct stream_channel);
    c->loop = loop;
    c->rq = rq;
    c->tls = tls ? tls_context_ref(tls) : NULL;
    timer_init(&c->timer, loop, handshake_too_long, c);
    c->served.free = stream_channel_free;
    c->served.count = count;
    served_begin(&c->served, channel_request_session(rq));
    channel_goal_of(channel_request_info(rq), &c->served.goal);
    list_append(list, &c->served.link);
    channel_request_on_cancel(rq, request_cancelled, c);

    if (c->served.goal.kind == CHANNEL_SPEEDTEST) {
        start_relay(c, null_stream_new(loop, channel_request_info(rq)->down));
        return;
    }
    const struct dial_options options = {.done = target_dialled, .ud = c};
    const struct channel_goal *goal = &c->served.goal;
    c->dial = goal->kind == CHANNEL_UNIX ? dial_unix(loop, goal->unix_path, &options)
                                         : dial_tcp(loop, goal->host, goal->port, &options);
}

void serve_stream(struct loop *loop, struct channel_request *rq, struct list *list)
{
    serve_tls_stream(loop, rq, NULL, list);
}
