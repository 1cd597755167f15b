#pragma once
/*
 * What the tests of this folder share: the other end of a connection, driven by hand, and a
 * virtual turn of the loop. For test programs only.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/stream.h"
#include "io/test_main.h"

/* Enough turns for everything in memory to settle. */
static inline void settle(struct loop *loop)
{
    for (int i = 0; i < 30; i++)
        loop_turn(loop, false);
}

/* The far end of a stream pair, read and written by the test. */
struct far_end {
    struct loop *loop;
    struct stream *s;
    struct buf got;
    bool ended; /* recv gave 0 */
    int failure;
};

static inline void far_end_init(struct far_end *f, struct loop *loop, struct stream *s)
{
    *f = (struct far_end){.loop = loop, .s = s};
    buf_init(&f->got, 64 * 1024 * 1024);
}

static inline void far_end_deinit(struct far_end *f)
{
    f->s = stream_free(f->s);
    buf_deinit(&f->got);
}

/* Takes all that is there. */
static inline void far_read(struct far_end *f)
{
    char data[16384];
    while (!f->ended && !f->failure) {
        ssize_t n = stream_recv(f->s, data, sizeof(data));
        if (n == -EAGAIN)
            return;
        if (n == 0)
            f->ended = true;
        else if (n < 0)
            f->failure = (int)n;
        else
            assert_int_equal(buf_append(&f->got, data, (size_t)n), 0);
    }
}

/* Sends all of it, `piece` bytes at a time (0: at once), letting the loop turn between. */
static inline void far_send(struct far_end *f, const void *data, size_t len, size_t piece)
{
    const char *p = data;
    for (int stuck = 0; len > 0 && stuck < 1000;) {
        ssize_t n = stream_send_bytes(f->s, p, piece && piece < len ? piece : len);
        if (n == -EPIPE)
            return;
        if (n > 0) {
            p += n;
            len -= (size_t)n;
            stuck = 0;
        } else {
            stuck++;
        }
        if (piece || n < 0) {
            loop_turn(f->loop, false);
            loop_turn(f->loop, false);
            far_read(f);
        }
    }
}

static inline void far_say(struct far_end *f, const char *text, size_t piece)
{
    far_send(f, text, strlen(text), piece);
}

/* Reads until nothing more comes; the text so far. */
static inline const char *far_hear(struct far_end *f)
{
    for (int i = 0; i < 5; i++) {
        settle(f->loop);
        far_read(f);
    }
    return buf_cstr(&f->got);
}

static inline void far_forget(struct far_end *f)
{
    buf_clear(&f->got);
}

/* Removes lines that start with `name:` so that texts can be compared. */
static inline char *without_field(const char *text, const char *name)
{
    char *copy = xstrdup(text), *at = copy;
    size_t len = strlen(name);
    while ((at = strstr(at, name))) {
        char *end = strstr(at, "\r\n");
        if (at[len] != ':' || !end || (at != copy && at[-1] != '\n')) {
            at += len;
            continue;
        }
        memmove(at, end + 2, strlen(end + 2) + 1);
    }
    return copy;
}
