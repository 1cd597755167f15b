#include "proxy/cors.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "http/headers.h"
#include "proto/header_rule.h"

enum { VARY_MAX_LEN = 2048 };

static const char *const vary_names[] = {"Origin", "Access-Control-Request-Method",
                                         "Access-Control-Request-Methods",
                                         "Access-Control-Request-Headers"};

struct cors cors_read(struct span method, const struct headers *request)
{
    struct cors cors = {.origin = headers_get(request, "Origin"),
                        .method = headers_get(request, "Access-Control-Request-Method"),
                        .fields = headers_get(request, "Access-Control-Request-Headers")};
    /* Of two origins, none is the origin. */
    if (headers_count(request, "Origin") > 1)
        cors.origin = SPAN("null");
    cors.present = cors.origin.p != NULL;
    cors.preflight = cors.present && span_is(method, "OPTIONS") && cors.method.p &&
                     header_token_valid(cors.method);
    return cors;
}

static void allow_origin(const struct cors *cors, struct headers *response)
{
    headers_set_span(response, SPAN("Access-Control-Allow-Origin"), cors->origin);
    headers_set(response, "Access-Control-Allow-Credentials", "true");
}

void cors_answer_preflight(const struct cors *cors, bool allowed, struct headers *response)
{
    headers_set(response, "Vary",
                "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    if (!allowed)
        return;
    allow_origin(cors, response);
    headers_set_span(response, SPAN("Access-Control-Allow-Methods"), cors->method);
    if (cors->fields.len > 0)
        headers_set_span(response, SPAN("Access-Control-Allow-Headers"), cors->fields);
}

static bool is_access_control(const struct header *field, void *ud)
{
    static const char prefix[] = "Access-Control-";
    return span_iis(span_sub(field->name, 0, sizeof(prefix) - 1), prefix);
}

static bool is_ours(struct span element)
{
    for (size_t i = 0; i < ARRAY_LEN(vary_names); i++)
        if (span_iis(element, vary_names[i]))
            return true;
    return false;
}

/* Vary as the app has it, without what CORS put there, and with Origin. */
static void set_vary(struct headers *response)
{
    _cleanup_(buf_deinit) struct buf vary = BUF_INIT(VARY_MAX_LEN);
    struct span field, element;
    size_t at = 0;
    buf_append_str(&vary, "Origin");
    while (headers_next(response, "Vary", &at, &field))
        while (header_list_next(&field, &element))
            if (!is_ours(element))
                buf_appendf(&vary, ", " SPAN_FMT, SPAN_ARG(element));
    headers_set_span(response, SPAN("Vary"), span_from(buf_data(&vary), vary.len));
}

void cors_answer(const struct cors *cors, bool allowed, struct headers *response)
{
    headers_remove_if(response, is_access_control, NULL);
    set_vary(response);
    if (cors->present && allowed)
        allow_origin(cors, response);
}
