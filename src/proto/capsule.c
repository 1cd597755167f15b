#include "proto/capsule.h"

#include <errno.h>

#include "base/wire.h"

enum { TYPE_DATAGRAM = 0, CONTEXT_UDP = 0, VARINT_MAX_LEN = 8 };

/* Throws away what is still to be skipped. */
static void skip(struct capsule_reader *r, struct wire_reader *in)
{
    size_t n = r->skip < in->left ? (size_t)r->skip : in->left;
    wire_read_bytes(in, n);
    r->skip -= n;
}

/* A DATAGRAM capsule's value: context id and payload. 1: a payload for us; 0: another context. */
static int read_datagram(struct span value, struct span *ret_payload)
{
    struct wire_reader in = wire_reader_of(value.p, value.len);
    uint64_t context = wire_read_varint(&in);
    if (in.failed)
        return -EPROTO;
    if (context != CONTEXT_UDP)
        return 0;
    if (in.left > CAPSULE_UDP_PAYLOAD_MAX)
        return -EPROTO;
    *ret_payload = wire_read_bytes(&in, in.left);
    return 1;
}

int capsule_read(struct capsule_reader *r, const void *data, size_t len, size_t *ret_used,
                 struct span *ret_payload)
{
    struct wire_reader in = wire_reader_of(data, len);
    for (;;) {
        skip(r, &in);
        *ret_used = len - in.left;
        uint64_t type = wire_read_varint(&in);
        uint64_t value_len = wire_read_varint(&in);
        if (in.failed)
            return 0;
        if (type != TYPE_DATAGRAM) {
            if (value_len > CAPSULE_SKIP_MAX)
                return -EPROTO;
            r->skip = value_len;
            continue;
        }
        if (value_len > CAPSULE_UDP_PAYLOAD_MAX + VARINT_MAX_LEN)
            return -EPROTO;
        struct span value = wire_read_bytes(&in, (size_t)value_len);
        if (in.failed)
            return 0;
        int got = read_datagram(value, ret_payload);
        if (got != 0) {
            *ret_used = len - in.left;
            return got;
        }
    }
}

size_t capsule_udp_header(size_t payload_len, unsigned char dst[static CAPSULE_HEADER_MAX])
{
    struct wire_writer w = wire_writer_of(dst, CAPSULE_HEADER_MAX);
    wire_write_varint(&w, TYPE_DATAGRAM);
    wire_write_varint(&w, payload_len + 1);
    wire_write_varint(&w, CONTEXT_UDP);
    return w.len;
}
