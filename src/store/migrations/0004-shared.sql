-- What is shared with a person is listed over all workspaces: by pieces, so that shares have ids, and
-- with an index for those that are named in none of them.

ALTER TABLE shares ADD COLUMN id BLOB CHECK (length(id) = 16);
UPDATE shares SET id = randomblob(16);
CREATE UNIQUE INDEX shares_by_id ON shares (id);
CREATE INDEX shares_authenticated ON shares (agent_id, target) WHERE level = 'authenticated';
