#include "cli/help.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"

enum { INDENT = 2, OPTION_COLUMN = 28, WIDTH_MAX = 96, WIDTH_MIN = 50 };

struct printer {
    FILE *f;
    bool colour;
    size_t width;
};

static struct printer printer_of(struct output *o, FILE *f)
{
    size_t width = output_width(f, 80);
    if (width > WIDTH_MAX)
        width = WIDTH_MAX;
    if (width < WIDTH_MIN)
        width = WIDTH_MIN;
    return (struct printer){.f = f, .colour = f == o->out && o->out_colour, .width = width};
}

/* Prints words from `column` on, wrapped, further lines indented to `indent`. */
static void print_wrapped(const struct printer *p, size_t column, size_t indent, struct span text)
{
    struct span word;
    bool first = true;
    while (span_split(&text, ' ', &word)) {
        if (!first && column + 1 + word.len > p->width) {
            fprintf(p->f, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        fprintf(p->f, "%s" SPAN_FMT, first ? "" : " ", SPAN_ARG(word));
        column += word.len + !first;
        first = false;
    }
    fputc('\n', p->f);
}

static void print_title(const struct printer *p, const char *title)
{
    fprintf(p->f, "\n%s%s%s\n", output_style(p->colour, STYLE_BOLD), title,
            output_reset(p->colour));
}

/* Ready-made lines, indented. A line that starts with a space is left as it is. */
static void print_lines(const struct printer *p, const char *lines)
{
    struct span rest = span_of(lines), line;
    while (span_split(&rest, '\n', &line))
        if (line.len > 0 || rest.len > 0)
            fprintf(p->f, "%*s" SPAN_FMT "\n", line.len ? INDENT : 0, "", SPAN_ARG(line));
}

static void print_paragraphs(const struct printer *p, const char *text)
{
    struct span rest = span_of(text), line;
    while (span_split(&rest, '\n', &line)) {
        fputc('\n', p->f);
        print_wrapped(p, 0, 0, line);
    }
}

/* On lines of their own. */
static void print_choices(const struct printer *p, const char *choices)
{
    _cleanup_free_ char *list = xstrdup(choices);
    for (char *c = list; *c; c++)
        if (*c == '|')
            *c = ' ';
    fprintf(p->f, "%*s", OPTION_COLUMN, "");
    print_wrapped(p, OPTION_COLUMN, OPTION_COLUMN, span_of(list));
}

static void print_option(const struct printer *p, const struct option *o)
{
    char left[96], tail[128] = "";
    int n = o->letter ? snprintf(left, sizeof(left), "-%c, --%s", o->letter, o->name)
                      : snprintf(left, sizeof(left), "    --%s", o->name);
    if (o->name[1] == 0)
        n = snprintf(left, sizeof(left), "-%s", o->name);
    if (o->kind == OPTION_OPTIONAL)
        snprintf(left + n, sizeof(left) - (size_t)n, "[=%s]", o->value);
    else if (o->kind != OPTION_FLAG)
        snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->value);
    size_t used = INDENT + strlen(left);
    fprintf(p->f, "%*s%s", INDENT, "", left);
    if (used + 2 > OPTION_COLUMN)
        fprintf(p->f, "\n%*s", OPTION_COLUMN, "");
    else
        fprintf(p->f, "%*s", (int)(OPTION_COLUMN - used), "");

    if (o->kind == OPTION_LIST && o->env)
        snprintf(tail, sizeof(tail), " Repeatable. [%s]", o->env);
    else if (o->kind == OPTION_LIST)
        snprintf(tail, sizeof(tail), " Repeatable.");
    else if (o->env)
        snprintf(tail, sizeof(tail), " [%s]", o->env);
    char text[1024];
    snprintf(text, sizeof(text), "%s%s", o->help, tail);
    print_wrapped(p, OPTION_COLUMN, OPTION_COLUMN, span_of(text));
    if (o->choices && strlen(o->choices) > CHOICES_MAX_LEN)
        print_choices(p, o->choices);
}

static void print_command_list(const struct printer *p, const struct command *const *table)
{
    size_t widest = 0;
    for (const struct command *const *c = table; *c; c++)
        if (strlen((*c)->name) > widest)
            widest = strlen((*c)->name);
    for (const struct command *const *c = table; *c; c++)
        fprintf(p->f, "%*s%-*s  %s\n", INDENT, "", (int)widest, (*c)->name, (*c)->summary);
}

static void print_exits(const struct printer *p, const struct command *c)
{
    print_title(p, "Exit codes:");
    if (c->traits & COMMAND_PASSES_ON) {
        print_lines(p, c->exits);
        return;
    }
    print_lines(p, "0  done\n"
                   "1  it did not work; the error says why\n"
                   "2  the command line is wrong; nothing was started");
    if (c->traits & COMMAND_API)
        print_lines(p, "3  not logged in, or not allowed");
    if (c->exits)
        print_lines(p, c->exits);
}

void help_print_overview(struct output *o, FILE *f)
{
    struct printer p = printer_of(o, f);
    fprintf(f, "adit: the way into the ports of a remote workspace.\n");
    print_title(&p, "Usage:");
    print_lines(&p, "adit COMMAND [OPTIONS] [ARGUMENTS]");
    print_title(&p, "Commands:");
    print_command_list(&p, commands);
    print_title(&p, "Examples:");
    print_lines(&p, "adit login https://adit.example.com\n"
                    "adit create dev                      # a workspace; prints what to run in it\n"
                    "adit port-forward dev --tcp 8080     # its port 8080 on this machine\n"
                    "adit port-forward dev -D 1080        # SOCKS and HTTP proxy into it\n"
                    "adit open dev 3000                   # its port 3000 in the browser\n"
                    "adit share dev 3000 --with anna      # the same for somebody else");
    fprintf(f, "\n'adit help COMMAND' and 'adit COMMAND --help' explain a command.\n");
}

void help_print_command(struct output *o, FILE *f, const struct command *c, const char *path)
{
    struct printer p = printer_of(o, f);
    fprintf(f, "adit %s: %s.\n", path, c->summary);
    print_title(&p, "Usage:");
    fprintf(f, "%*sadit %s%s%s%s\n", INDENT, "", path, c->subcommands ? " COMMAND" : "",
            c->words ? " " : "", c->words ? c->words : "");
    if (c->about)
        print_paragraphs(&p, c->about);
    if (c->subcommands) {
        print_title(&p, "Commands:");
        print_command_list(&p, c->subcommands);
    }
    print_title(&p, "Options:");
    const struct option *tables[ARGS_TABLES_MAX];
    size_t n = command_option_tables(c, tables);
    for (size_t i = 0; i < n; i++)
        for (const struct option *option = tables[i]; option->name; option++)
            print_option(&p, option);
    if (c->examples) {
        print_title(&p, "Examples:");
        print_lines(&p, c->examples);
    }
    print_exits(&p, c);
}
