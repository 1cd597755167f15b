#pragma once
/* Comma-separated values (RFC 4180) that are safe to open in a spreadsheet. */
#include <stddef.h>
#include <stdio.h>

/*
 * One record, ended by CRLF. NULL is an empty cell. A cell with a comma, a quote or a space at an
 * end is quoted. Control characters become '?', and a text that a spreadsheet would take for a
 * formula (it starts with '=', '+', '-' or '@', spaces before it looked through) gets a single
 * quote in front.
 */
void csv_row(FILE *f, const char *const *cells, size_t n);
