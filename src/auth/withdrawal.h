#pragma once
/*
 * Rights that were withdrawn lately, once a process. A ticket (auth/ticket.h) names how many
 * withdrawals there had been when its rights were read: its share generation. It is good as long
 * as none of those that came later is about it, which is one comparison of numbers while there was
 * none. So log-out, the end of a share, a lowered level and a person removed count from the very
 * next request on, and no request asks the store. From any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "model/id.h"
#include "model/name.h"

enum { WITHDRAWAL_TARGET_SIZE = NAME_SIZE };

/* What was withdrawn: all that matches every id that is not zero, and the target if there is one */
struct withdrawal {
    struct id user_id;
    struct id token_id; /* also of a session behind an app's token */
    struct id workspace_id;
    struct id agent_id;
    struct id template_id;
    char target[WITHDRAWAL_TARGET_SIZE]; /* "8080" or an app's slug */
};

/* What somebody was let through to, and with what. */
struct withdrawal_subject {
    struct id user_id;
    struct id token_id;
    struct id parent_id; /* of the token */
    struct id workspace_id;
    struct id agent_id;
    struct id template_id;
    char target[WITHDRAWAL_TARGET_SIZE];
};

bool withdrawal_hits(const struct withdrawal *w, const struct withdrawal_subject *subject);

/* How many withdrawals are remembered; whatever is older than them counts as withdrawn. */
enum { WITHDRAWALS_KEPT = 512 };

struct withdrawal_log;

struct withdrawal_log *withdrawal_log_new(void);
/* Returns NULL; accepts NULL. */
struct withdrawal_log *withdrawal_log_free(struct withdrawal_log *log);

/* A random number of this log: counts of another (of an earlier process) mean nothing here. */
uint64_t withdrawal_log_epoch(const struct withdrawal_log *log);
/* How many there were so far: to be read before the rights are. */
uint64_t withdrawal_log_count(const struct withdrawal_log *log);
/* To be called when the store has the change, and before anybody is told of it. */
void withdrawal_log_add(struct withdrawal_log *log, const struct withdrawal *w);
/* Whether one that came after the first `since` hits the subject, as far as that is known. */
bool withdrawal_log_hit(struct withdrawal_log *log, uint64_t since,
                        const struct withdrawal_subject *subject);
