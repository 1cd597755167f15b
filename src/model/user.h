#pragma once
/* A person who logs in. */
#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"
#include "model/id.h"
#include "model/name.h"
#include "model/role.h"

enum {
    EMAIL_MAX_LEN = 254, /* RFC 5321 section 4.5.3.1.3, without the angle brackets */
    EMAIL_SIZE = EMAIL_MAX_LEN + 1,
    DISPLAY_NAME_MAX_LEN = 64, /* bytes */
    DISPLAY_NAME_SIZE = DISPLAY_NAME_MAX_LEN + 1,
};

/* Times are since 1970 UTC; 0: never. The password's hash is not here: it stays in the store. */
struct user {
    struct id id;
    char name[NAME_SIZE];
    char display_name[DISPLAY_NAME_SIZE]; /* may be empty */
    char email[EMAIL_SIZE];               /* may be empty */
    enum role role;
    bool suspended; /* may not log in; tokens are refused */
    usec_t created_at;
    usec_t last_seen_at;
};

/*
 * An address `local@domain` without quoting, comments or control characters; the domain is folded
 * to lower case. 0, or -EINVAL with a text.
 */
int email_parse(struct span text, char ret_email[static EMAIL_SIZE], struct err *err);

/*
 * Text for people to read (display names, token names): UTF-8, at most `max_len` bytes, no
 * control characters, spaces at both ends removed. `what` names it in the error's text.
 * `ret_text` has max_len + 1 bytes. 0, or -EINVAL with a text.
 */
int display_text_parse(const char *what, struct span text, size_t max_len, char *ret_text,
                       struct err *err);
