/*
 * Announcements live in a map by the peer's id in text form. A handshake belongs to its
 * announcement, so that a withdrawal ends it too. A second map finds them by the name that a peer
 * asks for on the agent's own port; of several with the same key it has the newest.
 */
#include "tunnel/peer_acceptor.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/stream.h"
#include "tunnel/direct_connect.h"
#include "tunnel/peer.h"
#include "tunnel/ws_carrier.h"

enum { PEERS_MAX = 1024, HANDSHAKES_MAX = 8 };

static const char peers_path[] = "/peers";

struct peer_acceptor {
    struct loop *loop;
    struct peer_acceptor_options options;
    struct map *announced;
    struct map *names;
};

struct announced {
    struct peer_acceptor *acceptor;
    struct id id;
    struct tls_pin pin;
    char name[DIRECT_NAME_SIZE];
    char *grant;
    struct list handshakes;
    size_t n_handshakes;
};

struct handshake {
    struct list link;
    struct announced *announced;
    struct peer_handshake *peer;
};

static void handshake_free(struct handshake *h)
{
    list_remove(&h->link);
    h->announced->n_handshakes--;
    peer_cancel(h->peer);
    free(h);
}

static void forget_name(struct announced *p)
{
    if (p->name[0] && map_get(p->acceptor->names, p->name) == p)
        map_take(p->acceptor->names, p->name);
}

static void learn_name(struct announced *p)
{
    forget_name(p);
    direct_name(tls_context_pin(p->acceptor->options.tls), &p->pin, p->name);
    map_take(p->acceptor->names, p->name);
    map_put(p->acceptor->names, p->name, p);
}

static void announced_free(struct announced *p)
{
    forget_name(p);
    struct handshake *h, *next;
    list_for_each_safe (h, next, &p->handshakes, link)
        handshake_free(h);
    free(p->grant);
    free(p);
}

/* ---- announcements ---- */

/* What a POST or PUT says. */
struct announcement {
    struct id id;
    struct tls_pin pin;
    char *grant;
};

/* In memory of our own: jansson's allocator may have been replaced. The caller frees it. */
static char *dump(const json_t *value)
{
    size_t len = json_dumpb(value, NULL, 0, JSON_COMPACT);
    if (len == 0)
        return NULL;
    char *text = xmalloc(len + 1);
    json_dumpb(value, text, len, JSON_COMPACT);
    text[len] = '\0';
    return text;
}

static int read_announcement(json_t *root, bool with_key, struct announcement *ret)
{
    json_t *grant = json_object_get(root, "grant");
    if (!json_is_object(grant))
        return -EINVAL;
    if (with_key) {
        const char *id = json_string_value(json_object_get(root, "id"));
        const char *pin = json_string_value(json_object_get(root, "pin"));
        if (!id || !pin || id_parse(span_of(id), &ret->id) < 0 || pin_parse(pin, &ret->pin) < 0)
            return -EINVAL;
    }
    ret->grant = dump(grant);
    return ret->grant ? 0 : -EINVAL;
}

static int parse_announcement(struct peer_acceptor *a, const struct channel_request_info *info,
                              bool with_key, struct announcement *ret, struct err *err)
{
    *ret = (struct announcement){0};
    json_error_t where;
    json_t *root = json_loadb(info->body, info->body_len, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        return err_set(err, -EINVAL, "not JSON: %s", where.text);
    int r = read_announcement(root, with_key, ret);
    json_decref(root);
    if (r < 0)
        return err_set(err, r, "an announcement needs id, pin and grant");
    r = a->options.check_grant ? a->options.check_grant(ret->grant, err, a->options.ud) : 0;
    if (r < 0)
        free(ret->grant);
    return r;
}

static void answer_bad(struct channel_request *rq, unsigned status, const char *message)
{
    json_t *body = json_pack("{s:s}", "message", message);
    char *text = body ? dump(body) : NULL;
    channel_answer(rq, status, text);
    free(text);
    json_decref(body);
}

static void announce(struct peer_acceptor *a, struct channel_request *rq)
{
    struct announcement said;
    struct err err = ERR_INIT;
    if (parse_announcement(a, channel_request_info(rq), true, &said, &err) < 0) {
        answer_bad(rq, 400, err.text);
        return;
    }
    char key[ID_TEXT_SIZE];
    id_format(&said.id, key);
    struct announced *p = map_get(a->announced, key);
    if (!p && map_len(a->announced) >= a->options.max_peers) {
        free(said.grant);
        answer_bad(rq, 503, "too many peers");
        return;
    }
    if (!p) {
        p = new0(struct announced);
        p->acceptor = a;
        p->id = said.id;
        list_init(&p->handshakes);
        map_put(a->announced, key, p);
    }
    p->pin = said.pin;
    learn_name(p);
    free(p->grant);
    p->grant = said.grant;
    channel_answer(rq, 200, NULL);
    if (a->options.announced)
        a->options.announced(&p->id, &p->pin, p->grant, a->options.ud);
}

static struct announced *find(struct peer_acceptor *a, const struct channel_request_info *info)
{
    struct id id;
    char key[ID_TEXT_SIZE];
    struct span path = span_of(info->path);
    size_t prefix = sizeof(peers_path); /* with the slash in place of the NUL */
    if (path.len < prefix || id_parse(span_sub(path, prefix, path.len), &id) < 0)
        return NULL;
    return map_get(a->announced, id_format(&id, key));
}

static void replace_grant(struct peer_acceptor *a, struct announced *p, struct channel_request *rq)
{
    struct announcement said;
    struct err err = ERR_INIT;
    if (parse_announcement(a, channel_request_info(rq), false, &said, &err) < 0) {
        answer_bad(rq, 400, err.text);
        return;
    }
    free(p->grant);
    p->grant = said.grant;
    channel_answer(rq, 200, NULL);
    if (a->options.granted)
        a->options.granted(&p->id, p->grant, a->options.ud);
}

static void withdraw(struct peer_acceptor *a, struct announced *p)
{
    struct id id = p->id;
    char key[ID_TEXT_SIZE];
    map_take(a->announced, id_format(&id, key));
    announced_free(p);
    if (a->options.withdrawn)
        a->options.withdrawn(&id, a->options.ud);
}

static void handle_request(struct peer_acceptor *a, struct channel_request *rq)
{
    const struct channel_request_info *info = channel_request_info(rq);
    if (str_eq(info->path, peers_path)) {
        if (str_eq(info->method, "POST"))
            announce(a, rq);
        else
            channel_answer(rq, 405, NULL);
        return;
    }
    struct announced *p = find(a, info);
    if (!p) {
        answer_bad(rq, 404, "no such peer");
    } else if (str_eq(info->method, "PUT")) {
        replace_grant(a, p, rq);
    } else if (str_eq(info->method, "DELETE")) {
        channel_answer(rq, 200, NULL);
        withdraw(a, p);
    } else {
        channel_answer(rq, 405, NULL);
    }
}

/* ---- channels ---- */

static void handshake_done(struct tunnel_session *session, int result, const struct err *err,
                           void *ud)
{
    struct handshake *h = ud;
    struct announced *p = h->announced;
    struct peer_acceptor *a = p->acceptor;
    h->peer = NULL;
    handshake_free(h);
    if (result == 0)
        a->options.connected(session, &p->id, p->grant, NULL, a->options.ud);
}

static void accept_peer(struct peer_acceptor *a, struct channel_request *rq)
{
    char key[ID_TEXT_SIZE];
    struct announced *p = map_get(a->announced, id_format(&channel_request_info(rq)->id, key));
    if (!p) {
        channel_refuse(rq, DIAL_FORBIDDEN, "this peer was not announced");
        return;
    }
    if (p->n_handshakes == HANDSHAKES_MAX) {
        channel_refuse(rq, DIAL_LIMIT, "too many handshakes of this peer");
        return;
    }
    struct handshake *h = new0(struct handshake);
    h->announced = p;
    list_append(&p->handshakes, &h->link);
    p->n_handshakes++;
    const struct peer_options options = {
        .tls = a->options.tls, .pin = p->pin, .role = H2_SERVER, .done = handshake_done, .ud = h};
    h->peer = peer_start(a->loop, channel_accept(rq), &options);
}

bool peer_acceptor_expects(struct peer_acceptor *a, const char *name, struct id *ret_peer,
                           struct tls_pin *ret_pin)
{
    const struct announced *p = map_get(a->names, name);
    if (!p || !a->options.direct || !a->options.direct(p->grant, a->options.ud))
        return false;
    *ret_peer = p->id;
    *ret_pin = p->pin;
    return true;
}

void peer_acceptor_admit(struct peer_acceptor *a, const struct id *peer, struct stream *tls,
                         const struct addr *from)
{
    char key[ID_TEXT_SIZE];
    const struct announced *p = map_get(a->announced, id_format(peer, key));
    const struct tunnel_session_options options = {.role = H2_SERVER};
    if (!p) {
        stream_free(tls);
        return;
    }
    a->options.connected(tunnel_session_new(a->loop, tls, &options), &p->id, p->grant, from,
                         a->options.ud);
}

bool peer_acceptor_handle(struct peer_acceptor *a, struct channel_request *rq)
{
    const struct channel_request_info *info = channel_request_info(rq);
    if (info->kind == CHANNEL_PEER) {
        accept_peer(a, rq);
        return true;
    }
    struct span path = span_of(info->path);
    size_t prefix = sizeof(peers_path) - 1;
    if (info->kind != CHANNEL_REQUEST || !span_starts(path, peers_path) ||
        (path.len > prefix && path.p[prefix] != '/'))
        return false;
    handle_request(a, rq);
    return true;
}

bool peer_acceptor_pin(const struct peer_acceptor *a, const struct id *peer,
                       struct tls_pin *ret_pin)
{
    char key[ID_TEXT_SIZE];
    const struct announced *p = map_get(a->announced, id_format(peer, key));
    if (p)
        *ret_pin = p->pin;
    return p != NULL;
}

/* ---- life ---- */

struct peer_acceptor *peer_acceptor_new(struct loop *loop,
                                        const struct peer_acceptor_options *options)
{
    struct peer_acceptor *a = new0(struct peer_acceptor);
    a->loop = loop;
    a->options = *options;
    if (!a->options.max_peers)
        a->options.max_peers = PEERS_MAX;
    tls_context_ref(a->options.tls);
    a->announced = map_new();
    a->names = map_new();
    return a;
}

void peer_acceptor_clear(struct peer_acceptor *a)
{
    struct map *announced = a->announced;
    a->announced = map_new();
    struct map_iter it = {0};
    struct announced *p;
    while ((p = map_next(announced, &it)))
        announced_free(p);
    map_free(announced);
}

struct peer_acceptor *peer_acceptor_free(struct peer_acceptor *a)
{
    if (!a)
        return NULL;
    peer_acceptor_clear(a);
    map_free(a->announced);
    map_free(a->names);
    tls_context_unref(a->options.tls);
    free(a);
    return NULL;
}
