-- Apps have shares like ports: what is shared is a target, a port's number or an app's slug.

CREATE TABLE shares (
    agent_id BLOB NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    target TEXT NOT NULL CHECK (target <> ''),
    level TEXT NOT NULL CHECK (level IN ('owner', 'users', 'authenticated', 'public')),
    protocol TEXT NOT NULL CHECK (protocol IN ('http', 'https')),
    expires_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (agent_id, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE share_users (
    agent_id BLOB NOT NULL,
    target TEXT NOT NULL,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (agent_id, target, user_id),
    FOREIGN KEY (agent_id, target) REFERENCES shares (agent_id, target) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX share_users_by_user ON share_users (user_id);

INSERT INTO shares (agent_id, target, level, protocol, expires_at)
SELECT agent_id, CAST(port AS TEXT), level, protocol, expires_at FROM port_shares;

INSERT INTO share_users (agent_id, target, user_id)
SELECT agent_id, CAST(port AS TEXT), user_id FROM port_share_users;

DROP TABLE port_share_users;
DROP TABLE port_shares;
