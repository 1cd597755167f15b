/*
 * When the gate has been closed for as long as `patience`, a new epoch begins, in which handshakes
 * of the one before no longer count.
 */
#include "server/accept_gate.h"

#include "io/listener.h"
#include "server/instance.h"

enum { HANDSHAKES_MOST = 128 };

static const usec_t patience = USEC_PER_SEC / 4;

static void set_closed(struct accept_gate *g, bool closed)
{
    const struct server_worker *w = g->w;
    if (g->closed == closed)
        return;
    g->closed = closed;
    for (size_t i = 0; w->listeners && i < w->server->listen.len; i++) {
        if (!w->listeners[i])
            continue;
        if (closed)
            listener_pause(w->listeners[i]);
        else
            listener_resume(w->listeners[i]);
    }
    if (closed)
        timer_start(&g->patience, patience);
    else
        timer_cancel(&g->patience);
}

static void patience_over(struct timer *t, void *ud)
{
    struct accept_gate *g = ud;
    g->epoch++;
    g->under_way = 0;
    set_closed(g, false);
}

void accept_gate_init(struct accept_gate *g, struct server_worker *w)
{
    *g = (struct accept_gate){.w = w};
    timer_init(&g->patience, w->loop, patience_over, g);
}

void accept_gate_deinit(struct accept_gate *g)
{
    timer_cancel(&g->patience);
}

void accept_gate_enter(struct accept_gate *g, struct accept_pass *pass)
{
    *pass = (struct accept_pass){.counts = true, .epoch = g->epoch};
    if (++g->under_way >= HANDSHAKES_MOST)
        set_closed(g, true);
}

void accept_gate_leave(struct accept_gate *g, struct accept_pass *pass)
{
    if (!pass->counts)
        return;
    pass->counts = false;
    if (pass->epoch != g->epoch)
        return;
    g->under_way--;
    if (g->under_way < HANDSHAKES_MOST / 2)
        set_closed(g, false);
}
