#include <errno.h>
#include <stdlib.h>

#include "api/workspace.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/template_yaml.h"
#include "store/template.h"
#include "web/handlers.h"
#include "web/instance.h"

/*
 * From the store's form. `yaml` stays the store's. A policy that cannot be read is a damaged
 * store: shown as the default would be wrong, so it fails.
 */
static int fill(const struct store_template *from, struct api_template *ret)
{
    struct err err = ERR_INIT;
    int r = api_policy_read(span_of(from->policy), &ret->policy, &err);

    if (r < 0) {
        log_error("a stored template cannot be read", LOG_STR("template", from->name),
                  LOG_STR("text", err.text));
        return r;
    }
    ret->id = from->id;
    str_copy(ret->name, sizeof(ret->name), from->name);
    ret->version = from->version;
    ret->created_at = from->created_at;
    ret->updated_at = from->updated_at;
    return 0;
}

static void on_list(void *ud, int r, const struct store_template *list, size_t n)
{
    struct call *c = ud;
    const struct store_page *page = c->state;
    struct api_templates msg = {0};

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    msg.templates = xcalloc(n ? n : 1, sizeof(*msg.templates));
    for (size_t i = 0; i < n && r == STORE_OK; i++) {
        r = fill(&list[i], &msg.templates[i]);
        if (r >= 0)
            msg.n_templates++;
    }
    if (n == page->limit)
        msg.next = list[n - 1].id;
    if (r != STORE_OK)
        call_fail(c, 500, "A template in the store cannot be read.", NULL);
    else
        call_answer(c, 200, &api_templates_type, &msg);
    for (size_t i = 0; i < msg.n_templates; i++)
        template_deinit(&msg.templates[i].policy);
    free(msg.templates);
}

void templates_list(struct call *c)
{
    struct store_page page;

    if (!call_may(c, RIGHT_TEMPLATE_READ, NULL) || !call_page(c, &page))
        return;
    *(struct store_page *)call_state(c, sizeof(page)) = page;
    store_template_list(call_store(c), call_loop(c), page, on_list, c);
}

static void on_get(void *ud, int r, const struct store_template *t)
{
    struct call *c = ud;
    struct api_template msg = {0};

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    if (fill(t, &msg) < 0) {
        call_fail(c, 500, "The template in the store cannot be read.", NULL);
        return;
    }
    msg.yaml = (char *)(uintptr_t)t->yaml;
    call_answer(c, 200, &api_template_type, &msg);
    template_deinit(&msg.policy);
}

void templates_get(struct call *c)
{
    char name[NAME_SIZE];

    if (!call_may(c, RIGHT_TEMPLATE_READ, NULL))
        return;
    if (name_parse(NAME_TEMPLATE, span_of(call_param(c, "template")), name, NULL) < 0)
        call_not_found(c);
    else
        store_template_get(call_store(c), call_loop(c), name, on_get, c);
}

/* ---- put ---- */

static void on_put(void *ud, int r, const struct store_template *t)
{
    struct call *c = ud;
    struct web_withdrawal what = {.agents = false};
    struct api_template msg = {0};

    if (r == -ENOBUFS) {
        call_fail_field(c, 400, "yaml", "The template is too long.");
        return;
    }
    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    what.template_id = t->id;
    if (t->version > 1)
        c->web->o.live->withdraw(c->web->o.live_ud, &what);
    call_record(c, t->version > 1 ? AUDIT_TEMPLATE_UPDATE : AUDIT_TEMPLATE_CREATE, t->name);
    if (fill(t, &msg) < 0) {
        call_fail(c, 500, "The template in the store cannot be read.", NULL);
        return;
    }
    call_answer(c, t->version > 1 ? 200 : 201, &api_template_type, &msg);
    template_deinit(&msg.policy);
}

static void fail_yaml(struct call *c, const struct template_yaml_problems *problems)
{
    struct api_problem answer = {.message = "The template is not right."};

    for (size_t i = 0; i < problems->n && i < API_FIELD_ERRORS_MAX; i++) {
        const struct template_yaml_problem *p = &problems->list[i];
        api_problem_add(&answer, p->key, "%s", p->reason);
        answer.fields[answer.n_fields - 1].line = p->line;
    }
    call_problem(c, &answer);
}

void templates_put(struct call *c)
{
    const struct api_template_put *msg = c->msg;
    _cleanup_(buf_deinit) struct buf policy = BUF_INIT(TEMPLATE_TEXT_MAX_LEN);
    struct template_yaml_problems problems;
    struct err err = ERR_INIT;
    struct template t;
    char name[NAME_SIZE];

    if (!call_may(c, RIGHT_TEMPLATE_WRITE, NULL))
        return;
    if (name_parse(NAME_TEMPLATE, span_of(call_param(c, "template")), name, &err) < 0) {
        call_fail_field(c, 400, "template", err.text);
        return;
    }
    if (template_yaml_parse(span_of(msg->yaml), &t, &problems) < 0) {
        fail_yaml(c, &problems);
        return;
    }
    if (api_policy_write(&t, &policy) < 0)
        call_fail_field(c, 400, "yaml", "The template is too long.");
    else
        store_template_put(call_store(c), call_loop(c),
                           &(struct store_template_put){.name = name,
                                                        .yaml = msg->yaml,
                                                        .policy = buf_cstr(&policy),
                                                        .now = clock_realtime()},
                           on_put, c);
    template_deinit(&t);
}

/* ---- delete ---- */

static void on_deleted(void *ud, int r)
{
    struct call *c = ud;
    const char *name = c->state;

    if (r == STORE_IN_USE && str_eq(name, "default")) {
        call_fail(c, 409, "The template \"default\" cannot be deleted.",
                  "Workspaces for which no template is named are made from it.");
        return;
    }
    if (r == STORE_IN_USE) {
        call_fail(c, 409, "There are workspaces that are made from this template.",
                  "Delete those first.");
        return;
    }
    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    call_record(c, AUDIT_TEMPLATE_DELETE, name);
    call_done(c);
}

void templates_delete(struct call *c)
{
    char *name = call_state(c, NAME_SIZE);

    if (!call_may(c, RIGHT_TEMPLATE_WRITE, NULL))
        return;
    if (name_parse(NAME_TEMPLATE, span_of(call_param(c, "template")), name, NULL) < 0)
        call_not_found(c);
    else
        store_template_delete(call_store(c), call_loop(c), name, on_deleted, c);
}
