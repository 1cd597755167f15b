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
/* What the name of all apps' session begins with, in any deployment. */
#define COOKIE_APP_SESSION "adit_app_session_"

enum { COOKIE_APP_SESSION_SIZE = 64, COOKIE_NAMES_MAX = 4 };

struct cookie_names {
    /* All apps' session; a hash of the wildcard host keeps deployments within others apart. */
    char app_session[COOKIE_APP_SESSION_SIZE];
    /* Every one of ours, for cookie_remove(), and the app sessions of deployments around us. */
    const char *all[COOKIE_NAMES_MAX];
    size_t n_all;
};

void cookie_names_init(struct cookie_names *names, const struct app_pattern *pattern);
