/*
 *     look: sockets now -> known ones marked, new ones added, the rest dropped
 *           -> processes of new ones -> probes of new ones, a moment later -> the list
 *
 * What costs is done once a socket: the search through /proc, and the probe. A search that found
 * nothing is repeated once, because a socket can be passed to another process after it listens.
 */
#include "agent/ports.h"

#include <stdlib.h>
#include <unistd.h>

#include "agent/listening.h"
#include "agent/probe.h"
#include "agent/processes.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/loop.h"
#include "io/timer.h"

enum { SOCKETS_MAX = 16384, PROBES_AT_ONCE = 4, SEARCHES_MAX = 2, HIDDEN_MAX = 64 };

/* So that what listens for a moment only is left alone, and a server has got itself ready. */
static const usec_t probe_delay = 400 * USEC_PER_MSEC;

enum probing { PROBE_WAITS, PROBE_RUNS, PROBE_OVER };

struct socket {
    struct ports *ports;
    struct listening_socket at;
    unsigned round; /* of the look that saw it last */
    unsigned searches;
    uint32_t pid; /* 0: not known */
    char process[64];
    bool own;
    enum probing probing;
    struct probe *probe;
    enum api_port_speaks speaks;
    usec_t found_at; /* monotonic */
};

struct ports {
    struct loop *loop;
    struct ports_options o;
    struct map *sockets; /* by key: struct socket */
    unsigned round;
    bool changed; /* since the list was made */
    unsigned n_probes;
    struct timer probe_timer;
    struct api_ports list;
    uint16_t hidden[HIDDEN_MAX];
    size_t n_hidden;
    struct api_port *forwarded;
    size_t n_forwarded;
};

static void probe_some(struct ports *p);

static bool is_hidden(const struct ports *p, uint16_t port)
{
    for (size_t i = 0; i < p->n_hidden; i++)
        if (p->hidden[i] == port)
            return true;
    return false;
}

/* ---- the list ---- */

static int by_number(const void *a, const void *b)
{
    const struct api_port *x = a, *y = b;
    return (int)x->port - (int)y->port;
}

static void show(const struct socket *s, struct api_port *port, bool fresh)
{
    if (fresh || s->at.wildcard)
        str_copy(port->address, sizeof(port->address), s->at.address);
    if (port->pid == 0 && s->pid != 0) {
        port->pid = s->pid;
        str_copy(port->process, sizeof(port->process), s->process);
    }
    if (port->speaks == API_PORT_UNKNOWN)
        port->speaks = s->speaks;
    port->port = s->at.port;
}

/* The entry of a port, made if need be; NULL: there are too many. */
static struct api_port *entry(struct ports *p, struct map *by_port, uint16_t number, bool unlisted,
                              bool *ret_fresh)
{
    struct api_port *port = map_get_id(by_port, number);
    *ret_fresh = !port;
    if (port || p->list.n_ports + p->list.n_unlisted == PORTS_MAX)
        return port;
    port = unlisted ? &p->list.unlisted[p->list.n_unlisted++] : &p->list.ports[p->list.n_ports++];
    *port = (struct api_port){.port = number};
    map_put_id(by_port, number, port);
    return port;
}

static void make_list(struct ports *p)
{
    struct map *by_port = map_new();
    struct map_iter it = {0};
    const struct socket *s;
    struct api_port *port;
    bool fresh;
    p->list.n_ports = p->list.n_unlisted = 0;
    while ((s = map_next(p->sockets, &it)))
        if (!s->own && (port = entry(p, by_port, s->at.port, is_hidden(p, s->at.port), &fresh)))
            show(s, port, fresh);
    for (size_t i = 0; i < p->n_forwarded; i++)
        if ((port = entry(p, by_port, p->forwarded[i].port, true, &fresh)) && fresh)
            *port = p->forwarded[i];
    map_free(by_port);
    qsort(p->list.ports, p->list.n_ports, sizeof(*p->list.ports), by_number);
    qsort(p->list.unlisted, p->list.n_unlisted, sizeof(*p->list.unlisted), by_number);
}

static void tell(struct ports *p)
{
    if (!p->changed)
        return;
    p->changed = false;
    make_list(p);
    p->o.changed(p->o.ud);
}

const struct api_ports *ports_list(const struct ports *p)
{
    return &p->list;
}

/* ---- probes ---- */

bool ports_may_probe(const char *process, uint16_t port, int backlog)
{
    /* Each takes one connection as the one it waits for, ends with it, or is one of us. */
    static const char *const names[] = {
        "nc",  "ncat",  "netcat", "nc.openbsd", "gdbserver", "socat", "lldb-server",
        "dlv", "iperf", "rr",     "iperf3",     "netserver", "adit"};
    /* Debuggers that wait for their program or their editor. */
    static const struct {
        uint16_t port;
        const char *process; /* its name begins so */
    } debuggers[] = {{1234, ""},     {2159, ""},       {2345, ""},
                     {5005, "java"}, {5678, "python"}, {9003, ""}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(process, names[i]))
            return false;
    for (size_t i = 0; i < ARRAY_LEN(debuggers); i++)
        if (port == debuggers[i].port &&
            (!*process || span_starts(span_of(process), debuggers[i].process)))
            return false;
    return backlog < 0 || backlog > 1;
}

static bool may_probe(const struct socket *s)
{
    uid_t me = geteuid();
    return !s->ports->o.no_probe && !s->own && (me == 0 || s->at.uid == me) &&
           ports_may_probe(s->process, s->at.port, s->at.backlog);
}

static void probed(enum api_port_speaks speaks, void *ud)
{
    struct socket *s = ud;
    struct ports *p = s->ports;
    s->probe = NULL;
    s->probing = PROBE_OVER;
    p->n_probes--;
    if (s->speaks != speaks)
        p->changed = true;
    s->speaks = speaks;
    probe_some(p);
    tell(p);
}

/* A wildcard address is reached by the loopback one of its family. */
static const char *reach(const struct socket *s)
{
    if (!s->at.wildcard)
        return s->at.address;
    return span_find(span_of(s->at.address), ':') >= 0 ? "::1" : "127.0.0.1";
}

static void probe_some(struct ports *p)
{
    struct map_iter it = {0};
    struct socket *s;
    usec_t now = loop_now(p->loop), wait = -1;
    while (p->n_probes < PROBES_AT_ONCE && (s = map_next(p->sockets, &it))) {
        if (s->probing != PROBE_WAITS || is_hidden(p, s->at.port))
            continue;
        usec_t left = s->found_at + probe_delay - now;
        if (left > 0) {
            wait = wait < 0 || left < wait ? left : wait;
        } else if (!may_probe(s)) {
            s->probing = PROBE_OVER;
        } else {
            s->probing = PROBE_RUNS;
            p->n_probes++;
            s->probe = probe_start(p->loop, reach(s), s->at.port, probed, s);
        }
    }
    if (wait >= 0)
        timer_start(&p->probe_timer, wait);
}

static void probe_more(struct timer *t, void *ud)
{
    probe_some(ud);
}

/* ---- sockets ---- */

static void socket_free(struct socket *s)
{
    if (s->probe) {
        probe_cancel(s->probe);
        s->ports->n_probes--;
    }
    free(s);
}

static void saw(const struct listening_socket *at, void *ud)
{
    struct ports *p = ud;
    struct socket *s = map_get_id(p->sockets, at->key);
    if (!s) {
        if (map_len(p->sockets) == SOCKETS_MAX)
            return;
        s = new0(struct socket);
        s->ports = p;
        s->at = *at;
        s->found_at = loop_now(p->loop);
        map_put_id(p->sockets, at->key, s);
        p->changed = true;
    }
    s->round = p->round;
}

static void drop_those_gone(struct ports *p)
{
    struct map_iter it = {0};
    struct socket *s;
    while ((s = map_next(p->sockets, &it))) {
        if (s->round == p->round)
            continue;
        map_take_id(p->sockets, s->at.key);
        socket_free(s);
        p->changed = true;
    }
}

static void process_is(void *value, const struct process_found *process, void *ud)
{
    struct socket *s = value;
    struct ports *p = ud;
    /* Of several processes that have it, the one that we belong to counts, else the first. */
    if (s->pid && !process->own)
        return;
    s->pid = process->pid;
    s->own = process->own;
    str_copy(s->process, sizeof(s->process), process->name);
    p->changed = true;
}

static void find_processes(struct ports *p)
{
    struct map *by_inode = NULL;
    struct map_iter it = {0};
    struct socket *s;
    while ((s = map_next(p->sockets, &it))) {
        if (s->pid && !process_lives(s->pid)) {
            s->pid = 0; /* its socket lives on in another one */
            s->process[0] = '\0';
            s->searches = 0;
            p->changed = true;
        }
        if (s->pid || s->searches == SEARCHES_MAX)
            continue;
        s->searches++;
        if (!by_inode)
            by_inode = map_new();
        map_put_id(by_inode, s->at.inode, s);
    }
    if (by_inode)
        processes_of_sockets(by_inode, process_is, p);
    map_free(by_inode);
}

void ports_look(struct ports *p)
{
    p->round++;
    if (listening_each(saw, p) < 0)
        return;
    drop_those_gone(p);
    find_processes(p);
    probe_some(p);
    tell(p);
}

/* ---- life ---- */

void ports_hide(struct ports *p, const uint16_t *numbers, size_t n)
{
    p->n_hidden = n < HIDDEN_MAX ? n : HIDDEN_MAX;
    for (size_t i = 0; i < p->n_hidden; i++)
        p->hidden[i] = numbers[i];
    p->changed = true;
    probe_some(p);
    tell(p);
}

static bool is_same(const struct api_port *a, const struct api_port *b)
{
    return a->port == b->port && str_eq(a->address, b->address) &&
           str_eq(a->forwarded_by, b->forwarded_by);
}

void ports_set_forwarded(struct ports *p, const struct api_port *forwarded, size_t n)
{
    bool same;
    if (n > PORTS_FORWARDED_MAX)
        n = PORTS_FORWARDED_MAX;
    same = n == p->n_forwarded;
    for (size_t i = 0; same && i < n; i++)
        same = is_same(&p->forwarded[i], &forwarded[i]);
    if (same)
        return;
    free(p->forwarded);
    p->forwarded = n ? xmemdup(forwarded, n * sizeof(*forwarded)) : NULL;
    p->n_forwarded = n;
    p->changed = true;
}

struct ports *ports_new(struct loop *loop, const struct ports_options *options)
{
    struct ports *p = new0(struct ports);
    p->loop = loop;
    p->o = *options;
    p->sockets = map_new();
    p->list.ports = xcalloc(PORTS_MAX, sizeof(*p->list.ports));
    p->list.unlisted = xcalloc(PORTS_MAX, sizeof(*p->list.unlisted));
    timer_init(&p->probe_timer, loop, probe_more, p);
    return p;
}

struct ports *ports_free(struct ports *p)
{
    struct map_iter it = {0};
    struct socket *s;
    if (!p)
        return NULL;
    while ((s = map_next(p->sockets, &it)))
        socket_free(s);
    map_free(p->sockets);
    timer_cancel(&p->probe_timer);
    free(p->list.ports);
    free(p->list.unlisted);
    free(p->forwarded);
    free(p);
    return NULL;
}
