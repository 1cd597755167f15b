#pragma once
/* Messages about what a person opens in the browser: shares, open ports, apps. */
#include "api/news.h"
#include "api/peer.h"
#include "api/type.h"
#include "api/workspace.h"
#include "model/share.h"
#include "model/template.h"

/* The share of a port or an app; all zeros: none. */
struct api_share {
    struct share share;
    bool missing; /* the template has the app no longer: nobody gets in by this share */
    char *url;    /* NULL: the deployment has no wildcard URL, or the app is missing */
};
API_MESSAGE(share);

/* GET …/agents/{agent}/shares */
struct api_shares {
    enum share_level max_level; /* of ports, that the workspace's template allows */
    struct api_share *shares;
    size_t n_shares;
};
API_MESSAGE(shares);

/* PUT …/agents/{agent}/shares/{target} */
struct api_share_put {
    enum share_level level;
    enum share_protocol protocol; /* of a port; absent: http */
    struct text_list users;       /* with SHARE_USERS */
    uint64_t expires_in;          /* seconds; 0: never */
};
API_MESSAGE(share_put);

/* A port that is open, is shared, or both. */
struct api_shared_port {
    struct api_port port;
    bool listening; /* nothing does: it is only shared, and all of `port` but the number is empty */
    char *url;      /* NULL: there is none */
    struct api_share share;
};
API_MESSAGE(shared_port);

/* GET …/agents/{agent}/ports */
struct api_shared_ports {
    struct api_shared_port *ports;
    size_t n_ports;
    enum api_agent_status status; /* not connected: only what is shared is listed */
    usec_t last_seen_at;          /* now, while it is connected; 0: never */
};
API_MESSAGE(shared_ports);

/* An app of a workspace. Its strings may be NULL. */
struct api_app {
    char slug[NAME_SIZE];
    char agent[NAME_SIZE]; /* the one that the URL leads to */
    char *display_name;
    char *icon;
    char *url; /* where a browser opens it; NULL: the deployment has no wildcard URL */
    bool subdomain;
    enum share_level share; /* the effective one */
    int order;
    enum api_health health;
    /* The workspace's own, over the template's; with `missing` the app is nothing but that. */
    struct api_share own;
};
API_MESSAGE(app);

/* GET …/{workspace}/apps, GET …/agents/{agent}/apps */
struct api_apps {
    struct api_app *apps;
    size_t n_apps;
};
API_MESSAGE(apps);

/* A port or an app in somebody else's workspace that the caller may open. */
struct api_shared_target {
    struct id workspace_id;
    char owner[NAME_SIZE];
    char workspace[NAME_SIZE];
    char agent[NAME_SIZE];
    uint16_t port;          /* 0: the app `slug` */
    char slug[NAME_SIZE];   /* "": the port */
    char *display_name;     /* of an app; may be NULL */
    enum share_level level; /* that counts: users or authenticated */
    usec_t expires_at;      /* since 1970 UTC; 0: never */
    enum api_agent_status status;
    bool listening;         /* of a port: something does, as the agent has told */
    enum api_health health; /* of an app */
    char *url;
};
API_MESSAGE(shared_target);

/* GET /shared */
struct api_shared {
    struct api_shared_target *shared;
    size_t n_shared;
    struct id next; /* zero: that was all */
};
API_MESSAGE(shared);
