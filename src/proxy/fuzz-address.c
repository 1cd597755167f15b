/* "HOST PATH": what is an app's address names one, and its base and path join to what came. */
#include "proto/fuzz_check.h"
#include "proxy/address.h"

static void check_app(const struct address *addr, struct span path)
{
    FUZZ_CHECK(addr->site[0]);
    FUZZ_CHECK(addr->app.port >= APP_PORT_MIN || name_valid(NAME_SLUG, span_of(addr->app.slug)));
    FUZZ_CHECK(addr->app.alias[0] || (addr->app.user[0] && addr->app.workspace[0]));
    if (!addr->by_path) {
        FUZZ_CHECK(addr->path.p == path.p && addr->path.len == path.len);
        return;
    }
    FUZZ_CHECK(!addr->app.port);
    FUZZ_CHECK(span_starts(path, "/@") && span_starts(addr->path, "/"));
    FUZZ_CHECK(span_of(addr->base).len - 1 + addr->path.len == path.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_from(data, size), host = text, path = SPAN("/");
    ptrdiff_t space = span_find(text, ' ');
    struct app_site site;
    struct address addr;
    if (space >= 0) {
        host = span_sub(text, 0, (size_t)space);
        path = span_sub(text, (size_t)space + 1, text.len);
    }
    FUZZ_CHECK(app_site_parse(SPAN("*--x.example.com"), SPAN("https://adit.example.com"), &site,
                              NULL) == 0);
    if (address_of(&site, "adit.example.com", host, path, &addr) == ADDRESS_APP)
        check_app(&addr, path);
    return 0;
}
