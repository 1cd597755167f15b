/*
 * SSH channels. The request is answered once sshd speaks, so that a workspace without a working
 * sshd is a refusal with its reason and not a connection that ends at once.
 *
 * A client that is near brings a lane first. It is answered before sshd runs, and sshd then gets
 * the lane's TCP connection itself. Whatever else happens on the channel first, that the client
 * speaks there, that no lane comes or that it is no TCP connection of ours, leads to the same pipes
 * as without; the channel may move to a lane later as any other.
 *
 * sshd enforces the grant that it was started with and cannot be told another. When the policy
 * changes, what the new one would have it allow is compared with that: a connection that keeps all
 * it has goes on, one that would lose something ends, and the person is told why.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/served.h"
#include "agent/ssh_host.h"
#include "agent/ssh_notices.h"
#include "agent/ssh_record.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/stream.h"
#include "io/timer.h"
#include "ssh/ssh_account.h"
#include "ssh/ssh_grant.h"
#include "ssh/ssh_service.h"
#include "tunnel/lane_stream.h"

struct ssh_channel {
    struct served served;
    struct ssh_host *host;
    const struct served_reporter *reporter; /* may be NULL */
    struct list link;                       /* in host->connections */
    struct channel_request *rq;             /* until sshd speaks, or a lane is waited for */
    struct stream *stream;                  /* accepted, until the service has it */
    struct timer lane_limit;
    struct ssh_grant grant; /* what sshd was told */
    struct ssh_service *service;
    struct ssh_record *record;
    char user[NAME_SIZE];
    bool carried;       /* it was accepted */
    const char *result; /* how it ended, a word */
};

static const char rules_have_changed[] = "the forwarding rules of this workspace have changed: "
                                         "this connection ends, connect again";
/* More than a client that is near needs; it does not have to say that it has given up. */
static const usec_t lane_patience = USEC_PER_SEC;

/* Another connection of the same peer. */
static bool has_other(const struct ssh_channel *c)
{
    const struct ssh_channel *each;
    list_for_each (each, &c->host->connections, link)
        if (each != c && id_equal(&each->reporter->peer, &c->reporter->peer))
            return true;
    return false;
}

static void ssh_channel_free(struct served *s)
{
    struct ssh_channel *c = container_of(s, struct ssh_channel, served);
    uint64_t in = 0, out = 0;
    timer_cancel(&c->lane_limit);
    if (c->carried)
        ssh_service_count(c->service, &in, &out);
    ssh_service_free(c->service);
    stream_free(c->stream);
    if (c->carried)
        ssh_record_end(c->record, c->result ? c->result : "ok", in, out);
    ssh_record_free(c->record);
    channel_request_free(c->rq);
    ssh_grant_deinit(&c->grant);
    list_remove(&c->link);
    c->host->n_connections--;
    if (!has_other(c))
        ssh_notices_end(c->host->notices, &c->reporter->peer);
    free(c);
}

static void refuse(struct ssh_channel *c, const struct err *err)
{
    enum dial_result result = err->code == -EMFILE   ? DIAL_LIMIT
                              : err->code == -EACCES ? DIAL_NOT_PERMITTED
                                                     : DIAL_UNSUPPORTED;
    ssh_record_refused(c->record, dial_result_name(result), err);
    log_info("SSH refused", LOG_STR("user", c->user), LOG_STR("reason", err->text));
    if (c->rq)
        channel_refuse(steal(&c->rq), result, err->text);
    else
        ssh_notices_tell(c->host->notices, &c->reporter->peer, err->text);
    c->carried = false;
    served_end(&c->served);
}

static void accept(struct ssh_channel *c)
{
    struct stream *channel = channel_accept(steal(&c->rq));
    c->stream = lane_stream_wrap(channel);
    if (c->stream != channel)
        lane_stream_leave_tls(c->stream);
}

static void sshd_started(struct ssh_service *service, void *ud)
{
    struct ssh_channel *c = ud;
    if (c->rq)
        accept(c);
    c->carried = true;
    ssh_service_carry(service, steal(&c->stream));
}

static void sshd_logged(const struct sshd_event *e, void *ud)
{
    struct ssh_channel *c = ud;
    ssh_record_event(c->record, e);
    bool frequent = e->kind == SSHD_CHANNEL_OPENED || e->kind == SSHD_CHANNEL_CLOSED ||
                    e->kind == SSHD_CHANNEL_REFUSED || e->kind == SSHD_RAW;
    log_event(frequent ? LOG_DEBUG : LOG_INFO, "SSH", LOG_STR("user", c->user),
              LOG_STR("what", sshd_event_kind_name(e->kind)), LOG_STR("target", e->target),
              LOG_STR("origin", e->origin), LOG_STR("text", e->text));
}

static void sshd_ended(struct ssh_service *service, const struct err *err, void *ud)
{
    struct ssh_channel *c = ud;
    if (err)
        refuse(c, err);
    else
        served_end(&c->served);
}

static void request_cancelled(struct channel_request *rq, void *ud)
{
    struct ssh_channel *c = ud;
    served_end(&c->served);
}

static void policy_changed(struct served *served, const struct forward_policy *policy)
{
    struct ssh_channel *c = container_of(served, struct ssh_channel, served);
    struct ssh_grant grant = ssh_grant_make(policy);
    bool keeps_all = ssh_grant_covers(&grant, &c->grant);
    ssh_grant_deinit(&grant);
    if (keeps_all || c->result)
        return;
    c->result = "policy_changed";
    log_info("SSH ends: the policy has become narrower", LOG_STR("user", c->user));
    if (timer_pending(&c->lane_limit))
        timer_start(&c->lane_limit, 0); /* sshd has not been started: see start_accepted() */
    else if (!ssh_service_end(c->service, rules_have_changed) && c->reporter)
        ssh_notices_tell(c->host->notices, &c->reporter->peer, rules_have_changed);
}

/* ---- a lane first ---- */

static bool is_on_lane(const struct stream *s)
{
    int fd = stream_bare_fd(s, STREAM_READ);
    return fd >= 0 && fd == stream_bare_fd(s, STREAM_WRITE);
}

static void start_accepted(struct ssh_channel *c)
{
    struct err err = ERR_INIT;
    int r;
    timer_cancel(&c->lane_limit);
    stream_set_ready(c->stream, NULL, NULL);
    stream_want(c->stream, 0);
    if (c->result) {
        r = err_set(&err, -EACCES, "%s", rules_have_changed);
    } else if (is_on_lane(c->stream)) {
        log_debug("SSH on a lane of its own", LOG_STR("user", c->user));
        c->carried = true;
        r = ssh_service_start_on(c->service, steal(&c->stream), &err);
    } else {
        r = ssh_service_start(c->service, &err);
    }
    if (r < 0)
        refuse(c, &err);
}

/* It has moved, or something came, or it has failed: sshd's pipes will find out which. */
static void accepted_ready(struct stream *s, unsigned events, void *ud)
{
    start_accepted(ud);
}

static void no_lane_came(struct timer *t, void *ud)
{
    start_accepted(ud);
}

static void wait_for_lane(struct ssh_channel *c)
{
    accept(c);
    stream_set_ready(c->stream, accepted_ready, c);
    stream_want(c->stream, STREAM_READ);
    timer_start(&c->lane_limit, lane_patience);
}

/* ---- the start ---- */

/* 0, or -EMFILE with a text. This connection is counted already. */
static int check_limits(const struct ssh_channel *c, struct err *err)
{
    size_t of_person = 0, starting = 0;
    const struct ssh_channel *each;
    list_for_each (each, &c->host->connections, link) {
        of_person += str_eq(each->user, c->user);
        starting += !ssh_record_logged_in(each->record);
    }
    if (c->host->n_connections > SSH_CONNECTIONS_MAX)
        return err_set(err, -EMFILE, "there are %d SSH connections to this workspace already",
                       SSH_CONNECTIONS_MAX);
    if (of_person > SSH_CONNECTIONS_PER_PERSON_MAX)
        return err_set(err, -EMFILE, "you have %d SSH connections to this workspace already",
                       SSH_CONNECTIONS_PER_PERSON_MAX);
    if (starting > SSH_STARTING_MAX)
        return err_set(err, -EMFILE,
                       "%d SSH connections to this workspace are logging in at the moment: try "
                       "again",
                       SSH_STARTING_MAX);
    return 0;
}

static int start(struct ssh_channel *c, struct loop *loop, struct err *err)
{
    const char *line = channel_request_field(c->rq, channel_ssh_key_field);
    struct ssh_public_key key;
    if (!line || ssh_public_key_parse(span_of(line), &key) < 0)
        return err_set(err, -EINVAL, "the client's SSH key is missing or not an Ed25519 key");
    int r = check_limits(c, err);
    if (r < 0)
        return r;
    const struct ssh_service_options options = {
        .grant = &c->grant,
        .host_key = c->host->key,
        .client_key = &key,
        .started = sshd_started,
        .logged = sshd_logged,
        .ended = sshd_ended,
        .ud = c,
    };
    r = ssh_service_new(loop, &options, &c->service, err);
    if (r < 0)
        return r;
    if (!channel_request_field(c->rq, channel_lane_first_field) || ssh_server_minds_addresses())
        return ssh_service_start(c->service, err);
    wait_for_lane(c);
    return 0;
}

void serve_ssh(struct loop *loop, struct channel_request *rq, struct ssh_host *host,
               const struct forward_policy *policy, const struct served_reporter *reporter,
               struct list *list)
{
    struct ssh_channel *c = new0(struct ssh_channel);
    struct err err = ERR_INIT;
    c->host = host;
    c->reporter = reporter;
    c->rq = rq;
    timer_init(&c->lane_limit, loop, no_lane_came, c);
    c->served.free = ssh_channel_free;
    c->served.policy_changed = policy_changed;
    c->grant = ssh_grant_make(policy);
    str_copy(c->user, sizeof(c->user), reporter->user);
    c->record = ssh_record_new(host, reporter, c->user, policy);
    host->n_connections++;
    list_append(&host->connections, &c->link);
    channel_goal_of(channel_request_info(rq), &c->served.goal);
    list_append(list, &c->served.link);
    channel_request_on_cancel(rq, request_cancelled, c);
    if (start(c, loop, &err) < 0)
        refuse(c, &err);
}
