#pragma once
/* Questions to the person at the terminal. */
#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"

/* Whether standard input is a terminal, so that somebody can be asked. */
bool term_can_ask(void);

/*
 * Asks on the terminal with the echo off. -ENOTTY: no terminal; -ECANCELED: end of input;
 * -EMSGSIZE: longer than 1024 bytes.
 */
int term_ask_secret(const char *prompt, struct secret **ret, struct err *err);
/* Asks for a line. The caller frees *ret. Errors as term_ask_secret. */
int term_ask_line(const char *prompt, char **ret, struct err *err);
/* Asks "QUESTION [y/N]". False also at the end of input. */
bool term_confirm(const char *question);

/* The first line of standard input, without its newline: for --password-stdin. */
int term_read_stdin_secret(struct secret **ret, struct err *err);
