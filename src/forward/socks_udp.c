#include "forward/socks_udp.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "forward/internal.h"
#include "forward/same_user.h"
#include "forward/udp_flow.h"
#include "io/loop.h"
#include "io/udp.h"
#include "proto/socks.h"

enum { TARGETS_MAX = 64 };

struct socks_udp {
    struct forward_item *item;
    struct udp *socket;
    struct addr client;
    bool client_known; /* the port too */
    struct list flows; /* the one used last is the last */
    size_t n_flows;
    uint64_t received, sent; /* of flows that have ended */
    struct timer idle;
};

static usec_t idle_limit_of(const struct udp_flow *flow)
{
    return udp_flow_idle_limit(span_ends(span_of(flow->target), ":53") ? 53 : 0);
}

static void remove_flow(struct socks_udp *s, struct udp_flow *flow, bool tell)
{
    uint64_t received, sent;
    udp_flow_bytes(flow, &received, &sent);
    s->received += received;
    s->sent += sent;
    s->n_flows--;
    udp_flow_free(flow, tell);
}

static void on_idle(struct timer *t, void *ud)
{
    struct socks_udp *s = ud;
    usec_t now = loop_now(s->item->forwarder->loop);
    struct udp_flow *flow, *tmp;
    list_for_each_safe (flow, tmp, &s->flows, link)
        if (udp_flow_left(flow, idle_limit_of(flow), now) <= 0)
            remove_flow(s, flow, true);
    if (!list_empty(&s->flows))
        timer_start(t, USEC_PER_SEC);
}

static void on_answer(struct udp_flow *flow, const void *data, size_t len, void *ud)
{
    struct socks_udp *s = ud;
    struct hostport target;
    unsigned char packet[SOCKS_HEADER_MAX + UDP_PAYLOAD_MAX];
    if (hostport_parse(span_of(flow->target), 0, &target) < 0)
        return;
    ssize_t header = socks_datagram_header(target.host, target.port, packet);
    /* A datagram that does not fit with its header cannot be delivered whole. */
    if (header < 0 || len > UDP_PAYLOAD_MAX - (size_t)header)
        return;
    memcpy(packet + header, data, len);
    udp_send(s->socket, packet, (size_t)header + len, &s->client);
}

static struct udp_flow *flow_to(struct socks_udp *s, const char *host, uint16_t port)
{
    char text[HOSTPORT_SIZE];
    hostport_format(host, port, text);
    struct udp_flow *flow;
    list_for_each (flow, &s->flows, link)
        if (str_eq(flow->target, text))
            return flow;
    if (s->n_flows == TARGETS_MAX)
        remove_flow(s, container_of(s->flows.next, struct udp_flow, link), true);
    flow = udp_flow_new(s->item, &s->client, host, port, on_answer, s);
    list_append(&s->flows, &flow->link);
    s->n_flows++;
    if (!timer_pending(&s->idle))
        timer_start(&s->idle, USEC_PER_SEC);
    return flow;
}

/* Only the client's own address and port; its first datagram settles the port. */
static bool is_client(struct socks_udp *s, const struct addr *from)
{
    if (s->client_known)
        return addr_equal(from, &s->client);
    struct addr expected = s->client;
    if (addr_port(&expected) == 0)
        addr_set_port(&expected, addr_port(from));
    if (!addr_equal(from, &expected))
        return false;
    if (!s->item->forwarder->options.allow_other_users &&
        !same_user_udp(from, udp_addr(s->socket)).allowed)
        return false;
    s->client = *from;
    s->client_known = true;
    return true;
}

static void on_received(struct udp *socket, const void *data, size_t len, const struct addr *from,
                        void *ud)
{
    struct socks_udp *s = ud;
    struct socks_datagram d;
    if (!is_client(s, from) || socks_datagram_parse(data, len, &d) < 0 || d.port == 0)
        return;
    struct udp_flow *flow = flow_to(s, d.host, d.port);
    list_remove(&flow->link);
    list_append(&s->flows, &flow->link);
    udp_flow_send(flow, d.payload.p, d.payload.len);
}

int socks_udp_new(struct forward_item *item, const struct addr *local, const struct addr *client,
                  uint16_t client_port, struct socks_udp **ret, struct err *err)
{
    struct socks_udp *s = new0(struct socks_udp);
    struct addr bind_to = *local;
    addr_set_port(&bind_to, 0);
    s->item = item;
    s->client = *client;
    list_init(&s->flows);
    timer_init(&s->idle, item->forwarder->loop, on_idle, s);
    struct udp_options options = {.received = on_received, .ud = s};
    int r = udp_bind(item->forwarder->loop, &bind_to, &options, &s->socket, err);
    if (r < 0) {
        socks_udp_free(s);
        return r;
    }
    addr_set_port(&s->client, client_port);
    *ret = s;
    return 0;
}

const struct addr *socks_udp_addr(const struct socks_udp *s)
{
    return udp_addr(s->socket);
}

void socks_udp_bytes(const struct socks_udp *s, uint64_t *ret_received, uint64_t *ret_sent)
{
    *ret_received = s->received;
    *ret_sent = s->sent;
    const struct udp_flow *flow;
    list_for_each (flow, &s->flows, link) {
        uint64_t received, sent;
        udp_flow_bytes(flow, &received, &sent);
        *ret_received += received;
        *ret_sent += sent;
    }
}

struct socks_udp *socks_udp_free(struct socks_udp *s)
{
    if (!s)
        return NULL;
    udp_close(s->socket);
    struct udp_flow *flow, *tmp;
    list_for_each_safe (flow, tmp, &s->flows, link)
        remove_flow(s, flow, false);
    timer_cancel(&s->idle);
    free(s);
    return NULL;
}
