#pragma once
/* How an attempt to reach a target (or to listen) ended, and how that is said to people. */
#include "base/span.h"

enum dial_result {
    DIAL_OK,
    DIAL_REFUSED,          /* nothing listens there */
    DIAL_TIMEOUT,          /* no answer in time */
    DIAL_NAME_NOT_FOUND,   /* the name does not exist */
    DIAL_NAME_FAILED,      /* the name could not be looked up */
    DIAL_UNREACHABLE,      /* no route to the host or network */
    DIAL_NOT_FOUND,        /* there is no such Unix socket */
    DIAL_FORBIDDEN,        /* a rule does not allow it */
    DIAL_LIMIT,            /* too many connections, descriptors or ports */
    DIAL_CLOSED,           /* the connection ended before it was made */
    DIAL_UNAVAILABLE,      /* the session to the workspace is away */
    DIAL_UNSUPPORTED,      /* the other side does not know this kind of channel */
    DIAL_ADDRESS_IN_USE,   /* listen: the port is taken */
    DIAL_ADDRESS_NOT_HERE, /* listen: the machine does not have this address */
    DIAL_NOT_PERMITTED,    /* the system does not allow it (a port below 1024, a file's mode) */
    DIAL_TLS_FAILED,       /* TLS to the target was asked for, and it does not speak it */
    DIAL_INTERNAL,
    DIAL_RESULT_COUNT
};

/* From an errno-like code of either sign, of connect(), bind(), socket() and so on. */
enum dial_result dial_result_from_errno(int code);
/* From the result of a name look-up: -ENOENT: there is no such name; 0; others: it failed. */
enum dial_result dial_result_from_dns(int code);
/* As a negative errno-like code; 0 for DIAL_OK. */
int dial_result_to_errno(enum dial_result result);

/* For people: "connection refused", "the name does not exist", ... */
const char *dial_result_text(enum dial_result result);
/* One word for records: "refused", "timeout", "name_not_found", ... */
const char *dial_result_name(enum dial_result result);

/* The HTTP status of an answer that says so (RFC 9209 section 2.3): 200, 403, 502, 504, ... */
int dial_result_status(enum dial_result result);
