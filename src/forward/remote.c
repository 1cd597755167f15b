/*
 * Listeners in the workspace (-R). They end with the session; on the next one the same port is
 * asked for. The agent may still hold it for a session that it has not yet found dead, so "in use"
 * is tried again for a while before another port is taken (where any port was asked for).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/span.h"
#include "forward/connection.h"
#include "forward/internal.h"
#include "io/loop.h"
#include "io/stream.h"
#include "tunnel/listen_client.h"

enum {
    SAME_PORT_TRIES = 8,
    RETRY_FIRST_MS = 500,
    RETRY_MOST_MS = 30000,
};

struct remote_forward {
    struct forward_item *item;
    struct listen_client *listen; /* NULL while it is not asked for */
    bool bound;                   /* it listens now */
    bool was_bound;
    unsigned failures; /* in a row */
    struct timer retry;
};

static void on_bound(struct listen_client *l, enum dial_result result, uint16_t port,
                     const char *reason, void *ud);
static void on_accepted(struct listen_client *l, struct stream *connection, const char *originator,
                        void *ud);
static void on_ended(struct listen_client *l, int reason, void *ud);

static void drop_listener(struct remote_forward *r)
{
    const struct forward_channels *channels = &r->item->forwarder->options.channels;
    if (r->listen)
        channels->unlisten(r->listen, channels->ud);
    r->listen = NULL;
    r->bound = false;
    r->item->address[0] = 0;
}

static uint16_t port_to_ask_for(const struct remote_forward *r)
{
    uint16_t wanted = r->item->forward->local_port;
    if (wanted == 0 && r->was_bound && r->failures < SAME_PORT_TRIES)
        return r->item->port;
    return wanted;
}

static void ask(struct remote_forward *r)
{
    const struct forward *fw = r->item->forward;
    const struct forward_channels *channels = &r->item->forwarder->options.channels;
    struct listen_client_options options = {
        .bind = fw->bind,
        .port = fw->local_path ? 0 : port_to_ask_for(r),
        .path = fw->local_path,
        .bound = on_bound,
        .accepted = on_accepted,
        .ended = on_ended,
        .ud = r,
    };
    timer_cancel(&r->retry);
    if (!r->listen)
        r->listen = channels->listen(&options, channels->ud);
}

static void on_retry(struct timer *t, void *ud)
{
    ask(ud);
}

static void retry_later(struct remote_forward *r)
{
    usec_t ms = RETRY_MOST_MS;
    if (r->failures < 6)
        ms = (usec_t)RETRY_FIRST_MS << r->failures;
    r->failures++;
    timer_start(&r->retry, ms * USEC_PER_MSEC);
}

static void set_address(struct forward_item *item)
{
    const struct forward *fw = item->forward;
    char text[HOSTPORT_SIZE];
    if (fw->local_path)
        str_copy(item->address, sizeof(item->address), fw->local_path);
    else
        str_copy(item->address, sizeof(item->address),
                 hostport_format(fw->bind ? fw->bind : "localhost", item->port, text));
}

static void tell_opened(struct remote_forward *r, uint16_t port)
{
    struct forward_item *item = r->item;
    uint16_t before = r->was_bound ? item->port : item->forward->local_port;
    bool first = !r->was_bound;
    item->port = port;
    r->bound = r->was_bound = true;
    r->failures = 0;
    set_address(item);
    forward_item_event(item, (struct forward_event){.kind = FORWARD_OPENED,
                                                    .port = port,
                                                    .moved = before != 0 && before != port,
                                                    .again = !first});
    if (first && bind_is_public(item->forward))
        forward_item_event(item, (struct forward_event){
                                     .kind = FORWARD_WARNING,
                                     .text = "everyone who can reach the workspace's machine on "
                                             "the network can use this forward"});
}

static bool may_pass(enum dial_result result)
{
    return result == DIAL_UNAVAILABLE || result == DIAL_CLOSED || result == DIAL_TIMEOUT;
}

static void on_bound(struct listen_client *l, enum dial_result result, uint16_t port,
                     const char *reason, void *ud)
{
    struct remote_forward *r = ud;
    if (result == DIAL_OK) {
        tell_opened(r, port);
        return;
    }
    bool retrying = r->was_bound || may_pass(result);
    bool tell = !retrying || (r->failures == SAME_PORT_TRIES && !may_pass(result));
    drop_listener(r);
    if (retrying)
        retry_later(r);
    if (tell)
        forward_item_event(r->item,
                           (struct forward_event){
                               .kind = FORWARD_FAILED,
                               .port = port_to_ask_for(r),
                               .result = result,
                               .retrying = retrying,
                               .text = reason && *reason ? reason : dial_result_text(result),
                           });
}

static void on_accepted(struct listen_client *l, struct stream *connection, const char *originator,
                        void *ud)
{
    struct remote_forward *r = ud;
    struct connection *c = connection_new(r->item, connection, originator, true);
    if (!c)
        return;
    if (r->item->forward->kind == FORWARD_REMOTE_DYNAMIC)
        connection_to_named_target(c);
    else
        connection_to_target(c);
}

static void tell_away(struct remote_forward *r, const char *reason)
{
    if (!r->bound)
        return;
    r->bound = false;
    r->item->address[0] = 0;
    forward_item_event(r->item, (struct forward_event){.kind = FORWARD_AWAY, .text = reason});
}

static void on_ended(struct listen_client *l, int reason, void *ud)
{
    struct remote_forward *r = ud;
    tell_away(r, reason < 0 ? dial_result_text(dial_result_from_errno(reason)) : "it was closed");
    drop_listener(r);
    retry_later(r);
}

struct remote_forward *remote_forward_new(struct forward_item *item)
{
    struct remote_forward *r = new0(struct remote_forward);
    r->item = item;
    timer_init(&r->retry, item->forwarder->loop, on_retry, r);
    return r;
}

void remote_forward_session_up(struct remote_forward *r)
{
    r->failures = 0;
    ask(r);
}

void remote_forward_session_down(struct remote_forward *r, const char *reason)
{
    tell_away(r, reason);
    drop_listener(r);
    timer_cancel(&r->retry);
}

struct remote_forward *remote_forward_free(struct remote_forward *r)
{
    if (!r)
        return NULL;
    drop_listener(r);
    timer_cancel(&r->retry);
    free(r);
    return NULL;
}
