#pragma once
/* What the tls_*.c files share. Not for others. */
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/tls.h"

struct stream;

enum tls_kind { TLS_KIND_SERVER, TLS_KIND_CLIENT, TLS_KIND_PEER };

/* A certificate beside the first one of a server. */
struct tls_extra_certificate {
    struct tls_extra_certificate *next;
    SSL_CTX *ctx;
};

struct tls_context {
    atomic_uint refs;
    enum tls_kind kind;
    bool insecure;
    SSL_CTX *ctx;
    struct tls_extra_certificate *extra;
    unsigned char *alpn; /* as on the wire (RFC 7301); NULL: none */
    size_t alpn_len;
    struct tls_pin pin;            /* of our own certificate; peers only */
    struct tls_sessions *sessions; /* NULL: none are taken up again */
};

struct tls_identity {
    EVP_PKEY *key;
    X509 *cert;
};

/* Sets `err` from OpenSSL's queue of errors (and empties it): "fmt: reason". Returns `code`. */
int tls_err(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* For SSL_CTX and PEM: never asks on the terminal. */
int tls_no_passphrase(char *buf, int size, int rwflag, void *ud);

void tls_pin_of_certificate(X509 *cert, struct tls_pin *ret_pin);

/* Certificate check of a peer: the pin comes from the connection (tls_stream.c). */
int tls_verify_pin(X509_STORE_CTX *store, void *ud);

/* For SSL_CTX_set_tlsext_servername_callback() of peers: asks the connection's tls_expect_fn. */
int tls_peer_asked(SSL *ssl, int *alert, void *ud);

/* A client renews the keys with the next record that it sends (TLS 1.3). */
void tls_renew_keys(struct stream *tls);

/* ---- sessions that a verifying client may take up again (tls_sessions.c) ---- */

struct tls_sessions;

/*
 * Keeps those of connections of `ctx`, from any thread, until so long after their certificate was
 * checked. Must outlive it.
 */
struct tls_sessions *tls_sessions_new(SSL_CTX *ctx, usec_t trusted_for);
/* Gives the connection the one of its host, if there is one. Its host must have been set. */
void tls_sessions_offer(struct tls_sessions *s, SSL *ssl);
struct tls_sessions *tls_sessions_free(struct tls_sessions *s);

/* ---- the link ---- */

struct batch;

/* What lies below a TLS stream, as OpenSSL sees it. */
struct tls_link {
    struct stream *next;
    int error; /* of the stream below; kept */
    bool ended;
    struct batch *batch; /* while corked */
    size_t batch_len;
    unsigned char *kept; /* sealed records that `next` did not take yet */
    size_t kept_off, kept_len;
    struct batch *ahead;       /* received, but not asked for yet; NULL: none is held */
    unsigned char *ahead_kept; /* the same while nobody reads, when it is little */
    size_t ahead_off, ahead_len;
    size_t room;      /* of who reads, in content; 0: nobody does, nothing is taken ahead */
    bool exactly;     /* nothing is taken ahead any more */
    uint64_t drained; /* the loop's turn in which `next`, a descriptor, had less than asked for */
};

/* Makes OpenSSL read and write `link`, which must outlive it. */
BIO *tls_bio_new(struct tls_link *link);
/*
 * Gathers records until uncork, which sends them; nothing may be kept. Full: no further record may
 * be written.
 */
void tls_link_cork(struct tls_link *link);
bool tls_link_full(const struct tls_link *link);
void tls_link_uncork(struct tls_link *link);
/*
 * From here to the end of reading OpenSSL's small reads are served from large ones: what makes up
 * about `room` bytes of content, a record at least, is taken from `next` at once.
 */
void tls_link_begin_reading(struct tls_link *link, size_t room);
void tls_link_end_reading(struct tls_link *link);
/* Nothing that came is left, and `next` has been asked in this turn: there is nothing to read. */
bool tls_link_dry(const struct tls_link *link);
/* Sends what is kept. 0: all is out; -EAGAIN; or the failure. */
int tls_link_flush(struct tls_link *link);
void tls_link_deinit(struct tls_link *link);
