/*
 * Readers of the addresses are few (one a peer session) and lines are short: a reader that has
 * not taken its last line yet gets the newest one afterwards, and none between.
 */
#include "agent/direct_listener.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/held_answer.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/listener.h"
#include "io/net_local.h"
#include "proto/hostport.h"
#include "tunnel/candidates.h"
#include "tunnel/channel.h"
#include "tunnel/direct_acceptor.h"

enum { READERS_MAX = 1024, PORT_TRIES = 8 };

struct direct_listener {
    struct loop *loop;
    struct direct_acceptor *acceptor;
    struct listener *v4, *v6;
    struct candidates announced; /* as told to be; n 0: the interfaces' */
    struct candidates now;
    struct net_watch *net;
    struct list readers;
    size_t n_readers;
};

struct reader {
    struct list link;
    struct direct_listener *owner;
    struct held_answer answer;
    bool behind; /* there is a newer line than the one that is being sent */
};

/* ---- listening ---- */

static void accepted(struct listener *listener, struct stream *s, const struct addr *peer, void *ud)
{
    struct direct_listener *l = ud;
    direct_acceptor_take(l->acceptor, s, peer);
}

static int open_one(struct direct_listener *l, const char *ip, uint16_t port, struct listener **ret,
                    struct err *err)
{
    const struct listener_options options = {.accepted = accepted, .ud = l};
    struct addr addr;
    addr_from_ip(ip, port, &addr);
    return listener_open(l->loop, &addr, &options, ret, err);
}

/* A machine may be without one of the families. */
static bool is_missing(int error)
{
    return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

/* The same port in both families, so that one rule of a firewall is enough; or one family. */
static int open_both(struct direct_listener *l, uint16_t port, struct err *err)
{
    int r = open_one(l, "0.0.0.0", port, &l->v4, err);
    if (r < 0 && !is_missing(r))
        return r;
    uint16_t same = l->v4 ? addr_port(listener_addr(l->v4)) : port;
    int six = open_one(l, "::", same, &l->v6, err);
    if (six == 0 || (l->v4 && is_missing(six)))
        return 0;
    l->v4 = listener_close(l->v4);
    return six == -EADDRINUSE && !port ? -EAGAIN : six;
}

static int open_ports(struct direct_listener *l, uint16_t port, struct err *err)
{
    int r = -EAGAIN;
    for (int i = 0; r == -EAGAIN && i < PORT_TRIES; i++)
        r = open_both(l, port, err);
    if (r == -EAGAIN)
        r = open_one(l, "0.0.0.0", port, &l->v4, err);
    return r;
}

uint16_t direct_listener_port(const struct direct_listener *l)
{
    return addr_port(listener_addr(l->v4 ? l->v4 : l->v6));
}

/* ---- addresses ---- */

static int read_announced(struct direct_listener *l, const char *text, struct err *err)
{
    struct span rest = span_of(text), item;
    while (text && span_split(&rest, ',', &item)) {
        struct hostport hp;
        struct addr addr;
        _cleanup_free_ char *ip = span_dup(span_trim(item));
        bool bare = addr_from_ip(ip, direct_listener_port(l), &addr) == 0;
        if (!bare && (hostport_parse(span_of(ip), direct_listener_port(l), &hp) < 0 ||
                      addr_from_ip(hp.host, hp.port, &addr) < 0))
            return err_set(err, -EINVAL, "'%s' is not an address, or one with a port", ip);
        if (l->announced.n == CANDIDATES_MAX)
            return err_set(err, -EINVAL, "more than %d addresses", CANDIDATES_MAX);
        candidates_add(&l->announced, &addr);
    }
    return 0;
}

static void add_ip(struct candidates *c, const char *ip, const struct listener *listener)
{
    struct addr addr;
    if (listener && addr_from_ip(ip, addr_port(listener_addr(listener)), &addr) == 0)
        candidates_add(c, &addr);
}

/* Loopback is for clients on this machine, who know by its name that they are. */
static void gather(const struct direct_listener *l, struct candidates *ret)
{
    struct addr found[CANDIDATES_MAX];
    *ret = l->announced;
    if (net_local_machine(ret->machine) < 0)
        ret->machine[0] = '\0';
    if (ret->n > 0)
        return;
    if (ret->machine[0]) {
        add_ip(ret, "127.0.0.1", l->v4);
        add_ip(ret, "::1", l->v6);
    }
    size_t n = net_local_addrs(found, ARRAY_LEN(found));
    for (size_t i = 0; i < n; i++) {
        const struct listener *of = found[i].sa.sa_family == AF_INET ? l->v4 : l->v6;
        if (!of)
            continue;
        addr_set_port(&found[i], addr_port(listener_addr(of)));
        candidates_add(ret, &found[i]);
    }
}

/* ---- readers ---- */

static void reader_end(struct reader *r)
{
    list_remove(&r->link);
    r->owner->n_readers--;
    held_answer_end(&r->answer);
    free(r);
}

static void reader_gone(void *ud)
{
    reader_end(ud);
}

static void reader_fill(struct buf *out, void *ud)
{
    struct reader *r = ud;
    if (!r->behind)
        return;
    r->behind = false;
    candidates_format(&r->owner->now, out);
    buf_append_byte(out, '\n');
}

void direct_listener_answer(struct direct_listener *l, struct channel_request *rq)
{
    if (!str_eq(channel_request_info(rq)->method, "GET")) {
        channel_answer(rq, 405, NULL);
        return;
    }
    if (l->n_readers == READERS_MAX) {
        channel_answer(rq, 503, NULL);
        return;
    }
    struct reader *r = new0(struct reader);
    r->owner = l;
    r->behind = true;
    held_answer_start(&r->answer, rq, "application/jsonl", CANDIDATES_LINE_MAX + 1, reader_fill,
                      reader_gone, r);
    list_append(&l->readers, &r->link);
    l->n_readers++;
    held_answer_flush(&r->answer);
}

static void network_changed(void *ud)
{
    struct direct_listener *l = ud;
    struct candidates c;
    gather(l, &c);
    if (candidates_equal(&c, &l->now))
        return;
    l->now = c;
    log_debug("addresses changed", LOG_INT("candidates", c.n));
    struct reader *r, *next;
    list_for_each_safe (r, next, &l->readers, link) {
        r->behind = true;
        held_answer_flush(&r->answer);
    }
}

/* ---- life ---- */

struct direct_acceptor *direct_listener_acceptor(struct direct_listener *l)
{
    return l->acceptor;
}

int direct_listener_new(struct loop *loop, const struct direct_listener_options *options,
                        struct direct_listener **ret, struct err *err)
{
    struct direct_listener *l = new0(struct direct_listener);
    const struct direct_acceptor_options acceptor = {.tls = options->tls, .peers = options->peers};
    l->loop = loop;
    list_init(&l->readers);
    l->acceptor = direct_acceptor_new(loop, &acceptor);
    int r = open_ports(l, options->port, err);
    if (r == 0)
        r = read_announced(l, options->addresses, err);
    if (r < 0) {
        direct_listener_free(l);
        return r;
    }
    gather(l, &l->now);
    l->net = net_watch_new(loop, network_changed, l);
    *ret = l;
    return 0;
}

struct direct_listener *direct_listener_free(struct direct_listener *l)
{
    if (!l)
        return NULL;
    struct reader *r, *next;
    list_for_each_safe (r, next, &l->readers, link)
        reader_end(r);
    net_watch_free(l->net);
    listener_close(l->v4);
    listener_close(l->v6);
    direct_acceptor_free(l->acceptor);
    free(l);
    return NULL;
}
