#pragma once
/*
 * The YAML text of a template (YAML 1.1 as libyaml reads it, without anchors and tags):
 *
 *     description: For everybody
 *     max_port_share_level: authenticated
 *     forwarding:
 *       local: true
 *       permit_open: ["localhost:*", "db.internal:5432"]
 *     cors: simple
 *     apps:
 *       - slug: lab
 *         url: http://localhost:8888/lab
 *
 * A key that is not there keeps the default of model/template.h; one that is not known, is given
 * twice or has a wrong value refuses the whole text.
 */
#include "base/span.h"
#include "model/template.h"

enum { TEMPLATE_YAML_MAX_LEN = 512 * 1024, TEMPLATE_YAML_PROBLEMS_MAX = 32 };

/* One thing that is wrong. */
struct template_yaml_problem {
    unsigned line;    /* from 1 on */
    char key[96];     /* "apps[1].healthcheck.url"; empty: the text is no YAML */
    char reason[160]; /* such as "unknown key (did you mean permit_open?)" */
};

struct template_yaml_problems {
    struct template_yaml_problem list[TEMPLATE_YAML_PROBLEMS_MAX]; /* in the order of the text */
    size_t n;
};

/*
 * 0 and a template that owns its strings (template_deinit()); id, name, version and times are
 * zeros. -EINVAL with all that is wrong, the first problems if there are more than fit.
 */
int template_yaml_parse(struct span yaml, struct template *ret,
                        struct template_yaml_problems *problems);
