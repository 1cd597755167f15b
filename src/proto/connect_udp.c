#include "proto/connect_udp.h"

#include <errno.h>

#include "base/num.h"
#include "proto/url.h"

static const char prefix[] = "/.well-known/masque/udp/";

int connect_udp_format(const char *host, uint16_t port, struct buf *dst)
{
    size_t before = dst->len;
    int r = buf_append_str(dst, prefix);
    if (r == 0)
        r = percent_encode(span_of(host), dst);
    if (r == 0)
        r = buf_appendf(dst, "/%u/", port);
    if (r < 0)
        dst->len = before;
    return r;
}

int connect_udp_parse(struct span path, struct hostport *ret)
{
    struct span host, port;
    char text[HOST_SIZE];
    if (!span_starts(path, prefix))
        return -ENOENT;
    struct span rest = span_sub(path, sizeof(prefix) - 1, path.len);
    if (!span_split(&rest, '/', &host) || !span_split(&rest, '/', &port) || !rest.p ||
        rest.len != 0)
        return -EINVAL;
    uint16_t number;
    if (percent_decode(host, text, sizeof(text)) < 0 ||
        host_kind_of(span_of(text)) == HOST_INVALID || num_parse_port(port, false, &number) < 0)
        return -EINVAL;
    str_lower(text);
    str_copy(ret->host, sizeof(ret->host), text);
    ret->port = number;
    return 0;
}
