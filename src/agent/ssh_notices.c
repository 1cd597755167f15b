#include "agent/ssh_notices.h"

#include <stdlib.h>

#include "agent/held_answer.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "model/id.h"
#include "tunnel/channel.h"

struct reader {
    struct list link;
    struct ssh_notices *of;
    struct id peer;
    struct held_answer answer;
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
    held_answer_end(&r->answer);
    free(r->last);
    free(r);
}

static void reader_gone(void *ud)
{
    reader_free(ud);
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
    held_answer_start(&r->answer, rq, "text/plain", SSH_NOTICES_MAX_LEN, NULL, reader_gone, r);
    list_append(&n->readers, &r->link);
    n->n++;
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
    if (!r || r->answer.last || (r->last && str_eq(r->last, text)) ||
        buf_room(&r->answer.unsent) < len + 1)
        return;
    free(r->last);
    r->last = xstrdup(text);
    append_line(&r->answer.unsent, text);
    held_answer_flush(&r->answer);
}

void ssh_notices_end(struct ssh_notices *n, const struct id *peer)
{
    struct reader *r = find(n, peer);
    if (r && !r->answer.last)
        held_answer_finish(&r->answer);
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
