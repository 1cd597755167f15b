#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/span.h"
#include "base/suggest.h"

void args_add_table(struct args *a, const struct option *table)
{
    if (table && a->n_tables < ARGS_TABLES_MAX)
        a->tables[a->n_tables++] = table;
}

void args_deinit(struct args *a)
{
    free(a->uses);
    free(a->words);
    *a = (struct args){0};
}

static const struct option *find_by_name(const struct args *a, struct span name)
{
    for (size_t i = 0; i < a->n_tables; i++)
        for (const struct option *o = a->tables[i]; o->name; o++)
            if (span_is(name, o->name))
                return o;
    return NULL;
}

/* Options with only a letter have that letter as their name, which is no long form. */
static const struct option *find_long(const struct args *a, struct span name)
{
    return name.len > 1 ? find_by_name(a, name) : NULL;
}

static const struct option *find_by_letter(const struct args *a, char letter)
{
    for (size_t i = 0; i < a->n_tables; i++)
        for (const struct option *o = a->tables[i]; o->name; o++)
            if (o->letter == letter)
                return o;
    return NULL;
}

static int unknown_long(struct args *a, struct span name, struct err *err)
{
    _cleanup_free_ char *typed = span_dup(name);
    struct suggest s = {0};
    for (size_t i = 0; i < a->n_tables; i++)
        for (const struct option *o = a->tables[i]; o->name; o++)
            if (o->name[1])
                suggest_offer(&s, typed, o->name);
    a->meant = s.best;
    if (s.best)
        return err_set(err, -ENOENT, "unknown option '--%.100s': did you mean '--%s'?", typed,
                       s.best);
    return err_set(err, -ENOENT, "unknown option '--%.100s'", typed);
}

static bool is_choice(const char *choices, const char *value)
{
    struct span rest = span_of(choices), piece;
    while (span_split(&rest, '|', &piece))
        if (span_is(piece, value))
            return true;
    return false;
}

/* There are too many for a line: one that is near, or where they all stand. */
static int unknown_of_many(const struct option *o, const char *value, const char *source,
                           struct err *err)
{
    struct suggest near = {0};
    _cleanup_free_ char *list = xstrdup(o->choices);
    char *rest = list, *choice;
    while ((choice = strsep(&rest, "|")))
        suggest_offer(&near, value, choice);
    if (near.best)
        return err_set(err, -EINVAL, "%s%s: there is no '%.60s': did you mean '%s'?",
                       source ? "" : "--", source ? source : o->name, value, near.best);
    return err_set(err, -EINVAL, "%s%s: there is no '%.60s'; --help lists them", source ? "" : "--",
                   source ? source : o->name, value);
}

static int check_choice(const struct option *o, const char *value, const char *source,
                        struct err *err)
{
    if (!o->choices || !value || is_choice(o->choices, value))
        return 0;
    if (strlen(o->choices) > CHOICES_MAX_LEN)
        return unknown_of_many(o, value, source, err);
    _cleanup_free_ char *list = xstrdup(o->choices);
    for (char *p = list; *p; p++)
        if (*p == '|')
            *p = ' ';
    return err_set(err, -EINVAL, "%s%s: '%.60s' is not one of: %s", source ? "" : "--",
                   source ? source : o->name, value, list);
}

static int add_use(struct args *a, const struct option *o, const char *value, struct err *err)
{
    int r = check_choice(o, value, NULL, err);
    if (r < 0)
        return r;
    a->uses[a->n_uses++] = (struct option_use){.option = o, .value = value};
    return 0;
}

/* The value of an option that needs one: what follows it in the same word, or the next word. */
static int take_value(struct args *a, const struct option *o, const char *shown,
                      const char *attached, int *at, int argc, char *const argv[], struct err *err)
{
    if (attached)
        return add_use(a, o, attached, err);
    const char *next = *at + 1 < argc ? argv[*at + 1] : NULL;
    if (!next)
        return err_set(err, -EINVAL, "%s needs a value: %s %s", shown, shown, o->value);
    if (next[0] == '-' && next[1])
        return err_set(err, -EINVAL, "%s needs a value, but '%.60s' follows", shown, next);
    (*at)++;
    return add_use(a, o, next, err);
}

static int parse_long(struct args *a, int *at, int argc, char *const argv[], struct err *err)
{
    const char *word = argv[*at] + 2;
    const char *equals = strchr(word, '=');
    struct span name = equals ? span_from(word, (size_t)(equals - word)) : span_of(word);
    const struct option *o = find_long(a, name);
    if (!o)
        return unknown_long(a, name, err);

    const char *attached = equals ? equals + 1 : NULL;
    if (o->kind == OPTION_FLAG) {
        if (attached)
            return err_set(err, -EINVAL, "--%s takes no value", o->name);
        return add_use(a, o, NULL, err);
    }
    if (o->kind == OPTION_OPTIONAL)
        return add_use(a, o, attached, err);
    char shown[80];
    snprintf(shown, sizeof(shown), "--%s", o->name);
    return take_value(a, o, shown, attached, at, argc, argv, err);
}

static int parse_letters(struct args *a, int *at, int argc, char *const argv[], struct err *err)
{
    for (const char *p = argv[*at] + 1; *p; p++) {
        const struct option *o = find_by_letter(a, *p);
        if (!o)
            return err_set(err, -ENOENT, "unknown option '-%c'", *p);
        if (o->kind == OPTION_FLAG || o->kind == OPTION_OPTIONAL) {
            int r = add_use(a, o, NULL, err);
            if (r < 0)
                return r;
            continue;
        }
        const char *attached = p[1] ? p + 1 : NULL;
        if (attached && *attached == '=')
            attached++;
        char shown[3] = {'-', *p, 0};
        return take_value(a, o, shown, attached, at, argc, argv, err);
    }
    return 0;
}

static int check_environment(const struct args *a, struct err *err)
{
    for (size_t i = 0; i < a->n_tables; i++)
        for (const struct option *o = a->tables[i]; o->name; o++) {
            const char *value = o->env && o->choices ? getenv(o->env) : NULL;
            int r = value && *value ? check_choice(o, value, o->env, err) : 0;
            if (r < 0)
                return r;
        }
    return 0;
}

int args_parse(struct args *a, int argc, char *const argv[], struct err *err)
{
    /* A word of letters gives at most a use a letter. */
    size_t uses_max = 1;
    for (int i = 0; i < argc; i++)
        uses_max += strlen(argv[i]) + 1;
    a->uses = xcalloc(uses_max, sizeof(*a->uses));
    a->words = xcalloc((size_t)argc + 1, sizeof(*a->words));

    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        int r = 0;
        if (only_words || word[0] != '-' || !word[1])
            a->words[a->n_words++] = word;
        else if (str_eq(word, "--"))
            only_words = true;
        else if (word[1] == '-')
            r = parse_long(a, &i, argc, argv, err);
        else
            r = parse_letters(a, &i, argc, argv, err);
        if (r < 0)
            return r;
    }
    return check_environment(a, err);
}

bool args_has(const struct args *a, const char *name)
{
    for (size_t i = 0; i < a->n_uses; i++)
        if (str_eq(a->uses[i].option->name, name))
            return true;
    return args_value(a, name) != NULL;
}

const char *args_value(const struct args *a, const char *name)
{
    for (size_t i = a->n_uses; i-- > 0;)
        if (str_eq(a->uses[i].option->name, name))
            return a->uses[i].value;
    const struct option *o = find_by_name(a, span_of(name));
    const char *value = o && o->env && o->kind != OPTION_FLAG ? getenv(o->env) : NULL;
    return value && *value ? value : NULL;
}

int args_number(const struct args *a, const char *name, uint64_t min, uint64_t max,
                uint64_t fallback, uint64_t *ret, struct err *err)
{
    const char *value = args_value(a, name);
    if (!value) {
        *ret = fallback;
        return 0;
    }
    if (num_parse(span_of(value), min, max, ret) < 0)
        return err_set(err, -EINVAL, "--%s: '%.60s' is not a number from %llu to %llu", name, value,
                       (unsigned long long)min, (unsigned long long)max);
    return 0;
}
