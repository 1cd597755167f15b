/* Paths and methods against a table. */
#include "http/router.h"

#include "http/exchange.h"
#include "http/test_help.h"

static void nothing(struct exchange *x, const struct route_params *params, void *ud)
{
}

static const struct route routes[] = {
    {"GET", "/", nothing, "root"},
    {"GET", "/api/v1/users", nothing, "users"},
    {"POST", "/api/v1/users", nothing, "new user"},
    {"GET", "/api/v1/users/{name}", nothing, "user"},
    {"DELETE", "/api/v1/users/{name}", nothing, "delete user"},
    {"GET", "/api/v1/users/me", nothing, "me"},
    {"GET", "/api/v1/workspaces/{owner}/{name}", nothing, "workspace"},
    {"GET", "/api/v1/workspaces/{owner}/all", nothing, "all"},
    {"GET", "/assets/{path...}", nothing, "asset"},
    {"GET", "/assets/fixed", nothing, "fixed"},
    {"GET", "/tail/", nothing, "tail"},
};

/* What a request finds: "data name=value,...", "404", "400" or "405 allow". */
static const struct {
    const char *method, *path, *found;
} cases[] = {
    {"GET", "/", "root"},
    {"HEAD", "/", "root"},
    {"POST", "/", "405 GET, HEAD"},
    {"GET", "/api/v1/users", "users"},
    {"POST", "/api/v1/users", "new user"},
    {"PATCH", "/api/v1/users", "405 GET, HEAD, POST"},
    {"GET", "/api/v1/users/", "404"},
    {"GET", "/api/v1/users/ann", "user name=ann"},
    {"GET", "/api/v1/users/me", "me"},
    {"DELETE", "/api/v1/users/me", "delete user name=me"},
    {"PUT", "/api/v1/users/me", "405 GET, HEAD, DELETE"},
    {"GET", "/api/v1/%75sers/a%2Fb%20c", "user name=a/b c"},
    {"GET", "/api%2Fv1/users", "404"},
    {"GET", "/api/v1/workspaces/ann/dev", "workspace owner=ann,name=dev"},
    {"GET", "/api/v1/workspaces/ann/all", "all owner=ann"},
    {"GET", "/api/v1/workspaces/ann", "404"},
    {"GET", "/api/v1/workspaces//dev", "404"},
    {"GET", "//api/v1/users", "404"},
    {"GET", "/API/v1/users", "404"},
    {"GET", "/assets/js/a%20b.js", "asset path=js/a%20b.js"},
    {"GET", "/assets/", "asset path="},
    {"GET", "/assets", "404"},
    {"GET", "/assets/fixed", "fixed"},
    {"GET", "/assets/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t",
     "asset path=a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t"},
    {"GET", "/tail/", "tail"},
    {"GET", "/tail", "404"},
    {"GET", "/api/v1/users/.", "400"},
    {"GET", "/api/v1/users/..", "400"},
    {"GET", "/api/v1/users/%2e%2E", "400"},
    {"GET", "/assets/x/../../api", "400"},
    {"GET", "/api/v1/users/...", "user name=..."},
    {"GET", "/api/v1/users/%00", "400"},
    {"GET", "/api/v1/users/%0a", "400"},
    {"GET", "/api/v1/users/%4", "400"},
    {"GET", "/api/v1/users/%zz", "400"},
    {"GET", "/api/v1/users/%", "400"},
    {"GET", "", "404"},
};

static void found(const struct router *r, const char *method, const char *path, struct buf *ret)
{
    struct exchange x = {.method = span_of(method), .path = span_of(path)};
    const struct route *route = NULL;
    struct route_params params;

    arena_init(&x.arena, EXCHANGE_ARENA_MAX);
    headers_init(&x.response, &x.arena, 0, 0);
    switch (router_match(r, &x, &route, &params)) {
    case ROUTE_NOT_FOUND:
        buf_append_str(ret, "404");
        break;
    case ROUTE_BAD_PATH:
        buf_append_str(ret, "400");
        break;
    case ROUTE_METHOD_NOT_ALLOWED:
        buf_appendf(ret, "405 " SPAN_FMT, SPAN_ARG(headers_get(&x.response, "Allow")));
        break;
    case ROUTE_FOUND:
        buf_append_str(ret, route->data);
        for (size_t i = 0; i < params.len; i++) {
            assert_ptr_equal(route_param(&params, params.list[i].name), params.list[i].value);
            buf_appendf(ret, "%c%s=%s", i ? ',' : ' ', params.list[i].name, params.list[i].value);
        }
        break;
    }
    arena_deinit(&x.arena);
}

static void paths_find_their_routes(void **state)
{
    struct router *r = router_new(routes, ARRAY_LEN(routes));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf text = BUF_INIT(1024);
        found(r, cases[i].method, cases[i].path, &text);
        if (!str_eq(buf_cstr(&text), cases[i].found))
            fail_msg("%s %s: %s, not %s", cases[i].method, cases[i].path, buf_cstr(&text),
                     cases[i].found);
        buf_deinit(&text);
    }
    router_free(r);
}

static void the_table_can_be_read(void **state)
{
    struct router *r = router_new(routes, ARRAY_LEN(routes));
    size_t len;
    const struct route *table = router_routes(r, &len);
    assert_int_equal(len, ARRAY_LEN(routes));
    assert_ptr_equal(table, routes);
    router_free(r);
}

TEST_MAIN(cmocka_unit_test(paths_find_their_routes), cmocka_unit_test(the_table_can_be_read));
