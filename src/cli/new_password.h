#pragma once
/* A new password from whoever runs a command. */
#include "api/user.h"
#include "cli/cli.h"

/* The option of commands that take one, or any. */
#define PASSWORD_STDIN_OPTION                                                                      \
    {                                                                                              \
        .name = "password-stdin", .kind = OPTION_FLAG,                                             \
        .help = "Read the password from the first line of standard input instead of asking."       \
    }

/*
 * The first line of standard input with --password-stdin. Else asked for on the terminal, twice,
 * and anew where the two differ or the password is too short, up to three times. The caller wipes
 * `dst`. 0, or the exit code, and the error has been printed.
 */
int new_password_read(struct cli *cli, const char *prompt, char dst[static API_PASSWORD_SIZE]);
/* A password that there is already: asked for once. Likewise. */
int old_password_read(struct cli *cli, const char *prompt, char dst[static API_PASSWORD_SIZE]);
