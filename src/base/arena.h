#pragma once
/*
 * Memory of one request: many small pieces that end together. Born with a ceiling; an allocation
 * beyond it returns NULL. Pieces are aligned for any type and never move. Each thread keeps a few
 * blocks of arenas that have ended for the next ones.
 */
#include <stddef.h>

#include "base/span.h"

struct arena {
    struct arena_block *blocks;
    size_t used; /* bytes handed out */
    size_t max;
};

void arena_init(struct arena *a, size_t max_len);
void arena_deinit(struct arena *a);

/* Frees what the calling thread keeps. */
void arena_thread_ends(void);

void *arena_alloc(struct arena *a, size_t size); /* zeroed */
char *arena_strdup(struct arena *a, const char *s);
char *arena_span_dup(struct arena *a, struct span s); /* NUL-terminated */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
