#pragma once
/* What the tls_*.c files share. Not for others. */
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

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

/* A client renews the keys with the next record that it sends (TLS 1.3). */
void tls_renew_keys(struct stream *tls);

/* Makes OpenSSL read and write `next`; *error gets the code when that fails. */
BIO *tls_bio_new(struct stream *next, int *error);
