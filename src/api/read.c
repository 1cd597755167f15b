/*
 * The text is measured before jansson sees it (length, nesting), parsed whole, and then walked
 * along the table. Every fault is collected, so that a person corrects them in one go; the walk
 * goes on after a fault and the message is thrown away at the end.
 *
 * jansson's memory is wiped when it is freed, because passwords and tokens pass through it.
 */
#include "api/type.h"

#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "model/text_list.h"

/*
 * The C library knows how large a piece is. So the pieces are those of malloc() itself, which
 * libjwt relies on: it frees what jansson gave it.
 */
static void wiping_free(void *data)
{
    if (!data)
        return;
    explicit_bzero(data, malloc_usable_size(data));
    free(data);
}

/* Before main(), so that no JSON value is allocated one way and freed the other. */
__attribute__((constructor)) static void use_wiping_memory(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
}

struct reading {
    enum api_strictness strictness;
    struct api_problem *problem;
    size_t faults;
    char path[96]; /* of the member being read */
};

void api_problem_add(struct api_problem *problem, const char *field, const char *fmt, ...)
{
    if (problem->n_fields == API_FIELD_ERRORS_MAX)
        return;
    struct api_field_error *e = &problem->fields[problem->n_fields++];
    str_copy(e->field, sizeof(e->field), field);
    va_list ap;
    e->line = 0;
    va_start(ap, fmt);
    vsnprintf(e->message, sizeof(e->message), fmt, ap);
    va_end(ap);
}

static void fault(struct reading *r, const char *message)
{
    r->faults++;
    if (r->problem)
        api_problem_add(r->problem, r->path, "%s", message);
}

/* Extends the path; returns its length before, for path_leave(). */
static size_t path_enter(struct reading *r, const char *name)
{
    size_t len = strlen(r->path);
    size_t end = len;
    if (len > 0 && len + 1 < sizeof(r->path))
        r->path[end++] = '.';
    str_copy(r->path + end, sizeof(r->path) - end, name);
    return len;
}

static size_t path_enter_index(struct reading *r, size_t index)
{
    size_t len = strlen(r->path);
    snprintf(r->path + len, sizeof(r->path) - len, "[%zu]", index);
    return len;
}

static void path_leave(struct reading *r, size_t len)
{
    r->path[len] = '\0';
}

static void read_object(struct reading *r, const struct api_type *type, json_t *json, void *msg);

static void read_text(struct reading *r, const struct api_field *f, json_t *json, void *dst)
{
    struct err err = ERR_INIT;
    if (!json_is_string(json))
        fault(r, "must be a string");
    else if (f->codec->read(f, span_from(json_string_value(json), json_string_length(json)), dst,
                            &err) < 0)
        fault(r, err.text[0] ? err.text : "is not valid");
}

static size_t max_of(const struct api_field *f)
{
    return f->max ? (size_t)f->max : API_LIST_MAX;
}

static void read_string(struct reading *r, const struct api_field *f, json_t *json, void *dst)
{
    char message[64];
    if (!json_is_string(json)) {
        fault(r, "must be a string");
        return;
    }
    size_t len = json_string_length(json);
    if (len < (size_t)f->min) {
        fault(r, "must not be empty");
    } else if (len > max_of(f)) {
        snprintf(message, sizeof(message), "is longer than %zu bytes", max_of(f));
        fault(r, message);
    } else {
        *(char **)dst = xstrndup(json_string_value(json), len);
    }
}

static void store_number(const struct api_field *f, long long n, void *dst)
{
    switch (f->size) {
    case 1:
        *(uint8_t *)dst = (uint8_t)n;
        break;
    case 2:
        *(uint16_t *)dst = (uint16_t)n;
        break;
    case 4:
        *(uint32_t *)dst = (uint32_t)n;
        break;
    default:
        *(uint64_t *)dst = (uint64_t)n;
    }
}

static void read_number(struct reading *r, const struct api_field *f, json_t *json, void *dst)
{
    char message[96];
    long long n = json_integer_value(json);
    if (!json_is_integer(json)) {
        fault(r, "must be a whole number");
    } else if (n < f->min || n > f->max) {
        snprintf(message, sizeof(message), "must be between %lld and %lld", f->min, f->max);
        fault(r, message);
    } else {
        store_number(f, n, dst);
    }
}

static void read_bool(struct reading *r, json_t *json, bool *dst)
{
    if (json_is_boolean(json))
        *dst = json_is_true(json);
    else
        fault(r, "must be true or false");
}

/* Whether it is an array of a size that is allowed; says so otherwise. */
static bool check_array(struct reading *r, const struct api_field *f, json_t *json)
{
    char message[64];
    if (!json_is_array(json)) {
        fault(r, "must be an array");
        return false;
    }
    if (json_array_size(json) < (size_t)f->min) {
        fault(r, "must not be empty");
        return false;
    }
    if (json_array_size(json) > max_of(f)) {
        snprintf(message, sizeof(message), "has more than %zu members", max_of(f));
        fault(r, message);
        return false;
    }
    return true;
}

static void read_list(struct reading *r, const struct api_field *f, json_t *json, char *msg)
{
    if (!check_array(r, f, json))
        return;
    size_t n = json_array_size(json);
    if (n == 0)
        return;
    char *items = xcalloc(n, f->type->size);
    *(void **)(msg + f->offset) = items;
    *(size_t *)(msg + f->count_offset) = n;
    for (size_t i = 0; i < n; i++) {
        size_t before = path_enter_index(r, i);
        read_object(r, f->type, json_array_get(json, i), items + i * f->type->size);
        path_leave(r, before);
    }
}

static void read_strings(struct reading *r, const struct api_field *f, json_t *json,
                         struct text_list *list)
{
    if (!check_array(r, f, json))
        return;
    for (size_t i = 0; i < json_array_size(json); i++) {
        json_t *item = json_array_get(json, i);
        size_t before = path_enter_index(r, i);
        if (!json_is_string(item))
            fault(r, "must be a string");
        else if (json_string_length(item) > API_STRINGS_ITEM_MAX_LEN)
            fault(r, "is too long");
        else
            text_list_add(list, span_from(json_string_value(item), json_string_length(item)),
                          max_of(f));
        path_leave(r, before);
    }
}

static void read_field(struct reading *r, const struct api_field *f, json_t *json, char *msg)
{
    if (json_is_null(json) && (f->flags & API_NULLABLE))
        return;
    void *dst = msg + f->offset;
    switch (f->kind) {
    case API_TEXT:
        read_text(r, f, json, dst);
        break;
    case API_STRING:
        read_string(r, f, json, dst);
        break;
    case API_BOOL:
        read_bool(r, json, dst);
        break;
    case API_NUMBER:
        read_number(r, f, json, dst);
        break;
    case API_OBJECT:
        read_object(r, f->type, json, dst);
        break;
    case API_LIST:
        read_list(r, f, json, msg);
        break;
    case API_STRINGS:
        read_strings(r, f, json, dst);
        break;
    }
    if (f->has_offset)
        *(bool *)(msg + f->has_offset) = true;
}

static const struct api_field *find_field(const struct api_type *type, const char *name)
{
    for (size_t i = 0; i < type->n_fields; i++)
        if (str_eq(type->fields[i].name, name))
            return &type->fields[i];
    return NULL;
}

static void read_object(struct reading *r, const struct api_type *type, json_t *json, void *msg)
{
    if (!json_is_object(json)) {
        fault(r, "must be an object");
        return;
    }
    for (size_t i = 0; i < type->n_fields; i++) {
        const struct api_field *f = &type->fields[i];
        json_t *member = json_object_get(json, f->name);
        size_t before = path_enter(r, f->name);
        if (member)
            read_field(r, f, member, msg);
        else if (f->flags & API_REQUIRED)
            fault(r, "is missing");
        path_leave(r, before);
    }
    const char *name;
    json_t *member;
    if (r->strictness == API_LENIENT)
        return;
    json_object_foreach(json, name, member)
    {
        if (find_field(type, name))
            continue;
        size_t before = path_enter(r, name);
        fault(r, "is not known");
        path_leave(r, before);
    }
}

/* Brackets outside strings, so that the parser's recursion is bounded by us. */
static bool nested_too_deep(struct span json)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > API_DEPTH_MAX)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

static int refuse(struct api_problem *problem, const char *message, const char *detail)
{
    if (problem) {
        str_copy(problem->message, sizeof(problem->message), message);
        str_copy(problem->detail, sizeof(problem->detail), detail);
    }
    return -EINVAL;
}

static json_t *parse(struct span text, struct api_problem *problem)
{
    if (text.len > API_JSON_MAX_LEN) {
        refuse(problem, "The body is too large.", "");
        return NULL;
    }
    if (nested_too_deep(text)) {
        refuse(problem, "The body is nested too deeply.", "");
        return NULL;
    }
    json_error_t error;
    json_t *json = json_loadb(text.len ? text.p : "", text.len,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    char detail[200];
    if (json)
        return json;
    /* The text of jansson quotes the input near the fault: only the place is told. */
    snprintf(detail, sizeof(detail), "line %d, column %d", error.line, error.column);
    refuse(problem,
           json_error_code(&error) == json_error_duplicate_key
               ? "The body has the same member twice."
               : "The body is not valid JSON.",
           detail);
    return NULL;
}

int api_read(const struct api_type *type, struct span text, enum api_strictness strictness,
             void *ret, struct api_problem *problem)
{
    memset(ret, 0, type->size);
    if (problem)
        *problem = (struct api_problem){.message = ""};
    json_t *json = parse(text, problem);
    if (!json)
        return -EINVAL;
    struct reading r = {.strictness = strictness, .problem = problem};
    read_object(&r, type, json, ret);
    json_decref(json);
    if (r.faults == 0)
        return 0;
    api_release(type, ret);
    if (r.faults == 1 && problem && problem->fields[0].field[0] == '\0') {
        problem->n_fields = 0;
        return refuse(problem, "The body is not a JSON object.", "");
    }
    return refuse(problem, r.faults == 1 ? "One field is not valid." : "Some fields are not valid.",
                  "");
}
