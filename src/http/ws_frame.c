#include "http/ws_frame.h"

#include <errno.h>
#include <string.h>

#include "base/wire.h"

static bool opcode_known(unsigned opcode)
{
    return opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
}

/* The length behind the 7-bit one; in its shortest form (section 5.2). */
static bool read_length(struct wire_reader *r, unsigned short_len, uint64_t *ret)
{
    *ret = short_len;
    if (short_len == 126)
        *ret = wire_read_u16(r);
    else if (short_len == 127)
        *ret = (uint64_t)wire_read_u32(r) << 32 | wire_read_u32(r);
    if (r->failed)
        return true;
    return !(short_len == 126 && *ret < 126) && !(short_len == 127 && *ret <= UINT16_MAX) &&
           *ret <= INT64_MAX;
}

int ws_frame_parse(const void *data, size_t len, struct ws_frame *ret)
{
    struct wire_reader r = wire_reader_of(data, len);
    unsigned first = wire_read_u8(&r), second = wire_read_u8(&r);

    if (len >= 1 && ((first & 0x70) || !opcode_known(first & 0x0f)))
        return -EPROTO;
    if (r.failed)
        return 0;
    *ret = (struct ws_frame){.fin = first & 0x80, .opcode = first & 0x0f, .masked = second & 0x80};
    if (ret->opcode >= WS_CLOSE && (!ret->fin || (second & 0x7f) > WS_CONTROL_MAX))
        return -EPROTO;
    if (!read_length(&r, second & 0x7f, &ret->len))
        return -EPROTO;
    if (ret->masked) {
        struct span mask = wire_read_bytes(&r, sizeof(ret->mask));
        if (!r.failed)
            memcpy(ret->mask, mask.p, sizeof(ret->mask));
    }
    return r.failed ? 0 : (int)(len - r.left);
}

size_t ws_frame_format(const struct ws_frame *frame, unsigned char dst[static WS_HEAD_MAX])
{
    struct wire_writer w = wire_writer_of(dst, WS_HEAD_MAX);
    uint8_t masked = frame->masked ? 0x80 : 0;

    wire_write_u8(&w, (uint8_t)((frame->fin ? 0x80 : 0) | frame->opcode));
    if (frame->len < 126) {
        wire_write_u8(&w, (uint8_t)(masked | frame->len));
    } else if (frame->len <= UINT16_MAX) {
        wire_write_u8(&w, masked | 126);
        wire_write_u16(&w, (uint16_t)frame->len);
    } else {
        wire_write_u8(&w, masked | 127);
        wire_write_u32(&w, (uint32_t)(frame->len >> 32));
        wire_write_u32(&w, (uint32_t)frame->len);
    }
    if (frame->masked)
        wire_write_bytes(&w, frame->mask, sizeof(frame->mask));
    return w.len;
}

void ws_mask(void *dst, const void *src, size_t len, const uint8_t mask[4], uint64_t offset)
{
    unsigned char *d = dst;
    const unsigned char *s = src;
    uint8_t key[8];
    uint64_t word;

    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = mask[(offset + i) & 3];
    memcpy(&word, key, sizeof(word));
    size_t i = 0;
    /* Eight bytes a step, whatever the alignment; the compiler makes vectors of it. */
    for (; i + sizeof(word) <= len; i += sizeof(word)) {
        uint64_t v;
        memcpy(&v, s + i, sizeof(v));
        v ^= word;
        memcpy(d + i, &v, sizeof(v));
    }
    for (; i < len; i++)
        d[i] = s[i] ^ key[i & 7];
}

bool ws_close_status_valid(unsigned status)
{
    if (status >= 3000)
        return status <= 4999;
    return (status >= 1000 && status <= 1003) || (status >= 1007 && status <= 1014);
}
