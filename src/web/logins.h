#pragma once
/* What log-in and set-up, and all that hashes a password, have in common. */
#include "auth/login.h"
#include "web/call.h"

/*
 * Answers what is not LOGIN_OK and ends the call; false: it is, and nothing was done. `wrong` is
 * the text for LOGIN_WRONG.
 */
bool logins_failed(struct call *c, const struct login_answer *a, const char *wrong);
/* A session was made: sets the cookie, answers with the token, and ends the call. */
void logins_answer(struct call *c, unsigned status, const struct login_answer *a);
/* Checks a new password by the rules; false: the call has ended with what is wrong. */
bool logins_check_password(struct call *c, const char *field, const char *password);
