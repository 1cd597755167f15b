#include "base/wire.h"

#include <string.h>

struct wire_reader wire_reader_of(const void *data, size_t len)
{
    return (struct wire_reader){.p = data, .left = len};
}

struct span wire_read_bytes(struct wire_reader *r, size_t len)
{
    if (r->failed || len > r->left) {
        r->failed = true;
        return SPAN_NULL;
    }
    struct span s = {(const char *)r->p, len};
    if (len == 0)
        return s;
    r->p += len;
    r->left -= len;
    return s;
}

static uint64_t read_uint(struct wire_reader *r, size_t bytes)
{
    struct span s = wire_read_bytes(r, bytes);
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++)
        v = v << 8 | (unsigned char)s.p[i];
    return v;
}

uint8_t wire_read_u8(struct wire_reader *r)
{
    return (uint8_t)read_uint(r, 1);
}

uint16_t wire_read_u16(struct wire_reader *r)
{
    return (uint16_t)read_uint(r, 2);
}

uint32_t wire_read_u32(struct wire_reader *r)
{
    return (uint32_t)read_uint(r, 4);
}

uint64_t wire_read_varint(struct wire_reader *r)
{
    if (r->failed || r->left == 0) {
        r->failed = true;
        return 0;
    }
    /* The two top bits of the first byte give the length: 1, 2, 4 or 8. */
    static const uint64_t mask[] = {0x3f, 0x3fff, 0x3fffffff, 0x3fffffffffffffff};
    unsigned power = r->p[0] >> 6;
    return read_uint(r, (size_t)1 << power) & mask[power];
}

bool wire_read_done(const struct wire_reader *r)
{
    return !r->failed && r->left == 0;
}

struct wire_writer wire_writer_of(void *dst, size_t size)
{
    return (struct wire_writer){.p = dst, .left = size};
}

void wire_write_bytes(struct wire_writer *w, const void *data, size_t len)
{
    if (w->failed || len > w->left) {
        w->failed = true;
        return;
    }
    if (len == 0)
        return;
    memcpy(w->p, data, len);
    w->p += len;
    w->left -= len;
    w->len += len;
}

static void write_uint(struct wire_writer *w, uint64_t v, size_t bytes)
{
    unsigned char out[8];
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char)(v >> (8 * (bytes - 1 - i)));
    wire_write_bytes(w, out, bytes);
}

void wire_write_u8(struct wire_writer *w, uint8_t v)
{
    write_uint(w, v, 1);
}

void wire_write_u16(struct wire_writer *w, uint16_t v)
{
    write_uint(w, v, 2);
}

void wire_write_u32(struct wire_writer *w, uint32_t v)
{
    write_uint(w, v, 4);
}

void wire_write_varint(struct wire_writer *w, uint64_t v)
{
    if (v < 1ULL << 6)
        write_uint(w, v, 1);
    else if (v < 1ULL << 14)
        write_uint(w, v | 1ULL << 14, 2);
    else if (v < 1ULL << 30)
        write_uint(w, v | 2ULL << 30, 4);
    else if (v < 1ULL << 62)
        write_uint(w, v | 3ULL << 62, 8);
    else
        w->failed = true;
}
