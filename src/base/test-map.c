#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

enum { MANY = 1000 };

static void strings_are_put_found_and_taken(void **state)
{
    static int values[MANY];
    struct map *m = map_new();
    char key[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        assert_null(map_put(m, key, &values[i]));
    }
    assert_int_equal(map_len(m), MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        assert_ptr_equal(map_get(m, key), &values[i]);
    }
    assert_null(map_get(m, "key"));
    assert_ptr_equal(map_put(m, "key-5", &values[6]), &values[5]);
    assert_int_equal(map_len(m), MANY);
    assert_ptr_equal(map_take(m, "key-5"), &values[6]);
    assert_null(map_take(m, "key-5"));
    assert_null(map_get(m, "key-5"));
    assert_int_equal(map_len(m), MANY - 1);
    assert_null(map_free(m));
}

static void a_key_is_copied(void **state)
{
    struct map *m = map_new();
    char key[] = "abc";
    int value;
    map_put(m, key, &value);
    key[0] = 'x';
    assert_ptr_equal(map_get(m, "abc"), &value);
    assert_null(map_get(m, "xbc"));
    map_free(m);
}

static void numbers_are_keys_too(void **state)
{
    static int values[MANY];
    struct map *m = map_new();
    for (uint64_t i = 0; i < MANY; i++)
        assert_null(map_put_id(m, i << 40, &values[i]));
    for (uint64_t i = 0; i < MANY; i++)
        assert_ptr_equal(map_get_id(m, i << 40), &values[i]);
    assert_null(map_get_id(m, 1));
    assert_ptr_equal(map_take_id(m, 0), &values[0]);
    assert_null(map_get_id(m, 0));
    map_free(m);
}

static void a_visit_sees_each_entry_once_even_if_it_takes_them(void **state)
{
    static int values[MANY];
    struct map *m = map_new();
    for (uint64_t i = 0; i < MANY; i++) {
        values[i] = 0;
        map_put_id(m, i, &values[i]);
    }
    struct map_iter it = {0};
    int *value;
    while ((value = map_next(m, &it))) {
        ++*value;
        if ((value - values) % 2)
            assert_ptr_equal(map_take_id(m, (uint64_t)(value - values)), value);
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(values[i], 1);
    assert_int_equal(map_len(m), MANY / 2);
    map_free(m);
}

static void an_empty_map_has_nothing(void **state)
{
    struct map *m = map_new();
    struct map_iter it = {0};
    assert_null(map_next(m, &it));
    assert_null(map_take(m, "x"));
    assert_int_equal(map_len(m), 0);
    assert_null(map_free(m));
    assert_null(map_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_put_found_and_taken),
        cmocka_unit_test(a_key_is_copied),
        cmocka_unit_test(numbers_are_keys_too),
        cmocka_unit_test(a_visit_sees_each_entry_once_even_if_it_takes_them),
        cmocka_unit_test(an_empty_map_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
