/*
 * Text: KID "." base64url(nonce, ciphertext, tag); the key id is authenticated with it.
 */
#include "auth/hand_over.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "auth/key_ring.h"
#include "base/rand.h"
#include "base/text.h"
#include "base/wire.h"

enum { NONCE_LEN = 12, TAG_LEN = 16, PLAIN_MAX_LEN = 512 };

static void write_time(struct wire_writer *w, usec_t t)
{
    wire_write_varint(w, t > 0 ? (uint64_t)t : 0);
}

static size_t write_plain(const struct hand_over *h, unsigned char dst[static PLAIN_MAX_LEN])
{
    struct wire_writer w = wire_writer_of(dst, PLAIN_MAX_LEN);
    size_t site_len = strlen(h->site);
    wire_write_u8(&w, 1); /* version */
    wire_write_u16(&w, (uint16_t)site_len);
    wire_write_bytes(&w, h->site, site_len);
    wire_write_bytes(&w, h->user_id.bytes, ID_LEN);
    wire_write_bytes(&w, h->session_id.bytes, ID_LEN);
    write_time(&w, h->session_expires_at);
    write_time(&w, h->expires_at);
    wire_write_bytes(&w, h->token, TOKEN_TEXT_LEN);
    return w.failed ? 0 : w.len;
}

static void read_id(struct wire_reader *r, struct id *ret)
{
    struct span bytes = wire_read_bytes(r, ID_LEN);
    if (bytes.len == ID_LEN)
        memcpy(ret->bytes, bytes.p, ID_LEN);
}

static bool read_plain(const unsigned char *data, size_t len, struct hand_over *ret)
{
    struct wire_reader r = wire_reader_of(data, len);
    struct hand_over h = {.expires_at = 0};
    bool known = wire_read_u8(&r) == 1;
    struct span site = wire_read_bytes(&r, wire_read_u16(&r));
    read_id(&r, &h.user_id);
    read_id(&r, &h.session_id);
    h.session_expires_at = (usec_t)wire_read_varint(&r);
    h.expires_at = (usec_t)wire_read_varint(&r);
    struct span token = wire_read_bytes(&r, TOKEN_TEXT_LEN);
    if (!known || !wire_read_done(&r) || !str_copy_span(h.site, sizeof(h.site), site) ||
        !str_copy_span(h.token, sizeof(h.token), token))
        return false;
    *ret = h;
    explicit_bzero(&h, sizeof(h));
    return true;
}

/* `data`: nonce, plain text (becomes ciphertext), room for the tag. */
static bool encrypt(const struct signing_key *key, unsigned char *data, size_t plain_len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char *text = data + NONCE_LEN;
    int n = 0;
    bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->secret, data) == 1 &&
              EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)key->kid,
                                (int)strlen(key->kid)) == 1 &&
              EVP_EncryptUpdate(ctx, text, &n, text, (int)plain_len) == 1 &&
              EVP_EncryptFinal_ex(ctx, text + plain_len, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, text + plain_len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static bool decrypt(const struct signing_key *key, unsigned char *data, size_t plain_len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char *text = data + NONCE_LEN;
    int n = 0;
    bool ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->secret, data) == 1 &&
              EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)key->kid,
                                (int)strlen(key->kid)) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN, text + plain_len) == 1 &&
              EVP_DecryptUpdate(ctx, text, &n, text, (int)plain_len) == 1 &&
              EVP_DecryptFinal_ex(ctx, text + n, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

int hand_over_seal(struct key_ring *keys, const struct hand_over *h, struct buf *dst)
{
    struct signing_key key;
    unsigned char data[NONCE_LEN + PLAIN_MAX_LEN + TAG_LEN];
    char text[BASE64URL_LEN(sizeof(data))];
    int r = -ENOBUFS;
    if (!key_ring_newest(keys, &key))
        return -ENOKEY;
    rand_bytes(data, NONCE_LEN);
    size_t len = write_plain(h, data + NONCE_LEN);
    if (len > 0 && encrypt(&key, data, len)) {
        base64url_encode(data, NONCE_LEN + len + TAG_LEN, text);
        r = buf_appendf(dst, "%s.%s", key.kid, text);
    }
    explicit_bzero(data, sizeof(data));
    explicit_bzero(&key, sizeof(key));
    return r;
}

int hand_over_open(struct key_ring *keys, struct span text, usec_t now, struct hand_over *ret)
{
    struct signing_key key;
    unsigned char data[NONCE_LEN + PLAIN_MAX_LEN + TAG_LEN];
    ptrdiff_t dot = span_find(text, '.');
    if (dot < 0 || text.len > HAND_OVER_MAX_LEN ||
        !key_ring_find(keys, span_sub(text, 0, (size_t)dot), now, &key))
        return -EACCES;
    ssize_t len = base64url_decode(span_sub(text, (size_t)dot + 1, text.len), data, sizeof(data));
    size_t plain_len = len > NONCE_LEN + TAG_LEN ? (size_t)len - NONCE_LEN - TAG_LEN : 0;
    bool ok = plain_len > 0 && decrypt(&key, data, plain_len) &&
              read_plain(data + NONCE_LEN, plain_len, ret) && now < ret->expires_at &&
              ret->expires_at - now <= HAND_OVER_LIFE;
    explicit_bzero(data, sizeof(data));
    explicit_bzero(&key, sizeof(key));
    return ok ? 0 : -EACCES;
}
