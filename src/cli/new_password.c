#include "cli/new_password.h"

#include <string.h>

#include "base/span.h"
#include "cli/term.h"
#include "model/password.h"

enum { TRIES = 3 };

static int not_asked(struct cli *cli, const struct err *err)
{
    output_error(&cli->out, "%s", err->text);
    output_hint(&cli->out, args_has(&cli->args, "password-stdin")
                               ? "--password-stdin reads the first line of standard input"
                               : "give the password by --password-stdin");
    return EXIT_CODE_USAGE;
}

/* Takes `secret`. */
static int take(struct cli *cli, struct secret *secret, char dst[static API_PASSWORD_SIZE])
{
    bool fits =
        strlen(secret->text) == secret->len && str_copy(dst, API_PASSWORD_SIZE, secret->text);
    secret_free(secret);
    if (fits)
        return 0;
    output_error(&cli->out, "the password is longer than %d bytes", PASSWORD_MAX_LEN);
    return EXIT_CODE_FAILURE;
}

int old_password_read(struct cli *cli, const char *prompt, char dst[static API_PASSWORD_SIZE])
{
    struct err err = ERR_INIT;
    struct secret *password = NULL;
    int r = args_has(&cli->args, "password-stdin") ? term_read_stdin_secret(&password, &err)
                                                   : term_ask_secret(prompt, &password, &err);
    return r < 0 ? not_asked(cli, &err) : take(cli, password, dst);
}

/* 0; 1: the two differ. */
static int ask_twice(struct cli *cli, const char *prompt, char dst[static API_PASSWORD_SIZE])
{
    struct err err = ERR_INIT;
    struct secret *first = NULL, *again = NULL;
    int r = term_ask_secret(prompt, &first, &err);
    if (r == 0)
        r = term_ask_secret("The same again: ", &again, &err);
    if (r != 0) {
        secret_free(first);
        return not_asked(cli, &err);
    }
    bool same = secret_equal(first->text, first->len, again->text, again->len);
    secret_free(again);
    if (same)
        return take(cli, first, dst);
    secret_free(first);
    output_error(&cli->out, "the two passwords differ");
    return EXIT_CODE_FAILURE;
}

/* As the server will see it: in characters. */
static bool is_short(const char *password)
{
    return output_columns(password) < PASSWORD_MIN_LEN;
}

int new_password_read(struct cli *cli, const char *prompt, char dst[static API_PASSWORD_SIZE])
{
    if (args_has(&cli->args, "password-stdin"))
        return old_password_read(cli, prompt, dst);
    int code = EXIT_CODE_FAILURE;
    for (int i = 0; i < TRIES && code == EXIT_CODE_FAILURE; i++) {
        code = ask_twice(cli, prompt, dst);
        if (code == 0 && is_short(dst)) {
            output_error(&cli->out, "the password is shorter than %d characters", PASSWORD_MIN_LEN);
            code = EXIT_CODE_FAILURE;
        }
    }
    return code;
}
