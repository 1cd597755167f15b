#pragma once
/*
 * Borrowed text: a pointer and a length, not NUL-terminated. Whoever made the span says how long
 * it lives. Comparison is by bytes; the `i` forms fold ASCII case only. What is called for every
 * header field of every request is inline, so that a literal's length is known when it is compiled.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *p;
    size_t len;
};

#define SPAN(literal)  ((struct span){(literal), sizeof(literal) - 1})
#define SPAN_NULL      ((struct span){NULL, 0})
#define SPAN_FMT       "%.*s"
#define SPAN_ARG(span) (int)(span).len, (span).p

/* s may be NULL: an empty span */
static inline struct span span_of(const char *s)
{
    return (struct span){s ? s : "", s ? strlen(s) : 0};
}

static inline struct span span_from(const void *p, size_t len)
{
    return (struct span){p, len};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
    return span_eq(a, span_of(s));
}

/* Two texts of one length. */
bool span_same_folded(const char *a, const char *b, size_t len);

static inline bool span_ieq(struct span a, struct span b)
{
    return a.len == b.len && span_same_folded(a.p, b.p, a.len);
}

static inline bool span_iis(struct span a, const char *s)
{
    return span_ieq(a, span_of(s));
}

bool span_starts(struct span a, const char *prefix);
bool span_ends(struct span a, const char *suffix);
/* Index of the first/last c, or -1. */
static inline ptrdiff_t span_find(struct span a, char c)
{
    const char *hit = a.len ? (const char *)memchr(a.p, c, a.len) : NULL;
    return hit ? hit - a.p : -1;
}

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
