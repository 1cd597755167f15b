/* After a cookie was removed it is not found, and the others are still there. */
#include "proto/cookie.h"

#include "base/cleanup.h"
#include "proto/fuzz_check.h"

static size_t count_others(struct span header, const char *name)
{
    struct span found, value;
    size_t n = 0;
    while (cookie_next(&header, &found, &value))
        n += !span_is(found, name);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"adit"};
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(size * 3 + 16);
    struct span header = span_from(data, size), value;
    FUZZ_CHECK(cookie_remove(header, names, 1, &out) == 0);
    struct span left = span_from(buf_data(&out), out.len);
    FUZZ_CHECK(!cookie_get(left, "adit", &value));
    FUZZ_CHECK(count_others(left, "adit") == count_others(header, "adit"));
    return 0;
}
