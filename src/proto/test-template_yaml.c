#include "proto/template_yaml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"

static const char everything[] = "# For the GPU machines\n"
                                 "description: |\n"
                                 "  First line.\n"
                                 "  Second line.\n"
                                 "max_port_share_level: public\n"
                                 "forwarding:\n"
                                 "  local: true\n"
                                 "  remote: false\n"
                                 "  permit_open: [\"localhost:*\", db.internal:5432]\n"
                                 "  permit_listen: []\n"
                                 "  public_listen: true\n"
                                 "  unix_sockets: false\n"
                                 "  agent_forwarding: false\n"
                                 "cors: passthru\n"
                                 "identity_headers: true\n"
                                 "apps:\n"
                                 "  - slug: Lab\n"
                                 "    display_name: Jupyter Lab\n"
                                 "    icon: /icon/lab.svg\n"
                                 "    url: http://localhost:8888/lab?x=1\n"
                                 "    subdomain: false\n"
                                 "    share: authenticated\n"
                                 "    order: -3\n"
                                 "    healthcheck:\n"
                                 "      url: http://localhost:8888/api\n"
                                 "      interval: 2m\n"
                                 "      threshold: 5\n"
                                 "  - slug: \"x1\"\n"
                                 "    url: https://10.0.0.1\n"
                                 "    healthcheck: {url: /healthz}\n";

static void every_key_is_read(void **state)
{
    struct template_yaml_problems problems;
    struct template t;

    assert_int_equal(template_yaml_parse(span_of(everything), &t, &problems), 0);
    assert_string_equal(t.description, "First line.\nSecond line.\n");
    assert_int_equal(t.max_port_share_level, SHARE_PUBLIC);
    assert_true(t.forwarding.local);
    assert_false(t.forwarding.remote);
    assert_int_equal(t.forwarding.permit_open.len, 2);
    assert_string_equal(t.forwarding.permit_open.items[0], "localhost:*");
    assert_string_equal(t.forwarding.permit_open.items[1], "db.internal:5432");
    assert_int_equal(t.forwarding.permit_listen.len, 0);
    assert_true(t.forwarding.public_listen);
    assert_false(t.forwarding.unix_sockets);
    assert_false(t.forwarding.agent_forwarding);
    assert_int_equal(t.cors, CORS_PASSTHRU);
    assert_true(t.identity_headers);
    assert_int_equal(t.n_apps, 2);
    assert_string_equal(t.apps[0].slug, "lab");
    assert_string_equal(t.apps[0].display_name, "Jupyter Lab");
    assert_string_equal(t.apps[0].icon, "/icon/lab.svg");
    assert_string_equal(t.apps[0].url, "http://localhost:8888/lab?x=1");
    assert_false(t.apps[0].subdomain);
    assert_int_equal(t.apps[0].share, SHARE_AUTHENTICATED);
    assert_int_equal(t.apps[0].order, -3);
    assert_string_equal(t.apps[0].healthcheck.url, "http://localhost:8888/api");
    assert_int_equal(t.apps[0].healthcheck.interval, 120 * USEC_PER_SEC);
    assert_int_equal(t.apps[0].healthcheck.threshold, 5);
    assert_string_equal(t.apps[1].slug, "x1");
    assert_null(t.apps[1].display_name);
    assert_true(t.apps[1].subdomain);
    assert_int_equal(t.apps[1].share, SHARE_OWNER);
    assert_string_equal(t.apps[1].healthcheck.url, "/healthz");
    assert_int_equal(t.apps[1].healthcheck.interval, 10 * USEC_PER_SEC);
    assert_int_equal(t.apps[1].healthcheck.threshold, 3);
    template_deinit(&t);
}

static void what_is_not_given_keeps_its_default(void **state)
{
    static const char *const texts[] = {"{}", "--- {}\n...\n", "forwarding: {}", "apps: []"};
    struct template_yaml_problems problems;
    struct template t;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_int_equal(template_yaml_parse(span_of(texts[i]), &t, &problems), 0);
        assert_int_equal(t.max_port_share_level, SHARE_AUTHENTICATED);
        assert_true(t.forwarding.local);
        assert_true(t.forwarding.remote);
        assert_false(t.forwarding.public_listen);
        assert_string_equal(t.forwarding.permit_open.items[0], "*:*");
        assert_string_equal(t.forwarding.permit_listen.items[0], "localhost:*");
        assert_int_equal(t.cors, CORS_SIMPLE);
        assert_int_equal(t.n_apps, 0);
        template_deinit(&t);
    }
}

#define APP "apps:\n- slug: a\n  url: http://localhost:1\n"

/* `expected`: "LINE: KEY: REASON", a line each; a reason may be cut. */
static const struct {
    const char *yaml, *expected;
} wrong_texts[] = {
    {"", "1: : there is nothing in it"},
    {"# only this\n", "1: : there is nothing in it"},
    {"~", "1: : there is nothing in it"},
    {"- a", "1: : needs keys below it"},
    {"text", "1: : needs keys below it"},
    {"a: [1\n", "2: : not valid YAML: did not find expected ',' or ']'"},
    {"cors: simple\n\tx: 1", "2: : not valid YAML: "},
    {"cors: \xff\n", "1: : not valid YAML: "},
    {"cors: simple\n\nx: \x01\n", "3: : not valid YAML: control characters are not allowed"},
    {"x: a\n\nb: \xe3w\n", "3: : not valid YAML: "},
    {"cors: \"a\\0b\"\n", "1: cors: must not have line breaks"},
    {"{}\n---\n{}\n", "2: : a second document"},
    {"cors: &a simple\nx: *a\n", "1: : anchors and aliases\n2: : anchors and aliases"},
    {"cors: !!str simple\n", "1: : tags such as !x"},
    {"? [a]\n: 1\n", "1: : a key must be a plain word"},
    {"forwarding:\n  local: true\n\n  permit_opn: []\n",
     "4: forwarding.permit_opn: unknown key (did you mean permit_open?)"},
    {"colour: red\n", "1: colour: unknown key\n"},
    {"\"a\\nb\": red\n", "1: a?b: unknown key\n"},
    {"cors: simple\ncors: passthru\n", "2: cors: is given twice"},
    {"<<: {cors: simple}\n", "1: <<: unknown key"},
    {"description: [a]\n", "1: description: needs a text"},
    {"max_port_share_level: all\n", "1: max_port_share_level: must be owner, users"},
    {"max_port_share_level:\n", "1: max_port_share_level: needs a text"},
    {"forwarding:\ncors: simple\n", "1: forwarding: needs keys below it"},
    {"forwarding:\n  local: yes\n  remote: \"true\"\n",
     "2: forwarding.local: must be true or false\n3: forwarding.remote: must be true or false"},
    {"forwarding:\n  permit_open: localhost:80\n", "2: forwarding.permit_open: needs a list"},
    {"forwarding:\n  permit_listen:\n    - localhost:*\n    - localhost\n",
     "4: forwarding.permit_listen[1]: "},
    {"forwarding:\n  permit_open: [[a]]\n", "2: forwarding.permit_open[0]: needs a text"},
    {"cors: open\n", "1: cors: must be simple or passthru"},
    {"identity_headers: 1\n", "1: identity_headers: must be true or false"},
    {"apps: {}\n", "1: apps: needs a list"},
    {"apps:\n- lab\n", "2: apps[0]: needs keys below it"},
    {"apps:\n- display_name: X\n", "2: apps[0].slug: is missing\n2: apps[0].url: is missing"},
    {"apps:\n- url: http://localhost:1\n  slug: 8080\n", "3: apps[0].slug: "},
    {APP "- slug: A\n  url: http://localhost:2\n", "4: apps[1].slug: is the slug of another app"},
    {"apps:\n- slug: a\n  url: localhost:1\n", "3: apps[0].url: "},
    {"apps:\n- slug: a\n  url: ws://localhost\n", "3: apps[0].url: must start with http://"},
    {APP "  icon: javascript:alert(1)\n", "4: apps[0].icon: "},
    {APP "  icon: //evil.example/x\n", "4: apps[0].icon: "},
    {APP "  icon: data:text/html,x\n", "4: apps[0].icon: "},
    {APP "  icon: two words\n", "4: apps[0].icon: "},
    {APP "  order: 1.5\n", "4: apps[0].order: must be a whole number"},
    {APP "  order: --1\n", "4: apps[0].order: must be a whole number"},
    {APP "  share: everyone\n", "4: apps[0].share: must be owner"},
    {APP "  subdomain: on\n", "4: apps[0].subdomain: must be true or false"},
    {APP "  healthcheck: /ok\n", "4: apps[0].healthcheck: needs keys below it"},
    {APP "  healthcheck: {interval: 10s}\n", "4: apps[0].healthcheck.url: is missing"},
    {APP "  healthcheck:\n    url: /ok\n    interval: 0s\n",
     "6: apps[0].healthcheck.interval: must be a time"},
    {APP "  healthcheck:\n    url: /ok\n    interval: 25h\n",
     "6: apps[0].healthcheck.interval: must be a time"},
    {APP "  healthcheck:\n    url: /ok\n    threshold: 0\n",
     "6: apps[0].healthcheck.threshold: must be a number from 1 to 1000"},
    {APP "  heathcheck: 1\n", "4: apps[0].heathcheck: unknown key (did you mean healthcheck?)"},
};

static void whatever_is_wrong_is_told_with_its_line_and_key(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong_texts); i++) {
        struct span rest = span_of(wrong_texts[i].expected), line;
        struct template_yaml_problems problems;
        struct template t;
        size_t n = 0;

        if (template_yaml_parse(span_of(wrong_texts[i].yaml), &t, &problems) != -EINVAL)
            fail_msg("taken: %s", wrong_texts[i].yaml);
        while (span_split(&rest, '\n', &line)) {
            const struct template_yaml_problem *p = &problems.list[n];
            char text[512], wanted[256];

            if (line.len == 0)
                continue;
            assert_true(n++ < problems.n);
            snprintf(text, sizeof(text), "%u: %s: %s", p->line, p->key, p->reason);
            str_copy_span(wanted, sizeof(wanted), line);
            if (strncmp(text, wanted, strlen(wanted)) != 0)
                fail_msg("%s\n  is not: %s", text, wanted);
        }
        assert_int_equal(problems.n, n);
    }
}

static void texts_have_their_limits(void **state)
{
    struct buf text = BUF_INIT(TEMPLATE_YAML_MAX_LEN + 100);
    struct template_yaml_problems problems;
    struct template t;

    buf_append_str(&text, "forwarding:\n  permit_open:\n");
    for (unsigned i = 0; i <= POLICY_RULES_MAX; i++)
        buf_append_str(&text, "  - localhost:*\n");
    assert_int_equal(template_yaml_parse(span_from(buf_data(&text), text.len), &t, &problems),
                     -EINVAL);
    assert_int_equal(problems.n, 1);
    assert_int_equal(problems.list[0].line, 3 + POLICY_RULES_MAX);

    buf_clear(&text);
    buf_append_str(&text, "apps:\n");
    for (unsigned i = 0; i <= TEMPLATE_APPS_MAX; i++)
        buf_appendf(&text, "- {slug: a%u, url: \"http://localhost:1\"}\n", i);
    assert_int_equal(template_yaml_parse(span_from(buf_data(&text), text.len), &t, &problems),
                     -EINVAL);
    assert_int_equal(problems.n, 1);
    assert_int_equal(problems.list[0].line, 2 + TEMPLATE_APPS_MAX);

    buf_clear(&text);
    for (unsigned i = 0; i < 1000; i++)
        buf_appendf(&text, "k%u: 1\n", i);
    assert_int_equal(template_yaml_parse(span_from(buf_data(&text), text.len), &t, &problems),
                     -EINVAL);
    assert_int_equal(problems.n, TEMPLATE_YAML_PROBLEMS_MAX);

    buf_clear(&text);
    while (text.len <= TEMPLATE_YAML_MAX_LEN)
        buf_append_str(&text, "# more and more and more and more\n");
    assert_int_equal(template_yaml_parse(span_from(buf_data(&text), text.len), &t, &problems),
                     -EINVAL);
    assert_string_equal(problems.list[0].reason, "longer than 512 KiB");
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(what_is_not_given_keeps_its_default),
        cmocka_unit_test(whatever_is_wrong_is_told_with_its_line_and_key),
        cmocka_unit_test(texts_have_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
