#include "web/answer.h"

#include <stdio.h>

#include "api/error.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "http/exchange.h"

enum { ANSWER_MAX_LEN = 32 << 20, ERROR_MAX_LEN = 64 << 10 };

void answer_set_fields(struct exchange *x)
{
    struct headers *h = &x->response;

    headers_set(h, "Cache-Control", "no-store");
    headers_set(h, "X-Content-Type-Options", "nosniff");
    headers_set(h, "Referrer-Policy", "no-referrer");
    headers_set(h, "Cross-Origin-Resource-Policy", "same-origin");
    headers_set(h, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
}

static unsigned send_json(struct exchange *x, unsigned status, struct buf *body)
{
    answer_set_fields(x);
    headers_set(&x->response, "Content-Type", "application/json");
    exchange_respond(x, status, buf_data(body), body->len);
    buf_wipe(body); /* answers hold tokens at times */
    return status;
}

unsigned answer_message(struct exchange *x, unsigned status, const struct api_type *type,
                        const void *msg)
{
    struct buf body = BUF_INIT(ANSWER_MAX_LEN);

    if (api_write(type, msg, &body) < 0 || buf_append_byte(&body, '\n') < 0) {
        buf_wipe(&body);
        return answer_error(x, 500, "The answer is too large.", NULL);
    }
    return send_json(x, status, &body);
}

unsigned answer_empty(struct exchange *x)
{
    answer_set_fields(x);
    exchange_respond(x, 204, NULL, 0);
    return 204;
}

unsigned answer_error(struct exchange *x, unsigned status, const char *message, const char *detail)
{
    struct buf body = BUF_INIT(ERROR_MAX_LEN);

    if (status == 401)
        headers_set(&x->response, "WWW-Authenticate", "Bearer realm=\"adit\"");
    api_error_build(message, detail, &body);
    buf_append_byte(&body, '\n');
    return send_json(x, status, &body);
}

unsigned answer_problem(struct exchange *x, const struct api_problem *problem)
{
    struct buf body = BUF_INIT(ERROR_MAX_LEN);

    api_problem_build(problem, &body);
    buf_append_byte(&body, '\n');
    return send_json(x, 400, &body);
}

unsigned answer_field(struct exchange *x, unsigned status, const char *field, const char *message)
{
    struct api_problem problem = {0};
    struct buf body = BUF_INIT(ERROR_MAX_LEN);

    str_copy(problem.message, sizeof(problem.message), message);
    api_problem_add(&problem, field, "%s", message);
    api_problem_build(&problem, &body);
    buf_append_byte(&body, '\n');
    return send_json(x, status, &body);
}

unsigned answer_not_found(struct exchange *x)
{
    return answer_error(x, 404, api_not_found_text, NULL);
}

unsigned answer_retry(struct exchange *x, const char *reason, unsigned after_sec,
                      const char *message)
{
    headers_addf(&x->response, "Retry-After", "%u", after_sec);
    headers_set(&x->response, "Adit-Reason", reason);
    return answer_error(x, 503, message, NULL);
}
