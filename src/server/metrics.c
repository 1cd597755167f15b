#include "server/metrics.h"

#include <errno.h>
#include <stddef.h>

#include "auth/auth.h"
#include "base/cleanup.h"
#include "server/audit_file.h"
#include "server/hub.h"
#include "server/instance.h"
#include "store/store.h"
#include "web/counters.h"

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_appendf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct buf *out, const char *name, const char *type, const char *help, uint64_t n)
{
    head(out, name, type, help);
    buf_appendf(out, "%s %llu\n", name, (unsigned long long)n);
}

static const struct {
    size_t offset;
    const char *name, *type, *help;
} of_workers[] = {
#define M(field, name, type, help)                                                                 \
    {                                                                                              \
        offsetof(struct worker_metrics, field), name, type, help                                   \
    }
    M(connections_accepted, "adit_connections_accepted_total", "counter",
      "Connections accepted on the listeners."),
    M(tls_failed, "adit_tls_handshakes_failed_total", "counter", "TLS handshakes that failed."),
    M(relays_opened, "adit_relays_opened_total", "counter", "Peer sessions that were relayed."),
    M(relays_failed, "adit_relays_failed_total", "counter",
      "Peer sessions that were allowed but could not be opened."),
    M(relays, "adit_relays", "gauge", "Peer sessions that are relayed now."),
    M(relayed_bytes, "adit_relayed_bytes_total", "counter",
      "Bytes copied between peers, both directions."),
    M(lanes_opened, "adit_lanes_opened_total", "counter", "Bulk lanes whose two ends were joined."),
    M(lanes_refused, "adit_lanes_refused_total", "counter",
      "Connections for a lane that had no ticket, no room, or nobody at the other end."),
    M(lanes, "adit_lanes", "gauge", "Bulk lanes that are relayed."),
    M(lane_bytes, "adit_lane_bytes_total", "counter",
      "Bytes copied between the ends of bulk lanes, both directions."),
    M(agents_refused, "adit_agents_refused_total", "counter",
      "Agents with a valid token whose session could not start."),
    M(agents_replaced, "adit_agents_replaced_total", "counter",
      "Agent connections that ended because the agent came again."),
    M(direct_accepted, "adit_agents_direct_accepted_total", "counter",
      "Connections of people to the agents' own ports, as connected agents told."),
    M(direct_refused, "adit_agents_direct_refused_total", "counter",
      "Connections to those ports that nobody was expected by, or that came to nothing."),
#undef M
};

static void write_workers(struct server *s, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(of_workers); i++) {
        uint64_t sum = 0;
        for (unsigned w = 0; w < s->n_workers; w++) {
            const char *base = (const char *)&s->workers[w].metrics;
            sum += atomic_load_explicit(
                (const atomic_uint_fast64_t *)(const void *)(base + of_workers[i].offset),
                memory_order_relaxed);
        }
        one(out, of_workers[i].name, of_workers[i].type, of_workers[i].help, sum);
    }
}

static uint64_t sum_forwards(struct server *s, enum audit_carrier carrier, bool bytes)
{
    uint64_t sum = 0;

    for (unsigned w = 0; w < s->n_workers; w++) {
        struct worker_metrics *m = &s->workers[w].metrics;
        sum += atomic_load_explicit(bytes ? &m->forward_bytes[carrier] : &m->forwards[carrier],
                                    memory_order_relaxed);
    }
    return sum;
}

/* Also what went directly, of which the server sees nothing but the record. */
static void write_forwards(struct server *s, struct buf *out)
{
    static const char *const names[] = {"adit_forwards_total", "adit_forward_bytes_total"};

    for (int bytes = 0; bytes < 2; bytes++) {
        head(out, names[bytes], "counter",
             bytes ? "Bytes of those, both directions."
                   : "Forwarded connections on the record that have ended, by path.");
        for (enum audit_carrier c = AUDIT_RELAY; c < AUDIT_CARRIER_COUNT; c++)
            buf_appendf(out, "%s{path=\"%s\"} %llu\n", names[bytes], audit_carrier_name(c),
                        (unsigned long long)sum_forwards(s, c, bytes));
    }
}

/* What never became a request; the quotas of connections are counted by themselves. */
static void write_refusals(struct server *s, struct buf *out)
{
    head(out, "adit_http_refused_total", "counter",
         "Heads of requests that were refused before any route was looked for, by status.");
    for (unsigned i = 0; i < HTTP_REFUSED_COUNT; i++) {
        uint64_t n = atomic_load_explicit(&s->http_refusals.refused[i], memory_order_relaxed);
        if (n > 0)
            buf_appendf(out, "adit_http_refused_total{status=\"%u\"} %llu\n",
                        HTTP_REFUSED_FIRST + i, (unsigned long long)n);
    }
}

static void write_requests(struct server *s, struct buf *out)
{
    struct web_count count;

    head(out, "adit_http_requests_total", "counter", "Requests answered, by route and status.");
    for (size_t i = 0; web_counters_get(&s->web_counters, i, &count); i++)
        if (count.n > 0 && count.status > 0)
            buf_appendf(out, "adit_http_requests_total{route=\"%s\",status=\"%u\"} %llu\n",
                        count.route, count.status, (unsigned long long)count.n);
        else if (count.n > 0)
            buf_appendf(out, "adit_http_requests_total{route=\"%s\",status=\"other\"} %llu\n",
                        count.route, (unsigned long long)count.n);
}

static void write_proxy(struct server *s, struct buf *out)
{
    struct proxy_counters *c = &s->proxy_counters;

    one(out, "adit_app_requests_total", "counter", "Requests to apps.", atomic_load(&c->requests));
    head(out, "adit_app_tickets_total", "counter", "Tickets of app requests.");
    buf_appendf(out, "adit_app_tickets_total{what=\"used\"} %llu\n",
                (unsigned long long)atomic_load(&c->tickets_used));
    buf_appendf(out, "adit_app_tickets_total{what=\"issued\"} %llu\n",
                (unsigned long long)atomic_load(&c->tickets_issued));
    one(out, "adit_app_upgrades_total", "counter", "WebSockets and other upgrades of apps.",
        atomic_load(&c->upgrades));
    one(out, "adit_app_connections_total", "counter", "Connections opened to apps.",
        atomic_load(&c->connections));
    one(out, "adit_app_withdrawn_total", "counter",
        "App requests that ended because a right was withdrawn.", atomic_load(&c->withdrawn));
    head(out, "adit_app_bytes_total", "counter", "Bytes of bodies and upgraded streams of apps.");
    buf_appendf(out, "adit_app_bytes_total{direction=\"in\"} %llu\n",
                (unsigned long long)atomic_load(&c->bytes_in));
    buf_appendf(out, "adit_app_bytes_total{direction=\"out\"} %llu\n",
                (unsigned long long)atomic_load(&c->bytes_out));
}

static void write_store(struct server *s, struct buf *out)
{
    static const struct {
        const char *name, *help;
    } kinds[] = {{"adit_store_operations_total", "Operations of the store."},
                 {"adit_store_failures_total", "Operations of the store that failed."},
                 {"adit_store_seconds_total", "Time that the database took."}};
    struct store_stat stat;

    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        head(out, kinds[k].name, "counter", kinds[k].help);
        for (unsigned i = 0; store_stat_get(s->store, i, &stat); i++) {
            buf_appendf(out, "%s{operation=\"%s\"} ", kinds[k].name, stat.name);
            if (k == 2)
                buf_appendf(out, "%.6f\n", (double)stat.usec / 1e6);
            else
                buf_appendf(out, "%llu\n",
                            (unsigned long long)(k == 0 ? stat.calls : stat.failures));
        }
    }
}

int metrics_write(struct server *s, struct buf *out)
{
    struct quota_counts q = quota_counts(s->quota);
    struct hub_counts hub = hub_counts(s->hub);

    head(out, "adit_build_info", "gauge", "The version that runs.");
    buf_appendf(out, "adit_build_info{version=\"%s\"} 1\n", ADIT_VERSION);
    one(out, "adit_workers", "gauge", "Event loops.", s->n_workers);
    one(out, "adit_connections", "gauge",
        "Connections that have not become a session of an agent or a person.", q.connections);
    head(out, "adit_refused_total", "counter", "What a quota refused, by quota.");
    buf_appendf(out, "adit_refused_total{quota=\"connections\"} %llu\n",
                (unsigned long long)q.refused_full);
    buf_appendf(out, "adit_refused_total{quota=\"connections_per_address\"} %llu\n",
                (unsigned long long)q.refused_address);
    buf_appendf(out, "adit_refused_total{quota=\"sessions_per_user\"} %llu\n",
                (unsigned long long)q.refused_person);
    buf_appendf(out, "adit_refused_total{quota=\"app_requests\"} %llu\n",
                (unsigned long long)atomic_load(&s->proxy_counters.refused));
    buf_appendf(out, "adit_refused_total{quota=\"event_streams\"} %llu\n",
                (unsigned long long)hub.streams_refused);
    buf_appendf(out, "adit_refused_total{quota=\"login_attempts\"} %lu\n", auth_refused(s->auth));
    one(out, "adit_agents", "gauge", "Agents that are connected.", registry_len(s->registry));
    one(out, "adit_event_streams", "gauge", "Streams of live updates that are open.", hub.streams);
    one(out, "adit_changes_total", "counter", "Changes that live updates were made for.",
        hub.changes);
    one(out, "adit_withdrawals_total", "counter", "Times that a right was withdrawn.",
        atomic_load(&s->withdrawals));
    one(out, "adit_audit_file_lost_total", "counter",
        "Audit events that could not be written to the audit file.",
        audit_file_lost(s->audit_file));
    write_workers(s, out);
    write_forwards(s, out);
    write_refusals(s, out);
    write_requests(s, out);
    write_proxy(s, out);
    write_store(s, out);
    return buf_room(out) == 0 ? -ENOBUFS : 0;
}
