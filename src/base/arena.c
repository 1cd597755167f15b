/*
 * Blocks of the usual size go back to a few that each thread keeps: every request takes one, and
 * malloc() is slow for their size. What is handed out is zeroed then, not when a block is made.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_LEN = 4096 };

/* Under ASan every block is malloc()'s, so that a use after the end is seen. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#endif
#if defined(WITH_ASAN) || defined(__SANITIZE_ADDRESS__)
enum { SPARE_MOST = 0 };
#else
enum { SPARE_MOST = 64 };
#endif

struct arena_block {
    struct arena_block *next;
    size_t used, cap;
    alignas(max_align_t) unsigned char data[];
};

static _Thread_local struct arena_block *spare;
static _Thread_local int n_spare;

void arena_thread_ends(void)
{
    while (spare) {
        struct arena_block *b = spare;
        spare = b->next;
        free(b);
    }
    n_spare = 0;
}

static struct arena_block *take_block(size_t cap)
{
    struct arena_block *b = cap == BLOCK_LEN ? spare : NULL;
    if (b) {
        spare = b->next;
        n_spare--;
    } else if (!(b = malloc(sizeof(*b) + cap))) {
        return NULL;
    }
    b->cap = cap;
    b->used = 0;
    return b;
}

static void give_block(struct arena_block *b)
{
    if (b->cap != BLOCK_LEN || n_spare >= SPARE_MOST) {
        free(b);
        return;
    }
    b->next = spare;
    spare = b;
    n_spare++;
}

void arena_init(struct arena *a, size_t max_len)
{
    *a = (struct arena){.max = max_len};
}

void arena_deinit(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        give_block(b);
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
        b = take_block(cap);
        if (!b)
            return NULL;
        b->next = a->blocks;
        a->blocks = b;
    }
    void *p = memset(b->data + b->used, 0, need);
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
