#include "server/client_ip.h"

#include "http/headers.h"

/* One element of X-Forwarded-For: an address, perhaps with brackets or a port. */
static bool parse_hop(struct span text, struct addr *ret)
{
    char ip[CLIENT_IP_SIZE];
    ptrdiff_t end;

    text = span_trim(text);
    if (text.len > 0 && text.p[0] == '[') {
        end = span_find(text, ']');
        if (end < 0)
            return false;
        text = span_sub(text, 1, (size_t)end);
    } else if ((end = span_find(text, ':')) >= 0 && end == span_rfind(text, ':')) {
        text = span_sub(text, 0, (size_t)end);
    }
    return str_copy_span(ip, sizeof(ip), text) && addr_from_ip(ip, 0, ret) >= 0;
}

bool client_ip_of(const struct addr *peer, const struct headers *headers,
                  const struct cidr_list *trusted, char ret_ip[static CLIENT_IP_SIZE])
{
    struct addr client = *peer, hop;
    struct span rest = headers_get(headers, "X-Forwarded-For");
    char text[ADDR_TEXT_LEN];
    bool direct = true;

    if (!cidr_list_contains(trusted, peer)) {
        direct = !rest.p && !headers_has(headers, "Forwarded");
    } else if (headers_count(headers, "X-Forwarded-For") == 1) {
        /* From the nearest hop outwards, as long as each is a proxy that we trust. */
        while (rest.len > 0 && cidr_list_contains(trusted, &client)) {
            ptrdiff_t comma = span_rfind(rest, ',');
            if (!parse_hop(span_sub(rest, comma < 0 ? 0 : (size_t)comma + 1, rest.len), &hop))
                break;
            client = hop;
            rest = span_sub(rest, 0, comma < 0 ? 0 : (size_t)comma);
        }
    }
    str_copy(ret_ip, CLIENT_IP_SIZE, addr_format_ip(&client, text));
    return direct;
}
