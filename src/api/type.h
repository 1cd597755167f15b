#pragma once
/*
 * JSON messages as tables: one `struct api_type` a message says which JSON member is which member
 * of a C struct, and how long, how large and whether it must be there. Reading, writing and
 * freeing are driven by the table, so that a message is checked in one place and always in whole.
 *
 * Memory: arrays and owned strings in a message are malloc'd and freed by api_release(); what is
 * only written may point anywhere.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum {
    API_JSON_MAX_LEN = 1 << 20, /* bytes of a message */
    API_DEPTH_MAX = 16,
    API_FIELD_ERRORS_MAX = 32,
    API_STRINGS_ITEM_MAX_LEN = 512,
    API_LIST_MAX = 10000, /* members of an array where its field says nothing smaller */
};

enum api_kind {
    API_TEXT,    /* JSON string through a codec */
    API_STRING,  /* JSON string, char * that is owned */
    API_BOOL,    /* bool */
    API_NUMBER,  /* signed or unsigned integer of 1, 2, 4 or 8 bytes */
    API_OBJECT,  /* a struct within the struct */
    API_LIST,    /* array of objects: pointer and size_t */
    API_STRINGS, /* array of strings: struct text_list */
};

enum api_flags {
    API_REQUIRED = 1, /* absent is an error; otherwise it keeps zeros */
    API_NULLABLE = 2, /* null is allowed, reads as zeros, and zeros are written as null */
    API_SIGNED = 4,
    API_OMIT = 8, /* zeros are not written at all */
};

struct api_field;
/* How a text field is kept in C. `size` is that of the member. */
struct api_codec {
    /* 0, or -EINVAL with what is wrong, without the field's name. */
    int (*read)(const struct api_field *field, struct span text, void *dst, struct err *err);
    /* Appends the text without quotes and escapes. 0 or -ENOBUFS. */
    int (*write)(const struct api_field *field, const void *src, struct buf *out);
    bool is_text; /* the member is a char array: empty is its zero */
};

struct api_field {
    const char *name;
    enum api_kind kind;
    unsigned flags;
    size_t offset;
    size_t size;
    size_t count_offset; /* API_LIST: of the size_t */
    size_t has_offset;   /* of a bool that says it was there; 0: none (never the first member) */
    long long min, max; /* API_NUMBER; bytes of a string; members of a list (max 0: API_LIST_MAX) */
    const struct api_codec *codec;
    const struct api_type *type; /* API_OBJECT, API_LIST */
};

struct api_type {
    const char *name; /* of the schema in docs/openapi.yaml */
    size_t size;
    const struct api_field *fields;
    size_t n_fields;
};

/* One thing wrong with one member: "agents[1].name" and what about it. */
struct api_field_error {
    char field[96];
    char message[160];
    unsigned line; /* within a member that is a text of lines, from 1 on; 0: none */
};

/* Why a message was refused. */
struct api_problem {
    char message[200]; /* one sentence; empty: nothing */
    char detail[200];  /* may be empty */
    struct api_field_error fields[API_FIELD_ERRORS_MAX];
    size_t n_fields;
};

/*
 * A request is read strictly: members that the table does not know are errors. A response may
 * have more than this program knows.
 */
enum api_strictness { API_STRICT, API_LENIENT };

/*
 * Reads `json` into `ret` (type->size bytes, written as a whole). 0; -EINVAL with all that is
 * wrong in `problem` (may be NULL) and `ret` all zeros.
 */
int api_read(const struct api_type *type, struct span json, enum api_strictness strictness,
             void *ret, struct api_problem *problem);
/* Appends the message as compact JSON. 0 or -ENOBUFS. */
int api_write(const struct api_type *type, const void *msg, struct buf *out);
/* Frees what the message owns and wipes it. */
void api_release(const struct api_type *type, void *msg);

/* Adds one field's error to a problem; for checks beyond the table. */
void api_problem_add(struct api_problem *problem, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * For each message `x`: `struct api_x`, its table, and typed forms of the three functions.
 */
#define API_MESSAGE(x)                                                                             \
    extern const struct api_type api_##x##_type;                                                   \
    static inline int api_##x##_read(struct span json, enum api_strictness strictness,             \
                                     struct api_##x *ret, struct api_problem *problem)             \
    {                                                                                              \
        return api_read(&api_##x##_type, json, strictness, ret, problem);                          \
    }                                                                                              \
    static inline int api_##x##_write(const struct api_##x *msg, struct buf *out)                  \
    {                                                                                              \
        return api_write(&api_##x##_type, msg, out);                                               \
    }                                                                                              \
    static inline void api_##x##_release(struct api_##x *msg)                                      \
    {                                                                                              \
        api_release(&api_##x##_type, msg);                                                         \
    }                                                                                              \
    struct api_semicolon_##x
