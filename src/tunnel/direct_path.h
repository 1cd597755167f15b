#pragma once
/*
 * The direct way to an agent beside the relay: learns the agent's addresses in the relayed session
 * (GET /candidates, held open), dials them staggered (RFC 8305), and keeps the peer session on the
 * first that the agent answers on. It is tried again with back-off, at once when the addresses or
 * this machine's network change. What is on the relay is not touched.
 *
 *     DOWN -> DIALLING -> UP <-> SILENT
 *
 * SILENT: there is a session, but nothing was heard on it for a moment in which there should have
 * been something. Such a session is not used for what is new, and ends by itself when it stays so.
 */
#include <stdbool.h>

#include "base/clock.h"
#include "http/h2.h"
#include "io/addr.h"
#include "io/tls.h"

struct direct_path;
struct loop;
struct tunnel_session;

enum direct_state { DIRECT_DOWN, DIRECT_DIALLING, DIRECT_UP, DIRECT_SILENT };

/* Also called when an attempt is over (DIALLING -> DOWN). May not free the path. */
typedef void direct_path_changed_fn(struct direct_path *d, enum direct_state state, void *ud);

struct direct_path_options {
    struct tls_context *tls; /* from tls_context_peer(); referenced */
    struct h2_limits limits;
    usec_t first_retry; /* 0: 2 s; doubles up to 30 times as much */
    usec_t silence;     /* SILENT after; 0: 1.5 s */
    direct_path_changed_fn *changed;
    void *ud;
};

struct direct_path *direct_path_new(struct loop *loop, const struct direct_path_options *options);
/* The relayed session is there (and outlives the next call of relay_down). */
void direct_path_relay_up(struct direct_path *d, struct tunnel_session *relay,
                          const struct tls_pin *agent);
/* It is not any longer. A direct session goes on for as long as the agent lets it. */
void direct_path_relay_down(struct direct_path *d);
enum direct_state direct_path_state(const struct direct_path *d);
/* Whether it may still come up soon: the addresses are not known yet, or are being dialled. */
bool direct_path_is_undecided(const struct direct_path *d);
/* In UP and SILENT, else NULL. */
struct tunnel_session *direct_path_session(struct direct_path *d);
/* UP, and heard of a moment ago: what is sent now can hardly be lost. */
bool direct_path_is_fresh(struct direct_path *d);
/* Something was asked on it, or will be: makes sure that its silence is noticed. */
void direct_path_watch(struct direct_path *d);
/* The agent's address that answers, in UP and SILENT. Borrowed. */
const struct addr *direct_path_addr(const struct direct_path *d);
/* Ends the session. Returns NULL; accepts NULL. */
struct direct_path *direct_path_free(struct direct_path *d);
