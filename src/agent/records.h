#pragma once
/*
 * What the server has to put on record: forwards that ended and listeners that opened or closed.
 * Each record has a number and stays here until the server says that it has stored it, by asking
 * for what comes after it; beyond RECORDS_MAX the oldest are dropped and counted. Single
 * connections, of which there may be any number, get RECORDS_FREQUENT_MAX of the places: beyond
 * that the newest of them are dropped, so that a flood of them cannot push out what was there.
 */
#include "model/audit.h"

struct channel_request;
struct loop;
struct records;

enum { RECORDS_MAX = 10000, RECORDS_FREQUENT_MAX = 9000 };

struct records *records_new(struct loop *loop);
/* Id and time are set here; `peer`: whose it is. */
void records_add(struct records *r, const struct id *peer, const struct audit_event *event);
/* Records that wait for the server. */
size_t records_count(const struct records *r);
/*
 * Takes over GET /events?after=N. What has a number up to N is forgotten; the answer comes as soon
 * as there is something after it: a batch as JSON lines (api_agent_record), and the end. A later
 * request replaces one that waits.
 */
void records_answer(struct records *r, struct channel_request *rq, uint64_t after);
/* Returns NULL; accepts NULL. */
struct records *records_free(struct records *r);
