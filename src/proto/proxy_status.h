#pragma once
/*
 * The Proxy-Status field (RFC 9209), by which the agent says why a channel could not be opened:
 *     adit; error=connection_refused; details="127.0.0.1:5432"
 */
#include "base/buf.h"
#include "base/span.h"
#include "proto/dial_result.h"

enum { PROXY_STATUS_DETAILS_SIZE = 256 }; /* longer details are cut */

struct proxy_status {
    enum dial_result result;                 /* DIAL_INTERNAL when the error type is not known */
    char details[PROXY_STATUS_DETAILS_SIZE]; /* printable ASCII; may be empty */
};

/*
 * Appends the field's value for a `result` other than DIAL_OK. Of `details` (may be NULL), bytes
 * that are not printable ASCII become '?'. 0 or -ENOBUFS.
 */
int proxy_status_format(enum dial_result result, const char *details, struct buf *dst);

/*
 * Reads the first member with an error parameter; details that are not known are skipped.
 * 0; -ENOENT: no member tells of an error; -EINVAL: not such a field (RFC 8941 section 4.2).
 */
int proxy_status_parse(struct span value, struct proxy_status *ret);

/* What an answer without the field says by its status alone: 403, 404, 502, 503, 504, ... */
enum dial_result proxy_status_from_http(int status);
