#include "cli/table.h"

#include <stdlib.h>

#include "base/mem.h"

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

void table_print(const struct table *t, struct output *o)
{
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t column = i % t->n_columns;
        bool title = i < t->n_columns, last = column + 1 == t->n_columns;
        bool styled = title && o->out_colour;
        fprintf(o->out, "%s%s%s", output_style(styled, STYLE_BOLD), t->cells[i],
                output_reset(styled));
        if (last)
            fputc('\n', o->out);
        else
            fprintf(o->out, "%*s", (int)(t->widths[column] - output_columns(t->cells[i]) + 2), "");
    }
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
