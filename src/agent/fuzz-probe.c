/* What ports answer: any bytes, cut anywhere, mean one thing and stay at it. */
#include "agent/probe.h"
#include "proto/fuzz_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_from(data, size < PROBE_ANSWER_MAX ? size : PROBE_ANSWER_MAX);
    enum api_port_speaks whole = probe_of_answer(all, true);

    FUZZ_CHECK((whole == API_PORT_UNKNOWN) == (all.len == 0));
    FUZZ_CHECK(probe_of_greeting(all) != API_PORT_UNKNOWN);
    FUZZ_CHECK(probe_of_handshake(all) != API_PORT_UNKNOWN);
    for (size_t cut = 0; cut < all.len; cut++) {
        struct span piece = span_sub(all, 0, cut);
        enum api_port_speaks speaks = probe_of_answer(piece, false);
        FUZZ_CHECK(speaks == API_PORT_UNKNOWN || speaks == whole);
    }
    return 0;
}
