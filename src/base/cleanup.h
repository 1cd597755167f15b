#pragma once
/*
 * Scope-bound clean-up (GCC and Clang `cleanup` attribute).
 *
 *     _cleanup_(buf_deinit) struct buf b = BUF_INIT(4096);
 *     _cleanup_free_ char *text = xstrdup("...");
 *     return steal(&text);
 *
 * A variable with a clean-up is declared and initialised in one line. A function uses either
 * clean-up locals or one label `out:`, never both.
 */
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void cleanup_freep(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define _cleanup_free_  _cleanup_(cleanup_freep)
#define _cleanup_close_ _cleanup_(cleanup_closep)

/* Defines `void NAMEp(type **p)` that calls `name(*p)`, for use with _cleanup_. */
#define DEFINE_CLEANUP(type, name)                                                                 \
    static inline void name##p(type *p)                                                            \
    {                                                                                              \
        if (*p)                                                                                    \
            name(*p);                                                                              \
    }                                                                                              \
    struct cleanup_semicolon_##name

/* Hands over what a clean-up local owns: returns the pointer and leaves NULL behind. */
#define steal(pp)                                                                                  \
    __extension__({                                                                                \
        __typeof__(*(pp)) steal_ = *(pp);                                                          \
        *(pp) = NULL;                                                                              \
        steal_;                                                                                    \
    })

static inline int steal_fd(int *fd)
{
    int v = *fd;
    *fd = -1;
    return v;
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
