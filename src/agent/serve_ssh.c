/*
 * SSH channels. The request is answered once sshd speaks, so that a workspace without a working
 * sshd is a refusal with its reason and not a connection that ends at once.
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
#include "ssh/ssh_grant.h"
#include "ssh/ssh_service.h"
#include "tunnel/lane_stream.h"

struct ssh_channel {
    struct served served;
    struct ssh_host *host;
    const struct served_reporter *reporter; /* may be NULL */
    struct list link;                       /* in host->connections */
    struct channel_request *rq;             /* until sshd speaks */
    struct ssh_grant grant;                 /* what sshd was told */
    struct ssh_service *service;
    struct ssh_record *record;
    char user[NAME_SIZE];
    bool carried;       /* it was accepted */
    const char *result; /* how it ended, a word */
};

static void ssh_channel_free(struct served *s)
{
    struct ssh_channel *c = container_of(s, struct ssh_channel, served);
    ssh_service_free(c->service);
    if (c->carried)
        ssh_record_end(c->record, c->result ? c->result : "ok");
    ssh_record_free(c->record);
    channel_request_free(c->rq);
    ssh_grant_deinit(&c->grant);
    list_remove(&c->link);
    c->host->n_connections--;
    free(c);
}

static void refuse(struct ssh_channel *c, const struct err *err)
{
    enum dial_result result = err->code == -EMFILE   ? DIAL_LIMIT
                              : err->code == -EACCES ? DIAL_NOT_PERMITTED
                                                     : DIAL_UNSUPPORTED;
    ssh_record_refused(c->record, dial_result_name(result), err);
    log_info("SSH refused", LOG_STR("user", c->user), LOG_STR("reason", err->text));
    channel_refuse(steal(&c->rq), result, err->text);
    served_end(&c->served);
}

static void sshd_started(struct ssh_service *service, void *ud)
{
    struct ssh_channel *c = ud;
    c->carried = true;
    struct stream *channel = channel_accept(steal(&c->rq));
    struct stream *s = lane_stream_wrap(channel);
    if (s != channel)
        lane_stream_leave_tls(s);
    ssh_service_carry(service, s);
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
    if (c->rq && err)
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
    static const char text[] = "the forwarding rules of this workspace have changed: this "
                               "connection ends, connect again";
    struct ssh_channel *c = container_of(served, struct ssh_channel, served);
    struct ssh_grant grant = ssh_grant_make(policy);
    bool keeps_all = ssh_grant_covers(&grant, &c->grant);
    ssh_grant_deinit(&grant);
    if (keeps_all || c->result)
        return;
    c->result = "policy_changed";
    log_info("SSH ends: the policy has become narrower", LOG_STR("user", c->user));
    if (!ssh_service_end(c->service, text) && c->reporter)
        ssh_notices_tell(c->host->notices, &c->reporter->peer, text);
}

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
    return ssh_service_start(loop, &options, &c->service, err);
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
