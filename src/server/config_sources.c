/*
 * Sources are read from the highest rank to the lowest, and a setting that has texts already is
 * left alone. The YAML file is one mapping from keys to scalars or lists of scalars, read as
 * libyaml's events, so that every complaint has a line number.
 */
#include "server/config_sources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "server/config_values.h"

void config_texts_init(struct config_texts *t, size_t n)
{
    t->of = xcalloc(n, sizeof(*t->of));
    t->n = n;
}

void config_texts_deinit(struct config_texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        text_list_deinit(&t->of[i].values);
    free(t->of);
    *t = (struct config_texts){0};
}

static int add_text(struct config_text *t, const char *text, struct err *err)
{
    if (strlen(text) > CONFIG_TEXT_MAX_LEN)
        return err_set(err, -EINVAL, "%s: the value is too long", t->where);
    if (text_list_add(&t->values, span_of(text), CONFIG_LIST_MAX) < 0)
        return err_set(err, -EINVAL, "%s: too many values", t->where);
    return 0;
}

static int unknown_flag(const struct setting *settings, size_t n, struct span name, struct err *err)
{
    struct suggest s = {0};
    char typed[64] = "";
    str_copy_span(typed, sizeof(typed), name);
    for (size_t i = 0; i < n; i++)
        suggest_offer(&s, typed, settings[i].flag);
    if (s.best)
        return err_set(err, -EINVAL, "unknown option \"--" SPAN_FMT "\": did you mean --%s?",
                       SPAN_ARG(name), s.best);
    return err_set(err, -EINVAL, "unknown option \"--" SPAN_FMT "\"", SPAN_ARG(name));
}

/* Index of the setting that `--flag` or `--flag=value` names, or -1. */
static int find_flag(const struct setting *settings, size_t n, struct span name)
{
    for (size_t i = 0; i < n; i++)
        if (span_is(name, settings[i].flag))
            return (int)i;
    return -1;
}

static int read_args(struct config_texts *t, const struct setting *settings, int argc,
                     char *const *argv, const char **ret_file, struct err *err)
{
    for (int i = 0; i < argc; i++) {
        struct span arg = span_of(argv[i]), name;
        ptrdiff_t eq = span_find(arg, '=');
        const char *value;
        int at, r;

        if (!span_starts(arg, "--") || arg.len == 2)
            return err_set(err, -EINVAL, "unexpected argument \"%s\"", argv[i]);
        name = span_sub(arg, 2, eq < 0 ? arg.len : (size_t)eq);
        at = find_flag(settings, t->n, name);
        if (at < 0 && !span_is(name, "config"))
            return unknown_flag(settings, t->n, name, err);
        if (eq >= 0)
            value = argv[i] + eq + 1;
        else if (at >= 0 && settings[at].kind == SETTING_SWITCH)
            value = "true";
        else
            value = i + 1 < argc ? argv[++i] : NULL;
        if (!value)
            return err_set(err, -EINVAL, "--" SPAN_FMT " needs a value", SPAN_ARG(name));
        if (at < 0) {
            *ret_file = value;
            continue;
        }
        if (!setting_is_list(&settings[at]))
            text_list_deinit(&t->of[at].values); /* the last one counts */
        snprintf(t->of[at].where, sizeof(t->of[at].where), "--%s", settings[at].flag);
        if ((r = add_text(&t->of[at], value, err)) < 0)
            return r;
    }
    return 0;
}

static int read_env(struct config_texts *t, const struct setting *settings, server_getenv_fn *env,
                    struct err *err)
{
    for (size_t i = 0; i < t->n; i++) {
        const char *value = env(settings[i].env);
        int r;

        if (!value || !*value || t->of[i].values.len > 0)
            continue;
        str_copy(t->of[i].where, sizeof(t->of[i].where), settings[i].env);
        if ((r = add_text(&t->of[i], value, err)) < 0)
            return r;
    }
    return 0;
}

struct yaml_source {
    const struct setting *settings;
    struct config_texts *texts;
    bool *seen;  /* keys of this file */
    bool *given; /* by a higher source */
    const char *file;
    yaml_parser_t parser;
    yaml_event_t event;
    struct err *err;
};

static int yaml_fail(struct yaml_source *y, const char *problem)
{
    return err_set(y->err, -EINVAL, "%s:%zu: %s", y->file, y->event.start_mark.line + 1, problem);
}

/* The next event; the one before is dropped. */
static int yaml_step(struct yaml_source *y)
{
    yaml_event_delete(&y->event);
    if (!yaml_parser_parse(&y->parser, &y->event))
        return err_set(y->err, -EINVAL, "%s:%zu: %s", y->file, y->parser.problem_mark.line + 1,
                       y->parser.problem ? y->parser.problem : "not valid YAML");
    return 0;
}

static const char *yaml_scalar(const struct yaml_source *y)
{
    return (const char *)y->event.data.scalar.value;
}

static int yaml_add(struct yaml_source *y, struct config_text *t, bool given)
{
    if (y->event.type != YAML_SCALAR_EVENT)
        return yaml_fail(y, "a plain value is needed here");
    if (strlen(yaml_scalar(y)) != y->event.data.scalar.length)
        return yaml_fail(y, "a value must not hold a NUL");
    return given ? 0 : add_text(t, yaml_scalar(y), y->err);
}

/* The event is the start of the value of setting `i`: a scalar, or a sequence of them. */
static int yaml_value(struct yaml_source *y, size_t i)
{
    struct config_text *t = &y->texts->of[i];
    int r;

    if (!y->given[i])
        snprintf(t->where, sizeof(t->where), "%s:%zu: %s", y->file, y->event.start_mark.line + 1,
                 y->settings[i].key);
    if (y->event.type != YAML_SEQUENCE_START_EVENT)
        return yaml_add(y, t, y->given[i]);
    for (;;) {
        if ((r = yaml_step(y)) < 0)
            return r;
        if (y->event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        if ((r = yaml_add(y, t, y->given[i])) < 0)
            return r;
    }
}

/* The event is a key. */
static int yaml_entry(struct yaml_source *y)
{
    char text[192];
    struct suggest near = {0};
    int r;

    if (y->event.type != YAML_SCALAR_EVENT)
        return yaml_fail(y, "a setting's name is needed here");
    for (size_t i = 0; i < y->texts->n; i++) {
        if (!str_eq(yaml_scalar(y), y->settings[i].key))
            continue;
        if (y->seen[i]) {
            snprintf(text, sizeof(text), "%s is given twice", y->settings[i].key);
            return yaml_fail(y, text);
        }
        y->seen[i] = true;
        return (r = yaml_step(y)) < 0 ? r : yaml_value(y, i);
    }
    for (size_t i = 0; i < y->texts->n; i++)
        suggest_offer(&near, yaml_scalar(y), y->settings[i].key);
    snprintf(text, sizeof(text), "unknown setting \"%.64s\"%s%s%s", yaml_scalar(y),
             near.best ? ": did you mean " : "", near.best ? near.best : "", near.best ? "?" : "");
    return yaml_fail(y, text);
}

static int yaml_document(struct yaml_source *y)
{
    int r;

    do {
        if ((r = yaml_step(y)) < 0)
            return r;
        if (y->event.type == YAML_STREAM_END_EVENT)
            return 0; /* an empty file sets nothing */
    } while (y->event.type != YAML_DOCUMENT_START_EVENT);
    if ((r = yaml_step(y)) < 0)
        return r;
    if (y->event.type == YAML_SCALAR_EVENT && y->event.data.scalar.length == 0)
        return 0; /* "---" and nothing else */
    if (y->event.type != YAML_MAPPING_START_EVENT)
        return yaml_fail(y, "settings are needed, one \"key: value\" a line");
    for (;;) {
        if ((r = yaml_step(y)) < 0)
            return r;
        if (y->event.type == YAML_MAPPING_END_EVENT)
            break;
        if ((r = yaml_entry(y)) < 0)
            return r;
    }
    for (unsigned i = 0; i < 2; i++)
        if ((r = yaml_step(y)) < 0)
            return r;
    return y->event.type == YAML_STREAM_END_EVENT ? 0 : yaml_fail(y, "a second document");
}

static int read_file(struct config_texts *t, const struct setting *settings, const char *file,
                     struct err *err)
{
    FILE *in = fopen(file, "re");
    struct yaml_source y = {.settings = settings, .texts = t, .file = file, .err = err};
    int r;

    if (!in)
        return err_sys(err, -errno, "cannot open %s", file);
    y.seen = xcalloc(t->n, sizeof(*y.seen));
    y.given = xcalloc(t->n, sizeof(*y.given));
    for (size_t i = 0; i < t->n; i++)
        y.given[i] = t->of[i].values.len > 0;
    if (yaml_parser_initialize(&y.parser)) {
        yaml_parser_set_input_file(&y.parser, in);
        r = yaml_document(&y);
        yaml_event_delete(&y.event);
        yaml_parser_delete(&y.parser);
    } else {
        r = err_set(err, -ENOMEM, "%s: out of memory", file);
    }
    free(y.given);
    free(y.seen);
    fclose(in);
    return r;
}

int config_texts_collect(struct config_texts *t, const struct setting *settings, int argc,
                         char *const *argv, server_getenv_fn *env, struct err *err)
{
    const char *file = env("ADIT_CONFIG");
    int r = read_args(t, settings, argc, argv, &file, err);

    if (r >= 0)
        r = read_env(t, settings, env, err);
    if (r >= 0 && file && *file)
        r = read_file(t, settings, file, err);
    return r;
}
