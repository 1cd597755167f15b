/*
 * Each request of a peer passes policy_check() under the grant as it is at that moment. When the
 * server replaces a grant, every channel that is served is checked again and those that are no
 * longer allowed end; when it withdraws the peer, or the grant expires, its sessions end.
 *
 * Nothing is withdrawn while the server is away, so a direct session may go on without it for a
 * short time only. It goes on for good when its key is announced again, under the new id.
 */
#include "agent/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/direct_listener.h"
#include "agent/forwards.h"
#include "agent/served.h"
#include "agent/ssh_host.h"
#include "agent/ssh_notices.h"
#include "api/peer.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/addr.h"
#include "io/loop.h"
#include "io/timer.h"
#include "tunnel/lane_server.h"
#include "tunnel/listen_server.h"
#include "tunnel/peer_acceptor.h"

enum { DIRECT_SESSIONS_MAX = 8 }; /* of one peer, at once */

struct peers {
    struct loop *loop;
    struct peer_acceptor *acceptor;
    struct ssh_host *ssh;
    struct records *records; /* NULL: nothing is reported */
    struct forwards *forwards;
    struct direct_listener *port; /* NULL: nobody comes directly */
    struct lane_server *lanes;    /* NULL: there are none */
    struct list sessions;
    size_t n_sessions;
};

struct peer_session {
    struct list link;
    struct peers *peers;
    struct id peer;
    struct tunnel_session *session;
    struct addr from;   /* a direct one's; length 0: relayed */
    struct tls_pin pin; /* of the peer */
    struct timer alone; /* a direct one's, while the server is away */
    struct grant grant;
    struct timer expiry;
    struct list served;
    struct served_reporter reporter;
};

static int grant_parse(const char *json, struct grant *ret, struct err *err)
{
    struct api_grant msg;
    struct api_problem problem = {0};
    if (api_grant_read(span_of(json), API_LENIENT, &msg, &problem) < 0)
        return err_set(err, -EINVAL, "%s", problem.message);
    *ret = grant_copy(&msg.grant);
    api_grant_release(&msg);
    return 0;
}

static void session_end(struct peer_session *s)
{
    struct served *served, *next;
    list_for_each_safe (served, next, &s->served, link)
        served_end(served);
    forwards_end_peer(s->peers->forwards, &s->peer);
    log_info("peer gone", LOG_STR("user", s->grant.user));
    list_remove(&s->link);
    s->peers->n_sessions--;
    timer_cancel(&s->expiry);
    timer_cancel(&s->alone);
    tunnel_session_free(s->session);
    grant_deinit(&s->grant);
    free(s);
}

static void grant_expired(struct timer *t, void *ud)
{
    session_end(ud);
}

static void alone_too_long(struct timer *t, void *ud)
{
    struct peer_session *s = ud;
    log_info("the server is away for too long", LOG_STR("user", s->grant.user));
    session_end(s);
}

static void watch_expiry(struct peer_session *s)
{
    timer_cancel(&s->expiry);
    if (!s->grant.expires_at)
        return;
    usec_t left = s->grant.expires_at - clock_realtime();
    timer_start(&s->expiry, left > 0 ? left : 0);
}

/* The listener may be on another session of the same peer: relayed, while this one is direct. */
static void take_accepted(struct peer_session *s, struct channel_request *rq)
{
    const struct id *connection = &channel_request_info(rq)->id;
    struct tunnel_session *of = s->session;
    struct peer_session *other;
    list_for_each (other, &s->peers->sessions, link)
        if (id_equal(&other->peer, &s->peer) && listen_server_offers(other->session, connection))
            of = other->session;
    listen_server_take(rq, of);
}

static void serve(struct peer_session *s, struct channel_request *rq, enum channel_kind kind)
{
    switch (kind) {
    case CHANNEL_TCP:
    case CHANNEL_UNIX:
    case CHANNEL_SPEEDTEST:
        serve_stream(s->peers->loop, rq, &s->served);
        return;
    case CHANNEL_UDP:
        serve_udp(s->peers->loop, rq, &s->served);
        return;
    case CHANNEL_LISTEN:
        serve_listen(s->peers->loop, rq, &s->served);
        return;
    case CHANNEL_ACCEPT:
        take_accepted(s, rq);
        return;
    case CHANNEL_SSH:
        if (!s->peers->ssh)
            break;
        serve_ssh(s->peers->loop, rq, s->peers->ssh, &s->grant.forwarding, &s->reporter,
                  &s->served);
        return;
    case CHANNEL_PEER:
    case CHANNEL_REQUEST:
        break;
    }
    channel_refuse(rq, DIAL_UNSUPPORTED, NULL);
}

/* How the peer is seen from here: an answer that costs nothing, for measuring and life signs. */
static void answer_session(const struct peer_session *s, struct channel_request *rq)
{
    char json[ADDR_TEXT_LEN + 64], from[ADDR_TEXT_LEN] = "";
    if (s->from.len > 0)
        addr_format(&s->from, from);
    snprintf(json, sizeof(json), "{\"path\":\"%s\",\"address\":\"%s\"}",
             s->from.len > 0 ? "direct" : "relay", from);
    channel_answer(rq, 200, json);
}

static void answer_lanes(const struct peer_session *s, struct channel_request *rq)
{
    lane_server_answer(s->peers->lanes, rq, &s->peer, &s->pin);
}

/* Plain requests of a peer: how it is connected, lanes for its channels, and what an SSH client has
 * to know. */
static void answer_request(struct peer_session *s, struct channel_request *rq)
{
    const struct channel_request_info *info = channel_request_info(rq);
    if (str_eq(info->path, "/session"))
        answer_session(s, rq);
    else if (str_eq(info->path, "/candidates") && s->peers->port && s->grant.direct)
        direct_listener_answer(s->peers->port, rq);
    else if (str_eq(info->path, "/lanes") && s->peers->lanes)
        answer_lanes(s, rq);
    else if (!s->peers->ssh || !(str_eq(info->path, "/ssh") || str_eq(info->path, "/ssh/notices")))
        channel_answer(rq, 404, NULL);
    else if (!s->grant.ssh)
        channel_answer(rq, 403, NULL);
    else if (str_eq(info->path, "/ssh"))
        ssh_host_answer(s->peers->ssh, rq);
    else
        ssh_notices_answer(s->peers->ssh->notices, &s->peer, rq);
}

static void channel_requested(struct tunnel_session *session, struct channel_request *rq, void *ud)
{
    struct peer_session *s = ud;
    const struct channel_request_info *info = channel_request_info(rq);
    if (info->kind == CHANNEL_REQUEST) {
        answer_request(s, rq);
        return;
    }
    struct channel_goal goal;
    struct err err = ERR_INIT;
    channel_goal_of(info, &goal);
    enum dial_result result = policy_check(&s->grant, &goal, clock_realtime(), &err);
    if (result != DIAL_OK) {
        log_info("channel refused", LOG_STR("user", s->grant.user), LOG_STR("reason", err.text));
        if (s->reporter.records && goal.kind != CHANNEL_PEER)
            served_refused(&s->reporter, &goal, result,
                           goal.kind == CHANNEL_SSH
                               ? "SSH is off"
                               : policy_rule_against(&s->grant.forwarding, &goal));
        channel_refuse(rq, result, err.text);
        return;
    }
    char text[GOAL_TEXT_SIZE];
    log_debug("channel", LOG_STR("user", s->grant.user),
              LOG_STR("kind", channel_kind_name(goal.kind)),
              LOG_STR("target", channel_goal_text(&goal, text)));
    serve(s, rq, info->kind);
}

static void session_ended(struct tunnel_session *session, int reason, const struct err *err,
                          void *ud)
{
    session_end(ud);
}

/* More than a client that reconnects ever has. */
static bool has_enough(const struct peers *p, const struct id *peer)
{
    const struct peer_session *s;
    size_t n = 0;
    list_for_each (s, &p->sessions, link)
        n += s->from.len > 0 && id_equal(&s->peer, peer);
    return n >= DIRECT_SESSIONS_MAX;
}

static void peer_connected(struct tunnel_session *session, const struct id *peer, const char *json,
                           const struct addr *from, void *ud)
{
    struct peers *p = ud;
    struct grant grant;
    if ((from && has_enough(p, peer)) || grant_parse(json, &grant, NULL) < 0) {
        tunnel_session_free(session);
        return;
    }
    struct peer_session *s = new0(struct peer_session);
    *s = (struct peer_session){.peers = p, .peer = *peer, .session = session, .grant = grant};
    list_init(&s->served);
    if (from)
        s->from = *from;
    peer_acceptor_pin(p->acceptor, peer, &s->pin);
    timer_init(&s->expiry, p->loop, grant_expired, s);
    timer_init(&s->alone, p->loop, alone_too_long, s);
    watch_expiry(s);
    list_append(&p->sessions, &s->link);
    p->n_sessions++;
    s->reporter = (struct served_reporter){
        .records = p->records, .forwards = p->forwards, .peer = *peer, .direct = from != NULL};
    str_copy(s->reporter.user, sizeof(s->reporter.user), grant.user);
    tunnel_session_set_context(session, p->records ? &s->reporter : NULL);
    tunnel_session_set_owner(session, channel_requested, session_ended, s);
    if (p->lanes)
        tunnel_session_allow_lanes(session);
    log_info("peer connected", LOG_STR("user", grant.user),
             LOG_STR("path", from ? "direct" : "relay"));
}

/* `changed`: the policy is not the one that it was. */
static void drop_what_is_forbidden(struct peer_session *s, bool changed)
{
    struct served *served, *next;
    usec_t now = clock_realtime();
    list_for_each_safe (served, next, &s->served, link) {
        struct err err = ERR_INIT;
        if (policy_check(&s->grant, &served->goal, now, &err) == DIAL_OK) {
            if (changed && served->policy_changed)
                served->policy_changed(served, &s->grant.forwarding);
            continue;
        }
        log_info("channel ended", LOG_STR("user", s->grant.user), LOG_STR("reason", err.text));
        served_end(served);
    }
}

static void replace_grant(struct peer_session *s, const char *json)
{
    struct grant grant;
    if (grant_parse(json, &grant, NULL) < 0)
        return;
    bool changed = !forward_policy_equal(&s->grant.forwarding, &grant.forwarding);
    grant_deinit(&s->grant);
    s->grant = grant;
    if (s->from.len > 0 && !grant.direct) {
        session_end(s);
        return;
    }
    watch_expiry(s);
    drop_what_is_forbidden(s, changed);
}

static void peer_granted(const struct id *peer, const char *json, void *ud)
{
    struct peers *p = ud;
    struct peer_session *s, *next;
    list_for_each_safe (s, next, &p->sessions, link)
        if (id_equal(&s->peer, peer))
            replace_grant(s, json);
}

static bool is_for(const char *json, const struct id *user_id)
{
    struct grant grant;
    if (grant_parse(json, &grant, NULL) < 0)
        return false;
    bool same = id_equal(&grant.user_id, user_id);
    grant_deinit(&grant);
    return same;
}

/* Keys are made for one command; somebody else who comes with it gets nothing of it. */
static void peer_announced(const struct id *peer, const struct tls_pin *pin, const char *json,
                           void *ud)
{
    struct peers *p = ud;
    struct peer_session *s, *next;
    list_for_each_safe (s, next, &p->sessions, link) {
        if (s->from.len == 0 || memcmp(&s->pin, pin, sizeof(*pin)) != 0 ||
            !is_for(json, &s->grant.user_id))
            continue;
        timer_cancel(&s->alone);
        s->peer = s->reporter.peer = *peer;
        replace_grant(s, json);
    }
}

void peers_server_away(struct peers *p, bool refused)
{
    struct peer_session *s, *next;
    peer_acceptor_clear(p->acceptor);
    list_for_each_safe (s, next, &p->sessions, link) {
        if (s->from.len == 0)
            continue;
        if (refused)
            session_end(s);
        else if (!timer_pending(&s->alone))
            timer_start(&s->alone, PEERS_ALONE_SEC * USEC_PER_SEC);
    }
}

static void peer_withdrawn(const struct id *peer, void *ud)
{
    struct peers *p = ud;
    struct peer_session *s, *next;
    list_for_each_safe (s, next, &p->sessions, link)
        if (id_equal(&s->peer, peer))
            session_end(s);
}

static int check_grant(const char *json, struct err *err, void *ud)
{
    struct grant grant;
    int r = grant_parse(json, &grant, err);
    if (r == 0)
        grant_deinit(&grant);
    return r;
}

static bool grants_direct(const char *json, void *ud)
{
    struct peers *p = ud;
    struct grant grant;
    if (!p->port || grant_parse(json, &grant, NULL) < 0)
        return false;
    bool direct = grant.direct;
    grant_deinit(&grant);
    return direct;
}

struct peers *peers_new(struct loop *loop, struct tls_context *tls, struct ssh_host *ssh)
{
    struct peers *p = new0(struct peers);
    p->loop = loop;
    p->ssh = ssh;
    list_init(&p->sessions);
    const struct peer_acceptor_options options = {
        .tls = tls,
        .check_grant = check_grant,
        .direct = grants_direct,
        .announced = peer_announced,
        .connected = peer_connected,
        .granted = peer_granted,
        .withdrawn = peer_withdrawn,
        .ud = p,
    };
    p->acceptor = peer_acceptor_new(loop, &options);
    return p;
}

void peers_report_to(struct peers *p, struct records *records, struct forwards *forwards)
{
    p->records = records;
    p->forwards = forwards;
}

void peers_open_port(struct peers *p, struct direct_listener *port)
{
    p->port = port;
}

void peers_allow_lanes(struct peers *p, struct lane_server *lanes)
{
    p->lanes = lanes;
}

struct peer_acceptor *peers_acceptor(struct peers *p)
{
    return p->acceptor;
}

size_t peers_count(const struct peers *p)
{
    return p->n_sessions;
}

struct peers *peers_free(struct peers *p)
{
    if (!p)
        return NULL;
    peer_acceptor_free(p->acceptor);
    struct peer_session *s, *next;
    list_for_each_safe (s, next, &p->sessions, link)
        session_end(s);
    free(p);
    return NULL;
}
