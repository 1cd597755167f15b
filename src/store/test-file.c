/* The database as a file: made, migrated, damaged, shared, killed, and the course of operations. */
#include "store/test_store.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/migration.h"
#include "store/share.h"

static int set_up_empty(void **state)
{
    *state = place_new();
    return 0;
}

static void write_file(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void assert_refused(struct place *p, int code, const char *text)
{
    struct err err = ERR_INIT;
    struct store *s = NULL;
    struct store_options options = {.path = p->path, .busy_timeout = USEC_PER_MSEC};
    assert_int_equal(store_open(&options, &s, &err), code);
    assert_null(s);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" does not contain \"%s\"", err.text, text);
    assert_non_null(strstr(err.text, "adit"));
}

static void an_empty_folder_gets_a_private_database(void **state)
{
    struct place *p = *state;
    struct stat st;
    place_open(p);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void what_was_answered_is_there_after_a_restart(void **state)
{
    struct place *p = *state;
    struct answer a;
    place_open(p);
    make_user(p, "bob", ROLE_AUDITOR);
    p->store = store_close(p->store);
    place_open(p);
    assert_int_equal(ASK(p, &a, store_user_get(p->store, p->loop, "bob", on_user, &a)), 0);
    assert_int_equal(a.user.role, ROLE_AUDITOR);
}

static void an_empty_file_is_taken_as_a_new_database(void **state)
{
    struct place *p = *state;
    write_file(p->path, "", 0);
    place_open(p);
    make_user(p, "bob", ROLE_MEMBER);
}

static void a_database_before_the_first_migration_is_brought_up_to_date(void **state)
{
    struct place *p = *state;
    run_sql(p->path, "PRAGMA application_id = 1633970548; PRAGMA user_version = 0;");
    place_open(p);
    make_user(p, "bob", ROLE_MEMBER);
}

/* An older database: all migrations but the last, and the first alone, then opened. */
static void a_database_of_any_older_schema_is_brought_up_to_date(void **state)
{
    struct place *p = *state;
    for (size_t until = 1; until < n_migrations; until++) {
        for (size_t i = 0; i < until; i++)
            run_sql(p->path, migrations[i].sql);
        char sql[128];
        snprintf(sql, sizeof(sql), "PRAGMA application_id = 1633970548; PRAGMA user_version = %zu",
                 until);
        run_sql(p->path, sql);
        place_open(p);
        make_user(p, "bob", ROLE_MEMBER);
        p->store = store_close(p->store);
        assert_int_equal(unlink(p->path), 0);
    }
    assert_int_equal(store_schema_version(), n_migrations);
}

static void on_old_share(void *ud, int r, const struct share *share)
{
    struct answer *a = ud;
    on_done(a, r);
    if (r != 0)
        return;
    a->share = *share;
    a->n = share->users.len;
    if (a->n > 0)
        str_copy(a->names, sizeof(a->names), share->users.items[0]);
}

#define BYTES_4(b)  b b b b
#define SQL_ID(b)   "x'" BYTES_4(BYTES_4(b)) "'"
#define OLD_BOB     SQL_ID("01")
#define OLD_EVE     SQL_ID("02")
#define OLD_AGENT   SQL_ID("03")
#define OLD_WS      SQL_ID("04")
#define OLD_MACHINE "'main', '0123456789abc', randomblob(32)"

/* Shares of ports from before apps had any, with their people and generations. */
static void shares_of_the_first_schema_are_kept(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct id agent, eve;
    run_sql(p->path, migrations[0].sql);
    run_sql(p->path,
            "PRAGMA application_id = 1633970548; PRAGMA user_version = 1;"
            "INSERT INTO users (id, name, role, created_at) VALUES (" OLD_BOB
            ", 'bob', 'owner', 1),"
            " (" OLD_EVE ", 'eve', 'member', 1);"
            "INSERT INTO workspaces SELECT " OLD_WS ", " OLD_BOB ", id, 'ws', 1 FROM templates;"
            "INSERT INTO agents (id, workspace_id, position, name, alias, token_hash, created_at)"
            " VALUES (" OLD_AGENT ", " OLD_WS ", 0, " OLD_MACHINE ", 1);"
            "INSERT INTO port_shares VALUES (" OLD_AGENT ", 8080, 'users', 'https', 99),"
            " (" OLD_AGENT ", 9, 'public', 'http', 0);"
            "INSERT INTO port_share_users VALUES (" OLD_AGENT ", 8080, " OLD_EVE ");"
            "INSERT INTO share_generations VALUES (" OLD_AGENT ", '8080', 7);");
    memset(agent.bytes, 3, sizeof(agent.bytes));
    memset(eve.bytes, 2, sizeof(eve.bytes));
    place_open(p);
    assert_int_equal(
        ASK(p, &a, store_share_get(p->store, p->loop, agent, "8080", on_old_share, &a)), 0);
    assert_int_equal(a.share.port, 8080);
    assert_int_equal(a.share.level, SHARE_USERS);
    assert_int_equal(a.share.protocol, SHARE_HTTPS);
    assert_int_equal(a.share.expires_at, 99);
    assert_int_equal(a.share.generation, 7);
    assert_int_equal(a.n, 1);
    assert_string_equal(a.names, "eve");
    assert_int_equal(ASK(p, &a, store_share_get(p->store, p->loop, agent, "9", on_old_share, &a)),
                     0);
    assert_int_equal(a.share.level, SHARE_PUBLIC);
    assert_int_equal(a.share.generation, 0);
    assert_int_equal(a.n, 0);
    /* The ties to people hold in the new tables, too. */
    assert_int_equal(ASK(p, &a, store_user_delete(p->store, p->loop, eve, on_done, &a)), 0);
    assert_int_equal(
        ASK(p, &a, store_share_get(p->store, p->loop, agent, "8080", on_old_share, &a)), 0);
    assert_int_equal(a.share.generation, 8);
    assert_int_equal(a.n, 0);
}

static void migrations_are_numbered_without_gaps(void **state)
{
    for (size_t i = 0; i < n_migrations; i++) {
        char number[32];
        snprintf(number, sizeof(number), "%04zu-", i + 1);
        assert_true(span_starts(span_of(migrations[i].name), number));
    }
}

static void a_migration_that_fails_changes_nothing(void **state)
{
    struct place *p = *state;
    /* The table that the first migration would make is in the way, under our own mark. */
    run_sql(p->path, "PRAGMA application_id = 1633970548; CREATE TABLE templates (x);");
    assert_refused(p, -EIO, "migration 0001-start: table templates already exists");
    sqlite3 *db;
    sqlite3_stmt *stmt;
    sqlite3_open(p->path, &db);
    sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_schema", -1, &stmt, NULL);
    sqlite3_step(stmt);
    assert_int_equal(sqlite3_column_int(stmt, 0), 1);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void a_schema_of_a_newer_program_is_refused(void **state)
{
    struct place *p = *state;
    place_open(p);
    p->store = store_close(p->store);
    run_sql(p->path, "PRAGMA user_version = 9999");
    assert_refused(p, -EINVAL, "written by a newer adit (schema 9999");
}

static void a_database_of_another_program_is_refused(void **state)
{
    struct place *p = *state;
    run_sql(p->path, "CREATE TABLE bookmarks (url TEXT)");
    assert_refused(p, -EINVAL, "a database of another program");
}

static void what_is_no_database_is_refused(void **state)
{
    struct place *p = *state;
    char text[4096];
    memset(text, 'x', sizeof(text));
    write_file(p->path, text, sizeof(text));
    assert_refused(p, -EINVAL, "is not a database");
}

static void a_damaged_database_is_refused(void **state)
{
    struct place *p = *state;
    place_open(p);
    p->store = store_close(p->store);
    int fd = open(p->path, O_WRONLY);
    char noise[2000];
    memset(noise, 0xa5, sizeof(noise));
    /* The first page beyond the file's header: the root of the schema. */
    assert_int_equal(pwrite(fd, noise, sizeof(noise), 100), (ssize_t)sizeof(noise));
    close(fd);
    assert_refused(p, -EIO, "is damaged");
}

static void a_missing_folder_and_a_folder_in_place_of_the_file_are_refused(void **state)
{
    struct place *p = *state;
    char saved[128];
    str_copy(saved, sizeof(saved), p->path);
    snprintf(p->path, sizeof(p->path), "%s/none/adit.db", p->dir);
    assert_refused(p, -ENOENT, "No such file or directory");
    snprintf(p->path, sizeof(p->path), "%s", p->dir);
    assert_refused(p, -EISDIR, "Is a directory");
    str_copy(p->path, sizeof(p->path), saved);
}

/* Run as another user in a child, since root may write everywhere. */
static int open_as_nobody(struct place *p)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = ERR_INIT;
        struct store *s = NULL;
        if (geteuid() == 0 && setuid(65534) < 0)
            _exit(3);
        int r = store_open(&(struct store_options){.path = p->path}, &s, &err);
        _exit(r == -EACCES && strstr(err.text, "adit.db") ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}

static void without_the_right_to_write_it_says_so(void **state)
{
    struct place *p = *state;
    assert_int_equal(chmod(p->dir, 0555), 0);
    assert_int_equal(open_as_nobody(p), 0);
    chmod(p->dir, 0755);
    place_open(p);
    p->store = store_close(p->store);
    /* The file may be written, its folder not: no log can be made beside it. */
    chmod(p->path, 0666);
    chmod(p->dir, 0555);
    assert_int_equal(open_as_nobody(p), 0);
    chmod(p->dir, 0755);
}

static void a_lock_of_another_process_is_waited_for_and_then_named(void **state)
{
    struct place *p = *state;
    struct answer a;
    place_open(p);
    p->store = store_close(p->store);
    sqlite3 *db;
    sqlite3_open(p->path, &db);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_refused(p, -EBUSY, "locked by another process");
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);

    struct store_options options = {.path = p->path, .busy_timeout = USEC_PER_MSEC};
    assert_int_equal(store_open(&options, &p->store, NULL), 0);
    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    struct store_user_new new = {.name = "bob"};
    assert_int_equal(ASK(p, &a, store_user_create(p->store, p->loop, &new, on_user, &a)), -EBUSY);
    /* Readers are not kept. */
    assert_int_equal(ASK(p, &a, store_setup_needed(p->store, p->loop, on_flag, &a)), 0);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_int_equal(ASK(p, &a, store_user_create(p->store, p->loop, &new, on_user, &a)), 0);
    char text[256];
    store_last_error(p->store, text, sizeof(text));
    assert_string_equal(text, "user_create: database is locked");
}

/* Adds users NAME-0, NAME-1 …, each when the one before was answered. */
static void add_users(struct place *p, char letter, int n)
{
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%c-%d", letter, i);
        make_user(p, name, ROLE_MEMBER);
    }
}

static void two_processes_write_the_same_file(void **state)
{
    struct place *p = *state;
    struct answer a;
    pid_t pid = fork();
    if (pid == 0)
        p->loop = loop_new(); /* the parent's would share its wake-ups with this process */
    /* Both migrate at the same time. A failed assertion in the child would run the other tests. */
    if (pid == 0 && store_open(&(struct store_options){.path = p->path}, &p->store, NULL) < 0)
        _exit(1);
    if (pid != 0)
        place_open(p);
    add_users(p, pid ? 'a' : 'b', 40);
    if (pid == 0) {
        store_close(p->store);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    struct store_page page = {.limit = 1000};
    ASK(p, &a, store_user_list(p->store, p->loop, page, on_users, &a));
    assert_int_equal(a.n, 80);
}

/* The child is killed in the middle of its work; what it had been answered must be there. */
static void a_kill_loses_nothing_that_was_answered(void **state)
{
    struct place *p = *state;
    struct answer a;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        place_open(p);
        for (int i = 0;; i++) {
            char name[16];
            snprintf(name, sizeof(name), "u-%d", i);
            make_user(p, name, ROLE_MEMBER);
            if (write(fds[1], &i, sizeof(i)) != sizeof(i))
                _exit(1);
        }
    }
    int last = -1;
    while (last < 50)
        assert_int_equal(read(fds[0], &last, sizeof(last)), sizeof(last));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(fds[1]);
    int more;
    while (read(fds[0], &more, sizeof(more)) == sizeof(more))
        last = more;
    close(fds[0]);

    char wal[160];
    struct stat st;
    snprintf(wal, sizeof(wal), "%s-wal", p->path);
    assert_int_equal(stat(wal, &st), 0); /* it did not end in order */
    place_open(p);
    struct store_page page = {.limit = 1000};
    ASK(p, &a, store_user_list(p->store, p->loop, page, on_users, &a));
    assert_true(a.n >= (size_t)last + 1 && a.n <= (size_t)last + 2);
}

static void a_cancelled_operation_does_not_call_back(void **state)
{
    struct place *p = *state;
    struct answer a = {0}, b = {0};
    place_open(p);
    store_cancel(store_setup_needed(p->store, p->loop, on_flag, &a));
    store_cancel(
        store_user_create(p->store, p->loop, &(struct store_user_new){.name = "x"}, on_user, &a));
    assert_int_equal(
        ASK(p, &b,
            store_user_list(p->store, p->loop, (struct store_page){.limit = 9}, on_users, &b)),
        0);
    p->store = store_close(p->store);
    p->loop = loop_free(p->loop);
    p->loop = loop_new();
    assert_false(a.done);
}

static void closing_finishes_changes_and_answers_everything(void **state)
{
    struct place *p = *state;
    struct answer changes[100] = {{0}}, reads[100] = {{0}};
    place_open(p);
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof(name), "u%d", i);
        store_user_create(p->store, p->loop, &(struct store_user_new){.name = name}, on_user,
                          &changes[i]);
        store_user_get(p->store, p->loop, name, on_user, &reads[i]);
    }
    p->store = store_close(p->store);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(wait_for(p, &changes[i]), 0);
        int r = wait_for(p, &reads[i]);
        assert_true(r == 0 || r == STORE_NOT_FOUND || r == -ECANCELED);
    }
}

static void one_refused_change_in_a_batch_leaves_its_neighbours_alone(void **state)
{
    struct place *p = *state;
    struct answer answers[200] = {{0}};
    place_open(p);
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof(name), "u%d", i / 2); /* each twice */
        store_user_create(p->store, p->loop, &(struct store_user_new){.name = name}, on_user,
                          &answers[i]);
    }
    for (int i = 0; i < 200; i++)
        assert_int_equal(wait_for(p, &answers[i]), i % 2 ? STORE_EXISTS : 0);
}

struct asker {
    struct place place; /* of the one store, with a loop of its own */
    pthread_t thread;
    char letter;
    bool ok;
};

static void *ask_much(void *ud)
{
    struct asker *asker = ud;
    struct place *p = &asker->place;
    asker->ok = true;
    for (int i = 0; i < 40; i++) {
        char name[16];
        struct answer a;
        snprintf(name, sizeof(name), "%c-%d", asker->letter, i);
        struct store_user_new new = {.name = name};
        if (ASK(p, &a, store_user_create(p->store, p->loop, &new, on_user, &a)) != 0 ||
            ASK(p, &a, store_user_get(p->store, p->loop, name, on_user, &a)) != 0 ||
            !str_eq(a.user.name, name))
            asker->ok = false;
    }
    return NULL;
}

static void many_loops_ask_at_once_and_see_their_own_changes(void **state)
{
    struct place *p = *state;
    struct asker askers[4];
    place_open(p);
    for (int i = 0; i < 4; i++) {
        askers[i].place = *p;
        askers[i].place.loop = loop_new();
        askers[i].letter = (char)('a' + i);
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_much, &askers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(askers[i].thread, NULL);
        loop_free(askers[i].place.loop);
        assert_true(askers[i].ok);
    }
}

static void accesses_are_counted_by_operation(void **state)
{
    struct place *p = *state;
    struct answer a;
    place_open(p);
    make_user(p, "bob", ROLE_MEMBER);
    for (int i = 0; i < 3; i++)
        ASK(p, &a, store_user_get(p->store, p->loop, "bob", on_user, &a));
    uint64_t creates = 0, gets = 0, others = 0;
    struct store_stat stat;
    for (unsigned i = 0; store_stat_get(p->store, i, &stat); i++) {
        if (str_eq(stat.name, "user_create"))
            creates += stat.calls;
        else if (str_eq(stat.name, "user_get"))
            gets += stat.calls;
        else
            others += stat.calls;
    }
    assert_int_equal(creates, 1);
    assert_int_equal(gets, 3);
    assert_int_equal(others, 0);
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, set_up_empty, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(an_empty_folder_gets_a_private_database),
        IN_FOLDER(what_was_answered_is_there_after_a_restart),
        IN_FOLDER(an_empty_file_is_taken_as_a_new_database),
        IN_FOLDER(a_database_before_the_first_migration_is_brought_up_to_date),
        IN_FOLDER(a_database_of_any_older_schema_is_brought_up_to_date),
        IN_FOLDER(shares_of_the_first_schema_are_kept),
        IN_FOLDER(migrations_are_numbered_without_gaps),
        IN_FOLDER(a_migration_that_fails_changes_nothing),
        IN_FOLDER(a_schema_of_a_newer_program_is_refused),
        IN_FOLDER(a_database_of_another_program_is_refused),
        IN_FOLDER(what_is_no_database_is_refused),
        IN_FOLDER(a_damaged_database_is_refused),
        IN_FOLDER(a_missing_folder_and_a_folder_in_place_of_the_file_are_refused),
        IN_FOLDER(without_the_right_to_write_it_says_so),
        IN_FOLDER(a_lock_of_another_process_is_waited_for_and_then_named),
        IN_FOLDER(two_processes_write_the_same_file),
        IN_FOLDER(a_kill_loses_nothing_that_was_answered),
        IN_FOLDER(a_cancelled_operation_does_not_call_back),
        IN_FOLDER(closing_finishes_changes_and_answers_everything),
        IN_FOLDER(one_refused_change_in_a_batch_leaves_its_neighbours_alone),
        IN_FOLDER(many_loops_ask_at_once_and_see_their_own_changes),
        IN_FOLDER(accesses_are_counted_by_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
