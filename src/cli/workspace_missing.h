#pragma once
/* What is said of a workspace that does not exist, or may not be known to this person. */
#include "base/err.h"
#include "base/span.h"
#include "model/workspace_ref.h"

/* "there is no workspace 'dve', or you may not see it"; -ENOENT. */
int workspace_missing_error(const struct workspace_ref *ref, struct err *err);

/*
 * "did you mean 'dev'?", if one of `workspaces`, the answer to GET /workspaces (also none), is near
 * enough, else where to look. `me`: whose workspaces a name without an owner is of. The caller
 * frees it.
 */
char *workspace_missing_hint(const struct workspace_ref *ref, const char *me,
                             struct span workspaces);
