/*
 * A table with one place for each value of a few bits that are taken from a ticket's signature. A
 * ticket is believed only when the whole text is the one that was found good, which is compared in
 * a time that does not depend on where they differ; bad tickets are never remembered.
 */
#include "auth/ticket_memo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"

enum { PLACES = 128, HASHED_LEN = 8 };

struct place {
    struct secret *text;
    struct ticket ticket;
};

struct ticket_memo {
    struct key_ring *keys;
    struct place *places[PLACES];
};

static struct place **place_of(struct ticket_memo *m, struct span text)
{
    uint64_t bits = 0;
    memcpy(&bits, (const char *)text.p + text.len - HASHED_LEN, HASHED_LEN);
    bits *= 0x9e3779b97f4a7c15;
    return &m->places[bits >> 57];
}

static void forget(struct place **place)
{
    if (!*place)
        return;
    secret_free((*place)->text);
    explicit_bzero(*place, sizeof(**place));
    free(*place);
    *place = NULL;
}

static void remember(struct place **place, struct span text, const struct ticket *ticket)
{
    forget(place);
    *place = new0(struct place);
    (*place)->text = secret_new(text.p, text.len);
    (*place)->ticket = *ticket;
}

struct ticket_memo *ticket_memo_new(struct key_ring *keys)
{
    struct ticket_memo *m = new0(struct ticket_memo);
    m->keys = keys;
    return m;
}

int ticket_memo_read(struct ticket_memo *m, struct span text, usec_t now, struct ticket *ret)
{
    if (text.len < HASHED_LEN)
        return -EACCES;
    struct place **place = place_of(m, text);
    const struct place *p = *place;
    if (p && secret_equal(p->text->text, p->text->len, text.p, text.len) &&
        now < p->ticket.expires_at && p->ticket.expires_at - now <= TICKET_LIFE + USEC_PER_SEC) {
        *ret = p->ticket;
        return 0;
    }
    int r = ticket_read(m->keys, text, now, ret);
    if (r == 0)
        remember(place, text, ret);
    return r;
}

struct ticket_memo *ticket_memo_free(struct ticket_memo *m)
{
    if (!m)
        return NULL;
    for (size_t i = 0; i < PLACES; i++)
        forget(&m->places[i]);
    free(m);
    return NULL;
}
