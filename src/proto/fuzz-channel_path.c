/* Paths of channel requests and the lines of a listener: what is accepted round-trips. */
#include "base/cleanup.h"
#include "proto/connect_listen.h"
#include "proto/connect_udp.h"
#include "proto/connect_unix.h"
#include "proto/fuzz_check.h"

static void check_udp(struct span path)
{
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(2000);
    struct hostport target, again;
    if (connect_udp_parse(path, &target) < 0)
        return;
    FUZZ_CHECK(connect_udp_format(target.host, target.port, &out) == 0);
    FUZZ_CHECK(connect_udp_parse(span_of(buf_cstr(&out)), &again) == 0);
    FUZZ_CHECK(str_eq(again.host, target.host) && again.port == target.port);
}

static void check_unix(struct span path)
{
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(2000);
    char target[UNIX_PATH_SIZE], again[UNIX_PATH_SIZE];
    if (connect_unix_parse(path, target) < 0)
        return;
    FUZZ_CHECK(connect_unix_format(target, &out) == 0);
    FUZZ_CHECK(connect_unix_parse(span_of(buf_cstr(&out)), again) == 0);
    FUZZ_CHECK(str_eq(again, target));
}

static void check_listen(struct span path)
{
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(2000);
    struct listen_request req, again;
    struct id id;
    accept_request_parse(path, &id);
    if (listen_request_parse(path, &req) < 0)
        return;
    FUZZ_CHECK(listen_request_format(&req, &out) == 0);
    FUZZ_CHECK(listen_request_parse(span_of(buf_cstr(&out)), &again) == 0);
    FUZZ_CHECK(str_eq(again.bind, req.bind) && str_eq(again.path, req.path));
    FUZZ_CHECK(again.port == req.port);
}

static void check_lines(struct span text)
{
    struct listen_event event, again;
    size_t n, m;
    while (listen_event_next(text.p, text.len, &n, &event) == 1) {
        _cleanup_(buf_deinit) struct buf line = BUF_INIT(LISTEN_LINE_MAX);
        FUZZ_CHECK(n > 0 && n <= text.len);
        FUZZ_CHECK(listen_event_format(&event, &line) == 0);
        FUZZ_CHECK(listen_event_next(buf_data(&line), line.len, &m, &again) == 1);
        FUZZ_CHECK(m == line.len && again.kind == event.kind && again.port == event.port);
        FUZZ_CHECK(str_eq(again.originator, event.originator));
        text = span_sub(text, n, text.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_from(data, size);
    check_udp(text);
    check_unix(text);
    check_listen(text);
    check_lines(text);
    return 0;
}
