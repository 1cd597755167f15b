/*
 * ssh_hosts is the source: the comment in each section holds what known_hosts is made from.
 *
 *     Host adit.dev
 *         # https://adit.example.com ssh-ed25519 AAAA...
 *         HostKeyAlias adit.dev
 *         User "anna"
 *
 * A lock file orders writers; readers see one state or the next, because files are replaced. The
 * keys are written first: whoever finds an alias in ssh_hosts finds its key.
 */
#include "cli/ssh_known.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/credentials.h"
#include "cli/secret_file.h"

/* ---- reading ---- */

static void read_comment(struct span rest, struct ssh_known *k)
{
    struct span url;
    struct ssh_public_key key;
    if (!span_split(&rest, ' ', &url) || !str_copy_span(k->url, sizeof(k->url), url))
        return;
    if (ssh_public_key_parse(rest, &key) == 0)
        str_copy_span(k->info.host_key, sizeof(k->info.host_key), rest);
}

/* "..." with backslashes before backslashes, as write_user() makes it. */
static void read_user(struct span quoted, struct ssh_known *k)
{
    size_t n = 0;
    if (quoted.len < 2 || !span_starts(quoted, "\"") || !span_ends(quoted, "\""))
        return;
    for (size_t i = 1; i + 1 < quoted.len && n + 1 < sizeof(k->info.user); i++) {
        if (quoted.p[i] == '\\' && i + 2 < quoted.len)
            i++;
        k->info.user[n++] = quoted.p[i];
    }
    k->info.user[n] = '\0';
}

static void read_line(struct span line, struct ssh_known *k)
{
    if (span_starts(line, "Host ")) {
        *k = (struct ssh_known){0};
        str_copy_span(k->alias, sizeof(k->alias), span_sub(line, 5, line.len));
    } else if (span_starts(line, "    # ")) {
        read_comment(span_sub(line, 6, line.len), k);
    } else if (span_starts(line, "    User ")) {
        read_user(span_sub(line, 9, line.len), k);
    }
}

void ssh_known_read(struct span text, struct ssh_known_list *ret)
{
    struct ssh_known k = {0};
    struct workspace_ref ref;
    struct span line;
    *ret = (struct ssh_known_list){0};
    while (span_split(&text, '\n', &line)) {
        read_line(line, &k);
        if (!k.info.user[0] || !k.info.host_key[0])
            continue;
        if (ssh_alias_parse(span_of(k.alias), &ref, NULL) == 0 &&
            ssh_known_check(&k.info, NULL) == 0)
            ssh_known_list_set(ret, &k);
        k = (struct ssh_known){0};
    }
}

/* ---- the list ---- */

static struct ssh_known *find(const struct ssh_known_list *list, const char *alias)
{
    for (size_t i = 0; i < list->len; i++)
        if (str_eq(list->items[i].alias, alias))
            return &list->items[i];
    return NULL;
}

const struct ssh_known *ssh_known_list_find(const struct ssh_known_list *list, const char *alias)
{
    return find(list, alias);
}

bool ssh_known_list_set(struct ssh_known_list *list, const struct ssh_known *known)
{
    struct ssh_known *k = find(list, known->alias);
    if (k && str_eq(k->url, known->url) && str_eq(k->info.user, known->info.user) &&
        str_eq(k->info.host_key, known->info.host_key))
        return false;
    if (!k) {
        if (!list->items)
            list->items = xcalloc(SSH_KNOWN_MAX, sizeof(*list->items));
        if (list->len == SSH_KNOWN_MAX)
            memmove(list->items, list->items + 1, --list->len * sizeof(*list->items));
        k = &list->items[list->len++];
    }
    *k = *known;
    return true;
}

void ssh_known_list_deinit(struct ssh_known_list *list)
{
    free(list->items);
    *list = (struct ssh_known_list){0};
}

/* ---- writing ---- */

int ssh_known_check(const struct api_ssh_info *info, struct err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._@+-\\";
    struct ssh_public_key key;
    size_t len = strlen(info->user);
    if (len == 0 || info->user[0] == '-' || strspn(info->user, allowed) != len ||
        info->user[len - 1] == '\\')
        return err_set(err, -EINVAL, "the name of the workspace's account is none that ssh takes");
    if (ssh_public_key_parse(span_of(info->host_key), &key) < 0)
        return err_set(err, -EINVAL, "the agent's host key is not understood");
    return 0;
}

static void write_user(const char *user, struct buf *dst)
{
    for (; *user; user++) {
        if (*user == '\\')
            buf_append_byte(dst, '\\');
        buf_append_byte(dst, (unsigned char)*user);
    }
}

void ssh_known_write_hosts(const struct ssh_known_list *list, struct buf *dst)
{
    buf_append_str(dst, "# Written by adit: workspaces that ssh has been to. See "
                        "adit-config-ssh(1).\n");
    for (size_t i = 0; i < list->len; i++) {
        const struct ssh_known *k = &list->items[i];
        buf_appendf(dst, "\nHost %s\n    # %s %s\n    HostKeyAlias %s\n    User \"", k->alias,
                    k->url, k->info.host_key, k->alias);
        write_user(k->info.user, dst);
        buf_append_str(dst, "\"\n");
    }
}

void ssh_known_write_keys(const struct ssh_known_list *list, struct buf *dst)
{
    for (size_t i = 0; i < list->len; i++)
        buf_appendf(dst, "%s %s\n", list->items[i].alias, list->items[i].info.host_key);
}

/* ---- the files ---- */

int ssh_known_paths(char **ret_hosts, char **ret_keys, struct err *err)
{
    _cleanup_free_ char *folder = NULL;
    int r = credentials_folder(&folder, err);
    if (r < 0)
        return r;
    *ret_hosts = xasprintf("%s/ssh_hosts", folder);
    *ret_keys = xasprintf("%s/ssh_known_hosts", folder);
    return 0;
}

static void load(const char *path, struct ssh_known_list *ret)
{
    char *text = NULL;
    size_t len = 0;
    *ret = (struct ssh_known_list){0};
    if (secret_file_read(path, SSH_KNOWN_FILE_MAX, &text, &len, NULL) == 0)
        ssh_known_read(span_from(text, len), ret);
    free(text);
}

bool ssh_known_find(const char *url, const char *alias, struct api_ssh_info *ret)
{
    _cleanup_free_ char *hosts = NULL;
    _cleanup_free_ char *keys = NULL;
    struct ssh_known_list list;
    if (ssh_known_paths(&hosts, &keys, NULL) < 0 || access(keys, R_OK) < 0)
        return false;
    load(hosts, &list);
    const struct ssh_known *k = find(&list, alias);
    bool found = k && str_eq(k->url, url);
    if (found)
        *ret = k->info;
    ssh_known_list_deinit(&list);
    return found;
}

static int save(const struct ssh_known_list *list, const char *hosts, const char *keys,
                struct err *err)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(SSH_KNOWN_FILE_MAX);
    ssh_known_write_keys(list, &text);
    int r = secret_file_write(keys, buf_data(&text), text.len, err);
    buf_clear(&text);
    ssh_known_write_hosts(list, &text);
    return r < 0 ? r : secret_file_write(hosts, buf_data(&text), text.len, err);
}

static int keep_locked(const struct ssh_known *known, const char *hosts, const char *keys,
                       struct err *err)
{
    struct ssh_known_list list;
    load(hosts, &list);
    int r = ssh_known_list_set(&list, known) || access(keys, R_OK) < 0
                ? save(&list, hosts, keys, err)
                : 0;
    ssh_known_list_deinit(&list);
    return r;
}

int ssh_known_keep(const char *url, const char *alias, const struct api_ssh_info *info,
                   struct err *err)
{
    _cleanup_free_ char *hosts = NULL;
    _cleanup_free_ char *keys = NULL;
    struct ssh_known known = {.info = *info};
    struct api_ssh_info kept;
    int r = ssh_known_check(info, err);
    if (r < 0)
        return r;
    if (!str_copy(known.url, sizeof(known.url), url) || strchr(url, ' '))
        return err_set(err, -EINVAL, "the deployment's URL is too long for ssh");
    str_copy(known.alias, sizeof(known.alias), alias);
    if (ssh_known_find(url, alias, &kept) && str_eq(kept.user, info->user) &&
        str_eq(kept.host_key, info->host_key))
        return 0;
    r = ssh_known_paths(&hosts, &keys, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *folder = xstrndup(hosts, (size_t)(strrchr(hosts, '/') - hosts));
    r = secret_file_make_dir(folder, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *lock_path = xasprintf("%s.lock", hosts);
    _cleanup_close_ int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return err_sys(err, -errno, "%s", lock_path);
    return keep_locked(&known, hosts, keys, err);
}

int ssh_known_forget(struct err *err)
{
    _cleanup_free_ char *hosts = NULL;
    _cleanup_free_ char *keys = NULL;
    int r = ssh_known_paths(&hosts, &keys, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *lock = xasprintf("%s.lock", hosts);
    const char *const paths[] = {hosts, keys, lock};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (unlink(paths[i]) < 0 && errno != ENOENT)
            return err_sys(err, -errno, "%s", paths[i]);
    return 0;
}
