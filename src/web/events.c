/* GET /events: who may look at what. What follows is in event_stream.c. */
#include <errno.h>

#include "http/exchange.h"
#include "proto/url.h"
#include "web/event_stream.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/workspaces.h"

static bool wants_all(const struct call *c)
{
    char all[8] = "";

    return query_get(c->query, "all", all, sizeof(all)) >= 0 && str_eq(all, "true");
}

static void start(struct call *c, const struct store_workspace *ws)
{
    struct event_stream_options options = {
        .route = c->route, .who = c->who, .ws = ws, .all = wants_all(c)};
    struct web *web = c->web;
    const struct web_live *live = web->o.live;

    if (live->withdrawals(web->o.live_ud) != c->withdrawals)
        call_retry(c, "rights-changed", 1, "Rights have just changed; try again.");
    else if (!live->stream_take(web->o.live_ud, &c->who.user_id))
        call_fail(c, 429, "You have too many streams of events open.",
                  "Close a page of the dashboard, or a command with --watch.");
    else
        event_stream_start(web, call_release(c), &options);
}

static void find_workspace(struct call *c, struct span text)
{
    ptrdiff_t slash = span_find(text, '/');
    struct route_param *list = c->params.list;

    if (slash < 0) {
        call_fail_field(c, 400, "workspace", "A workspace is named as OWNER/NAME.");
        return;
    }
    list[0].name = "owner";
    list[0].value = arena_span_dup(c->arena, span_sub(text, 0, (size_t)slash));
    list[1].name = "workspace";
    list[1].value = arena_span_dup(c->arena, span_sub(text, (size_t)slash + 1, text.len));
    c->params.len = 2;
    workspaces_find(c, RIGHT_WORKSPACE_READ, start);
}

void events_open(struct call *c)
{
    struct right_object own = {.owner_id = c->who.user_id, .owner = c->who.user};
    char workspace[2 * NAME_SIZE];
    ssize_t len = query_get(c->query, "workspace", workspace, sizeof(workspace));

    if (wants_all(c) && !call_may(c, RIGHT_WORKSPACE_LIST_ALL, NULL))
        return;
    if (len >= 0)
        find_workspace(c, span_of(workspace));
    else if (len != -ENOENT)
        call_fail_field(c, 400, "workspace", "A workspace is named as OWNER/NAME.");
    else if (call_may(c, RIGHT_WORKSPACE_LIST, &own))
        start(c, NULL);
}
