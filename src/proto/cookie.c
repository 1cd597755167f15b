#include "proto/cookie.h"

#include <errno.h>
#include <inttypes.h>

#include "proto/header_rule.h"

bool cookie_next(struct span *rest, struct span *ret_name, struct span *ret_value)
{
    struct span piece;
    while (span_split(rest, ';', &piece)) {
        ptrdiff_t eq = span_find(piece, '=');
        if (eq < 0)
            continue;
        struct span name = span_trim(span_sub(piece, 0, (size_t)eq));
        if (name.len == 0)
            continue;
        *ret_name = name;
        *ret_value = span_trim(span_sub(piece, (size_t)eq + 1, piece.len));
        return true;
    }
    return false;
}

bool cookie_get(struct span header, const char *name, struct span *ret_value)
{
    struct span found, value;
    while (cookie_next(&header, &found, &value)) {
        if (span_is(found, name)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

bool cookie_name_is_one_of(struct span name, const char *const *names, size_t n_names)
{
    for (size_t i = 0; i < n_names; i++) {
        struct span one = span_of(names[i]);
        bool prefix = span_ends(one, "*");
        if (span_ieq(prefix ? span_sub(name, 0, one.len - 1) : name,
                     span_sub(one, 0, one.len - prefix)))
            return true;
    }
    return false;
}

static bool is_named(struct span piece, const char *const *names, size_t n_names)
{
    ptrdiff_t eq = span_find(piece, '=');
    struct span name = span_trim(eq < 0 ? piece : span_sub(piece, 0, (size_t)eq));
    return cookie_name_is_one_of(name, names, n_names);
}

int cookie_remove(struct span header, const char *const *names, size_t n_names, struct buf *dst)
{
    size_t before = dst->len;
    struct span piece;
    while (span_split(&header, ';', &piece)) {
        piece = span_trim(piece);
        if (piece.len == 0 || is_named(piece, names, n_names))
            continue;
        int r = dst->len > before ? buf_append_str(dst, "; ") : 0;
        if (r == 0)
            r = buf_append(dst, piece.p, piece.len);
        if (r < 0) {
            dst->len = before;
            return r;
        }
    }
    return 0;
}

/* RFC 6265 section 4.1.1, cookie-octet. */
static bool value_valid(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\')
            return false;
    }
    return true;
}

static bool path_valid(struct span text)
{
    return header_value_valid(text) && span_find(text, ';') < 0;
}

int set_cookie_format(const struct set_cookie *c, struct buf *dst)
{
    const char *path = c->path ? c->path : "/";
    if (!header_token_valid(span_of(c->name)) || !value_valid(span_of(c->value)) ||
        !path_valid(span_of(path)) || (c->domain && !path_valid(span_of(c->domain))))
        return -EINVAL;

    size_t before = dst->len;
    int r = buf_appendf(dst, "%s=%s; Path=%s", c->name, c->value, path);
    if (c->domain)
        r |= buf_appendf(dst, "; Domain=%s", c->domain);
    if (c->max_age_sec >= 0)
        r |= buf_appendf(dst, "; Max-Age=%" PRId64, c->max_age_sec);
    r |= buf_append_str(dst, "; HttpOnly");
    if (c->secure)
        r |= buf_append_str(dst, "; Secure");
    r |= buf_append_str(dst, "; SameSite=Lax");
    if (r != 0) {
        dst->len = before;
        return -ENOBUFS;
    }
    return 0;
}
