#pragma once
/*
 * An ordered list of HTTP fields (RFC 9110 section 5). Names compare without case and keep the
 * spelling they came with, so that a proxy passes them on as they were. Born with ceilings; the
 * memory is an arena's, and values that are replaced stay in it until the arena ends.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct arena;

struct header {
    struct span name;
    struct span value; /* without space at its ends */
};

struct headers {
    struct arena *arena;
    struct header *list; /* `len` fields, in order */
    size_t len;
    size_t cap;
    size_t bytes; /* names and values, with 4 for ": " and CRLF each */
    size_t max_bytes;
    size_t max_len;
};

/* The length of a body that is as long as it turns out. */
enum { BODY_UNKNOWN = -1 };

enum { HEADERS_MAX_BYTES = 32768, HEADERS_MAX_LEN = 100 };

/* `arena` outlives the list. Ceilings of 0 mean the two defaults above. */
void headers_init(struct headers *h, struct arena *arena, size_t max_bytes, size_t max_len);

/*
 * Puts a field at the end; name and value are copied. 0; -EINVAL: not a valid name or value
 * (spaces around a value are cut off, anything that could end a line is refused); -ENOBUFS.
 */
int headers_add(struct headers *h, const char *name, const char *value);
int headers_add_span(struct headers *h, struct span name, struct span value);
/* As headers_add; -ENOBUFS also for a value of more than 1023 bytes. */
int headers_addf(struct headers *h, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* As headers_add_span without copying: name and value must live as long as the arena. */
int headers_add_borrowed(struct headers *h, struct span name, struct span value);
/* Replaces all fields of that name by one, at the place of the first. Errors as headers_add. */
int headers_set(struct headers *h, const char *name, const char *value);
int headers_set_span(struct headers *h, struct span name, struct span value);
/* How many were removed. */
size_t headers_remove(struct headers *h, const char *name);
/* Removes those for which `drop` says true; how many. */
typedef bool header_drop_fn(const struct header *field, void *ud);
size_t headers_remove_if(struct headers *h, header_drop_fn *drop, void *ud);
/* Adds all fields of `from`. 0 or -ENOBUFS (then some were added). */
int headers_add_all(struct headers *h, const struct headers *from);

/* Spans returned below live as long as the field is in the list. */

bool headers_has(const struct headers *h, const char *name);
size_t headers_count(const struct headers *h, const char *name);
/* The value of the first field of that name; SPAN_NULL (p is NULL) when there is none. */
struct span headers_get(const struct headers *h, const char *name);
/*
 * Visits the fields of one name: `size_t at = 0; while (headers_next(h, "Cookie", &at, &v)) ...`
 */
bool headers_next(const struct headers *h, const char *name, size_t *at, struct span *ret_value);
/*
 * Whether a comma-separated list field has the token (case ignored, RFC 9110 section 5.6.1), in
 * any of its lines: headers_has_token(h, "Connection", "close").
 */
bool headers_has_token(const struct headers *h, const char *name, const char *token);
