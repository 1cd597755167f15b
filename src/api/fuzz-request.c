/*
 * The first byte chooses the message, the rest is JSON. What is read strictly must come out as
 * JSON that reads again, and the second writing must be the first.
 */
#include <stdint.h>
#include <stdlib.h>

#include "api/all_types.h"
#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_or_die(const struct api_type *type, const void *msg, struct buf *out)
{
    if (api_write(type, msg, out) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const struct api_type *type = all_types[data[0] % ARRAY_LEN(all_types)];
    struct api_problem problem;
    void *msg = malloc(type->size), *again = malloc(type->size);
    int r = api_read(type, span_from(data + 1, size - 1), API_STRICT, msg, &problem);
    if (r < 0) {
        struct buf out = BUF_INIT(1 << 20);
        struct api_error error;
        if (api_problem_build(&problem, &out) < 0 || problem.message[0] == '\0' ||
            api_error_read(span_from(buf_data(&out), out.len), API_STRICT, &error, NULL) < 0)
            abort();
        api_error_release(&error);
        buf_deinit(&out);
    } else {
        struct buf first = BUF_INIT(32 << 20), second = BUF_INIT(32 << 20);
        write_or_die(type, msg, &first);
        if (first.len <= API_JSON_MAX_LEN) {
            if (api_read(type, span_from(buf_data(&first), first.len), API_STRICT, again, NULL) < 0)
                abort();
            write_or_die(type, again, &second);
            if (!span_eq(span_from(buf_data(&first), first.len),
                         span_from(buf_data(&second), second.len)))
                abort();
            api_release(type, again);
        }
        buf_deinit(&first);
        buf_deinit(&second);
    }
    if (r == 0)
        api_release(type, msg);
    free(msg);
    free(again);
    return 0;
}
