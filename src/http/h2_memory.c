/*
 * nghttp2 gives every session a buffer of 16 KiB for the frames that it writes, of which our
 * sessions use the first few hundred bytes: payload does not pass through it (h2_output.c). From
 * malloc() it is made of memory that others have used, all of which then counts for a server with
 * ten thousand sessions. From pages of its own only those that are touched count.
 */
#include "http/h2_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGES_FROM = 16 * 1024 };

/* In front of every block; keeps the alignment of malloc(). */
struct block {
    _Alignas(max_align_t) size_t size; /* what was asked for */
    size_t mapped;                     /* length of the mapping; 0: from malloc() */
};

static void *take(size_t size, void *ud)
{
    struct block *b;
    size_t len = sizeof(*b) + size;
    if (len < size)
        return NULL;
    bool map = size >= PAGES_FROM;
    if (map) {
        b = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (b == MAP_FAILED)
            return NULL;
    } else if (!(b = malloc(len))) {
        return NULL;
    }
    b->size = size;
    b->mapped = map ? len : 0;
    return b + 1;
}

static void give_back(void *p, void *ud)
{
    struct block *b = p;
    if (!b)
        return;
    b--;
    if (b->mapped)
        munmap(b, b->mapped);
    else
        free(b);
}

static void *take_zeroed(size_t n, size_t size, void *ud)
{
    if (size > 0 && n > SIZE_MAX / size)
        return NULL;
    void *p = take(n * size, ud);
    if (p)
        memset(p, 0, n * size);
    return p;
}

static void *resize(void *p, size_t size, void *ud)
{
    if (!p)
        return take(size, ud);
    struct block *b = (struct block *)p - 1;
    void *other = take(size, ud);
    if (!other)
        return NULL;
    memcpy(other, p, b->size < size ? b->size : size);
    give_back(p, ud);
    return other;
}

nghttp2_mem *h2_memory(void)
{
    static nghttp2_mem mem = {
        .malloc = take, .free = give_back, .calloc = take_zeroed, .realloc = resize};
    return &mem;
}
