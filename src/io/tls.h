#pragma once
/*
 * TLS 1.2+ (peer sessions: 1.3 only) as a stream over another stream, by OpenSSL. Records that are
 * sent together leave in one write of the stream below.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct stream;

/* One's own Ed25519 key pair with a self-signed certificate around it. */
struct tls_identity;

enum { TLS_PIN_LEN = 32 };

/* SHA-256 of the certificate's SubjectPublicKeyInfo (as in RFC 7469 section 2.4). */
struct tls_pin {
    unsigned char sha256[TLS_PIN_LEN];
};

struct tls_identity *tls_identity_new(void);
struct tls_identity *tls_identity_free(struct tls_identity *id);
void tls_identity_pin(const struct tls_identity *id, struct tls_pin *ret_pin);
/*
 * SHA-256 over `label` with its NUL and the two pins: a value that only those can make who know
 * both keys.
 */
void tls_pins_digest(const char *label, const struct tls_pin *first, const struct tls_pin *second,
                     unsigned char ret[static TLS_PIN_LEN]);
/* PEM of key and certificate, to keep an identity (agents do, 0600). The caller frees the text. */
char *tls_identity_to_pem(const struct tls_identity *id);
int tls_identity_from_pem(const char *pem, struct tls_identity **ret_id, struct err *err);

/*
 * For the start of a program, before anything else of OpenSSL: each thread keeps a few of the
 * buffers that connections take and give back with every record. A thread that ends frees its own.
 */
void tls_keep_buffers(void);
void tls_thread_ends(void);

/* Settings shared by many connections; reference counted, immutable, usable from any thread. */
struct tls_context;

/* A server with PEM files (chain and key); ALPN protocols it takes, best first, or NULL. */
int tls_context_server(const char *cert_file, const char *key_file, const char *const *alpn,
                       struct tls_context **ret, struct err *err);
/* Adds a further certificate chosen by SNI. To be called before the context is shared. */
int tls_context_add_certificate(struct tls_context *ctx, const char *cert_file,
                                const char *key_file, struct err *err);
/*
 * A client that verifies against the system's store (or `ca_file`), or not at all (`insecure`:
 * only for targets that DESIGN says so for). One that verifies takes up sessions that connections
 * of this context have had with the same host, within two hours of the last check.
 */
struct tls_client_options {
    const char *ca_file; /* PEM, besides the system's; NULL: none */
    bool insecure;
    const char *const *alpn;
};
int tls_context_client(const struct tls_client_options *options, struct tls_context **ret,
                       struct err *err);
/*
 * Either end of a peer session: TLS 1.3, both sides authenticated by pinned key, ALPN adit/1 or
 * (bulk lanes) adit-lane/1, AES-128-GCM first where the CPU has AES. The pin of the other side is
 * given per connection; tls_alpn() says what a client has asked for.
 */
int tls_context_peer(const struct tls_identity *id, struct tls_context **ret, struct err *err);
/* The pin of the identity that a context from tls_context_peer() shows. */
const struct tls_pin *tls_context_pin(const struct tls_context *ctx);
struct tls_context *tls_context_ref(struct tls_context *ctx);
struct tls_context *tls_context_unref(struct tls_context *ctx);

/* The library whose AES-GCM seals the records here, with its version, for people to read. */
const char *tls_aes_gcm(void);

/* result: 0, or negative with the reason in `err` (borrowed). The stream is usable after 0. */
typedef void tls_done_fn(struct stream *tls, int result, const struct err *err, void *ud);

/*
 * For a peer that answers strangers: a client hello came, asking for `name` by SNI ("": none).
 * True: go on, and the client must have the key `ret_pin`. False: the handshake is refused before
 * anything of ours was shown. May be called again in one handshake; may not free the stream.
 */
typedef bool tls_expect_fn(struct stream *tls, const char *name, struct tls_pin *ret_pin, void *ud);

struct tls_start_options {
    bool server;
    const char *host;          /* client: name or address to verify, for SNI; NULL for peers */
    const struct tls_pin *pin; /* peers: the key the other side must have (copied) */
    const char *peer_name;     /* peers, client: what to ask for by SNI; NULL: nothing */
    const char *peer_alpn;     /* peers, client: the one protocol offered; NULL: adit/1 */
    tls_expect_fn *expect;     /* peers, server: instead of `pin`; gets `ud` */
    tls_done_fn *done;         /* never runs inside tls_start */
    void *ud;
};
/*
 * Starts a handshake over `next` (taken over). The caller bounds it in time. Freeing the stream
 * cancels it.
 *
 * The stream's shutdown sends close_notify and leaves `next` open. An end of `next` without
 * close_notify is -ECONNRESET; -EKEYREJECTED from recv or send: the other side refused our
 * certificate (in TLS 1.3 a client's handshake has succeeded by then). A stream that is freed
 * after its shutdown stays without its owner until all is sent, at most 30 s; one that is freed
 * without a shutdown leaves the other side with -ECONNRESET.
 */
struct stream *tls_start(struct tls_context *ctx, struct stream *next,
                         const struct tls_start_options *options);
/* The protocol chosen by ALPN, or "" . */
const char *tls_alpn(const struct stream *tls);
/* The name the client asked for by SNI, or "". */
const char *tls_server_name(const struct stream *tls);
/* Whether an earlier session was taken up, without a certificate. After the handshake. */
bool tls_resumed(const struct stream *tls);

/*
 * Leaving TLS, one direction at a time, for bytes that are protected by themselves (SSH). Both
 * sides must agree where: the sender leaves behind something that the receiver understands as the
 * last. The end of a direction that has left is the end of `next`, and its shutdown shuts that
 * down.
 */
/* From here on nothing beyond a record is taken from `next`: to be called on the receiving side
   before the other one can have left. */
void tls_read_exactly(struct stream *tls);
/* What is sent after this goes as it is. After the handshake; not after a shutdown. */
void tls_leave_sending(struct stream *tls);
/* What comes after the record that was read last is as it is. */
void tls_leave_receiving(struct stream *tls);
