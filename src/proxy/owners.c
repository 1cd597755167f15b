#include "proxy/owners.h"

#include <stdlib.h>

#include "auth/auth.h"
#include "auth/withdrawal.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/loop.h"
#include "store/workspace.h"

enum { KNOWN_MAX = 1024, KEY_SIZE = 2 * NAME_SIZE + 2 };

static const usec_t known_for = 30 * USEC_PER_SEC;

struct known {
    struct owner owner;
    uint64_t withdrawals;
    usec_t at;
};

struct owners {
    struct auth *auth;
    struct loop *loop;
    struct withdrawal_log *log;
    struct map *known; /* "user/workspace", or "alias" */
};

struct asked {
    struct owners *owners;
    char key[KEY_SIZE];
    uint64_t withdrawals;
    owner_found_fn *found;
    void *ud;
};

struct owners *owners_new(struct auth *auth, struct loop *loop, struct withdrawal_log *log)
{
    struct owners *o = new0(struct owners);
    *o = (struct owners){.auth = auth, .loop = loop, .log = log, .known = map_new()};
    return o;
}

static void forget_all(struct owners *o)
{
    struct map_iter it = {0};
    struct known *k;
    while ((k = map_next(o->known, &it)))
        free(k);
    map_free(o->known);
    o->known = NULL;
}

struct owners *owners_free(struct owners *o)
{
    if (!o)
        return NULL;
    forget_all(o);
    free(o);
    return NULL;
}

static void remember(struct owners *o, const struct asked *a, const struct owner *owner)
{
    struct known *k = new0(struct known);
    *k = (struct known){.owner = *owner, .withdrawals = a->withdrawals, .at = loop_now(o->loop)};
    if (map_len(o->known) >= KNOWN_MAX) {
        forget_all(o);
        o->known = map_new();
    }
    free(map_put(o->known, a->key, k));
}

static void answer(struct asked *a, int r, const struct workspace *ws)
{
    struct owner owner = {.user_id = {{0}}};
    if (ws) {
        owner = (struct owner){.user_id = ws->owner_id, .template_id = ws->template_id};
        remember(a->owners, a, &owner);
    }
    owner_found_fn *found = a->found;
    void *ud = a->ud;
    free(a);
    found(ud, r, &owner);
}

static void on_workspace(void *ud, int r, const struct store_workspace *ws)
{
    answer(ud, r, r == STORE_OK ? &ws->ws : NULL);
}

static void on_agent(void *ud, int r, const struct workspace *ws, const struct agent *agent)
{
    answer(ud, r, r == STORE_OK ? ws : NULL);
}

void owners_find(struct owners *o, const struct app_host *app, owner_found_fn *found, void *ud)
{
    struct store *store = auth_store(o->auth);
    uint64_t withdrawals = withdrawal_log_count(o->log);
    char key[KEY_SIZE];
    if (app->alias[0])
        str_copy(key, sizeof(key), app->alias);
    else
        snprintf(key, sizeof(key), "%s/%s", app->user, app->workspace);
    struct known *k = map_get(o->known, key);
    if (k && k->withdrawals == withdrawals && loop_now(o->loop) - k->at < known_for) {
        struct owner owner = k->owner;
        found(ud, STORE_OK, &owner);
        return;
    }
    struct asked *a = new0(struct asked);
    *a = (struct asked){.owners = o, .withdrawals = withdrawals, .found = found, .ud = ud};
    str_copy(a->key, sizeof(a->key), key);
    if (app->alias[0])
        store_agent_get_alias(store, o->loop, app->alias, on_agent, a);
    else
        store_workspace_get(store, o->loop, app->user, app->workspace, on_workspace, a);
}
