#include "cli/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"
#include "cli/secret_file.h"
#include "proto/url.h"

enum { FILE_MAX_LEN = 256 * 1024 };

static int config_dir(char **ret, struct err *err)
{
    const char *xdg = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    /* The XDG base directory specification ignores relative paths. */
    if (xdg && xdg[0] == '/')
        *ret = xasprintf("%s/adit", xdg);
    else if (home && home[0] == '/')
        *ret = xasprintf("%s/.config/adit", home);
    else
        return err_set(err, -ENOENT,
                       "neither XDG_CONFIG_HOME nor HOME says where log-ins are kept");
    return 0;
}

static int find_path(char **ret, struct err *err)
{
    _cleanup_free_ char *dir = NULL;
    int r = config_dir(&dir, err);
    if (r == 0)
        *ret = xasprintf("%s/credentials.json", dir);
    return r;
}

int credentials_folder(char **ret, struct err *err)
{
    return config_dir(ret, err);
}

static int add(struct credentials *c, const char *url, const char *username, const char *token)
{
    if (c->len == CREDENTIALS_MAX)
        return -ENOSPC;
    c->items[c->len++] = (struct credential){
        .url = xstrdup(url),
        .username = xstrdup(username),
        .token = secret_new(token, strlen(token)),
    };
    return 0;
}

static int read_document(struct credentials *c, json_t *document)
{
    const char *current = json_string_value(json_object_get(document, "current")), *url;
    json_t *deployments = json_object_get(document, "deployments"), *entry;
    if (!json_is_object(deployments))
        return -EINVAL;
    json_object_foreach(deployments, url, entry)
    {
        const char *username = "", *token = NULL;
        if (json_unpack(entry, "{s?s, s:s}", "username", &username, "token", &token) < 0)
            return -EINVAL;
        if (add(c, url, username, token) < 0)
            return -EINVAL;
    }
    if (current && credentials_find(c, current))
        c->current = xstrdup(current);
    return 0;
}

int credentials_load(struct credentials *ret, struct err *err)
{
    *ret = (struct credentials){0};
    _cleanup_free_ char *path = NULL;
    char *text = NULL;
    size_t len = 0;
    int r = find_path(&path, err);
    if (r < 0)
        return r;
    r = secret_file_read(path, FILE_MAX_LEN, &text, &len, err);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;

    json_t *document = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    explicit_bzero(text, len);
    free(text);
    r = document ? read_document(ret, document) : -EINVAL;
    json_decref(document);
    if (r < 0) {
        credentials_deinit(ret);
        return err_set(err, -EINVAL, "%s is damaged: remove it and log in again", path);
    }
    return 0;
}

static json_t *to_document(const struct credentials *c)
{
    json_t *deployments = json_object();
    for (size_t i = 0; i < c->len; i++)
        json_object_set_new(deployments, c->items[i].url,
                            json_pack("{s:s, s:s}", "username", c->items[i].username, "token",
                                      c->items[i].token->text));
    return json_pack("{s:s?, s:o}", "current", c->current, "deployments", deployments);
}

int credentials_save(const struct credentials *c, struct err *err)
{
    _cleanup_free_ char *dir = NULL;
    _cleanup_free_ char *path = NULL;
    int r = config_dir(&dir, err);
    if (r == 0)
        r = find_path(&path, err);
    if (r == 0)
        r = secret_file_make_dir(dir, err);
    if (r < 0)
        return r;

    json_t *document = to_document(c);
    size_t len = json_dumpb(document, NULL, 0, JSON_INDENT(2));
    char *text = xmalloc(len + 1);
    len = json_dumpb(document, text, len, JSON_INDENT(2));
    json_decref(document);
    r = secret_file_write(path, text, len, err);
    explicit_bzero(text, len);
    free(text);
    return r;
}

static void credential_deinit(struct credential *c)
{
    free(c->url);
    free(c->username);
    secret_free(c->token);
}

void credentials_deinit(struct credentials *c)
{
    for (size_t i = 0; i < c->len; i++)
        credential_deinit(&c->items[i]);
    free(c->current);
    *c = (struct credentials){0};
}

const struct credential *credentials_find(const struct credentials *c, const char *url)
{
    for (size_t i = 0; i < c->len; i++)
        if (str_eq(c->items[i].url, url))
            return &c->items[i];
    return NULL;
}

int credentials_set(struct credentials *c, const char *url, const char *username,
                    const struct secret *token, struct err *err)
{
    credentials_remove(c, url);
    if (add(c, url, username, token->text) < 0)
        return err_set(err, -ENOSPC, "more than %d deployments: log out of some first",
                       CREDENTIALS_MAX);
    free(c->current);
    c->current = xstrdup(url);
    return 0;
}

int credentials_remove(struct credentials *c, const char *url)
{
    const struct credential *found = credentials_find(c, url);
    if (!found)
        return -ENOENT;
    size_t at = (size_t)(found - c->items);
    bool was_current = str_eq(c->current, url);
    credential_deinit(&c->items[at]);
    c->len--;
    memmove(&c->items[at], &c->items[at + 1], (c->len - at) * sizeof(c->items[0]));
    if (was_current) {
        free(c->current);
        c->current = c->len > 0 ? xstrdup(c->items[c->len - 1].url) : NULL;
    }
    return 0;
}

int credentials_url(const char *typed, char **ret, struct err *err)
{
    _cleanup_free_ char *full =
        strstr(typed, "://") ? xstrdup(typed) : xasprintf("https://%s", typed);
    struct url url;
    int r = url_parse(span_of(full), &url, err);
    if (r < 0)
        return r;
    _cleanup_(buf_deinit) struct buf origin = BUF_INIT(URL_MAX_LEN);
    if (url.scheme != URL_HTTP && url.scheme != URL_HTTPS)
        r = err_set(err, -EINVAL, "'%.100s' is neither an https:// nor an http:// URL", typed);
    else
        r = url_format_origin(&url, &origin);
    url_deinit(&url);
    if (r == 0)
        *ret = xstrdup(buf_cstr(&origin));
    return r;
}
