/* Listeners on this machine for streams: -L, --tcp and -D. */
#include <errno.h>

#include "forward/connection.h"
#include "forward/internal.h"
#include "forward/same_user.h"
#include "io/fd_stream.h"
#include "io/listener.h"
#include "io/stream.h"

static struct same_user_verdict judge(const struct forward_item *item, struct stream *s,
                                      const struct addr *peer, const struct addr *listening)
{
    struct addr local = *listening;
    int fd = stream_fd(s);
    if (item->forwarder->options.allow_other_users)
        return (struct same_user_verdict){.allowed = true};
    if (item->forward->local_path)
        return same_user_unix(fd);
    if (addr_is_any(listening) && addr_of_socket(fd, &local) < 0)
        return (struct same_user_verdict){0};
    return same_user_tcp(peer, &local);
}

static void on_accepted(struct listener *l, struct stream *s, const struct addr *peer, void *ud)
{
    struct forward_item *item = ud;
    char text[ADDR_TEXT_LEN] = "";
    if (!item->forward->local_path)
        addr_format(peer, text);

    struct same_user_verdict verdict = judge(item, s, peer, listener_addr(l));
    if (!verdict.allowed) {
        item->refused++;
        forward_item_event(item, (struct forward_event){
                                     .kind = FORWARD_REFUSED,
                                     .peer = text,
                                     .user = verdict.known ? verdict.user : NULL,
                                     .result = DIAL_FORBIDDEN,
                                     .text = verdict.known ? "another user's connection"
                                                           : "the connection's user is not known",
                                 });
        stream_free(s);
        return;
    }
    struct connection *c = connection_new(item, s, text, false);
    if (!c)
        return;
    if (item->forward->kind == FORWARD_DYNAMIC)
        connection_to_named_target(c);
    else
        connection_to_target(c);
}

int local_forward_open(struct forward_item *item, uint16_t port, struct err *err)
{
    struct bind_addrs b;
    int r = bind_addrs_of(item->forward, port, &b, err);
    if (r < 0)
        return r;
    struct listener_options options = {
        .unlink_stale = true, .paused = true, .accepted = on_accepted, .ud = item};
    for (size_t i = 0; i < b.len; i++) {
        struct err ignored = ERR_INIT;
        r = listener_open(item->forwarder->loop, &b.addrs[i], &options,
                          &item->listeners[item->n_listeners], i == 0 ? err : &ignored);
        if (r < 0 && i == 0)
            return r;
        if (r == 0)
            item->n_listeners++;
        else if (r == -EADDRINUSE)
            forward_item_warn_shadowed(item, &b.addrs[i]);
    }
    item->port = addr_port(listener_addr(item->listeners[0]));
    addr_format(listener_addr(item->listeners[0]), item->address);
    return 0;
}

void local_forward_start(struct forward_item *item)
{
    for (size_t i = 0; i < item->n_listeners; i++)
        listener_resume(item->listeners[i]);
}

void local_forward_close(struct forward_item *item)
{
    for (size_t i = 0; i < item->n_listeners; i++)
        item->listeners[i] = listener_close(item->listeners[i]);
    item->n_listeners = 0;
}
