#include "proto/permit.h"

#include <errno.h>

#include "base/num.h"

static bool is_pattern_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '*';
}

static const char *parse_host(struct span host, bool bracketed, struct permit_rule *rule)
{
    if (span_find(host, '*') < 0) {
        bool v6 = host_kind_of(host) == HOST_IPV6;
        if (v6 != bracketed || host_normalize(host, rule->host) < 0)
            return "the host is not valid";
        return NULL;
    }
    for (size_t i = 0; i < host.len; i++)
        if (!is_pattern_char(host.p[i]) && !(bracketed && host.p[i] == ':'))
            return "the host pattern has a character that no host has";
    if (!str_copy_span(rule->host, sizeof(rule->host), host))
        return "the host pattern is too long";
    str_lower(rule->host);
    return NULL;
}

static const char *parse_ports(struct span ports, struct permit_rule *rule)
{
    if (span_is(ports, "*")) {
        rule->port_first = 0;
        rule->port_last = 65535;
        return NULL;
    }
    ptrdiff_t dash = span_find(ports, '-');
    struct span first = span_sub(ports, 0, dash < 0 ? ports.len : (size_t)dash);
    struct span last = dash < 0 ? first : span_sub(ports, (size_t)dash + 1, ports.len);
    if (num_parse_port(first, false, &rule->port_first) < 0 ||
        num_parse_port(last, false, &rule->port_last) < 0)
        return "the port is not a number from 1 to 65535, a range, or *";
    return rule->port_first > rule->port_last ? "the port range runs backwards" : NULL;
}

static const char *parse(struct span text, struct permit_rule *rule)
{
    ptrdiff_t colon = span_rfind(text, ':');
    if (colon < 0)
        return "it is not host:port";
    struct span host = span_sub(text, 0, (size_t)colon);
    bool bracketed = span_starts(host, "[") && span_ends(host, "]");
    if (bracketed)
        host = span_sub(host, 1, host.len - 1);
    const char *wrong = parse_host(host, bracketed, rule);
    return wrong ? wrong : parse_ports(span_sub(text, (size_t)colon + 1, text.len), rule);
}

int permit_rule_parse(struct span text, struct permit_rule *ret, struct err *err)
{
    struct permit_rule rule;
    const char *wrong = parse(text, &rule);
    if (wrong)
        return err_set(err, -EINVAL, "rule \"%.*s\": %s", text.len < 280 ? (int)text.len : 280,
                       text.len ? text.p : "", wrong);
    *ret = rule;
    return 0;
}

/* `*` stands for any characters. After a mismatch the last `*` takes one character more. */
static bool glob_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* "10.0.*" must not match the name "10.0.example.org", which may lead anywhere. */
static bool is_address_pattern(const char *pattern)
{
    bool digit = false;
    for (; *pattern; pattern++) {
        if (*pattern == ':')
            return true;
        if (*pattern != '.' && *pattern != '*' && !(*pattern >= '0' && *pattern <= '9'))
            return false;
        digit |= *pattern >= '0' && *pattern <= '9';
    }
    return digit;
}

bool permit_rule_matches(const struct permit_rule *rule, struct span host, uint16_t port)
{
    char text[HOST_SIZE];
    if (port < rule->port_first || port > rule->port_last)
        return false;
    if (span_is(host, "*"))
        str_copy(text, sizeof(text), "*");
    else if (host_normalize(host.len ? host : SPAN("localhost"), text) < 0)
        return false;

    if (str_eq(rule->host, "localhost"))
        return str_eq(text, "localhost") || str_eq(text, "127.0.0.1") || str_eq(text, "::1");
    if (is_address_pattern(rule->host) && host_kind_of(span_of(text)) == HOST_NAME)
        return false;
    return glob_matches(rule->host, text);
}

bool permit_any(char *const *rules, size_t n, struct span host, uint16_t port)
{
    for (size_t i = 0; i < n; i++) {
        struct permit_rule rule;
        if (permit_rule_parse(span_of(rules[i]), &rule, NULL) == 0 &&
            permit_rule_matches(&rule, host, port))
            return true;
    }
    return false;
}
