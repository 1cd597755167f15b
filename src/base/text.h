#pragma once
/*
 * Bytes as text and back: hexadecimal, base64url without padding (RFC 4648 section 5) and
 * base32hex in lower case without padding (section 7).
 * Encoders write a NUL-terminated string to `dst`, whose size the *_LEN macros give (with NUL).
 * Decoders return the number of bytes, or -EINVAL (bad character, bad length, stray bits) or
 * -ENOBUFS (dst too small).
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/span.h"

#define HEX_LEN(n)       (2 * (n) + 1)
#define BASE64URL_LEN(n) (((n)*4 + 2) / 3 + 1)
#define BASE32HEX_LEN(n) (((n)*8 + 4) / 5 + 1)

char *hex_encode(const void *data, size_t len, char *dst);
ssize_t hex_decode(struct span text, void *dst, size_t size);
char *base64url_encode(const void *data, size_t len, char *dst);
ssize_t base64url_decode(struct span text, void *dst, size_t size);
char *base32hex_encode(const void *data, size_t len, char *dst);

/* Characters of UTF-8 text (RFC 3629: no surrogates, no overlong forms), or -EINVAL. */
ssize_t utf8_count(struct span text);
/* Length in bytes of the valid UTF-8 character that `text` starts with, or 0. */
size_t utf8_char_len(struct span text);
/* Whether there is a control character: C0 (NUL, newline, escape, ...), DEL, or C1. */
bool text_has_control(struct span text);
