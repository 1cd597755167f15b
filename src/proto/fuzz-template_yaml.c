/* A text is taken, or it is said what is wrong, in order and within the text. */
#include "proto/template_yaml.h"

#include "proto/fuzz_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct template_yaml_problems problems;
    struct template t;
    unsigned lines = 2;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n' || data[i] == '\r' || data[i] >= 0x80;
    if (template_yaml_parse(span_from(data, size), &t, &problems) == 0) {
        FUZZ_CHECK(t.n_apps <= TEMPLATE_APPS_MAX &&
                   t.forwarding.permit_open.len <= POLICY_RULES_MAX);
        for (size_t i = 0; i < t.n_apps; i++)
            FUZZ_CHECK(name_valid(NAME_SLUG, span_of(t.apps[i].slug)) && t.apps[i].url);
        template_deinit(&t);
        return 0;
    }
    FUZZ_CHECK(problems.n > 0 && problems.n <= TEMPLATE_YAML_PROBLEMS_MAX);
    for (size_t i = 0; i < problems.n; i++) {
        FUZZ_CHECK(problems.list[i].reason[0]);
        FUZZ_CHECK(problems.list[i].line >= 1 && problems.list[i].line <= lines);
        FUZZ_CHECK(i == 0 || problems.list[i - 1].line <= problems.list[i].line);
    }
    return 0;
}
