/*
 * The first line is a pattern, the second a Host value. A name that is accepted is built the same
 * again, up to case, port and final dot.
 */
#include "proto/app_host.h"

#include "base/cleanup.h"
#include "proto/fuzz_check.h"

static void check_round_trip(const struct app_pattern *pattern, const struct app_host *app)
{
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(512);
    struct app_host again;
    FUZZ_CHECK(app_host_format(pattern, app, &out) == 0);
    FUZZ_CHECK(app_host_parse(pattern, span_of(buf_cstr(&out)), &again) == APP_HOST_MATCH);
    FUZZ_CHECK(str_eq(again.prefix, app->prefix) && str_eq(again.slug, app->slug));
    FUZZ_CHECK(again.port == app->port && again.https == app->https);
    FUZZ_CHECK(str_eq(again.alias, app->alias) && str_eq(again.agent, app->agent));
    FUZZ_CHECK(str_eq(again.workspace, app->workspace) && str_eq(again.user, app->user));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span host = span_from(data, size), text;
    struct app_pattern pattern;
    struct app_host app;
    if (size == 0 || !span_split(&host, '\n', &text) || app_pattern_parse(text, &pattern, NULL) < 0)
        return 0;
    if (app_host_parse(&pattern, host, &app) == APP_HOST_MATCH)
        check_round_trip(&pattern, &app);
    return 0;
}
