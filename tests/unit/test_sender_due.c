/* Shows the list of keys that a sender tries: order, room, what is left out, and chance. */
#include "runtime/sender_due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct sync_due due;
static struct sync_lane_key keys[SYNC_LANE_KEYS_MAX];
static size_t passed;

static int empty(void **state)
{
    (void)state;
    sync_due_clear(&due);
    return 0;
}

static bool add(int number)
{
    char text[16];
    struct sync_due_key key;
    (void)snprintf(text, sizeof text, "%d", number);
    assert_true(sync_due_key_of(number % 4, sync_bytes_text(text), &key));
    return sync_due_add(&due, &key);
}

static void expect(size_t at, int number)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%d", number);
    assert_true(sync_bytes_equal(keys[at].key, sync_bytes_text(text)));
    assert_int_equal(keys[at].partition, number % 4);
}

static void keys_come_in_their_order_and_stay_until_they_are_tried(void **state)
{
    (void)state;
    for (int i = 1; i <= 5; i++) {
        assert_true(add(i));
    }
    assert_int_equal(sync_due_choose(&due, NULL, 0, 3, 0, keys, &passed), 3);
    expect(0, 1);
    expect(2, 3);
    assert_int_equal(sync_due_left(&due), 5); /* the take may fail: they are tried again */
    sync_due_pass(&due, passed);
    assert_int_equal(sync_due_choose(&due, NULL, 0, 3, 0, keys, &passed), 2);
    expect(0, 4);
    sync_due_pass(&due, passed);
    assert_int_equal(sync_due_left(&due), 0);
    assert_int_equal(sync_due_choose(&due, NULL, 0, 3, 0, keys, &passed), 0);
}

/* A key in one take twice would be sent twice; one in flight would be overtaken. */
static void a_key_is_chosen_once_and_never_while_it_is_busy(void **state)
{
    (void)state;
    const struct sync_bytes busy[] = {sync_bytes_text("2"), sync_bytes_text("9")};
    add(1);
    add(2);
    add(1);
    add(3);
    assert_int_equal(sync_due_choose(&due, busy, 2, 3, 0, keys, &passed), 2);
    expect(0, 1);
    expect(1, 3);
    assert_int_equal(passed, 4);
    sync_due_pass(&due, passed);
    assert_int_equal(sync_due_left(&due), 0);
}

static void a_full_list_says_so_and_room_comes_back(void **state)
{
    (void)state;
    for (int i = 0; i < SYNC_DUE_MAX; i++) {
        assert_true(add(i));
    }
    assert_false(add(SYNC_DUE_MAX));
    (void)sync_due_choose(&due, NULL, 0, 2, 0, keys, &passed);
    sync_due_pass(&due, passed);
    assert_true(add(SYNC_DUE_MAX));
    assert_true(add(SYNC_DUE_MAX + 1));
    assert_false(add(SYNC_DUE_MAX + 2));
    assert_int_equal(sync_due_choose(&due, NULL, 0, 1, 0, keys, &passed), 1);
    expect(0, 2);
}

static void by_chance_any_key_comes_first(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        add(i);
    }
    for (uint64_t random = 0; random < 4; random++) {
        (void)sync_due_choose(&due, NULL, 0, 1, random, keys, &passed);
        assert_int_equal(passed, 1);
    }
    assert_int_equal(sync_due_choose(&due, NULL, 0, 4, 3, keys, &passed), 4); /* none is lost */
    for (int i = 0; i < 4; i++) {
        bool found = false;
        for (size_t at = 0; at < 4; at++) {
            found = found || keys[at].partition == i;
        }
        assert_true(found);
    }
}

static void a_text_that_is_no_key_is_refused(void **state)
{
    (void)state;
    struct sync_due_key key;
    static const uint8_t longest[sizeof key.key.text];
    assert_false(sync_due_key_of(0, (struct sync_bytes){NULL, 0}, &key));
    assert_false(sync_due_key_of(0, (struct sync_bytes){longest, sizeof longest}, &key));
    assert_true(sync_due_key_of(0, (struct sync_bytes){longest, sizeof longest - 1}, &key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keys_come_in_their_order_and_stay_until_they_are_tried, empty),
        cmocka_unit_test_setup(a_key_is_chosen_once_and_never_while_it_is_busy, empty),
        cmocka_unit_test_setup(a_full_list_says_so_and_room_comes_back, empty),
        cmocka_unit_test_setup(by_chance_any_key_comes_first, empty),
        cmocka_unit_test_setup(a_text_that_is_no_key_is_refused, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
