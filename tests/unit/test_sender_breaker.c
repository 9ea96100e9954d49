/* Shows when a failing target is called again: the breaker over the last calls, its probes, and the
 * back-off of one key. Time and seed come in, so nothing here waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/limits.h"
#include "runtime/breaker.h"

#include <stdio.h>
#include <stdlib.h>

#define SECOND_US 1000000LL

static void a_new_breaker_lets_everything_through(void **state)
{
    (void)state;
    struct sync_breaker breaker;
    sync_breaker_init(&breaker);
    assert_int_equal(sync_breaker_allowed(&breaker, 16, 0), 16);
}

static void half_of_the_last_twenty_calls_opens(void **state)
{
    (void)state;
    struct sync_breaker breaker;
    sync_breaker_init(&breaker);
    for (int i = 0; i < 9; i++) {
        sync_breaker_failure(&breaker, false, 0, 0);
        sync_breaker_success(&breaker);
    }
    assert_false(breaker.open);
    sync_breaker_failure(&breaker, false, 0, 0);
    assert_true(breaker.open);
    assert_int_equal(sync_breaker_allowed(&breaker, 16, 0), 0);
}

static void old_failures_leave_the_window(void **state)
{
    (void)state;
    struct sync_breaker breaker;
    sync_breaker_init(&breaker);
    for (int i = 0; i < 9; i++) {
        sync_breaker_failure(&breaker, false, 0, 0);
    }
    for (int i = 0; i < SYNC_BREAKER_WINDOW; i++) {
        sync_breaker_success(&breaker);
    }
    for (int i = 0; i < 9; i++) {
        sync_breaker_failure(&breaker, false, 0, 0);
        assert_false(breaker.open);
    }
}

static void no_connection_at_all_opens_at_once(void **state)
{
    (void)state;
    struct sync_breaker breaker;
    sync_breaker_init(&breaker);
    sync_breaker_failure(&breaker, true, 0, 5);
    assert_true(breaker.open);
    assert_int_equal(breaker.probe_at_us, 5 + SECOND_US);
}

static void probes_come_after_1_2_4_8_and_then_every_10_seconds(void **state)
{
    (void)state;
    static const int waits_s[] = {1, 2, 4, 8, 10, 10};
    struct sync_breaker breaker;
    int64_t now_us = 0;
    sync_breaker_init(&breaker);
    sync_breaker_failure(&breaker, true, 0, now_us);
    for (size_t i = 0; i < sizeof waits_s / sizeof waits_s[0]; i++) {
        assert_int_equal(sync_breaker_allowed(&breaker, 16, now_us + waits_s[i] * SECOND_US - 1),
                         0);
        now_us += waits_s[i] * SECOND_US;
        assert_int_equal(sync_breaker_allowed(&breaker, 16, now_us), 1);
        sync_breaker_failure(&breaker, true, 0, now_us);
    }
}

static void calls_that_left_before_the_probe_do_not_move_it(void **state)
{
    (void)state;
    struct sync_breaker breaker;
    sync_breaker_init(&breaker);
    sync_breaker_failure(&breaker, true, 0, 0);
    sync_breaker_failure(&breaker, true, 0, 1);
    sync_breaker_failure(&breaker, false, 0, SECOND_US - 1);
    assert_int_equal(breaker.probe_at_us, SECOND_US);
}

static void a_success_closes_and_forgets_the_outage(void **state)
{
    (void)state;
    struct sync_breaker breaker;
    sync_breaker_init(&breaker);
    for (int i = 0; i < 10; i++) {
        sync_breaker_failure(&breaker, false, 0, 0);
    }
    assert_true(breaker.open);
    sync_breaker_success(&breaker);
    assert_false(breaker.open);
    assert_int_equal(sync_breaker_allowed(&breaker, 16, 1), 16);
    sync_breaker_failure(&breaker, false, 0, 2);
    assert_false(breaker.open);
}

static void a_wish_of_the_target_holds_the_whole_lane(void **state)
{
    (void)state;
    struct sync_breaker breaker;
    sync_breaker_init(&breaker);
    sync_breaker_failure(&breaker, false, 7000, 0);
    assert_false(breaker.open);
    assert_int_equal(sync_breaker_allowed(&breaker, 16, 7 * SECOND_US - 1), 0);
    assert_int_equal(sync_breaker_allowed(&breaker, 16, 7 * SECOND_US), 16);
}

static void a_wish_delays_the_probe_and_never_hurries_it(void **state)
{
    (void)state;
    struct sync_breaker breaker;
    sync_breaker_init(&breaker);
    sync_breaker_failure(&breaker, true, 60000, 0);
    assert_int_equal(breaker.probe_at_us, 60 * SECOND_US);
    sync_breaker_init(&breaker);
    sync_breaker_failure(&breaker, true, 10, 0);
    assert_int_equal(breaker.probe_at_us, SECOND_US);
}

static void the_back_off_doubles_to_its_cap_with_full_jitter(void **state)
{
    (void)state;
    const char *given = getenv("SYNC_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 4711;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int failures = 1; failures <= 40; failures++) {
        int64_t cap_us = 1000LL * SYNC_BACKOFF_FIRST_MS;
        for (int i = 1; i < failures && cap_us < 1000LL * SYNC_BACKOFF_MAX_MS; i++) {
            cap_us *= 2;
        }
        cap_us = cap_us > 1000LL * SYNC_BACKOFF_MAX_MS ? 1000LL * SYNC_BACKOFF_MAX_MS : cap_us;
        int64_t least = INT64_MAX, most = 0;
        for (int i = 0; i < 1000; i++) {
            int64_t wait_us = sync_backoff_us(failures, &seed);
            least = wait_us < least ? wait_us : least;
            most = wait_us > most ? wait_us : most;
        }
        assert_true(least >= 1000 && most <= cap_us + 1000);
        assert_true(least < cap_us / 10 &&
                    most > cap_us - cap_us / 10); /* jitter over the whole range */
    }
}

/* CS-57 */
static void ten_failures_over_fifteen_minutes_are_the_keys_own_fault(void **state)
{
    (void)state;
    struct sync_key_failures key = {0};
    int64_t last_us = SYNC_EFFECT_AGE_PARK_S * SECOND_US;
    for (int i = 0; i < 20; i++) { /* often, but not for long; others work between */
        assert_false(sync_key_failures_add(&key, i * SECOND_US - 1, i * SECOND_US));
    }
    assert_false(sync_key_failures_add(&key, last_us - 2, last_us - 1));
    assert_true(sync_key_failures_add(&key, last_us, last_us));
}

static void nine_failures_are_not_enough_however_long(void **state)
{
    (void)state;
    struct sync_key_failures key = {0};
    for (int i = 0; i < SYNC_EFFECT_ATTEMPTS_PARK - 1; i++) {
        assert_false(sync_key_failures_add(&key, i * 3600 * SECOND_US, i * 3600 * SECOND_US));
    }
    assert_true(sync_key_failures_add(&key, 24 * 3600 * SECOND_US, 24 * 3600 * SECOND_US));
}

static void failures_count_only_while_the_lane_works_for_others(void **state)
{
    (void)state;
    struct sync_key_failures key = {0};
    for (int i = 0; i < 100; i++) { /* nobody else gets through either */
        assert_false(sync_key_failures_add(&key, INT64_MIN, i * 3600 * SECOND_US));
    }
    assert_int_equal(key.failures, 100); /* they still lengthen the back-off */
    assert_int_equal(key.counted, 1);
    assert_false(sync_key_failures_add(&key, 99 * 3600 * SECOND_US, 101 * 3600 * SECOND_US));
    assert_false(sync_key_failures_add(&key, 102 * 3600 * SECOND_US, 103 * 3600 * SECOND_US));
    assert_int_equal(key.counted, 2);
}

static void the_same_seed_gives_the_same_waits(void **state)
{
    (void)state;
    uint64_t one = 7, two = 7;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(sync_backoff_us(5, &one), sync_backoff_us(5, &two));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_breaker_lets_everything_through),
        cmocka_unit_test(half_of_the_last_twenty_calls_opens),
        cmocka_unit_test(old_failures_leave_the_window),
        cmocka_unit_test(no_connection_at_all_opens_at_once),
        cmocka_unit_test(probes_come_after_1_2_4_8_and_then_every_10_seconds),
        cmocka_unit_test(calls_that_left_before_the_probe_do_not_move_it),
        cmocka_unit_test(a_success_closes_and_forgets_the_outage),
        cmocka_unit_test(a_wish_of_the_target_holds_the_whole_lane),
        cmocka_unit_test(a_wish_delays_the_probe_and_never_hurries_it),
        cmocka_unit_test(the_back_off_doubles_to_its_cap_with_full_jitter),
        cmocka_unit_test(ten_failures_over_fifteen_minutes_are_the_keys_own_fault),
        cmocka_unit_test(nine_failures_are_not_enough_however_long),
        cmocka_unit_test(failures_count_only_while_the_lane_works_for_others),
        cmocka_unit_test(the_same_seed_gives_the_same_waits),
    };
    return cmocka_run_group_tests_name("sender_breaker", tests, NULL, NULL);
}
