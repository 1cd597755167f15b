/* What is accepted leads to an app's host, and a Location never leaves its origin. */
#include "proto/app_url.h"
#include "proto/fuzz_check.h"

static void check_url(const struct app_site *site, struct span text)
{
    struct buf out = BUF_INIT(2 * URL_MAX_LEN);
    struct app_host app;
    struct url url;
    if (app_url_parse(site, text, &url, &app) == 0) {
        FUZZ_CHECK(url.scheme == site->scheme);
        FUZZ_CHECK(app_host_parse(&site->pattern, span_of(url.host), &app) == APP_HOST_MATCH);
        FUZZ_CHECK(url_format(&url, &out) == 0);
        FUZZ_CHECK(span_starts(span_of(buf_cstr(&out)), "https://"));
        url_deinit(&url);
    }
    if (app_origin_parse(site, text, &url, &app) == 0)
        url_deinit(&url);
    buf_deinit(&out);
}

static void check_location(struct span text)
{
    struct buf out = BUF_INIT(4 * URL_MAX_LEN);
    if (text.len < URL_MAX_LEN && same_origin_location(text, SPAN("a=b"), &out) == 0) {
        const unsigned char *p = buf_data(&out);
        FUZZ_CHECK(p[0] == '/' && p[1] != '/' && p[1] != '\\');
        for (size_t i = 0; i < out.len; i++)
            FUZZ_CHECK(p[i] > ' ' && p[i] < 0x7f && p[i] != '\\');
    }
    buf_clear(&out);
    if (text.len < URL_MAX_LEN && query_remove(text, "x", &out) == 0)
        FUZZ_CHECK(out.len <= text.len);
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct span text = span_from(data, size);
    struct app_site site;
    FUZZ_CHECK(app_site_parse(SPAN("*.apps.example.com"), SPAN("https://adit.example.com"), &site,
                              NULL) == 0);
    check_url(&site, text);
    check_location(text);
    return 0;
}
