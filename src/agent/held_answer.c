#include "agent/held_answer.h"

#include <errno.h>

#include "io/stream.h"
#include "tunnel/channel.h"

static bool is_due(struct held_answer *a)
{
    if (a->unsent.len == 0 && a->fill)
        a->fill(&a->unsent, a->ud);
    return a->unsent.len > 0;
}

bool held_answer_flush(struct held_answer *a)
{
    while (is_due(a)) {
        ssize_t n = stream_send_bytes(a->body, buf_data(&a->unsent), a->unsent.len);
        if (n == -EAGAIN)
            break;
        if (n < 0) {
            a->gone(a->ud);
            return false;
        }
        buf_consume(&a->unsent, (size_t)n);
    }
    if (a->last && a->unsent.len == 0)
        stream_shutdown(a->body);
    stream_want(a->body, STREAM_READ | (a->unsent.len ? STREAM_WRITE : 0));
    return true;
}

static void ready(struct stream *s, unsigned events, void *ud)
{
    struct held_answer *a = ud;
    char ignored[256];
    if (events & STREAM_READ) {
        ssize_t n = stream_recv(s, ignored, sizeof(ignored));
        if (n == 0 || (n < 0 && n != -EAGAIN)) {
            a->gone(a->ud);
            return;
        }
    }
    held_answer_flush(a);
}

void held_answer_start(struct held_answer *a, struct channel_request *rq, const char *content_type,
                       size_t piece_max, held_answer_fill_fn *fill, held_answer_gone_fn *gone,
                       void *ud)
{
    *a = (struct held_answer){.body = channel_accept_body(rq, content_type),
                              .unsent = BUF_INIT(piece_max),
                              .fill = fill,
                              .gone = gone,
                              .ud = ud};
    stream_set_ready(a->body, ready, a);
    stream_want(a->body, STREAM_READ);
}

void held_answer_finish(struct held_answer *a)
{
    a->last = true;
    held_answer_flush(a);
}

void held_answer_end(struct held_answer *a)
{
    a->body = stream_free(a->body);
    buf_deinit(&a->unsent);
}
