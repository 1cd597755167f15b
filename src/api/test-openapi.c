/*
 * docs/openapi.yaml against the tables: every route and no other, and in every schema the members
 * that the message has. The file is read by its indentation, which is two spaces everywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/all_types.h"
#include "api/routes.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"

/* "paths./api/v1/login.post.operationId" → "login": every line as its path, lists left out. */
static struct map *lines;

static FILE *open_document(void)
{
    static const char here[] = __FILE__;
    char path[512];
    size_t root = strlen(here) - strlen("src/api/test-openapi.c");
    snprintf(path, sizeof(path), "%.*sdocs/openapi.yaml", (int)root, here);
    if (access(path, R_OK) < 0)
        str_copy(path, sizeof(path), "docs/openapi.yaml");
    return fopen(path, "r");
}

static void strip_quotes(struct span *s)
{
    if (s->len >= 2 && s->p[0] == '"' && s->p[s->len - 1] == '"')
        *s = span_sub(*s, 1, s->len - 1);
}

static int load(void **state)
{
    enum { DEPTH_MAX = 20 };
    char keys[DEPTH_MAX][128] = {{0}};
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    FILE *f = open_document();
    if (!f)
        return -1;
    lines = map_new();
    while ((len = getline(&line, &size, f)) > 0) {
        struct span text = span_from(line, (size_t)len - 1);
        size_t depth = 0;
        while (span_starts(text, "  ")) {
            text = span_sub(text, 2, text.len);
            depth++;
        }
        ptrdiff_t colon = span_find(text, ':');
        if (colon < 0 || depth >= DEPTH_MAX || text.p[0] == '-')
            continue;
        struct span key = span_sub(text, 0, (size_t)colon);
        struct span value = span_trim(span_sub(text, (size_t)colon + 1, text.len));
        strip_quotes(&key);
        strip_quotes(&value);
        str_copy_span(keys[depth], sizeof(keys[depth]), key);
        char path[1024] = "";
        for (size_t i = 0, at = 0; i <= depth; i++)
            at += (size_t)snprintf(path + at, sizeof(path) - at, "%s%s", i ? "." : "", keys[i]);
        free(map_put(lines, path, span_dup(value)));
    }
    free(line);
    fclose(f);
    return 0;
}

static int unload(void **state)
{
    struct map_iter it = {0};
    char *value;
    while ((value = map_next(lines, &it)))
        free(value);
    map_free(lines);
    return 0;
}

static const char *get(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *get(const char *fmt, ...)
{
    char path[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    return map_get(lines, path);
}

static char *lower(const char *text)
{
    char *copy = xstrdup(text);
    str_lower(copy);
    return copy;
}

static void every_route_is_described(void **state)
{
    for (size_t i = 0; i < API_ROUTE_COUNT; i++) {
        const struct api_route *route = &api_routes[i];
        char *method = lower(route->method);
        const char *operation = get("paths.%s.%s.operationId", route->path, method);
        if (!operation)
            fail_msg("%s %s is not described", route->method, route->path);
        assert_string_equal(operation, route->operation_id);
        const char *security = get("paths.%s.%s.security", route->path, method);
        if (route->auth == API_AUTH_USER)
            assert_null(security);
        else
            assert_string_equal(security, route->auth == API_AUTH_NONE ? "[]" : "");
        free(method);
    }
}

static void nothing_else_is_described(void **state)
{
    size_t described = 0;
    FILE *f = open_document();
    char line[512];
    while (fgets(line, sizeof(line), f))
        described += strstr(line, "operationId:") != NULL;
    fclose(f);
    assert_int_equal(described, API_ROUTE_COUNT);
}

static size_t count_properties(const char *schema)
{
    char prefix[256], line[512];
    size_t n = 0;
    bool inside = false, in_properties = false;
    FILE *f = open_document();
    snprintf(prefix, sizeof(prefix), "    %s:\n", schema);
    while (fgets(line, sizeof(line), f)) {
        if (line[4] != ' ' && strncmp(line, "    ", 4) == 0)
            inside = strcmp(line, prefix) == 0, in_properties = false;
        else if (inside && strcmp(line, "      properties:\n") == 0)
            in_properties = true;
        else if (in_properties && strncmp(line, "        ", 8) == 0 && line[8] != ' ')
            n++;
    }
    fclose(f);
    return n;
}

static const char *type_of(enum api_kind kind)
{
    static const char *const names[] = {
        [API_TEXT] = "string",    [API_STRING] = "string", [API_BOOL] = "boolean",
        [API_NUMBER] = "integer", [API_OBJECT] = NULL,     [API_LIST] = "array",
        [API_STRINGS] = "array",
    };
    return names[kind];
}

static void check_schema(const struct api_type *type)
{
    const char *required = get("components.schemas.%s.required", type->name);
    for (size_t i = 0; i < type->n_fields; i++) {
        const struct api_field *f = &type->fields[i];
        char path[256];
        snprintf(path, sizeof(path), "components.schemas.%s.properties.%s", type->name, f->name);
        if (!get("%s", path))
            fail_msg("%s.%s is not described", type->name, f->name);
        const char *said = get("%s.type", path);
        if (said)
            assert_string_equal(said, type_of(f->kind));
        assert_int_equal(get("%s.nullable", path) != NULL, (f->flags & API_NULLABLE) != 0);
        bool listed = false;
        struct span rest = span_of(required), piece;
        if (rest.len > 2)
            rest = span_sub(rest, 1, rest.len - 1);
        while (rest.len && span_split(&rest, ',', &piece))
            listed = listed || span_is(span_trim(piece), f->name);
        if (listed != ((f->flags & API_REQUIRED) != 0))
            fail_msg("%s.%s: required differs", type->name, f->name);
    }
    assert_int_equal(count_properties(type->name), type->n_fields);
}

/* What travels between server and agent alone is described in docs/PROTOCOL.md. */
static bool is_internal(const struct api_type *type)
{
    return type == &api_agent_info_type || type == &api_grant_type || type == &api_peer_type ||
           type == &api_port_type || type == &api_ports_type || type == &api_ssh_info_type ||
           type == &api_agent_record_type || type == &api_app_health_type ||
           type == &api_app_check_type || type == &api_app_checks_type ||
           type == &api_watched_type || type == &api_news_type;
}

static void every_message_is_described_as_it_is(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(all_types); i++)
        if (!is_internal(all_types[i]))
            check_schema(all_types[i]);
}

static void routes_are_well_formed(void **state)
{
    for (size_t i = 0; i < API_ROUTE_COUNT; i++) {
        assert_true(span_starts(span_of(api_routes[i].path), "/api/v1/"));
        assert_false(span_ends(span_of(api_routes[i].path), "/"));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(api_routes[i].operation_id, api_routes[k].operation_id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_well_formed),
        cmocka_unit_test(every_route_is_described),
        cmocka_unit_test(nothing_else_is_described),
        cmocka_unit_test(every_message_is_described_as_it_is),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
