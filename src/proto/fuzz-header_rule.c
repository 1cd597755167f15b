/* Elements of a list are trimmed, not empty, and lie within the list in order. */
#include "proto/header_rule.h"

#include "proto/fuzz_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_from(data, size), rest = text, element;
    const char *end = text.p;
    header_token_valid(text);
    header_value_valid(text);
    header_is_hop_by_hop(text);
    while (header_list_next(&rest, &element)) {
        FUZZ_CHECK(element.len && span_trim(element).len == element.len);
        FUZZ_CHECK(element.p >= end && element.p + element.len <= text.p + text.len);
        end = element.p + element.len;
    }
    return 0;
}
