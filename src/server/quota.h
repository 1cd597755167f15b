#pragma once
/*
 * How many connections strangers may hold: in all, and for each client address (IPv6: each /64,
 * which is what one client has). A connection that has become a session of an agent or a person
 * gives its place back. And how many sessions a person may hold. One table for all workers, behind
 * a mutex; touched once at the start and once at the end of a connection.
 */
#include <stdbool.h>
#include <stdint.h>

#include "io/addr.h"
#include "model/id.h"
#include "server/cidr.h"

struct quota;

struct quota_options {
    unsigned connections_max;
    unsigned per_address_max;
    unsigned per_person_max;         /* sessions */
    const struct cidr_list *trusted; /* not counted by address; must outlive the quota */
};

struct quota *quota_new(const struct quota_options *options);
/* Returns NULL; accepts NULL. */
struct quota *quota_free(struct quota *q);

enum quota_answer { QUOTA_OK, QUOTA_FULL, QUOTA_ADDRESS_FULL };
/* Takes a place for a connection from `peer`; to be given back once if QUOTA_OK. */
enum quota_answer quota_take(struct quota *q, const struct addr *peer);
void quota_give(struct quota *q, const struct addr *peer);

/* Takes a place for a session of the person; to be given back once if true. */
bool quota_take_person(struct quota *q, const struct id *user_id);
void quota_give_person(struct quota *q, const struct id *user_id);

struct quota_counts {
    uint64_t connections; /* now */
    uint64_t refused_full;
    uint64_t refused_address;
    uint64_t refused_person;
};
struct quota_counts quota_counts(struct quota *q);
