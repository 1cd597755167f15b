#pragma once
/* How the audit record is asked for and shown. */
#include "api/audit.h"
#include "cli/output.h"

/*
 * A moment as people give it: "2h" (so long before `now`), "2026-01-31" (its start, UTC) or
 * RFC 3339. 0 or -EINVAL.
 */
int audit_text_moment(const char *text, usec_t now, usec_t *ret);
/* A table for people; a close event has bytes and duration, others "-". */
void audit_text_table(const struct api_audit_event *events, size_t n, struct output *out);
/* All members, with their names in the first line; times in RFC 3339. */
void audit_text_csv(const struct api_audit_event *events, size_t n, struct output *out);
