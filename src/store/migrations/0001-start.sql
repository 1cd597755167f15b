-- Ids are 128 random bits and never used again. Times are microseconds since 1970 UTC; 0 is never.

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL DEFAULT '',
    email TEXT NOT NULL DEFAULT '',
    role TEXT NOT NULL CHECK (role IN ('member', 'auditor', 'owner')),
    suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
    password_hash TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- An app token hangs on its session and goes with it.
CREATE TABLE tokens (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    parent_id BLOB REFERENCES tokens (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('session', 'api', 'app')),
    name TEXT NOT NULL DEFAULT '',
    scope TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL DEFAULT 0,
    last_used_at INTEGER NOT NULL DEFAULT 0,
    CHECK ((kind = 'app') = (parent_id IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_user ON tokens (user_id, created_at);
CREATE INDEX tokens_by_parent ON tokens (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX tokens_by_expiry ON tokens (expires_at) WHERE expires_at <> 0;
CREATE UNIQUE INDEX tokens_api_name ON tokens (user_id, name) WHERE kind = 'api' AND name <> '';

CREATE TABLE templates (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL DEFAULT 1,
    yaml TEXT NOT NULL,
    policy TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workspaces (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    owner_id BLOB NOT NULL REFERENCES users (id),
    template_id BLOB NOT NULL REFERENCES templates (id),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (owner_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX workspaces_by_template ON workspaces (template_id);

-- position keeps the order in which the agents were named.
CREATE TABLE agents (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workspace_id BLOB NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    alias TEXT NOT NULL UNIQUE CHECK (length(alias) = 13),
    token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    pin BLOB CHECK (length(pin) = 32),
    os TEXT NOT NULL DEFAULT '',
    arch TEXT NOT NULL DEFAULT '',
    version TEXT NOT NULL DEFAULT '',
    hostname TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    connected_at INTEGER NOT NULL DEFAULT 0,
    disconnected_at INTEGER NOT NULL DEFAULT 0,
    UNIQUE (workspace_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE port_shares (
    agent_id BLOB NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    level TEXT NOT NULL CHECK (level IN ('owner', 'users', 'authenticated', 'public')),
    protocol TEXT NOT NULL CHECK (protocol IN ('http', 'https')),
    expires_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (agent_id, port)
) STRICT, WITHOUT ROWID;

CREATE TABLE port_share_users (
    agent_id BLOB NOT NULL,
    port INTEGER NOT NULL,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (agent_id, port, user_id),
    FOREIGN KEY (agent_id, port) REFERENCES port_shares (agent_id, port) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX port_share_users_by_user ON port_share_users (user_id);

-- Outlives the share, so that a share that comes back does not bring old tickets back.
CREATE TABLE share_generations (
    agent_id BLOB NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    target TEXT NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (agent_id, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    secret BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retires_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX signing_keys_by_purpose ON signing_keys (purpose, created_at);

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who and what are kept as they were called then: the record outlives them.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    time INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor_id BLOB,
    actor TEXT NOT NULL,
    workspace TEXT NOT NULL,
    agent TEXT NOT NULL,
    target TEXT NOT NULL,
    direction TEXT NOT NULL,
    carrier TEXT NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    duration INTEGER NOT NULL,
    result TEXT NOT NULL,
    ip TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_workspace ON audit (workspace, seq);
CREATE INDEX audit_by_action ON audit (action, seq);

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit record is append-only');
END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit record is append-only');
END;

-- The defaults of model/template.h, spelled out.
INSERT INTO templates (id, name, yaml, policy, created_at, updated_at)
VALUES (
    randomblob(16),
    'default',
    '# The template of workspaces for which none is named.
max_port_share_level: authenticated
forwarding:
  local: true
  remote: true
  public_listen: false
  unix_sockets: true
  agent_forwarding: true
  permit_open: ["*:*"]
  permit_listen: ["localhost:*"]
cors: simple
apps: []
',
    '{"max_port_share_level":"authenticated","forwarding":{"local":true,"remote":true,"public_listen":false,"unix_sockets":true,"agent_forwarding":true,"permit_open":["*:*"],"permit_listen":["localhost:*"]},"cors":"simple","identity_headers":false,"apps":[]}',
    CAST(strftime('%s', 'now') AS INTEGER) * 1000000,
    CAST(strftime('%s', 'now') AS INTEGER) * 1000000
);
