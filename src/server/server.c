/*
 * The main thread has a loop of its own, for signals and for what happens once in a while; all
 * connections live on the workers. What all workers have to do at a certain moment (listen, drain,
 * close) is an errand: posted to each, carried out on its thread, and waited for.
 */
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/hand_over.h"
#include "auth/key_ring.h"
#include "auth/ticket.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/signal.h"
#include "io/tls.h"
#include "io/worker.h"
#include "server/audit_file.h"
#include "server/data_dir.h"
#include "server/hub.h"
#include "server/instance.h"
#include "server/ready_file.h"
#include "server/urls.h"
#include "server/worker.h"
#include "store/store.h"
#include "store/token.h"
#include "store/user.h"

/* ---- errands ---- */

typedef int errand_fn(struct server_worker *w, struct err *err);

struct errand {
    struct server_worker *w;
    errand_fn *fn;
    int result;
    struct err err;
    unsigned *left; /* touched on the main thread */
};

static void errand_came_back(void *ud)
{
    struct errand *e = ud;

    --*e->left;
}

static void run_errand(void *ud)
{
    struct errand *e = ud;

    e->result = e->fn(e->w, &e->err);
    loop_post(e->w->server->main, errand_came_back, e);
}

/* The largest result of all workers, or the first failure with its text. */
static int on_all_workers(struct server *s, errand_fn *fn, struct err *err)
{
    struct errand *errands = xcalloc(s->n_workers, sizeof(*errands));
    unsigned left = s->n_workers;
    int result = 0;

    for (unsigned i = 0; i < s->n_workers; i++) {
        errands[i] = (struct errand){.w = &s->workers[i], .fn = fn, .left = &left};
        loop_post(worker_loop(s->workers[i].thread), run_errand, &errands[i]);
    }
    while (left > 0)
        loop_turn(s->main, true);
    for (unsigned i = 0; i < s->n_workers && result >= 0; i++) {
        if (errands[i].result < 0 && err)
            *err = errands[i].err;
        if (errands[i].result < 0 || errands[i].result > result)
            result = errands[i].result;
    }
    free(errands);
    return result;
}

static int errand_nothing(struct server_worker *w, struct err *err)
{
    (void)w;
    (void)err;
    return 0;
}

static int errand_drain(struct server_worker *w, struct err *err)
{
    (void)err;
    server_worker_drain(w);
    return 0;
}

static int errand_is_busy(struct server_worker *w, struct err *err)
{
    (void)err;
    return server_worker_busy(w);
}

static int errand_close(struct server_worker *w, struct err *err)
{
    (void)err;
    server_worker_close(w);
    return 0;
}

static int errand_waits(struct server_worker *w, struct err *err)
{
    (void)err;
    return server_worker_waits(w);
}

/* ---- the main thread's own events ---- */

struct run {
    struct server server;
    struct signal_watch *on_term, *on_int, *on_hup;
    unsigned stop_signals;
    struct timer clean_up;
    struct timer pause;
};

static const usec_t clean_up_interval = USEC_PER_HOUR;
static const usec_t keys_limit = 20 * USEC_PER_SEC;
static const usec_t poll_interval = 20 * USEC_PER_MSEC;

static void on_stop_signal(int signum, void *ud)
{
    struct run *run = ud;

    run->stop_signals++;
    log_info("stopping", LOG_STR("signal", signum == SIGINT ? "SIGINT" : "SIGTERM"));
}

static int load_tls(struct server *s, struct err *err)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    const struct text_list *certs = &s->config->tls_cert, *keys = &s->config->tls_key;
    struct tls_context *tls, *old;
    int r;

    if (certs->len == 0)
        return 0;
    r = tls_context_server(certs->items[0], keys->items[0], alpn, &tls, err);
    if (r < 0)
        return r;
    for (size_t i = 1; i < certs->len; i++) {
        r = tls_context_add_certificate(tls, certs->items[i], keys->items[i], err);
        if (r < 0) {
            tls_context_unref(tls);
            return r;
        }
    }
    pthread_mutex_lock(&s->tls_lock);
    old = s->tls;
    s->tls = tls;
    pthread_mutex_unlock(&s->tls_lock);
    tls_context_unref(old);
    return 0;
}

static void on_hup_signal(int signum, void *ud)
{
    struct run *run = ud;
    struct err err = ERR_INIT;

    (void)signum;
    if (load_tls(&run->server, &err) < 0)
        log_error("the certificate was not read again; the old one stays",
                  LOG_STR("reason", err.text));
    else if (run->server.tls)
        log_info("the certificate was read again");
    if (audit_file_reopen(run->server.audit_file, &err) < 0)
        log_error("the audit file was not opened anew; the old one stays",
                  LOG_STR("reason", err.text));
}

static void on_pruned(void *ud, int r)
{
    (void)ud;
    if (r != STORE_OK)
        log_warn("expired tokens were not removed", LOG_STR("reason", store_result_text(r)));
}

static void on_clean_up(struct timer *t, void *ud)
{
    struct run *run = ud;

    store_token_prune(run->server.store, run->server.main, clock_realtime(), on_pruned, run);
    timer_start(t, clean_up_interval);
}

static void on_pause(struct timer *t, void *ud)
{
    (void)t;
    (void)ud; /* the turn that it ends is all it is for */
}

/* Until no worker says yes, `limit` (< 0: none) has passed, or one more signal has come. */
static void wait_while(struct run *run, errand_fn *fn, usec_t limit)
{
    struct loop *main = run->server.main;
    usec_t since = loop_now(main);
    unsigned signals = run->stop_signals;

    while (on_all_workers(&run->server, fn, NULL) > 0) {
        if (limit >= 0 && (loop_now(main) - since >= limit || run->stop_signals > signals))
            return;
        timer_start(&run->pause, poll_interval);
        loop_turn(main, true);
    }
}

/* ---- start ---- */

/* Sockets are what a server needs most of; the soft limit of 1,024 is for select(2). */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        log_warn("the limit of open files stays as it is", LOG_STR("reason", err_name(errno)));
}

/*
 * Workers listen with SO_REUSEPORT, under which a second server of the same user would share the
 * port in silence. So each address is first bound without it; that also finds the port for 0.
 */
static int find_addresses(struct server *s, struct err *err)
{
    const struct listen_list *wanted = &s->config->listen;
    struct listener_options options = {.paused = true};

    s->listen.items = xcalloc(wanted->len, sizeof(*s->listen.items));
    for (size_t i = 0; i < wanted->len; i++) {
        const struct addr *a = &wanted->items[i];
        struct listener *l;
        int r = listener_open(s->main, a, &options, &l, err);

        if ((r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) && a->sa.sa_family == AF_INET6 &&
            addr_is_any(a) && wanted->len > 1)
            continue; /* "*" on a machine without IPv6 */
        if (r < 0)
            return r;
        s->listen.items[s->listen.len++] = *listener_addr(l);
        listener_close(l);
    }
    return 0;
}

static int make_urls(struct server *s, struct err *err)
{
    const struct server_config *c = s->config;

    s->access_url = c->access_url ? xstrdup(c->access_url)
                                  : urls_access(&s->listen.items[0], c->tls_cert.len > 0);
    s->wildcard_url =
        c->wildcard_access_url ? xstrdup(c->wildcard_access_url) : urls_wildcard(s->access_url);
    return s->wildcard_url
               ? app_site_parse(span_of(s->wildcard_url), span_of(s->access_url), &s->apps, err)
               : 0;
}

static int open_audit_file(struct server *s, struct err *err)
{
    const char *path = s->config->audit_file;

    return path ? audit_file_open(path, &s->audit_file, err) : 0;
}

static int open_store(struct server *s, struct err *err)
{
    struct store_options options = {0};
    char *path = data_dir_path(s->data_dir, DATA_DIR_STORE);
    int r;

    options.path = path;
    r = store_open(&options, &s->store, err);
    free(path);
    return r;
}

/* Without the keys nothing can be signed: the server is not ready before they are here. */
static int start_keys(struct server *s, struct err *err)
{
    usec_t since = loop_now(s->main);

    s->tickets = key_ring_new(s->store, s->main, TICKET_KEYS, TICKET_LIFE);
    s->hand_overs = key_ring_new(s->store, s->main, HAND_OVER_KEYS, HAND_OVER_LIFE);
    while (!key_ring_ready(s->tickets) || !key_ring_ready(s->hand_overs)) {
        if (loop_now(s->main) - since > keys_limit)
            return err_set(err, -EIO, "the store did not give the signing keys in time");
        loop_turn(s->main, true);
    }
    return 0;
}

static int open_all(struct run *run, struct err *err)
{
    struct server *s = &run->server;
    const struct server_config *c = s->config;
    struct quota_options quota = {.connections_max = c->connections_max,
                                  .per_person_max = c->sessions_per_user_max,
                                  .per_address_max = c->connections_per_address_max,
                                  .trusted = &c->trusted_proxies};
    int r;

    if ((r = data_dir_open(c->data_dir, &s->data_dir, err)) < 0 || (r = load_tls(s, err)) < 0 ||
        (r = find_addresses(s, err)) < 0 || (r = make_urls(s, err)) < 0 ||
        (r = open_audit_file(s, err)) < 0 || (r = open_store(s, err)) < 0)
        return r;
    s->auth = auth_new(s->store, &(struct auth_options){0});
    if ((r = start_keys(s, err)) < 0)
        return r;
    s->withdrawn = withdrawal_log_new();
    s->registry = registry_new();
    s->hub = hub_new(s);
    s->quota = quota_new(&quota);
    s->workers = xcalloc(c->workers, sizeof(*s->workers));
    for (; s->n_workers < c->workers; s->n_workers++)
        server_worker_start(s, s->n_workers);
    on_all_workers(s, errand_nothing, NULL); /* every worker's loop is known to all */
    return on_all_workers(s, server_worker_listen, err);
}

static void on_setup_needed(void *ud, int r, bool yes)
{
    struct server *s = ud;

    if (r != STORE_OK || !yes)
        return;
    fprintf(stderr,
            "\nThere is no user yet. Make the first one, who becomes the administrator:\n\n"
            "    adit login %s --first-user\n\n",
            s->access_url);
}

static int tell_ready(struct run *run, struct err *err)
{
    struct server *s = &run->server;
    char text[ADDR_TEXT_LEN];
    int r;

    for (size_t i = 0; i < s->listen.len; i++)
        log_info("listening", LOG_STR("address", addr_format(&s->listen.items[i], text)),
                 LOG_INT("tls", s->tls != NULL), LOG_INT("workers", s->n_workers));
    fprintf(stderr, "adit %s: %s (data in %s)\n", ADIT_VERSION, s->access_url, s->config->data_dir);
    if (!s->tls && !s->config->access_url && !addr_is_loopback(&s->listen.items[0]))
        fprintf(stderr,
                "adit: listening beyond this machine without TLS and without --access-url: "
                "passwords and tokens travel in the clear unless a proxy in front adds TLS\n");
    if (!s->wildcard_url)
        fprintf(stderr, "adit: without --wildcard-access-url the ports of workspaces have no URLs, "
                        "and cannot be shared\n");
    store_setup_needed(s->store, s->main, on_setup_needed, s);
    if (s->config->ready_file &&
        (r = ready_file_write(s->config->ready_file, s->access_url, err)) < 0)
        return r;
    return 0;
}

/* ---- stop ---- */

static void stop_workers(struct run *run)
{
    struct server *s = &run->server;

    on_all_workers(s, errand_close, NULL);
    /* What a worker had posted to another before it closed has arrived after this. */
    on_all_workers(s, errand_nothing, NULL);
    wait_while(run, errand_waits, -1);
}

static void close_all(struct run *run)
{
    struct server *s = &run->server;

    if (s->n_workers > 0)
        stop_workers(run);
    s->tickets = key_ring_free(s->tickets);
    s->hand_overs = key_ring_free(s->hand_overs);
    s->store = store_close(s->store);
    loop_turn(s->main, false);
    while (s->n_workers > 0)
        server_worker_stop(&s->workers[--s->n_workers]);
    free(s->workers);
    s->quota = quota_free(s->quota);
    s->registry = registry_free(s->registry);
    s->hub = hub_free(s->hub);
    s->auth = auth_free(s->auth);
    s->withdrawn = withdrawal_log_free(s->withdrawn);
    free(s->listen.items);
    free(s->access_url);
    free(s->wildcard_url);
    s->tls = tls_context_unref(s->tls);
    s->audit_file = audit_file_close(s->audit_file);
    s->data_dir = data_dir_close(s->data_dir);
}

int server_run(const struct server_config *config, struct err *err)
{
    struct run *run = new0(struct run);
    struct server *s = &run->server;
    int r;

    log_setup(config->log_level, config->log_format);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    s->config = config;
    s->main = loop_new();
    pthread_mutex_init(&s->tls_lock, NULL);
    timer_init(&run->clean_up, s->main, on_clean_up, run);
    timer_init(&run->pause, s->main, on_pause, run);
    run->on_term = signal_watch_new(s->main, SIGTERM, on_stop_signal, run);
    run->on_int = signal_watch_new(s->main, SIGINT, on_stop_signal, run);
    run->on_hup = signal_watch_new(s->main, SIGHUP, on_hup_signal, run);

    r = open_all(run, err);
    if (r >= 0)
        r = tell_ready(run, err);
    if (r >= 0) {
        timer_start(&run->clean_up, 0);
        while (run->stop_signals == 0)
            loop_turn(s->main, true);
        on_all_workers(s, errand_drain, NULL);
        wait_while(run, errand_is_busy, config->drain_timeout);
        if (config->ready_file)
            unlink(config->ready_file);
    }
    timer_cancel(&run->clean_up);
    close_all(run);
    signal_watch_free(run->on_hup);
    signal_watch_free(run->on_int);
    signal_watch_free(run->on_term);
    loop_free(s->main);
    pthread_mutex_destroy(&s->tls_lock);
    free(run);
    return r < 0 ? r : 0;
}
