#pragma once
/* Where the texts of settings come from: arguments, environment, YAML file. */
#include "base/err.h"
#include "model/text_list.h"
#include "server/config.h"

struct config_text {
    struct text_list values; /* empty: not given */
    char where[256];         /* "--workers", "ADIT_WORKERS", "adit.yaml:12: workers" */
};

/* One for each setting, in the order of the table. */
struct config_texts {
    struct config_text *of;
    size_t n;
};

void config_texts_init(struct config_texts *t, size_t n);
void config_texts_deinit(struct config_texts *t);

/*
 * Fills `t` from the highest source that gives each setting. The file is that of --config or
 * ADIT_CONFIG, if any. 0 or negative with a text.
 */
int config_texts_collect(struct config_texts *t, const struct setting *settings, int argc,
                         char *const *argv, server_getenv_fn *env, struct err *err);
