/*
 * The table is compiled into segments once. A path is taken apart once a request, then held
 * against every route: tables have some dozens of rows, and most differ in length or in the first
 * segments. Of several that fit, the one with a literal where the others have a parameter wins,
 * the leftmost difference deciding.
 */
#include "http/router.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "proto/url.h"

/* In order of preference. */
enum segment_kind { SEGMENT_LITERAL, SEGMENT_PARAM, SEGMENT_REST };

struct segment {
    enum segment_kind kind;
    struct span text; /* of the pattern, or the parameter's name */
    char *name;       /* owned; NULL for literals */
};

struct compiled {
    const struct route *route;
    size_t len;
    size_t n_params;
    struct segment list[ROUTE_MAX_SEGMENTS];
};

struct router {
    const struct route *routes;
    size_t len;
    struct compiled *compiled;
};

/* A request's path. */
struct path {
    size_t len;                              /* segments; only the first are listed */
    const char *decoded[ROUTE_MAX_SEGMENTS]; /* NUL-terminated */
    struct span rest[ROUTE_MAX_SEGMENTS];    /* from here to the path's end, encoded */
};

static void bad_pattern(const char *pattern, const char *why)
{
    fprintf(stderr, "adit: route %s: %s\n", pattern, why);
    abort();
}

static struct segment compile_segment(struct span text, const char *pattern)
{
    struct segment s = {.kind = SEGMENT_LITERAL, .text = text};
    if (span_find(text, '{') < 0 && span_find(text, '}') < 0)
        return s;
    if (!span_starts(text, "{") || !span_ends(text, "}"))
        bad_pattern(pattern, "a parameter is a whole segment");
    s.kind = SEGMENT_PARAM;
    s.text = span_sub(text, 1, text.len - 1);
    if (span_ends(s.text, "...")) {
        s.kind = SEGMENT_REST;
        s.text.len -= 3;
    }
    if (s.text.len == 0 || span_find(s.text, '{') >= 0)
        bad_pattern(pattern, "a parameter needs a name");
    s.name = span_dup(s.text);
    return s;
}

static void compile(const struct route *route, struct compiled *c)
{
    struct span rest = span_of(route->pattern), piece;
    c->route = route;
    span_split(&rest, '/', &piece);
    if (piece.len > 0)
        bad_pattern(route->pattern, "it starts with a slash");
    while (span_split(&rest, '/', &piece)) {
        if (c->len == ROUTE_MAX_SEGMENTS)
            bad_pattern(route->pattern, "too many segments");
        if (c->len > 0 && c->list[c->len - 1].kind == SEGMENT_REST)
            bad_pattern(route->pattern, "something follows the rest");
        c->list[c->len] = compile_segment(piece, route->pattern);
        c->n_params += c->list[c->len++].name != NULL;
    }
    if (c->n_params > ROUTE_MAX_PARAMS)
        bad_pattern(route->pattern, "too many parameters");
}

static bool same_shape(const struct compiled *a, const struct compiled *b)
{
    if (a->len != b->len || !str_eq(a->route->method, b->route->method))
        return false;
    for (size_t i = 0; i < a->len; i++)
        if (a->list[i].kind != b->list[i].kind ||
            (a->list[i].kind == SEGMENT_LITERAL && !span_eq(a->list[i].text, b->list[i].text)))
            return false;
    return true;
}

struct router *router_new(const struct route *routes, size_t n_routes)
{
    struct router *r = new0(struct router);
    r->routes = routes;
    r->len = n_routes;
    r->compiled = xcalloc(n_routes ? n_routes : 1, sizeof(*r->compiled));
    for (size_t i = 0; i < n_routes; i++) {
        compile(&routes[i], &r->compiled[i]);
        for (size_t j = 0; j < i; j++)
            if (same_shape(&r->compiled[i], &r->compiled[j]))
                bad_pattern(routes[i].pattern, "it is there already");
    }
    return r;
}

struct router *router_free(struct router *r)
{
    if (!r)
        return NULL;
    for (size_t i = 0; i < r->len; i++)
        for (size_t j = 0; j < r->compiled[i].len; j++)
            free(r->compiled[i].list[j].name);
    free(r->compiled);
    free(r);
    return NULL;
}

const struct route *router_routes(const struct router *r, size_t *ret_len)
{
    *ret_len = r->len;
    return r->routes;
}

const char *route_param(const struct route_params *params, const char *name)
{
    for (size_t i = 0; i < params->len; i++)
        if (str_eq(params->list[i].name, name))
            return params->list[i].value;
    return NULL;
}

/* The decoded text, or NULL when the segment is bad. */
static const char *decode_segment(struct span segment, struct arena *arena)
{
    char *text = arena_alloc(arena, segment.len + 1);
    if (!text || percent_decode(segment, text, segment.len + 1) < 0)
        return NULL;
    if (str_eq(text, ".") || str_eq(text, ".."))
        return NULL;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return NULL;
    return text;
}

static enum route_result split_path(struct span text, struct arena *arena, struct path *ret)
{
    struct span rest = text, piece;
    ret->len = 0;
    if (text.len == 0 || text.p[0] != '/' || text.len > ROUTE_MAX_PATH)
        return ROUTE_NOT_FOUND;
    span_split(&rest, '/', &piece);
    for (;;) {
        struct span from_here = rest;
        if (!span_split(&rest, '/', &piece))
            return ROUTE_FOUND;
        const char *decoded = decode_segment(piece, arena);
        if (!decoded)
            return ROUTE_BAD_PATH;
        if (ret->len < ROUTE_MAX_SEGMENTS) {
            ret->decoded[ret->len] = decoded;
            ret->rest[ret->len] = from_here;
        }
        ret->len++;
    }
}

static bool fits(const struct compiled *c, const struct path *path)
{
    bool open = c->len > 0 && c->list[c->len - 1].kind == SEGMENT_REST;
    if (open ? path->len < c->len : path->len != c->len)
        return false;
    for (size_t i = 0; i < c->len; i++) {
        const struct segment *s = &c->list[i];
        if (s->kind == SEGMENT_LITERAL && !span_is(s->text, path->decoded[i]))
            return false;
        if (s->kind == SEGMENT_PARAM && !*path->decoded[i])
            return false;
    }
    return true;
}

static bool is_better(const struct compiled *a, const struct compiled *b)
{
    for (size_t i = 0; b && i < a->len && i < b->len; i++)
        if (a->list[i].kind != b->list[i].kind)
            return a->list[i].kind < b->list[i].kind;
    return true;
}

static bool method_fits(const struct route *route, struct span method)
{
    return span_is(method, route->method) ||
           (span_is(method, "HEAD") && str_eq(route->method, "GET"));
}

/* 0, or negative when the arena is full. */
static int fill_params(const struct compiled *c, const struct path *path, struct arena *arena,
                       struct route_params *ret)
{
    ret->len = 0;
    for (size_t i = 0; i < c->len; i++) {
        const struct segment *s = &c->list[i];
        if (s->kind == SEGMENT_LITERAL)
            continue;
        const char *value =
            s->kind == SEGMENT_PARAM ? path->decoded[i] : arena_span_dup(arena, path->rest[i]);
        if (!value)
            return -ENOBUFS;
        ret->list[ret->len++] = (struct route_param){s->name, value};
    }
    return 0;
}

/* The methods of all routes that fit the path, each once (RFC 9110 section 10.2.1). */
static void set_allow(const struct router *r, const struct path *path, struct headers *response)
{
    struct buf allow = BUF_INIT(256);
    for (size_t i = 0; i < r->len; i++) {
        const char *method = r->routes[i].method;
        if (!fits(&r->compiled[i], path))
            continue;
        if (allow.len > 0 && strstr(buf_cstr(&allow), method))
            continue;
        buf_appendf(&allow, "%s%s%s", allow.len ? ", " : "", method,
                    str_eq(method, "GET") ? ", HEAD" : "");
    }
    headers_set(response, "Allow", buf_cstr(&allow));
    buf_deinit(&allow);
}

enum route_result router_match(const struct router *r, struct exchange *x,
                               const struct route **ret_route, struct route_params *ret_params)
{
    const struct compiled *best = NULL;
    bool found_path = false;
    struct path path = {0};

    enum route_result result = split_path(x->path, &x->arena, &path);
    if (result != ROUTE_FOUND)
        return result;
    for (size_t i = 0; i < r->len; i++) {
        const struct compiled *c = &r->compiled[i];
        if (!fits(c, &path))
            continue;
        found_path = true;
        if (method_fits(c->route, x->method) && is_better(c, best))
            best = c;
    }
    if (!best) {
        if (found_path)
            set_allow(r, &path, &x->response);
        return found_path ? ROUTE_METHOD_NOT_ALLOWED : ROUTE_NOT_FOUND;
    }
    if (fill_params(best, &path, &x->arena, ret_params) < 0)
        return ROUTE_BAD_PATH;
    *ret_route = best->route;
    return ROUTE_FOUND;
}
