#pragma once
/*
 * To whom an app host belongs: asked of the store, and remembered for a short while, as long as
 * no right was withdrawn, so that requests across apps need no store once it is known.
 */
#include "model/id.h"
#include "model/template.h"
#include "proto/app_host.h"
#include "store/store.h"

struct auth;
struct loop;
struct owners;
struct withdrawal_log;

struct owner {
    struct id user_id;
    struct id template_id;
};
/* r: 0; STORE_NOT_FOUND: there is no such workspace; negative: the store failed. */
typedef void owner_found_fn(void *ud, int r, const struct owner *owner);

struct owners *owners_new(struct auth *auth, struct loop *loop, struct withdrawal_log *log);
/* Nobody waits any more. Returns NULL; accepts NULL. */
struct owners *owners_free(struct owners *o);
/* `found` may run inside the call. */
void owners_find(struct owners *o, const struct app_host *app, owner_found_fn *found, void *ud);
