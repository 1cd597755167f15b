#pragma once
/* Frames of WebSocket (RFC 6455 section 5): pure. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ws_opcode {
    WS_CONTINUATION = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xa,
};

/* Close codes (section 7.4). */
enum {
    WS_NORMAL = 1000,
    WS_PROTOCOL_ERROR = 1002,
    WS_UNSUPPORTED = 1003,
    WS_NO_STATUS = 1005, /* never sent: the Close had none */
    WS_ABNORMAL = 1006,  /* never sent: there was no Close */
};

enum { WS_HEAD_MAX = 14, WS_CONTROL_MAX = 125 };

struct ws_frame {
    bool fin;
    bool masked;
    enum ws_opcode opcode;
    uint8_t mask[4];
    uint64_t len; /* of the payload */
};

/*
 * Reads the head of a frame. > 0: its bytes; 0: more are needed; -EPROTO: reserved bits or
 * opcodes, a length that is not in its shortest form, a control frame in fragments or too long.
 */
int ws_frame_parse(const void *data, size_t len, struct ws_frame *ret);
/* Writes the head; returns its length. */
size_t ws_frame_format(const struct ws_frame *frame, unsigned char dst[static WS_HEAD_MAX]);

/*
 * Masks or unmasks (section 5.3) `len` bytes that stand at `offset` in the payload. dst may be
 * src.
 */
void ws_mask(void *dst, const void *src, size_t len, const uint8_t mask[4], uint64_t offset);

/* Whether a Close may carry this status (section 7.4). */
bool ws_close_status_valid(unsigned status);
