#pragma once
/* What agents tell of themselves: health of apps, forwards that are open, and the lines of news. */
#include "api/peer.h"
#include "api/type.h"
#include "model/audit.h"
#include "model/template.h"

/* Of an app, as the agent's checks have it. */
enum api_health {
    API_HEALTH_UNKNOWN,  /* the agent is away, or has not said */
    API_HEALTH_DISABLED, /* the template asks for no check */
    API_HEALTH_INITIALIZING,
    API_HEALTH_HEALTHY,
    API_HEALTH_UNHEALTHY,
};
/* "unknown" … "unhealthy". */
const char *api_health_name(enum api_health health);

/* The health of an app that has a check. */
struct api_app_health {
    char slug[NAME_SIZE];
    enum api_health health;
};
API_MESSAGE(app_health);

/* Part of PUT /apps on the agent's own API: an app of the template, and how it is checked. */
struct api_app_check {
    char slug[NAME_SIZE];
    uint16_t port;      /* on which the app is, in the workspace itself; 0: elsewhere */
    char *url;          /* of the check, whole; NULL: none */
    usec_t interval;    /* with a check: > 0 */
    unsigned threshold; /* with a check: > 0 */
};
API_MESSAGE(app_check);

/* PUT /apps: all apps of the workspace's template, in place of those that were. */
struct api_app_checks {
    struct api_app_check *apps;
    size_t n_apps;
};
API_MESSAGE(app_checks);

/* PUT /watched on the agent's own API: whether somebody looks. */
struct api_watched {
    bool watched;
};
API_MESSAGE(watched);

enum { API_FORWARDS_MAX = 1000, API_FORWARD_KIND_SIZE = 16, API_FORWARD_PLACE_SIZE = 320 };

/* Something that is forwarded at the moment. Texts are empty where they do not apply. */
struct api_forward {
    struct id id;
    char user[NAME_SIZE];
    char kind[API_FORWARD_KIND_SIZE]; /* "tcp", "udp", "unix" */
    enum audit_direction direction;
    char listen[API_FORWARD_PLACE_SIZE]; /* where in the workspace it listens: "127.0.0.1:9003" */
    char target[API_FORWARD_PLACE_SIZE]; /* what in the workspace it leads to: "localhost:5432" */
    char origin[API_FORWARD_PLACE_SIZE]; /* who connected, where that is known */
    char path[API_FORWARD_KIND_SIZE];    /* "relay", "direct", "ssh" */
    usec_t since;                        /* 1970 UTC */
    unsigned connections;                /* that are open */
    bool has_bytes;                      /* they are known: sshd does not tell them */
    uint64_t bytes_in;                   /* from the person into the workspace */
    uint64_t bytes_out;
};
API_MESSAGE(forward);

/* GET …/agents/{agent}/forwards, and GET /forwards on the agent's own API. */
struct api_forwards {
    struct api_forward *forwards;
    size_t n_forwards;
    bool more; /* there are more than can be listed */
};
API_MESSAGE(forwards);

/* One line of an agent's GET /events: the new state of what is in it. */
struct api_news {
    struct api_port *ports;
    size_t n_ports;
    struct api_port *unlisted; /* beside `ports`, as in struct api_ports */
    size_t n_unlisted;
    bool has_ports, has_unlisted, has_health, has_forwards, has_direct;
    struct api_app_health *health;
    size_t n_health;
    struct api_forwards forwards;
    struct api_direct_counts direct;
};
API_MESSAGE(news);
