/*
 * Shows that the queue between the capture's threads keeps order, refuses when it is full, waits no
 * longer than it was told, and loses nothing between two threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../connectors/altinn3/capture_queue.h"
#include <runtime/clock.h>

#define LONG_MS  60000 /* never reached: the other thread comes first */
#define CAPACITY 8192

static struct capture_queue *queue;
static struct capture_event taken[CAPACITY];

static int make(void **state)
{
    (void)state;
    queue = calloc(1, sizeof *queue);
    assert_non_null(queue);
    assert_true(capture_queue_init(queue, sizeof(uint64_t), CAPACITY));
    return 0;
}

static int end(void **state)
{
    (void)state;
    capture_queue_done(queue);
    free(queue);
    return 0;
}

static void rows_come_out_with_their_events(void **state)
{
    (void)state;
    uint64_t row = 0, rows[3] = {0, 0, 99};
    for (uint64_t round = 0; round < CAPACITY; round++) { /* over the end of the ring */
        row = round * round + 1;
        struct capture_event change = {.type = CAPTURE_CHANGE, .lsn = round, .row = &row};
        struct capture_event commit = {.type = CAPTURE_COMMIT, .lsn = round};
        assert_true(capture_queue_put(queue, &change, 0));
        row = 0; /* it was copied */
        assert_true(capture_queue_put(queue, &commit, 0));
        for (int i = 0; i < 3; i++) {
            taken[i].row = &rows[i];
        }
        assert_int_equal(capture_queue_take(queue, taken, 3, 0), 2);
        assert_ptr_equal(taken[0].row, &rows[0]);
        assert_true(rows[0] == round * round + 1);
        assert_true(rows[1] == 0 && rows[2] == 99); /* an event without a row brings none */
    }
}

static bool put(uint64_t lsn, int timeout_ms)
{
    struct capture_event event = {.type = CAPTURE_COMMIT, .lsn = lsn};
    return capture_queue_put(queue, &event, timeout_ms);
}

static void an_empty_queue_gives_nothing_in_time(void **state)
{
    (void)state;
    int64_t begun_us = sync_clock_monotonic_us();
    assert_int_equal(capture_queue_take(queue, taken, 10, 30), 0);
    assert_true(sync_clock_monotonic_us() - begun_us >= 29000);
    assert_int_equal(capture_queue_take(queue, taken, 10, 0), 0);
}

static void a_full_queue_refuses_in_time_and_takes_again_after_one_left(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < CAPACITY; i++) {
        assert_true(put(i, 0));
    }
    assert_false(put(0, 0));
    assert_false(put(0, 20));
    assert_int_equal(capture_queue_take(queue, taken, 1, 0), 1);
    assert_int_equal(taken[0].lsn, 0);
    assert_true(put(CAPACITY, 0));
    assert_false(put(0, 0));
}

static void events_come_out_in_order_and_no_more_than_asked_for(void **state)
{
    (void)state;
    uint64_t next_in = 0, next_out = 0;
    for (int round = 0; round < 5; round++) { /* over the end of the ring */
        while (put(next_in, 0)) {
            next_in++;
        }
        size_t count = capture_queue_take(queue, taken, 3000, 0);
        assert_int_equal(count, 3000);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(taken[i].lsn, next_out++);
        }
    }
}

static void *put_many(void *context)
{
    const uint64_t *count = context;
    for (uint64_t i = 0; i < *count; i++) {
        if (!put(i, LONG_MS)) {
            return NULL;
        }
    }
    return context;
}

static void nothing_is_lost_between_two_threads(void **state)
{
    (void)state;
    uint64_t count = 20ULL * CAPACITY, next = 0;
    pthread_t thread;
    void *answer = NULL;
    assert_int_equal(pthread_create(&thread, NULL, put_many, &count), 0);
    while (next < count) {
        size_t got = capture_queue_take(queue, taken, 700, LONG_MS);
        assert_true(got > 0);
        for (size_t i = 0; i < got; i++) {
            assert_int_equal(taken[i].lsn, next++);
        }
    }
    assert_int_equal(pthread_join(thread, &answer), 0);
    assert_non_null(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_queue_gives_nothing_in_time, make, end),
        cmocka_unit_test_setup_teardown(a_full_queue_refuses_in_time_and_takes_again_after_one_left,
                                        make, end),
        cmocka_unit_test_setup_teardown(events_come_out_in_order_and_no_more_than_asked_for, make,
                                        end),
        cmocka_unit_test_setup_teardown(rows_come_out_with_their_events, make, end),
        cmocka_unit_test_setup_teardown(nothing_is_lost_between_two_threads, make, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
