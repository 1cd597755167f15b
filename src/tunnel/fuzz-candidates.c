/* What is read and filtered is bounded, may be dialled, and survives a round trip. */
#include "tunnel/candidates.h"

#include "proto/fuzz_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct candidates c, again;
    struct buf line = BUF_INIT(CANDIDATES_LINE_MAX);
    if (candidates_parse(span_from(data, size), &c) < 0)
        return 0;
    FUZZ_CHECK(c.n <= CANDIDATES_MAX);
    FUZZ_CHECK(candidates_format(&c, &line) == 0);
    FUZZ_CHECK(candidates_parse(span_of(buf_cstr(&line)), &again) == 0);
    FUZZ_CHECK(candidates_equal(&c, &again));
    candidates_filter(&c, "0123456789abcdef0123456789abcdef");
    for (size_t i = 0; i < c.n; i++) {
        FUZZ_CHECK(addr_port(&c.addrs[i]) > 0 && !addr_is_any(&c.addrs[i]));
        FUZZ_CHECK(!addr_is_loopback(&c.addrs[i]) ||
                   str_eq(c.machine, "0123456789abcdef0123456789abcdef"));
    }
    buf_deinit(&line);
    return 0;
}
