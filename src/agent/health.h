#pragma once
/*
 * Health of the apps of the template: GET of each check's URL in its interval. A status below 500
 * is success, redirects are not followed, and no more than the head of the answer is read. An app
 * is unhealthy after `threshold` failures in a row and healthy after one success; health is told,
 * and nothing depends on it.
 */
#include "api/news.h"

struct health;
struct loop;

/* An app's health is not what it was. */
typedef void health_changed_fn(void *ud);

/* What one app's checks have shown so far. */
struct health_count {
    enum api_health health;
    unsigned failures; /* in a row */
};
/* Takes one more result into account: pure. True: `health` has changed. */
bool health_count_add(struct health_count *c, bool success, unsigned threshold);

struct health *health_new(struct loop *loop, health_changed_fn *changed, void *ud);
/* The apps to check from now on; those that stay as they were go on undisturbed. Copied. */
void health_set(struct health *h, const struct api_app_checks *apps);
/* Those that have a check; borrowed until the next change. */
const struct api_app_health *health_list(const struct health *h, size_t *ret_n);
/* Returns NULL; accepts NULL. */
struct health *health_free(struct health *h);
