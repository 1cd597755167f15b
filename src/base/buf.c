/*
 * The content is data[off, off + len). Storage doubles until the ceiling; the head is moved to
 * the front only when the tail has no room, so that a queue costs amortised O(1) a byte. One byte
 * more than asked for is always allocated, for the NUL of buf_cstr().
 */
#include "base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CAP = 64,
    KEEP_CAP = 4096, /* an empty buffer keeps at most this much storage */
};

void buf_init(struct buf *b, size_t max_len)
{
    *b = (struct buf)BUF_INIT(max_len);
}

void buf_deinit(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void buf_wipe(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->cap);
    buf_deinit(b);
}

static void move_to_front(struct buf *b)
{
    if (b->data && b->off && b->len)
        memmove(b->data, b->data + b->off, b->len);
    b->off = 0;
}

void *buf_reserve(struct buf *b, size_t len)
{
    if (len > b->max - b->len)
        return NULL;
    size_t need = b->len + len + 1;
    if (b->data && b->off + need <= b->cap)
        return b->data + b->off + b->len;

    move_to_front(b);
    if (!b->data || need > b->cap) {
        size_t cap = b->cap ? b->cap : FIRST_CAP;
        while (cap < need)
            cap = cap > SIZE_MAX / 2 ? need : cap * 2;
        unsigned char *data = realloc(b->data, cap);
        if (!data)
            return NULL;
        b->data = data;
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_commit(struct buf *b, size_t len)
{
    b->len += len;
}

int buf_append(struct buf *b, const void *data, size_t len)
{
    void *room = buf_reserve(b, len);
    if (!room)
        return -ENOBUFS;
    if (len)
        memcpy(room, data, len);
    buf_commit(b, len);
    return 0;
}

int buf_append_str(struct buf *b, const char *s)
{
    return buf_append(b, s, strlen(s));
}

int buf_append_byte(struct buf *b, unsigned char c)
{
    return buf_append(b, &c, 1);
}

/* Into the room at hand; formatted again only where that was too small. */
int buf_vappendf(struct buf *b, const char *fmt, va_list ap)
{
    char none[1];
    char *room = b->data ? (char *)b->data + b->off + b->len : none;
    size_t size = b->data ? b->cap - b->off - b->len : sizeof(none);
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(room, size, fmt, again);
    va_end(again);
    if (n < 0)
        return -EINVAL;
    if ((size_t)n >= size || (size_t)n > buf_room(b)) {
        if (size > 0)
            room[0] = '\0'; /* what buf_cstr() gave goes on to end here */
        if (!(room = buf_reserve(b, (size_t)n)))
            return -ENOBUFS;
        vsnprintf(room, (size_t)n + 1, fmt, ap);
    }
    buf_commit(b, (size_t)n);
    return 0;
}

int buf_appendf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = buf_vappendf(b, fmt, ap);
    va_end(ap);
    return r;
}

void buf_consume(struct buf *b, size_t len)
{
    b->off += len;
    b->len -= len;
    if (b->len > 0)
        return;
    b->off = 0;
    if (b->cap > KEEP_CAP)
        buf_deinit(b);
}

void buf_clear(struct buf *b)
{
    buf_consume(b, b->len);
}

const unsigned char *buf_data(const struct buf *b)
{
    static const unsigned char nothing[1];
    return b->data ? b->data + b->off : nothing;
}

const char *buf_cstr(struct buf *b)
{
    char *tail = buf_reserve(b, 0);
    if (!tail)
        return NULL;
    *tail = '\0';
    return (const char *)b->data + b->off;
}

size_t buf_room(const struct buf *b)
{
    return b->max - b->len;
}
