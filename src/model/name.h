#pragma once
/*
 * Names of users, workspaces, templates, agents and app slugs: 1 to 32 characters, lower-case
 * letters, digits and single inner hyphens. Two hyphens in a row never occur in a name, so that
 * an app's host name can join names with "--". A slug is neither a number nor a number followed
 * by "s": those stand for ports.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

enum {
    NAME_MAX_LEN = 32,
    NAME_SIZE = NAME_MAX_LEN + 1, /* with the NUL */
};

enum name_kind { NAME_USER, NAME_WORKSPACE, NAME_TEMPLATE, NAME_AGENT, NAME_SLUG };

/*
 * Folds `text` to lower case, checks it and stores it in `ret_name` (on success only).
 * 0, or -EINVAL with a text that says what is wrong.
 */
int name_parse(enum name_kind kind, struct span text, char ret_name[static NAME_SIZE],
               struct err *err);

/* Whether `text` is a name in its stored form: valid, and already in lower case. */
bool name_valid(enum name_kind kind, struct span text);
