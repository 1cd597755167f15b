#pragma once
/* Looks enum values up by their names. Shared by the files of this folder. */
#include <errno.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/span.h"

/* The index of `text` in the table, case ignored, or -EINVAL. */
static inline int name_table_find(const char *const *names, size_t n, struct span text)
{
    for (size_t i = 0; i < n; i++)
        if (span_iis(text, names[i]))
            return (int)i;
    return -EINVAL;
}

/* The body of a parse function: finds `text` and stores the value in *ret. */
#define NAME_TABLE_PARSE(names, text, ret)                                                         \
    do {                                                                                           \
        int found_ = name_table_find(names, ARRAY_LEN(names), text);                               \
        if (found_ < 0)                                                                            \
            return found_;                                                                         \
        *(ret) = (__typeof__(*(ret)))found_;                                                       \
        return 0;                                                                                  \
    } while (0)
