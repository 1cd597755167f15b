#pragma once
/* The style sheet of the pages without script, and the icon. */
#include <stddef.h>

struct exchange;

struct page {
    const char *path;
    const char *type; /* Content-Type */
    const char *text;
};

const struct page *web_pages(size_t *ret_n);
/* Returns the status that was sent. */
unsigned page_answer(struct exchange *x, const struct page *page);
