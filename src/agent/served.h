#pragma once
/*
 * A channel that the agent serves for a peer, from its request to its end. Each kind has a file
 * (serve_*.c) that embeds this head; the peer's session holds the list.
 */
#include "agent/policy.h"
#include "base/list.h"
#include "model/id.h"
#include "model/name.h"
#include "tunnel/session.h"

struct channel_request;
struct forward_row;
struct forwards;
struct records;
struct forward_policy;
struct loop;
struct served;
struct ssh_host;
struct tls_context;

/* Ends it at once and frees it (it has left its list). Also while its request is not answered. */
typedef void served_free_fn(struct served *s);

/*
 * The session's policy was replaced and allows its goal still: for what enforces more of the policy
 * than that on its own. It may end by itself a moment later, not in this call.
 */
typedef void served_policy_changed_fn(struct served *s, const struct forward_policy *policy);

/* Bytes from the person into the workspace, and back. */
typedef void served_count_fn(const struct served *s, uint64_t *ret_in, uint64_t *ret_out);

/* Whose channels are reported, and where to; the context of a peer's session. */
struct served_reporter {
    struct records *records;
    struct forwards *forwards; /* the list of what is open now; may be NULL */
    struct id peer;
    char user[NAME_SIZE];
    bool direct; /* the session is not relayed */
};

struct served {
    struct list link; /* in its session's list */
    struct channel_goal goal;
    served_free_fn *free;
    served_policy_changed_fn *policy_changed; /* NULL: only its goal matters */
    /* What is put on record of it, where there is a reporter. */
    const struct served_reporter *reporter;
    served_count_fn *count; /* NULL: no bytes */
    const char *result;     /* how it ended, a word; NULL: in order, or given up before it opened */
    bool opened;
    uint16_t bound_port; /* of a listener on any port, once it is known */
    usec_t began_at;     /* monotonic */
    /* Of agent/forwards.h. */
    struct forward_row *row;
    struct list in_row;
};

/* Starts serving an allowed request, which is taken over; appends to `list`. */
void serve_stream(struct loop *loop, struct channel_request *rq,
                  struct list *list); /* TCP, Unix, SPEEDTEST */
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
               const struct forward_policy *policy, const struct served_reporter *reporter,
               struct list *list);

/* It began; the session's context is its reporter. */
void served_begin(struct served *s, struct tunnel_session *session);
/* Its request was accepted. */
void served_opened(struct served *s);
/* A request was refused before anything was served; `rule`: the one against it, may be NULL. */
void served_refused(const struct served_reporter *reporter, const struct channel_goal *goal,
                    enum dial_result result, const char *rule);
/* Puts it on record, takes it out of its list and frees it. */
void served_end(struct served *s);
