/*
 * What a hostile client sends. Every input is sent twice, at once and in pieces (of as many bytes
 * as the first byte says): the handler must see the same requests and bodies both times.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/exchange.h"
#include "http/server_conn.h"
#include "io/loop.h"
#include "io/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buf text;
    bool closed;
    struct stream *upgraded;
};

static void closed(struct server_conn *c, void *ud)
{
    ((struct seen *)ud)->closed = true;
}

static void upgraded(struct stream *s, int result, void *ud)
{
    ((struct seen *)ud)->upgraded = s;
}

static void answer(struct exchange *x, int result, struct span body, void *ud)
{
    struct seen *seen = ud;
    if (result == 0)
        buf_appendf(&seen->text, "%zu %zu|", body.len, exchange_trailers(x)->len);
    exchange_respond(x, result < 0 ? exchange_status_of(result) : 200, body.p, body.len);
}

static void handle(struct exchange *x, void *ud)
{
    struct seen *seen = ud;
    buf_append(&seen->text, x->method.p, x->method.len);
    buf_append(&seen->text, x->path.p, x->path.len);
    buf_appendf(&seen->text, " %zu %lld|", x->headers.len, (long long)exchange_body_length(x));
    if (exchange_wants_upgrade(x) && exchange_upgrade(x, 101, upgraded, seen) == 0)
        return;
    if (span_starts(x->path, "/unread"))
        exchange_respond(x, 204, NULL, 0);
    else if (span_starts(x->path, "/stream")) {
        exchange_start(x, 200, BODY_UNKNOWN);
        exchange_send_bytes(x, "abc", 3);
        exchange_end(x, NULL);
    } else {
        exchange_read_all(x, 1000, answer, seen);
    }
}

static void turn(struct loop *loop, struct stream *client)
{
    char waste[65536];
    for (int i = 0; i < 6; i++) {
        loop_turn(loop, false);
        while (stream_recv(client, waste, sizeof(waste)) > 0)
            ;
    }
}

static void feed(struct loop *loop, const uint8_t *data, size_t size, size_t piece,
                 struct seen *seen)
{
    struct stream *ends[2];
    const struct server_conn_options options = {
        .handler = handle, .closed = closed, .ud = seen, .max_requests = 20};
    stream_pair(loop, 1 << 20, ends);
    struct server_conn *c = server_conn_new(loop, ends[0], &options);
    while (size > 0) {
        size_t n = piece < size ? piece : size;
        if (stream_send_bytes(ends[1], data, n) != (ssize_t)n)
            break;
        data += n;
        size -= n;
        turn(loop, ends[1]);
    }
    /* At once, one request a turn or two is served: let all have their turns. */
    for (int i = 0; i < 25; i++)
        turn(loop, ends[1]);
    stream_shutdown(ends[1]);
    turn(loop, ends[1]);
    if (!seen->closed)
        server_conn_free(c);
    turn(loop, ends[1]);
    stream_free(seen->upgraded);
    stream_free(ends[1]);
    loop_turn(loop, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    struct seen whole = {.text = BUF_INIT(1 << 20)}, pieces = {.text = BUF_INIT(1 << 20)};
    if (size < 2 || size > 4096)
        return 0;
    if (!loop)
        loop = loop_new();
    feed(loop, data + 1, size - 1, size, &whole);
    feed(loop, data + 1, size - 1, data[0] ? data[0] : 1, &pieces);
    if (whole.text.len != pieces.text.len ||
        memcmp(buf_data(&whole.text), buf_data(&pieces.text), whole.text.len) != 0) {
        fprintf(stderr, "at once:   %s\nin pieces: %s\n", buf_cstr(&whole.text),
                buf_cstr(&pieces.text));
        abort();
    }
    buf_deinit(&whole.text);
    buf_deinit(&pieces.text);
    return 0;
}
