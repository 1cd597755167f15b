#include "proto/header_rule.h"

#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

/* RFC 9110 section 5.6.2. */
static const bool token_char[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,  ['#'] = true,
    ['$'] = true,         ['%'] = true,         ['&'] = true,         ['\''] = true, ['*'] = true,
    ['+'] = true,         ['-'] = true,         ['.'] = true,         ['^'] = true,  ['_'] = true,
    ['`'] = true,         ['|'] = true,         ['~'] = true,
};

bool header_token_valid(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!token_char[(unsigned char)text.p[i]])
            return false;
    return text.len > 0;
}

static bool is_value_char(unsigned char c)
{
    return (c >= ' ' || c == '\t') && c != 0x7f;
}

enum { WORDS = 4, PIECE_LEN = WORDS * sizeof(uint64_t) };

/* A piece at once: whether one of its bytes may be a control character (a tab is one, too). */
static bool may_hold_control(const char *p)
{
    const uint64_t ones = UINT64_MAX / 255, highs = ones * 0x80;
    uint64_t word[WORDS], found = 0;
    memcpy(word, p, PIECE_LEN);
    for (int i = 0; i < WORDS; i++) {
        uint64_t del = word[i] ^ ones * 0x7f;
        found |= ((word[i] - ones * ' ') & ~word[i]) | ((del - ones) & ~del);
    }
    return found & highs;
}

bool header_value_valid(struct span text)
{
    size_t i = 0;
    while (i < text.len) {
        if (text.len - i >= PIECE_LEN && !may_hold_control(text.p + i)) {
            i += PIECE_LEN;
            continue;
        }
        if (!is_value_char((unsigned char)text.p[i++]))
            return false;
    }
    return span_trim(text).len == text.len;
}

/* Length up to the next comma that is not in a quoted string. */
static size_t element_len(struct span text)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < text.len; i++) {
        if (text.p[i] == '"')
            quoted = !quoted;
        else if (quoted && text.p[i] == '\\')
            i++;
        else if (!quoted && text.p[i] == ',')
            return i;
    }
    return text.len;
}

bool header_list_next(struct span *rest, struct span *ret_element)
{
    while (rest->len) {
        size_t n = element_len(*rest);
        struct span element = span_trim(span_sub(*rest, 0, n));
        *rest = span_sub(*rest, n + 1, rest->len);
        if (element.len) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

bool header_list_has(struct span list, const char *token)
{
    struct span element;
    while (header_list_next(&list, &element))
        if (span_iis(element, token))
            return true;
    return false;
}

bool header_is_hop_by_hop(struct span name)
{
    return span_iis(name, "connection") || span_iis(name, "keep-alive") ||
           span_iis(name, "proxy-authenticate") || span_iis(name, "proxy-authorization") ||
           span_iis(name, "proxy-connection") || span_iis(name, "te") ||
           span_iis(name, "trailer") || span_iis(name, "transfer-encoding") ||
           span_iis(name, "upgrade");
}
