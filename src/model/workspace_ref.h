#pragma once
/* `[owner/]workspace[.agent]`: how a person names a workspace everywhere. */
#include "base/err.h"
#include "base/span.h"
#include "model/name.h"

struct workspace_ref {
    char owner[NAME_SIZE]; /* empty: the caller's own */
    char workspace[NAME_SIZE];
    char agent[NAME_SIZE]; /* empty: the only agent */
};

enum { WORKSPACE_REF_SIZE = 3 * NAME_SIZE };

/* Letters are folded to lower case. 0, or -EINVAL with a text that quotes the input. */
int workspace_ref_parse(struct span text, struct workspace_ref *ret, struct err *err);

/* The text form. Returns `dst`. */
char *workspace_ref_format(const struct workspace_ref *ref, char dst[static WORKSPACE_REF_SIZE]);
