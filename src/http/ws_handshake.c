#include "http/ws_handshake.h"

#include <errno.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "base/rand.h"
#include "http/client_request.h"
#include "http/ws_stream.h"
#include "io/stream.h"

/* RFC 6455 section 1.3. */
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

enum { KEY_LEN = 16, SHA1_LEN = 20 };

void ws_make_key(char ret_key[static WS_KEY_SIZE])
{
    unsigned char key[KEY_LEN];
    rand_bytes(key, sizeof(key));
    EVP_EncodeBlock((unsigned char *)ret_key, key, sizeof(key));
}

void ws_accept_of(struct span key, char ret_accept[static WS_ACCEPT_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) ||
        !EVP_DigestUpdate(ctx, key.p, key.len) || !EVP_DigestUpdate(ctx, guid, sizeof(guid) - 1) ||
        !EVP_DigestFinal_ex(ctx, digest, NULL))
        abort();
    EVP_MD_CTX_free(ctx);
    EVP_EncodeBlock((unsigned char *)ret_accept, digest, SHA1_LEN);
}

/* 16 bytes in base64 (section 4.1). */
static bool key_valid(struct span key)
{
    unsigned char bytes[3 * ((WS_KEY_SIZE - 1) / 4)];
    return key.len == WS_KEY_SIZE - 1 && span_ends(key, "==") && key.p[21] != '=' &&
           EVP_DecodeBlock(bytes, (const unsigned char *)key.p, (int)key.len) == sizeof(bytes);
}

static unsigned upgrade_required(struct exchange *x)
{
    headers_set(&x->response, "Sec-WebSocket-Version", "13");
    headers_set(&x->response, "Upgrade", "websocket");
    headers_set(&x->response, "Connection", "Upgrade");
    return 426;
}

unsigned ws_handshake_check(struct exchange *x, const char *subprotocol)
{
    const struct headers *h = &x->headers;
    if (!span_is(x->method, "GET") || !exchange_wants_upgrade(x) ||
        !headers_has_token(h, "Upgrade", "websocket"))
        return upgrade_required(x);
    if (!span_is(headers_get(h, "Sec-WebSocket-Version"), "13"))
        return upgrade_required(x);
    if (headers_count(h, "Sec-WebSocket-Key") != 1 ||
        !key_valid(headers_get(h, "Sec-WebSocket-Key")) || exchange_body_length(x) != 0)
        return 400;
    if (subprotocol && !headers_has_token(h, "Sec-WebSocket-Protocol", subprotocol))
        return 400;
    return 0;
}

int ws_handshake_accept(struct exchange *x, const char *subprotocol, exchange_upgraded_fn *done,
                        void *ud)
{
    char accept[WS_ACCEPT_SIZE];
    ws_accept_of(headers_get(&x->headers, "Sec-WebSocket-Key"), accept);
    if (headers_set(&x->response, "Upgrade", "websocket") < 0 ||
        headers_set(&x->response, "Connection", "Upgrade") < 0 ||
        headers_set(&x->response, "Sec-WebSocket-Accept", accept) < 0)
        return -ENOBUFS;
    if (subprotocol && headers_set(&x->response, "Sec-WebSocket-Protocol", subprotocol) < 0)
        return -ENOBUFS;
    return exchange_upgrade(x, 101, done, ud);
}

int ws_handshake_request(struct headers *fields, const char *key, const char *subprotocol)
{
    int r = headers_set(fields, "Sec-WebSocket-Version", "13");
    if (r == 0)
        r = headers_set(fields, "Sec-WebSocket-Key", key);
    if (r == 0 && subprotocol)
        r = headers_set(fields, "Sec-WebSocket-Protocol", subprotocol);
    return r;
}

int ws_handshake_verify(const struct headers *fields, const char *key, const char *subprotocol,
                        struct err *err)
{
    char accept[WS_ACCEPT_SIZE];
    ws_accept_of(span_of(key), accept);
    if (!headers_has_token(fields, "Upgrade", "websocket") ||
        !headers_has_token(fields, "Connection", "upgrade"))
        return err_set(err, -EPROTO, "the server switched to another protocol than WebSocket");
    if (!span_is(headers_get(fields, "Sec-WebSocket-Accept"), accept))
        return err_set(err, -EPROTO, "the server's WebSocket answer belongs to another request");
    if (headers_has(fields, "Sec-WebSocket-Extensions"))
        return err_set(err, -EPROTO, "the server chose a WebSocket extension nobody asked for");
    struct span chosen = headers_get(fields, "Sec-WebSocket-Protocol");
    if (subprotocol ? !span_is(chosen, subprotocol) : chosen.p != NULL)
        return err_set(err, -EPROTO, "the server does not speak the WebSocket subprotocol %s",
                       subprotocol ? subprotocol : "that was left open");
    return 0;
}
