#pragma once
/* The Date field (RFC 9110 section 5.6.7). */
#include "base/clock.h"
#include "base/span.h"

/* `now` (1970 UTC) as IMF-fixdate. The thread's own text, made once a second; good until it asks
 * again. */
struct span http_date(usec_t now);
