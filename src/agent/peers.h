#pragma once
/*
 * The people (their command lines) that are connected to this agent: each session with its grant
 * and the channels that are served for it.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct direct_listener;
struct forwards;
struct lane_server;
struct loop;
struct peer_acceptor;
struct peers;
struct records;
struct ssh_host;
struct tls_context;

/* `tls`: from tls_context_peer(); referenced. `ssh` must outlive the peers; NULL: no SSH. */
struct peers *peers_new(struct loop *loop, struct tls_context *tls, struct ssh_host *ssh);
/*
 * What is forwarded goes on record there, and is listed in `forwards` (may be NULL) as long as it
 * is; both are borrowed. Before the first peer comes.
 */
void peers_report_to(struct peers *p, struct records *records, struct forwards *forwards);
/* Where peers may come directly; borrowed. NULL, or before this call: nowhere. */
void peers_open_port(struct peers *p, struct direct_listener *port);
/* Who makes bulk lanes for peers' channels; borrowed. NULL, or before this call: nobody. */
void peers_allow_lanes(struct peers *p, struct lane_server *lanes);
/*
 * The server is away: what is announced lapses, and direct sessions have PEERS_ALONE_SEC for their
 * people to be announced again. `refused`: it does not want this agent; they end at once.
 */
enum { PEERS_ALONE_SEC = 60 };
void peers_server_away(struct peers *p, bool refused);
/* What announcements and peer channels of the server's session go to. */
struct peer_acceptor *peers_acceptor(struct peers *p);
/* Sessions that are open. */
size_t peers_count(const struct peers *p);
/* Ends all sessions. Returns NULL; accepts NULL. */
struct peers *peers_free(struct peers *p);
