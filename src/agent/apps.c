#include "agent/apps.h"

#include <stdlib.h>

#include "agent/served.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/tls.h"

struct apps {
    struct loop *loop;
    struct tls_context *tls; /* made with the first channel that needs it */
    struct list served;
};

struct apps *apps_new(struct loop *loop)
{
    struct apps *a = new0(struct apps);
    a->loop = loop;
    list_init(&a->served);
    return a;
}

static struct tls_context *tls_of(struct apps *a)
{
    const struct tls_client_options options = {.insecure = true};
    struct err err = ERR_INIT;
    if (!a->tls && tls_context_client(&options, &a->tls, &err) < 0)
        log_error("no TLS towards apps", LOG_STR("reason", err.text));
    return a->tls;
}

void apps_handle(struct apps *a, struct channel_request *rq)
{
    if (!str_eq(channel_request_field(rq, "adit-tls"), "1"))
        serve_stream(a->loop, rq, &a->served);
    else if (tls_of(a))
        serve_tls_stream(a->loop, rq, a->tls, &a->served);
    else
        channel_refuse(rq, DIAL_INTERNAL, NULL);
}

struct apps *apps_free(struct apps *a)
{
    struct served *s, *next;
    if (!a)
        return NULL;
    list_for_each_safe (s, next, &a->served, link)
        served_end(s);
    tls_context_unref(a->tls);
    free(a);
    return NULL;
}
