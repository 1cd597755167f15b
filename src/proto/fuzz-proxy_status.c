/* A field that is accepted can be written again with the same meaning. */
#include "proto/proxy_status.h"

#include "base/cleanup.h"
#include "proto/fuzz_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(1024);
    struct proxy_status got, again;
    if (proxy_status_parse(span_from(data, size), &got) < 0)
        return 0;
    FUZZ_CHECK(got.result != DIAL_OK && got.result < DIAL_RESULT_COUNT);
    FUZZ_CHECK(proxy_status_format(got.result, got.details, &out) == 0);
    FUZZ_CHECK(proxy_status_parse(span_of(buf_cstr(&out)), &again) == 0);
    FUZZ_CHECK(again.result == got.result && str_eq(again.details, got.details));
    return 0;
}
