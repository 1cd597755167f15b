#pragma once
/* The stage of this folder's tests: web/ over a real store in a folder of its own. */
#include <ftw.h>

#include "web/test_live.h"

/* ---- set-up ---- */
static inline void scene_request(struct exchange *x, void *ud)
{
    web_handle(((struct scene *)ud)->web, x);
}

static inline void scene_open_web(struct scene *s, const char *access_url)
{
    s->web = web_free(s->web);
    assert_int_equal(app_site_parse(SPAN("*.localhost:7777"), span_of(access_url), &s->apps, NULL),
                     0);
    s->web = web_new(&(struct web_options){.loop = s->loop,
                                           .auth = s->auth,
                                           .access_url = access_url,
                                           .wildcard_url = "*.localhost:7777",
                                           .apps = &s->apps,
                                           .version = "1.2.3",
                                           .body_max = 1 << 20,
                                           .counters = &s->counters,
                                           .live = &scene_live,
                                           .live_ud = s});
}

static inline int set_up(void **state)
{
    struct scene *s = new0(struct scene);
    struct err err = ERR_INIT;

    str_copy(s->dir, sizeof(s->dir), "/tmp/adit-web-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof(s->path), "%s/adit.db", s->dir);
    s->loop = loop_new();
    if (store_open(&(struct store_options){.path = s->path}, &s->store, &err) < 0)
        fail_msg("%s", err.text);
    s->auth = auth_new(s->store, &(struct auth_options){0});
    str_copy(s->ip, sizeof(s->ip), "192.0.2.1");
    s->streams_max = 4;
    scene_open_web(s, "http://adit.test");
    s->conn = (struct server_conn_options){.handler = scene_request, .ud = s};
    *state = s;
    return 0;
}

static inline int scene_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void answer_clear(struct answer *a)
{
    json_decref(a->json);
    free(a->body);
    *a = (struct answer){0};
}

static inline int tear_down(void **state)
{
    struct scene *s = *state;

    while (web_in_flight(s->web) > 0)
        loop_turn(s->loop, true);
    web_free(s->web);
    store_close(s->store);
    loop_turn(s->loop, false);
    auth_free(s->auth);
    loop_free(s->loop);
    answer_clear(&s->a);
    grant_deinit(&s->relay.grant);
    nftw(s->dir, scene_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(s);
    return 0;
}
