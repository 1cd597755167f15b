#include "forward/forwarder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/span.h"
#include "forward/connection.h"
#include "forward/internal.h"
#include "io/listener.h"
#include "io/loop.h"

enum { PRIVILEGED_PORTS = 1024, AUTO_PORT_TRIES = 16 };

void forward_item_event(const struct forward_item *item, struct forward_event event)
{
    const struct forwarder_options *options = &item->forwarder->options;
    event.index = item->index;
    event.forward = item->forward;
    event.address = item->address;
    if (!event.peer)
        event.peer = "";
    if (!event.target)
        event.target = "";
    options->event(&event, options->ud);
}

void forward_item_warn_shadowed(struct forward_item *item, const struct addr *taken)
{
    char text[ADDR_TEXT_LEN];
    snprintf(item->warning, sizeof(item->warning),
             "%s is in use by another program: use 127.0.0.1 and not localhost",
             addr_format(taken, text));
}

static bool is_remote(const struct forward_item *item)
{
    return item->forward->kind == FORWARD_REMOTE || item->forward->kind == FORWARD_REMOTE_DYNAMIC;
}

static int open_at(struct forward_item *item, uint16_t port, struct err *err)
{
    item->warning[0] = 0;
    int r = item->forward->network == FORWARD_NET_UDP ? udp_forward_open(item, port, err)
                                                      : local_forward_open(item, port, err);
    if (r < 0)
        local_forward_close(item);
    return r;
}

/* Says what stands in the way, and which port would do. */
static int explain(const struct forward_item *item, int code, struct err *err)
{
    const struct forward *fw = item->forward;
    const char *network = fw->network == FORWARD_NET_UDP ? "UDP port" : "port";
    const char *where = fw->bind ? fw->bind : "127.0.0.1";
    bool denied = code == -EACCES || code == -EPERM;
    if (fw->local_path || (code != -EADDRINUSE && !denied))
        return code;

    uint16_t port = bind_find_free_port(item->forwarder->set, fw);
    const char *problem = denied && fw->local_port < PRIVILEGED_PORTS
                              ? "needs the right to use ports below 1024"
                          : denied ? "is not allowed by the system"
                                   : "is in use";
    if (port == 0)
        return err_set(err, code, "%s %u on %s %s", network, fw->local_port, where, problem);
    return err_set(err, code, "%s %u on %s %s; port %u is free (--auto-port takes a free one)",
                   network, fw->local_port, where, problem, port);
}

static int open_local(struct forward_item *item, struct err *err)
{
    uint16_t wanted = item->forward->local_port;
    int r = open_at(item, wanted, err);
    bool taken = r == -EADDRINUSE || r == -EACCES || r == -EPERM;
    if (r == 0 || !taken || item->forward->local_path)
        return r;
    for (int i = 0; item->forwarder->options.auto_port && r < 0 && i < AUTO_PORT_TRIES; i++) {
        uint16_t port = bind_find_free_port(item->forwarder->set, item->forward);
        if (port == 0)
            break;
        r = open_at(item, port, err);
        item->moved = r == 0;
    }
    return r < 0 ? explain(item, r, err) : 0;
}

static int open_item(struct forwarder *f, size_t index, struct err *err)
{
    struct forward_item *item = &f->items[index];
    *item = (struct forward_item){.forwarder = f, .index = index, .forward = &f->set->items[index]};
    list_init(&item->connections);
    f->n_items = index + 1;
    if (!is_remote(item))
        return open_local(item, err);
    item->port = item->forward->local_port;
    item->remote = remote_forward_new(item);
    return 0;
}

int forwarder_open(struct loop *loop, const struct forward_set *set,
                   const struct forwarder_options *options, struct forwarder **ret, struct err *err)
{
    struct forwarder *f = new0(struct forwarder);
    f->loop = loop;
    f->options = *options;
    f->set = set;
    f->items = xcalloc(set->len ? set->len : 1, sizeof(*f->items));
    for (size_t i = 0; i < set->len; i++) {
        int r = open_item(f, i, err);
        if (r < 0) {
            forwarder_free(f);
            return r;
        }
    }
    *ret = f;
    return 0;
}

static void warn_public(struct forward_item *item)
{
    struct addr bound;
    char reach[BIND_REACH_SIZE], text[BIND_REACH_SIZE + ADDR_TEXT_LEN + 32];
    struct bind_addrs b;
    if (!bind_is_public(item->forward) || bind_addrs_of(item->forward, item->port, &b, NULL) < 0)
        return;
    bound = b.addrs[b.len - 1];
    snprintf(text, sizeof(text), "%s can use this forward", bind_describe_reach(&bound, reach));
    forward_item_event(item, (struct forward_event){.kind = FORWARD_WARNING, .text = text});
}

void forwarder_start(struct forwarder *f)
{
    for (size_t i = 0; i < f->n_items; i++) {
        struct forward_item *item = &f->items[i];
        if (is_remote(item))
            continue;
        forward_item_event(item, (struct forward_event){.kind = FORWARD_OPENED,
                                                        .port = item->port,
                                                        .moved = item->moved});
        if (item->warning[0])
            forward_item_event(
                item, (struct forward_event){.kind = FORWARD_WARNING, .text = item->warning});
        warn_public(item);
    }
    for (size_t i = 0; i < f->n_items; i++) {
        local_forward_start(&f->items[i]);
        if (f->items[i].udp)
            udp_forward_start(f->items[i].udp);
    }
}

void forwarder_session_up(struct forwarder *f)
{
    for (size_t i = 0; i < f->n_items; i++)
        if (f->items[i].remote)
            remote_forward_session_up(f->items[i].remote);
}

void forwarder_session_down(struct forwarder *f, const char *reason)
{
    for (size_t i = 0; i < f->n_items; i++)
        if (f->items[i].remote)
            remote_forward_session_down(f->items[i].remote, reason);
}

void forwarder_stats(const struct forwarder *f, size_t index, struct forward_stats *ret)
{
    const struct forward_item *item = &f->items[index];
    *ret = (struct forward_stats){
        .open = item->n_open,
        .total = item->total,
        .refused = item->refused,
        .received = item->received,
        .sent = item->sent,
    };
    const struct connection *c;
    list_for_each (c, &item->connections, link) {
        uint64_t received, sent;
        connection_bytes(c, &received, &sent);
        ret->lanes += c->in_lane;
        ret->received += received;
        ret->sent += sent;
    }
    if (item->udp)
        udp_forward_add_stats(item->udp, ret);
}

const char *forwarder_address(const struct forwarder *f, size_t index)
{
    return f->items[index].address;
}

bool forwarder_is_open(const struct forwarder *f)
{
    for (size_t i = 0; i < f->n_items; i++)
        if (!f->items[i].address[0])
            return false;
    return true;
}

static void close_item(struct forward_item *item)
{
    struct connection *c, *tmp;
    local_forward_close(item);
    list_for_each_safe (c, tmp, &item->connections, link)
        connection_free(c);
    item->udp = udp_forward_free(item->udp);
    item->remote = remote_forward_free(item->remote);
}

struct forwarder *forwarder_free(struct forwarder *f)
{
    if (!f)
        return NULL;
    for (size_t i = 0; i < f->n_items; i++)
        close_item(&f->items[i]);
    free(f->items);
    free(f);
    return NULL;
}
