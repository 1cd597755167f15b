/* A head is read the same at once and in pieces; what is sent on has one Host and one line end. */
#include "proto/http_connect.h"

#include "base/cleanup.h"
#include "base/span.h"
#include "proto/fuzz_check.h"

static int feed_in_steps(const uint8_t *data, size_t size, size_t step, struct http_connect *h,
                         size_t *ret_used, struct buf *head)
{
    http_connect_init(h);
    for (size_t upto = step;; upto += step) {
        size_t end = upto < size ? upto : size;
        int r = http_connect_feed(h, data, end, ret_used, head);
        if (r != 0 || end == size)
            return r;
    }
}

static void check_head(struct span head)
{
    struct span line;
    int hosts = 0;
    FUZZ_CHECK(span_ends(head, "\r\nConnection: close\r\n\r\n"));
    while (head.len) {
        ptrdiff_t end = span_find_str(head, "\r\n");
        FUZZ_CHECK(end >= 0);
        line = span_sub(head, 0, (size_t)end);
        head = span_sub(head, (size_t)end + 2, head.len);
        FUZZ_CHECK(span_find(line, '\r') < 0 && span_find(line, '\n') < 0);
        hosts += span_iis(span_sub(line, 0, 5), "host:");
        FUZZ_CHECK(line.len || head.len == 0);
    }
    FUZZ_CHECK(hosts == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(buf_deinit) struct buf head = BUF_INIT(3 * HTTP_CONNECT_HEAD_MAX);
    _cleanup_(buf_deinit) struct buf again = BUF_INIT(3 * HTTP_CONNECT_HEAD_MAX);
    _cleanup_(buf_deinit) struct buf reply = BUF_INIT(4096);
    struct http_connect whole, pieces;
    size_t used, used_pieces;
    int a = feed_in_steps(data, size, size ? size : 1, &whole, &used, &head);
    int b = feed_in_steps(data, size, 7, &pieces, &used_pieces, &again);
    FUZZ_CHECK(a == b && head.len == again.len);
    if (a == 1) {
        FUZZ_CHECK(used == used_pieces && used <= size);
        FUZZ_CHECK(host_kind_of(span_of(whole.host)) != HOST_INVALID && whole.port != 0);
        FUZZ_CHECK(whole.tunnel == (head.len == 0));
        if (!whole.tunnel)
            check_head(span_from(buf_data(&head), head.len));
        FUZZ_CHECK(http_connect_reply(&whole, DIAL_REFUSED, whole.host, &reply) == 0);
    } else if (a < 0) {
        FUZZ_CHECK(whole.status == pieces.status);
        FUZZ_CHECK(http_connect_refuse(&whole, &reply) == 0);
    }
    return 0;
}
