/* A request is read the same whether it comes at once or byte by byte; datagrams round-trip. */
#include "proto/socks.h"

#include <string.h>

#include "base/cleanup.h"
#include "proto/fuzz_check.h"

static int feed_in_steps(const uint8_t *data, size_t size, size_t step, struct socks *s,
                         size_t *ret_used)
{
    _cleanup_(buf_deinit) struct buf reply = BUF_INIT(SOCKS_REPLY_MAX);
    size_t used = 0;
    int r = 0;
    socks_init(s);
    for (size_t upto = step; r == 0; upto += step) {
        size_t n, end = upto < size ? upto : size;
        r = socks_feed(s, data + used, end - used, &n, &reply);
        FUZZ_CHECK(n <= end - used);
        used += n;
        if (end == size)
            break;
    }
    *ret_used = used;
    return r;
}

static void check_datagram(const uint8_t *data, size_t size)
{
    struct socks_datagram d, again;
    unsigned char packet[SOCKS_HEADER_MAX];
    if (socks_datagram_parse(data, size, &d) < 0)
        return;
    ssize_t n = socks_datagram_header(d.host, d.port, packet);
    FUZZ_CHECK(n > 0 && socks_datagram_parse(packet, (size_t)n, &again) == 0);
    FUZZ_CHECK(str_eq(d.host, again.host) && d.port == again.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct socks whole, pieces;
    size_t used_whole, used_pieces;
    check_datagram(data, size);
    int a = feed_in_steps(data, size, size ? size : 1, &whole, &used_whole);
    int b = feed_in_steps(data, size, 1, &pieces, &used_pieces);
    FUZZ_CHECK(a == b && whole.state == pieces.state);
    if (a == 1) {
        FUZZ_CHECK(used_whole == used_pieces && str_eq(whole.host, pieces.host));
        FUZZ_CHECK(host_kind_of(span_of(whole.host)) != HOST_INVALID);
    }
    return 0;
}
