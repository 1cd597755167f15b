#include "cli/csv.h"

#include <string.h>

#include "base/cleanup.h"
#include "cli/output.h"

static bool is_formula(const char *text)
{
    text += strspn(text, " ");
    return *text && strchr("=+-@", *text);
}

static bool needs_quotes(const char *text)
{
    size_t len = strlen(text);
    return strpbrk(text, ",\"") || (len > 0 && (text[0] == ' ' || text[len - 1] == ' '));
}

static void print_cell(FILE *f, const char *text)
{
    bool quoted = needs_quotes(text);
    if (quoted)
        fputc('"', f);
    if (is_formula(text))
        fputc('\'', f);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc(*text, f);
    }
    if (quoted)
        fputc('"', f);
}

void csv_row(FILE *f, const char *const *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *text = output_printable(cells[i]);
        if (i > 0)
            fputc(',', f);
        print_cell(f, text);
    }
    fputs("\r\n", f);
}
