#include "agent/ssh_notices.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/stream.h"
#include "model/id.h"
#include "tunnel/channel.h"

struct reader {
    struct list link;
    struct ssh_notices *of;
    struct id peer;
    struct stream *body;
    struct buf unsent;
    char *last; /* the text that came last; NULL: none */
};

struct ssh_notices {
    struct list readers;
    size_t n;
};

static void reader_free(struct reader *r)
{
    list_remove(&r->link);
    r->of->n--;
    stream_free(r->body);
    buf_deinit(&r->unsent);
    free(r->last);
    free(r);
}

/* False when it has ended (and is gone). */
static bool flush(struct reader *r)
{
    while (r->unsent.len > 0) {
        ssize_t n = stream_send_bytes(r->body, buf_data(&r->unsent), r->unsent.len);
        if (n == -EAGAIN)
            break;
        if (n < 0) {
            reader_free(r);
            return false;
        }
        buf_consume(&r->unsent, (size_t)n);
    }
    stream_want(r->body, STREAM_READ | (r->unsent.len ? STREAM_WRITE : 0));
    return true;
}

static void reader_ready(struct stream *s, unsigned events, void *ud)
{
    struct reader *r = ud;
    char ignored[256];
    if (events & STREAM_READ) {
        /* It has nothing to say here: its end means that it has gone. */
        ssize_t n = stream_recv(s, ignored, sizeof(ignored));
        if (n == 0 || (n < 0 && n != -EAGAIN)) {
            reader_free(r);
            return;
        }
    }
    flush(r);
}

static struct reader *find(const struct ssh_notices *n, const struct id *peer)
{
    struct reader *r;
    list_for_each (r, &n->readers, link)
        if (id_equal(&r->peer, peer))
            return r;
    return NULL;
}

void ssh_notices_answer(struct ssh_notices *n, const struct id *peer, struct channel_request *rq)
{
    struct reader *before = find(n, peer);
    if (before)
        reader_free(before);
    if (n->n == SSH_NOTICE_READERS_MAX) {
        channel_answer(rq, 503, NULL);
        return;
    }
    struct reader *r = new0(struct reader);
    r->of = n;
    r->peer = *peer;
    buf_init(&r->unsent, SSH_NOTICES_MAX_LEN);
    r->body = channel_accept_body(rq, "text/plain");
    list_append(&n->readers, &r->link);
    n->n++;
    stream_set_ready(r->body, reader_ready, r);
    stream_want(r->body, STREAM_READ);
}

/* What a peer chose may be in it; a line is a line. */
static void append_line(struct buf *dst, const char *text)
{
    for (; *text; text++)
        buf_append_byte(dst,
                        (unsigned char)*text < ' ' || *text == 127 ? '?' : (unsigned char)*text);
    buf_append_byte(dst, '\n');
}

void ssh_notices_tell(struct ssh_notices *n, const struct id *peer, const char *text)
{
    struct reader *r = find(n, peer);
    size_t len = span_of(text).len;
    if (!r || (r->last && str_eq(r->last, text)) || buf_room(&r->unsent) < len + 1)
        return;
    free(r->last);
    r->last = xstrdup(text);
    append_line(&r->unsent, text);
    flush(r);
}

struct ssh_notices *ssh_notices_new(void)
{
    struct ssh_notices *n = new0(struct ssh_notices);
    list_init(&n->readers);
    return n;
}

struct ssh_notices *ssh_notices_free(struct ssh_notices *n)
{
    if (!n)
        return NULL;
    struct reader *r, *next;
    list_for_each_safe (r, next, &n->readers, link)
        reader_free(r);
    free(n);
    return NULL;
}
