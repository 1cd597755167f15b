#include "base/secret.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct secret *secret_new(const void *data, size_t len)
{
    struct secret *s = xmalloc(sizeof(*s) + len + 1);
    s->len = len;
    if (len)
        memcpy(s->text, data, len);
    s->text[len] = '\0';
    return s;
}

struct secret *secret_free(struct secret *s)
{
    if (s) {
        explicit_bzero(s->text, s->len);
        free(s);
    }
    return NULL;
}

bool secret_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
    if (a_len != b_len)
        return false;
    const unsigned char *x = a, *y = b;
    /* Volatile, so that no compiler finds out early. */
    volatile uint64_t diff = 0;
    size_t i = 0;
    for (uint64_t v, w; a_len - i >= sizeof(v); i += sizeof(v)) {
        memcpy(&v, x + i, sizeof(v));
        memcpy(&w, y + i, sizeof(w));
        diff |= v ^ w;
    }
    for (; i < a_len; i++)
        diff |= x[i] ^ y[i];
    return diff == 0;
}
