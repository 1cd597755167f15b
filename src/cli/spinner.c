#include "cli/spinner.h"

static void draw(struct timer *t, void *ud)
{
    static const char *const frames[] = {"|", "/", "-", "\\"};
    struct spinner *s = ud;
    fprintf(s->out->err, "\r%s %s", frames[s->turn++ % 4], s->text);
    fflush(s->out->err);
    s->shown = true;
    timer_start(t, 100 * USEC_PER_MSEC);
}

void spinner_start(struct spinner *s, struct loop *loop, struct output *out, const char *text)
{
    *s = (struct spinner){.out = out, .text = text};
    timer_init(&s->timer, loop, draw, s);
    if (out->err_tty)
        timer_start(&s->timer, 300 * USEC_PER_MSEC);
}

void spinner_stop(struct spinner *s)
{
    timer_cancel(&s->timer);
    if (s->shown)
        fprintf(s->out->err, "\r\033[K");
    s->shown = false;
}
