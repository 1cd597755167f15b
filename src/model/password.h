#pragma once
/* The rules for a new password. */
#include "base/err.h"
#include "base/span.h"

enum {
    PASSWORD_MIN_LEN = 8,   /* characters (UTF-8) */
    PASSWORD_MAX_LEN = 128, /* bytes: more would only make hashing slow */
};

/*
 * 0, or -EINVAL with a text that says what is wrong and never shows the password: too short, too
 * long, a control character (NUL among them), not UTF-8, or one character repeated.
 */
int password_check(struct span password, struct err *err);
