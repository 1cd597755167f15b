#include "cli/output.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"

static bool wants_colour(FILE *f)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if ((no_color && *no_color) || !term || str_eq(term, "dumb"))
        return false;
    return isatty(fileno(f));
}

void output_init(struct output *o)
{
    *o = (struct output){
        .out = stdout,
        .err = stderr,
        .out_colour = wants_colour(stdout),
        .err_colour = wants_colour(stderr),
        .err_tty = isatty(STDERR_FILENO) != 0,
    };
}

const char *output_style(bool colour, enum output_style style)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "",       [STYLE_BOLD] = "\033[1m",   [STYLE_DIM] = "\033[2m",
        [STYLE_RED] = "\033[31m", [STYLE_GREEN] = "\033[32m", [STYLE_YELLOW] = "\033[33m",
    };
    return colour ? codes[style] : "";
}

const char *output_reset(bool colour)
{
    return colour ? "\033[0m" : "";
}

static void print_message(struct output *o, const char *label, enum output_style style,
                          const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

static void print_message(struct output *o, const char *label, enum output_style style,
                          const char *fmt, va_list ap)
{
    char text[1024];
    vsnprintf(text, sizeof(text), fmt, ap);
    _cleanup_free_ char *printable = output_printable(text);
    fflush(o->out);
    fprintf(o->err, "%s%s%s %s\n", output_style(o->err_colour, style), label,
            output_reset(o->err_colour), printable);
    fflush(o->err);
}

void output_error(struct output *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_message(o, "adit:", STYLE_RED, fmt, ap);
    va_end(ap);
}

void output_warning(struct output *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_message(o, "adit: warning:", STYLE_YELLOW, fmt, ap);
    va_end(ap);
}

void output_hint(struct output *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_message(o, "hint:", STYLE_DIM, fmt, ap);
    va_end(ap);
}

/* Length of the UTF-8 sequence at p that stands for a printable character; 0: it does not. */
static size_t printable_sequence(const unsigned char *p)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (len == 1)
        return p[0] >= 0x20 && p[0] != 0x7f;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool c1 = p[0] == 0xc2 && p[1] < 0xa0;
    /* Direction marks could show a line as another one than it is. */
    bool bidi = p[0] == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) ||
                                 (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
    return c1 || bidi ? 0 : len;
}

char *output_printable(const char *text)
{
    if (!text)
        text = "";
    size_t len = strlen(text);
    char *copy = xmalloc(len + 1);
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        size_t n = printable_sequence((const unsigned char *)text + i);
        if (n == 0) {
            copy[used++] = '?';
            i++;
            continue;
        }
        memcpy(copy + used, text + i, n);
        used += n;
        i += n;
    }
    copy[used] = 0;
    return copy;
}

/* Names are from the server, and a newline is the only control character of ours. */
void output_line(struct output *o, const char *fmt, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort(); /* out of memory */
    va_end(ap);
    struct span rest = span_of(text), line;
    while (span_split(&rest, '\n', &line)) {
        _cleanup_free_ char *piece = span_dup(line);
        _cleanup_free_ char *printable = output_printable(piece);
        fputs(printable, o->out);
        fputc('\n', o->out);
    }
}

/* What a terminal would obey is written as JSON allows; jansson does so for C0 only. */
static void write_json_text(const char *text, FILE *f)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p) {
        size_t n = printable_sequence(p);
        if (n > 0 || *p == '\n') {
            n = n ? n : 1;
            fwrite(p, 1, n, f);
        } else if (*p < 0x80) {
            fprintf(f, "\\u%04X", *p);
            n = 1;
        } else {
            n = *p < 0xe0 ? 2 : 3;
            unsigned code = *p < 0xe0 ? (*p & 0x1fu) : (*p & 0x0fu);
            for (size_t i = 1; i < n; i++)
                code = code << 6 | (p[i] & 0x3fu);
            fprintf(f, "\\u%04X", code);
        }
        p += n;
    }
}

static void write_json(struct output *o, const json_t *value, size_t flags)
{
    char *text = json_dumps(value, flags | JSON_ENCODE_ANY);
    if (text)
        write_json_text(text, o->out);
    free(text);
    fputc('\n', o->out);
    fflush(o->out);
}

void output_json(struct output *o, const json_t *value)
{
    write_json(o, value, JSON_INDENT(2));
}

void output_json_line(struct output *o, const json_t *value)
{
    write_json(o, value, JSON_COMPACT);
}

size_t output_columns(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

unsigned output_height(FILE *f, unsigned fallback)
{
    struct winsize size;
    if (ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        return size.ws_row;
    return fallback;
}

unsigned output_width(FILE *f, unsigned fallback)
{
    struct winsize size;
    if (ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return fallback;
}
