#include "server/cidr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/num.h"

static const unsigned char v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool bit_is_set(const unsigned char *bits, unsigned i)
{
    return bits[i / 8] & (0x80u >> (i % 8));
}

int cidr_parse(struct span text, struct cidr *ret)
{
    ptrdiff_t slash = span_find(text, '/');
    struct span ip = slash < 0 ? text : span_sub(text, 0, (size_t)slash);
    char buf[INET6_ADDRSTRLEN];
    struct cidr c = {0};
    unsigned width = 128, base = 0;
    uint64_t len;

    if (!str_copy_span(buf, sizeof(buf), ip))
        return -EINVAL;
    if (inet_pton(AF_INET, buf, c.bits + 12) == 1) {
        memcpy(c.bits, v4_mapped, sizeof(v4_mapped));
        width = 32;
        base = 96;
    } else if (inet_pton(AF_INET6, buf, c.bits) != 1) {
        return -EINVAL;
    }
    len = width;
    if (slash >= 0 && num_parse(span_sub(text, (size_t)slash + 1, text.len), 0, width, &len) < 0)
        return -EINVAL;
    c.prefix_len = base + (unsigned)len;
    for (unsigned i = c.prefix_len; i < 128; i++)
        if (bit_is_set(c.bits, i))
            return -EINVAL;
    *ret = c;
    return 0;
}

bool cidr_contains(const struct cidr *c, const struct addr *a)
{
    unsigned char bits[16];

    if (a->sa.sa_family == AF_INET) {
        memcpy(bits, v4_mapped, sizeof(v4_mapped));
        memcpy(bits + 12, &a->in.sin_addr, 4);
    } else if (a->sa.sa_family == AF_INET6) {
        memcpy(bits, &a->in6.sin6_addr, 16);
    } else {
        return false;
    }
    for (unsigned i = 0; i < c->prefix_len; i++)
        if (bit_is_set(bits, i) != bit_is_set(c->bits, i))
            return false;
    return true;
}

bool cidr_list_contains(const struct cidr_list *list, const struct addr *a)
{
    for (size_t i = 0; i < list->len; i++)
        if (cidr_contains(&list->items[i], a))
            return true;
    return false;
}
