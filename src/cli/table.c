#include "cli/table.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/span.h"

enum { GAP = 2, INDENT = 4 };

struct table {
    size_t n_columns;
    size_t n_cells; /* titles included */
    char **cells;   /* row by row */
    size_t *widths;
};

static void add_cells(struct table *t, const char *const *cells)
{
    t->cells = xrealloc(t->cells, (t->n_cells + t->n_columns) * sizeof(*t->cells));
    for (size_t i = 0; i < t->n_columns; i++) {
        char *text = output_printable(cells[i] && *cells[i] ? cells[i] : "-");
        t->cells[t->n_cells++] = text;
        size_t columns = output_columns(text);
        if (columns > t->widths[i])
            t->widths[i] = columns;
    }
}

struct table *table_new(const char *const *titles)
{
    struct table *t = new0(struct table);
    while (titles[t->n_columns])
        t->n_columns++;
    t->widths = xcalloc(t->n_columns, sizeof(*t->widths));
    add_cells(t, titles);
    return t;
}

void table_row(struct table *t, const char *const *cells)
{
    add_cells(t, cells);
}

/* ---- printing ---- */

/* Which columns are printed, and which of them begin a line. */
struct layout {
    struct output *o;
    bool *hidden;
    bool *first; /* of a line */
};

static bool is_empty(const char *cell)
{
    return str_eq(cell, "-");
}

static bool has_values(const struct table *t, size_t column)
{
    for (size_t i = t->n_columns + column; i < t->n_cells; i += t->n_columns)
        if (!is_empty(t->cells[i]))
            return true;
    return t->n_cells == t->n_columns;
}

static size_t total_width(const struct table *t, const struct layout *l)
{
    size_t width = 0;
    for (size_t i = 0; i < t->n_columns; i++)
        if (!l->hidden[i])
            width += t->widths[i] + (width ? GAP : 0);
    return width;
}

/* What nothing is in goes first; then each line takes the columns that fit. */
static void fit(const struct table *t, struct layout *l, size_t width)
{
    if (total_width(t, l) <= width)
        return;
    for (size_t i = 0; i < t->n_columns; i++)
        l->hidden[i] = !has_values(t, i);
    size_t at = 0;
    for (size_t i = 0; i < t->n_columns; i++) {
        if (l->hidden[i])
            continue;
        l->first[i] = at > 0 && at + GAP + t->widths[i] > width;
        at = l->first[i] ? INDENT + t->widths[i] : at + (at ? GAP : 0) + t->widths[i];
    }
}

/* Of the line that begins at this column, the column behind it. */
static size_t line_end(const struct table *t, const struct layout *l, size_t from)
{
    size_t end = from + 1;
    while (end < t->n_columns && !l->first[end])
        end++;
    return end;
}

static void print_line(const struct table *t, const struct layout *l, char **cells, size_t from,
                       size_t to)
{
    FILE *out = l->o->out;
    bool styled = cells == t->cells && l->o->out_colour;
    size_t gap = l->first[from] ? INDENT : 0;
    bool empty = l->first[from];
    for (size_t i = from; empty && i < to; i++)
        empty = l->hidden[i] || is_empty(cells[i]);
    if (empty)
        return;
    for (size_t i = from; i < to; i++) {
        if (l->hidden[i])
            continue;
        fprintf(out, "%*s%s%s%s", (int)gap, "", output_style(styled, STYLE_BOLD), cells[i],
                output_reset(styled));
        gap = t->widths[i] - output_columns(cells[i]) + GAP;
    }
    fputc('\n', out);
}

void table_print_within(const struct table *t, struct output *o, unsigned width)
{
    struct layout l = {.o = o,
                       .hidden = xcalloc(t->n_columns, sizeof(*l.hidden)),
                       .first = xcalloc(t->n_columns, sizeof(*l.first))};
    if (width > 0)
        fit(t, &l, width);
    for (size_t row = 0; row < t->n_cells; row += t->n_columns)
        for (size_t from = 0, to; from < t->n_columns; from = to) {
            to = line_end(t, &l, from);
            print_line(t, &l, &t->cells[row], from, to);
        }
    free(l.hidden);
    free(l.first);
}

void table_print(const struct table *t, struct output *o)
{
    table_print_within(t, o, o->width ? o->width : output_width(o->out, 0));
}

struct table *table_free(struct table *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t->widths);
    free(t);
    return NULL;
}
