/*
 * The provider is built into the program and lives in the default library context beside whatever
 * the machine's openssl.cnf has loaded there. Who asks for a cipher without naming a provider would
 * get one of two; so the context's default properties exclude ours, and only a query that names it
 * (that of our TLS contexts) sees it. It is loaded when the first TLS context is made and stays.
 */
#include "io/tls_provider.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "io/tls.h"
#include "io/tls_gcm.h"
#include "io/tls_gcm_vaes.h"

#define NAME     "adit"
#define QUERY    "?provider=" NAME
#define EXCLUDED "provider!=" NAME

static OSSL_PROVIDER *loaded; /* NULL: not in use */

/* ---- as OpenSSL sees it ---- */

static const OSSL_PARAM *gettable_params(void *provider)
{
    static const OSSL_PARAM known[] = {OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
                                       OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, NULL, 0),
                                       OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
                                       OSSL_PARAM_END};
    return known;
}

static int get_params(void *provider, OSSL_PARAM params[])
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_NAME);
    if (p && !OSSL_PARAM_set_utf8_ptr(p, NAME))
        return 0;
    if ((p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_VERSION)) &&
        !OSSL_PARAM_set_utf8_ptr(p, ADIT_VERSION))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
    return !p || OSSL_PARAM_set_int(p, 1);
}

static const OSSL_ALGORITHM *query_operation(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM ciphers[] = {
        {"AES-128-GCM:id-aes128-GCM:2.16.840.1.101.3.4.1.6", "provider=" NAME, tls_gcm_128, NULL},
        {"AES-256-GCM:id-aes256-GCM:2.16.840.1.101.3.4.1.46", "provider=" NAME, tls_gcm_256, NULL},
        {NULL, NULL, NULL, NULL}};
    *no_cache = 0;
    return operation == OSSL_OP_CIPHER ? ciphers : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *from_core,
                         const OSSL_DISPATCH **to_core, void **ret_provider)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))gettable_params},
        {OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))get_params},
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query_operation},
        {0, NULL}};
    static char nothing_of_its_own;
    *to_core = functions;
    *ret_provider = &nothing_of_its_own;
    return 1;
}

/* ---- known answers ---- */

/* Test case 4 of the GCM specification of McGrew and Viega, and 16, with the key twice as long. */
static const unsigned char known_key[] =
    "\xfe\xff\xe9\x92\x86\x65\x73\x1c\x6d\x6a\x8f\x94\x67\x30\x83\x08"
    "\xfe\xff\xe9\x92\x86\x65\x73\x1c\x6d\x6a\x8f\x94\x67\x30\x83\x08";
static const unsigned char known_iv[] = "\xca\xfe\xba\xbe\xfa\xce\xdb\xad\xde\xca\xf8\x88";
static const unsigned char known_aad[] =
    "\xfe\xed\xfa\xce\xde\xad\xbe\xef\xfe\xed\xfa\xce\xde\xad\xbe\xef\xab\xad\xda\xd2";
static const unsigned char known_text[] =
    "\xd9\x31\x32\x25\xf8\x84\x06\xe5\xa5\x59\x09\xc5\xaf\xf5\x26\x9a"
    "\x86\xa7\xa9\x53\x15\x34\xf7\xda\x2e\x4c\x30\x3d\x8a\x31\x8a\x72"
    "\x1c\x3c\x0c\x95\x95\x68\x09\x53\x2f\xcf\x0e\x24\x49\xa6\xb5\x25"
    "\xb1\x6a\xed\xf5\xaa\x0d\xe6\x57\xba\x63\x7b\x39";
static const unsigned char known_tag_128[] =
    "\x5b\xc9\x4f\xbc\x32\x21\xa5\xdb\x94\xfa\xe9\x5a\xe7\x12\x1a\x47";
static const unsigned char known_tag_256[] =
    "\x76\xfc\x6e\xce\x0f\x4e\x17\x68\xcd\xdf\x88\x53\xbb\x2d\x55\x1b";

/* The tag is over the sealed text, so that one that is right tells that both are. */
static bool answers(const struct gcm_routines *r, const unsigned char *known_tag)
{
    _Alignas(GCM_KEY_ALIGN) struct gcm_key_data key;
    struct gcm_context_data stream;
    unsigned char text[sizeof(known_text) - 1], tag[GCM_TAG_LEN];
    const size_t aad_len = sizeof(known_aad) - 1;
    memcpy(text, known_text, sizeof(text));
    gcm_set_key(r, known_key, &key);
    r->start(&key, &stream, known_iv, known_aad, aad_len);
    r->seal(&key, &stream, text, text, sizeof(text));
    r->finish_sealing(&key, &stream, tag, sizeof(tag));
    if (memcmp(tag, known_tag, sizeof(tag)) != 0)
        return false;
    r->start(&key, &stream, known_iv, known_aad, aad_len);
    r->open(&key, &stream, text, text, sizeof(text));
    r->finish_opening(&key, &stream, tag, sizeof(tag));
    return memcmp(tag, known_tag, sizeof(tag)) == 0 && memcmp(text, known_text, sizeof(text)) == 0;
}

/* ---- loading ---- */

static bool is_wanted(void)
{
    const char *off = secure_getenv("ADIT_NO_IPSEC_MB");
    return !(off && *off) && gcm_vaes_runs_here() && answers(&gcm_vaes_128, known_tag_128) &&
           answers(&gcm_vaes_256, known_tag_256);
}

static void load(void)
{
    if (!is_wanted())
        return;
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    /* FIPS algorithms only: ours are not certified. The default properties exclude the provider
       before it is there, so that no other thread ever gets it without asking. */
    if (!EVP_default_properties_is_fips_enabled(NULL) &&
        OSSL_PROVIDER_add_builtin(NULL, NAME, provider_init) == 1 &&
        EVP_set_default_properties(NULL, EXCLUDED) == 1)
        loaded = OSSL_PROVIDER_try_load(NULL, NAME, 1);
    ERR_clear_error();
}

const char *tls_provider_query(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return loaded ? QUERY : NULL;
}

const char *tls_aes_gcm(void)
{
    return tls_provider_query() ? "Intel Multi-Buffer Crypto " IMB_VERSION_STR
                                : OpenSSL_version(OPENSSL_VERSION);
}
