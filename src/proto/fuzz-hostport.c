/* An authority that is accepted survives a round trip, and its host has one normal form. */
#include "proto/hostport.h"

#include "proto/fuzz_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hostport hp, again;
    char text[HOSTPORT_SIZE], normal[HOST_SIZE], twice[HOST_SIZE];
    if (hostport_parse(span_from(data, size), 80, &hp) < 0)
        return 0;
    hostport_format(hp.host, hp.port, text);
    FUZZ_CHECK(hostport_parse(span_of(text), 0, &again) == 0);
    FUZZ_CHECK(str_eq(again.host, hp.host) && again.port == hp.port);
    FUZZ_CHECK(host_normalize(span_of(hp.host), normal) == 0);
    FUZZ_CHECK(host_normalize(span_of(normal), twice) == 0 && str_eq(normal, twice));
    return 0;
}
