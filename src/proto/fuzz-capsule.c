/* A stream of capsules gives the same payloads at once and in pieces. */
#include "proto/capsule.h"

#include "base/cleanup.h"
#include "proto/fuzz_check.h"

static int read_in_steps(const uint8_t *data, size_t size, size_t step, uint64_t *ret_sum)
{
    struct capsule_reader reader = {0};
    struct span payload;
    size_t used = 0, n;
    uint64_t sum = 0;
    for (size_t upto = step;; upto += step) {
        size_t end = upto < size ? upto : size;
        int r;
        while ((r = capsule_read(&reader, data + used, end - used, &n, &payload)) == 1) {
            FUZZ_CHECK(n > 0 && n <= end - used && payload.len <= CAPSULE_UDP_PAYLOAD_MAX);
            used += n;
            sum = sum * 31 + payload.len;
            for (size_t i = 0; i < payload.len; i++)
                sum = sum * 31 + (unsigned char)payload.p[i];
        }
        *ret_sum = sum;
        if (r < 0)
            return r;
        FUZZ_CHECK(n <= end - used);
        used += n;
        if (end == size)
            return 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole, pieces;
    int a = read_in_steps(data, size, size ? size : 1, &whole);
    int b = read_in_steps(data, size, 3, &pieces);
    FUZZ_CHECK(a == b && whole == pieces);

    _cleanup_(buf_deinit) struct buf wire = BUF_INIT(CAPSULE_MAX_LEN);
    unsigned char header[CAPSULE_HEADER_MAX];
    if (size <= CAPSULE_UDP_PAYLOAD_MAX) {
        buf_append(&wire, header, capsule_udp_header(size, header));
        buf_append(&wire, data, size);
        struct capsule_reader reader = {0};
        struct span payload;
        size_t n;
        FUZZ_CHECK(capsule_read(&reader, buf_data(&wire), wire.len, &n, &payload) == 1);
        FUZZ_CHECK(n == wire.len && span_eq(payload, span_from(data, size)));
    }
    return 0;
}
