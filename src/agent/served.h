#pragma once
/*
 * A channel that the agent serves for a peer, from its request to its end. Each kind has a file
 * (serve_*.c) that embeds this head; the peer's session holds the list.
 */
#include "agent/policy.h"
#include "base/list.h"

struct channel_request;
struct forward_policy;
struct loop;
struct served;
struct ssh_host;
struct tls_context;

/* Ends it at once and frees it (it has left its list). Also while its request is not answered. */
typedef void served_free_fn(struct served *s);

struct served {
    struct list link; /* in its session's list */
    struct channel_goal goal;
    bool policy_fixed; /* enforces the policy it was started with: ends when that changes */
    served_free_fn *free;
};

/* Starts serving an allowed request, which is taken over; appends to `list`. */
void serve_stream(struct loop *loop, struct channel_request *rq, struct list *list); /* TCP, Unix */
/* TCP, with TLS between the agent and the target; `tls` NULL: as serve_stream(). */
void serve_tls_stream(struct loop *loop, struct channel_request *rq, struct tls_context *tls,
                      struct list *list);
void serve_udp(struct loop *loop, struct channel_request *rq, struct list *list);
void serve_listen(struct loop *loop, struct channel_request *rq, struct list *list);
/*
 * An sshd of its own; refused with a reason when it cannot be had, or when it cannot enforce the
 * policy. `policy` is borrowed for the call.
 */
void serve_ssh(struct loop *loop, struct channel_request *rq, struct ssh_host *host,
               const struct forward_policy *policy, const char *user, struct list *list);

/* Takes it out of its list and frees it. */
void served_end(struct served *s);
