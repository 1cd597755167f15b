/* Percent-encoding and form queries: the part of url.h that works on any text. */
#include <errno.h>

#include "base/num.h"
#include "proto/url.h"

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int percent_encode(struct span text, struct buf *dst)
{
    for (size_t i = 0; i < text.len; i++) {
        int r = is_unreserved(text.p[i]) ? buf_append_byte(dst, (unsigned char)text.p[i])
                                         : buf_appendf(dst, "%%%02X", (unsigned char)text.p[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static ssize_t decode(struct span text, char *dst, size_t size, bool plus_is_space)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint64_t c = (unsigned char)text.p[i];
        if (c == '%') {
            struct span digits = span_sub(text, i + 1, i + 3);
            if (digits.len != 2 || num_parse_hex(digits, 0xff, &c) < 0)
                return -EINVAL;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == 0)
            return -EINVAL;
        if (n + 1 >= size)
            return -ENOBUFS;
        dst[n++] = (char)c;
    }
    if (n >= size)
        return -ENOBUFS;
    dst[n] = '\0';
    return (ssize_t)n;
}

ssize_t percent_decode(struct span text, char *dst, size_t size)
{
    return decode(text, dst, size, false);
}

bool query_next(struct span *rest, struct span *ret_key, struct span *ret_value)
{
    struct span piece;
    while (span_split(rest, '&', &piece)) {
        if (piece.len == 0)
            continue;
        ptrdiff_t eq = span_find(piece, '=');
        size_t key_len = eq < 0 ? piece.len : (size_t)eq;
        *ret_key = span_sub(piece, 0, key_len);
        *ret_value = span_sub(piece, key_len + 1, piece.len);
        return true;
    }
    return false;
}

ssize_t query_get(struct span query, const char *key, char *dst, size_t size)
{
    struct span rest = query, name, value;
    char decoded[128];
    while (query_next(&rest, &name, &value))
        if (decode(name, decoded, sizeof(decoded), true) >= 0 && str_eq(decoded, key))
            return decode(value, dst, size, true);
    return -ENOENT;
}

int form_append(struct buf *dst, const char *key, struct span value)
{
    size_t before = dst->len;
    int r = before ? buf_append_byte(dst, '&') : 0;
    if (r == 0)
        r = percent_encode(span_of(key), dst);
    if (r == 0)
        r = buf_append_byte(dst, '=');
    if (r == 0)
        r = percent_encode(value, dst);
    if (r < 0)
        dst->len = before;
    return r;
}
