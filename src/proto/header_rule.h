#pragma once
/* Rules for HTTP fields (RFC 9110 section 5). */
#include <stdbool.h>

#include "base/span.h"

/* A token, 1 or more characters: field names, methods, protocol names (section 5.6.2). */
bool header_token_valid(struct span text);
/*
 * A field value without leading or trailing space: visible characters, space, tab, and bytes from
 * 0x80 on; never CR, LF or NUL (section 5.5). An empty one is valid.
 */
bool header_value_valid(struct span text);

/*
 * Takes the next element of a comma-separated list from the front of *rest, trimmed; commas in
 * quoted strings do not separate, empty elements are skipped. False at the end (section 5.6.1).
 */
bool header_list_next(struct span *rest, struct span *ret_element);
/* Whether the list has `token`, case ignored. */
bool header_list_has(struct span list, const char *token);

/* Fields that concern one connection only (section 7.6.1), whatever Connection names. */
bool header_is_hop_by_hop(struct span name);
