#pragma once
/*
 * How ssh calls a workspace: "adit.WORKSPACE", "adit.WORKSPACE.AGENT", and somebody else's
 * "adit.OWNER--WORKSPACE" and "adit.OWNER--WORKSPACE.AGENT". No name has two hyphens in a row
 * (model/name.h), so that none of these stands for two workspaces.
 */
#include "model/workspace_ref.h"

enum { SSH_ALIAS_SIZE = WORKSPACE_REF_SIZE + 8 };

/* Returns `dst`. */
char *ssh_alias_format(const struct workspace_ref *ref, char dst[static SSH_ALIAS_SIZE]);
/* Letters are folded to lower case. 0, or -EINVAL with a text that quotes the input. */
int ssh_alias_parse(struct span text, struct workspace_ref *ret, struct err *err);
