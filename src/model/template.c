#include "model/template.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "model/name_table.h"

static const char *const cors_names[] = {
    [CORS_SIMPLE] = "simple",
    [CORS_PASSTHRU] = "passthru",
};

const char *cors_behavior_name(enum cors_behavior cors)
{
    return cors_names[cors];
}

int cors_behavior_parse(struct span text, enum cors_behavior *ret)
{
    NAME_TABLE_PARSE(cors_names, text, ret);
}

void forward_policy_init(struct forward_policy *policy)
{
    *policy = (struct forward_policy){
        .local = true, .remote = true, .unix_sockets = true, .agent_forwarding = true};
    text_list_add(&policy->permit_open, SPAN("*:*"), POLICY_RULES_MAX);
    text_list_add(&policy->permit_listen, SPAN("localhost:*"), POLICY_RULES_MAX);
}

void forward_policy_deinit(struct forward_policy *policy)
{
    text_list_deinit(&policy->permit_open);
    text_list_deinit(&policy->permit_listen);
}

struct forward_policy forward_policy_copy(const struct forward_policy *policy)
{
    struct forward_policy copy = *policy;
    copy.permit_open = text_list_copy(&policy->permit_open);
    copy.permit_listen = text_list_copy(&policy->permit_listen);
    return copy;
}

bool forward_policy_equal(const struct forward_policy *a, const struct forward_policy *b)
{
    return a->local == b->local && a->remote == b->remote && a->public_listen == b->public_listen &&
           a->unix_sockets == b->unix_sockets && a->agent_forwarding == b->agent_forwarding &&
           text_list_equal(&a->permit_open, &b->permit_open) &&
           text_list_equal(&a->permit_listen, &b->permit_listen);
}

void app_deinit(struct app *app)
{
    free(app->display_name);
    free(app->icon);
    free(app->url);
    free(app->healthcheck.url);
    *app = (struct app){0};
}

void template_init(struct template *t)
{
    *t = (struct template){.max_port_share_level = SHARE_AUTHENTICATED, .cors = CORS_SIMPLE};
    forward_policy_init(&t->forwarding);
}

void template_deinit(struct template *t)
{
    free(t->description);
    forward_policy_deinit(&t->forwarding);
    for (size_t i = 0; i < t->n_apps; i++)
        app_deinit(&t->apps[i]);
    free(t->apps);
    *t = (struct template){0};
}

int template_add_app(struct template *t, const struct app *app)
{
    if (t->n_apps >= TEMPLATE_APPS_MAX)
        return -ENOBUFS;
    t->apps = xrealloc(t->apps, (t->n_apps + 1) * sizeof(*t->apps));
    t->apps[t->n_apps++] = *app;
    return 0;
}

const struct app *template_find_app(const struct template *t, const char *slug)
{
    for (size_t i = 0; i < t->n_apps; i++)
        if (str_eq(t->apps[i].slug, slug))
            return &t->apps[i];
    return NULL;
}

enum share_level template_max_app_share(const struct template *t, const struct app *app)
{
    return app->share > t->max_port_share_level ? app->share : t->max_port_share_level;
}
