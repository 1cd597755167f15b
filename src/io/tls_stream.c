/*
 * OpenSSL insists on getting the same bytes again after a write that could not be finished; our
 * callers may offer others. So its writes always succeed: records are gathered (tls_bio.c), and
 * those that the stream below does not take are kept, count as taken, and go out before anything
 * else, by themselves if need be: while some are kept (or the close_notify waits), WRITE is wanted
 * below whatever the owner wants.
 *
 * OpenSSL and the link may also have received bytes that they have not given out. The socket shows
 * nothing of them, so `more_inside` makes the stream report by deferring.
 *
 * A stream that was shut down and is freed before everything is out stays for a while without
 * its owner, until the rest has been sent: close_notify tells the other side that nothing was cut.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/addr.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "io/tls_internal.h"

enum { RECORD_LEN = SSL3_RT_MAX_PLAIN_LENGTH };
/*
 * RFC 8446 section 5.5 allows some 24 million records under one key of AES-GCM. The client renews
 * the keys of both directions: OpenSSL does not read while it cannot write its KeyUpdate, and two
 * sides that did this of their own accord could wait for each other for ever.
 */
enum { RECORDS_PER_KEY = 8 * 1024 * 1024 };
#define ORPHAN_LIMIT (30 * USEC_PER_SEC)

/* Needed until the handshake is over. */
struct handshake {
    char *host;
    bool host_is_set;
    bool has_pin;
    bool pin_differs;
    struct tls_pin pin;
    tls_expect_fn *expect;
    tls_done_fn *done;
    void *ud;
    unsigned want; /* below */
};

struct orphan {
    struct timer limit;
    struct defer at_end;
};

struct tls_stream {
    struct stream s;
    struct tls_context *ctx;
    SSL *ssl;
    struct handshake *handshake; /* NULL once it is over, well or not */
    struct tls_link link;
    unsigned n_records; /* under the present keys, in both directions */
    unsigned read_want; /* what SSL_read and SSL_write wait for below */
    unsigned write_want;
    int recv_failure;
    int send_failure;
    bool more_inside;
    bool recv_ended;
    bool shut;
    bool shut_sent;
    bool left_sending; /* TLS has been left (tls_leave_sending()) */
    bool left_receiving;
    char *alpn; /* NULL: none was chosen */
    struct defer kick;
    struct orphan *orphan;
};

static const struct stream_ops tls_ops;

static struct tls_stream *tls_of(const struct stream *s)
{
    return (struct tls_stream *)s;
}

/* Errors of an earlier call would be taken for those of this one. Looking costs less than wiping.
 */
static void before_ssl(struct tls_stream *t)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
    errno = 0;
}

/* Bytes that came and were not given out: perhaps only a part of a record. */
static bool has_received(const struct tls_stream *t)
{
    return t->link.ahead_len > 0 || SSL_has_pending(t->ssl);
}

static int of_reason(int reason)
{
    switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        /* An end without close_notify may have been cut by a stranger. */
        return -ECONNRESET;
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        /* In TLS 1.3 a client learns only after its handshake that its key was refused. */
        return -EKEYREJECTED;
    default:
        return -EPROTO;
    }
}

/* After a call that did not succeed: -EAGAIN and what to wait for, 0 at the end, or the failure. */
static int why(struct tls_stream *t, int result, unsigned *ret_want)
{
    int system_error = errno;
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *ret_want = STREAM_READ;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *ret_want = STREAM_WRITE;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        if (t->link.error)
            return t->link.error;
        return system_error ? -system_error : -ECONNRESET;
    default:
        return of_reason(ERR_GET_REASON(ERR_peek_error()));
    }
}

/* Bytes or a close_notify that could still go out. */
static bool has_unsent(const struct tls_stream *t)
{
    return !t->send_failure && (t->link.kept_len > 0 || (t->shut && !t->shut_sent));
}

/* What can be told without waiting for anything below. */
static unsigned ready_now(const struct tls_stream *t)
{
    bool readable = t->more_inside || t->recv_ended || t->recv_failure;
    bool all_out = t->shut && !has_unsent(t) && !stream_unsent(t->s.next);
    return (readable ? STREAM_READ : 0) | (all_out || t->send_failure ? STREAM_WRITE : 0);
}

/* Wants below what is needed for what is wanted above, and for what goes on by itself. */
static void apply_wants(struct tls_stream *t)
{
    unsigned below = 0, now = ready_now(t);
    if (t->handshake) {
        below = t->handshake->want;
    } else {
        if (t->s.wanted & ~now & STREAM_READ)
            below |= t->read_want;
        if (has_unsent(t) || (t->s.wanted & ~now & STREAM_WRITE))
            below |= t->write_want;
        if (t->s.wanted & now)
            defer_schedule(t->s.loop, &t->kick);
    }
    stream_want(t->s.next, below);
}

/* 0, -EAGAIN and what to wait for, or the failure. */
static int send_end(struct tls_stream *t)
{
    if (t->left_sending)
        return stream_shutdown(t->s.next);
    before_ssl(t);
    int r = SSL_shutdown(t->ssl);
    if (r >= 0)
        return 0;
    r = why(t, r, &t->write_want);
    return r ? r : -EPIPE;
}

static int flush(struct tls_stream *t)
{
    int r = tls_link_flush(&t->link);
    if (r < 0) {
        if (r == -EAGAIN)
            t->write_want = STREAM_WRITE;
        else
            t->send_failure = r;
        return r;
    }
    t->write_want = STREAM_WRITE;
    if (!t->shut || t->shut_sent)
        return 0;
    r = send_end(t);
    if (r == 0)
        t->shut_sent = true;
    else if (r != -EAGAIN)
        t->send_failure = r;
    return r;
}

static void tell(struct tls_stream *t, unsigned events)
{
    if (stream_report(&t->s, events))
        apply_wants(t);
}

static void destroy(struct tls_stream *t);

static void step_handshake(struct tls_stream *t);

static void next_ready(struct stream *next, unsigned events, void *ud)
{
    struct tls_stream *t = ud;
    if (t->handshake) {
        step_handshake(t);
        return;
    }
    if (has_unsent(t) && (events & t->write_want))
        flush(t);
    if (t->orphan && !has_unsent(t)) {
        destroy(t);
        return;
    }
    unsigned report = ready_now(t);
    if (events & t->read_want)
        report |= STREAM_READ;
    if ((events & t->write_want) && !has_unsent(t) && !t->shut)
        report |= STREAM_WRITE;
    tell(t, report);
}

static void kicked(void *ud)
{
    struct tls_stream *t = ud;
    if (t->handshake)
        step_handshake(t);
    else
        tell(t, ready_now(t));
}

static int explain_verify(const struct handshake *h, long result, struct err *err)
{
    int code = -EKEYREJECTED;
    switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return err_set(err, code, "the certificate is for another name than %s",
                       h->host ? h->host : "expected");
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return err_set(err, code, "the certificate has expired");
    default:
        return err_set(err, code, "the certificate is not trusted: %s",
                       X509_verify_cert_error_string(result));
    }
}

static int explain_reason(unsigned long e, struct err *err)
{
    switch (ERR_GET_REASON(e)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return err_set(err, -EPROTO, "the other side does not speak TLS");
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
        return err_set(err, -EPROTO, "the two sides have no protocol in common");
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return err_set(err, -EPROTO, "the two sides have no version of TLS in common");
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return err_set(err, -EKEYREJECTED, "the other side shows no certificate");
    default:
        /* OpenSSL gives alerts of the other side reasons of their own, from 1000 on. */
        if (ERR_GET_REASON(e) >= SSL_AD_REASON_OFFSET)
            return tls_err(err, -EPROTO, "the other side refused the TLS handshake");
        return tls_err(err, -EPROTO, "the TLS handshake failed");
    }
}

static int explain(struct tls_stream *t, int code, struct err *err)
{
    unsigned long e = ERR_peek_error();
    long verified = SSL_get_verify_result(t->ssl);
    if (t->handshake->pin_differs)
        return err_set(err, -EKEYREJECTED, "the other side's key is not the expected one");
    if (verified != X509_V_OK && !t->ctx->insecure)
        return explain_verify(t->handshake, verified, err);
    if (code == -EPROTO)
        return explain_reason(e, err);
    if (code == -ECONNRESET || code == -EPIPE)
        return err_set(err, code, "the other side closed the connection during the TLS handshake");
    return err_sys(err, code, "the connection failed during the TLS handshake");
}

static struct handshake *handshake_free(struct handshake *h)
{
    if (h) {
        free(h->host);
        free(h);
    }
    return NULL;
}

static void end_handshake(struct tls_stream *t, int result, const struct err *err)
{
    tls_done_fn *done = t->handshake->done;
    void *ud = t->handshake->ud;
    t->handshake = handshake_free(t->handshake);
    if (result < 0)
        t->recv_failure = t->send_failure = result;
    else
        t->more_inside = has_received(t);
    if (t->shut && result == 0)
        flush(t);
    bool gone = false;
    t->s.gone = &gone;
    done(&t->s, result, err, ud);
    if (gone)
        return;
    t->s.gone = NULL;
    apply_wants(t);
}

static void keep_alpn(struct tls_stream *t)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(t->ssl, &name, &len);
    if (len > 0)
        t->alpn = xstrndup((const char *)name, len);
}

/* What OpenSSL does not check by itself: 0, or the reason. */
static int check_handshake(struct tls_stream *t, struct err *err)
{
    keep_alpn(t);
    /* Peers must have agreed on their protocol, not only not disagreed. */
    if (t->ctx->kind == TLS_KIND_PEER && !t->alpn)
        return err_set(err, -EPROTO, "the two sides have no protocol in common");
    return 0;
}

/* A client must know whom it wants to reach before it says a word. */
static bool lacks_host(const struct tls_stream *t)
{
    return t->ctx->kind == TLS_KIND_CLIENT && !t->ctx->insecure && !t->handshake->host_is_set;
}

static void step_handshake(struct tls_stream *t)
{
    struct err err = ERR_INIT;
    if (lacks_host(t)) {
        end_handshake(t, err_set(&err, -EINVAL, "there is no name to check"), &err);
        return;
    }
    before_ssl(t);
    tls_link_begin_reading(&t->link, 0);
    int r = SSL_do_handshake(t->ssl);
    tls_link_end_reading(&t->link);
    if (r == 1) {
        r = check_handshake(t, &err);
        end_handshake(t, r, r < 0 ? &err : NULL);
        return;
    }
    r = why(t, r, &t->handshake->want);
    if (r == -EAGAIN) {
        apply_wants(t);
        return;
    }
    r = explain(t, r ? r : -ECONNRESET, &err);
    end_handshake(t, r, &err);
}

static ssize_t recv_below(struct tls_stream *t, void *data, size_t len)
{
    ssize_t n = stream_recv(t->s.next, data, len);
    if (n == 0)
        t->recv_ended = true;
    else if (n < 0 && n != -EAGAIN)
        t->recv_failure = (int)n;
    t->read_want = STREAM_READ;
    if (n <= 0)
        apply_wants(t);
    return n;
}

/* OpenSSL would find nothing to read either, by a longer way. */
static bool is_dry(const struct tls_stream *t)
{
    return t->read_want == STREAM_READ && tls_link_dry(&t->link) && !SSL_has_pending(t->ssl);
}

static ssize_t tls_recv(struct stream *s, void *data, size_t len)
{
    struct tls_stream *t = tls_of(s);
    size_t got = 0, n;
    int r = -EAGAIN;
    if (t->handshake)
        return -EAGAIN;
    if (t->recv_ended || t->recv_failure)
        return t->recv_failure;
    if (t->left_receiving)
        return recv_below(t, data, len);
    while (got < len && !is_dry(t)) {
        before_ssl(t);
        tls_link_begin_reading(&t->link, len - got);
        r = SSL_read_ex(t->ssl, (char *)data + got, len - got, &n);
        if (r != 1) {
            r = why(t, r, &t->read_want);
            break;
        }
        r = -EAGAIN; /* unless more is found */
        got += n;
        t->n_records += t->n_records < RECORDS_PER_KEY;
        t->read_want = STREAM_READ;
    }
    tls_link_end_reading(&t->link);
    t->more_inside = got == len && has_received(t);
    if (got < len && r == 0)
        t->recv_ended = true;
    else if (got < len && r != -EAGAIN)
        t->recv_failure = r;
    /* A broken record ends both directions; a socket that failed to receive may still send. */
    if (!t->send_failure && (t->recv_failure == -EPROTO || t->recv_failure == -EKEYREJECTED))
        t->send_failure = t->recv_failure;
    apply_wants(t);
    return got > 0 ? (ssize_t)got : r;
}

/* The next record's bytes: the caller's own where they are in one piece, else gathered. */
static size_t next_record(const struct iovec *iov, int n_iov, size_t skip, unsigned char *room,
                          const unsigned char **ret_data)
{
    size_t len = 0;
    while (n_iov > 0 && skip >= iov->iov_len) {
        skip -= iov->iov_len;
        iov++;
        n_iov--;
    }
    if (n_iov == 0)
        return 0;
    size_t first = iov->iov_len - skip;
    if (first >= RECORD_LEN || n_iov == 1) {
        *ret_data = (const unsigned char *)iov->iov_base + skip;
        return first < RECORD_LEN ? first : RECORD_LEN;
    }
    for (; n_iov > 0 && len < RECORD_LEN; iov++, n_iov--, skip = 0) {
        size_t n = iov->iov_len - skip;
        if (n > RECORD_LEN - len)
            n = RECORD_LEN - len;
        if (n > 0)
            memcpy(room + len, (const char *)iov->iov_base + skip, n);
        len += n;
    }
    *ret_data = room;
    return len;
}

static void renew_keys(struct tls_stream *t)
{
    t->n_records = 0;
    if (!SSL_is_server(t->ssl) && SSL_version(t->ssl) == TLS1_3_VERSION)
        SSL_key_update(t->ssl, SSL_KEY_UPDATE_REQUESTED);
}

void tls_renew_keys(struct stream *s)
{
    tls_of(s)->n_records = RECORDS_PER_KEY;
}

/* Seals one record. Bytes taken, or the failure. */
static ssize_t send_record(struct tls_stream *t, const unsigned char *data, size_t len)
{
    size_t n = 0;
    before_ssl(t);
    if (++t->n_records > RECORDS_PER_KEY)
        renew_keys(t);
    int r = SSL_write_ex(t->ssl, data, len, &n);
    if (r == 1)
        return (ssize_t)n;
    r = why(t, r, &t->write_want);
    return r ? r : -EPIPE;
}

/* Seals records until the batch is full. Bytes taken; or -EAGAIN; or the failure. */
static ssize_t send_batch(struct tls_stream *t, const struct iovec *iov, int n_iov, size_t skip)
{
    unsigned char room[RECORD_LEN];
    const unsigned char *data = NULL;
    size_t taken = 0, len;
    ssize_t n = 0;
    tls_link_cork(&t->link);
    while (!tls_link_full(&t->link) &&
           (len = next_record(iov, n_iov, skip + taken, room, &data)) > 0) {
        n = send_record(t, data, len);
        if (n < 0)
            break;
        taken += (size_t)n;
    }
    tls_link_uncork(&t->link);
    if (t->link.error)
        return t->link.error;
    return taken > 0 ? (ssize_t)taken : n;
}

/* Bytes taken; or -EAGAIN; or the failure. */
static ssize_t send_below(struct tls_stream *t, const struct iovec *iov, int n_iov)
{
    ssize_t n = stream_send(t->s.next, iov, n_iov);
    if (n < 0 && n != -EAGAIN)
        t->send_failure = (int)n;
    if (n < 0)
        apply_wants(t);
    return n;
}

static ssize_t tls_send(struct stream *s, const struct iovec *iov, int n_iov)
{
    struct tls_stream *t = tls_of(s);
    size_t taken = 0;
    ssize_t n = 1;
    if (t->send_failure || t->shut)
        return t->send_failure ? t->send_failure : -EPIPE;
    if (t->handshake)
        return -EAGAIN;
    if (t->link.kept_len > 0)
        flush(t);
    if (t->left_sending && !t->send_failure && t->link.kept_len == 0)
        return send_below(t, iov, n_iov);
    while (!t->left_sending && !t->send_failure && t->link.kept_len == 0 && n > 0) {
        n = send_batch(t, iov, n_iov, taken);
        if (n > 0)
            taken += (size_t)n;
        else if (n < 0 && n != -EAGAIN)
            t->send_failure = (int)n;
    }
    apply_wants(t);
    if (taken > 0)
        return (ssize_t)taken;
    return t->send_failure ? t->send_failure : -EAGAIN;
}

static int tls_shutdown(struct stream *s)
{
    struct tls_stream *t = tls_of(s);
    if (t->shut)
        return 0;
    if (t->send_failure)
        return t->send_failure;
    t->shut = true;
    if (!t->handshake)
        flush(t);
    apply_wants(t);
    return t->send_failure;
}

static bool tls_unsent(const struct stream *s)
{
    return has_unsent(tls_of(s)) || stream_unsent(s->next);
}

static void tls_want(struct stream *s, unsigned events)
{
    apply_wants(tls_of(s));
}

static void tls_detach(struct stream *s)
{
    struct tls_stream *t = tls_of(s);
    defer_cancel(&t->kick);
    stream_want(s->next, 0);
    stream_detach(s->next);
    s->loop = NULL;
}

static void tls_attach(struct stream *s, struct loop *loop)
{
    struct tls_stream *t = tls_of(s);
    s->loop = loop;
    stream_attach(s->next, loop);
    apply_wants(t);
}

static void release(void *ud)
{
    struct tls_stream *t = ud;
    SSL_free(t->ssl);
    tls_context_unref(t->ctx);
    tls_link_deinit(&t->link);
    free(t->alpn);
    free(t->orphan);
    free(t);
}

static void destroy(struct tls_stream *t)
{
    defer_cancel(&t->kick);
    if (t->orphan) {
        timer_cancel(&t->orphan->limit);
        defer_cancel(&t->orphan->at_end);
    }
    t->handshake = handshake_free(t->handshake);
    t->s.next = stream_free(t->s.next);
    stream_reap(&t->s, release);
}

static void limit_reached(struct timer *limit, void *ud)
{
    destroy(ud);
}

static void loop_ends(void *ud)
{
    destroy(ud);
}

static void become_orphan(struct tls_stream *t)
{
    t->orphan = new0(struct orphan);
    timer_init(&t->orphan->limit, t->s.loop, limit_reached, t);
    timer_start(&t->orphan->limit, ORPHAN_LIMIT);
    defer_init(&t->orphan->at_end, loop_ends, t);
    defer_to_end(t->s.loop, &t->orphan->at_end);
    defer_cancel(&t->kick);
    apply_wants(t);
}

static void tls_free(struct stream *s)
{
    struct tls_stream *t = tls_of(s);
    if (t->s.loop && t->shut && !t->handshake && has_unsent(t))
        become_orphan(t);
    else
        destroy(t);
}

static int tls_bare_fd(const struct stream *s, unsigned direction)
{
    const struct tls_stream *t = tls_of(s);
    bool bare = direction == STREAM_READ
                    ? t->left_receiving && !t->recv_ended && !t->recv_failure
                    : t->left_sending && !t->link.kept_len && !t->shut && !t->send_failure;
    return bare ? stream_bare_fd(s->next, direction) : -1;
}

static const struct stream_ops tls_ops = {
    .name = "tls",
    .recv = tls_recv,
    .send = tls_send,
    .shutdown = tls_shutdown,
    .want = tls_want,
    .free = tls_free,
    .detach = tls_detach,
    .attach = tls_attach,
    .unsent = tls_unsent,
    .bare_fd = tls_bare_fd,
};

int tls_verify_pin(X509_STORE_CTX *store, void *ud)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_stream *t = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    struct tls_pin pin;
    if (t->handshake && t->handshake->has_pin && cert) {
        tls_pin_of_certificate(cert, &pin);
        if (CRYPTO_memcmp(pin.sha256, t->handshake->pin.sha256, TLS_PIN_LEN) == 0)
            return 1;
    }
    if (t->handshake)
        t->handshake->pin_differs = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

int tls_peer_asked(SSL *ssl, int *alert, void *ud)
{
    struct tls_stream *t = SSL_get_app_data(ssl);
    struct handshake *h = t->handshake;
    if (!h || !h->expect)
        return SSL_TLSEXT_ERR_OK;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    h->has_pin = h->expect(&t->s, name ? name : "", &h->pin, h->ud);
    if (h->has_pin)
        return SSL_TLSEXT_ERR_OK;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The name to ask for and to hold the certificate against; an address is not asked for. */
static void set_host(struct tls_stream *t, const char *host)
{
    struct handshake *h = t->handshake;
    struct addr ip;
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    struct span name = span_of(host);
    if (span_ends(name, "."))
        name.len--;
    h->host = span_dup(name);
    if (addr_from_ip(h->host, 0, &ip) == 0) {
        h->host_is_set = X509_VERIFY_PARAM_set1_ip_asc(param, h->host) == 1;
        return;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    h->host_is_set = name.len > 0 && SSL_set_tlsext_host_name(t->ssl, h->host) == 1 &&
                     X509_VERIFY_PARAM_set1_host(param, h->host, name.len) == 1;
}

/* RFC 7301 section 3.1: one name, with its length in front. */
static void offer_protocol(struct tls_stream *t, const char *name)
{
    unsigned char wire[256];
    size_t len = strlen(name);
    if (len < 1 || len > 255)
        return;
    wire[0] = (unsigned char)len;
    memcpy(wire + 1, name, len);
    SSL_set_alpn_protos(t->ssl, wire, (unsigned)len + 1);
}

static void set_below(struct tls_stream *t, struct stream *next)
{
    t->link.next = next;
    BIO *bio = tls_bio_new(&t->link);
    SSL_set_bio(t->ssl, bio, bio);
    t->s.next = next;
    stream_want(next, 0);
    stream_set_ready(next, next_ready, t);
}

struct stream *tls_start(struct tls_context *ctx, struct stream *next,
                         const struct tls_start_options *options)
{
    struct tls_stream *t = new0(struct tls_stream);
    stream_init(&t->s, &tls_ops, next->loop);
    t->ctx = tls_context_ref(ctx);
    t->ssl = SSL_new(ctx->ctx);
    if (!t->ssl)
        abort();
    t->read_want = STREAM_READ;
    t->write_want = STREAM_WRITE;
    defer_init(&t->kick, kicked, t);
    t->handshake = new0(struct handshake);
    t->handshake->done = options->done;
    t->handshake->ud = options->ud;
    t->handshake->want = options->server ? STREAM_READ : STREAM_WRITE;
    if (options->pin) {
        t->handshake->has_pin = true;
        t->handshake->pin = *options->pin;
    }
    t->handshake->expect = options->expect;
    SSL_set_app_data(t->ssl, t);
    if (options->server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    if (options->host && !options->server) {
        set_host(t, options->host);
        if (ctx->sessions)
            tls_sessions_offer(ctx->sessions, t->ssl);
    }
    if (options->peer_name && !options->server)
        SSL_set_tlsext_host_name(t->ssl, options->peer_name);
    if (options->peer_alpn && !options->server)
        offer_protocol(t, options->peer_alpn);
    set_below(t, next);
    defer_schedule(t->s.loop, &t->kick);
    return &t->s;
}

const char *tls_alpn(const struct stream *tls)
{
    const char *alpn = tls_of(tls)->alpn;
    return alpn ? alpn : "";
}

const char *tls_server_name(const struct stream *tls)
{
    const char *name = SSL_get_servername(tls_of(tls)->ssl, TLSEXT_NAMETYPE_host_name);
    return name ? name : "";
}

bool tls_resumed(const struct stream *tls)
{
    return SSL_session_reused(tls_of(tls)->ssl) == 1;
}

void tls_read_exactly(struct stream *tls)
{
    tls_of(tls)->link.exactly = true;
}

void tls_leave_sending(struct stream *tls)
{
    tls_of(tls)->left_sending = true;
}

void tls_leave_receiving(struct stream *tls)
{
    struct tls_stream *t = tls_of(tls);
    t->left_receiving = true;
    t->more_inside = false;
    t->read_want = STREAM_READ;
    apply_wants(t);
}
