#pragma once
/* What all commands that delete have: they ask first, or take --yes. */
#include "cli/cli.h"

extern const struct option deletion_options[];

/* 0: go on; otherwise it was answered no, or the error has been printed: the exit code. */
int deletion_confirm(struct cli *cli, const char *question);
