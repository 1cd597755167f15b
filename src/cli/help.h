#pragma once
/* Help texts, made from the command table. */
#include <stdio.h>

#include "cli/command.h"

/* The list of commands: what `adit` and `adit help` print. */
void help_print_overview(struct output *o, FILE *f);
/* Everything about a command; `path` is its full name ("users list"). */
void help_print_command(struct output *o, FILE *f, const struct command *c, const char *path);
