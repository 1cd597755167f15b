#include "cli/text_diff.h"

enum { CONTEXT = 3 };

/* Bytes of the line at the front, with its end. */
static size_t line_len(struct span text)
{
    ptrdiff_t n = span_find(text, '\n');
    return n < 0 ? text.len : (size_t)n + 1;
}

/* Bytes of the line at the end. */
static size_t last_line_len(struct span text)
{
    size_t shown = text.len - (text.len > 0 && text.p[text.len - 1] == '\n');
    return text.len - (size_t)(span_rfind(span_sub(text, 0, shown), '\n') + 1);
}

static struct span without_front(struct span text, size_t len)
{
    return span_sub(text, len, text.len);
}

static struct span without_back(struct span text, size_t len)
{
    return span_sub(text, 0, text.len - len);
}

static size_t count_lines(struct span text)
{
    size_t n = 0;
    for (; text.len > 0; n++)
        text = without_front(text, line_len(text));
    return n;
}

static void append_lines(struct span text, char mark, struct buf *dst)
{
    while (text.len > 0) {
        size_t len = line_len(text);
        buf_append_byte(dst, (unsigned char)mark);
        buf_append(dst, text.p, len);
        if (text.p[len - 1] != '\n')
            buf_append_str(dst, "\n\\ No newline at end of file\n");
        text = without_front(text, len);
    }
}

/* The last lines of what is the same before, or the first of what is the same behind. */
static struct span context_before(struct span same)
{
    struct span rest = same;
    for (int i = 0; i < CONTEXT && rest.len > 0; i++)
        rest = without_back(rest, last_line_len(rest));
    return without_front(same, rest.len);
}

static struct span context_behind(struct span same)
{
    struct span rest = same;
    for (int i = 0; i < CONTEXT && rest.len > 0; i++)
        rest = without_front(rest, line_len(rest));
    return without_back(same, rest.len);
}

/* How many bytes of whole lines are the same at the front. */
static size_t common_front(struct span a, struct span b)
{
    size_t used = 0;
    while (a.len > 0 && b.len > 0) {
        size_t n = line_len(a);
        if (!span_eq(span_sub(a, 0, n), span_sub(b, 0, line_len(b))))
            break;
        a = without_front(a, n);
        b = without_front(b, n);
        used += n;
    }
    return used;
}

static size_t common_back(struct span a, struct span b)
{
    size_t used = 0;
    while (a.len > 0 && b.len > 0) {
        size_t n = last_line_len(a);
        if (!span_eq(span_sub(a, a.len - n, a.len), span_sub(b, b.len - last_line_len(b), b.len)))
            break;
        a = without_back(a, n);
        b = without_back(b, n);
        used += n;
    }
    return used;
}

/* Line numbers count from 1; an empty side has that of the line before. */
static void append_range(char mark, size_t first, size_t n, struct buf *dst)
{
    buf_appendf(dst, " %c%zu,%zu", mark, n ? first + 1 : first, n);
}

void text_diff(struct span before, struct span after, const char *name, struct buf *dst)
{
    if (span_eq(before, after))
        return;
    struct span same = span_sub(before, 0, common_front(before, after));
    struct span a = without_front(before, same.len), b = without_front(after, same.len);
    struct span same_behind = without_front(a, a.len - common_back(a, b));
    a = without_back(a, same_behind.len);
    b = without_back(b, same_behind.len);
    struct span above = context_before(same), below = context_behind(same_behind);
    size_t around = count_lines(above) + count_lines(below);
    size_t first = count_lines(same) - count_lines(above);
    buf_appendf(dst, "--- %s\n+++ %s\n@@", name, name);
    append_range('-', first, count_lines(a) + around, dst);
    append_range('+', first, count_lines(b) + around, dst);
    buf_append_str(dst, " @@\n");
    append_lines(above, ' ', dst);
    append_lines(a, '-', dst);
    append_lines(b, '+', dst);
    append_lines(below, ' ', dst);
}
