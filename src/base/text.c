#include "base/text.h"

#include <errno.h>
#include <stdint.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base32hex_digits[] = "0123456789abcdefghijklmnopqrstuv";

/* Groups of `bits` bits, most significant first; the last group is filled with zero bits. */
static char *encode(const void *data, size_t len, char *dst, const char *digits, unsigned bits)
{
    const unsigned char *p = data;
    uint32_t acc = 0;
    unsigned have = 0;
    char *out = dst;
    for (size_t i = 0; i < len; i++) {
        acc = acc << 8 | p[i];
        for (have += 8; have >= bits; have -= bits)
            *out++ = digits[acc >> (have - bits) & ((1U << bits) - 1)];
    }
    if (have)
        *out++ = digits[acc << (bits - have) & ((1U << bits) - 1)];
    *out = '\0';
    return dst;
}

static int digit_value(char c, const char *digits, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (digits[i] == c)
            return (int)i;
    return -1;
}

static ssize_t decode(struct span text, void *dst, size_t size, const char *digits, unsigned bits)
{
    unsigned char *out = dst;
    uint32_t acc = 0;
    unsigned have = 0;
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        int v = digit_value(text.p[i], digits, 1U << bits);
        if (v < 0)
            return -EINVAL;
        acc = acc << bits | (uint32_t)v;
        have += bits;
        if (have < 8)
            continue;
        if (n == size)
            return -ENOBUFS;
        have -= 8;
        out[n++] = (unsigned char)(acc >> have);
    }
    /* Left-over bits must be fewer than a digit and zero, so that each value has one spelling. */
    if (have >= bits || (acc & ((1U << have) - 1)) != 0)
        return -EINVAL;
    return (ssize_t)n;
}

char *hex_encode(const void *data, size_t len, char *dst)
{
    return encode(data, len, dst, hex_digits, 4);
}

ssize_t hex_decode(struct span text, void *dst, size_t size)
{
    return decode(text, dst, size, hex_digits, 4);
}

char *base64url_encode(const void *data, size_t len, char *dst)
{
    return encode(data, len, dst, base64url_digits, 6);
}

ssize_t base64url_decode(struct span text, void *dst, size_t size)
{
    return decode(text, dst, size, base64url_digits, 6);
}

char *base32hex_encode(const void *data, size_t len, char *dst)
{
    return encode(data, len, dst, base32hex_digits, 5);
}

size_t utf8_char_len(struct span text)
{
    if (text.len == 0)
        return 0;
    const unsigned char *p = (const unsigned char *)text.p;
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || text.len < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what is beyond U+10FFFF. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

ssize_t utf8_count(struct span text)
{
    ssize_t count = 0;
    while (text.len) {
        size_t n = utf8_char_len(text);
        if (n == 0)
            return -EINVAL;
        text = span_sub(text, n, text.len);
        count++;
    }
    return count;
}

bool text_has_control(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x20 || c == 0x7f)
            return true;
        if (c == 0xc2 && i + 1 < text.len && (unsigned char)text.p[i + 1] < 0xa0)
            return true;
    }
    return false;
}
