#pragma once
/*
 * Structured log lines: an event and key=value fields, as text or JSON, on standard error.
 *
 *     log_info("agent connected", LOG_STR("agent", name), LOG_INT("worker", n));
 *
 * Libraries log at debug only; programs decide what is worth more. A line that a stranger can
 * cause goes through a `struct log_limit`.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *key; /* NULL ends the list */
    const char *str; /* NULL: a number */
    int64_t num;
};

/* `v` may be NULL or an array. */
static inline struct log_field log_field_str(const char *key, const char *v)
{
    return (struct log_field){.key = key, .str = v ? v : ""};
}

#define LOG_STR(k, v) log_field_str((k), (v))
#define LOG_INT(k, v) ((struct log_field){.key = (k), .num = (int64_t)(v)})

/* The first field is empty and left out, so that an event may have none. */
#define log_event(level, event, ...)                                                               \
    do {                                                                                           \
        if (log_enabled(level))                                                                    \
            log_write(level, event, (const struct log_field[]){{0}, ##__VA_ARGS__, {0}} + 1);      \
    } while (0)
#define log_debug(event, ...) log_event(LOG_DEBUG, event, ##__VA_ARGS__)
#define log_info(event, ...)  log_event(LOG_INFO, event, ##__VA_ARGS__)
#define log_warn(event, ...)  log_event(LOG_WARN, event, ##__VA_ARGS__)
#define log_error(event, ...) log_event(LOG_ERROR, event, ##__VA_ARGS__)

/* Set once at start, before threads. The default is text at LOG_WARN. */
void log_setup(enum log_level least, enum log_format format);
bool log_enabled(enum log_level level);
/*
 * One line of at most 4,096 bytes, written in one call. Values are escaped, so that control
 * characters and broken UTF-8 never pass; long ones are cut, fields beyond the line left out.
 */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/*
 * At most `burst` lines a `per_usec`; log_limit_pass says whether this one may be written and
 * stores how many were held back since the last that passed. One limit belongs to one thread.
 */
struct log_limit {
    unsigned burst;
    usec_t per_usec;
    unsigned used;
    unsigned held_back;
    usec_t since;
};
bool log_limit_pass(struct log_limit *limit, usec_t now, unsigned *ret_held_back);

/* The level named by "debug", "info", "warn" or "error"; -EINVAL otherwise. */
int log_level_parse(const char *name, enum log_level *ret);
