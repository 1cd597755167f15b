#pragma once
/*
 * The command line: which options a command takes, and what was given.
 *
 *     --name VALUE, --name=VALUE, -n VALUE, -nVALUE; flags: --name, -n, several as -abc;
 *     "--" ends the options; options and arguments may be mixed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum option_kind {
    OPTION_FLAG,     /* no value */
    OPTION_VALUE,    /* one value; the last one given counts */
    OPTION_LIST,     /* repeatable; every value counts, in order */
    OPTION_OPTIONAL, /* --name or --name=VALUE */
};

struct option {
    const char *name; /* without the hyphens; one letter: no long form; NULL ends a table */
    char letter;      /* short form, or 0 */
    enum option_kind kind;
    const char *value;   /* name of the value in help, "ADDR:PORT"; NULL for flags */
    const char *choices; /* allowed values, "text|json"; NULL: any. Many are listed by help */
    const char *env;     /* environment variable that stands in when it is not given, or NULL */
    const char *help;    /* a sentence or two, without a line break */
};

enum { CHOICES_MAX_LEN = 100 }; /* of choices that are told in a line */

/* One option as it was given; `value` is NULL where there is none. */
struct option_use {
    const struct option *option;
    const char *value;
};

enum { ARGS_TABLES_MAX = 4 };

/* What was given. All texts are borrowed from argv and the tables. */
struct args {
    const struct option *tables[ARGS_TABLES_MAX];
    size_t n_tables;
    struct option_use *uses; /* in the order of the command line */
    size_t n_uses;
    const char **words; /* what is not an option */
    size_t n_words;
    /* For -ENOENT: the option that was probably meant, without hyphens, or NULL. */
    const char *meant;
};

/* Options of this table are known too. At most ARGS_TABLES_MAX; earlier tables win. */
void args_add_table(struct args *a, const struct option *table);
void args_deinit(struct args *a);

/*
 * Reads argv[0..argc) (without the program's and the command's name).
 * 0; -ENOENT: unknown option; -EINVAL: a value is missing, not wanted, or not among the choices.
 * Also checks the values that the environment stands in with.
 */
int args_parse(struct args *a, int argc, char *const argv[], struct err *err);

/* Was it given? Flags only by the command line, others by the environment too. */
bool args_has(const struct args *a, const char *name);
/* The value given last, else the one from the environment (if set and not empty), else NULL. */
const char *args_value(const struct args *a, const char *name);
/* As args_value, as a number in [min, max]; `fallback` when absent. 0 or -EINVAL. */
int args_number(const struct args *a, const char *name, uint64_t min, uint64_t max,
                uint64_t fallback, uint64_t *ret, struct err *err);
