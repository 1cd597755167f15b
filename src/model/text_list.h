#pragma once
/* A list of strings that it owns, with a ceiling given at each addition. */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct text_list {
    char **items;
    size_t len;
};

/* Adds a copy. 0, or -ENOBUFS when there are `max` items already. */
int text_list_add(struct text_list *list, struct span text, size_t max);
/* A copy of the whole list. */
struct text_list text_list_copy(const struct text_list *list);
/* The same items in the same order. */
bool text_list_equal(const struct text_list *a, const struct text_list *b);
/* Frees the strings; the list is empty and usable afterwards. */
void text_list_deinit(struct text_list *list);
