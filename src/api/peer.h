#pragma once
/* Messages between server, agent and command line about sessions and ports. */
#include "api/type.h"
#include "model/grant.h"
#include "model/workspace.h"

/* GET /info on the agent's own API: who has come. The server asks it right after the connect. */
struct api_agent_info {
    unsigned char pin[AGENT_PIN_LEN];
    char version[AGENT_INFO_SIZE];
    char os[AGENT_INFO_SIZE];
    char arch[AGENT_INFO_SIZE];
    char hostname[AGENT_INFO_SIZE];
    bool direct; /* it has a port of its own for people */
};
API_MESSAGE(agent_info);

/* What a person may do in one session. */
struct api_grant {
    struct grant grant;
};
API_MESSAGE(grant);

/*
 * POST /peers on the agent's own API: a peer session with this key is about to come; `id` names it
 * to end it (DELETE /peers/{id}). The same id again replaces its grant.
 */
struct api_peer {
    struct id id;
    unsigned char pin[AGENT_PIN_LEN];
    char user[NAME_SIZE];
    struct grant grant;
};
API_MESSAGE(peer);

/* What an open port speaks, as far as the agent could tell. */
enum api_port_speaks { API_PORT_UNKNOWN, API_PORT_HTTP, API_PORT_TLS, API_PORT_OTHER };
/* "unknown", "http", "tls", "other". */
const char *api_port_speaks_name(enum api_port_speaks speaks);

struct api_port {
    uint16_t port;
    char address[64]; /* bound to */
    char process[64]; /* empty: not known */
    uint32_t pid;     /* 0: not known */
    enum api_port_speaks speaks;
    char forwarded_by[NAME_SIZE]; /* whose forward (-R) listens on it; empty: none does */
};
API_MESSAGE(port);
/* The one with this number; NULL: it is not there. */
const struct api_port *api_port_find(const struct api_port *ports, size_t n, uint16_t port);

/* What came to an agent's own port since it started. */
struct api_direct_counts {
    uint64_t accepted; /* connections of people who were expected */
    uint64_t refused;  /* others: of strangers, given up, or pushed out by too many */
};
API_MESSAGE(direct_counts);

/*
 * GET /ssh in a peer session: what an SSH client has to know beforehand.
 */
struct api_ssh_info {
    char user[64];      /* the only account that can be logged in to */
    char host_key[128]; /* as a line of known_hosts without the host: "ssh-ed25519 AAAA..." */
};
API_MESSAGE(ssh_info);

/*
 * GET /agents/{id}/relay (WebSocket): the field Adit-Peer-Pin carries the pin of the caller's key,
 * 43 characters of base64url; the answer's Adit-Agent-Pin that of the agent's.
 */
enum { API_PIN_TEXT_LEN = 43 };

/* GET /ports on the agent's own API. No port is in both lists. */
struct api_ports {
    struct api_port *ports;
    size_t n_ports;
    /* Open, but no ports of their own to people: those of apps, and of forwards. */
    struct api_port *unlisted;
    size_t n_unlisted;
};
API_MESSAGE(ports);
