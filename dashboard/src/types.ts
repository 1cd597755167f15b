// The messages of the API, as docs/openapi.yaml has them.

export type Level = "owner" | "users" | "authenticated" | "public";
export type Role = "owner" | "auditor" | "member";
export type Protocol = "http" | "https";

export interface Buildinfo {
    version: string;
    access_url: string | null;
    wildcard_url: string | null;
}

export interface User {
    id: string;
    name: string;
    display_name?: string;
    email?: string;
    role: Role;
    suspended: boolean;
    created_at?: string | null;
    last_seen_at?: string | null;
}

export interface Token {
    id: string;
    kind: "session" | "api" | "app";
    name?: string;
    scope: string;
    created_at?: string | null;
    expires_at?: string | null;
    last_used_at?: string | null;
}

export interface Me {
    user: User;
    token: Token;
}

export interface Agent {
    id: string;
    name: string;
    alias: string;
    status: "never" | "connected" | "away";
    version?: string;
    os?: string;
    arch?: string;
    hostname?: string;
    direct?: boolean;
    direct_connections?: { accepted: number; refused: number };
    created_at?: string | null;
    connected_at?: string | null;
    last_seen_at?: string | null;
}

export interface Workspace {
    id: string;
    name: string;
    owner: string;
    owner_id: string;
    template: string;
    created_at?: string | null;
    agents: Agent[];
}

export interface AgentToken {
    agent: string;
    token: string;
}

export interface Share {
    port?: number | null;
    slug?: string | null;
    level: Level;
    protocol: Protocol;
    users: string[];
    expires_at?: string | null;
    missing?: boolean;
    url?: string | null;
}

export interface SharePut {
    level: Level;
    protocol?: Protocol;
    users?: string[];
    expires_in?: number;
}

export interface Shares {
    max_level: Level;
    shares: Share[];
}

export interface Port {
    port: number;
    listening: boolean;
    address?: string;
    process?: string;
    pid?: number | null;
    speaks: "unknown" | "http" | "tls" | "other";
    forwarded_by?: string | null;
    url?: string | null;
    share?: Share | null;
}

export interface Ports {
    ports: Port[];
}

export type Health = "unknown" | "disabled" | "initializing" | "healthy" | "unhealthy";

export interface App {
    slug: string;
    agent: string;
    display_name?: string | null;
    icon?: string | null;
    url?: string | null;
    subdomain: boolean;
    share: Level;
    order?: number;
    own?: Share | null;
    health?: Health | null;
}

export interface Apps {
    apps: App[];
}

export interface SharedTarget {
    workspace_id: string;
    owner: string;
    workspace: string;
    agent: string;
    port?: number | null;
    slug?: string | null;
    display_name?: string | null;
    level: Level;
    expires_at?: string | null;
    status: Agent["status"];
    listening?: boolean;
    health?: Health | null;
    url: string;
}

export interface Forward {
    id: string;
    user?: string | null;
    kind?: string | null;
    direction?: "local" | "remote" | null;
    listen?: string | null;
    target?: string | null;
    origin?: string | null;
    path?: string | null;
    since?: string | null;
    connections?: number;
    bytes_in?: number;
    bytes_out?: number;
}

export interface Forwards {
    forwards: Forward[];
    more?: boolean;
}

export interface Policy {
    description?: string;
    max_port_share_level: Level;
    forwarding: {
        local: boolean;
        remote: boolean;
        public_listen: boolean;
        unix_sockets: boolean;
        agent_forwarding: boolean;
        permit_open: string[];
        permit_listen: string[];
    };
    cors: string;
    identity_headers: boolean;
    apps: { slug: string; share: Level }[];
}

export interface Template {
    id: string;
    name: string;
    version: number;
    policy: Policy;
    yaml?: string;
    created_at?: string | null;
    updated_at?: string | null;
}

export interface AuditEvent {
    id: string;
    time: string;
    action: string;
    actor?: string | null;
    workspace?: string | null;
    agent?: string | null;
    target?: string | null;
    direction?: string | null;
    path?: string | null;
    bytes_in?: number;
    bytes_out?: number;
    duration_ms?: number;
    result?: string | null;
    ip?: string | null;
}

export interface FieldError {
    field: string;
    message: string;
    line?: number;
}
