#pragma once
/*
 * Time. One type everywhere: microseconds in a signed 64-bit number. Pure code takes the time as
 * an argument; only programs and io/ read a clock.
 */
#include <stdint.h>

typedef int64_t usec_t;

#define USEC_PER_MSEC ((usec_t)1000)
#define USEC_PER_SEC  ((usec_t)1000000)
#define USEC_PER_MIN  (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MIN)
#define USEC_PER_DAY  (24 * USEC_PER_HOUR)

/* Since an unknown moment; never goes back. For intervals. */
usec_t clock_monotonic(void);
/* Since 1970-01-01 UTC. For time stamps and expiry. */
usec_t clock_realtime(void);

/*
 * "2026-01-31T12:34:56.789Z" (RFC 3339, UTC). `dst` holds at least CLOCK_TEXT_LEN bytes. A time
 * outside the years 1970-9999 is moved to the nearer end.
 */
enum { CLOCK_TEXT_LEN = 32 };
char *clock_format(usec_t realtime, char dst[static CLOCK_TEXT_LEN]);
/* The reverse, seconds fraction optional, from 1970 on. 0 or -EINVAL. */
int clock_parse(const char *text, usec_t *ret);
