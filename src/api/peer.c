#include "api/peer.h"

#include "api/codec.h"
#include "api/policy_type.h"

enum { PORTS_MAX = 4096 };

static const struct api_field agent_info_fields[] = {
    API_F_TEXT(struct api_agent_info, pin, "pin", pin, API_REQ),
    API_F_TEXT(struct api_agent_info, version, "version", text, API_REQ),
    API_F_TEXT(struct api_agent_info, os, "os", text, API_OPT),
    API_F_TEXT(struct api_agent_info, arch, "arch", text, API_OPT),
    API_F_TEXT(struct api_agent_info, hostname, "hostname", text, API_OPT),
    API_F_BOOL(struct api_agent_info, direct, "direct", API_OPT),
};
API_TYPE(api_agent_info_type, struct api_agent_info, "AgentInfo", agent_info_fields);

static const struct api_field grant_fields[] = {
    API_F_TEXT(struct api_grant, grant.user_id, "user_id", id, API_REQ),
    API_F_TEXT(struct api_grant, grant.user, "user", user_name, API_REQ),
    API_F_TEXT(struct api_grant, grant.workspace_id, "workspace_id", id, API_REQ),
    API_F_TEXT(struct api_grant, grant.agent_id, "agent_id", id, API_REQ),
    API_F_OBJECT(struct api_grant, grant.forwarding, "forwarding", api_forwarding_type, API_REQ),
    API_F_BOOL(struct api_grant, grant.ssh, "ssh", API_REQ),
    API_F_BOOL(struct api_grant, grant.direct, "direct", API_OPT),
    API_F_TEXT(struct api_grant, grant.expires_at, "expires_at", time, API_REQ),
};
API_TYPE(api_grant_type, struct api_grant, "Grant", grant_fields);

static const struct api_field peer_fields[] = {
    API_F_TEXT(struct api_peer, id, "id", id, API_REQ),
    API_F_TEXT(struct api_peer, pin, "pin", pin, API_REQ),
    API_F_TEXT(struct api_peer, user, "user", user_name, API_REQ),
    API_F_OBJECT(struct api_peer, grant, "grant", api_grant_type, API_REQ),
};
API_TYPE(api_peer_type, struct api_peer, "Peer", peer_fields);

static const struct api_field direct_counts_fields[] = {
    API_F_NUMBER(struct api_direct_counts, accepted, "accepted", 0, INT64_MAX, API_REQ),
    API_F_NUMBER(struct api_direct_counts, refused, "refused", 0, INT64_MAX, API_REQ),
};
API_TYPE(api_direct_counts_type, struct api_direct_counts, "DirectCounts", direct_counts_fields);

static const struct api_field ssh_info_fields[] = {
    API_F_TEXT(struct api_ssh_info, user, "user", text, API_REQ),
    API_F_TEXT(struct api_ssh_info, host_key, "host_key", text, API_REQ),
};
API_TYPE(api_ssh_info_type, struct api_ssh_info, "SshInfo", ssh_info_fields);

static const struct api_field port_fields[] = {
    API_F_NUMBER(struct api_port, port, "port", 1, 65535, API_REQ),
    API_F_TEXT(struct api_port, address, "address", text, API_REQ),
    API_F_TEXT(struct api_port, process, "process", text, API_OPT),
    API_F_NUMBER(struct api_port, pid, "pid", 0, UINT32_MAX, API_NULL),
    API_F_TEXT(struct api_port, speaks, "speaks", port_speaks, API_REQ),
    API_F_TEXT(struct api_port, forwarded_by, "forwarded_by", user_name, API_ABSENT),
};
API_TYPE(api_port_type, struct api_port, "Port", port_fields);

static const struct api_field ports_fields[] = {
    API_F_LIST(struct api_ports, ports, n_ports, "ports", api_port_type, PORTS_MAX, API_REQ),
    API_F_LIST(struct api_ports, unlisted, n_unlisted, "unlisted", api_port_type, PORTS_MAX,
               API_OPT),
};
API_TYPE(api_ports_type, struct api_ports, "Ports", ports_fields);

const struct api_port *api_port_find(const struct api_port *ports, size_t n, uint16_t port)
{
    for (size_t i = 0; i < n; i++)
        if (ports[i].port == port)
            return &ports[i];
    return NULL;
}
