#include "tunnel/dial_answer.h"

#include <errno.h>

enum dial_result dial_answer(enum dial_outcome outcome, const struct err *err)
{
    int code = err ? err->code : 0;
    switch (outcome) {
    case DIAL_OUTCOME_OK:
        return DIAL_OK;
    case DIAL_OUTCOME_REFUSED:
        return code == -ENOENT ? DIAL_NOT_FOUND : DIAL_REFUSED;
    case DIAL_OUTCOME_TIMED_OUT:
        return DIAL_TIMEOUT;
    case DIAL_OUTCOME_NO_NAME:
        return DIAL_NAME_NOT_FOUND;
    case DIAL_OUTCOME_UNREACHABLE:
        return DIAL_UNREACHABLE;
    case DIAL_OUTCOME_FAILED:
        break;
    }
    enum dial_result result = dial_result_from_errno(code);
    return result == DIAL_OK ? DIAL_INTERNAL : result;
}
