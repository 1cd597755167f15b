#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"

enum {
    LINE_MAX_LEN = 4096,  /* PIPE_BUF: such lines of several writers do not mix */
    TAIL_MAX_LEN = 4,     /* kept free for what ends a line */
    VALUE_MAX_LEN = 1024, /* bytes of a value that are shown */
};

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

/* The append functions return 0, or another value when the line is full. */
static int append_escaped_char(struct buf *b, struct span rest, size_t *ret_len)
{
    unsigned char c = (unsigned char)rest.p[0];
    size_t n = utf8_char_len(rest);
    *ret_len = n ? n : 1;
    if (n == 0)
        return buf_append_str(b, "\\ufffd");
    if (c == '"' || c == '\\')
        return buf_appendf(b, "\\%c", c);
    if (text_has_control(span_sub(rest, 0, n)))
        return buf_appendf(b, "\\u%04x", n == 1 ? c : (unsigned char)rest.p[1]);
    return buf_append(b, rest.p, n);
}

/* A JSON string; text lines use the same quoting, so that one rule escapes both. */
static int append_quoted(struct buf *b, const char *s)
{
    struct span rest = span_of(s);
    bool cut = rest.len > VALUE_MAX_LEN;
    int r = buf_append_byte(b, '"');
    for (size_t used = 0, n; rest.len && used < VALUE_MAX_LEN; used += n) {
        r |= append_escaped_char(b, rest, &n);
        rest = span_sub(rest, n, rest.len);
    }
    if (cut)
        r |= buf_append_str(b, "...");
    return r | buf_append_byte(b, '"');
}

static bool is_bare(const char *s)
{
    size_t n = 0;
    for (; s[n]; n++)
        if ((unsigned char)s[n] <= ' ' || (unsigned char)s[n] >= 0x7f || s[n] == '"' ||
            s[n] == '=' || s[n] == '\\')
            return false;
    return n > 0 && n <= VALUE_MAX_LEN;
}

static int append_text_field(struct buf *b, const struct log_field *f)
{
    int r = buf_appendf(b, " %s=", f->key);
    if (!f->str)
        return r | buf_appendf(b, "%lld", (long long)f->num);
    return r | (is_bare(f->str) ? buf_append_str(b, f->str) : append_quoted(b, f->str));
}

static int append_json_field(struct buf *b, const struct log_field *f)
{
    int r = buf_append_byte(b, ',');
    r |= append_quoted(b, f->key);
    r |= buf_append_byte(b, ':');
    return r | (f->str ? append_quoted(b, f->str) : buf_appendf(b, "%lld", (long long)f->num));
}

/* A field that does not fit is left out whole, and the line stays well-formed. */
static void append_fields(struct buf *b, const struct log_field *f)
{
    for (; f->key; f++) {
        size_t before = b->len;
        int r = line_format == LOG_FORMAT_JSON ? append_json_field(b, f) : append_text_field(b, f);
        if (r != 0)
            b->len = before;
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct buf line = BUF_INIT(LINE_MAX_LEN - TAIL_MAX_LEN);
    char time[CLOCK_TEXT_LEN];
    clock_format(clock_realtime(), time);
    if (line_format == LOG_FORMAT_JSON) {
        buf_appendf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", time,
                    level_names[level]);
        append_quoted(&line, event);
    } else {
        buf_appendf(&line, "%s %-5s %s", time, level_names[level], event);
    }
    append_fields(&line, fields);
    line.max = LINE_MAX_LEN;
    buf_append_str(&line, line_format == LOG_FORMAT_JSON ? "}\n" : "\n");
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
