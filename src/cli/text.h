#pragma once
/* Small texts that several commands print. */
#include "base/clock.h"

enum { TEXT_SIZE = 48 };

/* "just now", "5 min ago", "3 h ago", "12 days ago"; "never" for 0. Returns `dst`. */
char *text_ago(usec_t when, usec_t now, char dst[static TEXT_SIZE]);
/* "2026-01-31"; "never" for 0. Returns `dst`. */
char *text_date(usec_t when, char dst[static TEXT_SIZE]);
/* "2026-01-31 12:34:56 UTC"; "never" for 0. Returns `dst`. */
char *text_moment(usec_t when, char dst[static TEXT_SIZE]);
/* "512 B", "1.5 KiB", "20 MiB". Returns `dst`. */
char *text_bytes(double bytes, char dst[static TEXT_SIZE]);
/* A value of "0.07 ms", "0.4 ms", "12 ms", "1.2 s". Returns `dst`. */
char *text_duration(usec_t duration, char dst[static TEXT_SIZE]);
