#pragma once
/*
 * What the program prints: results on standard output (text or JSON), one clear line and a hint
 * on standard error when something is wrong. Text that came from elsewhere never carries control
 * characters to the terminal.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

enum output_style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_GREEN, STYLE_YELLOW };

struct output {
    FILE *out;
    FILE *err;
    bool json;       /* --output json */
    bool out_colour; /* `out` is a terminal that takes colours */
    bool err_colour;
    unsigned width; /* for tables; 0: that of the terminal at `out`, or any if it is none */
    bool err_tty;   /* `err` is a terminal: a spinner may turn there */
};

/* Standard output and error; colours only on a terminal, unless NO_COLOR is set or TERM=dumb. */
void output_init(struct output *o);

/* The escape sequence that starts a style, or "" without colours. `output_reset` ends it. */
const char *output_style(bool colour, enum output_style style);
const char *output_reset(bool colour);

/* "adit: TEXT" on `err`. */
void output_error(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "adit: warning: TEXT" on `err`. */
void output_warning(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "hint: TEXT" on `err`: what to do now. */
void output_hint(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A line on `out`, or several; all else that a terminal obeys is '?'. Only for text output. */
void output_line(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * One JSON value, indented for people on a terminal's behalf, with a newline. Borrowed. What a
 * terminal would obey is escaped.
 */
void output_json(struct output *o, const json_t *value);
/* One JSON value on one line, flushed: for streams of events. Borrowed. */
void output_json_line(struct output *o, const json_t *value);

/*
 * Text safe for a terminal: control characters (C0, DEL, C1) and bytes that are not UTF-8 become
 * '?'. Returns a copy; the caller frees it. NULL gives "".
 */
char *output_printable(const char *text);
/* Columns that a printable text takes (code points; our tables hold no wide characters' art). */
size_t output_columns(const char *text);

/* Columns of the terminal at `f`; `fallback` when it is none. */
unsigned output_width(FILE *f, unsigned fallback);
/* And its lines. */
unsigned output_height(FILE *f, unsigned fallback);
