#include "tunnel/lane_dial.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/client_proxy.h"
#include "http/client_request.h"
#include "io/fd_stream.h"
#include "io/stream.h"
#include "proto/hostport.h"
#include "proto/url.h"

static const char protocol[] = "adit-lane";

enum { UNSENT_MOST = 256 * 1024 };

struct lane_dial {
    struct client_request *request;
    lane_dialled_fn *dialled;
    void *ud;
};

static void answered(int result, const struct client_result *answer, const struct err *err,
                     void *ud)
{
    struct lane_dial d = *(struct lane_dial *)ud;
    struct err why = err ? *err : (struct err)ERR_INIT;
    struct stream *s = result == 0 ? answer->upgraded : NULL;
    free(ud);
    if (s && !headers_has_token(&answer->headers, "Upgrade", protocol))
        s = stream_free(s);
    if (!s && result == 0)
        err_set(&why, -EPROTO, "the server does not join lanes here: it answered %u",
                answer->status);
    if (s)
        lane_tune(s);
    d.dialled(s, &why, d.ud);
}

static const char *from_environment(const char *name)
{
    return getenv(name);
}

/* Where the server listens, in plain HTTP whatever its scheme. */
static char *plain_url(const struct url *url, const char *ticket)
{
    char authority[HOSTPORT_SIZE];
    struct span path = span_of(url->path);
    while (span_ends(path, "/"))
        path.len--;
    hostport_format(url->host, url->port, authority);
    return xasprintf("http://%s" SPAN_FMT "/api/v1/lanes/%s", authority, SPAN_ARG(path), ticket);
}

int lane_dial_start(struct loop *loop, const char *server_url, const char *ticket,
                    lane_dialled_fn *dialled, void *ud, struct lane_dial **ret, struct err *err)
{
    struct url url;
    int r = url_parse(span_of(server_url), &url, err);
    if (r < 0)
        return r;
    const char *proxy = client_proxy_find(&url, from_environment);
    struct lane_dial *d = new0(struct lane_dial);
    char *plain = plain_url(&url, ticket);
    d->dialled = dialled;
    d->ud = ud;
    const struct client_request_options options = {.url = plain,
                                                   .timeout = LANE_SET_UP_SEC * USEC_PER_SEC,
                                                   .proxy = proxy ? proxy : "",
                                                   .upgrade = protocol,
                                                   .done = answered,
                                                   .ud = d};
    r = client_request_start(loop, &options, &d->request, err);
    free(plain);
    url_deinit(&url);
    if (r < 0)
        free(d);
    else
        *ret = d;
    return r < 0 ? r : 0;
}

struct lane_dial *lane_dial_cancel(struct lane_dial *d)
{
    if (d) {
        client_request_cancel(d->request);
        free(d);
    }
    return NULL;
}

void lane_tune(struct stream *connection)
{
    stream_limit_unsent(connection, UNSENT_MOST);
}
