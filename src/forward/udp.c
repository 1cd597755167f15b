/*
 * A flow per source address, in a list ordered by use: the last one is the next to idle out, and
 * the one to go when there are too many. A map finds the flow of a source. Who sends is asked when
 * a source is new, and again after a pause, because another user may have got its port meanwhile.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "forward/internal.h"
#include "forward/same_user.h"
#include "forward/udp_flow.h"
#include "io/loop.h"
#include "io/udp.h"

enum { FLOWS_MAX = 1024 };

#define RECHECK_AFTER USEC_PER_SEC

struct udp_forward {
    struct forward_item *item;
    struct udp *sockets[BIND_ADDRS_MAX];
    size_t n_sockets;
    struct map *by_source;
    struct list flows; /* the one used last is the last */
    size_t n_flows;
    struct timer idle;
    bool started;
};

static usec_t idle_limit_of(const struct udp_forward *u)
{
    return udp_flow_idle_limit(u->item->forward->remote_port);
}

static void remove_flow(struct udp_forward *u, struct udp_flow *flow, bool tell)
{
    map_take(u->by_source, flow->peer_text);
    u->n_flows--;
    udp_flow_free(flow, tell);
}

static void on_idle(struct timer *t, void *ud)
{
    struct udp_forward *u = ud;
    usec_t now = loop_now(u->item->forwarder->loop), limit = idle_limit_of(u), next = limit;
    struct udp_flow *flow, *tmp;
    list_for_each_safe (flow, tmp, &u->flows, link) {
        usec_t left = udp_flow_left(flow, limit, now);
        if (left <= 0)
            remove_flow(u, flow, true);
        else if (left < next)
            next = left;
    }
    if (!list_empty(&u->flows))
        timer_start(t, next);
}

/* The timer wakes at least once a second while a flow lives whose end is near. */
static void watch_idle(struct udp_forward *u)
{
    if (!timer_pending(&u->idle))
        timer_start(&u->idle, USEC_PER_SEC);
}

static struct udp *socket_for(struct udp_forward *u, const struct addr *peer)
{
    for (size_t i = 0; i < u->n_sockets; i++)
        if (udp_addr(u->sockets[i])->sa.sa_family == peer->sa.sa_family)
            return u->sockets[i];
    return NULL;
}

static void on_answer(struct udp_flow *flow, const void *data, size_t len, void *ud)
{
    struct udp_forward *u = ud;
    struct udp *socket = socket_for(u, &flow->peer);
    if (socket)
        udp_send(socket, data, len, &flow->peer);
}

static void tell_refused(struct udp_forward *u, const char *peer,
                         const struct same_user_verdict *verdict)
{
    u->item->refused++;
    forward_item_event(u->item, (struct forward_event){
                                    .kind = FORWARD_REFUSED,
                                    .peer = peer,
                                    .user = verdict->known ? verdict->user : NULL,
                                    .result = DIAL_FORBIDDEN,
                                    .text = verdict->known ? "another user's datagram"
                                                           : "the sender's user is not known",
                                });
}

static bool is_allowed(struct udp_forward *u, const struct addr *from, const struct addr *local,
                       struct same_user_verdict *ret_verdict)
{
    if (u->item->forwarder->options.allow_other_users)
        return true;
    *ret_verdict = same_user_udp(from, local);
    return ret_verdict->allowed;
}

static void make_room(struct udp_forward *u)
{
    size_t max = u->item->forwarder->options.max_udp_flows;
    if (u->n_flows < (max ? max : FLOWS_MAX))
        return;
    remove_flow(u, container_of(u->flows.next, struct udp_flow, link), true);
}

static struct udp_flow *add_flow(struct udp_forward *u, const struct addr *from,
                                 const struct addr *local)
{
    const struct forward *fw = u->item->forward;
    struct same_user_verdict verdict = {0};
    bool allowed = is_allowed(u, from, local, &verdict);
    make_room(u);
    struct udp_flow *flow =
        allowed ? udp_flow_new(u->item, from, fw->host, fw->remote_port, on_answer, u)
                : udp_flow_new_blocked(u->item, from, u);
    if (!allowed)
        tell_refused(u, flow->peer_text, &verdict);
    map_put(u->by_source, flow->peer_text, flow);
    list_append(&u->flows, &flow->link);
    u->n_flows++;
    watch_idle(u);
    return flow;
}

static struct udp_flow *find_flow(struct udp_forward *u, const struct addr *from)
{
    if (list_empty(&u->flows))
        return NULL;
    struct udp_flow *last = container_of(u->flows.prev, struct udp_flow, link);
    if (addr_equal(&last->peer, from))
        return last;
    char text[ADDR_TEXT_LEN];
    return map_get(u->by_source, addr_format(from, text));
}

static void on_received(struct udp *socket, const void *data, size_t len, const struct addr *from,
                        void *ud)
{
    struct udp_forward *u = ud;
    if (!u->started)
        return;
    usec_t now = loop_now(u->item->forwarder->loop);
    struct udp_flow *flow = find_flow(u, from);
    struct same_user_verdict verdict = {0};
    bool over = flow && udp_flow_left(flow, idle_limit_of(u), now) <= 0;
    if (flow && !over && !flow->dead && now - flow->last_used > RECHECK_AFTER)
        over = !is_allowed(u, from, udp_addr(socket), &verdict);
    if (over) {
        remove_flow(u, flow, true);
        flow = NULL;
    }
    if (!flow)
        flow = add_flow(u, from, udp_addr(socket));
    list_remove(&flow->link);
    list_append(&u->flows, &flow->link);
    udp_flow_send(flow, data, len);
}

int udp_forward_open(struct forward_item *item, uint16_t port, struct err *err)
{
    struct bind_addrs b;
    int r = bind_addrs_of(item->forward, port, &b, err);
    if (r < 0)
        return r;
    struct udp_forward *u = new0(struct udp_forward);
    u->item = item;
    u->by_source = map_new();
    list_init(&u->flows);
    timer_init(&u->idle, item->forwarder->loop, on_idle, u);
    struct udp_options options = {.received = on_received, .ud = u};
    for (size_t i = 0; i < b.len; i++) {
        struct err ignored = ERR_INIT;
        r = udp_bind(item->forwarder->loop, &b.addrs[i], &options, &u->sockets[u->n_sockets],
                     i == 0 ? err : &ignored);
        if (r < 0 && i == 0) {
            udp_forward_free(u);
            return r;
        }
        if (r == 0)
            u->n_sockets++;
        else if (r == -EADDRINUSE)
            forward_item_warn_shadowed(item, &b.addrs[i]);
    }
    item->udp = u;
    item->port = addr_port(udp_addr(u->sockets[0]));
    addr_format(udp_addr(u->sockets[0]), item->address);
    return 0;
}

void udp_forward_start(struct udp_forward *u)
{
    u->started = true;
}

void udp_forward_add_stats(const struct udp_forward *u, struct forward_stats *stats)
{
    const struct udp_flow *flow;
    list_for_each (flow, &u->flows, link) {
        uint64_t received, sent;
        udp_flow_bytes(flow, &received, &sent);
        stats->received += received;
        stats->sent += sent;
    }
}

struct udp_forward *udp_forward_free(struct udp_forward *u)
{
    if (!u)
        return NULL;
    for (size_t i = 0; i < u->n_sockets; i++)
        udp_close(u->sockets[i]);
    struct udp_flow *flow, *tmp;
    list_for_each_safe (flow, tmp, &u->flows, link)
        remove_flow(u, flow, false);
    timer_cancel(&u->idle);
    map_free(u->by_source);
    free(u);
    return NULL;
}
