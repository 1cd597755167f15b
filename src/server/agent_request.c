#include "server/agent_request.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "io/loop.h"
#include "server/agent_conn.h"
#include "server/instance.h"
#include "tunnel/server_link.h"

/* Belongs to the asking worker, then to the agent's, then to the asking one again. */
struct agent_request {
    struct list link; /* of the agent's connection */
    struct server_worker *asker;
    struct server_worker *holder;
    uint64_t link_id;
    char *path;
    struct tunnel_call *call;
    int status;
    char *body;
    size_t len;
    web_agent_answered_fn *answered;
    void *ud;
};

static void deliver(void *ud)
{
    struct agent_request *rq = ud;

    rq->asker->requests--;
    rq->answered(rq->status, rq->body, rq->len, rq->ud);
    free(rq->body);
    free(rq->path);
    free(rq);
}

static void finish(struct agent_request *rq, int status)
{
    rq->call = NULL;
    rq->status = status;
    list_remove(&rq->link);
    loop_post(rq->asker->loop, deliver, rq);
}

static void on_answered(int status, const char *body, size_t len, void *ud)
{
    struct agent_request *rq = ud;

    if (len > 0) {
        rq->body = xmemdup(body, len);
        rq->len = len;
    }
    finish(rq, status);
}

static void ask(void *ud)
{
    struct agent_request *rq = ud;
    struct agent_conn *a = agent_conn_find(rq->holder, rq->link_id);

    if (!a) {
        finish(rq, -ENOTCONN);
        return;
    }
    list_append(agent_conn_requests(a), &rq->link);
    rq->call = tunnel_session_call(server_link_session(agent_conn_link(a)), "GET", rq->path, NULL,
                                   on_answered, rq);
}

void agent_request_get(struct server_worker *w, const struct id *agent_id, const char *path,
                       web_agent_answered_fn *answered, void *ud)
{
    struct agent_request *rq = new0(struct agent_request);
    struct presence p;

    list_init(&rq->link);
    rq->asker = w;
    rq->path = xstrdup(path);
    rq->answered = answered;
    rq->ud = ud;
    w->requests++;
    if (!registry_get(w->server->registry, agent_id, &p)) {
        finish(rq, -ENOTCONN);
        return;
    }
    rq->holder = &w->server->workers[p.worker];
    rq->link_id = p.link_id;
    loop_post(rq->holder->loop, ask, rq);
}

void agent_requests_fail(struct list *requests)
{
    struct agent_request *rq, *next;

    list_for_each_safe (rq, next, requests, link) {
        tunnel_call_cancel(rq->call);
        finish(rq, -ENOTCONN);
    }
}
