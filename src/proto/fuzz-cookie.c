/* After a cookie was removed, in whatever case, none is found, and the others are there. */
#include "proto/cookie.h"

#include "base/cleanup.h"
#include "proto/fuzz_check.h"

static void count(struct span header, size_t *ret_named, size_t *ret_others)
{
    struct span found, value;
    *ret_named = *ret_others = 0;
    while (cookie_next(&header, &found, &value))
        ++*(span_iis(found, "adit") ? ret_named : ret_others);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"adit"};
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(size * 3 + 16);
    struct span header = span_from(data, size);
    size_t named, others, named_left, others_left;
    FUZZ_CHECK(cookie_remove(header, names, 1, &out) == 0);
    count(header, &named, &others);
    count(span_from(buf_data(&out), out.len), &named_left, &others_left);
    FUZZ_CHECK(named_left == 0);
    FUZZ_CHECK(others_left == others);
    return 0;
}
