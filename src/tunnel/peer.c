#include "tunnel/peer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/span.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"

static const usec_t default_timeout = 15 * USEC_PER_SEC;

struct peer_handshake {
    struct loop *loop;
    struct peer_options options;
    struct stream *tls;
    struct timer timeout;
};

struct peer_handshake *peer_cancel(struct peer_handshake *p)
{
    if (!p)
        return NULL;
    timer_cancel(&p->timeout);
    stream_free(p->tls);
    tls_context_unref(p->options.tls);
    free(p);
    return NULL;
}

static void finish(struct peer_handshake *p, struct tunnel_session *session, int result,
                   const struct err *err)
{
    peer_done_fn *done = p->options.done;
    void *ud = p->options.ud;
    peer_cancel(p);
    done(session, result, err, ud);
}

static void timed_out(struct timer *t, void *ud)
{
    struct err err = ERR_INIT;
    err_set(&err, -ETIMEDOUT, "the handshake with the other side took too long");
    finish(ud, NULL, err.code, &err);
}

static void tls_done(struct stream *tls, int result, const struct err *tls_err, void *ud)
{
    struct peer_handshake *p = ud;
    if (result < 0) {
        finish(p, NULL, result, tls_err);
        return;
    }
    if (!str_eq(tls_alpn(tls), "adit/1")) {
        struct err err = ERR_INIT;
        err_set(&err, -EPROTO, "the other side does not speak adit/1");
        finish(p, NULL, err.code, &err);
        return;
    }
    const struct tunnel_session_options options = {.role = p->options.role,
                                                   .ping_interval = p->options.ping_interval,
                                                   .limits = p->options.limits};
    p->tls = NULL;
    finish(p, tunnel_session_new(p->loop, tls, &options), 0, NULL);
}

struct peer_handshake *peer_start(struct loop *loop, struct stream *carrier,
                                  const struct peer_options *options)
{
    struct peer_handshake *p = new0(struct peer_handshake);
    p->loop = loop;
    p->options = *options;
    tls_context_ref(p->options.tls);
    timer_init(&p->timeout, loop, timed_out, p);
    timer_start(&p->timeout, options->timeout ? options->timeout : default_timeout);
    const struct tls_start_options tls = {
        .server = options->role == H2_SERVER, .pin = &p->options.pin, .done = tls_done, .ud = p};
    p->tls = tls_start(p->options.tls, carrier, &tls);
    return p;
}
