#include <dirent.h>
#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "io/tls_internal.h"
#include "io/tls_provider.h"

#define PEER_PROTOCOL "adit/1"
#define LANE_PROTOCOL "adit-lane/1"

#define SUITES_AES    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"
#define SUITES_CHACHA "TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS_12    "ECDHE+AESGCM:ECDHE+CHACHA20"

/* One certificate around an Ed25519 key has some 300 bytes. */
enum { PEER_CERTIFICATE_MOST = 4096 };

/* As long as OpenSSL's servers take a ticket. */
static const usec_t session_trusted_for = 2 * USEC_PER_HOUR;

int tls_err(struct err *err, int code, const char *fmt, ...)
{
    unsigned long e = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(e) ? NULL : ERR_reason_error_string(e);
    char system_reason[128];
    if (ERR_SYSTEM_ERROR(e))
        reason = strerror_r(ERR_GET_REASON(e), system_reason, sizeof(system_reason));
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, code, fmt, ap);
    va_end(ap);
    if (err) {
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof(err->text) - used, ": %s",
                 reason ? reason : "unknown reason");
    }
    ERR_clear_error();
    return code;
}

static SSL_CTX *base_ctx(const SSL_METHOD *tls_method, int least_version)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(NULL, tls_provider_query(), tls_method);
    if (!ctx) {
        fputs("adit: cannot set up TLS: the cryptographic library fails\n", stderr);
        abort();
    }
    SSL_CTX_set_min_proto_version(ctx, least_version);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, tls_no_passphrase);
    SSL_CTX_set_cipher_list(ctx, CIPHERS_12);
    SSL_CTX_set_ciphersuites(ctx, cpu_has_aes() ? SUITES_AES ":" SUITES_CHACHA
                                                : SUITES_CHACHA ":" SUITES_AES);
    return ctx;
}

static struct tls_context *context_new(enum tls_kind kind, SSL_CTX *ctx)
{
    struct tls_context *c = new0(struct tls_context);
    atomic_init(&c->refs, 1);
    c->kind = kind;
    c->ctx = ctx;
    return c;
}

const struct tls_pin *tls_context_pin(const struct tls_context *ctx)
{
    return &ctx->pin;
}

struct tls_context *tls_context_ref(struct tls_context *ctx)
{
    atomic_fetch_add(&ctx->refs, 1);
    return ctx;
}

struct tls_context *tls_context_unref(struct tls_context *ctx)
{
    if (!ctx || atomic_fetch_sub(&ctx->refs, 1) > 1)
        return NULL;
    struct tls_extra_certificate *e;
    while ((e = ctx->extra)) {
        ctx->extra = e->next;
        SSL_CTX_free(e->ctx);
        free(e);
    }
    SSL_CTX_free(ctx->ctx);
    tls_sessions_free(ctx->sessions);
    free(ctx->alpn);
    free(ctx);
    return NULL;
}

DEFINE_CLEANUP(struct tls_context *, tls_context_unref);

/* Names of 1 to 255 bytes, each with its length in front (RFC 7301 section 3.1). */
static void set_alpn(struct tls_context *c, const char *const *names)
{
    struct buf wire = BUF_INIT(65535);
    for (; names && *names; names++) {
        size_t len = strlen(*names);
        if (len < 1 || len > 255)
            continue;
        buf_append_byte(&wire, (unsigned char)len);
        buf_append(&wire, *names, len);
    }
    if (wire.len > 0) {
        c->alpn = xmemdup(buf_data(&wire), wire.len);
        c->alpn_len = wire.len;
    }
    buf_deinit(&wire);
}

/* A client that offers protocols of which none is ours is refused (RFC 7301 section 3.2). */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *offered, unsigned offered_len, void *ud)
{
    const struct tls_context *c = ud;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, c->alpn, (unsigned)c->alpn_len, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int use_certificate(SSL_CTX *ctx, const char *cert_file, const char *key_file,
                           struct err *err)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return tls_err(err, -EINVAL, "cannot use the certificate %s", cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        return tls_err(err, -EINVAL, "cannot use the private key %s", key_file);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return tls_err(err, -EINVAL, "%s does not belong to %s", key_file, cert_file);
    return 0;
}

static SSL_CTX *server_ctx(struct tls_context *c)
{
    SSL_CTX *ctx = base_ctx(TLS_server_method(), TLS1_2_VERSION);
    SSL_CTX_set_num_tickets(ctx, 1);
    if (c->alpn)
        SSL_CTX_set_alpn_select_cb(ctx, select_alpn, c);
    return ctx;
}

int tls_context_server(const char *cert_file, const char *key_file, const char *const *alpn,
                       struct tls_context **ret, struct err *err)
{
    _cleanup_(tls_context_unrefp) struct tls_context *c = context_new(TLS_KIND_SERVER, NULL);
    set_alpn(c, alpn);
    c->ctx = server_ctx(c);
    int r = use_certificate(c->ctx, cert_file, key_file, err);
    if (r < 0)
        return r;
    *ret = steal(&c);
    return 0;
}

/* Whoever asks for a name that no certificate is for gets the first one. */
static int choose_certificate(SSL *ssl, int *alert, void *ud)
{
    struct tls_context *c = ud;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!name || X509_check_host(SSL_CTX_get0_certificate(c->ctx), name, 0, 0, NULL) == 1)
        return SSL_TLSEXT_ERR_OK;
    for (struct tls_extra_certificate *e = c->extra; e; e = e->next) {
        if (X509_check_host(SSL_CTX_get0_certificate(e->ctx), name, 0, 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, e->ctx);
            break;
        }
    }
    return SSL_TLSEXT_ERR_OK;
}

int tls_context_add_certificate(struct tls_context *ctx, const char *cert_file,
                                const char *key_file, struct err *err)
{
    SSL_CTX *added = server_ctx(ctx);
    int r = use_certificate(added, cert_file, key_file, err);
    if (r < 0) {
        SSL_CTX_free(added);
        return r;
    }
    struct tls_extra_certificate *e = new0(struct tls_extra_certificate);
    e->ctx = added;
    e->next = ctx->extra;
    ctx->extra = e;
    SSL_CTX_set_tlsext_servername_callback(ctx->ctx, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(ctx->ctx, ctx);
    return 0;
}

/* "5ad8a5d6.0": a name that OpenSSL looks a certificate up by. */
static bool is_hashed_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == 8 && strcmp(name + 8, ".0") == 0;
}

static bool is_hashed_folder(const char *path)
{
    DIR *dir = opendir(path);
    bool found = false;
    const struct dirent *entry;
    while (dir && !found && (entry = readdir(dir)))
        found = is_hashed_name(entry->d_name);
    if (dir)
        closedir(dir);
    return found;
}

/*
 * From a hashed folder each certificate is read when it is needed; the one large file of all
 * costs a megabyte for as long as the process lives, so it is used only where it must be.
 */
static void trust_system(SSL_CTX *ctx)
{
    const char *file = secure_getenv(X509_get_default_cert_file_env());
    const char *folder = secure_getenv(X509_get_default_cert_dir_env());
    SSL_CTX_set_default_verify_dir(ctx);
    if (file || !is_hashed_folder(folder ? folder : X509_get_default_cert_dir()))
        SSL_CTX_set_default_verify_file(ctx);
}

int tls_context_client(const struct tls_client_options *options, struct tls_context **ret,
                       struct err *err)
{
    SSL_CTX *ctx = base_ctx(TLS_client_method(), TLS1_2_VERSION);
    _cleanup_(tls_context_unrefp) struct tls_context *c = context_new(TLS_KIND_CLIENT, ctx);
    c->insecure = options->insecure;
    SSL_CTX_set_verify(ctx, options->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (!options->insecure) {
        trust_system(ctx);
        c->sessions = tls_sessions_new(ctx, session_trusted_for);
    }
    if (options->ca_file && SSL_CTX_load_verify_file(ctx, options->ca_file) != 1)
        return tls_err(err, -EINVAL, "cannot use the CA file %s", options->ca_file);
    set_alpn(c, options->alpn);
    if (c->alpn)
        SSL_CTX_set_alpn_protos(ctx, c->alpn, (unsigned)c->alpn_len);
    ERR_clear_error();
    *ret = steal(&c);
    return 0;
}

int tls_context_peer(const struct tls_identity *id, struct tls_context **ret, struct err *err)
{
    static const char *const alpn[] = {PEER_PROTOCOL, LANE_PROTOCOL, NULL};
    SSL_CTX *ctx = base_ctx(TLS_method(), TLS1_3_VERSION);
    _cleanup_(tls_context_unrefp) struct tls_context *c = context_new(TLS_KIND_PEER, ctx);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, tls_verify_pin, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, tls_peer_asked);
    SSL_CTX_set_max_cert_list(ctx, PEER_CERTIFICATE_MOST);
    /* A resumed session would not show the certificate again. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 0);
    set_alpn(c, alpn);
    /* Whoever begins asks for the first, unless the connection says another one. */
    SSL_CTX_set_alpn_protos(ctx, c->alpn, c->alpn[0] + 1U);
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, c);
    if (SSL_CTX_use_certificate(ctx, id->cert) != 1 || SSL_CTX_use_PrivateKey(ctx, id->key) != 1)
        return tls_err(err, -EINVAL, "cannot use the key");
    tls_identity_pin(id, &c->pin);
    *ret = steal(&c);
    return 0;
}
