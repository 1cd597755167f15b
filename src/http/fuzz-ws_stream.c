/*
 * What a hostile peer sends in frames. The first byte chooses the role and the size of the pieces.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/ws_stream.h"
#include "io/loop.h"
#include "io/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that comes until -EAGAIN or the end, which becomes part of the text. */
static void read_all(struct stream *ws, struct buf *text, size_t most, bool lend)
{
    char data[10000];
    const void *p = data;
    ssize_t n;
    do {
        n = lend ? stream_peek(ws, &p) : stream_recv(ws, data, most);
        if (n > 0)
            buf_append(text, p, (size_t)n);
        if (n > 0 && lend)
            stream_consume(ws, (size_t)n);
    } while (n > 0);
}

static void feed_stream(struct loop *loop, const uint8_t *data, size_t size, size_t piece,
                        enum ws_role role, struct buf *text)
{
    struct stream *ends[2];
    char waste[65536];
    stream_pair(loop, 1 << 20, ends);
    struct stream *ws = ws_stream_new(ends[0], role);
    for (size_t at = 0; at < size; at += piece) {
        stream_send_bytes(ends[1], data + at, piece < size - at ? piece : size - at);
        read_all(ws, text, piece % 2 ? 7 : 10000, piece % 3 == 0);
        while (stream_recv(ends[1], waste, sizeof(waste)) > 0)
            ;
    }
    ssize_t end = stream_recv(ws, waste, 1);
    buf_appendf(text, "|%zd %u", end, ws_stream_close_status(ws));
    stream_shutdown(ws);
    stream_free(ws);
    stream_free(ends[1]);
    loop_turn(loop, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    struct buf whole = BUF_INIT(1 << 20), pieces = BUF_INIT(1 << 20);
    if (size < 2 || size > 4096)
        return 0;
    if (!loop)
        loop = loop_new();
    enum ws_role role = data[0] & 1 ? WS_SERVER : WS_CLIENT;
    feed_stream(loop, data + 1, size - 1, size, role, &whole);
    feed_stream(loop, data + 1, size - 1, (size_t)(data[0] >> 1) + 1, role, &pieces);
    if (whole.len != pieces.len || memcmp(buf_data(&whole), buf_data(&pieces), whole.len) != 0)
        abort();
    buf_deinit(&whole);
    buf_deinit(&pieces);
    return 0;
}
