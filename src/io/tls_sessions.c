/*
 * Sessions that a client may take up again (RFC 8446 section 4.6.1): then neither side signs nor
 * checks a certificate. Here OpenSSL checks nothing but that the server can read its own ticket,
 * so what was checked before has to be the same: sessions are kept for the name or address that
 * the certificate was held against, belong to one context (its authorities, its protocols), and
 * count from the last whole handshake, however often they were renewed since. A ticket is used
 * once, so that it does not tell connections of one client from those of others (RFC 8446 section
 * C.4); it is in memory only.
 *
 * OpenSSL spoils a session whose connection was cut. Just then it is needed, so a copy is kept.
 */
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/tls_internal.h"

enum { KEPT_MOST = 4 };

struct kept {
    char *host;
    SSL_SESSION *session; /* NULL: used */
    usec_t checked_at;    /* the certificate */
    usec_t kept_at;
};

struct tls_sessions {
    usec_t trusted_for;
    pthread_mutex_t lock;
    struct kept kept[KEPT_MOST];
};

/* What the certificate was held against, by OpenSSL itself; the caller frees it. NULL: nothing. */
static char *checked_host(SSL *ssl)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    const char *name = X509_VERIFY_PARAM_get0_host(param, 0);
    if (name)
        return xstrdup(name);
    char *ip = X509_VERIFY_PARAM_get1_ip_asc(param);
    char *copy = ip ? xstrdup(ip) : NULL;
    OPENSSL_free(ip);
    return copy;
}

static struct kept *find(struct tls_sessions *s, const char *host)
{
    for (size_t i = 0; i < KEPT_MOST; i++)
        if (s->kept[i].host && strcasecmp(s->kept[i].host, host) == 0)
            return &s->kept[i];
    return NULL;
}

static void clear(struct kept *k)
{
    SSL_SESSION_free(k->session);
    free(k->host);
    *k = (struct kept){0};
}

/* That one, or the one that was kept first. */
static struct kept *make_room(struct tls_sessions *s, char *host)
{
    struct kept *oldest = &s->kept[0];
    for (size_t i = 1; i < KEPT_MOST; i++)
        if (s->kept[i].kept_at < oldest->kept_at)
            oldest = &s->kept[i];
    clear(oldest);
    oldest->host = xstrdup(host);
    return oldest;
}

static void keep(struct tls_sessions *s, SSL *ssl, char *host, SSL_SESSION *session)
{
    usec_t now = clock_monotonic();
    bool resumed = SSL_session_reused(ssl);
    struct kept *k = find(s, host);
    if (!k && resumed)
        return; /* it was pushed out, and with it when the certificate was checked */
    if (!k)
        k = make_room(s, host);
    SSL_SESSION_free(k->session);
    k->session = SSL_SESSION_dup(session);
    k->kept_at = now;
    if (!resumed)
        k->checked_at = now;
}

/* OpenSSL has a session that could be taken up. 0: it keeps its reference. */
static int session_came(SSL *ssl, SSL_SESSION *session)
{
    struct tls_sessions *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    char *host = checked_host(ssl);
    if (host && SSL_get_verify_result(ssl) == X509_V_OK) {
        pthread_mutex_lock(&s->lock);
        keep(s, ssl, host, session);
        pthread_mutex_unlock(&s->lock);
    }
    free(host);
    return 0;
}

struct tls_sessions *tls_sessions_new(SSL_CTX *ctx, usec_t trusted_for)
{
    struct tls_sessions *s = new0(struct tls_sessions);
    s->trusted_for = trusted_for;
    pthread_mutex_init(&s->lock, NULL);
    SSL_CTX_set_app_data(ctx, s);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, session_came);
    return s;
}

void tls_sessions_offer(struct tls_sessions *s, SSL *ssl)
{
    char *host = checked_host(ssl);
    if (!host)
        return;
    pthread_mutex_lock(&s->lock);
    struct kept *k = find(s, host);
    if (k && k->session) {
        if (clock_monotonic() - k->checked_at < s->trusted_for)
            SSL_set_session(ssl, k->session);
        SSL_SESSION_free(k->session);
        k->session = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    free(host);
}

struct tls_sessions *tls_sessions_free(struct tls_sessions *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < KEPT_MOST; i++)
        clear(&s->kept[i]);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}
