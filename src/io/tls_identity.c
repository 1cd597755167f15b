#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "io/tls_internal.h"

DEFINE_CLEANUP(BIO *, BIO_free);
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);

int tls_no_passphrase(char *buf, int size, int rwflag, void *ud)
{
    return -1;
}

static void check(bool ok)
{
    if (!ok) {
        fputs("adit: cannot make a key: the cryptographic library fails\n", stderr);
        abort();
    }
}

/* The key is what counts: name and dates of the certificate are never looked at. */
static X509 *certificate_around(EVP_PKEY *key)
{
    static const unsigned char name[] = "adit";
    X509 *cert = X509_new();
    uint64_t serial = 0;
    check(cert && RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1);
    /* RFC 5280 section 4.1.2.5: the value for "no well-defined expiration date". */
    ASN1_TIME_set_string(X509_getm_notBefore(cert), "20200101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(cert), "99991231235959Z");
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    check(X509_sign(cert, key, NULL) > 0);
    return cert;
}

struct tls_identity *tls_identity_new(void)
{
    struct tls_identity *id = new0(struct tls_identity);
    id->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    check(id->key != NULL);
    id->cert = certificate_around(id->key);
    return id;
}

struct tls_identity *tls_identity_free(struct tls_identity *id)
{
    if (!id)
        return NULL;
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
    free(id);
    return NULL;
}

DEFINE_CLEANUP(struct tls_identity *, tls_identity_free);

void tls_pin_of_certificate(X509 *cert, struct tls_pin *ret_pin)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    check(len > 0);
    SHA256(der, (size_t)len, ret_pin->sha256);
    OPENSSL_free(der);
}

void tls_identity_pin(const struct tls_identity *id, struct tls_pin *ret_pin)
{
    tls_pin_of_certificate(id->cert, ret_pin);
}

void tls_pins_digest(const char *label, const struct tls_pin *first, const struct tls_pin *second,
                     unsigned char ret[static TLS_PIN_LEN])
{
    _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    check(ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
          EVP_DigestUpdate(ctx, label, strlen(label) + 1) == 1 &&
          EVP_DigestUpdate(ctx, first->sha256, TLS_PIN_LEN) == 1 &&
          EVP_DigestUpdate(ctx, second->sha256, TLS_PIN_LEN) == 1 &&
          EVP_DigestFinal_ex(ctx, ret, NULL) == 1);
}

char *tls_identity_to_pem(const struct tls_identity *id)
{
    _cleanup_(BIO_freep) BIO *out = BIO_new(BIO_s_secmem());
    char *text;
    check(out && PEM_write_bio_PrivateKey(out, id->key, NULL, NULL, 0, NULL, NULL) == 1 &&
          PEM_write_bio_X509(out, id->cert) == 1);
    long len = BIO_get_mem_data(out, &text);
    return xstrndup(text, (size_t)len);
}

int tls_identity_from_pem(const char *pem, struct tls_identity **ret_id, struct err *err)
{
    _cleanup_(BIO_freep) BIO *in = BIO_new_mem_buf(pem, -1);
    _cleanup_(tls_identity_freep) struct tls_identity *id = new0(struct tls_identity);
    check(in != NULL);
    id->key = PEM_read_bio_PrivateKey(in, NULL, tls_no_passphrase, NULL);
    if (!id->key)
        return tls_err(err, -EINVAL, "cannot read the private key");
    if (!EVP_PKEY_is_a(id->key, "ED25519"))
        return err_set(err, -EINVAL, "the private key is not of the kind Ed25519");
    (void)BIO_reset(in);
    id->cert = PEM_read_bio_X509(in, NULL, tls_no_passphrase, NULL);
    if (!id->cert)
        return tls_err(err, -EINVAL, "cannot read the certificate");
    if (X509_check_private_key(id->cert, id->key) != 1)
        return tls_err(err, -EINVAL, "the certificate and the private key do not belong together");
    *ret_id = steal(&id);
    return 0;
}
