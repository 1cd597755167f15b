#pragma once
/* Two HTTP/2 sessions joined by a pair of streams in memory. For test programs only. */
#include "base/span.h"
#include "http/h2.h"
#include "io/test_help.h"

enum { SCENE_CHANNELS = 4096 };

struct h2_scene {
    struct loop *loop;
    struct h2 *client, *server;
    struct h2_options client_options, server_options;
    struct stream *wire[2]; /* set beforehand: the carriers */

    struct stream *taken[SCENE_CHANNELS]; /* the server's channels in order of their requests */
    int n_taken;
    char head[512]; /* the last request, as text */
    bool answer_at_once;
    bool refuse;
    bool free_server_on_request;

    bool client_ended, server_ended;
    int client_reason, server_reason;
};

static inline void scene_requested(struct h2 *session, struct stream *channel,
                                   const struct h2_head *head, void *ud)
{
    struct h2_scene *sc = ud;
    const char *test = h2_head_get(head, "test");
    snprintf(sc->head, sizeof(sc->head), "%s %s %s %s %s %s", head->method,
             head->protocol ? head->protocol : "-", head->scheme ? head->scheme : "-",
             head->authority ? head->authority : "-", head->path ? head->path : "-",
             test ? test : "-");
    if (sc->free_server_on_request)
        sc->server = h2_free(sc->server);
    if (sc->refuse) {
        const struct h2_field fields[] = {{"proxy-status", "adit; error=connection_refused"}};
        h2_answer_and_free(channel, 502, fields, 1, NULL);
        return;
    }
    assert_true(sc->n_taken < SCENE_CHANNELS);
    sc->taken[sc->n_taken++] = channel;
    if (sc->answer_at_once)
        h2_answer(channel, 200, NULL, 0, false);
}

static inline void scene_ended(struct h2 *session, int reason, const struct err *err, void *ud)
{
    struct h2_scene *sc = ud;
    if (session == sc->client) {
        assert_false(sc->client_ended);
        sc->client_ended = true;
        sc->client_reason = reason;
    } else {
        assert_ptr_equal(session, sc->server);
        assert_false(sc->server_ended);
        sc->server_ended = true;
        sc->server_reason = reason;
    }
}

static inline void h2_scene_open(struct h2_scene *sc)
{
    if (!sc->loop)
        sc->loop = loop_new();
    if (!sc->wire[0])
        stream_pair(sc->loop, 64 * 1024, sc->wire);
    sc->client_options.role = H2_CLIENT;
    sc->server_options.role = H2_SERVER;
    sc->server_options.requested = scene_requested;
    sc->client_options.ended = sc->server_options.ended = scene_ended;
    sc->client_options.ud = sc->server_options.ud = sc;
    sc->client = h2_new(sc->loop, sc->wire[0], &sc->client_options);
    sc->server = h2_new(sc->loop, sc->wire[1], &sc->server_options);
}

static inline void h2_scene_close(struct h2_scene *sc)
{
    for (int i = 0; i < sc->n_taken; i++)
        stream_free(sc->taken[i]);
    h2_free(sc->client);
    h2_free(sc->server);
    loop_free(sc->loop);
}

/* What a client knows of a request. */
struct asked {
    struct stream *channel;
    int n_answers;
    int result;
    unsigned status;
    char proxy_status[64];
    bool free_in_callback;
    struct h2_scene *free_session;
};

static inline void asked_answered(struct stream *channel, int result, const struct h2_head *head,
                                  void *ud)
{
    struct asked *a = ud;
    assert_ptr_equal(channel, a->channel);
    a->n_answers++;
    a->result = result;
    assert_true((result == 0) == (head != NULL));
    if (head) {
        a->status = head->status;
        str_copy(a->proxy_status, sizeof(a->proxy_status),
                 h2_head_get(head, "proxy-status") ? h2_head_get(head, "proxy-status") : "");
    }
    if (a->free_session)
        a->free_session->client = h2_free(a->free_session->client);
    if (a->free_in_callback)
        a->channel = stream_free(a->channel);
}

static inline void ask(struct h2_scene *sc, struct asked *a, const struct h2_head *head, bool end)
{
    a->channel = h2_request(sc->client, head, end, asked_answered, a);
}

static inline void ask_connect(struct h2_scene *sc, struct asked *a)
{
    const struct h2_head head = {.method = "CONNECT", .authority = "target:80"};
    ask(sc, a, &head, false);
}
