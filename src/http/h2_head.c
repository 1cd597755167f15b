/*
 * A head is kept as one text, "name\0value\0name\0value\0", pseudo-header fields by their names
 * with the colon: one allocation that grows to its ceiling and no further, whatever the peer sends.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/span.h"
#include "http/h2_internal.h"

const char *h2_head_get(const struct h2_head *head, const char *name)
{
    for (size_t i = 0; i < head->n_fields; i++)
        if (str_eq(head->fields[i].name, name))
            return head->fields[i].value;
    return NULL;
}

int h2_head_add(struct h2_channel *ch, const void *name, size_t name_len, const void *value,
                size_t value_len, const struct h2_limits *limits)
{
    struct buf *b = &ch->head_text;
    if (b->max == 0)
        buf_init(b, limits->max_head_len);
    if (ch->n_fields >= limits->max_fields || name_len + value_len + 2 > buf_room(b))
        return -E2BIG;
    if (memchr(name, '\0', name_len) || memchr(value, '\0', value_len))
        return -EPROTO;
    if (buf_append(b, name, name_len) < 0 || buf_append_byte(b, '\0') < 0 ||
        buf_append(b, value, value_len) < 0 || buf_append_byte(b, '\0') < 0)
        return -ENOBUFS;
    ch->n_fields++;
    return 0;
}

/* Takes the next text from the front of what is left. */
static const char *next_text(const char **p)
{
    const char *text = *p;
    *p += strlen(text) + 1;
    return text;
}

static int set_pseudo(struct h2_head *head, const char *name, const char *value)
{
    uint64_t status;
    if (str_eq(name, ":status")) {
        if (num_parse(span_of(value), 100, 599, &status) < 0)
            return -EPROTO;
        head->status = (unsigned)status;
    } else if (str_eq(name, ":method")) {
        head->method = value;
    } else if (str_eq(name, ":scheme")) {
        head->scheme = value;
    } else if (str_eq(name, ":authority")) {
        head->authority = value;
    } else if (str_eq(name, ":path")) {
        head->path = value;
    } else if (str_eq(name, ":protocol")) {
        head->protocol = value;
    }
    return 0;
}

int h2_head_read(const struct h2_channel *ch, struct h2_head *ret_head, struct h2_field *ret_fields,
                 size_t size)
{
    struct h2_head head = {.fields = ret_fields};
    const char *p = (const char *)buf_data(&ch->head_text);
    for (unsigned i = 0; i < ch->n_fields; i++) {
        const char *name = next_text(&p);
        const char *value = next_text(&p);
        if (name[0] == ':') {
            if (set_pseudo(&head, name, value) < 0)
                return -EPROTO;
        } else if (head.n_fields < size) {
            ret_fields[head.n_fields++] = (struct h2_field){name, value};
        }
    }
    *ret_head = head;
    return 0;
}

int h2_head_copy(struct h2_channel *ch, const struct h2_head *head, const struct h2_limits *limits)
{
    const struct h2_field pseudo[] = {
        {":method", head->method},       {":protocol", head->protocol}, {":scheme", head->scheme},
        {":authority", head->authority}, {":path", head->path},
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < ARRAY_LEN(pseudo); i++)
        if (pseudo[i].value)
            result = h2_head_add(ch, pseudo[i].name, strlen(pseudo[i].name), pseudo[i].value,
                                 strlen(pseudo[i].value), limits);
    for (size_t i = 0; result == 0 && i < head->n_fields; i++)
        result = h2_head_add(ch, head->fields[i].name, strlen(head->fields[i].name),
                             head->fields[i].value, strlen(head->fields[i].value), limits);
    return result;
}

size_t h2_head_to_nv(const struct h2_channel *ch, nghttp2_nv **ret)
{
    nghttp2_nv *nv = xcalloc(ch->n_fields ? ch->n_fields : 1, sizeof(*nv));
    const char *p = (const char *)buf_data(&ch->head_text);
    for (unsigned i = 0; i < ch->n_fields; i++) {
        const char *name = next_text(&p);
        const char *value = next_text(&p);
        nv[i] = (nghttp2_nv){.name = (uint8_t *)name,
                             .namelen = strlen(name),
                             .value = (uint8_t *)value,
                             .valuelen = strlen(value)};
    }
    *ret = nv;
    return ch->n_fields;
}
