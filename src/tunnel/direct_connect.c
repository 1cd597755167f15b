#include "tunnel/direct_connect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "io/dial.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"

enum { NAME_DIGITS = 32 };

static const usec_t default_timeout = 5 * USEC_PER_SEC;

struct direct_connect {
    struct direct_connect_options options;
    struct loop *loop;
    struct dial *dial;
    struct stream *tls;
    struct timer timeout;
};

char *direct_name(const struct tls_pin *agent, const struct tls_pin *peer,
                  char dst[static DIRECT_NAME_SIZE])
{
    unsigned char digest[TLS_PIN_LEN];
    tls_pins_digest("adit direct name", agent, peer, digest);
    hex_encode(digest, NAME_DIGITS / 2, dst);
    memcpy(dst + NAME_DIGITS, ".invalid", sizeof(".invalid"));
    return dst;
}

struct direct_connect *direct_connect_cancel(struct direct_connect *c)
{
    if (!c)
        return NULL;
    timer_cancel(&c->timeout);
    dial_cancel(c->dial);
    stream_free(c->tls);
    tls_context_unref(c->options.tls);
    free(c);
    return NULL;
}

static void finish(struct direct_connect *c, struct stream *tls, const struct err *err)
{
    direct_connected_fn *done = c->options.done;
    void *ud = c->options.ud;
    direct_connect_cancel(c);
    done(tls, err, ud);
}

static void shaken(struct stream *tls, int result, const struct err *err, void *ud)
{
    struct direct_connect *c = ud;
    if (result < 0) {
        finish(c, NULL, err);
        return;
    }
    c->tls = NULL;
    finish(c, tls, NULL);
}

static void dialled(enum dial_outcome outcome, struct stream *s, const struct err *err, void *ud)
{
    struct direct_connect *c = ud;
    char name[DIRECT_NAME_SIZE];
    c->dial = NULL;
    if (outcome != DIAL_OUTCOME_OK) {
        finish(c, NULL, err);
        return;
    }
    direct_name(&c->options.pin, tls_context_pin(c->options.tls), name);
    const struct tls_start_options options = {.pin = &c->options.pin,
                                              .peer_name = name,
                                              .peer_alpn = c->options.alpn,
                                              .done = shaken,
                                              .ud = c};
    c->tls = tls_start(c->options.tls, s, &options);
}

static void took_too_long(struct timer *t, void *ud)
{
    struct err err = ERR_INIT;
    err_set(&err, -ETIMEDOUT, "no answer in time");
    finish(ud, NULL, &err);
}

struct direct_connect *direct_connect_start(struct loop *loop,
                                            const struct direct_connect_options *options)
{
    struct direct_connect *c = new0(struct direct_connect);
    char ip[ADDR_TEXT_LEN];
    c->options = *options;
    c->loop = loop;
    tls_context_ref(c->options.tls);
    timer_init(&c->timeout, loop, took_too_long, c);
    timer_start(&c->timeout, options->timeout ? options->timeout : default_timeout);
    const struct dial_options dial = {.done = dialled, .ud = c};
    c->dial = dial_tcp(loop, addr_format_ip(&options->addr, ip), addr_port(&options->addr), &dial);
    return c;
}
