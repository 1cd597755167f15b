/*
 * Who reads a word, and what each of them takes for more than text:
 *
 *     a command (ProxyCommand)      ssh expands %; then a shell, where single quotes hold all but '
 *     a command in Match exec       the same; before that ssh ends the text at the next ", and
 * newer versions take \ for an escape: such words go through printf a file (IdentityFile, ...)
 * quotes, \" and \\ in them; then % and ${ a file of Include             a glob, where newer
 * versions expand % and ${ before: patterns stand for all that is not plain
 *
 * The names that ssh itself puts in place of %n cannot break out of single quotes, because the
 * section does not apply to a name with one.
 */
#include "cli/ssh_settings.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/text.h"

#define HOSTS "adit.*"

int ssh_setup_check(const struct ssh_setup *setup, struct err *err)
{
    const char *const files[] = {setup->key_file, setup->hosts_file, setup->known_hosts_file};
    const char *const all[] = {setup->exe, setup->config_home, setup->url, setup->ca_file,
                               files[0],   files[1],           files[2]};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (text_has_control(span_of(all[i])))
            return err_set(err, -EINVAL, "ssh cannot be given \"%s\": it has control characters",
                           all[i]);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (strstr(files[i], "${"))
            return err_set(err, -EINVAL, "ssh cannot be given \"%s\": it takes ${ for a variable",
                           files[i]);
    return 0;
}

/* ---- words of a command ---- */

/* The words of a run of this program, up to and with "ssh". Returns their number. */
static size_t own_words(const struct ssh_setup *s, const char **ret, char **ret_owned)
{
    size_t n = 0;
    if (s->config_home) {
        *ret_owned = xasprintf("XDG_CONFIG_HOME=%s", s->config_home);
        ret[n++] = "env";
        ret[n++] = *ret_owned;
    }
    if (s->config_home && strchr(s->exe, '=')) {
        ret[n++] = "nice"; /* for env, a program with `=` in its name would be a variable */
        ret[n++] = "-n";
        ret[n++] = "0";
    }
    ret[n++] = s->exe;
    ret[n++] = "ssh";
    return n;
}

static void add_options(const struct ssh_setup *s, const char **words, size_t *n)
{
    if (s->url) {
        words[(*n)++] = "--url";
        words[(*n)++] = s->url;
    }
    if (s->ca_file) {
        words[(*n)++] = "--ca-file";
        words[(*n)++] = s->ca_file;
    }
    words[(*n)++] = "--host";
}

static bool is_plain(char c)
{
    static const char others[] = "/._-=:,+@";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr(others, c));
}

static bool is_plain_word(const char *word)
{
    while (is_plain(*word))
        word++;
    return *word == '\0';
}

static void append_quoted(struct buf *dst, const char *word)
{
    buf_append_byte(dst, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            buf_append_str(dst, "'\\''");
        else if (*word == '%')
            buf_append_str(dst, "%%");
        else
            buf_append_byte(dst, (unsigned char)*word);
    }
    buf_append_byte(dst, '\'');
}

static void append_words(struct buf *dst, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_append_str(dst, i ? " " : "");
        if (is_plain_word(words[i]))
            buf_append_str(dst, words[i]);
        else
            append_quoted(dst, words[i]);
    }
}

/* printf writes the words, each with a NUL behind it, xargs runs them: no shell sees them. */
static void append_words_printed(struct buf *dst, const char *const *words, size_t n)
{
    buf_append_str(dst, "printf '");
    for (size_t i = 0; i < n; i++) {
        for (const char *p = words[i]; *p; p++)
            buf_appendf(dst, is_plain(*p) ? "%c" : "\\%03o", (unsigned char)*p);
        buf_append_str(dst, "\\000");
    }
    /* Without a word of its own, xargs would run echo. */
    buf_append_str(dst, "%%s\\000' '%n' | xargs -0 nice -n 0");
}

static bool has_any(const char *const *words, size_t n, const char *chars)
{
    for (size_t i = 0; i < n; i++)
        if (strpbrk(words[i], chars))
            return true;
    return false;
}

static void append_prepare(const struct ssh_setup *s, struct buf *dst)
{
    _cleanup_free_ char *owned = NULL;
    const char *words[16];
    size_t n = own_words(s, words, &owned);
    words[n++] = "--prepare";
    add_options(s, words, &n);
    if (has_any(words, n, "\"\\'")) {
        append_words_printed(dst, words, n);
        return;
    }
    append_words(dst, words, n);
    buf_append_str(dst, " '%n'");
}

static void append_proxy(const struct ssh_setup *s, struct buf *dst)
{
    _cleanup_free_ char *owned = NULL;
    char wait[32];
    const char *words[16];
    size_t n = own_words(s, words, &owned);
    words[n++] = "--stdio";
    if (s->wait_sec) {
        snprintf(wait, sizeof(wait), "--wait=%u", s->wait_sec);
        words[n++] = wait;
    }
    if (s->no_direct)
        words[n++] = "--no-direct";
    add_options(s, words, &n);
    append_words(dst, words, n);
    buf_append_str(dst, " '%n'");
}

/* ---- files ---- */

static void append_file(struct buf *dst, const char *path)
{
    buf_append_byte(dst, '"');
    for (; *path; path++) {
        if (*path == '"' || *path == '\\')
            buf_append_byte(dst, '\\');
        buf_append_str(dst, *path == '%' ? "%" : "");
        buf_append_byte(dst, (unsigned char)*path);
    }
    buf_append_byte(dst, '"');
}

static void append_include(struct buf *dst, const char *path)
{
    buf_append_byte(dst, '"');
    for (; *path; path++) {
        if (strchr("*?[$", *path))
            buf_appendf(dst, "[%c]", *path);
        else if (*path == '%')
            buf_append_str(dst, "[$-&]");
        else
            buf_append_byte(dst, strchr("\"\\", *path) ? '?' : (unsigned char)*path);
    }
    buf_append_byte(dst, '"');
}

/* ---- settings ---- */

/* What comes first counts in ssh: these keep out what the person has for other hosts. */
static const struct {
    const char *name, *value;
} fixed[] = {
    {"HostName", "%h"},
    {"Port", "22"},
    {"StrictHostKeyChecking", "yes"},
    {"GlobalKnownHostsFile", "/dev/null"},
    {"HostKeyAlgorithms", "ssh-ed25519"},
    {"UpdateHostKeys", "no"},
    {"VerifyHostKeyDNS", "no"},
    {"CheckHostIP", "no"},
    {"CanonicalizeHostname", "no"},
    {"IdentitiesOnly", "yes"},
    {"PreferredAuthentications", "publickey"},
};

void ssh_settings(const struct ssh_setup *s, ssh_setting_fn *each, void *ud)
{
    _cleanup_(buf_deinit) struct buf value = BUF_INIT(SSH_SETTING_MAX);
    append_proxy(s, &value);
    each("ProxyCommand", buf_cstr(&value), false, ud);
    buf_clear(&value);
    append_file(&value, s->known_hosts_file);
    each("UserKnownHostsFile", buf_cstr(&value), false, ud);
    buf_clear(&value);
    append_file(&value, s->key_file);
    each("IdentityFile", buf_cstr(&value), false, ud);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        each(fixed[i].name, fixed[i].value, false, ud);
    /* The key exchange happens inside the session's TLS: what is quickest is good enough. */
    each("KexAlgorithms", "^curve25519-sha256", true, ud);
    if (s->aes)
        each("Ciphers", "^aes128-gcm@openssh.com,aes256-gcm@openssh.com", true, ud);
}

static void append_setting(const char *name, const char *value, bool preference, void *ud)
{
    buf_appendf(ud, "    %s %s\n", name, value);
}

void ssh_settings_section(const struct ssh_setup *s, struct buf *dst)
{
    buf_append_str(dst, "Match originalhost \"" HOSTS ",!*'*\" !exec \"");
    append_prepare(s, dst);
    buf_append_str(dst, "\"\n    ProxyCommand false\n"
                        "Host " HOSTS " \"!*'*\"\n"
                        "    Include ");
    append_include(dst, s->hosts_file);
    buf_append_byte(dst, '\n');
    ssh_settings(s, append_setting, dst);
    buf_append_str(dst, "Match all\n");
}
