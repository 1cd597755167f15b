#pragma once
/*
 * Aligned tables:
 *
 *     struct table *t = table_new((const char *const[]){"NAME", "OWNER", NULL});
 *     table_row(t, (const char *const[]){"dev", "anna"});
 *     table_print(t, out);
 *     table_free(t);
 */
#include "cli/output.h"

struct table;

/* Column titles, ended by NULL. */
struct table *table_new(const char *const *titles);
/* One cell a column; copied and made printable; NULL and "" are shown as "-". */
void table_row(struct table *t, const char *const *cells);
/*
 * Titles and rows, each column as wide as its widest cell, two spaces between. On a terminal that
 * is too narrow for that, columns without any value are left out, and what then does not fit goes
 * to further lines of its row, which are indented.
 */
void table_print(const struct table *t, struct output *o);
/* The same for so many columns; 0: as many as it takes. */
void table_print_within(const struct table *t, struct output *o, unsigned width);
/* Returns NULL; accepts NULL. */
struct table *table_free(struct table *t);
