/* Who is let through, by what, and for how long. */
#include "proxy/test_talk.h"

/* ---- who may ---- */

static unsigned expected(enum share_level level, enum person p, bool admins)
{
    switch (p) {
    case OWNER:
        return 200;
    case ADMIN:
        return admins || level >= SHARE_AUTHENTICATED ? 200 : 404;
    case NAMED:
        return level >= SHARE_USERS ? 200 : 404;
    case OTHER:
        return level >= SHARE_AUTHENTICATED ? 200 : 404;
    default:
        return level == SHARE_PUBLIC ? 200 : 303;
    }
}

static void ports_are_open_to_those_they_are_shared_with(void **state)
{
    struct scene *s = *state;
    for (enum share_level max = SHARE_OWNER; max <= SHARE_PUBLIC; max++) {
        put_template(s, max, SHARE_OWNER, CORS_SIMPLE);
        for (enum share_level level = SHARE_OWNER; level <= SHARE_PUBLIC; level++) {
            share_port(s, level);
            for (enum person p = 0; p < N_PEOPLE; p++) {
                /* The named one is named at the level `users` only. */
                enum share_level cut = level < max ? level : max;
                unsigned wanted = expected(cut, p, true);
                if (p == NAMED && cut == SHARE_USERS && level != SHARE_USERS)
                    wanted = 404;
                if (ask(s, "GET", PORT_HOST, "/", credential(s, p)) != wanted)
                    fail_msg("max %s level %s %s: %u", share_level_name(max),
                             share_level_name(level), names[p], s->status);
            }
        }
    }
}

static void apps_are_open_by_host_as_the_template_says(void **state)
{
    struct scene *s = *state;
    for (enum share_level level = SHARE_OWNER; level <= SHARE_PUBLIC; level++) {
        put_template(s, SHARE_OWNER, level, CORS_SIMPLE);
        for (enum person p = 0; p < N_PEOPLE; p++) {
            unsigned wanted = expected(level, p, true);
            if (p == NAMED && level == SHARE_USERS)
                wanted = 404; /* nobody is named by a template */
            if (ask(s, "GET", APP_HOST, "/x", credential(s, p)) != wanted)
                fail_msg("%s %s: %u", share_level_name(level), names[p], s->status);
        }
    }
}

/* The share over the template: in both directions, up to the wider of the template's levels. */
static void an_apps_share_counts_in_place_of_the_template(void **state)
{
    struct scene *s = *state;
    for (enum share_level max = SHARE_OWNER; max <= SHARE_PUBLIC; max++)
        for (enum share_level of_app = SHARE_OWNER; of_app <= SHARE_PUBLIC; of_app++) {
            enum share_level most = of_app > max ? of_app : max;
            put_template(s, max, of_app, CORS_SIMPLE);
            for (enum share_level level = SHARE_OWNER; level <= SHARE_PUBLIC; level++) {
                enum share_level cut = level < most ? level : most;
                share_app(s, level);
                for (enum person p = 0; p < N_PEOPLE; p++) {
                    unsigned wanted = expected(cut, p, true);
                    if (p == NAMED && cut == SHARE_USERS && level != SHARE_USERS)
                        wanted = 404;
                    if (ask(s, "GET", APP_HOST, "/x", credential(s, p)) != wanted)
                        fail_msg("max %s app %s share %s %s: %u", share_level_name(max),
                                 share_level_name(of_app), share_level_name(level), names[p],
                                 s->status);
                }
            }
            unshare_app(s);
            assert_int_equal(ask(s, "GET", APP_HOST, "/x", ""), of_app == SHARE_PUBLIC ? 200 : 303);
        }
}

static void an_apps_share_ends_at_its_time_and_with_the_app(void **state)
{
    struct scene *s = *state;
    put_template(s, SHARE_PUBLIC, SHARE_OWNER, CORS_SIMPLE);
    set_share(s, (struct share){.slug = "lab", .level = SHARE_PUBLIC, .expires_at = 1});
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", ""), 303);
    /* A share is of one app: neither of a port nor of an app that the template does not have. */
    set_share(s, (struct share){.slug = "lab", .level = SHARE_PUBLIC});
    set_share(s, (struct share){.slug = "gone", .level = SHARE_PUBLIC});
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", ""), 200);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", ""), 303);
    assert_int_equal(ask(s, "GET", "gone--dev--ada.apps.test", "/", ""), 303);
    assert_int_equal(ask(s, "GET", "gone--dev--ada.apps.test", "/", credential(s, OTHER)), 404);
    assert_int_equal(ask(s, "GET", "gone--dev--ada.apps.test", "/", credential(s, OWNER)), 404);
}

static void a_ticket_for_an_app_is_withdrawn_by_its_slug(void **state)
{
    struct scene *s = *state;
    char line[5200];
    put_template(s, SHARE_PUBLIC, SHARE_OWNER, CORS_SIMPLE);
    share_app(s, SHARE_USERS);
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", credential(s, NAMED)), 200);
    snprintf(line, sizeof(line), "%s", ticket_of(s));
    share_app(s, SHARE_USERS); /* what was left to be written is behind it */
    share_app(s, SHARE_USERS);
    uint64_t before = store_calls(s);
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", line), 200);
    assert_int_equal(store_calls(s), before);
    withdrawal_log_add(s->log, &(struct withdrawal){.agent_id = s->agent.id, .target = "8888"});
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", line), 200);
    withdrawal_log_add(s->log, &(struct withdrawal){.agent_id = s->agent.id, .target = "lab"});
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", line), 303);
}

static void path_apps_obey_their_switches(void **state)
{
    struct scene *s = *state;
    for (unsigned set = 0; set < 4; set++) {
        s->options.path_app_sharing = set & 1;
        s->options.path_app_site_owner_access = set & 2;
        open_proxy(s);
        for (enum share_level level = SHARE_OWNER; level <= SHARE_PUBLIC; level++) {
            put_template(s, SHARE_OWNER, level, CORS_SIMPLE);
            for (enum person p = 0; p < N_PEOPLE; p++) {
                enum share_level cut = set & 1 ? level : SHARE_OWNER;
                unsigned wanted = expected(cut, p, set & 2);
                if (p == NAMED && cut == SHARE_USERS)
                    wanted = 404;
                if (ask(s, "GET", "adit.test", APP_PATH, credential(s, p)) != wanted)
                    fail_msg("set %u %s %s: %u", set, share_level_name(level), names[p], s->status);
            }
        }
        put_template(s, SHARE_PUBLIC, SHARE_OWNER, CORS_SIMPLE);
        for (enum share_level level = SHARE_OWNER; level <= SHARE_PUBLIC; level++) {
            share_app(s, level);
            for (enum person p = 0; p < N_PEOPLE; p++)
                assert_int_equal(ask(s, "GET", "adit.test", APP_PATH, credential(s, p)),
                                 expected(set & 1 ? level : SHARE_OWNER, p, set & 2));
        }
        unshare_app(s);
    }
    s->options.path_apps = false;
    open_proxy(s);
    assert_int_equal(ask(s, "GET", "adit.test", APP_PATH, credential(s, OWNER)), 403);
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", credential(s, OWNER)), 200);
}

static void what_is_missing_looks_like_what_is_not_shared(void **state)
{
    static const char *const hosts[] = {
        "8080--nope--ada.apps.test", "8080--dev--nope.apps.test", "8080--nope--dev--ada.apps.test",
        "nope--dev--ada.apps.test", "8080--0000000000000.apps.test"};
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OTHER)), 404);
    char *forbidden = xstrdup(strchr(strstr(text(s), "Cache-Control"), '\n'));
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        assert_int_equal(ask(s, "GET", hosts[i], "/", credential(s, OTHER)), 404);
        assert_string_equal(strchr(strstr(text(s), "Cache-Control"), '\n'), forbidden);
        assert_int_equal(ask(s, "GET", hosts[i], "/", ""), 303);
        assert_int_equal(ask(s, "GET", hosts[i], "/", "Sec-Fetch-Mode: cors\r\n"), 401);
    }
    free(forbidden);
}

static void strangers_are_led_to_the_log_in(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/a?b=c%20d&e", "Sec-Fetch-Mode: navigate\r\n"), 303);
    assert_true(said(s, "Location: http://adit.test/api/v1/applications/auth-redirect?redirect_uri="
                        "http%3A%2F%2F8080--dev--ada.apps.test%2Fa%3Fb%3Dc%2520d%26e\r\n"));
    assert_int_equal(ask(s, "GET", "adit.test", APP_PATH "?q", ""), 303);
    assert_true(said(s, "Location: http://adit.test/login?next=%2F%40ada%2Fdev%2Fapps%2Flab%2Fx%3Fq"
                        "\r\n"));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", "Accept: application/json\r\n"), 401);
    assert_true(said(s, "Content-Type: application/json"));
    /* Credentials that are the app's, or nobody's, count for nothing. */
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", "Authorization: Bearer adit_sx\r\n"), 303);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", "Cookie: adit_session=adit_sx\r\n"), 303);
}

static void addresses_that_are_wrong_are_told_so(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", "8--dev--ada.apps.test", "/", credential(s, OWNER)), 400);
    assert_int_equal(ask(s, "GET", "x.apps.test", "/", ""), 400);
    assert_int_equal(ask(s, "GET", "adit.test", "/@ada/dev/apps/8080/", credential(s, OWNER)), 400);
    assert_int_equal(ask(s, "GET", "adit.test", "/@ada/dev/x", credential(s, OWNER)), 404);
    assert_int_equal(ask(s, "GET", "adit.test", "/@ada/dev/apps/lab?x", credential(s, OWNER)), 307);
    assert_true(said(s, "Location: /@ada/dev/apps/lab/?x\r\n"));
    assert_int_equal(ask(s, "GET", "other.test", "/", ""), 200);
    assert_true(said(s, "dashboard"));
}

/* ---- tickets ---- */

static void a_ticket_needs_no_store(void **state)
{
    struct scene *s = *state;
    char line[5200];
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 200);
    snprintf(line, sizeof(line), "%s", ticket_of(s));
    share_port(s, SHARE_OWNER); /* what the session's use left to be written is behind it */
    /* Writes are done in order: behind this one, what the log-in left to be written is counted. */
    share_port(s, SHARE_OWNER);
    uint64_t before = store_calls(s);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(ask(s, "GET", PORT_HOST, "/x", line), 200);
    assert_int_equal(store_calls(s), before);
    assert_false(said(s, "Set-Cookie"));
    assert_true(said(s, "X-Adit-User: ada\n"));
    assert_int_equal(atomic_load(&s->counters.tickets_used), 100);
}

static void a_ticket_is_for_its_own_request_only(void **state)
{
    struct scene *s = *state;
    char line[5200];
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 200);
    snprintf(line, sizeof(line), "%s", ticket_of(s));
    assert_int_equal(ask(s, "GET", "8081--dev--ada.apps.test", "/", line), 303);
    assert_int_equal(ask(s, "GET", "8080s--dev--ada.apps.test", "/", line), 303);
    assert_int_equal(ask(s, "GET", "x---8080--dev--ada.apps.test", "/", line), 303);
    assert_int_equal(ask(s, "GET", "8080--main--dev--ada.apps.test", "/", line), 303);
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", line), 303);
    assert_int_equal(ask(s, "GET", "adit.test", APP_PATH, line), 303);
    assert_int_equal(ask(s, "GET", "8080--DEV--ada.apps.test.:80", "/", line), 200);
}

static void several_tickets_are_tried(void **state)
{
    struct scene *s = *state;
    char line[5200], many[6000];
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 200);
    snprintf(line, sizeof(line), "%s", ticket_of(s) + strlen("Cookie: "));
    snprintf(many, sizeof(many), "Cookie: adit_ticket=a.b.c; adit_ticket=evil; %s", line);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", many), 200);
    snprintf(many, sizeof(many),
             "Cookie: adit_ticket=1; adit_ticket=2; adit_ticket=3; adit_ticket=4; adit_ticket=5; "
             "adit_ticket=6; adit_ticket=7; adit_ticket=8; %s",
             line);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", many), 303);
}

static void withdrawn_rights_count_from_the_next_request_on(void **state)
{
    struct scene *s = *state;
    const struct withdrawal all[] = {
        {.token_id = s->sessions[NAMED]},
        {.user_id = s->users[NAMED]},
        {.agent_id = s->agent.id, .target = "8080"},
        {.workspace_id = s->ws.id},
        {.template_id = s->ws.template_id},
    };
    char line[5200];
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        share_port(s, SHARE_USERS);
        assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, NAMED)), 200);
        snprintf(line, sizeof(line), "%s", ticket_of(s));
        assert_int_equal(ask(s, "GET", PORT_HOST, "/", line), 200);
        withdrawal_log_add(s->log, &all[i]);
        assert_int_equal(ask(s, "GET", PORT_HOST, "/", line), 303);
    }
    /* What is about somebody else is not. */
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, NAMED)), 200);
    snprintf(line, sizeof(line), "%s", ticket_of(s));
    withdrawal_log_add(s->log, &(struct withdrawal){.user_id = s->users[OTHER]});
    withdrawal_log_add(s->log, &(struct withdrawal){.agent_id = s->agent.id, .target = "8081"});
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", line), 200);
}

/* ---- the hand-over ---- */

static void make_hand_over(struct scene *s, const char *site, char *dst, size_t size)
{
    struct hand_over h = {.user_id = s->users[OWNER],
                          .session_id = s->sessions[OWNER],
                          .expires_at = clock_realtime() + HAND_OVER_LIFE};
    unsigned char hash[TOKEN_HASH_LEN];
    struct buf value = BUF_INIT(HAND_OVER_MAX_LEN);
    str_copy(h.site, sizeof(h.site), site);
    token_make(TOKEN_LETTER_APP, h.token, hash);
    assert_int_equal(hand_over_seal(s->hand_overs, &h, &value), 0);
    snprintf(dst, size, "//evil.test/?a=b&" HAND_OVER_QUERY "=%s&c=d", buf_cstr(&value));
    buf_deinit(&value);
}

static void a_hand_over_becomes_a_session_once(void **state)
{
    struct scene *s = *state;
    char target[2048], line[256];
    make_hand_over(s, PORT_HOST, target, sizeof(target));
    assert_int_equal(ask(s, "GET", PORT_HOST, target, ""), 303);
    assert_true(said(s, "Location: /.//evil.test/?a=b&c=d\r\n"));
    const char *cookie = strstr(text(s), "Set-Cookie: adit_app_session_");
    assert_non_null(cookie);
    assert_true(said(s, "; Domain=apps.test; HttpOnly; SameSite=Lax\r\n"));
    cookie += strlen("Set-Cookie: ");
    snprintf(line, sizeof(line), "Cookie: %.*s\r\n", (int)strcspn(cookie, ";"), cookie);
    assert_int_equal(ask(s, "GET", PORT_HOST, target, ""), 400);
    assert_true(said(s, "href=\"/.//evil.test/?a=b&amp;c=d\""));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", line), 200);
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", line), 200);
}

static void a_hand_over_for_another_host_is_refused(void **state)
{
    struct scene *s = *state;
    char target[2048];
    make_hand_over(s, APP_HOST, target, sizeof(target));
    assert_int_equal(ask(s, "GET", PORT_HOST, target, ""), 400);
    assert_false(said(s, "Set-Cookie"));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/?" HAND_OVER_QUERY "=x.y", ""), 400);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/?" HAND_OVER_QUERY "=", ""), 400);
}

/* ---- quota ---- */

static struct stream *begin(struct scene *s)
{
    struct stream *person = person_connect(s);
    struct buf out = BUF_INIT(4096);
    buf_appendf(&out, "GET / HTTP/1.1\r\nHost: " PORT_HOST "\r\nConnection: close\r\n%s\r\n",
                credential(s, OWNER));
    assert_int_equal(stream_send_bytes(person, buf_data(&out), out.len), out.len);
    buf_deinit(&out);
    return person;
}

static void who_asks_the_store_has_a_ceiling(void **state)
{
    struct scene *s = *state;
    s->options.asking_max = 2;
    open_proxy(s);
    struct stream *people[] = {begin(s), begin(s), begin(s)};
    unsigned ok = 0, busy = 0;
    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        buf_clear(&s->got);
        person_read(s, people[i], NULL);
        stream_free(people[i]);
        ok += said(s, "HTTP/1.1 200 ");
        busy += said(s, "HTTP/1.1 503 ");
    }
    assert_int_equal(ok, 2);
    assert_int_equal(busy, 1);
    assert_int_equal(atomic_load(&s->counters.refused), 1);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ports_are_open_to_those_they_are_shared_with),
        TEST(apps_are_open_by_host_as_the_template_says),
        TEST(an_apps_share_counts_in_place_of_the_template),
        TEST(an_apps_share_ends_at_its_time_and_with_the_app),
        TEST(a_ticket_for_an_app_is_withdrawn_by_its_slug),
        TEST(path_apps_obey_their_switches),
        TEST(what_is_missing_looks_like_what_is_not_shared),
        TEST(strangers_are_led_to_the_log_in),
        TEST(addresses_that_are_wrong_are_told_so),
        TEST(a_ticket_needs_no_store),
        TEST(a_ticket_is_for_its_own_request_only),
        TEST(several_tickets_are_tried),
        TEST(withdrawn_rights_count_from_the_next_request_on),
        TEST(a_hand_over_becomes_a_session_once),
        TEST(a_hand_over_for_another_host_is_refused),
        TEST(who_asks_the_store_has_a_ceiling),
    };
    alarm(110);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
