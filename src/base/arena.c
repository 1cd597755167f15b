#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_LEN = 4096 };

struct arena_block {
    struct arena_block *next;
    size_t used, cap;
    alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *a, size_t max_len)
{
    *a = (struct arena){.max = max_len};
}

void arena_deinit(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        free(b);
    }
    arena_init(a, a->max);
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > a->max - a->used)
        return NULL;
    size_t need = (size + align - 1) & ~(align - 1);
    struct arena_block *b = a->blocks;
    if (!b || b->cap - b->used < need) {
        size_t cap = need > BLOCK_LEN ? need : BLOCK_LEN;
        b = calloc(1, sizeof(*b) + cap);
        if (!b)
            return NULL;
        b->cap = cap;
        b->next = a->blocks;
        a->blocks = b;
    }
    void *p = b->data + b->used;
    b->used += need;
    a->used += size;
    return p;
}

char *arena_span_dup(struct arena *a, struct span s)
{
    char *copy = arena_alloc(a, s.len + 1);
    if (copy && s.len)
        memcpy(copy, s.p, s.len);
    return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_span_dup(a, span_of(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *text = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (text)
        vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return text;
}
