#pragma once
/*
 * What the agent has to say beside an SSH connection (GET /ssh/notices): shown as warnings, line by
 * line. An agent that has no such thing says nothing. It ends them once it has told all that there
 * was to tell of the SSH connection.
 */
struct output;
struct ssh_warnings;
struct tunnel_session;

/* Nothing more will come. May free it. */
typedef void ssh_warnings_ended_fn(struct ssh_warnings *n, void *ud);

/* `session` and `out` outlive it. */
struct ssh_warnings *ssh_warnings_new(struct tunnel_session *session, struct output *out,
                                      ssh_warnings_ended_fn *ended, void *ud);
/* Returns NULL; accepts NULL. */
struct ssh_warnings *ssh_warnings_free(struct ssh_warnings *n);
