#pragma once
/* What workspaces get from the template that they are made of: policy and apps. */
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/span.h"
#include "model/id.h"
#include "model/name.h"
#include "model/share.h"
#include "model/text_list.h"
#include "model/user.h"

enum {
    POLICY_RULES_MAX = 256, /* of permit_open and of permit_listen */
    TEMPLATE_APPS_MAX = 64,
};

/* What may be forwarded. Rules are texts of proto/permit.h; an empty list permits nothing. */
struct forward_policy {
    bool local;            /* -L, --tcp, --udp, -D, SSH direct-tcpip */
    bool remote;           /* -R, tcpip-forward */
    bool public_listen;    /* -R may bind beyond loopback */
    bool unix_sockets;     /* forwards to and from Unix sockets */
    bool agent_forwarding; /* ssh -A */
    struct text_list permit_open;
    struct text_list permit_listen;
};

/* Everything local and remote on loopback: open "*:*", listen "localhost:*", no public listen. */
void forward_policy_init(struct forward_policy *policy);
void forward_policy_deinit(struct forward_policy *policy);
struct forward_policy forward_policy_copy(const struct forward_policy *policy);
/* Whether they are the same, rule by rule. */
bool forward_policy_equal(const struct forward_policy *a, const struct forward_policy *b);

enum cors_behavior {
    CORS_SIMPLE,   /* the proxy answers for apps of the same owner */
    CORS_PASSTHRU, /* hands off */
};

/* "simple", "passthru". */
const char *cors_behavior_name(enum cors_behavior cors);
int cors_behavior_parse(struct span text, enum cors_behavior *ret);

/* A named web service. The strings are owned and may be NULL where it says so. */
struct app {
    char slug[NAME_SIZE];
    char *display_name; /* NULL: the slug */
    char *icon;         /* URL or path; may be NULL */
    char *url;          /* as seen from the agent, such as "http://localhost:8888/lab" */
    bool subdomain;     /* false: by path on the access host */
    enum share_level share;
    int order;
    struct {
        char *url;          /* NULL: no check */
        usec_t interval;    /* > 0 */
        unsigned threshold; /* failures in a row until it counts as unhealthy */
    } healthcheck;
};

void app_deinit(struct app *app);

struct template
{
    struct id id;
    char name[NAME_SIZE];
    char *description; /* may be NULL */
    enum share_level max_port_share_level;
    struct forward_policy forwarding;
    enum cors_behavior cors;
    bool identity_headers; /* X-Adit-User and -Email are sent to apps */
    struct app *apps;
    size_t n_apps;
    int64_t version; /* 1, and one more with each change */
    usec_t created_at;
    usec_t updated_at;
};

/* An unnamed template with the default policy, no apps, and shares up to authenticated. */
void template_init(struct template *t);
/* Frees what it owns; accepts a half-filled one. */
void template_deinit(struct template *t);
/* The app of that slug; NULL: there is none. Borrowed. */
const struct app *template_find_app(const struct template *t, const char *slug);
/* How far the owner of a workspace may share this app: as it is anyhow, or as ports may be. */
enum share_level template_max_app_share(const struct template *t, const struct app *app);
/* Takes over `app`, whose strings it owns from there on. 0, or -ENOBUFS: there are too many. */
int template_add_app(struct template *t, const struct app *app);
