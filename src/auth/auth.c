#include "auth/auth_internal.h"

#include <stdlib.h>

#include "base/mem.h"

enum { ATTEMPTS_USER = 10, ATTEMPTS_IP = 30, LIMIT_ENTRIES_MAX = 20000 };

static struct limit *limit_of(unsigned burst, unsigned burst_default, usec_t refill,
                              usec_t refill_default)
{
    return limit_new(&(struct limit_options){
        .burst = burst ? burst : burst_default,
        .refill = refill ? refill : refill_default,
        .max_entries = LIMIT_ENTRIES_MAX,
    });
}

struct auth *auth_new(struct store *store, const struct auth_options *o)
{
    struct auth *auth = new0(struct auth);
    auth->store = store;
    auth->session_life = o->session_life ? o->session_life : 7 * USEC_PER_DAY;
    auth->users =
        limit_of(o->attempts_user, ATTEMPTS_USER, o->attempts_user_refill, 30 * USEC_PER_SEC);
    auth->ips = limit_of(o->attempts_ip, ATTEMPTS_IP, o->attempts_ip_refill, 2 * USEC_PER_SEC);
    return auth;
}

struct auth *auth_free(struct auth *auth)
{
    if (!auth)
        return NULL;
    limit_free(auth->users);
    limit_free(auth->ips);
    free(auth);
    return NULL;
}

struct store *auth_store(struct auth *auth)
{
    return auth->store;
}

unsigned long auth_refused(struct auth *auth)
{
    return limit_refused(auth->users) + limit_refused(auth->ips);
}
