#include "base/rand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_bytes(void *dst, size_t len)
{
    unsigned char *p = dst;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            fputs("adit: the kernel gives no randomness\n", stderr);
            abort();
        }
        p += n;
        len -= (size_t)n;
    }
}

uint64_t rand_u64(void)
{
    uint64_t v;
    rand_bytes(&v, sizeof(v));
    return v;
}

uint64_t rand_below(uint64_t below)
{
    /* Values past the last whole multiple of `below` would favour small results. */
    uint64_t limit = UINT64_MAX - UINT64_MAX % below;
    uint64_t v;
    do
        v = rand_u64();
    while (v >= limit);
    return v % below;
}
