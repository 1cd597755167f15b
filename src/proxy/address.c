#include "proxy/address.h"

#include <string.h>

#include "proto/hostport.h"

/* The host name by itself. False: there is none. */
static bool read_site(struct span host, char dst[static HOST_SIZE])
{
    struct hostport hp;
    size_t len;
    if (hostport_parse(host, 80, &hp) < 0)
        return false;
    len = strlen(hp.host);
    if (len > 1 && hp.host[len - 1] == '.')
        hp.host[len - 1] = '\0';
    return str_copy(dst, HOST_SIZE, hp.host);
}

static bool is_port_text(struct span text)
{
    if (text.len > 1 && (span_ends(text, "s") || span_ends(text, "S")))
        text.len--;
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return text.len > 0;
}

/* The piece up to the next slash; *rest is what follows it. */
static struct span take_segment(struct span *rest)
{
    ptrdiff_t slash = span_find(*rest, '/');
    size_t len = slash < 0 ? rest->len : (size_t)slash;
    struct span piece = span_sub(*rest, 0, len);
    *rest = span_sub(*rest, len + 1, rest->len);
    return piece;
}

static bool read_workspace(struct span text, struct app_host *app)
{
    ptrdiff_t dot = span_find(text, '.');
    if (dot >= 0 &&
        name_parse(NAME_AGENT, span_sub(text, (size_t)dot + 1, text.len), app->agent, NULL) < 0)
        return false;
    return name_parse(NAME_WORKSPACE, span_sub(text, 0, dot < 0 ? text.len : (size_t)dot),
                      app->workspace, NULL) == 0;
}

/* "/@USER/WORKSPACE[.AGENT]/apps/SLUG[/...]" */
static enum address_kind read_path(struct span path, struct address *ret)
{
    struct span rest = span_sub(path, 2, path.len);
    struct span user = take_segment(&rest), workspace = take_segment(&rest);
    struct span apps = take_segment(&rest), slug = take_segment(&rest);
    size_t base_len = (size_t)(slug.p + slug.len - path.p);

    if (!span_is(apps, "apps") || name_parse(NAME_USER, user, ret->app.user, NULL) < 0 ||
        !read_workspace(workspace, &ret->app))
        return ADDRESS_BAD_PATH;
    if (is_port_text(slug))
        return ADDRESS_PORT_BY_PATH;
    if (name_parse(NAME_SLUG, slug, ret->app.slug, NULL) < 0 ||
        !str_copy_span(ret->base, sizeof(ret->base) - 1, span_sub(path, 0, base_len)))
        return ADDRESS_BAD_PATH;
    memcpy(ret->base + base_len, "/", 2);
    ret->by_path = true;
    ret->path = span_sub(path, base_len, path.len);
    return base_len == path.len ? ADDRESS_NO_SLASH : ADDRESS_APP;
}

enum address_kind address_of(const struct app_site *site, const char *access_host, struct span host,
                             struct span path, struct address *ret)
{
    *ret = (struct address){.base = "/", .path = path};
    bool named = read_site(host, ret->site);
    if (site && !(named && str_eq(ret->site, access_host))) {
        switch (app_host_parse(&site->pattern, host, &ret->app)) {
        case APP_HOST_MATCH:
            return named ? ADDRESS_APP : ADDRESS_BAD_HOST;
        case APP_HOST_INVALID:
            return ADDRESS_BAD_HOST;
        case APP_HOST_OTHER:
            break;
        }
    }
    if (!span_starts(path, "/@"))
        return ADDRESS_OTHER;
    /* A ticket is bound to the host's name, so there must be one. */
    return named ? read_path(path, ret) : ADDRESS_BAD_HOST;
}
