#include "web/links.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "proto/app_url.h"
#include "web/instance.h"

static void fill_place(const struct link_place *place, struct app_host *host)
{
    str_copy(host->workspace, sizeof(host->workspace), place->ws->name);
    str_copy(host->user, sizeof(host->user), place->ws->owner_name);
    str_copy(host->alias, sizeof(host->alias), place->agent->alias);
    if (!place->without_agent)
        str_copy(host->agent, sizeof(host->agent), place->agent->name);
}

static char *link_host(const struct web *web, const struct app_host *host)
{
    _cleanup_(buf_deinit) struct buf url = BUF_INIT(URL_MAX_LEN);

    if (!web->o.apps || app_url_format(web->o.apps, host, &url) < 0)
        return NULL;
    return xstrndup((const char *)buf_data(&url), url.len);
}

char *link_port(const struct web *web, const struct link_place *place, uint16_t port, bool https)
{
    struct app_host host = {.port = port, .https = https};

    if (port < APP_PORT_MIN)
        return NULL;
    fill_place(place, &host);
    return link_host(web, &host);
}

char *link_app(const struct web *web, const struct link_place *place, const struct app *app)
{
    struct app_host host = {0};

    if (!app->subdomain)
        return xasprintf("%s/@%s/%s%s%s/apps/%s/", web->o.access_url, place->ws->owner_name,
                         place->ws->name, place->without_agent ? "" : ".",
                         place->without_agent ? "" : place->agent->name, app->slug);
    fill_place(place, &host);
    str_copy(host.slug, sizeof(host.slug), app->slug);
    return link_host(web, &host);
}
