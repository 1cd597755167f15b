#include "io/tls_gcm.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/cleanup.h"
#include "io/test_help.h"
#include "io/tls_gcm_vaes.h"
#include "io/tls_internal.h"
#include "io/tls_provider.h"

#define OURS   "provider=adit"
#define THEIRS "provider=default"

enum { TEXT_MOST = 20000, AAD_MOST = 300 };

/* The same in each run: 0 to `below` - 1 (the generator of POSIX's example of rand()). */
static size_t any(size_t below)
{
    static uint32_t next = 1;
    next = next * 1103515245 + 12345;
    return (size_t)(next >> 8) % below;
}

/* The library's routines clear it each time. */
extern int imb_errno;

static bool library_was_used(void)
{
    bool used = imb_errno == 0;
    imb_errno = 1;
    return used;
}

/* On another processor there is nothing to test but that OpenSSL is left alone. */
static void needs_provider(void)
{
    if (!gcm_vaes_runs_here()) {
        assert_null(tls_provider_query());
        skip();
    }
    assert_string_equal(tls_provider_query(), "?provider=adit");
}

static EVP_CIPHER *fetch(size_t key_len, const char *properties)
{
    EVP_CIPHER *cipher =
        EVP_CIPHER_fetch(NULL, key_len == 16 ? "AES-128-GCM" : "AES-256-GCM", properties);
    assert_non_null(cipher);
    return cipher;
}

/* ---- messages ---- */

struct message {
    unsigned char key[32], iv[GCM_IV_LEN], aad[AAD_MOST], text[TEXT_MOST], tag[GCM_TAG_LEN];
    size_t key_len, aad_len, len;
};

/* `len` bytes in random pieces, sealed or opened as the context was set up. */
static void in_pieces(EVP_CIPHER_CTX *c, unsigned char *out, const unsigned char *in, size_t len)
{
    for (size_t done = 0; done < len;) {
        size_t piece = 1 + any(any(2) ? 70 : TEXT_MOST);
        int n;
        if (piece > len - done)
            piece = len - done;
        assert_int_equal(EVP_CipherUpdate(c, out + done, &n, in + done, (int)piece), 1);
        assert_int_equal(n, piece);
        done += piece;
    }
}

static EVP_CIPHER_CTX *begin(const char *who, const struct message *m, int seals)
{
    EVP_CIPHER *cipher = fetch(m->key_len, who);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n;
    assert_int_equal(EVP_CipherInit_ex2(c, cipher, m->key, m->iv, seals, NULL), 1);
    if (m->aad_len > 0)
        assert_int_equal(EVP_CipherUpdate(c, NULL, &n, m->aad, (int)m->aad_len), 1);
    EVP_CIPHER_free(cipher);
    return c;
}

static void seal(const char *who, struct message *m)
{
    EVP_CIPHER_CTX *c = begin(who, m, 1);
    int n;
    in_pieces(c, m->text, m->text, m->len);
    assert_int_equal(EVP_CipherFinal_ex(c, m->tag, &n), 1);
    assert_int_equal(n, 0);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_LEN, m->tag), 1);
    EVP_CIPHER_CTX_free(c);
}

/* Whether it was genuine. */
static bool open_text(const char *who, struct message *m)
{
    EVP_CIPHER_CTX *c = begin(who, m, 0);
    static unsigned char out[TEXT_MOST];
    int n;
    in_pieces(c, out, m->text, m->len);
    memcpy(m->text, out, m->len);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN, m->tag), 1);
    bool genuine = EVP_CipherFinal_ex(c, out, &n) == 1;
    EVP_CIPHER_CTX_free(c);
    ERR_clear_error();
    return genuine;
}

/* ---- known answers ---- */

static size_t from_hex(const char *hex, unsigned char *ret)
{
    size_t len = 0;
    if (*hex)
        assert_int_equal(OPENSSL_hexstr2buf_ex(ret, 64, &len, hex, '\0'), 1);
    return len;
}

#define ZERO_16 "00000000000000000000000000000000"
#define ZERO_IV "000000000000000000000000"
#define KEY     "feffe9928665731c6d6a8f9467308308"
#define IV      "cafebabefacedbaddecaf888"
#define AAD     "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define TEXT_60                                                                                    \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                             \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define TEXT_64 TEXT_60 "1aafd255"
#define SEALED_128                                                                                 \
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"                             \
    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
#define SEALED_256                                                                                 \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"                             \
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"

/* The test cases of the GCM specification (McGrew and Viega, appendix B) with IVs of 12 bytes. */
static const struct {
    const char *key, *iv, *aad, *text, *sealed, *tag;
} known[] = {
    {ZERO_16, ZERO_IV, "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
    {ZERO_16, ZERO_IV, "", ZERO_16, "0388dace60b6a392f328c2b971b2fe78",
     "ab6e47d42cec13bdf53a67b21257bddf"},
    {KEY, IV, "", TEXT_64, SEALED_128 "473f5985", "4d5c2af327cd64a62cf35abd2ba6fab4"},
    {KEY, IV, AAD, TEXT_60, SEALED_128, "5bc94fbc3221a5db94fae95ae7121a47"},
    {ZERO_16 ZERO_16, ZERO_IV, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {ZERO_16 ZERO_16, ZERO_IV, "", ZERO_16, "cea7403d4d606b6e074ec5d3baf39d18",
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {KEY KEY, IV, "", TEXT_64, SEALED_256 "898015ad", "b094dac5d93471bdec1a502270e3cc6c"},
    {KEY KEY, IV, AAD, TEXT_60, SEALED_256, "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void known_answers_are_given(void **state)
{
    static struct message m;
    unsigned char sealed[64], tag[GCM_TAG_LEN];
    needs_provider();
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        m.key_len = from_hex(known[i].key, m.key);
        from_hex(known[i].iv, m.iv);
        m.aad_len = from_hex(known[i].aad, m.aad);
        m.len = from_hex(known[i].text, m.text);
        assert_int_equal(from_hex(known[i].sealed, sealed), m.len);
        from_hex(known[i].tag, tag);
        seal(OURS, &m);
        assert_memory_equal(m.text, sealed, m.len);
        assert_memory_equal(m.tag, tag, sizeof(tag));
        assert_true(open_text(OURS, &m));
        from_hex(known[i].text, sealed);
        assert_memory_equal(m.text, sealed, m.len);
    }
}

/* ---- beside OpenSSL's own ---- */

static void make_message(struct message *m, size_t len, size_t aad_len)
{
    assert_int_equal(RAND_bytes((unsigned char *)m, sizeof(*m)), 1);
    m->key_len = any(2) ? 16 : 32;
    m->aad_len = aad_len;
    m->len = len;
}

static void both_providers_seal_alike_and_open_each_others(void **state)
{
    static struct message plain, a, b;
    needs_provider();
    for (size_t i = 0; i < 2000; i++) {
        make_message(&plain, i < 600 ? i : any(TEXT_MOST), i < 300 ? i : any(AAD_MOST));
        a = b = plain;
        seal(OURS, &a);
        seal(THEIRS, &b);
        assert_memory_equal(a.tag, b.tag, GCM_TAG_LEN);
        assert_memory_equal(a.text, b.text, a.len);
        assert_true(open_text(OURS, &b));
        assert_memory_equal(b.text, plain.text, plain.len);
        assert_true(open_text(THEIRS, &a));
    }
}

static void what_was_changed_does_not_open(void **state)
{
    static struct message m, forged;
    needs_provider();
    for (size_t i = 0; i < 200; i++) {
        make_message(&m, 1 + any(2000), 1 + any(AAD_MOST));
        seal(OURS, &m);
        unsigned char bit = (unsigned char)(1U << any(8));
        forged = m;
        forged.tag[i % GCM_TAG_LEN] ^= bit;
        assert_false(open_text(OURS, &forged));
        forged = m;
        forged.text[any(m.len)] ^= bit;
        assert_false(open_text(OURS, &forged));
        forged = m;
        forged.aad[any(m.aad_len)] ^= bit;
        assert_false(open_text(OURS, &forged));
        forged = m;
        forged.iv[i % GCM_IV_LEN] ^= bit;
        assert_false(open_text(OURS, &forged));
        assert_true(open_text(OURS, &m));
    }
}

static void an_iv_is_good_for_one_message(void **state)
{
    static struct message m;
    unsigned char out[16];
    int n;
    needs_provider();
    make_message(&m, 16, 5);
    EVP_CIPHER_CTX *c = begin(OURS, &m, 1);
    assert_int_equal(EVP_CipherUpdate(c, out, &n, m.text, 16), 1);
    assert_int_equal(EVP_CipherFinal_ex(c, out, &n), 1);
    assert_int_not_equal(EVP_CipherUpdate(c, out, &n, m.text, 16), 1);
    assert_int_not_equal(EVP_CipherUpdate(c, NULL, &n, m.text, 16), 1);
    assert_int_not_equal(EVP_CipherFinal_ex(c, out, &n), 1);
    /* A new key alone is no new IV; a new IV is, under the same key. */
    assert_int_equal(EVP_CipherInit_ex(c, NULL, NULL, m.key, NULL, 1), 1);
    assert_int_not_equal(EVP_CipherUpdate(c, out, &n, m.text, 16), 1);
    m.iv[0] ^= 1;
    assert_int_equal(EVP_CipherInit_ex(c, NULL, NULL, NULL, m.iv, 1), 1);
    assert_int_equal(EVP_CipherUpdate(c, NULL, &n, m.aad, (int)m.aad_len), 1);
    assert_int_equal(EVP_CipherUpdate(c, out, &n, m.text, 16), 1);
    assert_int_equal(EVP_CipherFinal_ex(c, m.tag, &n), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, m.tag), 1);
    EVP_CIPHER_CTX_free(c);
    memcpy(m.text, out, 16);
    assert_true(open_text(THEIRS, &m));
    ERR_clear_error();
}

static void a_context_refuses_what_it_cannot_do(void **state)
{
    static struct message m;
    unsigned char out[16];
    int n;
    needs_provider();
    make_message(&m, 16, 5);
    EVP_CIPHER *cipher = fetch(16, OURS);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new(), *copy = EVP_CIPHER_CTX_new();
    /* Neither key nor IV. */
    assert_int_equal(EVP_CipherInit_ex2(c, cipher, NULL, NULL, 1, NULL), 1);
    assert_int_not_equal(EVP_CipherUpdate(c, out, &n, m.text, 16), 1);
    assert_int_not_equal(EVP_CipherFinal_ex(c, out, &n), 1);
    /* No IV. */
    assert_int_equal(EVP_CipherInit_ex2(c, NULL, m.key, NULL, 1, NULL), 1);
    assert_int_not_equal(EVP_CipherUpdate(c, out, &n, m.text, 16), 1);
    /* IVs and tags of other lengths. */
    assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL), 1);
    assert_int_not_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, 16, NULL), 1);
    assert_int_equal(EVP_CipherInit_ex2(c, NULL, NULL, m.iv, 0, NULL), 1);
    assert_int_not_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 8, m.tag), 1);
    /* No tag to check against. */
    assert_int_equal(EVP_CipherUpdate(c, out, &n, m.text, 16), 1);
    assert_int_not_equal(EVP_CipherFinal_ex(c, out, &n), 1);
    /* Associated data in two pieces, and after the text. */
    assert_int_equal(EVP_CipherInit_ex2(c, NULL, NULL, m.iv, 1, NULL), 1);
    assert_int_equal(EVP_CipherUpdate(c, NULL, &n, m.aad, 5), 1);
    assert_int_not_equal(EVP_CipherUpdate(c, NULL, &n, m.aad, 5), 1);
    assert_int_equal(EVP_CipherInit_ex2(c, NULL, NULL, m.iv, 1, NULL), 1);
    assert_int_equal(EVP_CipherUpdate(c, out, &n, m.text, 16), 1);
    assert_int_not_equal(EVP_CipherUpdate(c, NULL, &n, m.aad, 5), 1);
    /* A tag before the end; a copy. */
    assert_int_not_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out), 1);
    assert_int_not_equal(EVP_CIPHER_CTX_copy(copy, c), 1);
    EVP_CIPHER_CTX_free(c);
    EVP_CIPHER_CTX_free(copy);
    EVP_CIPHER_free(cipher);
    ERR_clear_error();
}

static void who_does_not_ask_gets_openssls_own(void **state)
{
    static struct message m;
    needs_provider();
    for (size_t key_len = 16; key_len <= 32; key_len += 16) {
        EVP_CIPHER *cipher = fetch(key_len, NULL);
        const OSSL_PROVIDER *provider = EVP_CIPHER_get0_provider(cipher);
        assert_string_equal(OSSL_PROVIDER_get0_name(provider), "default");
        EVP_CIPHER_free(cipher);
    }
    library_was_used();
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    make_message(&m, 16, 5);
    assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, m.key, m.iv), 1);
    EVP_CIPHER_CTX_free(c);
    assert_false(library_was_used());
    m.key_len = 16;
    seal(OURS, &m);
    assert_true(library_was_used());
}

/* ---- conversations of libssl ---- */

struct link {
    SSL_CTX *ctx[2];
    SSL *ssl[2]; /* client, server */
    BIO *wire[2];
};

static void use_new_certificate(SSL_CTX *ctx)
{
    struct tls_identity *id = tls_identity_new();
    assert_int_equal(SSL_CTX_use_certificate(ctx, id->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, id->key), 1);
    tls_identity_free(id);
}

static SSL_CTX *new_ctx(const char *properties, int version, const char *suite)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(NULL, properties, TLS_method());
    assert_non_null(ctx);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    assert_int_equal(version == TLS1_3_VERSION ? SSL_CTX_set_ciphersuites(ctx, suite)
                                               : SSL_CTX_set_cipher_list(ctx, suite),
                     1);
    use_new_certificate(ctx);
    return ctx;
}

/* Whatever is in the mouth of one end goes to the other's ear. */
static void carry(struct link *l, int from, size_t change_at)
{
    unsigned char data[40000];
    int n;
    while ((n = BIO_read(l->wire[from], data, sizeof(data))) > 0) {
        if (change_at < (size_t)n)
            data[change_at] ^= 1;
        assert_int_equal(BIO_write(l->wire[!from], data, n), n);
    }
}

static void shake_hands(struct link *l)
{
    bool done = false;
    for (int i = 0; i < 2; i++) {
        BIO *inner;
        assert_int_equal(BIO_new_bio_pair(&inner, 100000, &l->wire[i], 100000), 1);
        l->ssl[i] = SSL_new(l->ctx[i]);
        SSL_set_bio(l->ssl[i], inner, inner);
    }
    SSL_set_connect_state(l->ssl[0]);
    SSL_set_accept_state(l->ssl[1]);
    for (int turn = 0; turn < 20 && !done; turn++) {
        int client = SSL_do_handshake(l->ssl[0]);
        carry(l, 0, SIZE_MAX);
        int server = SSL_do_handshake(l->ssl[1]);
        carry(l, 1, SIZE_MAX);
        done = client == 1 && server == 1;
    }
    assert_true(done);
    /* Tickets of TLS 1.3. */
    assert_int_equal(SSL_read(l->ssl[0], &(char){0}, 1), -1);
}

static void unlink_ends(struct link *l)
{
    for (int i = 0; i < 2; i++) {
        SSL_free(l->ssl[i]);
        BIO_free(l->wire[i]);
        SSL_CTX_free(l->ctx[i]);
    }
    ERR_clear_error();
}

static void say(struct link *l, int from, size_t len)
{
    unsigned char said[SSL3_RT_MAX_PLAIN_LENGTH], heard[SSL3_RT_MAX_PLAIN_LENGTH];
    RAND_bytes(said, (int)len);
    assert_int_equal(SSL_write(l->ssl[from], said, (int)len), len);
    carry(l, from, SIZE_MAX);
    assert_int_equal(SSL_read(l->ssl[!from], heard, sizeof(heard)), len);
    assert_memory_equal(said, heard, len);
}

static void talk(struct link *l)
{
    for (size_t i = 0; i < 300; i++) {
        size_t len = i < 200 ? i + 1 : 1 + any(SSL3_RT_MAX_PLAIN_LENGTH);
        say(l, (int)(i % 2), len);
        say(l, (int)any(2), SSL3_RT_MAX_PLAIN_LENGTH);
    }
}

static void renew_keys(struct link *l)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(SSL_key_update(l->ssl[i], SSL_KEY_UPDATE_REQUESTED), 1);
        say(l, i, 1000);
        say(l, !i, 1000);
        assert_int_equal(SSL_get_key_update_type(l->ssl[i]), SSL_KEY_UPDATE_NONE);
    }
}

/* A record that was changed on its way is the end of the connection. */
static void disturb(struct link *l, int from)
{
    unsigned char data[5000] = {0};
    assert_int_equal(SSL_write(l->ssl[from], data, sizeof(data)), sizeof(data));
    carry(l, from, 5 + any(sizeof(data)));
    assert_int_equal(SSL_read(l->ssl[!from], data, sizeof(data)), -1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()),
                     SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
}

static const struct {
    int version;
    const char *suite;
} versions[] = {{TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
                {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
                {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
                {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"}};

static void the_two_providers_talk_tls_with_each_other(void **state)
{
    static const char *const ends[][2] = {
        {"?" OURS, THEIRS}, {THEIRS, "?" OURS}, {"?" OURS, "?" OURS}};
    needs_provider();
    for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
        for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
            struct link l = {0};
            for (int end = 0; end < 2; end++)
                l.ctx[end] = new_ctx(ends[i][end], versions[v].version, versions[v].suite);
            shake_hands(&l);
            assert_string_equal(SSL_get_cipher_name(l.ssl[0]), versions[v].suite);
            talk(&l);
            if (versions[v].version == TLS1_3_VERSION)
                renew_keys(&l);
            talk(&l);
            disturb(&l, (int)any(2));
            unlink_ends(&l);
        }
    }
}

/* The eight bytes behind a record's head (RFC 5246 section 6.2.3.3). */
static uint64_t explicit_iv(struct link *l)
{
    unsigned char data[200];
    uint64_t iv = 0;
    assert_int_equal(SSL_write(l->ssl[0], "x", 1), 1);
    assert_int_equal(BIO_read(l->wire[0], data, sizeof(data)), 5 + 8 + 1 + GCM_TAG_LEN);
    for (int i = 0; i < 8; i++)
        iv = iv << 8 | data[5 + i];
    return iv;
}

static void each_record_of_tls_1_2_has_an_iv_of_its_own(void **state)
{
    struct link l = {0};
    uint64_t first[3];
    needs_provider();
    for (int i = 0; i < 3; i++) {
        for (int end = 0; end < 2; end++)
            l.ctx[end] = new_ctx("?" OURS, TLS1_2_VERSION, versions[2].suite);
        shake_hands(&l);
        first[i] = explicit_iv(&l);
        for (uint64_t n = 1; n < 1000; n++)
            assert_int_equal(explicit_iv(&l), first[i] + n);
        unlink_ends(&l);
    }
    /* They begin anywhere. */
    assert_true(first[0] != first[1] || first[0] != first[2]);
}

/* Client and server are told apart by asking after each half of a record's journey. */
static void expect_user(struct link *l, int user)
{
    for (int from = 0; from < 2; from++) {
        unsigned char data[100] = {0};
        library_was_used();
        assert_int_equal(SSL_write(l->ssl[from], data, sizeof(data)), sizeof(data));
        assert_int_equal(library_was_used(), from == user);
        carry(l, from, SIZE_MAX);
        assert_int_equal(SSL_read(l->ssl[!from], data, sizeof(data)), sizeof(data));
        assert_int_equal(library_was_used(), from != user);
    }
}

static void our_tls_contexts_use_the_provider(void **state)
{
    needs_provider();
    for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
        struct tls_client_options options = {.insecure = true};
        struct tls_context *client;
        struct link l = {0};
        assert_int_equal(tls_context_client(&options, &client, NULL), 0);
        l.ctx[0] = client->ctx;
        SSL_CTX_up_ref(l.ctx[0]);
        l.ctx[1] = new_ctx(THEIRS, versions[v].version, versions[v].suite);
        shake_hands(&l);
        expect_user(&l, 0);
        unlink_ends(&l);
        tls_context_unref(client);
    }
}

TEST_MAIN(cmocka_unit_test(known_answers_are_given),
          cmocka_unit_test(both_providers_seal_alike_and_open_each_others),
          cmocka_unit_test(what_was_changed_does_not_open),
          cmocka_unit_test(an_iv_is_good_for_one_message),
          cmocka_unit_test(a_context_refuses_what_it_cannot_do),
          cmocka_unit_test(who_does_not_ask_gets_openssls_own),
          cmocka_unit_test(the_two_providers_talk_tls_with_each_other),
          cmocka_unit_test(each_record_of_tls_1_2_has_an_iv_of_its_own),
          cmocka_unit_test(our_tls_contexts_use_the_provider));
