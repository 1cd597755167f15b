#pragma once
/*
 * The record of one SSH connection: what its sshd logged becomes audit events, and entries in the
 * agent's list of what is forwarded now (agent/ssh_host.h).
 */
#include <stdint.h>

#include "base/err.h"
#include "model/template.h"
#include "ssh/sshd_log.h"

struct served_reporter;
struct ssh_host;
struct ssh_record;

enum {
    SSH_RAW_RECORDS_MAX = 100, /* lines that were not understood; later ones are only counted */
};

/*
 * `reporter` and `host` outlive it; `reporter` NULL: nothing goes on record. `policy` is copied: it
 * tells the rule behind a refusal.
 */
struct ssh_record *ssh_record_new(struct ssh_host *host, const struct served_reporter *reporter,
                                  const char *user, const struct forward_policy *policy);
/* For ssh_service_options.logged. */
void ssh_record_event(struct ssh_record *r, const struct sshd_event *event);
/* Somebody has logged in. */
bool ssh_record_logged_in(const struct ssh_record *r);
/* sshd was not started, or the request was refused: `result` in a word, `err` says why. */
void ssh_record_refused(struct ssh_record *r, const char *result, const struct err *err);
/*
 * The end of the connection, in a word ("ok", "policy_changed"), and the bytes of SSH that passed
 * on it, into the workspace and out of it. Before it is freed, and after all events.
 */
void ssh_record_end(struct ssh_record *r, const char *result, uint64_t in, uint64_t out);
/* Returns NULL; accepts NULL. */
struct ssh_record *ssh_record_free(struct ssh_record *r);
