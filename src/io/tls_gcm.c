/*
 * A message goes through the states NO_IV -> IV_SET -> STARTED -> FINISHED. An IV is good for one
 * message: a FINISHED one takes nothing until a new IV is set.
 *
 * TLS 1.3 sets an IV and gives the associated data, the text and (opening) the tag for each record,
 * through the general calls. TLS 1.2 sets the fixed part of the IV once, announces a record by its
 * associated data (TLS1_AAD) and then gives the whole record, with room for the explicit part of
 * the IV in front and for the tag behind it, in one call of update (RFC 5288 section 3).
 */
#include "io/tls_gcm.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/proverr.h>
#include <openssl/rand.h>

#include "base/cleanup.h"
#include "io/tls_gcm_vaes.h"

enum {
    TLS_FIXED_IV_LEN = EVP_GCM_TLS_FIXED_IV_LEN,
    TLS_EXPLICIT_IV_LEN = EVP_GCM_TLS_EXPLICIT_IV_LEN,
    TLS_AAD_LEN = EVP_AEAD_TLS1_AAD_LEN
};

/* NIST SP 800-38D section 5.2.1.1: 2^39 - 256 bits. */
#define TEXT_MOST ((UINT64_C(1) << 36) - 32)

enum message { NO_IV, IV_SET, STARTED, FINISHED };

struct gcm {
    _Alignas(GCM_KEY_ALIGN) struct gcm_key_data key;
    struct gcm_context_data stream;
    const struct gcm_routines *routines;
    uint64_t text_len; /* of this message, so far */
    enum message message;
    bool seals;
    bool has_key;
    bool has_tag;
    bool has_fixed_iv;   /* TLS 1.2: the rest is counted or comes with the record */
    bool record_is_next; /* TLS 1.2: tls_aad is that of what the next update gives */
    unsigned char iv[GCM_IV_LEN];
    unsigned char tag[GCM_TAG_LEN];
    unsigned char tls_aad[TLS_AAD_LEN];
};

static int refuse(int reason)
{
    ERR_raise(ERR_LIB_PROV, reason);
    return 0;
}

static void *gcm_new(const struct gcm_routines *routines)
{
    struct gcm *g = aligned_alloc(GCM_KEY_ALIGN, sizeof(*g));
    if (!g)
        return NULL;
    memset(g, 0, sizeof(*g));
    g->routines = routines;
    return g;
}

static void *new_128(void *provider)
{
    return gcm_new(&gcm_vaes_128);
}

static void *new_256(void *provider)
{
    return gcm_new(&gcm_vaes_256);
}

static void gcm_free(void *ctx)
{
    struct gcm *g = ctx;
    if (!g)
        return;
    OPENSSL_cleanse(g, sizeof(*g));
    free(g);
}

/* ---- parameters ---- */

static int set_tag(struct gcm *g, const OSSL_PARAM *p)
{
    void *tag = g->tag;
    size_t len;
    if (g->seals || !OSSL_PARAM_get_octet_string(p, &tag, sizeof(g->tag), &len) ||
        len != GCM_TAG_LEN)
        return refuse(PROV_R_INVALID_TAG);
    g->has_tag = true;
    return 1;
}

static int set_iv_len(const OSSL_PARAM *p)
{
    size_t len;
    if (!OSSL_PARAM_get_size_t(p, &len) || len != GCM_IV_LEN)
        return refuse(PROV_R_INVALID_IV_LENGTH);
    return 1;
}

static int set_fixed_iv(struct gcm *g, const OSSL_PARAM *p)
{
    void *iv = g->iv;
    size_t len;
    if (!g->has_key || !OSSL_PARAM_get_octet_string(p, &iv, TLS_FIXED_IV_LEN, &len) ||
        len != TLS_FIXED_IV_LEN)
        return refuse(PROV_R_INVALID_IV_LENGTH);
    /* RFC 5288 section 3: the explicit part may begin anywhere and be counted. */
    if (g->seals && RAND_bytes(g->iv + TLS_FIXED_IV_LEN, TLS_EXPLICIT_IV_LEN) != 1)
        return 0;
    g->has_fixed_iv = true;
    g->message = FINISHED;
    return 1;
}

/* The length at the end is that of the record's body; the tag is over that of the text. */
static int announce_record(struct gcm *g, const OSSL_PARAM *p)
{
    void *aad = g->tls_aad;
    size_t aad_len;
    size_t around = TLS_EXPLICIT_IV_LEN + (g->seals ? 0 : GCM_TAG_LEN);
    if (!OSSL_PARAM_get_octet_string(p, &aad, TLS_AAD_LEN, &aad_len) || aad_len != TLS_AAD_LEN)
        return refuse(PROV_R_INVALID_AAD);
    size_t len = (size_t)g->tls_aad[TLS_AAD_LEN - 2] << 8 | g->tls_aad[TLS_AAD_LEN - 1];
    if (len < around)
        return refuse(PROV_R_INVALID_AAD);
    len -= around;
    g->tls_aad[TLS_AAD_LEN - 2] = (unsigned char)(len >> 8);
    g->tls_aad[TLS_AAD_LEN - 1] = (unsigned char)(len & 0xff);
    g->record_is_next = true;
    return 1;
}

static int gcm_set_ctx_params(void *ctx, const OSSL_PARAM params[])
{
    struct gcm *g = ctx;
    const OSSL_PARAM *p;
    if (!params)
        return 1;
    if ((p = OSSL_PARAM_locate_const(params, OSSL_CIPHER_PARAM_AEAD_TAG)) && !set_tag(g, p))
        return 0;
    if ((p = OSSL_PARAM_locate_const(params, OSSL_CIPHER_PARAM_AEAD_IVLEN)) && !set_iv_len(p))
        return 0;
    if ((p = OSSL_PARAM_locate_const(params, OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED)) &&
        !set_fixed_iv(g, p))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_CIPHER_PARAM_AEAD_TLS1_AAD);
    return p ? announce_record(g, p) : 1;
}

static int give_size(OSSL_PARAM params[], const char *name, size_t size)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, name);
    return !p || OSSL_PARAM_set_size_t(p, size);
}

/* Only a finished message that was sealed has a tag to give. */
static int give_tag(const struct gcm *g, OSSL_PARAM params[])
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_AEAD_TAG);
    if (!p)
        return 1;
    if (!g->seals || !g->has_tag || p->data_size != GCM_TAG_LEN)
        return refuse(PROV_R_INVALID_TAG);
    return OSSL_PARAM_set_octet_string(p, g->tag, GCM_TAG_LEN);
}

static int gcm_get_ctx_params(void *ctx, OSSL_PARAM params[])
{
    const struct gcm *g = ctx;
    return give_size(params, OSSL_CIPHER_PARAM_KEYLEN, g->routines->key_len) &&
           give_size(params, OSSL_CIPHER_PARAM_IVLEN, GCM_IV_LEN) &&
           give_size(params, OSSL_CIPHER_PARAM_AEAD_TAGLEN, GCM_TAG_LEN) &&
           give_size(params, OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD, GCM_TAG_LEN) &&
           give_tag(g, params);
}

static int give_params(OSSL_PARAM params[], size_t key_len)
{
    static const char *const yes[] = {OSSL_CIPHER_PARAM_AEAD, OSSL_CIPHER_PARAM_CUSTOM_IV};
    OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_MODE);
    if (p && !OSSL_PARAM_set_uint(p, EVP_CIPH_GCM_MODE))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if ((p = OSSL_PARAM_locate(params, yes[i])) && !OSSL_PARAM_set_int(p, 1))
            return 0;
    return give_size(params, OSSL_CIPHER_PARAM_KEYLEN, key_len) &&
           give_size(params, OSSL_CIPHER_PARAM_IVLEN, GCM_IV_LEN) &&
           give_size(params, OSSL_CIPHER_PARAM_BLOCK_SIZE, 1);
}

static int params_128(OSSL_PARAM params[])
{
    return give_params(params, gcm_vaes_128.key_len);
}

static int params_256(OSSL_PARAM params[])
{
    return give_params(params, gcm_vaes_256.key_len);
}

static const OSSL_PARAM *gcm_gettable_params(void *provider)
{
    static const OSSL_PARAM known[] = {OSSL_PARAM_uint(OSSL_CIPHER_PARAM_MODE, NULL),
                                       OSSL_PARAM_int(OSSL_CIPHER_PARAM_AEAD, NULL),
                                       OSSL_PARAM_int(OSSL_CIPHER_PARAM_CUSTOM_IV, NULL),
                                       OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, NULL),
                                       OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, NULL),
                                       OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_BLOCK_SIZE, NULL),
                                       OSSL_PARAM_END};
    return known;
}

static const OSSL_PARAM *gcm_gettable_ctx_params(void *ctx, void *provider)
{
    static const OSSL_PARAM known[] = {OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, NULL),
                                       OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, NULL),
                                       OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_TAGLEN, NULL),
                                       OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD, NULL),
                                       OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, 0),
                                       OSSL_PARAM_END};
    return known;
}

static const OSSL_PARAM *gcm_settable_ctx_params(void *ctx, void *provider)
{
    static const OSSL_PARAM known[] = {
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_IVLEN, NULL),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, NULL, 0), OSSL_PARAM_END};
    return known;
}

/* ---- messages ---- */

/* Key and IV may come together or one after the other; each stays until there is a new one. */
static int set_up(struct gcm *g, bool seals, const unsigned char *key, size_t key_len,
                  const unsigned char *iv, size_t iv_len)
{
    g->seals = seals;
    g->has_tag = false;
    g->record_is_next = false;
    if (iv) {
        if (iv_len != GCM_IV_LEN)
            return refuse(PROV_R_INVALID_IV_LENGTH);
        memcpy(g->iv, iv, GCM_IV_LEN);
        g->has_fixed_iv = false;
        g->message = IV_SET;
    }
    if (key) {
        if (key_len != g->routines->key_len)
            return refuse(PROV_R_INVALID_KEY_LENGTH);
        gcm_set_key(g->routines, key, &g->key);
        g->has_key = true;
        /* A message that was begun under the old key cannot go on. */
        if (g->message == STARTED)
            g->message = FINISHED;
    }
    return 1;
}

static int gcm_encrypt_init(void *ctx, const unsigned char *key, size_t key_len,
                            const unsigned char *iv, size_t iv_len, const OSSL_PARAM params[])
{
    return set_up(ctx, true, key, key_len, iv, iv_len) && gcm_set_ctx_params(ctx, params);
}

static int gcm_decrypt_init(void *ctx, const unsigned char *key, size_t key_len,
                            const unsigned char *iv, size_t iv_len, const OSSL_PARAM params[])
{
    return set_up(ctx, false, key, key_len, iv, iv_len) && gcm_set_ctx_params(ctx, params);
}

static void start(struct gcm *g, const unsigned char *aad, size_t aad_len)
{
    g->routines->start(&g->key, &g->stream, g->iv, aad, aad_len);
    g->text_len = 0;
    g->message = STARTED;
}

static void crypt_text(struct gcm *g, unsigned char *out, const unsigned char *in, size_t len)
{
    (g->seals ? g->routines->seal : g->routines->open)(&g->key, &g->stream, out, in, len);
}

/* Nothing more can be done under this IV. */
static void finish(struct gcm *g, unsigned char ret_tag[static GCM_TAG_LEN])
{
    (g->seals ? g->routines->finish_sealing : g->routines->finish_opening)(&g->key, &g->stream,
                                                                           ret_tag, GCM_TAG_LEN);
    g->message = FINISHED;
}

static int add_aad(struct gcm *g, const unsigned char *aad, size_t len)
{
    if (g->message != IV_SET)
        return refuse(PROV_R_INVALID_AAD);
    start(g, aad, len);
    return 1;
}

static int add_text(struct gcm *g, unsigned char *out, const unsigned char *in, size_t len)
{
    if (g->message == IV_SET)
        start(g, NULL, 0);
    if (len > TEXT_MOST - g->text_len)
        return refuse(PROV_R_CIPHER_OPERATION_FAILED);
    g->text_len += len;
    crypt_text(g, out, in, len);
    return 1;
}

/* ---- TLS 1.2 ---- */

/* 2^64 records are never reached. */
static void count_record(struct gcm *g)
{
    for (size_t i = GCM_IV_LEN; i > TLS_FIXED_IV_LEN; i--)
        if (++g->iv[i - 1] != 0)
            break;
}

/* With the explicit IV written in front of the text and the tag behind it. */
static size_t seal_record(struct gcm *g, unsigned char *record, size_t len)
{
    unsigned char *text = record + TLS_EXPLICIT_IV_LEN;
    size_t text_len = len - TLS_EXPLICIT_IV_LEN - GCM_TAG_LEN;
    memcpy(record, g->iv + TLS_FIXED_IV_LEN, TLS_EXPLICIT_IV_LEN);
    start(g, g->tls_aad, TLS_AAD_LEN);
    if (text_len > 0)
        crypt_text(g, text, text, text_len);
    finish(g, text + text_len);
    count_record(g);
    return len;
}

/* 0 with *ret_len the text's, which stays where it is; -1: forged, and nothing of it is left. */
static int open_record(struct gcm *g, unsigned char *record, size_t len, size_t *ret_len)
{
    unsigned char *text = record + TLS_EXPLICIT_IV_LEN;
    size_t text_len = len - TLS_EXPLICIT_IV_LEN - GCM_TAG_LEN;
    unsigned char tag[GCM_TAG_LEN];
    memcpy(g->iv + TLS_FIXED_IV_LEN, record, TLS_EXPLICIT_IV_LEN);
    start(g, g->tls_aad, TLS_AAD_LEN);
    if (text_len > 0)
        crypt_text(g, text, text, text_len);
    finish(g, tag);
    bool genuine = CRYPTO_memcmp(tag, text + text_len, GCM_TAG_LEN) == 0;
    OPENSSL_cleanse(tag, sizeof(tag));
    if (!genuine) {
        OPENSSL_cleanse(text, text_len);
        return -1;
    }
    *ret_len = text_len;
    return 0;
}

static int crypt_record(struct gcm *g, unsigned char *out, size_t *ret_len, const unsigned char *in,
                        size_t len)
{
    g->record_is_next = false;
    if (!out || in != out || len < TLS_EXPLICIT_IV_LEN + GCM_TAG_LEN || !g->has_fixed_iv)
        return refuse(PROV_R_CIPHER_OPERATION_FAILED);
    if (!g->seals)
        return open_record(g, out, len, ret_len) == 0;
    *ret_len = seal_record(g, out, len);
    return 1;
}

/* ---- the general calls ---- */

static int gcm_update(void *ctx, unsigned char *out, size_t *ret_len, size_t out_size,
                      const unsigned char *in, size_t len)
{
    struct gcm *g = ctx;
    *ret_len = 0;
    if (len == 0)
        return 1;
    if (!g->has_key)
        return refuse(PROV_R_NO_KEY_SET);
    if (out && out_size < len)
        return refuse(PROV_R_OUTPUT_BUFFER_TOO_SMALL);
    if (g->record_is_next)
        return crypt_record(g, out, ret_len, in, len);
    if (g->message != IV_SET && g->message != STARTED)
        return refuse(PROV_R_CIPHER_OPERATION_FAILED);
    if (!(out ? add_text(g, out, in, len) : add_aad(g, in, len)))
        return 0;
    *ret_len = len;
    return 1;
}

static int gcm_final(void *ctx, unsigned char *out, size_t *ret_len, size_t out_size)
{
    struct gcm *g = ctx;
    unsigned char tag[GCM_TAG_LEN];
    *ret_len = 0;
    if (!g->has_key || (g->message != IV_SET && g->message != STARTED))
        return refuse(PROV_R_CIPHER_OPERATION_FAILED);
    if (!g->seals && !g->has_tag)
        return refuse(PROV_R_TAG_NOT_SET);
    if (g->message == IV_SET)
        start(g, NULL, 0);
    if (g->seals) {
        finish(g, g->tag);
        g->has_tag = true;
        return 1;
    }
    finish(g, tag);
    bool genuine = CRYPTO_memcmp(tag, g->tag, GCM_TAG_LEN) == 0;
    OPENSSL_cleanse(tag, sizeof(tag));
    g->has_tag = false;
    return genuine;
}

#define FUNCTION(name, f)                                                                          \
    {                                                                                              \
        OSSL_FUNC_CIPHER_##name, (void (*)(void))(f)                                               \
    }

#define DISPATCH(bits)                                                                             \
    {                                                                                              \
        FUNCTION(NEWCTX, new_##bits), FUNCTION(FREECTX, gcm_free),                                 \
            FUNCTION(ENCRYPT_INIT, gcm_encrypt_init), FUNCTION(DECRYPT_INIT, gcm_decrypt_init),    \
            FUNCTION(UPDATE, gcm_update), FUNCTION(FINAL, gcm_final),                              \
            FUNCTION(GET_PARAMS, params_##bits), FUNCTION(GETTABLE_PARAMS, gcm_gettable_params),   \
            FUNCTION(GET_CTX_PARAMS, gcm_get_ctx_params),                                          \
            FUNCTION(GETTABLE_CTX_PARAMS, gcm_gettable_ctx_params),                                \
            FUNCTION(SET_CTX_PARAMS, gcm_set_ctx_params),                                          \
            FUNCTION(SETTABLE_CTX_PARAMS, gcm_settable_ctx_params),                                \
        {                                                                                          \
            0, NULL                                                                                \
        }                                                                                          \
    }

const OSSL_DISPATCH tls_gcm_128[] = DISPATCH(128);
const OSSL_DISPATCH tls_gcm_256[] = DISPATCH(256);
