#pragma once
/* Finding the workspace of a call's path, and showing workspaces. */
#include "api/workspace.h"
#include "store/workspace.h"
#include "web/call.h"

/* The workspace was found, and the caller may. The pointer is valid during the call. */
typedef void workspace_found_fn(struct call *c, const struct store_workspace *ws);

/*
 * Goes on with `then` when {owner}/{workspace} of the path exists and the caller may do `action`
 * to it; otherwise the call ends, without telling somebody else's from one that does not exist.
 * Uses c->state.
 */
void workspaces_find(struct call *c, enum right_action action, workspace_found_fn *then);

/* The path's {agent} among those of the workspace; NULL: the call has ended with 404. */
const struct agent *workspaces_agent(struct call *c, const struct store_workspace *ws);

/* The object of a right for a workspace; borrows from it. */
struct right_object workspaces_object(const struct workspace *ws);

/* Its message, with its presence. */
void workspaces_show_agent(struct call *c, const struct agent *agent, struct api_agent *ret);
