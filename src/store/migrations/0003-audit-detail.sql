-- What a person needs beside the result: where a connection came from, the rule that refused it.

ALTER TABLE audit ADD COLUMN detail TEXT NOT NULL DEFAULT '';
