/* A URL that is accepted means the same after it was written out again. */
#include "proto/url.h"

#include "base/cleanup.h"
#include "proto/fuzz_check.h"

static void check_query(struct span query)
{
    struct span rest = query, key, value;
    char decoded[64];
    while (query_next(&rest, &key, &value))
        percent_decode(value, decoded, sizeof(decoded));
    query_get(query, "redirect_uri", decoded, sizeof(decoded));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_from(data, size);
    _cleanup_(url_deinit) struct url url = {0}, again = {0};
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(2 * URL_MAX_LEN);
    struct err err = ERR_INIT;
    check_query(text);
    if (url_parse(text, &url, &err) < 0) {
        FUZZ_CHECK(err.text[0]);
        return 0;
    }
    FUZZ_CHECK(url_format(&url, &out) == 0);
    FUZZ_CHECK(url_parse(span_of(buf_cstr(&out)), &again, NULL) == 0);
    FUZZ_CHECK(again.scheme == url.scheme && again.port == url.port);
    FUZZ_CHECK(str_eq(again.host, url.host) && str_eq(again.path, url.path));
    FUZZ_CHECK(str_eq(again.query, url.query));
    return 0;
}
