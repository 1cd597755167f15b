/*
 * PermitOpen applies to direct-tcpip and PermitListen to tcpip-forward; each entry is compared
 * with the text that the client sent. Three things follow from what sshd really binds:
 *
 * - With GatewayPorts `no` sshd silently narrows every address to loopback. The policy's word is a
 *   refusal, so without public listening PermitListen has the three names of loopback only.
 * - `clientspecified` is the only other value that binds what was asked for.
 * - An entry with a port never allows a request for port 0, which is also the rule here.
 */
#include "ssh/sshd_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/span.h"
#include "proto/permit.h"

static const char *const loopback_names[] = {"localhost", "127.0.0.1", "::1"};

struct rule_writer {
    struct buf *dst; /* NULL: only counts */
    bool listen;
    bool public_listen;
    size_t n;
    bool any; /* a rule allows everything */
};

static void write_entry(struct rule_writer *w, const char *host, unsigned port, bool any_port)
{
    bool v6 = span_find(span_of(host), ':') >= 0;
    w->n++;
    if (!w->dst || w->n > SSHD_RULES_MAX)
        return;
    buf_appendf(w->dst, " %s%s%s:", v6 ? "[" : "", host, v6 ? "]" : "");
    if (any_port)
        buf_append_byte(w->dst, '*');
    else
        buf_appendf(w->dst, "%u", port);
}

static void write_host(struct rule_writer *w, const char *host, const struct permit_rule *rule)
{
    if (rule->port_first == 0) {
        write_entry(w, host, 0, true);
        return;
    }
    for (unsigned port = rule->port_first; port <= rule->port_last; port++)
        write_entry(w, host, port, false);
}

static bool is_loopback_name(const char *host)
{
    for (size_t i = 0; i < ARRAY_LEN(loopback_names); i++)
        if (str_eq(host, loopback_names[i]))
            return true;
    return false;
}

static void write_rule(struct rule_writer *w, const struct permit_rule *rule)
{
    bool every_host = str_eq(rule->host, "*");
    bool narrowed = w->listen && !w->public_listen;
    if (str_eq(rule->host, "localhost") || (narrowed && every_host)) {
        for (size_t i = 0; i < ARRAY_LEN(loopback_names); i++)
            write_host(w, loopback_names[i], rule);
        return;
    }
    if (narrowed && !is_loopback_name(rule->host))
        return;
    if (every_host && rule->port_first == 0)
        w->any = true;
    write_host(w, rule->host, rule);
}

static int check_rule(const char *text, const char *list, struct permit_rule *ret, struct err *err)
{
    static const char hint[] = "use adit port-forward, where the agent checks each connection";
    int r = permit_rule_parse(span_of(text), ret, err);
    if (r < 0)
        return err_wrap(err, "forwarding.%s", list);
    if (span_find(span_of(ret->host), '*') >= 0 && !str_eq(ret->host, "*"))
        return err_set(err, -ENOTSUP,
                       "forwarding over SSH is not possible in this workspace: SSH cannot enforce "
                       "the host pattern of its template's rule \"%s\" (forwarding.%s); %s",
                       text, list, hint);
    if (ret->port_first != 0 && ret->port_last - ret->port_first >= SSHD_RULE_PORTS_MAX)
        return err_set(err, -ENOTSUP,
                       "forwarding over SSH is not possible in this workspace: SSH cannot enforce "
                       "the port range of its template's rule \"%s\" (forwarding.%s); %s",
                       text, list, hint);
    return 0;
}

/* Checks all rules and writes them to w->dst. */
static int write_rules(struct rule_writer *w, const struct text_list *rules, const char *list,
                       struct err *err)
{
    for (size_t i = 0; i < rules->len; i++) {
        struct permit_rule rule;
        int r = check_rule(rules->items[i], list, &rule, err);
        if (r < 0)
            return r;
        write_rule(w, &rule);
    }
    if (!w->any && w->n > SSHD_RULES_MAX)
        return err_set(err, -ENOTSUP,
                       "forwarding over SSH is not possible in this workspace: its template has "
                       "too many rules for SSH (forwarding.%s); use adit port-forward",
                       list);
    return 0;
}

static int permit_line(struct buf *dst, const char *keyword, bool on, struct rule_writer *w,
                       const struct text_list *rules, const char *list, struct err *err)
{
    _cleanup_(buf_deinit) struct buf entries = BUF_INIT(SSHD_CONFIG_MAX);
    w->dst = &entries;
    int r = on ? write_rules(w, rules, list, err) : 0;
    w->dst = NULL;
    if (r < 0 || !dst)
        return r;
    const char *text = w->any ? " any" : w->n == 0 ? " none" : buf_cstr(&entries);
    return text ? buf_appendf(dst, "%s%s\n", keyword, text) : -ENOBUFS;
}

static int permit_lines(struct buf *dst, const struct forward_policy *p, struct err *err)
{
    struct rule_writer open = {.listen = false};
    struct rule_writer listen = {.listen = true, .public_listen = p->public_listen};
    int r = permit_line(dst, "PermitOpen", p->local, &open, &p->permit_open, "permit_open", err);
    if (r < 0)
        return r;
    return permit_line(dst, "PermitListen", p->remote, &listen, &p->permit_listen, "permit_listen",
                       err);
}

int ssh_rules_expressible(const struct forward_policy *forwarding, struct err *err)
{
    return permit_lines(NULL, forwarding, err);
}

/* `%` starts a token in some of sshd's paths. */
static int path_line(struct buf *dst, const char *keyword, const char *path, struct err *err)
{
    struct span text = span_of(path);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == '"' || text.p[i] == '%' ||
            text.p[i] == '\\')
            return err_set(err, -EINVAL, "sshd cannot be told the path \"%s\"", path);
    return buf_appendf(dst, "%s \"%s\"\n", keyword, path);
}

static const char *yes_or_no(bool yes)
{
    return yes ? "yes" : "no";
}

static void forwarding_lines(struct buf *dst, const struct forward_policy *p)
{
    const char *tcp = p->local && p->remote ? "yes"
                      : p->local            ? "local"
                      : p->remote           ? "remote"
                                            : "no";
    bool unix_sockets = p->unix_sockets && p->local && p->remote;
    buf_appendf(dst, "AllowTcpForwarding %s\n", tcp);
    buf_appendf(dst, "GatewayPorts %s\n", p->public_listen ? "clientspecified" : "no");
    buf_appendf(dst, "AllowStreamLocalForwarding %s\n", yes_or_no(unix_sockets));
    buf_appendf(dst, "AllowAgentForwarding %s\n", yes_or_no(p->agent_forwarding));
}

/* The same for everybody. Logging must be able to show every listener and channel. */
static const char fixed_lines[] = "StrictModes no\n" /* the folder is private, but below /tmp */
                                  "PubkeyAuthentication yes\n"
                                  "AuthenticationMethods publickey\n"
                                  "PasswordAuthentication no\n"
                                  "KbdInteractiveAuthentication no\n"
                                  "HostbasedAuthentication no\n"
                                  "GSSAPIAuthentication no\n"
                                  "KerberosAuthentication no\n"
                                  "PermitEmptyPasswords no\n"
                                  "PermitRootLogin prohibit-password\n"
                                  "LoginGraceTime 30\n"
                                  "MaxAuthTries 20\n"
                                  "MaxSessions 100\n"
                                  "StreamLocalBindUnlink yes\n"
                                  "StreamLocalBindMask 0177\n"
                                  "PermitTunnel no\n"
                                  "X11Forwarding no\n"
                                  "PermitUserEnvironment no\n"
                                  "AcceptEnv LANG LC_* COLORTERM\n"
                                  "PrintMotd no\n"
                                  "PrintLastLog no\n"
                                  "UseDNS no\n"
                                  "PidFile none\n"
                                  "Compression no\n"
                                  "LogLevel DEBUG1\n"
                                  "Subsystem sftp internal-sftp\n";

int sshd_config_write(const struct sshd_config *config, struct buf *dst, struct err *err)
{
    int r = path_line(dst, "HostKey", config->host_key_file, err);
    if (r == 0)
        r = path_line(dst, "AuthorizedKeysFile", config->authorized_keys_file, err);
    if (r == 0)
        r = path_line(dst, "AllowUsers", config->user, err);
    if (r == 0)
        r = permit_lines(dst, config->forwarding, err);
    if (r < 0)
        return r;
    forwarding_lines(dst, config->forwarding);
    buf_appendf(dst, "UsePAM %s\n", yes_or_no(config->pam));
    r = buf_append_str(dst, fixed_lines);
    return r < 0 ? err_set(err, r, "sshd's configuration is too long") : 0;
}
