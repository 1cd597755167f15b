#pragma once
/*
 * Borrowed text: a pointer and a length, not NUL-terminated. Whoever made the span says how long
 * it lives. Comparison is by bytes; the `i` forms fold ASCII case only.
 */
#include <stdbool.h>
#include <stddef.h>

struct span {
    const char *p;
    size_t len;
};

#define SPAN(literal)  ((struct span){(literal), sizeof(literal) - 1})
#define SPAN_NULL      ((struct span){NULL, 0})
#define SPAN_FMT       "%.*s"
#define SPAN_ARG(span) (int)(span).len, (span).p

struct span span_of(const char *s); /* s may be NULL: an empty span */
struct span span_from(const void *p, size_t len);

bool span_eq(struct span a, struct span b);
bool span_ieq(struct span a, struct span b);
bool span_is(struct span a, const char *s);
bool span_iis(struct span a, const char *s);
bool span_starts(struct span a, const char *prefix);
bool span_ends(struct span a, const char *suffix);
/* Index of the first/last c, or -1. */
ptrdiff_t span_find(struct span a, char c);
ptrdiff_t span_rfind(struct span a, char c);
ptrdiff_t span_find_str(struct span a, const char *needle);
/* The part from `from` up to `to` (not included); both are cut to the length. */
struct span span_sub(struct span a, size_t from, size_t to);
struct span span_trim(struct span a); /* without spaces and tabs at both ends */
/*
 * Takes the piece before the next `sep` from the front of *rest. False at the end. "a,,b" gives
 * "a", "", "b"; "" gives one empty piece. Start with *rest = the text.
 */
bool span_split(struct span *rest, char sep, struct span *ret_piece);

/* A NUL-terminated copy; the caller frees it. */
char *span_dup(struct span a);

/* Copies s into dst (size bytes, always terminated). False when it was cut. */
bool str_copy(char *dst, size_t size, const char *s);
bool str_copy_span(char *dst, size_t size, struct span s);
/* ASCII lower case, in place. */
void str_lower(char *s);
/* NULL-safe equality. */
bool str_eq(const char *a, const char *b);
