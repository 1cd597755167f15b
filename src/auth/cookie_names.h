#pragma once
/* The names of the cookies that are ours: set by web/ and proxy/, never shown to an app. */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct app_pattern;

/* A browser's session, on the access host only. With https it has the prefix `__Host-`. */
#define COOKIE_SESSION        "adit_session"
#define COOKIE_SESSION_SECURE "__Host-adit_session"
/* The ticket of one app: its host only. */
#define COOKIE_TICKET "adit_ticket"

enum { COOKIE_APP_SESSION_SIZE = 64, COOKIE_NAMES_MAX = 4 };

struct cookie_names {
    /* All apps' session; a hash of the wildcard host keeps deployments within others apart. */
    char app_session[COOKIE_APP_SESSION_SIZE];
    const char *all[COOKIE_NAMES_MAX]; /* every one of ours */
    size_t n_all;
};

void cookie_names_init(struct cookie_names *names, const struct app_pattern *pattern);
