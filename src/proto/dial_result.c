#include "proto/dial_result.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

static const struct {
    const char *name;
    const char *text;
    int status;
    int code;
} results[] = {
    [DIAL_OK] = {"ok", "connected", 200, 0},
    [DIAL_REFUSED] = {"refused", "connection refused", 502, ECONNREFUSED},
    [DIAL_TIMEOUT] = {"timeout", "no answer in time", 504, ETIMEDOUT},
    [DIAL_NAME_NOT_FOUND] = {"name_not_found", "the name does not exist", 502, ENOENT},
    [DIAL_NAME_FAILED] = {"name_failed", "the name could not be looked up", 502, EAGAIN},
    [DIAL_UNREACHABLE] = {"unreachable", "no route to the host", 502, EHOSTUNREACH},
    [DIAL_NOT_FOUND] = {"not_found", "there is no such socket", 502, ENOENT},
    [DIAL_FORBIDDEN] = {"forbidden", "not allowed by the rules of the workspace", 403, EACCES},
    [DIAL_LIMIT] = {"limit", "too many connections", 503, EMFILE},
    [DIAL_CLOSED] = {"closed", "the connection was closed", 502, ECONNRESET},
    [DIAL_UNAVAILABLE] = {"unavailable", "the workspace cannot be reached now", 503, ENETDOWN},
    [DIAL_UNSUPPORTED] = {"unsupported", "the other side does not support this", 501, EOPNOTSUPP},
    [DIAL_ADDRESS_IN_USE] = {"address_in_use", "the port is in use", 409, EADDRINUSE},
    [DIAL_ADDRESS_NOT_HERE] = {"address_not_here", "the machine does not have this address", 409,
                               EADDRNOTAVAIL},
    [DIAL_NOT_PERMITTED] = {"not_permitted", "the system does not permit it", 403, EPERM},
    [DIAL_TLS_FAILED] = {"tls_failed", "the target does not speak TLS", 502, EPROTO},
    [DIAL_INTERNAL] = {"internal", "an internal error", 500, EIO},
};
_Static_assert(ARRAY_LEN(results) == DIAL_RESULT_COUNT, "each result has its texts");

enum dial_result dial_result_from_errno(int code)
{
    switch (abs(code)) {
    case 0:
        return DIAL_OK;
    case ECONNREFUSED:
        return DIAL_REFUSED;
    case ETIMEDOUT:
    case ETIME:
        return DIAL_TIMEOUT;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EAFNOSUPPORT:
        return DIAL_UNREACHABLE;
    case ENOENT:
    case ENOTDIR:
    case ENOTSOCK:
        return DIAL_NOT_FOUND;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:
        return DIAL_LIMIT;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ECANCELED:
        return DIAL_CLOSED;
    case ENETDOWN:
    case ENOTCONN:
        return DIAL_UNAVAILABLE;
    case EOPNOTSUPP:
    case ENOSYS:
    case EPROTONOSUPPORT:
        return DIAL_UNSUPPORTED;
    case EADDRINUSE:
    case EEXIST:
        return DIAL_ADDRESS_IN_USE;
    case EADDRNOTAVAIL:
        return DIAL_ADDRESS_NOT_HERE;
    case EPERM:
    case EACCES:
        return DIAL_NOT_PERMITTED;
    default:
        return DIAL_INTERNAL;
    }
}

enum dial_result dial_result_from_dns(int code)
{
    switch (abs(code)) {
    case 0:
        return DIAL_OK;
    case ENOENT:
        return DIAL_NAME_NOT_FOUND;
    case ETIMEDOUT:
        return DIAL_TIMEOUT;
    default:
        return DIAL_NAME_FAILED;
    }
}

int dial_result_to_errno(enum dial_result result)
{
    return -results[result].code;
}

const char *dial_result_text(enum dial_result result)
{
    return results[result].text;
}

const char *dial_result_name(enum dial_result result)
{
    return results[result].name;
}

int dial_result_status(enum dial_result result)
{
    return results[result].status;
}
