#include "http/headers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "proto/header_rule.h"

enum { FIRST_CAP = 8, FIELD_OVERHEAD = 4 /* ": " and CRLF */ };

void headers_init(struct headers *h, struct arena *arena, size_t max_bytes, size_t max_len)
{
    *h = (struct headers){
        .arena = arena,
        .max_bytes = max_bytes ? max_bytes : HEADERS_MAX_BYTES,
        .max_len = max_len ? max_len : HEADERS_MAX_LEN,
    };
}

static size_t cost(struct span name, struct span value)
{
    return name.len + value.len + FIELD_OVERHEAD;
}

static int reserve(struct headers *h)
{
    if (h->len < h->cap)
        return 0;
    size_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
    struct header *list = arena_alloc(h->arena, cap * sizeof(*list));
    if (!list)
        return -ENOBUFS;
    if (h->len)
        memcpy(list, h->list, h->len * sizeof(*list));
    h->list = list;
    h->cap = cap;
    return 0;
}

int headers_add_borrowed(struct headers *h, struct span name, struct span value)
{
    value = span_trim(value);
    if (!header_token_valid(name) || !header_value_valid(value))
        return -EINVAL;
    if (h->len >= h->max_len || cost(name, value) > h->max_bytes - h->bytes)
        return -ENOBUFS;
    int r = reserve(h);
    if (r < 0)
        return r;
    h->list[h->len++] = (struct header){name, value};
    h->bytes += cost(name, value);
    return 0;
}

int headers_add_span(struct headers *h, struct span name, struct span value)
{
    value = span_trim(value);
    if (h->len >= h->max_len || cost(name, value) > h->max_bytes - h->bytes)
        return -ENOBUFS;
    char *own_name = arena_span_dup(h->arena, name);
    char *own_value = arena_span_dup(h->arena, value);
    if (!own_name || !own_value)
        return -ENOBUFS;
    return headers_add_borrowed(h, span_from(own_name, name.len), span_from(own_value, value.len));
}

int headers_add(struct headers *h, const char *name, const char *value)
{
    return headers_add_span(h, span_of(name), span_of(value));
}

int headers_addf(struct headers *h, const char *name, const char *fmt, ...)
{
    char value[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(value))
        return -ENOBUFS;
    return headers_add(h, name, value);
}

static bool has_name(const struct header *field, void *ud)
{
    return span_iis(field->name, ud);
}

int headers_set_span(struct headers *h, struct span name, struct span value)
{
    size_t first = h->len;
    for (size_t i = h->len; i-- > 0;)
        if (span_ieq(h->list[i].name, name))
            first = i;
    int r = headers_add_span(h, name, value);
    if (r < 0 || first == h->len - 1)
        return r;

    struct header added = h->list[--h->len];
    size_t kept = first + 1;
    h->bytes -= cost(h->list[first].name, h->list[first].value);
    h->list[first] = added;
    for (size_t i = kept; i < h->len; i++) {
        if (span_ieq(h->list[i].name, name))
            h->bytes -= cost(h->list[i].name, h->list[i].value);
        else
            h->list[kept++] = h->list[i];
    }
    h->len = kept;
    return 0;
}

int headers_set(struct headers *h, const char *name, const char *value)
{
    return headers_set_span(h, span_of(name), span_of(value));
}

size_t headers_remove_if(struct headers *h, header_drop_fn *drop, void *ud)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->len; i++) {
        if (drop(&h->list[i], ud))
            h->bytes -= cost(h->list[i].name, h->list[i].value);
        else
            h->list[kept++] = h->list[i];
    }
    size_t removed = h->len - kept;
    h->len = kept;
    return removed;
}

size_t headers_remove(struct headers *h, const char *name)
{
    return headers_remove_if(h, has_name, (void *)name);
}

int headers_add_all(struct headers *h, const struct headers *from)
{
    for (size_t i = 0; i < from->len; i++) {
        int r = headers_add_span(h, from->list[i].name, from->list[i].value);
        if (r < 0)
            return r;
    }
    return 0;
}

bool headers_next(const struct headers *h, const char *name, size_t *at, struct span *ret_value)
{
    struct span wanted = span_of(name);
    while (*at < h->len) {
        const struct header *field = &h->list[(*at)++];
        if (span_ieq(field->name, wanted)) {
            *ret_value = field->value;
            return true;
        }
    }
    return false;
}

struct span headers_get(const struct headers *h, const char *name)
{
    struct span value = SPAN_NULL;
    size_t at = 0;
    if (headers_next(h, name, &at, &value) && !value.p)
        value.p = "";
    return value;
}

bool headers_has(const struct headers *h, const char *name)
{
    return headers_get(h, name).p != NULL;
}

size_t headers_count(const struct headers *h, const char *name)
{
    struct span value;
    size_t n = 0, at = 0;
    while (headers_next(h, name, &at, &value))
        n++;
    return n;
}

bool headers_has_token(const struct headers *h, const char *name, const char *token)
{
    struct span value;
    size_t at = 0;
    while (headers_next(h, name, &at, &value))
        if (header_list_has(value, token))
            return true;
    return false;
}
