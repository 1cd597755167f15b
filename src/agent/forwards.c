#include "agent/forwards.h"

#include <stdlib.h>

#include "agent/served.h"
#include "agent/ssh_host.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/span.h"

struct forward_row {
    struct list link;
    struct forwards *forwards;
    struct id peer;
    struct list served;       /* that are open: struct served */
    bool over;                /* its listener is gone: it goes with its last connection */
    struct channel_goal goal; /* of the first that was served; others say the same differently */
    bool direct;
    struct api_forward shown; /* bytes: of those that have ended */
};

struct forwards {
    struct list rows; /* oldest first */
    size_t n_rows;
};

static void row_free(struct forward_row *row)
{
    list_remove(&row->link);
    row->forwards->n_rows--;
    free(row);
}

static struct forward_row *find(struct forwards *f, const struct id *peer,
                                const struct api_forward *like)
{
    struct forward_row *row;
    list_for_each (row, &f->rows, link)
        if (id_equal(&row->peer, peer) && row->shown.direction == like->direction &&
            str_eq(row->shown.kind, like->kind) && str_eq(row->shown.listen, like->listen) &&
            str_eq(row->shown.target, like->target) && str_eq(row->shown.path, like->path))
            return row;
    return NULL;
}

/* The same without making texts: mostly one and the same place is asked for again and again. */
static struct forward_row *find_quickly(struct forwards *f, const struct served *s)
{
    const struct channel_goal *goal = &s->goal;
    struct forward_row *row;
    if (goal->kind == CHANNEL_LISTEN || goal->kind == CHANNEL_ACCEPT)
        return NULL;
    list_for_each (row, &f->rows, link)
        if (row->direct == s->reporter->direct && row->goal.kind == goal->kind &&
            row->goal.port == goal->port && id_equal(&row->peer, &s->reporter->peer) &&
            str_eq(row->goal.host, goal->host) && str_eq(row->goal.unix_path, goal->unix_path))
            return row;
    return NULL;
}

/* False: the session has as many rows as it can have, and all are in use. */
static bool make_room(struct forwards *f, const struct id *peer)
{
    struct forward_row *row, *idle = NULL;
    size_t n = 0;
    list_for_each (row, &f->rows, link) {
        if (!id_equal(&row->peer, peer))
            continue;
        n++;
        if (!idle && list_empty(&row->served))
            idle = row;
    }
    if (n < FORWARDS_PER_PEER_MAX)
        return true;
    if (idle)
        row_free(idle);
    return idle != NULL;
}

static const char *kind_of(const struct channel_goal *goal)
{
    if (goal->unix_path[0])
        return "unix";
    return goal->kind == CHANNEL_UDP ? "udp" : "tcp";
}

static void place_text(const struct channel_goal *goal, uint16_t port, char *dst, size_t size)
{
    const char *host = goal->host[0] ? goal->host : "localhost";
    bool six = span_find(span_of(host), ':') >= 0;
    if (goal->kind == CHANNEL_SPEEDTEST)
        str_copy(dst, size, channel_kind_name(goal->kind));
    else if (goal->unix_path[0])
        str_copy(dst, size, goal->unix_path);
    else
        snprintf(dst, size, "%s%s%s:%u", six ? "[" : "", host, six ? "]" : "", port);
}

static struct api_forward describe(const struct served *s)
{
    const struct channel_goal *goal = &s->goal;
    bool remote = goal->kind == CHANNEL_LISTEN || goal->kind == CHANNEL_ACCEPT;
    struct api_forward row = {.direction = remote ? AUDIT_REMOTE : AUDIT_LOCAL, .has_bytes = true};
    str_copy(row.user, sizeof(row.user), s->reporter->user);
    str_copy(row.kind, sizeof(row.kind), kind_of(goal));
    str_copy(row.path, sizeof(row.path), s->reporter->direct ? "direct" : "relay");
    place_text(goal, s->bound_port ? s->bound_port : goal->port, remote ? row.listen : row.target,
               sizeof(row.listen));
    return row;
}

/* NULL: there is no room for another. */
static struct forward_row *find_or_make(struct forwards *f, const struct served *s)
{
    struct api_forward like = describe(s);
    struct forward_row *row = find(f, &s->reporter->peer, &like);
    if (row || !make_room(f, &s->reporter->peer))
        return row;
    row = new0(struct forward_row);
    row->forwards = f;
    row->peer = s->reporter->peer;
    row->goal = s->goal;
    row->direct = s->reporter->direct;
    row->shown = like;
    row->shown.id = id_new();
    row->shown.since = clock_realtime();
    list_init(&row->served);
    list_append(&f->rows, &row->link);
    f->n_rows++;
    return row;
}

void forwards_join(struct forwards *f, struct served *s)
{
    if (!f || !s->reporter || s->row)
        return;
    struct forward_row *row = find_quickly(f, s);
    if (!row)
        row = find_or_make(f, s);
    if (!row)
        return;
    s->row = row;
    list_append(&row->served, &s->in_row);
}

/* A listener is no connection of its own. */
static bool is_connection(const struct served *s)
{
    return s->goal.kind != CHANNEL_LISTEN;
}

static void add_bytes(const struct served *s, struct api_forward *to)
{
    uint64_t in = 0, out = 0;
    if (s->count)
        s->count(s, &in, &out);
    to->bytes_in += in;
    to->bytes_out += out;
}

void forwards_leave(struct served *s)
{
    struct forward_row *row = s->row;
    if (!row)
        return;
    add_bytes(s, &row->shown);
    list_remove(&s->in_row);
    s->row = NULL;
    row->over |= s->goal.kind == CHANNEL_LISTEN;
    if (row->over && list_empty(&row->served))
        row_free(row);
}

void forwards_end_peer(struct forwards *f, const struct id *peer)
{
    struct forward_row *row, *next;
    if (!f)
        return;
    list_for_each_safe (row, next, &f->rows, link)
        if (id_equal(&row->peer, peer) && list_empty(&row->served))
            row_free(row);
}

static struct api_forward show(const struct forward_row *row)
{
    struct api_forward shown = row->shown;
    const struct served *s;
    list_for_each (s, &row->served, in_row) {
        shown.connections += is_connection(s);
        add_bytes(s, &shown);
    }
    return shown;
}

static struct api_forward show_ssh(const struct ssh_forward *s)
{
    struct api_forward shown = {.id = s->id,
                                .since = s->since,
                                .direction = s->remote ? AUDIT_REMOTE : AUDIT_LOCAL,
                                .connections = s->listener ? 0 : 1};
    const char *place = *s->listen ? s->listen : s->target;
    str_copy(shown.user, sizeof(shown.user), s->user);
    str_copy(shown.kind, sizeof(shown.kind), *place == '/' ? "unix" : "tcp");
    str_copy(shown.path, sizeof(shown.path), "ssh");
    str_copy(shown.listen, sizeof(shown.listen), s->listen);
    str_copy(shown.target, sizeof(shown.target), s->target);
    str_copy(shown.origin, sizeof(shown.origin), s->origin);
    return shown;
}

void forwards_list(struct forwards *f, const struct ssh_host *ssh, struct api_forwards *ret)
{
    size_t all = f->n_rows + (ssh ? ssh->n_forwards : 0);
    size_t most = all < API_FORWARDS_MAX ? all : API_FORWARDS_MAX;
    const struct forward_row *row;
    const struct ssh_forward *s;
    *ret = (struct api_forwards){.more = most < all,
                                 .forwards = xcalloc(most ? most : 1, sizeof(*ret->forwards))};
    list_for_each (row, &f->rows, link)
        if (ret->n_forwards < most)
            ret->forwards[ret->n_forwards++] = show(row);
    if (!ssh)
        return;
    list_for_each (s, &ssh->forwards, link)
        if (ret->n_forwards < most)
            ret->forwards[ret->n_forwards++] = show_ssh(s);
}

/* Of "127.0.0.1:9003", "[::1]:9003", "localhost:9003" or "*:9003". False: it has no port. */
static bool read_listen(const char *listen, struct api_port *ret)
{
    struct span text = span_of(listen), host;
    ptrdiff_t colon = span_rfind(text, ':');
    uint64_t number;
    if (*listen == '/' || colon < 0 ||
        num_parse(span_sub(text, (size_t)colon + 1, text.len), 1, UINT16_MAX, &number) < 0)
        return false;
    host = span_sub(text, 0, (size_t)colon);
    if (span_starts(host, "["))
        host = span_sub(host, 1, host.len - 1);
    else if (span_is(host, "localhost"))
        host = SPAN("127.0.0.1");
    else if (span_is(host, "*"))
        host = SPAN("0.0.0.0");
    *ret = (struct api_port){.port = (uint16_t)number};
    str_copy_span(ret->address, sizeof(ret->address), host);
    return true;
}

/* Its listener may be gone before its last connection. */
static bool is_listening(const struct forward_row *row)
{
    const struct served *s;
    if (row->over || row->shown.direction != AUDIT_REMOTE)
        return false;
    list_for_each (s, &row->served, in_row)
        if (s->goal.kind == CHANNEL_LISTEN)
            return true;
    return false;
}

struct listening_ports {
    struct api_port *ports;
    size_t n, max;
};

static void add_listening(struct listening_ports *to, const char *listen, const char *user)
{
    struct api_port port;
    if (to->n == to->max || !read_listen(listen, &port))
        return;
    str_copy(port.forwarded_by, sizeof(port.forwarded_by), user);
    to->ports = xrealloc(to->ports, (to->n + 1) * sizeof(port));
    to->ports[to->n++] = port;
}

struct api_port *forwards_listening(struct forwards *f, const struct ssh_host *ssh, size_t max,
                                    size_t *ret_n)
{
    struct listening_ports all = {.max = max};
    const struct forward_row *row;
    const struct ssh_forward *s;
    list_for_each (row, &f->rows, link)
        if (is_listening(row))
            add_listening(&all, row->shown.listen, row->shown.user);
    if (ssh)
        list_for_each (s, &ssh->forwards, link)
            if (s->listener && s->remote)
                add_listening(&all, s->listen, s->user);
    *ret_n = all.n;
    return all.ports;
}

struct forwards *forwards_new(void)
{
    struct forwards *f = new0(struct forwards);
    list_init(&f->rows);
    return f;
}

struct forwards *forwards_free(struct forwards *f)
{
    struct forward_row *row, *next;
    if (!f)
        return NULL;
    list_for_each_safe (row, next, &f->rows, link)
        free(row);
    free(f);
    return NULL;
}
