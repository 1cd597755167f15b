/* Events are the same however their bytes are cut. */
#include "proto/sse.h"

#include <errno.h>

#include "proto/fuzz_check.h"

enum { CEILING = 256 };

static bool note(struct span name, struct span data, void *ud)
{
    struct buf *out = ud;
    FUZZ_CHECK(name.len <= CEILING && data.len <= CEILING);
    buf_append(out, name.p, name.len);
    buf_append_byte(out, '=');
    buf_append(out, data.p, data.len);
    buf_append_byte(out, ';');
    return true;
}

static int run(const uint8_t *data, size_t size, size_t step, struct buf *out)
{
    struct sse_reader r;
    int code = 0;
    sse_reader_init(&r, CEILING);
    for (size_t at = 0; at < size && code == 0; at += step)
        code = sse_reader_feed(&r, span_from(data + at, at + step < size ? step : size - at), note,
                               out);
    sse_reader_deinit(&r);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT(4 * size + 64), pieces = BUF_INIT(4 * size + 64);
    FUZZ_CHECK(run(data, size, size ? size : 1, &whole) == run(data, size, 1, &pieces));
    FUZZ_CHECK(
        span_eq(span_from(buf_data(&whole), whole.len), span_from(buf_data(&pieces), pieces.len)));
    buf_deinit(&whole);
    buf_deinit(&pieces);
    return 0;
}
