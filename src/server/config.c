/*
 * The table, and how the texts that config_sources.c collected become a checked struct. Kinds are
 * parsed one by one in config_values.c; what several settings must agree on is checked here.
 */
#include "server/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/config_sources.h"
#include "server/config_values.h"

#define AT(field) offsetof(struct server_config, field)

static const struct setting settings[] = {
    {"listen", "ADIT_LISTEN", "listen", "ADDR:PORT", "127.0.0.1:7777",
     "Where to accept connections; repeatable or a comma list. ADDR is an IPv4 address, an IPv6 "
     "address in brackets, localhost, or * for every address. Port 0 takes any free one.",
     SETTING_LISTEN, AT(listen), 0, 0},
    {"access-url", "ADIT_ACCESS_URL", "access_url", "URL", NULL,
     "The URL under which people and agents reach the server. Default: made from --listen.",
     SETTING_TEXT, AT(access_url), 0, 0},
    {"wildcard-access-url", "ADIT_WILDCARD_ACCESS_URL", "wildcard_access_url", "PATTERN", NULL,
     "The host names of apps, such as *.apps.example.com. Default: *.localhost with the port.",
     SETTING_TEXT, AT(wildcard_access_url), 0, 0},
    {"data-dir", "ADIT_DATA_DIR", "data_dir", "DIR", NULL,
     "Where the store and the keys are kept. Default: $XDG_DATA_HOME/adit or "
     "~/.local/share/adit; for root /var/lib/adit.",
     SETTING_TEXT, AT(data_dir), 0, 0},
    {"ready-file", "ADIT_READY_FILE", "ready_file", "FILE", NULL,
     "Written as one line of JSON with the URL as soon as the server accepts connections.",
     SETTING_TEXT, AT(ready_file), 0, 0},
    {"audit-file", "ADIT_AUDIT_FILE", "audit_file", "FILE", NULL,
     "The audit record as JSON lines, beside the store; made with mode 0600. SIGHUP opens it anew.",
     SETTING_TEXT, AT(audit_file), 0, 0},
    {"workers", "ADIT_WORKERS", "workers", "N", NULL,
     "Event loops, each a thread. Default: one for each processor.", SETTING_COUNT, AT(workers), 1,
     256},
    {"tls-cert", "ADIT_TLS_CERT", "tls_cert", "FILE", NULL,
     "Certificate chain (PEM). With --tls-key the server speaks HTTPS; SIGHUP reads both again. "
     "Repeatable: clients get the one for the name they ask for (SNI), else the first.",
     SETTING_FILES, AT(tls_cert), 0, 0},
    {"tls-key", "ADIT_TLS_KEY", "tls_key", "FILE", NULL,
     "Private key (PEM) of the --tls-cert in the same place.", SETTING_FILES, AT(tls_key), 0, 0},
    {"trusted-proxies", "ADIT_TRUSTED_PROXIES", "trusted_proxies", "CIDR", NULL,
     "Networks of reverse proxies whose X-Forwarded-For is believed; repeatable or a comma list.",
     SETTING_CIDRS, AT(trusted_proxies), 0, 0},
    {"metrics-from", "ADIT_METRICS_FROM", "metrics_from", "CIDR", "127.0.0.0/8,::1",
     "Networks that may read /metrics; repeatable or a comma list.", SETTING_CIDRS,
     AT(metrics_from), 0, 0},
    {"drain-timeout", "ADIT_DRAIN_TIMEOUT", "drain_timeout", "DURATION", "5s",
     "How long open streams may go on after SIGTERM.", SETTING_DURATION, AT(drain_timeout), 0,
     24 * 3600},
    {"header-timeout", "ADIT_HEADER_TIMEOUT", "header_timeout", "DURATION", "10s",
     "How long a client may take for the head of a request.", SETTING_DURATION, AT(header_timeout),
     1, 3600},
    {"idle-timeout", "ADIT_IDLE_TIMEOUT", "idle_timeout", "DURATION", "2m",
     "How long a connection may stay open between two requests.", SETTING_DURATION,
     AT(idle_timeout), 1, 24 * 3600},
    {"max-body", "ADIT_MAX_BODY", "max_body", "SIZE", "1MiB", "Largest body of an API request.",
     SETTING_SIZE, AT(body_max), 1024, 64 << 20},
    {"max-connections", "ADIT_MAX_CONNECTIONS", "max_connections", "N", "16384",
     "Connections at once that have not become a session of an agent or a person.", SETTING_COUNT,
     AT(connections_max), 1, 10000000},
    {"max-connections-per-address", "ADIT_MAX_CONNECTIONS_PER_ADDRESS",
     "max_connections_per_address", "N", "1024",
     "The same for one client address; --trusted-proxies are not counted.", SETTING_COUNT,
     AT(connections_per_address_max), 1, 10000000},
    {"max-sessions-per-user", "ADIT_MAX_SESSIONS_PER_USER", "max_sessions_per_user", "N", "256",
     "Sessions into workspaces (port-forward, ssh) that one user may hold at once.", SETTING_COUNT,
     AT(sessions_per_user_max), 1, 10000000},
    {"disable-path-apps", "ADIT_DISABLE_PATH_APPS", "disable_path_apps", "BOOL", "false",
     "Serve apps by their own host names only, never below /@USER/WORKSPACE/apps/.", SETTING_SWITCH,
     AT(disable_path_apps), 0, 0},
    {"dangerous-allow-path-app-sharing", "ADIT_DANGEROUS_ALLOW_PATH_APP_SHARING",
     "dangerous_allow_path_app_sharing", "BOOL", "false",
     "Let path apps be shared. Their pages have the origin of the dashboard: whoever opens one "
     "lets "
     "its owner act in their name.",
     SETTING_SWITCH, AT(path_app_sharing), 0, 0},
    {"dangerous-allow-path-app-site-owner-access",
     "ADIT_DANGEROUS_ALLOW_PATH_APP_SITE_OWNER_ACCESS",
     "dangerous_allow_path_app_site_owner_access", "BOOL", "false",
     "Let administrators open other people's path apps, with the same danger to themselves.",
     SETTING_SWITCH, AT(path_app_site_owner_access), 0, 0},
    {"no-direct", "ADIT_NO_DIRECT", "no_direct", "BOOL", "false",
     "Let people reach agents by the relay only: no addresses are exchanged.", SETTING_SWITCH,
     AT(no_direct), 0, 0},
    {"log-level", "ADIT_LOG_LEVEL", "log_level", "LEVEL", "info", "debug, info, warn or error.",
     SETTING_LOG_LEVEL, AT(log_level), 0, 0},
    {"log-format", "ADIT_LOG_FORMAT", "log_format", "FORMAT", "text", "text or json.",
     SETTING_LOG_FORMAT, AT(log_format), 0, 0},
};

const struct setting *server_settings(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(settings);
    return settings;
}

static int check_url(struct server_config *c, struct err *err)
{
    int r;

    if (c->access_url && (r = config_check_access_url(&c->access_url, err)) < 0)
        return r;
    if (c->wildcard_access_url)
        return config_check_wildcard(c->wildcard_access_url, err);
    return 0;
}

static int check_tls(const struct server_config *c, struct err *err)
{
    const struct text_list *lists[] = {&c->tls_cert, &c->tls_key};

    if (c->tls_cert.len != c->tls_key.len)
        return err_set(err, -EINVAL, "--tls-cert and --tls-key go together: %s is missing",
                       c->tls_cert.len > c->tls_key.len ? "--tls-key" : "--tls-cert");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (size_t j = 0; j < lists[i]->len; j++)
            if (access(lists[i]->items[j], R_OK) < 0)
                return err_sys(err, -errno, "cannot read %s", lists[i]->items[j]);
    return 0;
}

static int fill_data_dir(struct server_config *c, server_getenv_fn *env, struct err *err)
{
    const char *xdg = env("XDG_DATA_HOME"), *home = env("HOME");

    if (c->data_dir)
        return 0;
    if (geteuid() == 0)
        c->data_dir = xstrdup("/var/lib/adit");
    else if (xdg && xdg[0] == '/')
        c->data_dir = xasprintf("%s/adit", xdg);
    else if (home && home[0] == '/')
        c->data_dir = xasprintf("%s/.local/share/adit", home);
    else
        return err_set(err, -EINVAL, "neither HOME nor XDG_DATA_HOME is set: give --data-dir");
    return 0;
}

static unsigned default_workers(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 256 ? 256 : (unsigned)n;
}

static int apply(const struct config_texts *texts, struct server_config *c, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        const struct setting *s = &settings[i];
        const struct config_text *t = &texts->of[i];
        struct text_list def = {0};
        int r = 0;

        if (t->values.len > 0) {
            r = config_value_parse(s, &t->values, c, err);
            if (r < 0)
                return err_wrap(err, "%s", t->where);
        } else if (s->def) {
            text_list_add(&def, span_of(s->def), 1);
            r = config_value_parse(s, &def, c, err);
            text_list_deinit(&def);
            if (r < 0)
                return err_wrap(err, "--%s", s->flag);
        }
    }
    return 0;
}

int server_config_load(int argc, char *const *argv, server_getenv_fn *env,
                       struct server_config **ret, struct err *err)
{
    struct server_config *c = new0(struct server_config);
    struct config_texts texts;
    int r;

    config_texts_init(&texts, ARRAY_LEN(settings));
    r = config_texts_collect(&texts, settings, argc, argv, env, err);
    if (r >= 0)
        r = apply(&texts, c, err);
    if (r >= 0)
        r = check_url(c, err);
    if (r >= 0)
        r = check_tls(c, err);
    if (r >= 0)
        r = fill_data_dir(c, env, err);
    config_texts_deinit(&texts);
    if (r < 0) {
        server_config_free(c);
        return r;
    }
    if (c->workers == 0)
        c->workers = default_workers();
    *ret = c;
    return 0;
}

struct server_config *server_config_free(struct server_config *c)
{
    if (!c)
        return NULL;
    free(c->listen.items);
    free(c->access_url);
    free(c->wildcard_access_url);
    free(c->data_dir);
    free(c->ready_file);
    free(c->audit_file);
    text_list_deinit(&c->tls_cert);
    text_list_deinit(&c->tls_key);
    free(c->trusted_proxies.items);
    free(c->metrics_from.items);
    free(c);
    return NULL;
}
