#include "forward/udp_flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "forward/internal.h"
#include "io/loop.h"
#include "io/stream.h"
#include "tunnel/datagram.h"

enum {
    WAITING_MAX_LEN = 72 * 1024, /* one datagram of the largest size, or many small ones */
    DNS_PORT = 53,
};

#define IDLE_LIMIT     (2 * USEC_PER_MIN)
#define IDLE_LIMIT_DNS (30 * USEC_PER_SEC)
#define DEAD_LIMIT     (2 * USEC_PER_SEC)
#define BLOCKED_LIMIT  (5 * USEC_PER_SEC)

struct packet {
    struct list link;
    size_t len;
    unsigned char data[];
};

usec_t udp_flow_idle_limit(uint16_t remote_port)
{
    return remote_port == DNS_PORT ? IDLE_LIMIT_DNS : IDLE_LIMIT;
}

static usec_t now_of(const struct udp_flow *f)
{
    return loop_now(f->item->forwarder->loop);
}

/* Not for an empty queue. */
static void drop_oldest(struct udp_flow *f)
{
    struct packet *p = container_of(f->waiting.next, struct packet, link);
    list_remove(&p->link);
    f->waiting_len -= p->len + sizeof(*p);
    free(p);
}

static void add_waiting(struct udp_flow *f, const void *data, size_t len)
{
    struct packet *p = malloc(sizeof(*p) + len);
    if (!p)
        return;
    p->len = len;
    memcpy(p->data, data, len);
    list_append(&f->waiting, &p->link);
    f->waiting_len += len + sizeof(*p);
    while (f->waiting_len > WAITING_MAX_LEN)
        drop_oldest(f);
}

static void die(struct udp_flow *f)
{
    f->dead = true;
    f->last_used = now_of(f);
    while (!list_empty(&f->waiting))
        drop_oldest(f);
}

static void tell_unreached(struct udp_flow *f, enum dial_result result, const char *reason)
{
    f->refused = result;
    f->item->refused++;
    forward_item_event(f->item, (struct forward_event){
                                    .kind = FORWARD_UNREACHED,
                                    .connection = f->number,
                                    .peer = f->peer_text,
                                    .target = f->target,
                                    .result = result,
                                    .text = reason && *reason ? reason : dial_result_text(result),
                                });
}

static void on_datagram(struct datagram_channel *d, const void *data, size_t len, void *ud)
{
    struct udp_flow *f = ud;
    f->last_used = now_of(f);
    f->received(f, data, len, f->owner);
}

static void on_ended(struct datagram_channel *d, int reason, void *ud)
{
    struct udp_flow *f = ud;
    die(f);
}

static void on_opened(struct stream *channel, enum dial_result result, const char *reason, void *ud)
{
    struct udp_flow *f = ud;
    if (result != DIAL_OK) {
        tell_unreached(f, result, reason);
        die(f);
        return;
    }
    struct datagram_options options = {.received = on_datagram, .ended = on_ended, .ud = f};
    f->channel = datagram_new(channel, &options);
    struct packet *p, *next;
    list_for_each_safe (p, next, &f->waiting, link)
        datagram_send(f->channel, p->data, p->len);
    while (!list_empty(&f->waiting))
        drop_oldest(f);
}

static void on_refused(struct stream *channel, enum dial_result result, const char *reason,
                       void *ud)
{
    tell_unreached(ud, result, reason);
}

static struct udp_flow *new_flow(struct forward_item *item, const struct addr *peer, void *owner)
{
    struct udp_flow *f = new0(struct udp_flow);
    f->item = item;
    f->owner = owner;
    f->peer = *peer;
    addr_format(peer, f->peer_text);
    list_init(&f->link);
    list_init(&f->waiting);
    f->since = f->last_used = now_of(f);
    return f;
}

struct udp_flow *udp_flow_new_blocked(struct forward_item *item, const struct addr *peer,
                                      void *owner)
{
    struct udp_flow *f = new_flow(item, peer, owner);
    f->blocked = f->dead = true;
    return f;
}

struct udp_flow *udp_flow_new(struct forward_item *item, const struct addr *peer, const char *host,
                              uint16_t port, udp_flow_received_fn *received, void *owner)
{
    struct udp_flow *f = new_flow(item, peer, owner);
    f->number = ++item->forwarder->last_connection;
    f->received = received;
    hostport_format(host, port, f->target);
    item->n_open++;
    item->total++;
    forward_item_event(item, (struct forward_event){.kind = FORWARD_ACCEPTED,
                                                    .connection = f->number,
                                                    .peer = f->peer_text,
                                                    .target = f->target});
    struct channel_target target = {.kind = CHANNEL_UDP, .host = host, .port = port};
    struct reach_options options = {
        .early = true, .done = on_opened, .refused = on_refused, .ud = f};
    reach_start(&f->reach, item->forwarder, &target, &options);
    return f;
}

void udp_flow_send(struct udp_flow *f, const void *data, size_t len)
{
    if (f->dead)
        return;
    f->last_used = now_of(f);
    if (f->channel)
        datagram_send(f->channel, data, len);
    else
        add_waiting(f, data, len);
}

void udp_flow_bytes(const struct udp_flow *f, uint64_t *ret_received, uint64_t *ret_sent)
{
    const struct datagram_stats *stats = f->channel ? datagram_get_stats(f->channel) : NULL;
    *ret_received = stats ? stats->received_bytes : 0;
    *ret_sent = stats ? stats->sent_bytes : 0;
}

usec_t udp_flow_left(const struct udp_flow *f, usec_t idle_limit, usec_t now)
{
    usec_t limit = f->blocked ? BLOCKED_LIMIT : f->dead ? DEAD_LIMIT : idle_limit;
    return f->last_used + limit - now;
}

struct udp_flow *udp_flow_free(struct udp_flow *f, bool tell)
{
    uint64_t received = 0, sent = 0;
    udp_flow_bytes(f, &received, &sent);
    list_remove(&f->link);
    f->item->received += received;
    f->item->sent += sent;
    if (!f->blocked)
        f->item->n_open--;
    if (tell && !f->blocked && f->refused == DIAL_OK)
        forward_item_event(f->item, (struct forward_event){.kind = FORWARD_CLOSED,
                                                           .connection = f->number,
                                                           .peer = f->peer_text,
                                                           .target = f->target,
                                                           .received = received,
                                                           .sent = sent,
                                                           .duration = now_of(f) - f->since});
    reach_cancel(&f->reach);
    datagram_free(f->channel);
    while (!list_empty(&f->waiting))
        drop_oldest(f);
    free(f);
    return NULL;
}
