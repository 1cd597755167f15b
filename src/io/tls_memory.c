/*
 * OpenSSL takes a buffer of some 16 KiB for what it reads and writes, and gives it back when it is
 * empty (SSL_MODE_RELEASE_BUFFERS), so that a connection that waits is small. malloc() is slow for
 * that size; a thread needs one or two at a time, and keeps a few.
 */
#include <malloc.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "io/tls.h"

enum { BUFFER_LEAST = 16 * 1024, BUFFER_MOST = 18 * 1024, KEPT_MOST = 8 };

/* Of BUFFER_MOST bytes each, so that any of them serves. */
static _Thread_local void *kept[KEPT_MOST];
static _Thread_local unsigned n_kept;

static void *take(size_t size, const char *file, int line)
{
    if (size < BUFFER_LEAST || size > BUFFER_MOST)
        return size > 0 ? malloc(size) : NULL;
    return n_kept > 0 ? kept[--n_kept] : malloc(BUFFER_MOST);
}

static void give_back(void *p, const char *file, int line)
{
    size_t size = p && n_kept < KEPT_MOST ? malloc_usable_size(p) : 0;
    /* What malloc() rounds up to is a few bytes more. */
    if (size >= BUFFER_MOST && size < BUFFER_MOST + 64)
        kept[n_kept++] = p;
    else
        free(p);
}

static void *resize(void *p, size_t size, const char *file, int line)
{
    if (size > 0)
        return realloc(p, size);
    give_back(p, file, line);
    return NULL;
}

void tls_keep_buffers(void)
{
    CRYPTO_set_mem_functions(take, resize, give_back);
}

void tls_thread_ends(void)
{
    while (n_kept > 0)
        free(kept[--n_kept]);
}
