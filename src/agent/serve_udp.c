/*
 * UDP channels: resolve the target, connect a socket to it, and pass datagrams both ways. The
 * client ends a flow that has gone idle; the limit here only sweeps up after clients that did
 * not.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/served.h"
#include "base/mem.h"
#include "io/dns.h"
#include "io/timer.h"
#include "io/udp.h"
#include "tunnel/datagram.h"

struct udp_channel {
    struct served served;
    struct loop *loop;
    struct channel_request *rq; /* until the name is resolved */
    struct dns_query *query;    /* likewise */
    struct udp *socket;         /* from then on */
    struct datagram_channel *channel;
    struct timer idle;
};

static const usec_t idle_limit = 5 * USEC_PER_MIN;

static void udp_channel_free(struct served *s)
{
    struct udp_channel *c = container_of(s, struct udp_channel, served);
    channel_request_free(c->rq);
    dns_cancel(c->query);
    timer_cancel(&c->idle);
    udp_close(c->socket);
    datagram_free(c->channel);
    free(c);
}

static void count(const struct served *s, uint64_t *ret_in, uint64_t *ret_out)
{
    const struct udp_channel *c = container_of(s, struct udp_channel, served);
    if (!c->channel)
        return;
    *ret_in = datagram_get_stats(c->channel)->received_bytes;
    *ret_out = datagram_get_stats(c->channel)->sent_bytes;
}

static void idle_too_long(struct timer *t, void *ud)
{
    struct udp_channel *c = ud;
    served_end(&c->served);
}

static void from_target(struct udp *u, const void *data, size_t len, const struct addr *from,
                        void *ud)
{
    struct udp_channel *c = ud;
    timer_start(&c->idle, idle_limit);
    datagram_send(c->channel, data, len); /* a failure is reported by `channel_ended` */
}

static void from_client(struct datagram_channel *d, const void *data, size_t len, void *ud)
{
    struct udp_channel *c = ud;
    timer_start(&c->idle, idle_limit);
    udp_send(c->socket, data, len, NULL); /* lost like any datagram if it cannot be sent */
}

static void channel_ended(struct datagram_channel *d, int reason, void *ud)
{
    struct udp_channel *c = ud;
    served_end(&c->served);
}

static void refuse(struct udp_channel *c, enum dial_result result, const char *details)
{
    c->served.result = dial_result_name(result);
    channel_refuse(steal(&c->rq), result, details);
    served_end(&c->served);
}

/* "localhost" is 127.0.0.1 where there is a choice: most local services listen only there. */
static const struct addr *pick_address(const struct addr *addrs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (addr_is_loopback(&addrs[i]) && addrs[i].sa.sa_family == AF_INET)
            return &addrs[i];
    return &addrs[0];
}

static void target_resolved(int result, const struct addr *addrs, size_t n_addrs, void *ud)
{
    struct udp_channel *c = ud;
    c->query = NULL;
    if (result < 0 || n_addrs == 0) {
        refuse(c, result < 0 ? dial_result_from_dns(result) : DIAL_NAME_FAILED, NULL);
        return;
    }
    struct err err = ERR_INIT;
    const struct udp_options socket_options = {.received = from_target, .ud = c};
    int r = udp_connect(c->loop, pick_address(addrs, n_addrs), &socket_options, &c->socket, &err);
    if (r < 0) {
        refuse(c, dial_result_from_errno(r), err.text);
        return;
    }
    served_opened(&c->served);
    const struct datagram_options options = {
        .received = from_client, .ended = channel_ended, .ud = c};
    c->channel = datagram_new(channel_accept(steal(&c->rq)), &options);
    timer_start(&c->idle, idle_limit);
}

static void request_cancelled(struct channel_request *rq, void *ud)
{
    struct udp_channel *c = ud;
    served_end(&c->served);
}

void serve_udp(struct loop *loop, struct channel_request *rq, struct list *list)
{
    struct udp_channel *c = new0(struct udp_channel);
    c->loop = loop;
    c->rq = rq;
    c->served.free = udp_channel_free;
    c->served.count = count;
    served_begin(&c->served, channel_request_session(rq));
    channel_goal_of(channel_request_info(rq), &c->served.goal);
    timer_init(&c->idle, loop, idle_too_long, c);
    list_append(list, &c->served.link);
    channel_request_on_cancel(rq, request_cancelled, c);
    c->query = dns_resolve(loop, c->served.goal.host, c->served.goal.port, target_resolved, c);
}
