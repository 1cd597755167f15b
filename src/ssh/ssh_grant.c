/*
 * PermitOpen applies to direct-tcpip and PermitListen to tcpip-forward; each entry is compared
 * with the text that the client sent. Two things follow from what sshd really binds:
 *
 * - With GatewayPorts `no` sshd silently narrows every address to loopback. The policy's word is a
 *   refusal, so without public listening PermitListen has the three names of loopback only.
 * - An entry with a port never allows a request for port 0, which is also the rule here.
 */
#include "ssh/ssh_grant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "proto/permit.h"

static const char *const loopback_names[] = {"localhost", "127.0.0.1", "::1"};

/* ---- from rules to entries ---- */

struct rule_writer {
    struct ssh_rules *rules;
    bool listen;
    bool public_listen;
};

/* 0, or -ENOBUFS */
static int add_entry(struct ssh_rules *rules, const char *host, unsigned port, bool any_port)
{
    bool v6 = span_find(span_of(host), ':') >= 0;
    char port_text[16] = "*";
    if (!any_port)
        snprintf(port_text, sizeof(port_text), "%u", port);
    _cleanup_free_ char *text =
        xasprintf("%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port_text);
    return text_list_add(&rules->entries, span_of(text), SSH_RULES_MAX);
}

static int add_host(struct ssh_rules *rules, const char *host, const struct permit_rule *rule)
{
    int r = 0;
    if (rule->port_first == 0)
        return add_entry(rules, host, 0, true);
    for (unsigned port = rule->port_first; r == 0 && port <= rule->port_last; port++)
        r = add_entry(rules, host, port, false);
    return r;
}

/* Listening on loopback only: there are three texts that a client can ask with. */
static int add_loopback(struct ssh_rules *rules, const struct permit_rule *rule)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(loopback_names); i++)
        if (permit_rule_matches(rule, span_of(loopback_names[i]), rule->port_last))
            r = add_host(rules, loopback_names[i], rule);
    return r;
}

/* 0; -ENOBUFS; -ENOTSUP: it cannot be said. */
static int add_rule(struct rule_writer *w, const struct permit_rule *rule)
{
    bool every_host = str_eq(rule->host, "*");
    if (rule->port_first != 0 && rule->port_last - rule->port_first >= SSH_RULE_PORTS_MAX)
        return -ENOTSUP;
    if (str_eq(rule->host, "localhost") || (w->listen && !w->public_listen))
        return add_loopback(w->rules, rule);
    if (span_find(span_of(rule->host), '*') >= 0 && !every_host)
        return -ENOTSUP;
    if (every_host && rule->port_first == 0)
        w->rules->any = true;
    return add_host(w->rules, rule->host, rule);
}

static void drop_entries_after(struct text_list *list, size_t len)
{
    while (list->len > len)
        free(list->items[--list->len]);
}

/* A rule is taken whole or not at all. */
static void add_rules(struct rule_writer *w, const struct text_list *texts)
{
    for (size_t i = 0; i < texts->len; i++) {
        struct permit_rule rule;
        struct span text = span_of(texts->items[i]);
        size_t before = w->rules->entries.len;
        /* One that does not parse allows nothing anywhere. */
        if (permit_rule_parse(text, &rule, NULL) < 0)
            continue;
        if (add_rule(w, &rule) == 0)
            continue;
        drop_entries_after(&w->rules->entries, before);
        text_list_add(&w->rules->left_out, text, POLICY_RULES_MAX);
    }
    /* Then it does not matter what else there is. */
    if (w->rules->any)
        text_list_deinit(&w->rules->left_out);
}

struct ssh_grant ssh_grant_make(const struct forward_policy *policy)
{
    struct ssh_grant g = {
        .local = policy->local,
        .remote = policy->remote,
        .public_listen = policy->public_listen,
        .agent_forwarding = policy->agent_forwarding,
    };
    struct rule_writer open = {.rules = &g.open};
    struct rule_writer listen = {
        .rules = &g.listen, .listen = true, .public_listen = policy->public_listen};
    if (g.local)
        add_rules(&open, &policy->permit_open);
    if (g.remote)
        add_rules(&listen, &policy->permit_listen);
    g.unix_sockets = policy->unix_sockets && g.local && g.remote && g.open.any;
    return g;
}

void ssh_grant_deinit(struct ssh_grant *g)
{
    text_list_deinit(&g->open.entries);
    text_list_deinit(&g->open.left_out);
    text_list_deinit(&g->listen.entries);
    text_list_deinit(&g->listen.left_out);
}

/* ---- comparing ---- */

static bool part_covers(struct span part, struct span other)
{
    return span_is(part, "*") || span_eq(part, other);
}

static bool entry_covers(struct span entry, struct span other)
{
    size_t colon = (size_t)span_rfind(entry, ':'), other_colon = (size_t)span_rfind(other, ':');
    return part_covers(span_sub(entry, 0, colon), span_sub(other, 0, other_colon)) &&
           part_covers(span_sub(entry, colon + 1, entry.len),
                       span_sub(other, other_colon + 1, other.len));
}

static bool rules_cover(const struct ssh_rules *rules, const struct ssh_rules *other)
{
    if (rules->any || other->any)
        return rules->any;
    for (size_t i = 0; i < other->entries.len; i++) {
        bool found = false;
        for (size_t j = 0; !found && j < rules->entries.len; j++)
            found =
                entry_covers(span_of(rules->entries.items[j]), span_of(other->entries.items[i]));
        if (!found)
            return false;
    }
    return true;
}

bool ssh_grant_covers(const struct ssh_grant *g, const struct ssh_grant *other)
{
    return g->local >= other->local && g->remote >= other->remote &&
           g->public_listen >= other->public_listen && g->unix_sockets >= other->unix_sockets &&
           g->agent_forwarding >= other->agent_forwarding && rules_cover(&g->open, &other->open) &&
           rules_cover(&g->listen, &other->listen);
}

/* ---- the notice ---- */

/* What the terminal of the person shows. */
static void append_rule(struct buf *dst, const char *rule)
{
    for (; *rule; rule++)
        buf_append_byte(dst, *rule > ' ' && *rule < 127 ? (unsigned char)*rule : '?');
}

static int list_notice(struct buf *dst, const struct ssh_rules *rules, const char *list,
                       const char *what)
{
    const struct text_list *out = &rules->left_out;
    if (out->len == 0)
        return 0;
    buf_appendf(dst, "adit: SSH cannot enforce the rule%s ", out->len > 1 ? "s" : "");
    for (size_t i = 0; i < out->len && i < SSH_NOTICE_RULES_MAX; i++) {
        buf_append_str(dst, i ? ", \"" : "\"");
        append_rule(dst, out->items[i]);
        buf_append_byte(dst, '"');
    }
    if (out->len > SSH_NOTICE_RULES_MAX)
        buf_appendf(dst, " and %zu more", out->len - SSH_NOTICE_RULES_MAX);
    return buf_appendf(dst,
                       " of this workspace's template (forwarding.%s): %s is refused here. Use "
                       "adit port-forward for it, where the agent checks each connection.\n",
                       list, what);
}

int ssh_grant_notice(const struct ssh_grant *g, struct buf *dst)
{
    int r = list_notice(dst, &g->open, "permit_open", "forwarding to what it allows");
    return r < 0 ? r : list_notice(dst, &g->listen, "permit_listen", "listening on what it allows");
}
