#include "tunnel/ws_carrier.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/client_request.h"
#include "http/ws_handshake.h"
#include "io/loop.h"
#include "io/stream.h"
#include "proto/url.h"

enum { ATTEMPT_MEMORY_MAX = 64 * 1024 };

static const usec_t dial_timeout = 20 * USEC_PER_SEC;

struct ws_carrier {
    char *url; /* whole */
    struct secret *token;
    struct tls_context *tls;
    char *user_agent;
    bool has_pin; /* for a peer: its own is shown, the agent's expected */
    struct tls_pin pin;
    bool has_lane_key; /* of the session that was opened last */
    struct lane_key lane_key;
};

struct attempt {
    struct ws_carrier *carrier;
    struct ws_dial *dial;
    carrier_opened_fn *opened;
    void *opened_ud;
    struct defer failed; /* the dial could not even start */
    struct err err;
};

char *pin_format(const struct tls_pin *pin, char dst[static PIN_TEXT_SIZE])
{
    return base64url_encode(pin->sha256, sizeof(pin->sha256), dst);
}

int pin_parse(const char *text, struct tls_pin *ret)
{
    struct tls_pin pin = {{0}};
    if (base64url_decode(span_of(text), pin.sha256, sizeof(pin.sha256)) != sizeof(pin.sha256))
        return -EINVAL;
    *ret = pin;
    return 0;
}

/* ---- attempts ---- */

static void finish(struct attempt *a, enum carrier_outcome outcome, struct stream *carrier,
                   const struct tls_pin *pin, const struct err *err)
{
    carrier_opened_fn *opened = a->opened;
    void *ud = a->opened_ud;
    struct err copy = err ? *err : (struct err)ERR_INIT;
    defer_cancel(&a->failed);
    free(a);
    opened(outcome, carrier, pin, &copy, ud);
}

/* The server's own words, when it gives some. */
static void message_of(const struct client_result *answer, struct err *err)
{
    json_error_t where;
    json_t *root = json_loadb(answer->body.p, answer->body.len, 0, &where);
    const char *message = json_string_value(json_object_get(root, "message"));
    if (message)
        err_set(err, -EACCES, "%s", message);
    else
        err_set(err, -EACCES, "the server answered with status %u", answer->status);
    json_decref(root);
}

static enum carrier_outcome outcome_of(const struct client_result *answer)
{
    struct span reason = headers_get(&answer->headers, "Adit-Reason");
    if (span_is(reason, "agent-away") || span_is(reason, "agent-lost"))
        return CARRIER_AWAY;
    /* 408, 425, 429: try later; the rest of 4xx is an answer. */
    bool later = answer->status == 408 || answer->status == 425 || answer->status == 429;
    return answer->status >= 400 && answer->status < 500 && !later ? CARRIER_DENIED
                                                                   : CARRIER_FAILED;
}

static void opened_for_peer(struct attempt *a, struct stream *s, const struct client_result *answer)
{
    struct tls_pin pin;
    char text[PIN_TEXT_SIZE];
    struct span field = headers_get(&answer->headers, "Adit-Agent-Pin");
    struct ws_carrier *c = a->carrier;
    c->has_lane_key =
        lane_key_parse(headers_get(&answer->headers, "Adit-Lane-Key"), &c->lane_key) == 0;
    if (str_copy_span(text, sizeof(text), field) && pin_parse(text, &pin) == 0) {
        finish(a, CARRIER_OPENED, s, &pin, NULL);
        return;
    }
    struct err err = ERR_INIT;
    err_set(&err, -EPROTO, "the server's answer has no Adit-Agent-Pin: is it an adit server?");
    stream_free(s);
    finish(a, CARRIER_FAILED, NULL, NULL, &err);
}

static void dialled(int result, struct stream *s, const struct client_result *answer,
                    const struct err *err, void *ud)
{
    struct attempt *a = ud;
    a->dial = NULL;
    if (result == 0 && a->carrier->has_pin) {
        opened_for_peer(a, s, answer);
    } else if (result == 0) {
        finish(a, CARRIER_OPENED, s, NULL, NULL);
    } else if (answer) {
        struct err said = ERR_INIT;
        message_of(answer, &said);
        finish(a, outcome_of(answer), NULL, NULL, &said);
    } else {
        finish(a, CARRIER_FAILED, NULL, NULL, err);
    }
}

static void failed_at_once(void *ud)
{
    struct attempt *a = ud;
    finish(a, CARRIER_FAILED, NULL, NULL, &a->err);
}

static void add_fields(const struct ws_carrier *c, struct headers *fields)
{
    char pin[PIN_TEXT_SIZE];
    headers_addf(fields, "Authorization", "Bearer %s", c->token->text);
    if (c->user_agent)
        headers_add(fields, "User-Agent", c->user_agent);
    if (c->has_pin)
        headers_add(fields, "Adit-Peer-Pin", pin_format(&c->pin, pin));
}

static void *attempt_start(struct loop *loop, carrier_opened_fn *opened, void *opened_ud, void *ud)
{
    struct ws_carrier *c = ud;
    struct attempt *a = new0(struct attempt);
    a->carrier = c;
    a->opened = opened;
    a->opened_ud = opened_ud;
    defer_init(&a->failed, failed_at_once, a);

    struct arena arena;
    struct headers fields;
    arena_init(&arena, ATTEMPT_MEMORY_MAX);
    headers_init(&fields, &arena, 0, 0);
    add_fields(c, &fields);
    const struct ws_dial_options options = {.url = c->url,
                                            .headers = &fields,
                                            .timeout = dial_timeout,
                                            .tls = c->tls,
                                            .done = dialled,
                                            .ud = a};
    if (ws_dial_start(loop, &options, &a->dial, &a->err) < 0)
        defer_schedule(loop, &a->failed);
    arena_deinit(&arena);
    return a;
}

static void attempt_cancel(void *attempt, void *ud)
{
    struct attempt *a = attempt;
    ws_dial_cancel(a->dial);
    defer_cancel(&a->failed);
    free(a);
}

/* ---- life ---- */

static int new_carrier(const struct ws_carrier_options *options, const char *path,
                       struct ws_carrier **ret, struct err *err)
{
    struct url url;
    int r = url_parse(span_of(options->server_url), &url, err);
    if (r < 0)
        return r;
    bool has_query = url.query != NULL;
    url_deinit(&url);
    if (has_query)
        return err_set(err, -EINVAL, "the server's URL must not have a query: %s",
                       options->server_url);

    struct ws_carrier *c = new0(struct ws_carrier);
    struct span base = span_of(options->server_url);
    while (span_ends(base, "/"))
        base.len--;
    c->url = xasprintf(SPAN_FMT "%s", SPAN_ARG(base), path);
    c->token = secret_new(options->token->text, options->token->len);
    c->tls = options->tls ? tls_context_ref(options->tls) : NULL;
    c->user_agent = options->user_agent ? xstrdup(options->user_agent) : NULL;
    *ret = c;
    return 0;
}

int ws_carrier_for_agent(const struct ws_carrier_options *options, struct ws_carrier **ret,
                         struct err *err)
{
    return new_carrier(options, "/api/v1/agent/connect", ret, err);
}

int ws_carrier_for_peer(const struct ws_carrier_options *options, const struct id *agent,
                        const struct tls_pin *pin, struct ws_carrier **ret, struct err *err)
{
    char id[ID_TEXT_SIZE];
    char *path = xasprintf("/api/v1/agents/%s/relay", id_format(agent, id));
    int r = new_carrier(options, path, ret, err);
    free(path);
    if (r < 0)
        return r;
    (*ret)->has_pin = true;
    (*ret)->pin = *pin;
    return 0;
}

bool ws_carrier_lane_key(const struct ws_carrier *c, struct lane_key *ret)
{
    if (c->has_lane_key)
        *ret = c->lane_key;
    return c->has_lane_key;
}

struct carrier_opener ws_carrier_opener(struct ws_carrier *c)
{
    return (struct carrier_opener){.start = attempt_start, .cancel = attempt_cancel, .ud = c};
}

struct ws_carrier *ws_carrier_free(struct ws_carrier *c)
{
    if (!c)
        return NULL;
    free(c->url);
    secret_free(c->token);
    tls_context_unref(c->tls);
    free(c->user_agent);
    explicit_bzero(&c->lane_key, sizeof(c->lane_key));
    free(c);
    return NULL;
}
