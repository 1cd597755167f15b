#include "server/audit_file.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/audit.h"
#include "base/cleanup.h"
#include "base/mem.h"

struct scene {
    char folder[64];
    char path[96];
    char moved[96];
};

static int set_up(void **state)
{
    struct scene *s = new0(struct scene);

    snprintf(s->folder, sizeof(s->folder), "/tmp/test-audit_file.XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->path, sizeof(s->path), "%s/audit.jsonl", s->folder);
    snprintf(s->moved, sizeof(s->moved), "%s/audit.jsonl.1", s->folder);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    unlink(s->path);
    unlink(s->moved);
    rmdir(s->folder);
    free(s);
    return 0;
}

static struct audit_event event(const char *target)
{
    struct audit_event e = {.id = id_new(), .time = clock_realtime(), .action = AUDIT_LOGIN};

    str_copy(e.actor, sizeof(e.actor), "ada");
    str_copy(e.target, sizeof(e.target), target);
    return e;
}

static char *content(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = xcalloc(1, 65536);

    assert_non_null(f);
    assert_true(fread(text, 1, 65535, f) < 65535);
    fclose(f);
    return text;
}

static size_t count_lines(const char *path)
{
    _cleanup_free_ char *text = content(path);
    size_t n = 0;

    for (const char *p = text; *p; p++)
        n += *p == '\n';
    return n;
}

static void an_event_is_a_line_that_reads_back(void **state)
{
    struct scene *s = *state;
    struct audit_event e = event("line\nbreak \"quoted\""), two[2] = {event("1"), event("2")};
    struct api_audit_event read;
    struct audit_file *f;
    struct stat st;
    struct err err = ERR_INIT;
    _cleanup_free_ char *text = NULL;

    assert_int_equal(audit_file_open(s->path, &f, &err), 0);
    audit_file_add(f, &e, 1);
    audit_file_add(f, two, 2);
    audit_file_close(f);
    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(count_lines(s->path), 3);
    text = content(s->path);
    *strchr(text, '\n') = '\0';
    assert_int_equal(api_audit_event_read(span_of(text), API_STRICT, &read, NULL), 0);
    assert_string_equal(read.event.target, e.target);
    assert_true(id_equal(&read.event.id, &e.id));
}

static void a_file_that_was_moved_away_is_begun_anew(void **state)
{
    struct scene *s = *state;
    struct audit_event e = event("x");
    struct audit_file *f;
    struct err err = ERR_INIT;

    assert_int_equal(audit_file_open(s->path, &f, &err), 0);
    audit_file_add(f, &e, 1);
    assert_int_equal(rename(s->path, s->moved), 0);
    audit_file_add(f, &e, 1);
    assert_int_equal(audit_file_reopen(f, &err), 0);
    audit_file_add(f, &e, 1);
    assert_int_equal(count_lines(s->moved), 2);
    assert_int_equal(count_lines(s->path), 1);

    /* It cannot be opened: the one that is open stays. */
    assert_int_equal(unlink(s->path), 0);
    assert_int_equal(mkdir(s->path, 0700), 0);
    assert_int_equal(audit_file_reopen(f, &err), -EISDIR);
    audit_file_add(f, &e, 1);
    assert_int_equal(audit_file_lost(f), 0);
    audit_file_close(f);
    rmdir(s->path);
}

static void half_a_line_is_ended_first(void **state)
{
    struct scene *s = *state;
    struct audit_event e = event("x");
    struct audit_file *f;
    struct err err = ERR_INIT;
    FILE *torn = fopen(s->path, "w");

    assert_non_null(torn);
    fputs("{\"id\":", torn);
    fclose(torn);
    assert_int_equal(audit_file_open(s->path, &f, &err), 0);
    audit_file_add(f, &e, 1);
    audit_file_add(f, &e, 1);
    audit_file_close(f);
    assert_int_equal(count_lines(s->path), 3);
}

/* A limit of the file's size cuts a write short as a full disk does. */
static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void what_finds_no_room_is_counted_and_the_next_line_is_whole(void **state)
{
    struct scene *s = *state;
    struct audit_event e[3] = {event("1"), event("2"), event("3")};
    struct audit_file *f;
    struct err err = ERR_INIT;
    _cleanup_free_ char *text = NULL;

    assert_int_equal(audit_file_open(s->path, &f, &err), 0);
    audit_file_add(f, e, 1);
    limit_file_size(400);
    audit_file_add(f, e, 3);
    assert_in_range(audit_file_lost(f), 1, 3);
    limit_file_size(RLIM_INFINITY);
    audit_file_add(f, e, 1);
    audit_file_close(f);
    text = content(s->path);
    assert_non_null(strrchr(text, '{'));
    assert_int_equal(strrchr(text, '{')[-1], '\n');
    assert_string_equal(text + strlen(text) - 2, "}\n");
}

static void a_device_is_no_file(void **state)
{
    struct audit_event e = event("x");
    struct audit_file *f = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(audit_file_open("/dev/null", &f, &err), -EINVAL);
    assert_non_null(strstr(err.text, "not a regular file"));
    assert_null(f);
    audit_file_add(NULL, &e, 1);
    assert_int_equal(audit_file_lost(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_is_a_line_that_reads_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_was_moved_away_is_begun_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(half_a_line_is_ended_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_finds_no_room_is_counted_and_the_next_line_is_whole,
                                        set_up, tear_down),
        cmocka_unit_test(a_device_is_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
