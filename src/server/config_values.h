#pragma once
/* Texts of settings as values of struct server_config. */
#include "base/err.h"
#include "model/text_list.h"
#include "server/config.h"

enum {
    CONFIG_LIST_MAX = 256,      /* texts of one setting */
    CONFIG_TEXT_MAX_LEN = 4096, /* bytes of one text */
};

/*
 * Parses `values` (at least one; the kinds that are no lists take exactly one) by the setting's
 * kind into its field of `c`. 0, or -EINVAL with a text that quotes the value.
 */
int config_value_parse(const struct setting *s, const struct text_list *values,
                       struct server_config *c, struct err *err);
/* Brings the URL into the form of struct server_config; replaces *url. 0 or -EINVAL. */
int config_check_access_url(char **url, struct err *err);
int config_check_wildcard(const char *pattern, struct err *err);
/* "65536", "64KiB", "1MiB", "1GiB". 0, -EINVAL or -ERANGE. */
int config_parse_size(struct span text, uint64_t min, uint64_t max, uint64_t *ret);
