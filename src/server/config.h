#pragma once
/*
 * Settings of the server. One table names each setting three times (flag, environment, YAML key)
 * with its kind, default and help; sources in falling rank: flag, environment, YAML file, default.
 * Everything is read and checked once, at start; what is wrong is named with its source
 * ("--workers", "ADIT_WORKERS", "adit.yaml:12").
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "io/addr.h"
#include "model/text_list.h"
#include "server/cidr.h"

struct listen_list {
    struct addr *items;
    size_t len;
};

struct server_config {
    struct listen_list listen; /* at least one */
    char *access_url; /* "https://adit.example.com", no trailing slash; NULL: from listen */
    char *wildcard_access_url; /* "*.apps.example.com"; NULL: *.localhost with the port */
    char *data_dir;
    char *ready_file;          /* NULL: none */
    char *audit_file;          /* NULL: none */
    unsigned workers;          /* >= 1 */
    struct text_list tls_cert; /* PEM files; a key for each, in the same order */
    struct text_list tls_key;
    struct cidr_list trusted_proxies;
    struct cidr_list metrics_from; /* who may read /metrics */
    usec_t drain_timeout;
    usec_t header_timeout; /* for the head of a request, and for a TLS handshake */
    usec_t idle_timeout;   /* between two requests of a connection */
    size_t body_max;       /* bytes of an API request's body */
    unsigned connections_max;
    unsigned connections_per_address_max;
    unsigned sessions_per_user_max;
    bool disable_path_apps;
    bool path_app_sharing;           /* --dangerous-allow-path-app-sharing */
    bool path_app_site_owner_access; /* --dangerous-allow-path-app-site-owner-access */
    bool no_direct;                  /* peers come by the relay only */
    enum log_level log_level;
    enum log_format log_format;
};

enum setting_kind {
    SETTING_TEXT,
    SETTING_LISTEN,   /* addresses with ports; a list */
    SETTING_CIDRS,    /* networks; a list */
    SETTING_FILES,    /* paths; a list */
    SETTING_COUNT,    /* unsigned int in [min, max] */
    SETTING_SIZE,     /* bytes: "65536", "64KiB", "1MiB" */
    SETTING_DURATION, /* "90s", "15m"; stored in microseconds */
    SETTING_SWITCH,   /* "true" or "false"; the flag by itself says true */
    SETTING_LOG_LEVEL,
    SETTING_LOG_FORMAT,
};

struct setting {
    const char *flag; /* "access-url": --access-url */
    const char *env;  /* "ADIT_ACCESS_URL" */
    const char *key;  /* "access_url", in the YAML file */
    const char *arg;  /* "URL": the value's name in help */
    const char *def;  /* the default as it would be written; NULL: none, or worked out at start */
    const char *help; /* one or two sentences */
    enum setting_kind kind;
    size_t offset; /* of the field in struct server_config */
    uint64_t min, max;
};

/* Whether it may be given several times. */
bool setting_is_list(const struct setting *s);

/* The table, in the order of the help text. */
const struct setting *server_settings(size_t *ret_n);

/*
 * Reads all sources: `argv` holds the arguments behind "adit server" (`--flag value`,
 * `--flag=value`; a list takes all that are given, anything else the last), the environment, and
 * the file named by --config or ADIT_CONFIG. Errors: -EINVAL with a text; -ENOENT and the like for
 * the file.
 * `env` is getenv (a test gives its own).
 */
typedef char *server_getenv_fn(const char *name);
int server_config_load(int argc, char *const *argv, server_getenv_fn *env,
                       struct server_config **ret, struct err *err);
/* Returns NULL; accepts NULL. */
struct server_config *server_config_free(struct server_config *c);
