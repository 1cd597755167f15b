#pragma once
/* The apps of an agent as commands show them. */
#include "api/share.h"
#include "cli/output.h"

/* Prints nothing when there are none. */
void apps_table_print(const struct api_apps *apps, struct output *out);
