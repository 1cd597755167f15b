#pragma once
/* Identity of every stored thing: 128 random bits; as text 32 lower-case hexadecimal digits. */
#include <stdbool.h>

#include "base/span.h"

enum {
    ID_LEN = 16,
    ID_TEXT_SIZE = 2 * ID_LEN + 1, /* with the NUL */
};

/* All zeros is no id: the value of a field that names nothing. */
struct id {
    unsigned char bytes[ID_LEN];
};

/* A new one, from the kernel's randomness; never all zeros. */
struct id id_new(void);
bool id_equal(const struct id *a, const struct id *b);
bool id_is_zero(const struct id *id);

/* Returns `dst`. */
char *id_format(const struct id *id, char dst[static ID_TEXT_SIZE]);
/* Digits of either case. 0, or -EINVAL: not 32 hexadecimal digits, or all zeros. */
int id_parse(struct span text, struct id *ret);
