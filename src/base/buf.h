#pragma once
/*
 * A byte queue with a ceiling: appended at the tail, consumed at the head. It is born with the
 * most it may ever hold, and an append beyond that fails with -ENOBUFS and changes nothing.
 */
#include <stdarg.h>
#include <stddef.h>

struct buf {
    unsigned char *data; /* storage; the content starts at data + off */
    size_t off;          /* bytes consumed at the head */
    size_t len;          /* bytes of content */
    size_t cap;          /* bytes allocated */
    size_t max;          /* most bytes of content, for ever */
};

#define BUF_INIT(max_len)                                                                          \
    {                                                                                              \
        .max = (max_len)                                                                           \
    }

void buf_init(struct buf *b, size_t max_len);
/* Frees the storage; the buffer is empty and usable with the same ceiling afterwards. */
void buf_deinit(struct buf *b);
/* As buf_deinit, and overwrites the storage first. For buffers that held secrets. */
void buf_wipe(struct buf *b);

/* 0, or -ENOBUFS when the ceiling (or memory) does not allow it. */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_append_str(struct buf *b, const char *s);
int buf_append_byte(struct buf *b, unsigned char c);
int buf_appendf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vappendf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/*
 * Room for at least `len` more bytes at the tail, or NULL when the ceiling does not allow it.
 * What was written there counts after buf_commit. Valid until the next call on the buffer.
 */
void *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);

/* Drops `len` (<= b->len) bytes at the head. Storage is given back when a large one runs empty. */
void buf_consume(struct buf *b, size_t len);
void buf_clear(struct buf *b);

/* The content. Never NULL; not NUL-terminated. Valid until the next call that changes it. */
const unsigned char *buf_data(const struct buf *b);
/* The content as a C string: a NUL is kept behind the content (not counted). NULL at no memory. */
const char *buf_cstr(struct buf *b);
/* Bytes that may still be appended. */
size_t buf_room(const struct buf *b);
