#pragma once
/*
 * Templates: the YAML text as it was pushed and, as JSON, the policy that it means
 * (api/workspace.h). The template `default` is there from the start. The contract that all
 * operations share is in store/store.h.
 */
#include "model/name.h"
#include "store/store.h"

enum { TEMPLATE_TEXT_MAX_LEN = 512 * 1024 }; /* of the YAML, and of the JSON */

struct store_template {
    struct id id;
    char name[NAME_SIZE];
    int64_t version; /* 1, and one more with each change */
    const char *yaml;
    const char *policy; /* JSON */
    usec_t created_at;
    usec_t updated_at;
};

typedef void store_template_fn(void *ud, int r, const struct store_template *t);
typedef void store_templates_fn(void *ud, int r, const struct store_template *list, size_t n);

struct store_op *store_template_get(struct store *s, struct loop *loop, const char *name,
                                    store_template_fn *fn, void *ud);
struct store_op *store_template_get_id(struct store *s, struct loop *loop, struct id id,
                                       store_template_fn *fn, void *ud);
/* By name; without the YAML texts (NULL). */
struct store_op *store_template_list(struct store *s, struct loop *loop, struct store_page page,
                                     store_templates_fn *fn, void *ud);

struct store_template_put {
    const char *name;
    const char *yaml;
    const char *policy;
    usec_t now;
};
/* Makes it, or replaces its texts and counts the version up. -ENOBUFS: a text is too long. */
struct store_op *store_template_put(struct store *s, struct loop *loop,
                                    const struct store_template_put *t, store_template_fn *fn,
                                    void *ud);
/* STORE_IN_USE: workspaces are made from it, or it is `default`. */
struct store_op *store_template_delete(struct store *s, struct loop *loop, const char *name,
                                       store_done_fn *fn, void *ud);
