#pragma once
/* Workspaces as the commands read them from the API's JSON. */
#include <jansson.h>

#include "cli/api_client.h"

/*
 * GET of the workspace named by a command's argument. `agent` of *ret_ref is what was typed.
 * 0, or the error has been printed. Decref *ret.
 */
int workspace_view_get(struct api_client *c, const char *typed, struct workspace_ref *ret_ref,
                       json_t **ret);
