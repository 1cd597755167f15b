#pragma once
/* Messages about the audit record. */
#include "api/type.h"
#include "model/audit.h"

/*
 * Worst-case JSON of an event is under 4 KiB, so that a full piece stays below
 * API_JSON_MAX_LEN.
 */
enum { API_AUDIT_PIECE_MAX = 250, API_AUDIT_NEXT_SIZE = 24 };

struct api_audit_event {
    struct audit_event event;
    uint64_t duration_ms; /* of event.duration */
};
API_MESSAGE(audit_event);

/* One line of an agent's GET /events?after=N. */
struct api_agent_record {
    uint64_t seq;
    uint64_t dropped; /* records that were lost before this one, for want of room */
    struct id peer;   /* of the peer session */
    struct api_audit_event event;
};
API_MESSAGE(agent_record);

/* GET /audit, newest first */
struct api_audit {
    struct api_audit_event *events;
    size_t n_events;
    char next[API_AUDIT_NEXT_SIZE]; /* a number that only the server understands; empty: the end */
};
API_MESSAGE(audit);
