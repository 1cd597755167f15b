#pragma once
/* Tables that several messages share. Within api/ only. */
#include "api/type.h"

extern const struct api_type api_policy_type;     /* struct template without its id, name, times */
extern const struct api_type api_forwarding_type; /* struct forward_policy */
