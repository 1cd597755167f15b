/*
 * What a hostile peer sends to an HTTP/2 session. The first byte: the session's role; the rest are
 * the peer's bytes. Owners read, answer, half-close and free in turn.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

#include "http/h2.h"
#include "io/loop.h"
#include "io/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHANNELS = 64 };

struct owner {
    struct stream *channels[CHANNELS];
    unsigned n;
};

static void channel_ready(struct stream *channel, unsigned events, void *ud)
{
    unsigned char got[1000];
    ssize_t n = -EAGAIN;
    if (events & STREAM_READ)
        n = stream_recv(channel, got, sizeof(got));
    if (n > 0)
        stream_send_bytes(channel, got, (size_t)n);
    else if (n != -EAGAIN) {
        stream_shutdown(channel);
        stream_want(channel, 0);
    }
}

static void keep(struct owner *o, struct stream *channel)
{
    stream_set_ready(channel, channel_ready, o);
    stream_want(channel, STREAM_READ);
    unsigned slot = o->n++ % CHANNELS;
    stream_free(o->channels[slot]);
    o->channels[slot] = channel;
}

static void requested(struct h2 *session, struct stream *channel, const struct h2_head *head,
                      void *ud)
{
    struct owner *o = ud;
    if (h2_head_get(head, "refuse")) {
        h2_answer_and_free(channel, 403, NULL, 0, "no");
        return;
    }
    if (!h2_head_get(head, "later"))
        h2_answer(channel, 200, NULL, 0, false);
    keep(o, channel);
}

static void answered(struct stream *channel, int result, const struct h2_head *head, void *ud)
{
    if (head && head->status == 200)
        stream_send_bytes(channel, "hello", 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct owner o = {0};
    struct loop *loop = loop_new();
    struct stream *wire[2];
    struct h2_options options = {
        .role = data[0] & 1 ? H2_SERVER : H2_CLIENT, .requested = requested, .ud = &o};
    options.limits.memory_max = 1 << 20;
    stream_pair(loop, 1 << 20, wire);
    struct h2 *session = h2_new(loop, wire[1], &options);
    if (options.role == H2_CLIENT) {
        const struct h2_head tcp = {.method = "CONNECT", .authority = "t:1"};
        const struct h2_head udp = {.method = "CONNECT",
                                    .protocol = "connect-udp",
                                    .scheme = "https",
                                    .authority = "t",
                                    .path = "/"};
        keep(&o, h2_request(session, &tcp, false, answered, NULL));
        keep(&o, h2_request(session, &udp, false, answered, NULL));
    }
    if (size > 1)
        stream_send_bytes(wire[0], data + 1, size - 1);
    for (int i = 0; i < 6; i++)
        loop_turn(loop, false);
    for (unsigned i = 0; i < CHANNELS; i += 2)
        o.channels[i] = stream_free(o.channels[i]);
    loop_turn(loop, false);
    h2_free(session);
    stream_free(wire[0]);
    for (unsigned i = 0; i < CHANNELS; i++)
        stream_free(o.channels[i]);
    loop_free(loop);
    return 0;
}
