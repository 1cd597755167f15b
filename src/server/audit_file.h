#pragma once
/*
 * The audit record as a file of JSON lines, beside the rows of the store: one AuditEvent of the API
 * a line, appended, never rewritten. Whoever rotates it moves it away and sends SIGHUP.
 *
 * An event is written once the store has taken it, or has failed to; after a crash of the server,
 * or a cut between it and an agent, the same event may be there twice, with the same id.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/audit.h"

struct audit_file;

/* Made with mode 0600 if it is missing. Errors: those of open(2), with a text; -EINVAL: no file. */
int audit_file_open(const char *path, struct audit_file **ret, struct err *err);
/* From any thread. What cannot be written is logged and counted. Accepts NULL. */
void audit_file_add(struct audit_file *f, const struct audit_event *events, size_t n);
/* Opens the path anew; on failure the old file stays. From one thread only. Accepts NULL. */
int audit_file_reopen(struct audit_file *f, struct err *err);
/* Events that could not be written so far. Accepts NULL. */
uint64_t audit_file_lost(const struct audit_file *f);
/* Returns NULL; accepts NULL. */
struct audit_file *audit_file_close(struct audit_file *f);
