#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/json_text.h"
#include "api/type.h"
#include "base/num.h"
#include "base/text.h"
#include "model/text_list.h"

static int write_escaped(unsigned char c, struct buf *out)
{
    switch (c) {
    case '"':
        return buf_append_str(out, "\\\"");
    case '\\':
        return buf_append_str(out, "\\\\");
    case '\n':
        return buf_append_str(out, "\\n");
    default:
        return buf_appendf(out, "\\u%04x", c);
    }
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

int json_text_write(struct span text, struct buf *out)
{
    int r = buf_append_byte(out, '"');
    for (size_t i = 0; r == 0 && i < text.len;) {
        struct span rest = span_sub(text, i, text.len);
        unsigned char c = (unsigned char)rest.p[0];
        size_t n = 1;
        if (c >= 0x80) {
            n = utf8_char_len(rest);
            r = n ? buf_append(out, rest.p, n) : buf_append_str(out, "\\ufffd");
        } else if (is_plain(c)) {
            while (n < rest.len && is_plain((unsigned char)rest.p[n]))
                n++;
            r = buf_append(out, rest.p, n);
        } else {
            r = write_escaped(c, out);
        }
        i += n ? n : 1;
    }
    return r ? r : buf_append_byte(out, '"');
}

static bool all_plain(const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_plain(p[i]))
            return false;
    return true;
}

static bool all_zeros(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i])
            return false;
    return true;
}

/* Whether the member holds what an absent one reads as. */
static bool is_zero(const struct api_field *f, const char *msg)
{
    const char *src = msg + f->offset;
    switch (f->kind) {
    case API_LIST:
        return *(const size_t *)(msg + f->count_offset) == 0;
    case API_STRINGS:
        return ((const struct text_list *)src)->len == 0;
    case API_TEXT:
        return f->codec->is_text ? src[0] == '\0' : all_zeros(src, f->size);
    case API_STRING:
        return *(const char *const *)src == NULL;
    default:
        return all_zeros(src, f->size);
    }
}

static long long load_number(const struct api_field *f, const void *src)
{
    bool is_signed = f->flags & API_SIGNED;
    switch (f->size) {
    case 1:
        return is_signed ? *(const int8_t *)src : *(const uint8_t *)src;
    case 2:
        return is_signed ? *(const int16_t *)src : *(const uint16_t *)src;
    case 4:
        return is_signed ? (long long)*(const int32_t *)src : (long long)*(const uint32_t *)src;
    default:
        return *(const int64_t *)src;
    }
}

/* Writes anew what stands in `out` from `start` on: a quote, and a text that needs escapes. */
static int write_escaped_text(struct buf *out, size_t start)
{
    struct buf text = BUF_INIT(API_JSON_MAX_LEN);
    int r = buf_append(&text, buf_data(out) + start + 1, out->len - start - 1);
    out->len = start;
    if (r == 0)
        r = json_text_write(span_from(buf_data(&text), text.len), out);
    buf_wipe(&text);
    return r;
}

/* Nearly every text is plain, and is written to its place at once. */
static int write_text(const struct api_field *f, const void *src, struct buf *out)
{
    size_t start = out->len;
    int r = buf_append_byte(out, '"');
    if (r == 0)
        r = f->codec->write(f, src, out);
    if (r < 0)
        return r;
    if (!all_plain(buf_data(out) + start + 1, out->len - start - 1))
        return write_escaped_text(out, start);
    return buf_append_byte(out, '"');
}

static int write_number(const struct api_field *f, const void *src, struct buf *out)
{
    long long n = load_number(f, src);
    char room[NUM_TEXT_SIZE];
    struct span digits = num_format(n < 0 ? -(uint64_t)n : (uint64_t)n, room);
    int r = n < 0 ? buf_append_byte(out, '-') : 0;
    return r ? r : buf_append(out, digits.p, digits.len);
}

static int write_list(const struct api_field *f, const char *msg, struct buf *out)
{
    const char *items = *(const char *const *)(msg + f->offset);
    size_t n = *(const size_t *)(msg + f->count_offset);
    int r = buf_append_byte(out, '[');
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (i)
            r = buf_append_byte(out, ',');
        if (r == 0)
            r = api_write(f->type, items + i * f->type->size, out);
    }
    return r ? r : buf_append_byte(out, ']');
}

static int write_strings(const struct text_list *list, struct buf *out)
{
    int r = buf_append_byte(out, '[');
    for (size_t i = 0; r == 0 && i < list->len; i++) {
        if (i)
            r = buf_append_byte(out, ',');
        if (r == 0)
            r = json_text_write(span_of(list->items[i]), out);
    }
    return r ? r : buf_append_byte(out, ']');
}

static int write_value(const struct api_field *f, const char *msg, struct buf *out)
{
    const void *src = msg + f->offset;
    if ((f->flags & API_NULLABLE) && is_zero(f, msg))
        return buf_append_str(out, "null");
    switch (f->kind) {
    case API_TEXT:
        return write_text(f, src, out);
    case API_STRING: {
        const char *text = *(const char *const *)src;
        return json_text_write(span_of(text ? text : ""), out);
    }
    case API_BOOL:
        return buf_append_str(out, *(const bool *)src ? "true" : "false");
    case API_NUMBER:
        return write_number(f, src, out);
    case API_OBJECT:
        return api_write(f->type, src, out);
    case API_LIST:
        return write_list(f, msg, out);
    case API_STRINGS:
        return write_strings(src, out);
    }
    return -EINVAL;
}

static bool is_left_out(const struct api_field *f, const char *msg)
{
    if (f->has_offset)
        return !*(const bool *)(msg + f->has_offset);
    return (f->flags & API_OMIT) && is_zero(f, msg);
}

/* ,"name": */
static int write_name(const char *name, bool first, struct buf *out)
{
    size_t len = strlen(name);
    char *p = buf_reserve(out, len + 4);
    if (!p)
        return -ENOBUFS;
    if (!first)
        *p++ = ',';
    *p++ = '"';
    memcpy(p, name, len);
    memcpy(p + len, "\":", 2);
    buf_commit(out, len + (first ? 3 : 4));
    return 0;
}

int api_write(const struct api_type *type, const void *msg, struct buf *out)
{
    bool first = true;
    int r = buf_append_byte(out, '{');
    for (size_t i = 0; r == 0 && i < type->n_fields; i++) {
        const struct api_field *f = &type->fields[i];
        if (is_left_out(f, msg))
            continue;
        r = write_name(f->name, first, out);
        if (r == 0)
            r = write_value(f, msg, out);
        first = false;
    }
    return r ? r : buf_append_byte(out, '}');
}

static void release_members(const struct api_type *type, char *msg)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        const struct api_field *f = &type->fields[i];
        char *at = msg + f->offset;
        if (f->kind == API_STRING) {
            if (*(char **)at)
                explicit_bzero(*(char **)at, strlen(*(char **)at));
            free(*(char **)at);
        } else if (f->kind == API_STRINGS) {
            text_list_deinit((struct text_list *)at);
        } else if (f->kind == API_OBJECT) {
            release_members(f->type, at);
        } else if (f->kind == API_LIST) {
            char *items = *(char **)at;
            size_t n = items ? *(size_t *)(msg + f->count_offset) : 0;
            for (size_t k = 0; k < n; k++)
                api_release(f->type, items + k * f->type->size);
            free(items);
        }
    }
}

void api_release(const struct api_type *type, void *msg)
{
    release_members(type, msg);
    explicit_bzero(msg, type->size);
}
