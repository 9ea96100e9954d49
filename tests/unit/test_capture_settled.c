/*
 * Shows when a position of the log counts as settled, over a log that is simulated: transactions
 * begin, write and end in every order that a seed gives, and no change is ever found at or below a
 * position that was called settled before it came.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../connectors/altinn3/capture_settled.h"
#include "../../src/runtime/breaker.h"

static struct capture_settled settled;

static int start_empty(void **state)
{
    (void)state;
    settled = (struct capture_settled){.count = 0};
    return 0;
}

static void note(uint64_t lsn, uint64_t xmin, uint64_t xmax, uint64_t end_lsn)
{
    struct capture_moment moment = {lsn, xmin, xmax, end_lsn};
    capture_settled_note(&settled, &moment);
}

static void nothing_is_settled_before_anything_was_noted(void **state)
{
    (void)state;
    assert_true(capture_settled_delivered(&settled, UINT64_MAX) == 0);
    assert_true(capture_settled_visible(&settled, UINT64_MAX) == 0);
}

static void a_quiet_server_settles_at_once_and_delivery_follows(void **state)
{
    (void)state;
    note(100, 7, 7, 110);
    assert_true(capture_settled_delivered(&settled, 109) == 0);
    assert_true(capture_settled_delivered(&settled, 110) == 100);
}

static void an_open_transaction_keeps_every_later_position_unsettled(void **state)
{
    (void)state;
    note(100, 7, 8, 100); /* 7 runs */
    note(200, 7, 9, 200);
    assert_true(capture_settled_delivered(&settled, 1000) == 0);
    assert_true(capture_settled_visible(&settled, 7) == 0);
    note(300, 8, 10, 310); /* 7 has ended, 8 and 9 have not */
    assert_true(capture_settled_delivered(&settled, 309) == 0);
    assert_true(capture_settled_delivered(&settled, 310) == 100);
    assert_true(capture_settled_visible(&settled, 8) == 100);
    assert_true(capture_settled_visible(&settled, 9) == 200);
}

static void while_something_is_open_for_long_marks_are_bounded_and_go_on_afterwards(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 10 * CAPTURE_MARKS_MAX; i++) {
        note(i * 10, 5, 5 + i, i * 10);
    }
    assert_true(settled.count == CAPTURE_MARKS_MAX);
    uint64_t xid = 10 * CAPTURE_MARKS_MAX + 100;
    note(100000, xid, xid, 100000);
    assert_true(capture_settled_delivered(&settled, 100000) == 10 * CAPTURE_MARKS_MAX);
    note(100100, xid, xid, 100100);
    assert_true(capture_settled_delivered(&settled, 100100) == 100100);
}

/* The simulated log. */

enum { OPEN_MAX = 6, STEPS = 20000 };
struct transaction {
    uint64_t id, first_lsn; /* first_lsn 0: it has written nothing yet */
};
static struct {
    uint64_t random, lsn, next_id;
    struct transaction open[OPEN_MAX];
    size_t count;
} log_;

static uint64_t roll(uint64_t below)
{
    return sync_random_next(&log_.random) % below;
}

static uint64_t oldest_open(void)
{
    uint64_t oldest = log_.next_id;
    for (size_t i = 0; i < log_.count; i++) {
        oldest = log_.open[i].id < oldest ? log_.open[i].id : oldest;
    }
    return oldest;
}

/* A transaction begins, writes or ends; what ends is told: the lowest position it wrote. */
static uint64_t step(void)
{
    log_.lsn += 1 + roll(50);
    if (log_.count < OPEN_MAX && roll(3) == 0) {
        log_.open[log_.count++] = (struct transaction){log_.next_id++, 0};
        return 0;
    }
    if (log_.count == 0) {
        return 0;
    }
    size_t at = roll(log_.count);
    if (roll(2) == 0) {
        log_.open[at].first_lsn = log_.open[at].first_lsn ? log_.open[at].first_lsn : log_.lsn;
        return 0;
    }
    uint64_t first_lsn = log_.open[at].first_lsn;
    log_.open[at] = log_.open[--log_.count];
    return first_lsn;
}

static void no_change_comes_at_or_below_what_was_called_settled(void **state)
{
    (void)state;
    const char *given = getenv("SYNC_TEST_SEED");
    log_.random = given ? strtoull(given, NULL, 10) : 1;
    (void)printf("seed %llu (SYNC_TEST_SEED)\n", (unsigned long long)log_.random);
    log_.lsn = 1000;
    log_.next_id = 50;
    uint64_t told = 0;
    size_t moved = 0;
    for (int i = 0; i < STEPS; i++) {
        uint64_t first_lsn = step();
        if (first_lsn != 0) {
            assert_true(first_lsn > told);
        }
        if (roll(4) == 0) {
            uint64_t lsn = log_.lsn, seen = 0;
            while (roll(2) == 0) { /* between the position and the snapshot */
                first_lsn = step();
                assert_true(first_lsn == 0 || first_lsn > told);
            }
            note(lsn, oldest_open(), log_.next_id, log_.lsn);
            seen = capture_settled_delivered(&settled, log_.lsn); /* delivered at once */
            moved += seen > told;
            told = seen > told ? seen : told;
        }
    }
    assert_true(moved > STEPS / 100); /* it does move */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_settled_before_anything_was_noted, start_empty),
        cmocka_unit_test_setup(a_quiet_server_settles_at_once_and_delivery_follows, start_empty),
        cmocka_unit_test_setup(an_open_transaction_keeps_every_later_position_unsettled,
                               start_empty),
        cmocka_unit_test_setup(
            while_something_is_open_for_long_marks_are_bounded_and_go_on_afterwards, start_empty),
        cmocka_unit_test_setup(no_change_comes_at_or_below_what_was_called_settled, start_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
