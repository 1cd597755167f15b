#include "ssh/sshd_config.h"

#include <errno.h>

#include "base/span.h"

static int permit_line(struct buf *dst, const char *keyword, const struct ssh_rules *rules)
{
    buf_append_str(dst, keyword);
    if (rules->any)
        return buf_append_str(dst, " any\n");
    if (rules->entries.len == 0)
        return buf_append_str(dst, " none\n");
    for (size_t i = 0; i < rules->entries.len; i++)
        buf_appendf(dst, " %s", rules->entries.items[i]);
    return buf_append_byte(dst, '\n');
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

/* GatewayPorts: `clientspecified` is the only value but `no` that binds what was asked for. */
static int forwarding_lines(struct buf *dst, const struct ssh_grant *g)
{
    const char *tcp = g->local && g->remote ? "yes"
                      : g->local            ? "local"
                      : g->remote           ? "remote"
                                            : "no";
    buf_appendf(dst, "AllowTcpForwarding %s\n", tcp);
    buf_appendf(dst, "GatewayPorts %s\n", g->public_listen ? "clientspecified" : "no");
    buf_appendf(dst, "AllowStreamLocalForwarding %s\n", yes_or_no(g->unix_sockets));
    buf_appendf(dst, "AllowAgentForwarding %s\n", yes_or_no(g->agent_forwarding));
    permit_line(dst, "PermitOpen", &g->open);
    return permit_line(dst, "PermitListen", &g->listen);
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
    if (r == 0 && config->banner_file)
        r = path_line(dst, "Banner", config->banner_file, err);
    if (r < 0)
        return r;
    buf_appendf(dst, "PermitTTY %s\n", yes_or_no(!config->no_terminal));
    buf_appendf(dst, "UsePAM %s\n", yes_or_no(config->pam));
    r = forwarding_lines(dst, config->grant);
    if (r == 0)
        r = buf_append_str(dst, fixed_lines);
    return r < 0 ? err_set(err, r, "sshd's configuration is too long") : 0;
}
