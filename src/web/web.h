#pragma once
/*
 * The API's handlers and the pages of the access URL, for one loop. What they need to know of, or
 * do to, what is live in the server they ask through struct web_live, which the server fills.
 *
 * Every route of api/routes.h has one handler here; a handler reads its message, asks auth/right.h,
 * asks the store, and answers. Errors are always JSON as api/error.h has it.
 */
#include <stdbool.h>
#include <stddef.h>

#include "auth/identity.h"
#include "base/clock.h"
#include "io/tls.h"
#include "model/audit.h"
#include "model/grant.h"
#include "model/workspace.h"

struct app_site;
struct auth;
struct buf;
struct exchange;
struct key_ring;
struct loop;
struct web;
struct web_counters;

/* A connected agent. */
struct web_presence {
    usec_t connected_at; /* since 1970 UTC */
    usec_t last_seen_at;
    char version[AGENT_INFO_SIZE];
    bool direct; /* people may reach it without the relay if they can */
    bool has_direct_counts;
    uint64_t direct_accepted, direct_refused; /* connections to its own port */
};

/*
 * Whose live sessions shall end, because a right was withdrawn: those that match all ids that are
 * not zero. `agents`: the connections of the matching agents themselves, too.
 */
struct web_withdrawal {
    struct id user_id;
    struct id token_id;
    struct id workspace_id;
    struct id agent_id;
    bool agents;
    /* A template has a new version: requests to apps end, and peer sessions get new grants. */
    struct id template_id;
    /* A port as "8080", or an app's slug: nothing but requests to it ends. Empty: any. */
    char target[NAME_SIZE];
};

/* What live updates (GET /events) tell of; a set. */
enum web_topic {
    WEB_TOPIC_WORKSPACES = 1,
    WEB_TOPIC_WORKSPACE = 2,
    WEB_TOPIC_PORTS = 4,
    WEB_TOPIC_APPS = 8,
    WEB_TOPIC_SHARES = 16,
    WEB_TOPIC_FORWARDS = 32,
    WEB_TOPIC_SHARED = 64, /* with whom a port or an app is shared */
};

/* What a connected agent tells of itself, unasked: each the message of api/ named beside it. */
enum web_agent_part {
    WEB_AGENT_PORTS,    /* api_ports */
    WEB_AGENT_HEALTH,   /* api_news, with nothing but the health */
    WEB_AGENT_FORWARDS, /* api_forwards; while it is watched */
    WEB_AGENT_PARTS
};

/* Something that people may be looking at is not what it was. Zero ids: any. */
struct web_change {
    unsigned topics;
    struct id owner_id;
    struct id workspace_id;
    struct id agent_id;
    struct id template_id;
};

/* A person who may open a peer session. All is copied by who keeps it; the grant is handed over. */
struct web_relay {
    struct identity who;
    struct workspace ws;
    struct agent agent;
    struct tls_pin pin; /* of the person's key */
    struct grant grant;
    char ip[AUDIT_IP_SIZE];
    uint64_t withdrawals; /* web_live.withdrawals() before the rights were read */
};

/* status: of the agent's answer; negative: -ENOTCONN: it is away; others: no answer came. */
typedef void web_agent_answered_fn(int status, const char *body, size_t len, void *ud);

/* All are called on the web's loop, with the `live_ud` of its options. */
struct web_live {
    /* The address the request came from, proxies that are trusted looked through. */
    void (*client_ip)(void *ud, const struct exchange *x, char ret_ip[static AUDIT_IP_SIZE]);
    /* False: it is away. */
    bool (*presence)(void *ud, const struct id *agent_id, struct web_presence *ret);
    /* GET on the agent's own API. `answered` comes on this loop, never inside the call. */
    void (*agent_get)(void *ud, const struct id *agent_id, const char *path,
                      web_agent_answered_fn *answered, void *answered_ud);
    /* The store has taken the event, or has failed to. */
    void (*audited)(void *ud, const struct audit_event *event);
    /* Appends what the agent told last; false: it has not, or is away. */
    bool (*agent_state)(void *ud, const struct id *agent_id, enum web_agent_part part,
                        struct buf *out);
    /* One more, or one less, who looks: meanwhile it tells soon what has changed, and forwards. */
    void (*agent_watch)(void *ud, const struct id *agent_id, bool on);
    /* How many withdrawals there were so far; see web_relay. */
    uint64_t (*withdrawals)(void *ud);
    /* After the store has the change: what it forbids ends, on all workers, at once. */
    void (*withdraw)(void *ud, const struct web_withdrawal *what);
    /* After the store has the change: live updates tell it (web_changed()), on all workers. */
    void (*changed)(void *ud, const struct web_change *what);
    /* One more stream of events for this person; false: they have as many as they may. */
    bool (*stream_take)(void *ud, const struct id *user_id);
    /* Gives it back. */
    void (*stream_give)(void *ud, const struct id *user_id);
    /*
     * The handshake of an agent that has shown its token. Takes over the exchange, which it
     * answers. `withdrawals` as in web_relay.
     */
    void (*agent_connect)(void *ud, struct exchange *x, const struct workspace *ws,
                          const struct agent *agent, uint64_t withdrawals);
    /* The same for a peer session. Takes over the exchange and the grant in `relay`. */
    void (*relay)(void *ud, struct exchange *x, struct web_relay *relay);
};

struct web_options {
    struct loop *loop;
    struct auth *auth;
    const char *access_url;      /* "https://adit.example.com"; borrowed, as the next two */
    const char *wildcard_url;    /* "*.apps.example.com" */
    const struct app_site *apps; /* NULL: there is no wildcard */
    bool path_app_sharing;       /* apps at paths of the access URL may be shared */
    struct key_ring *hand_overs;
    const char *version;
    size_t body_max; /* bytes of a request's body */
    struct web_counters *counters;
    const struct web_live *live;
    void *live_ud;
};

struct web *web_new(const struct web_options *options);
/* web_in_flight() is 0. Returns NULL; accepts NULL. */
struct web *web_free(struct web *web);

/* Requests at once on one loop; beyond it 503. */
enum { WEB_IN_FLIGHT_MAX = 4096 };

/* Answers a request, now or later: an exchange_fn without the detour. */
void web_handle(struct web *web, struct exchange *x);

/* Requests and records that the store still works on. */
unsigned web_in_flight(const struct web *web);

/* Streams of events that show what has changed tell its new state. */
void web_changed(struct web *web, const struct web_change *what);
/* The same for what was withdrawn; streams of who lost a session or a right end. */
void web_withdrawn(struct web *web, const struct web_withdrawal *what);
/* Ends all streams of events: people come again, to a server that stays. */
void web_end_streams(struct web *web);

/*
 * Records an event: a row in the store and a log line. Id and time are set here. Nobody waits for
 * it; a failure is logged.
 */
void web_record(struct web *web, const struct audit_event *event);
