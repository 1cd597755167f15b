#include "base/span.h"

#include "base/mem.h"

static unsigned char folded(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : (unsigned char)c;
}

bool span_same_folded(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (a[i] != b[i] && folded(a[i]) != folded(b[i]))
            return false;
    return true;
}

bool span_starts(struct span a, const char *prefix)
{
    size_t n = strlen(prefix);
    return n == 0 || (a.len >= n && memcmp(a.p, prefix, n) == 0);
}

bool span_ends(struct span a, const char *suffix)
{
    size_t n = strlen(suffix);
    return n == 0 || (a.len >= n && memcmp(a.p + a.len - n, suffix, n) == 0);
}

ptrdiff_t span_rfind(struct span a, char c)
{
    const char *hit = a.len ? memrchr(a.p, c, a.len) : NULL;
    return hit ? hit - a.p : -1;
}

ptrdiff_t span_find_str(struct span a, const char *needle)
{
    const char *hit = a.len ? memmem(a.p, a.len, needle, strlen(needle)) : NULL;
    return hit ? hit - a.p : -1;
}

struct span span_sub(struct span a, size_t from, size_t to)
{
    if (to > a.len)
        to = a.len;
    if (from > to)
        from = to;
    return (struct span){a.p ? a.p + from : a.p, to - from};
}

struct span span_trim(struct span a)
{
    while (a.len && (a.p[0] == ' ' || a.p[0] == '\t'))
        a = span_sub(a, 1, a.len);
    while (a.len && (a.p[a.len - 1] == ' ' || a.p[a.len - 1] == '\t'))
        a.len--;
    return a;
}

bool span_split(struct span *rest, char sep, struct span *ret_piece)
{
    if (!rest->p)
        return false;
    ptrdiff_t at = span_find(*rest, sep);
    if (at < 0) {
        *ret_piece = *rest;
        *rest = SPAN_NULL;
    } else {
        *ret_piece = span_sub(*rest, 0, (size_t)at);
        *rest = span_sub(*rest, (size_t)at + 1, rest->len);
    }
    return true;
}

char *span_dup(struct span a)
{
    char *copy = xmalloc(a.len + 1);
    if (a.len)
        memcpy(copy, a.p, a.len);
    copy[a.len] = '\0';
    return copy;
}

bool str_copy(char *dst, size_t size, const char *s)
{
    return str_copy_span(dst, size, span_of(s));
}

bool str_copy_span(char *dst, size_t size, struct span s)
{
    if (size == 0)
        return false;
    size_t n = s.len < size ? s.len : size - 1;
    if (n)
        memcpy(dst, s.p, n);
    dst[n] = '\0';
    return n == s.len;
}

void str_lower(char *s)
{
    for (; *s; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
}

bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}
