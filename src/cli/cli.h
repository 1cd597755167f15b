#pragma once
/* One run of the program. */
#include "base/err.h"
#include "cli/command.h"
#include "cli/exit_code.h"

struct cli {
    const struct command *command; /* the one that runs (the inner one of "users list") */
    char path[64];                 /* its names: "users list" */
    struct args args;
    struct output out;
};

/* Reads the command line, runs the command. Returns the exit code. */
int cli_main(int argc, char *const *argv);
/* The same with the output given: for tests. */
int cli_run(struct cli *cli, int argc, char *const *argv);

/* Prints err->text as a usage error and points at --help. Returns EXIT_CODE_USAGE. */
int cli_usage_error(struct cli *cli, const struct err *err);
int cli_usage(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints err->text. Returns EXIT_CODE_FAILURE. */
int cli_failure(struct cli *cli, const struct err *err);
