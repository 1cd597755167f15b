#include <stdlib.h>

#include "api/workspace.h"
#include "base/log.h"
#include "base/mem.h"
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
