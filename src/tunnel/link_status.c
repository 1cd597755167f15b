#include "tunnel/link_status.h"

static const char *const names[LINK_STATE_COUNT] = {
    [LINK_CONNECTING] = "connecting",
    [LINK_CONNECTED] = "connected",
    [LINK_WAITING] = "waiting",
    [LINK_DENIED] = "denied",
};

const char *link_state_name(enum link_state state)
{
    return state < LINK_STATE_COUNT ? names[state] : "unknown";
}
