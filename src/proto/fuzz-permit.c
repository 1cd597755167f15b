/* The first line is a rule, the second a host. No rule allows what is not a host. */
#include "proto/permit.h"

#include "proto/fuzz_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span host = span_from(data, size), text;
    struct permit_rule rule;
    struct err err = ERR_INIT;
    if (size == 0 || !span_split(&host, '\n', &text))
        return 0;
    if (permit_rule_parse(text, &rule, &err) < 0) {
        FUZZ_CHECK(err.text[0]);
        return 0;
    }
    FUZZ_CHECK(rule.port_first <= rule.port_last);
    if (permit_rule_matches(&rule, host, rule.port_last))
        FUZZ_CHECK(host.len == 0 || span_is(host, "*") || host_kind_of(host) != HOST_INVALID);
    return 0;
}
