#include "auth/token.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "base/rand.h"
#include "base/text.h"

enum { RANDOM_LEN = 32, HEAD_LEN = 6 };

void token_make(enum token_letter letter, char ret_text[static TOKEN_TEXT_SIZE],
                unsigned char ret_hash[static TOKEN_HASH_LEN])
{
    unsigned char random[RANDOM_LEN];
    char encoded[BASE64URL_LEN(RANDOM_LEN)];
    rand_bytes(random, sizeof(random));
    base64url_encode(random, sizeof(random), encoded);
    snprintf(ret_text, TOKEN_TEXT_SIZE, "adit_%c%s", letter, encoded);
    SHA256((const unsigned char *)ret_text, TOKEN_TEXT_LEN, ret_hash);
    explicit_bzero(random, sizeof(random));
    explicit_bzero(encoded, sizeof(encoded));
}

int token_read(struct span text, enum token_letter *ret_letter,
               unsigned char ret_hash[static TOKEN_HASH_LEN])
{
    unsigned char random[RANDOM_LEN];
    static const char letters[] = {TOKEN_LETTER_SESSION, TOKEN_LETTER_API, TOKEN_LETTER_APP,
                                   TOKEN_LETTER_AGENT};
    if (text.len != TOKEN_TEXT_LEN || !span_starts(text, "adit_") ||
        !memchr(letters, text.p[HEAD_LEN - 1], sizeof(letters)))
        return -EINVAL;
    ssize_t n = base64url_decode(span_sub(text, HEAD_LEN, TOKEN_TEXT_LEN), random, sizeof(random));
    explicit_bzero(random, sizeof(random));
    if (n != RANDOM_LEN)
        return -EINVAL;
    *ret_letter = (enum token_letter)text.p[HEAD_LEN - 1];
    SHA256((const unsigned char *)text.p, text.len, ret_hash);
    return 0;
}
