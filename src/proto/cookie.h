#pragma once
/* Cookies (RFC 6265): reading Cookie fields, building Set-Cookie fields. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * Takes the next pair of a Cookie field's value from the front of *rest. False at the end. Pieces
 * without '=' or with an empty name are skipped; quotes around a value stay.
 */
bool cookie_next(struct span *rest, struct span *ret_name, struct span *ret_value);
/* The first cookie of that name. Names are compared by bytes. */
bool cookie_get(struct span header, const char *name, struct span *ret_value);

/* Whether `name` is one of `names`, case ignored. Of `names` one that ends in `*` is a prefix. */
bool cookie_name_is_one_of(struct span name, const char *const *names, size_t n_names);
/*
 * Appends the field's value without the named cookies (cookie_name_is_one_of); the others stay byte
 * for byte. Nothing is appended when none is left. 0 or -ENOBUFS.
 */
int cookie_remove(struct span header, const char *const *names, size_t n_names, struct buf *dst);

/* Always HttpOnly and SameSite=Lax. */
struct set_cookie {
    const char *name;
    const char *value;   /* "" with max_age_sec 0 deletes it */
    const char *path;    /* NULL: "/" */
    const char *domain;  /* NULL: this host only */
    int64_t max_age_sec; /* < 0: until the browser closes */
    bool secure;
};

/* Appends the value of a Set-Cookie field. 0; -EINVAL: a character is not allowed; -ENOBUFS. */
int set_cookie_format(const struct set_cookie *cookie, struct buf *dst);
