#include "api/routes.h"

const struct api_route api_routes[API_ROUTE_COUNT] = {
#define X(id, method_, path_, auth_, operation)                                                    \
    [API_ROUTE_##id] = {.method = method_,                                                         \
                        .path = API_PREFIX path_,                                                  \
                        .auth = API_AUTH_##auth_,                                                  \
                        .operation_id = operation},
    API_ROUTES(X)
#undef X
};
