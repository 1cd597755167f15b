#pragma once
/* The one place where text becomes a number, and a fast way back. */
#include <stdint.h>

#include "base/span.h"

/*
 * Decimal digits only: no sign, space, or empty text; leading zeros are allowed.
 * 0; -EINVAL: not a number; -ERANGE: outside [min, max]. *ret is written on success only.
 */
int num_parse(struct span text, uint64_t min, uint64_t max, uint64_t *ret);
/* Hexadecimal digits of either case, 1 to 16 of them. Errors as num_parse. */
int num_parse_hex(struct span text, uint64_t max, uint64_t *ret);
/* A port, 1-65535 (or 0 too, with allow_zero). */
int num_parse_port(struct span text, bool allow_zero, uint16_t *ret);
/* A duration such as "90s", "15m", "2h", "7d", in seconds. A bare number is refused. */
int num_parse_duration(struct span text, uint64_t max_sec, uint64_t *ret_sec);

enum { NUM_TEXT_SIZE = 20 };
/* Decimal digits, written to the end of `room`; the span lies in it. */
struct span num_format(uint64_t n, char room[static NUM_TEXT_SIZE]);
