#include "base/num.h"

#include <errno.h>

int num_parse(struct span text, uint64_t min, uint64_t max, uint64_t *ret)
{
    if (text.len == 0)
        return -EINVAL;
    uint64_t value = 0;
    bool overflow = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -EINVAL;
        overflow |= __builtin_mul_overflow(value, 10U, &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)(text.p[i] - '0'), &value);
    }
    if (overflow || value < min || value > max)
        return -ERANGE;
    *ret = value;
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int num_parse_hex(struct span text, uint64_t max, uint64_t *ret)
{
    if (text.len == 0 || text.len > 16)
        return -EINVAL;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        int d = hex_digit(text.p[i]);
        if (d < 0)
            return -EINVAL;
        value = value << 4 | (uint64_t)d;
    }
    if (value > max)
        return -ERANGE;
    *ret = value;
    return 0;
}

int num_parse_port(struct span text, bool allow_zero, uint16_t *ret)
{
    uint64_t value = 0;
    int r = num_parse(text, allow_zero ? 0 : 1, 65535, &value);
    if (r == 0)
        *ret = (uint16_t)value;
    return r;
}

static uint64_t unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    default:
        return 0;
    }
}

int num_parse_duration(struct span text, uint64_t max_sec, uint64_t *ret_sec)
{
    if (text.len < 2)
        return -EINVAL;
    uint64_t unit = unit_seconds(text.p[text.len - 1]);
    if (!unit)
        return -EINVAL;
    uint64_t value = 0;
    int r = num_parse(span_sub(text, 0, text.len - 1), 0, max_sec / unit, &value);
    if (r == 0)
        *ret_sec = value * unit;
    return r;
}

struct span num_format(uint64_t n, char room[static NUM_TEXT_SIZE])
{
    char *p = room + NUM_TEXT_SIZE;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return span_from(p, (size_t)(room + NUM_TEXT_SIZE - p));
}
