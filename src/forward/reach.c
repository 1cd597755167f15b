#include "forward/reach.h"

#include "base/err.h"
#include "forward/internal.h"
#include "io/dial.h"
#include "tunnel/dial_answer.h"

static void on_opened(struct stream *channel, enum dial_result result, const char *reason, void *ud)
{
    struct reach *r = ud;
    r->open = NULL;
    r->options.done(channel, result, reason ? reason : "", r->options.ud);
}

static void on_refused(struct stream *channel, enum dial_result result, const char *reason,
                       void *ud)
{
    struct reach *r = ud;
    if (r->options.refused)
        r->options.refused(channel, result, reason ? reason : "", r->options.ud);
}

static void on_dialled(enum dial_outcome outcome, struct stream *s, const struct err *err, void *ud)
{
    struct reach *r = ud;
    r->dial = NULL;
    r->options.done(s, dial_answer(outcome, err), err ? err->text : "", r->options.ud);
}

void reach_start(struct reach *r, struct forwarder *f, const struct channel_target *target,
                 const struct reach_options *options)
{
    *r = (struct reach){.forwarder = f, .options = *options};
    if (options->here) {
        struct dial_options dial = {.done = on_dialled, .ud = r};
        r->dial = target->kind == CHANNEL_UNIX
                      ? dial_unix(f->loop, target->path, &dial)
                      : dial_tcp(f->loop, target->host, target->port, &dial);
        return;
    }
    const struct forward_channels *channels = &f->options.channels;
    struct channel_open_options open = {
        .early = options->early, .opened = on_opened, .refused = on_refused, .ud = r};
    r->open = channels->open(target, &open, channels->ud);
}

void reach_cancel(struct reach *r)
{
    r->dial = dial_cancel(r->dial);
    if (r->open)
        r->forwarder->options.channels.cancel(r->open, r->forwarder->options.channels.ud);
    r->open = NULL;
}
