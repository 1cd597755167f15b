/*
 * libjwt checks a signature by the algorithm that the token's own head names, so nothing but ours
 * passes, before and after the check. Claims have three letters, because a ticket travels with
 * every request.
 */
#include "auth/ticket.h"

#include <errno.h>
#include <jwt.h>
#include <stdlib.h>
#include <string.h>

#include "auth/key_ring.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"

DEFINE_CLEANUP(jwt_t *, jwt_free);

/* ---- writing ---- */

static int add_text(jwt_t *jwt, const char *name, const char *text)
{
    return *text ? jwt_add_grant(jwt, name, text) : 0;
}

static int add_id(jwt_t *jwt, const char *name, const struct id *id)
{
    char text[ID_TEXT_SIZE];
    return id_is_zero(id) ? 0 : jwt_add_grant(jwt, name, id_format(id, text));
}

static int add_claims(jwt_t *jwt, const struct ticket *t)
{
    char epoch[17];
    const struct withdrawal_subject *s = &t->subject;
    snprintf(epoch, sizeof(epoch), "%016llx", (unsigned long long)t->epoch);
    return jwt_add_grant_int(jwt, "exp", (long)(t->expires_at / USEC_PER_SEC)) |
           jwt_add_grant_int(jwt, "end", (long)(t->right_ends_at / USEC_PER_SEC)) |
           jwt_add_grant_int(jwt, "gen", (long)t->generation) | add_text(jwt, "epo", epoch) |
           add_text(jwt, "met", t->by_path ? "path" : "subdomain") | add_text(jwt, "sit", t->site) |
           add_text(jwt, "bas", t->base) | add_id(jwt, "sub", &s->user_id) |
           add_id(jwt, "tok", &s->token_id) | add_id(jwt, "par", &s->parent_id) |
           add_id(jwt, "wsp", &s->workspace_id) | add_id(jwt, "agt", &s->agent_id) |
           add_id(jwt, "tem", &s->template_id) | add_text(jwt, "app", s->target) |
           add_id(jwt, "own", &t->owner_id) | add_text(jwt, "usr", t->user) |
           add_text(jwt, "eml", t->email) | add_text(jwt, "hst", t->host) |
           jwt_add_grant_int(jwt, "prt", t->port) | add_text(jwt, "tls", t->tls ? "1" : "") |
           add_text(jwt, "pub", t->everyone ? "1" : "") | add_text(jwt, "hom", t->home) |
           add_text(jwt, "cor", cors_behavior_name(t->cors));
}

int ticket_sign(struct key_ring *keys, const struct ticket *ticket, struct buf *dst)
{
    struct signing_key key;
    if (!key_ring_newest(keys, &key))
        return -ENOKEY;
    jwt_t *jwt = NULL;
    char *text = NULL;
    int r = -ENOBUFS;
    if (jwt_new(&jwt) == 0 && jwt_add_header(jwt, "kid", key.kid) == 0 &&
        add_claims(jwt, ticket) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_HS256, key.secret, (int)key.secret_len) == 0)
        text = jwt_encode_str(jwt);
    if (text && strlen(text) <= TICKET_MAX_LEN)
        r = buf_append_str(dst, text);
    free(text);
    jwt_free(jwt);
    explicit_bzero(&key, sizeof(key));
    return r;
}

/* ---- reading ---- */

static bool get_text(jwt_t *jwt, const char *name, char *dst, size_t size)
{
    const char *text = jwt_get_grant(jwt, name);
    return str_copy(dst, size, text ? text : "");
}

static bool get_id(jwt_t *jwt, const char *name, struct id *ret)
{
    const char *text = jwt_get_grant(jwt, name);
    *ret = (struct id){0};
    return !text || id_parse(span_of(text), ret) == 0;
}

static bool get_request(jwt_t *jwt, struct ticket *t)
{
    const char *method = jwt_get_grant(jwt, "met");
    if (!method)
        return false;
    t->by_path = str_eq(method, "path");
    return get_text(jwt, "sit", t->site, sizeof(t->site)) &&
           get_text(jwt, "bas", t->base, sizeof(t->base));
}

static bool get_subject(jwt_t *jwt, struct withdrawal_subject *s)
{
    return get_id(jwt, "sub", &s->user_id) && get_id(jwt, "tok", &s->token_id) &&
           get_id(jwt, "par", &s->parent_id) && get_id(jwt, "wsp", &s->workspace_id) &&
           get_id(jwt, "agt", &s->agent_id) && get_id(jwt, "tem", &s->template_id) &&
           get_text(jwt, "app", s->target, sizeof(s->target));
}

static bool get_target(jwt_t *jwt, struct ticket *t)
{
    const char *cors = jwt_get_grant(jwt, "cor");
    long port = jwt_get_grant_int(jwt, "prt");
    t->tls = jwt_get_grant(jwt, "tls") != NULL;
    if (port < 1 || port > 65535 || !cors)
        return false;
    t->port = (uint16_t)port;
    return get_text(jwt, "hst", t->host, sizeof(t->host)) &&
           get_text(jwt, "hom", t->home, sizeof(t->home)) &&
           cors_behavior_parse(span_of(cors), &t->cors) == 0;
}

static bool get_claims(jwt_t *jwt, usec_t now, struct ticket *t)
{
    const char *epoch = jwt_get_grant(jwt, "epo");
    long generation = jwt_get_grant_int(jwt, "gen");
    *t = (struct ticket){.expires_at = (usec_t)jwt_get_grant_int(jwt, "exp") * USEC_PER_SEC};
    t->generation = (uint64_t)generation;
    t->everyone = jwt_get_grant(jwt, "pub") != NULL;
    t->right_ends_at = (usec_t)jwt_get_grant_int(jwt, "end") * USEC_PER_SEC;
    return now < t->expires_at && t->expires_at - now <= TICKET_LIFE + USEC_PER_SEC &&
           generation >= 0 && epoch && num_parse_hex(span_of(epoch), UINT64_MAX, &t->epoch) == 0 &&
           get_request(jwt, t) && get_subject(jwt, &t->subject) &&
           get_id(jwt, "own", &t->owner_id) && get_text(jwt, "usr", t->user, sizeof(t->user)) &&
           get_text(jwt, "eml", t->email, sizeof(t->email)) && get_target(jwt, t);
}

/* The key that the head names. Nothing but our own head passes. */
static bool find_key(struct key_ring *keys, const char *text, usec_t now, struct signing_key *ret)
{
    jwt_t *jwt = NULL;
    bool found = false;
    if (jwt_decode(&jwt, text, NULL, 0) != 0) /* the head only: nothing is believed yet */
        return false;
    const char *kid = jwt_get_header(jwt, "kid");
    if (str_eq(jwt_get_header(jwt, "alg"), "HS256") && kid)
        found = key_ring_find(keys, span_of(kid), now, ret);
    jwt_free(jwt);
    return found;
}

int ticket_read(struct key_ring *keys, struct span text, usec_t now, struct ticket *ret)
{
    struct signing_key key;
    struct ticket ticket;
    if (text.len == 0 || text.len > TICKET_MAX_LEN)
        return -EACCES;
    _cleanup_free_ char *copy = span_dup(text);
    _cleanup_(jwt_freep) jwt_t *jwt = NULL;
    if (!find_key(keys, copy, now, &key))
        return -EACCES;
    int r = jwt_decode(&jwt, copy, key.secret, (int)key.secret_len);
    explicit_bzero(&key, sizeof(key));
    if (r != 0 || jwt_get_alg(jwt) != JWT_ALG_HS256 || !get_claims(jwt, now, &ticket))
        return -EACCES;
    *ret = ticket;
    return 0;
}
