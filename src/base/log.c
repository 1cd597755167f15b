#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

enum { LINE_MAX_LEN = 4096 };

static enum log_level least_level = LOG_WARN;
static enum log_format line_format = LOG_FORMAT_TEXT;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_setup(enum log_level least, enum log_format format)
{
    least_level = least;
    line_format = format;
}

bool log_enabled(enum log_level level)
{
    return level >= least_level;
}

int log_level_parse(const char *name, enum log_level *ret)
{
    for (enum log_level l = LOG_DEBUG; l <= LOG_ERROR; l++) {
        if (strcmp(name, level_names[l]) == 0) {
            *ret = l;
            return 0;
        }
    }
    return -EINVAL;
}

/* A JSON string; text lines use the same quoting, so that one rule escapes both. */
static void append_quoted(struct buf *b, const char *s)
{
    buf_append_byte(b, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            buf_appendf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_appendf(b, "\\u%04x", c);
        else
            buf_append_byte(b, c);
    }
    buf_append_byte(b, '"');
}

static bool is_bare(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || *s == 0x7f)
            return false;
    return true;
}

static void format_text(struct buf *b, enum log_level level, const char *event,
                        const struct log_field *f)
{
    char time[CLOCK_TEXT_LEN];
    buf_appendf(b, "%s %-5s %s", clock_format(clock_realtime(), time), level_names[level], event);
    for (; f->key; f++) {
        buf_appendf(b, " %s=", f->key);
        if (!f->str)
            buf_appendf(b, "%lld", (long long)f->num);
        else if (is_bare(f->str))
            buf_append_str(b, f->str);
        else
            append_quoted(b, f->str);
    }
}

static void format_json(struct buf *b, enum log_level level, const char *event,
                        const struct log_field *f)
{
    char time[CLOCK_TEXT_LEN];
    buf_appendf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":",
                clock_format(clock_realtime(), time), level_names[level]);
    append_quoted(b, event);
    for (; f->key; f++) {
        buf_append_byte(b, ',');
        append_quoted(b, f->key);
        buf_append_byte(b, ':');
        if (f->str)
            append_quoted(b, f->str);
        else
            buf_appendf(b, "%lld", (long long)f->num);
    }
    buf_append_byte(b, '}');
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct buf line = BUF_INIT(LINE_MAX_LEN);
    (line_format == LOG_FORMAT_JSON ? format_json : format_text)(&line, level, event, fields);
    buf_append_byte(&line, '\n');
    /* A log that cannot be written has nowhere to say so. */
    ssize_t n = write(STDERR_FILENO, buf_data(&line), line.len);
    (void)n;
    buf_deinit(&line);
}

bool log_limit_pass(struct log_limit *limit, usec_t now, unsigned *ret_held_back)
{
    if (now - limit->since >= limit->per_usec) {
        limit->since = now;
        limit->used = 0;
    }
    if (limit->used >= limit->burst) {
        limit->held_back++;
        return false;
    }
    limit->used++;
    *ret_held_back = limit->held_back;
    limit->held_back = 0;
    return true;
}
