#include "ssh/key.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/wire.h"

#define KEY_TYPE      "ssh-ed25519"
#define FILE_MAGIC    "openssh-key-v1" /* with its NUL */
#define LINE_BASE64   68               /* characters that 51 bytes give */
#define FILE_LINE_LEN 70

enum {
    BLOB_LEN = 4 + 11 + 4 + SSH_KEY_LEN,
    PRIVATE_BLOCK = 8, /* the private part is padded to this, even without a cipher */
};

struct ssh_key {
    unsigned char seed[SSH_KEY_LEN];
    struct ssh_public_key pub;
};

static struct ssh_key *key_from_seed(const unsigned char *seed)
{
    struct ssh_key *key = new0(struct ssh_key);
    size_t len = sizeof(key->pub.bytes);
    memcpy(key->seed, seed, SSH_KEY_LEN);
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SSH_KEY_LEN);
    if (!pkey || EVP_PKEY_get_raw_public_key(pkey, key->pub.bytes, &len) != 1)
        abort(); /* out of memory: any 32 bytes are a key */
    EVP_PKEY_free(pkey);
    return key;
}

struct ssh_key *ssh_key_generate(void)
{
    unsigned char seed[SSH_KEY_LEN];
    rand_bytes(seed, sizeof(seed));
    struct ssh_key *key = key_from_seed(seed);
    explicit_bzero(seed, sizeof(seed));
    return key;
}

struct ssh_key *ssh_key_derive(struct span secret, const char *purpose)
{
    unsigned char seed[SSH_KEY_LEN];
    size_t len = sizeof(seed);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    if (!ctx || EVP_PKEY_derive_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) != 1 ||
        EVP_PKEY_CTX_set1_hkdf_key(ctx, (const unsigned char *)secret.p, (int)secret.len) != 1 ||
        EVP_PKEY_CTX_add1_hkdf_info(ctx, (const unsigned char *)purpose, (int)strlen(purpose)) !=
            1 ||
        EVP_PKEY_derive(ctx, seed, &len) != 1)
        abort(); /* out of memory */
    EVP_PKEY_CTX_free(ctx);
    struct ssh_key *key = key_from_seed(seed);
    explicit_bzero(seed, sizeof(seed));
    return key;
}

struct ssh_key *ssh_key_free(struct ssh_key *key)
{
    if (!key)
        return NULL;
    explicit_bzero(key, sizeof(*key));
    free(key);
    return NULL;
}

const struct ssh_public_key *ssh_key_public(const struct ssh_key *key)
{
    return &key->pub;
}

/* A string of RFC 4251 section 5. */
static void write_string(struct wire_writer *w, const void *data, size_t len)
{
    wire_write_u32(w, (uint32_t)len);
    wire_write_bytes(w, data, len);
}

static void write_blob(struct wire_writer *w, const struct ssh_public_key *key)
{
    write_string(w, KEY_TYPE, strlen(KEY_TYPE));
    write_string(w, key->bytes, SSH_KEY_LEN);
}

char *ssh_public_key_line(const struct ssh_public_key *key, char dst[static SSH_KEY_LINE_SIZE])
{
    unsigned char blob[BLOB_LEN], text[LINE_BASE64 + 1];
    struct wire_writer w = wire_writer_of(blob, sizeof(blob));
    write_blob(&w, key);
    EVP_EncodeBlock(text, blob, sizeof(blob));
    snprintf(dst, SSH_KEY_LINE_SIZE, KEY_TYPE " %s", (const char *)text);
    return dst;
}

int ssh_public_key_parse(struct span line, struct ssh_public_key *ret)
{
    unsigned char blob[BLOB_LEN + 3];
    char again[SSH_KEY_LINE_SIZE];
    struct ssh_public_key key;
    if (line.len != strlen(KEY_TYPE) + 1 + LINE_BASE64 || !span_starts(line, KEY_TYPE " "))
        return -EINVAL;
    const char *text = line.p + strlen(KEY_TYPE) + 1;
    if (EVP_DecodeBlock(blob, (const unsigned char *)text, LINE_BASE64) != BLOB_LEN)
        return -EINVAL;
    memcpy(key.bytes, blob + BLOB_LEN - SSH_KEY_LEN, SSH_KEY_LEN);
    /* Whatever the decoder tolerates: there is one spelling. */
    if (!span_is(line, ssh_public_key_line(&key, again)))
        return -EINVAL;
    *ret = key;
    return 0;
}

static void write_private(struct wire_writer *w, const struct ssh_key *key, const char *comment)
{
    char clean[SSH_KEY_COMMENT_MAX_LEN + 1];
    size_t n = 0;
    for (; *comment && n < SSH_KEY_COMMENT_MAX_LEN; comment++)
        if ((unsigned char)*comment >= ' ' && *comment != 0x7f)
            clean[n++] = *comment;
    uint32_t check = (uint32_t)rand_u64();
    wire_write_u32(w, check);
    wire_write_u32(w, check);
    write_blob(w, &key->pub);
    wire_write_u32(w, 2 * SSH_KEY_LEN);
    wire_write_bytes(w, key->seed, SSH_KEY_LEN);
    wire_write_bytes(w, key->pub.bytes, SSH_KEY_LEN);
    write_string(w, clean, n);
    for (uint8_t pad = 1; w->len % PRIVATE_BLOCK; pad++)
        wire_write_u8(w, pad);
}

static size_t write_file(const struct ssh_key *key, const char *comment, unsigned char *dst,
                         size_t size)
{
    unsigned char blob[BLOB_LEN], private[384];
    struct wire_writer b = wire_writer_of(blob, sizeof(blob));
    struct wire_writer p = wire_writer_of(private, sizeof(private));
    struct wire_writer w = wire_writer_of(dst, size);
    write_blob(&b, &key->pub);
    write_private(&p, key, comment);
    wire_write_bytes(&w, FILE_MAGIC, sizeof(FILE_MAGIC));
    write_string(&w, "none", 4); /* cipher */
    write_string(&w, "none", 4); /* key derivation */
    write_string(&w, "", 0);     /* its options */
    wire_write_u32(&w, 1);       /* keys */
    write_string(&w, blob, b.len);
    write_string(&w, private, p.len);
    explicit_bzero(private, sizeof(private));
    return w.failed ? 0 : w.len;
}

int ssh_key_file(const struct ssh_key *key, const char *comment, struct buf *dst)
{
    unsigned char raw[SSH_KEY_FILE_MAX / 2], text[SSH_KEY_FILE_MAX];
    size_t len = write_file(key, comment, raw, sizeof(raw));
    int r = len ? buf_append_str(dst, "-----BEGIN OPENSSH PRIVATE KEY-----\n") : -ENOBUFS;
    size_t text_len = len ? (size_t)EVP_EncodeBlock(text, raw, (int)len) : 0;
    for (size_t at = 0; r == 0 && at < text_len; at += FILE_LINE_LEN) {
        size_t n = text_len - at < FILE_LINE_LEN ? text_len - at : FILE_LINE_LEN;
        r = buf_append(dst, text + at, n);
        if (r == 0)
            r = buf_append_byte(dst, '\n');
    }
    if (r == 0)
        r = buf_append_str(dst, "-----END OPENSSH PRIVATE KEY-----\n");
    explicit_bzero(raw, sizeof(raw));
    explicit_bzero(text, sizeof(text));
    return r;
}
