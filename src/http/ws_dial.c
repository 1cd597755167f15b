#include <errno.h>

#include "base/arena.h"
#include "base/mem.h"
#include "http/client_request.h"
#include "http/ws_handshake.h"
#include "http/ws_stream.h"
#include "io/stream.h"

struct ws_dial {
    struct client_request *request;
    char key[WS_KEY_SIZE];
    char *subprotocol; /* owned; NULL: none */
    ws_dial_done_fn *done;
    void *ud;
};

static void dial_free(struct ws_dial *d)
{
    free(d->subprotocol);
    free(d);
}

static void answered(int result, const struct client_result *answer, const struct err *reason,
                     void *ud)
{
    struct ws_dial *d = ud;
    struct err err = ERR_INIT;
    struct stream *s = NULL;

    d->request = NULL;
    if (result < 0) {
        err = *reason;
    } else if (!answer->upgraded) {
        result = err_set(&err, -EPROTO, "the server answered %u instead of opening a WebSocket",
                         answer->status);
    } else {
        result = ws_handshake_verify(&answer->headers, d->key, d->subprotocol, &err);
        if (result == 0)
            s = ws_stream_new(answer->upgraded, WS_CLIENT);
        else
            stream_free(answer->upgraded);
    }
    d->done(result, s, answer, &err, d->ud);
    dial_free(d);
}

int ws_dial_start(struct loop *loop, const struct ws_dial_options *options, struct ws_dial **ret,
                  struct err *err)
{
    struct ws_dial *d = new0(struct ws_dial);
    struct arena arena;
    struct headers fields;

    d->done = options->done;
    d->ud = options->ud;
    d->subprotocol = options->subprotocol ? xstrdup(options->subprotocol) : NULL;
    ws_make_key(d->key);
    arena_init(&arena, 4 * HEADERS_MAX_BYTES);
    headers_init(&fields, &arena, 0, 0);
    const struct client_request_options request = {
        .url = options->url,
        .headers = &fields,
        .timeout = options->timeout,
        .tls = options->tls,
        .proxy = options->proxy,
        .upgrade = "websocket",
        .done = answered,
        .ud = d,
    };
    int r = options->headers ? headers_add_all(&fields, options->headers) : 0;
    if (r == 0)
        r = ws_handshake_request(&fields, d->key, d->subprotocol);
    if (r < 0)
        err_set(err, -EINVAL, "the WebSocket handshake's head is too large or not valid");
    else
        r = client_request_start(loop, &request, &d->request, err);
    arena_deinit(&arena);
    if (r < 0)
        dial_free(d);
    else
        *ret = d;
    return r < 0 ? r : 0;
}

struct ws_dial *ws_dial_cancel(struct ws_dial *d)
{
    if (d) {
        client_request_cancel(d->request);
        dial_free(d);
    }
    return NULL;
}
