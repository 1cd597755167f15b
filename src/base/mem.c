#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_FREE = 4 << 20, MAP_FROM = 1 << 20 };

/* Blocks up to this are kept by the thread: for malloc(), not for calloc() before glibc 2.41. */
enum { CACHED_MOST = 1032 };

void mem_keep_buffers(void)
{
    mallopt(M_TRIM_THRESHOLD, KEEP_FREE);
    mallopt(M_MMAP_THRESHOLD, MAP_FROM);
}

static void *check(void *p)
{
    if (!p) {
        fputs("adit: out of memory\n", stderr);
        abort();
    }
    return p;
}

/* Compilers make calloc() of a malloc() that they see together with a memset(). */
__attribute__((noinline)) void *xmalloc(size_t size)
{
    return check(malloc(size ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
    if (n > 0 && size > 0 && size <= CACHED_MOST / n)
        return memset(xmalloc(n * size), 0, n * size);
    return check(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
    return check(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
    return check(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
    return check(strndup(s, n));
}

char *xasprintf(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return check(n < 0 ? NULL : text);
}

void *xmemdup(const void *p, size_t n)
{
    void *copy = xmalloc(n);
    if (n)
        memcpy(copy, p, n);
    return copy;
}
