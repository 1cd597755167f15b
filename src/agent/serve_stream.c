/*
 * TCP and Unix socket channels: dial the target, answer the request with the outcome, copy until
 * both directions have ended. At any time exactly one of dial and relay is there; the request is
 * there as long as the dial is.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/served.h"
#include "base/mem.h"
#include "io/dial.h"
#include "io/relay.h"

struct stream_channel {
    struct served served;
    struct loop *loop;
    struct channel_request *rq;
    struct dial *dial;
    struct relay *relay;
};

/*
 * A target that has closed one direction and then says nothing for so long, while the other end
 * has not gone either, is taken for dead.
 */
static const usec_t half_closed_limit = USEC_PER_HOUR;

static void stream_channel_free(struct served *s)
{
    struct stream_channel *c = container_of(s, struct stream_channel, served);
    channel_request_free(c->rq);
    dial_cancel(c->dial);
    relay_free(c->relay);
    free(c);
}

static enum dial_result result_of(enum dial_outcome outcome, const struct err *err)
{
    switch (outcome) {
    case DIAL_OUTCOME_OK:
        return DIAL_OK;
    case DIAL_OUTCOME_REFUSED: /* of a path also: there is none */
        return err && err->code == -ENOENT ? DIAL_NOT_FOUND : DIAL_REFUSED;
    case DIAL_OUTCOME_TIMED_OUT:
        return DIAL_TIMEOUT;
    case DIAL_OUTCOME_NO_NAME:
        return DIAL_NAME_NOT_FOUND;
    case DIAL_OUTCOME_UNREACHABLE:
        return DIAL_UNREACHABLE;
    case DIAL_OUTCOME_FAILED:
        break;
    }
    enum dial_result result = dial_result_from_errno(err ? err->code : 0);
    return result == DIAL_OK ? DIAL_INTERNAL : result;
}

static void relay_done(struct relay *r, int result, void *ud)
{
    struct stream_channel *c = ud;
    c->relay = NULL; /* it frees itself behind this call */
    served_end(&c->served);
}

static void target_dialled(enum dial_outcome outcome, struct stream *target, const struct err *err,
                           void *ud)
{
    struct stream_channel *c = ud;
    c->dial = NULL;
    struct channel_request *rq = steal(&c->rq);
    if (outcome != DIAL_OUTCOME_OK) {
        channel_refuse(rq, result_of(outcome, err), err ? err->text : NULL);
        served_end(&c->served);
        return;
    }
    const struct relay_options options = {
        .half_closed_limit = half_closed_limit, .done = relay_done, .ud = c};
    c->relay = relay_new(channel_accept(rq), target, &options);
}

static void request_cancelled(struct channel_request *rq, void *ud)
{
    struct stream_channel *c = ud;
    served_end(&c->served);
}

void serve_stream(struct loop *loop, struct channel_request *rq, struct list *list)
{
    struct stream_channel *c = new0(struct stream_channel);
    c->loop = loop;
    c->rq = rq;
    c->served.free = stream_channel_free;
    channel_goal_of(channel_request_info(rq), &c->served.goal);
    list_append(list, &c->served.link);
    channel_request_on_cancel(rq, request_cancelled, c);

    const struct dial_options options = {.done = target_dialled, .ud = c};
    const struct channel_goal *goal = &c->served.goal;
    c->dial = goal->kind == CHANNEL_UNIX ? dial_unix(loop, goal->unix_path, &options)
                                         : dial_tcp(loop, goal->host, goal->port, &options);
}

void served_end(struct served *s)
{
    list_remove(&s->link);
    s->free(s);
}
