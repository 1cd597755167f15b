#include "cli/item.h"

const char *item_text(const json_t *item, const char *member)
{
    const char *value = json_string_value(json_object_get(item, member));
    return value ? value : "";
}

usec_t item_time(const json_t *item, const char *member)
{
    usec_t when = 0;
    clock_parse(item_text(item, member), &when);
    return when;
}
