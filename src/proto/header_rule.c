#include "proto/header_rule.h"

#include "base/cleanup.h"

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && span_find(SPAN("!#$%&'*+-.^_`|~"), c) >= 0);
}

bool header_token_valid(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_token_char(text.p[i]))
            return false;
    return text.len > 0;
}

bool header_value_valid(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
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
    static const char *const names[] = {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (span_iis(name, names[i]))
            return true;
    return false;
}
