/*
 * The audit record, read with filters. Who may read all of it asks for all; everybody else gets
 * the same question narrowed to what concerns them, so that a name of somebody else in a filter
 * finds nothing rather than being refused.
 */
#include "api/audit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/num.h"
#include "http/exchange.h"
#include "model/workspace_ref.h"
#include "proto/url.h"
#include "store/audit.h"
#include "web/handlers.h"
#include "web/instance.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000, PARAMETER_SIZE = WORKSPACE_REF_SIZE };

/* The query with what is wrong with it, and the texts that the filter points to. */
struct reading {
    struct span query;
    struct store_audit_filter filter;
    struct api_problem problem;
    char actor[NAME_SIZE];
    char workspace[2 * NAME_SIZE];
};

/* True: it is there and whole, in `ret`. One that is no text at all is already a problem. */
static bool find(struct reading *r, const char *key, char ret[static PARAMETER_SIZE])
{
    ssize_t len = query_get(r->query, key, ret, PARAMETER_SIZE);

    if (len < 0 && len != -ENOENT)
        api_problem_add(&r->problem, key, "is too long, or not text");
    return len >= 0;
}

static void read_time(struct reading *r, const char *key, usec_t *ret)
{
    char text[PARAMETER_SIZE];

    if (find(r, key, text) && clock_parse(text, ret) < 0)
        api_problem_add(&r->problem, key, "is not a time such as 2026-01-31T12:34:56Z");
}

static void read_names(struct reading *r)
{
    struct workspace_ref ref;
    char text[PARAMETER_SIZE];

    if (find(r, "user", text) && name_parse(NAME_USER, span_of(text), r->actor, NULL) < 0)
        api_problem_add(&r->problem, "user", "is not a user's name");
    if (!find(r, "workspace", text))
        return;
    if (workspace_ref_parse(span_of(text), &ref, NULL) < 0 || !ref.owner[0] || ref.agent[0])
        api_problem_add(&r->problem, "workspace", "is not OWNER/WORKSPACE");
    else
        snprintf(r->workspace, sizeof(r->workspace), "%s/%s", ref.owner, ref.workspace);
}

static void read_action(struct reading *r)
{
    enum audit_action action;
    char text[PARAMETER_SIZE];

    r->filter.action = -1;
    if (!find(r, "action", text))
        return;
    if (audit_action_parse(span_of(text), &action) < 0)
        api_problem_add(&r->problem, "action", "is not an action such as login or forward_close");
    else
        r->filter.action = (int)action;
}

static void read_piece(struct reading *r)
{
    char text[PARAMETER_SIZE];
    uint64_t number;

    r->filter.limit = LIMIT_DEFAULT;
    if (find(r, "after", text)) {
        if (num_parse(span_of(text), 1, INT64_MAX, &number) < 0)
            api_problem_add(&r->problem, "after", "is not what an answer gave as \"next\"");
        else
            r->filter.before = (int64_t)number;
    }
    if (find(r, "limit", text)) {
        if (num_parse(span_of(text), 1, LIMIT_MAX, &number) < 0)
            api_problem_add(&r->problem, "limit", "is not a number from 1 to 1000");
        else
            r->filter.limit = number < API_AUDIT_PIECE_MAX ? (unsigned)number : API_AUDIT_PIECE_MAX;
    }
}

static bool read_query(struct call *c, struct reading *r)
{
    *r = (struct reading){.query = c->x->query};
    read_time(r, "since", &r->filter.since);
    read_time(r, "until", &r->filter.until);
    read_names(r);
    read_action(r);
    read_piece(r);
    if (r->problem.n_fields == 0 && r->filter.until && r->filter.until <= r->filter.since)
        api_problem_add(&r->problem, "until", "is not after \"since\"");
    r->filter.actor = r->actor;
    r->filter.workspace = r->workspace;
    r->filter.concerning = "";
    if (r->problem.n_fields == 0)
        return true;
    str_copy(r->problem.message, sizeof(r->problem.message), "The query is not valid.");
    call_problem(c, &r->problem);
    return false;
}

static void on_events(void *ud, int r, const struct audit_event *events, size_t n, int64_t next)
{
    struct call *c = ud;
    struct api_audit msg = {.n_events = n};

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    msg.events = xcalloc(n ? n : 1, sizeof(*msg.events));
    for (size_t i = 0; i < n; i++) {
        msg.events[i].event = events[i];
        msg.events[i].duration_ms = (uint64_t)(events[i].duration / USEC_PER_MSEC);
    }
    if (next)
        snprintf(msg.next, sizeof(msg.next), "%lld", (long long)next);
    call_answer(c, 200, &api_audit_type, &msg);
    free(msg.events);
}

void audit_list(struct call *c)
{
    struct right_object own = {.owner_id = c->who.user_id, .owner = c->who.user};
    struct reading r;
    bool all = right_check(&c->who, RIGHT_AUDIT_READ_ALL, NULL) == RIGHT_YES;

    if ((!all && !call_may(c, RIGHT_AUDIT_READ, &own)) || !read_query(c, &r))
        return;
    if (!all)
        r.filter.concerning = c->who.user;
    store_audit_query(call_store(c), call_loop(c), &r.filter, on_events, c);
}
