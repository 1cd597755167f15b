#include "tunnel/candidates.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "proto/hostport.h"

void candidates_add(struct candidates *c, const struct addr *addr)
{
    for (size_t i = 0; i < c->n; i++)
        if (addr_equal(&c->addrs[i], addr))
            return;
    if (c->n < CANDIDATES_MAX)
        c->addrs[c->n++] = *addr;
}

bool candidates_equal(const struct candidates *a, const struct candidates *b)
{
    if (a->n != b->n || !str_eq(a->machine, b->machine))
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!addr_equal(&a->addrs[i], &b->addrs[i]))
            return false;
    return true;
}

int candidates_format(const struct candidates *c, struct buf *out)
{
    char text[ADDR_TEXT_LEN];
    buf_appendf(out, "{\"machine\":\"%s\",\"addresses\":[", c->machine);
    for (size_t i = 0; i < c->n; i++)
        buf_appendf(out, "%s\"%s\"", i ? "," : "", addr_format(&c->addrs[i], text));
    return buf_appendf(out, "]}");
}

static bool is_hex(const char *text)
{
    return strspn(text, "0123456789abcdef") == strlen(text);
}

static void take_address(const json_t *value, struct candidates *c)
{
    struct hostport hp;
    struct addr addr;
    struct span text = span_from(json_string_value(value), json_string_length(value));
    if (text.p && hostport_parse(text, 0, &hp) == 0 && addr_from_ip(hp.host, hp.port, &addr) == 0)
        candidates_add(c, &addr);
}

int candidates_parse(struct span line, struct candidates *ret)
{
    *ret = (struct candidates){0};
    json_t *root = json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *addresses = json_object_get(root, "addresses");
    const json_t *machine = json_object_get(root, "machine");
    int r = json_is_array(addresses) ? 0 : -EINVAL;
    if (json_is_string(machine) && json_string_length(machine) < sizeof(ret->machine) &&
        is_hex(json_string_value(machine)))
        str_copy(ret->machine, sizeof(ret->machine), json_string_value(machine));
    for (size_t i = 0; r == 0 && i < json_array_size(addresses); i++)
        take_address(json_array_get(addresses, i), ret);
    json_decref(root);
    return r;
}

static bool is_dialable(const struct addr *a)
{
    if (a->sa.sa_family == AF_INET) {
        uint32_t ip = ntohl(a->in.sin_addr.s_addr);
        return ip >> 24 != 0 && ip >> 16 != 0xa9fe && ip >> 28 < 0xe;
    }
    const struct in6_addr *ip = &a->in6.sin6_addr;
    /* Addresses of IPv4 in other clothes are not what an agent has. */
    return !IN6_IS_ADDR_UNSPECIFIED(ip) && !IN6_IS_ADDR_LINKLOCAL(ip) &&
           !IN6_IS_ADDR_MULTICAST(ip) && !IN6_IS_ADDR_V4MAPPED(ip) && !IN6_IS_ADDR_V4COMPAT(ip);
}

/* ::1 is V4COMPAT by its bits, so loopback is asked first. */
void candidates_filter(struct candidates *c, const char *machine)
{
    bool same = machine[0] && str_eq(machine, c->machine);
    struct candidates kept = {0};
    for (size_t i = 0; i < c->n; i++)
        if (same && addr_is_loopback(&c->addrs[i]))
            candidates_add(&kept, &c->addrs[i]);
    for (size_t i = 0; i < c->n; i++)
        if (!addr_is_loopback(&c->addrs[i]) && is_dialable(&c->addrs[i]))
            candidates_add(&kept, &c->addrs[i]);
    str_copy(kept.machine, sizeof(kept.machine), c->machine);
    *c = kept;
}
