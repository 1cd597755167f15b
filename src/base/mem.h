#pragma once
/*
 * Small allocations of fixed size. They abort when memory is out: nothing sensible can be done
 * then. Anything whose size a peer influences uses a `struct buf` or an arena with a ceiling.
 */
#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), malloc, returns_nonnull));
void *xmemdup(const void *p, size_t n) __attribute__((malloc, returns_nonnull));

/*
 * For the start of a program: buffers of some hundred KiB, which come and go many times a second
 * while bytes flow, are then not given back to the kernel and faulted in again each time.
 */
void mem_keep_buffers(void);

/* A zeroed struct: `struct foo *f = new0(struct foo);` */
#define new0(type) ((type *)xcalloc(1, sizeof(type)))
