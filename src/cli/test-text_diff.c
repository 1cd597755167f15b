#include "cli/text_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void a_diff_is_one_hunk_with_its_surroundings(void **state)
{
    static const struct {
        const char *before, *after, *diff;
    } cases[] = {
        {"a\n", "a\n", ""},
        {"", "", ""},
        {"", "new\n", "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+new\n"},
        {"old\n", "", "--- f\n+++ f\n@@ -1,1 +0,0 @@\n-old\n"},
        {"1\n2\n3\n4\n5\n", "1\n2\n3\n4\nx\n5\n",
         "--- f\n+++ f\n@@ -2,4 +2,5 @@\n 2\n 3\n 4\n+x\n 5\n"},
        {"a\n1\n2\n3\n4\n5\n", "b\n1\n2\n3\n4\n5\n",
         "--- f\n+++ f\n@@ -1,4 +1,4 @@\n-a\n+b\n 1\n 2\n 3\n"},
        {"a\nb", "a\nb\n",
         "--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"},
        {"a\na\n", "a\n", "--- f\n+++ f\n@@ -1,2 +1,1 @@\n a\n-a\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(buf_deinit) struct buf dst = BUF_INIT(4096);
        text_diff(span_of(cases[i].before), span_of(cases[i].after), "f", &dst);
        assert_string_equal(buf_cstr(&dst), cases[i].diff);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_diff_is_one_hunk_with_its_surroundings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
