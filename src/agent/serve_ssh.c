/*
 * SSH channels. The request is answered once sshd speaks, so that a workspace without a working
 * sshd is a refusal with its reason and not a connection that ends at once.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/served.h"
#include "agent/ssh_host.h"
#include "agent/ssh_record.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "ssh/ssh_service.h"

struct ssh_channel {
    struct served served;
    struct ssh_host *host;
    struct channel_request *rq; /* until sshd speaks */
    struct ssh_service *service;
    struct ssh_record *record;
    char user[NAME_SIZE];
    const char *result; /* how it ended, a word */
};

static void ssh_channel_free(struct served *s)
{
    struct ssh_channel *c = container_of(s, struct ssh_channel, served);
    bool started = c->service && !c->rq;
    ssh_service_free(c->service);
    if (started)
        ssh_record_end(c->record, c->result ? c->result : "ok");
    ssh_record_free(c->record);
    channel_request_free(c->rq);
    c->host->n_connections--;
    free(c);
}

static void refuse(struct ssh_channel *c, const struct err *err)
{
    enum dial_result result = err->code == -ENOTSUP  ? DIAL_FORBIDDEN
                              : err->code == -EMFILE ? DIAL_LIMIT
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
    ssh_service_carry(service, channel_accept(steal(&c->rq)));
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

static int start(struct ssh_channel *c, struct loop *loop, const struct forward_policy *policy,
                 struct err *err)
{
    const char *line = channel_request_field(c->rq, channel_ssh_key_field);
    struct ssh_public_key key;
    if (!line || ssh_public_key_parse(span_of(line), &key) < 0)
        return err_set(err, -EINVAL, "the client's SSH key is missing or not an Ed25519 key");
    if (c->host->n_connections > SSH_CONNECTIONS_MAX)
        return err_set(err, -EMFILE, "there are %d SSH connections to this workspace already",
                       SSH_CONNECTIONS_MAX);
    const struct ssh_service_options options = {
        .forwarding = policy,
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
    c->rq = rq;
    c->served.free = ssh_channel_free;
    c->served.policy_fixed = true;
    str_copy(c->user, sizeof(c->user), reporter->user);
    c->record = ssh_record_new(host, reporter, c->user, policy);
    host->n_connections++;
    channel_goal_of(channel_request_info(rq), &c->served.goal);
    list_append(list, &c->served.link);
    channel_request_on_cancel(rq, request_cancelled, c);
    if (start(c, loop, policy, &err) < 0)
        refuse(c, &err);
}
