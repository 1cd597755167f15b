#pragma once
/* Members of the objects in the API's answers, as the commands show them. */
#include <jansson.h>

#include "base/clock.h"

/* A member that is a string, or "". Borrowed from `item`. */
const char *item_text(const json_t *item, const char *member);
/* A member that is a time, since 1970 UTC; 0: never, or there is none. */
usec_t item_time(const json_t *item, const char *member);
