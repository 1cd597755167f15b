#include "api/audit.h"

#include <limits.h>

#include "api/codec.h"

static const struct api_field event_fields[] = {
    API_F_TEXT(struct api_audit_event, event.id, "id", id, API_REQ),
    API_F_TEXT(struct api_audit_event, event.time, "time", time, API_REQ),
    API_F_TEXT(struct api_audit_event, event.action, "action", audit_action, API_REQ),
    API_F_TEXT(struct api_audit_event, event.actor, "actor", text, API_NULL),
    API_F_TEXT(struct api_audit_event, event.workspace, "workspace", text, API_NULL),
    API_F_TEXT(struct api_audit_event, event.agent, "agent", text, API_NULL),
    API_F_TEXT(struct api_audit_event, event.target, "target", raw, API_NULL),
    API_F_TEXT(struct api_audit_event, event.direction, "direction", audit_direction, API_NULL),
    API_F_TEXT(struct api_audit_event, event.carrier, "path", audit_carrier, API_NULL),
    API_F_NUMBER(struct api_audit_event, event.bytes_in, "bytes_in", 0, LLONG_MAX, API_OPT),
    API_F_NUMBER(struct api_audit_event, event.bytes_out, "bytes_out", 0, LLONG_MAX, API_OPT),
    API_F_NUMBER(struct api_audit_event, duration_ms, "duration_ms", 0, LLONG_MAX, API_OPT),
    API_F_TEXT(struct api_audit_event, event.result, "result", raw, API_NULL),
    API_F_TEXT(struct api_audit_event, event.detail, "detail", raw, API_NULL),
    API_F_TEXT(struct api_audit_event, event.ip, "ip", raw, API_NULL),
};
API_TYPE(api_audit_event_type, struct api_audit_event, "AuditEvent", event_fields);

static const struct api_field audit_fields[] = {
    API_F_LIST(struct api_audit, events, n_events, "events", api_audit_event_type,
               API_AUDIT_PIECE_MAX, API_REQ),
    API_F_TEXT(struct api_audit, next, "next", text, API_NULL),
};
API_TYPE(api_audit_type, struct api_audit, "Audit", audit_fields);

static const struct api_field record_fields[] = {
    API_F_NUMBER(struct api_agent_record, seq, "seq", 1, LLONG_MAX, API_REQ),
    API_F_NUMBER(struct api_agent_record, dropped, "dropped", 0, LLONG_MAX, API_ABSENT),
    API_F_TEXT(struct api_agent_record, peer, "peer", id, API_REQ),
    API_F_OBJECT(struct api_agent_record, event, "event", api_audit_event_type, API_REQ),
};
API_TYPE(api_agent_record_type, struct api_agent_record, "AgentRecord", record_fields);
