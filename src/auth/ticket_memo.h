#pragma once
/*
 * Remembers tickets that have been read and found good, so that the requests of a page that come
 * with the same one are not each checked and parsed anew. For one thread.
 */
#include "auth/ticket.h"

struct ticket_memo;

struct ticket_memo *ticket_memo_new(struct key_ring *keys);
/* As ticket_read(). */
int ticket_memo_read(struct ticket_memo *m, struct span text, usec_t now, struct ticket *ret);
/* Wipes. Returns NULL; accepts NULL. */
struct ticket_memo *ticket_memo_free(struct ticket_memo *m);
