/*
 * Shows when a backlog gives way: the lag of live in time from the ends of its topics at several
 * moments, and both reasons with their two limits each, step by step over their whole range. Pure:
 * no clock, no broker.
 */
#include "runtime/yield.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define PLACES 4

static struct sync_yield_live live; /* large */

static int set_up(void **state)
{
    (void)state;
    memset(&live, 0, sizeof live);
    return 0;
}

static void note(int64_t at_s, int64_t first, int64_t second)
{
    static struct sync_yield_marks marks;
    marks.at_us = at_s * SECOND;
    marks.ends[0] = first;
    marks.ends[1] = second;
    marks.ends[2] = marks.ends[3] = 0;
    sync_yield_note(&live, &marks, PLACES);
}

static int64_t behind(int64_t now_s, int64_t first, int64_t second)
{
    const int64_t positions[PLACES] = {first, second, 0, -1};
    return sync_yield_behind_us(&live, positions, PLACES, now_s * SECOND) / SECOND;
}

static void live_that_reached_every_end_is_not_behind(void **state)
{
    (void)state;
    assert_int_equal(behind(100, 0, 0), 0); /* nothing known yet */
    note(10, 5, 7);
    assert_int_equal(behind(100, 5, 7), 0);
    assert_int_equal(live.count, 0);
}

/* Its lag is the age of the oldest end that it has not reached, whichever partition it is of. */
static void the_oldest_end_not_reached_tells_how_far_live_is_behind(void **state)
{
    (void)state;
    note(10, 5, 7);
    note(11, 6, 7);
    note(12, 9, 8);
    assert_int_equal(behind(13, 4, 7), 3);
    assert_int_equal(behind(14, 5, 6), 4);
    assert_int_equal(behind(15, 5, 7), 4);
    assert_int_equal(behind(16, 6, 7), 4);
    assert_int_equal(behind(17, 8, 8), 5);
    assert_int_equal(behind(18, 9, 8), 0);
}

static void a_partition_that_nobody_reads_is_not_waited_for(void **state)
{
    (void)state;
    static struct sync_yield_marks marks = {.at_us = 10 * SECOND, .ends = {0, 0, 0, 500}};
    sync_yield_note(&live, &marks, PLACES);
    assert_int_equal(behind(60, 0, 0), 0);
}

/* Each second has an end of its own: live moves at the pace of its topic, always 6 s behind. */
static void a_steady_lag_does_not_look_smaller_than_it_is(void **state)
{
    (void)state;
    for (int64_t s = 1; s <= 300; s++) {
        note(s, 100 * s, 0);
        int64_t found = behind(s, s > 6 ? 100 * (s - 6) : 0, 0);
        assert_int_equal(found, s <= 6 ? s - 1 : 5);
    }
}

/* There is room for some moments only; the oldest stays whatever comes. */
static void a_long_standstill_is_told_in_full(void **state)
{
    (void)state;
    for (int64_t s = 1; s <= 1000; s++) {
        note(s, s, 0);
        assert_true(live.count <= SYNC_YIELD_MARKS_MAX);
        assert_int_equal(behind(s, 0, 0), s - 1);
    }
    assert_true(behind(1000, 1, 0) >= SYNC_YIELD_MARKS_MAX - 2);
}

static struct sync_yield decided(struct sync_yield before, int64_t behind_ms, int64_t batch_ms)
{
    return sync_yield_decide(before, behind_ms * 1000, batch_ms * 1000);
}

/* Every value of the lag in steps, from below and from above; the batches are quick. */
static void a_lag_of_live_begins_above_five_seconds_and_ends_at_half(void **state)
{
    (void)state;
    struct sync_yield yield = {false, false};
    for (int64_t ms = 0; ms <= 8000; ms += 100) {
        yield = decided(yield, ms, 10);
        assert_int_equal(yield.live_behind, ms > 5000);
        assert_false(yield.batches_slow);
    }
    for (int64_t ms = 8000; ms >= 0; ms -= 100) {
        yield = decided(yield, ms, 10);
        assert_int_equal(sync_yield_is(yield), ms > 2500);
    }
}

static void slow_batches_begin_above_two_seconds_and_end_at_half(void **state)
{
    (void)state;
    struct sync_yield yield = {false, false};
    for (int64_t ms = 0; ms <= 3000; ms += 50) {
        yield = decided(yield, 0, ms);
        assert_int_equal(yield.batches_slow, ms > 2000);
        assert_false(yield.live_behind);
    }
    for (int64_t ms = 3000; ms >= 0; ms -= 50) {
        yield = decided(yield, 0, ms);
        assert_int_equal(sync_yield_is(yield), ms > 1000);
    }
}

/* The last batch before a rest may have taken anything below its limit; it must not keep us. */
static void each_reason_ends_by_itself(void **state)
{
    (void)state;
    struct sync_yield yield = decided((struct sync_yield){false, false}, 6000, 1900);
    assert_true(yield.live_behind && !yield.batches_slow);
    assert_false(sync_yield_is(decided(yield, 2500, 1900)));
    yield = decided((struct sync_yield){false, false}, 4900, 2100);
    assert_true(!yield.live_behind && yield.batches_slow);
    assert_false(sync_yield_is(decided(yield, 4900, 1000)));
    yield = decided((struct sync_yield){true, true}, 2501, 1000);
    assert_true(yield.live_behind && !yield.batches_slow);
}

/* Every time in steps, every size: halved above 2 s, doubled below 1 s; an eighth beside live. */
static void slow_batches_are_followed_by_smaller_ones(void **state)
{
    (void)state;
    for (size_t records = 1; records <= 1000; records++) {
        for (int64_t ms = 0; ms <= 3000; ms += 25) {
            size_t half = records / 2 > 0 ? records / 2 : 1;
            size_t twice = records * 2 < 1000 ? records * 2 : 1000;
            assert_int_equal(sync_yield_records(records, ms * 1000, false, 1000), ms > 2000 ? half
                                                                                  : ms < 1000
                                                                                      ? twice
                                                                                      : records);
            assert_int_equal(sync_yield_records(records, ms * 1000, true, 1000), ms > 250 ? half
                                                                                 : ms < 125
                                                                                     ? twice
                                                                                     : records);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(live_that_reached_every_end_is_not_behind, set_up),
        cmocka_unit_test_setup(the_oldest_end_not_reached_tells_how_far_live_is_behind, set_up),
        cmocka_unit_test_setup(a_partition_that_nobody_reads_is_not_waited_for, set_up),
        cmocka_unit_test_setup(a_steady_lag_does_not_look_smaller_than_it_is, set_up),
        cmocka_unit_test_setup(a_long_standstill_is_told_in_full, set_up),
        cmocka_unit_test(a_lag_of_live_begins_above_five_seconds_and_ends_at_half),
        cmocka_unit_test(slow_batches_begin_above_two_seconds_and_end_at_half),
        cmocka_unit_test(each_reason_ends_by_itself),
        cmocka_unit_test(slow_batches_are_followed_by_smaller_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
