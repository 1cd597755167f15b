#pragma once
/* The body of every answer that is no success. */
#include "api/type.h"

struct api_error_field {
    char *field;
    char *message;
    unsigned line; /* of the text in which it is; 0: none */
};
struct api_error {
    char *message; /* one sentence for a person */
    char *detail;  /* more for who looks into it; may be NULL */
    struct api_error_field *fields;
    size_t n_fields;
};
API_MESSAGE(error);

/* Appends an error body. `detail` may be NULL. */
int api_error_build(const char *message, const char *detail, struct buf *out);
/* Appends the error body of a refused message (status 400). */
int api_problem_build(const struct api_problem *problem, struct buf *out);

/* The one text of everything that does not exist, or must look so. */
extern const char api_not_found_text[];
