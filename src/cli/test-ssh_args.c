#include "cli/ssh_args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/span.h"

/* Where the options end in words with spaces between. */
static int options_of(const char *line)
{
    char text[256], *words[16], *save = NULL;
    int n = 0;
    str_copy(text, sizeof(text), line);
    for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    return ssh_args_options(n, words);
}

static void options_end_where_ssh_ends_them(void **state)
{
    static const struct {
        const char *line;
        int n;
    } cases[] = {
        {"", 0},
        {"ls -l", 0},
        {"-N", 1},
        {"-tt ls -l", 1},
        {"-L 8080:localhost:80 -N", 3},
        {"-L8080:localhost:80 -N", 2},
        {"-NL 8080:localhost:80 ls", 2},
        {"-vNp 22 ls", 2},
        {"-o Port=22 -oPort=22 ls -o x", 3},
        {"-W host:22", 2},
        {"-L", 0},    /* its value is missing */
        {"-P 22", 0}, /* a flag or not, by version */
        {"-NP tag", 0},
        {"-Z", 0},
        {"- ls", 0},
        {"-- ls", 0},
        {"--help", 0},
        {"-N -- ls -l", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(options_of(cases[i].line), cases[i].n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_end_where_ssh_ends_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
