#include "model/text_list.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

int text_list_add(struct text_list *list, struct span text, size_t max)
{
    if (list->len >= max)
        return -ENOBUFS;
    list->items = xrealloc(list->items, (list->len + 1) * sizeof(*list->items));
    list->items[list->len++] = span_dup(text);
    return 0;
}

struct text_list text_list_copy(const struct text_list *list)
{
    struct text_list copy = {0};
    for (size_t i = 0; i < list->len; i++)
        text_list_add(&copy, span_of(list->items[i]), list->len);
    return copy;
}

void text_list_deinit(struct text_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

bool text_list_equal(const struct text_list *a, const struct text_list *b)
{
    if (a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++)
        if (!str_eq(a->items[i], b->items[i]))
            return false;
    return true;
}
