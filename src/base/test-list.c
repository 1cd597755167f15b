#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

struct item {
    int value;
    struct list node;
};

static int digits_of(struct list *head)
{
    struct item *it;
    int digits = 0;
    list_for_each (it, head, node)
        digits = digits * 10 + it->value;
    return digits;
}

static void members_keep_their_order(void **state)
{
    struct list head = LIST_INIT(head);
    struct item a = {1}, b = {2}, c = {3};
    assert_true(list_empty(&head));
    assert_null(list_first(&head, struct item, node));
    list_append(&head, &a.node);
    list_append(&head, &b.node);
    list_append(&head, &c.node);
    assert_int_equal(digits_of(&head), 123);
    assert_ptr_equal(list_first(&head, struct item, node), &a);
    list_remove(&b.node);
    assert_int_equal(digits_of(&head), 13);
    list_remove(&b.node);
    assert_int_equal(digits_of(&head), 13);
    list_append(&head, &b.node);
    assert_int_equal(digits_of(&head), 132);
}

static void a_visit_may_remove_the_current_member(void **state)
{
    struct list head = LIST_INIT(head);
    struct item items[5] = {{1}, {2}, {3}, {4}, {5}}, *it, *tmp;
    for (int i = 0; i < 5; i++)
        list_append(&head, &items[i].node);
    list_for_each_safe (it, tmp, &head, node) {
        if (it->value % 2)
            list_remove(&it->node);
    }
    assert_int_equal(digits_of(&head), 24);
}

static void one_list_moves_to_the_end_of_another(void **state)
{
    struct list a = LIST_INIT(a), b = LIST_INIT(b);
    struct item items[4] = {{1}, {2}, {3}, {4}};
    list_append(&a, &items[0].node);
    list_append(&a, &items[1].node);
    list_append(&b, &items[2].node);
    list_append(&b, &items[3].node);
    list_splice(&a, &b);
    assert_int_equal(digits_of(&a), 1234);
    assert_true(list_empty(&b));
    list_splice(&a, &b);
    assert_int_equal(digits_of(&a), 1234);
    list_splice(&b, &a);
    assert_int_equal(digits_of(&b), 1234);
    assert_true(list_empty(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_keep_their_order),
        cmocka_unit_test(a_visit_may_remove_the_current_member),
        cmocka_unit_test(one_list_moves_to_the_end_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
