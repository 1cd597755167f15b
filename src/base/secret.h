#pragma once
/*
 * Passwords, tokens and keys: their own type, so that they are not printed or compared by
 * accident. Wiped when freed.
 */
#include <stdbool.h>
#include <stddef.h>

struct secret {
    size_t len;
    char text[]; /* NUL-terminated; may hold any bytes */
};

struct secret *secret_new(const void *data, size_t len);
/* Wipes and frees. Returns NULL; accepts NULL. */
struct secret *secret_free(struct secret *s);
/* Equality in time that depends on the lengths only. */
bool secret_equal(const void *a, size_t a_len, const void *b, size_t b_len);
