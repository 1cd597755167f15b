#include "api/error.h"

#include <stdint.h>

#include "api/codec.h"
#include "api/json_text.h"

const char api_not_found_text[] = "There is no such thing, or you may not see it.";

static const struct api_field error_field_fields[] = {
    API_F_STRING(struct api_error_field, field, "field", 512, API_REQ),
    API_F_STRING(struct api_error_field, message, "message", 1024, API_REQ),
    API_F_NUMBER(struct api_error_field, line, "line", 1, UINT32_MAX, API_ABSENT),
};
static API_TYPE(error_field_type, struct api_error_field, "ErrorField", error_field_fields);

static const struct api_field error_fields[] = {
    API_F_STRING(struct api_error, message, "message", 4096, API_REQ),
    API_F_STRING(struct api_error, detail, "detail", 4096, API_ABSENT),
    API_F_LIST(struct api_error, fields, n_fields, "fields", error_field_type, 100, API_ABSENT),
};
API_TYPE(api_error_type, struct api_error, "Error", error_fields);

/* The texts are only read while it is written. */
static char *borrow(const char *text)
{
    return (char *)text;
}

int api_error_build(const char *message, const char *detail, struct buf *out)
{
    struct api_error error = {.message = borrow(message), .detail = borrow(detail)};
    return api_error_write(&error, out);
}

int api_problem_build(const struct api_problem *problem, struct buf *out)
{
    struct api_error_field fields[API_FIELD_ERRORS_MAX];
    for (size_t i = 0; i < problem->n_fields; i++) {
        fields[i].field = borrow(problem->fields[i].field);
        fields[i].message = borrow(problem->fields[i].message);
        fields[i].line = problem->fields[i].line;
    }
    struct api_error error = {
        .message = borrow(problem->message),
        .detail = problem->detail[0] ? borrow(problem->detail) : NULL,
        .fields = fields,
        .n_fields = problem->n_fields,
    };
    return api_error_write(&error, out);
}
