#pragma once
/*
 * What the agent has to say beside an SSH connection (GET /ssh/notices): shown as warnings, line by
 * line. An agent that has no such thing says nothing.
 */
struct output;
struct ssh_warnings;
struct tunnel_session;

/* Both outlive it. */
struct ssh_warnings *ssh_warnings_new(struct tunnel_session *session, struct output *out);
/* Returns NULL; accepts NULL. */
struct ssh_warnings *ssh_warnings_free(struct ssh_warnings *n);
