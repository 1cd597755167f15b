#pragma once
/*
 * The text of a token: "adit_", a letter for the kind, and 32 random bytes as 43 characters of
 * base64url. It is shown once and never logged; the store keeps its SHA-256 only, which is enough
 * because the text is random and long.
 */
#include "base/span.h"
#include "model/token.h"

enum token_letter {
    TOKEN_LETTER_SESSION = 's',
    TOKEN_LETTER_API = 't',
    TOKEN_LETTER_APP = 'p',
    TOKEN_LETTER_AGENT = 'a',
};

enum {
    TOKEN_TEXT_LEN = 5 + 1 + 43,
    TOKEN_TEXT_SIZE = TOKEN_TEXT_LEN + 1,
};

/* A new token. The caller wipes the text (explicit_bzero) when it has been handed out. */
void token_make(enum token_letter letter, char ret_text[static TOKEN_TEXT_SIZE],
                unsigned char ret_hash[static TOKEN_HASH_LEN]);
/* The hash and the kind of a token's text; -EINVAL: it is no token of ours. */
int token_read(struct span text, enum token_letter *ret_letter,
               unsigned char ret_hash[static TOKEN_HASH_LEN]);
