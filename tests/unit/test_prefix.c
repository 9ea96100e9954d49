/*
 * Shows that a position is confirmed only when everything up to it is finished, in every order of
 * finishing, by trying all orders of small sets and the edges of the ring.
 */
#include "core/prefix.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define UNITS 4

struct tracker {
    struct sync_prefix prefix;
    struct sync_prefix_unit units[UNITS];
};

static void start(struct tracker *tracker)
{
    sync_prefix_init(&tracker->prefix, tracker->units, UNITS, 100);
}

/* Begins a unit of one part that ends at the position. */
static uint64_t begin_one(struct tracker *tracker, uint64_t position)
{
    uint64_t ticket = UINT64_MAX;
    assert_true(sync_prefix_begin(&tracker->prefix, &ticket));
    sync_prefix_add(&tracker->prefix, ticket);
    sync_prefix_seal(&tracker->prefix, ticket, position);
    return ticket;
}

static void nothing_is_confirmed_before_anything_finishes(void **context)
{
    (void)context;
    struct tracker tracker;
    start(&tracker);
    (void)begin_one(&tracker, 110);
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 100);
    assert_int_equal(sync_prefix_open_count(&tracker.prefix), 1);
}

static void a_gap_stops_the_confirmed_position(void **context)
{
    (void)context;
    struct tracker tracker;
    start(&tracker);
    uint64_t first = begin_one(&tracker, 110);
    uint64_t second = begin_one(&tracker, 120);
    uint64_t third = begin_one(&tracker, 130);
    assert_true(sync_prefix_finish(&tracker.prefix, third));
    assert_true(sync_prefix_finish(&tracker.prefix, second));
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 100);
    assert_true(sync_prefix_finish(&tracker.prefix, first));
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 130);
    assert_int_equal(sync_prefix_open_count(&tracker.prefix), 0);
}

/* Finishes four units in the order that the number names and compares after each step. */
static void try_order(unsigned number)
{
    struct tracker tracker;
    start(&tracker);
    uint64_t tickets[UNITS];
    bool finished[UNITS] = {false};
    for (unsigned i = 0; i < UNITS; i++) {
        tickets[i] = begin_one(&tracker, 110 + 10 * i);
    }
    for (unsigned left = UNITS; left > 0; left--) {
        unsigned nth = number % left;
        number /= left;
        unsigned at = 0;
        while (finished[at] || nth-- > 0) {
            at++;
        }
        finished[at] = true;
        assert_true(sync_prefix_finish(&tracker.prefix, tickets[at]));
        unsigned run = 0;
        while (run < UNITS && finished[run]) {
            run++;
        }
        assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 100 + 10 * run);
    }
}

static void every_order_of_finishing_confirms_only_the_prefix(void **context)
{
    (void)context;
    for (unsigned order = 0; order < 24; order++) {
        try_order(order);
    }
}

static void a_unit_that_is_not_sealed_is_not_confirmed(void **context)
{
    (void)context;
    struct tracker tracker;
    start(&tracker);
    uint64_t ticket;
    assert_true(sync_prefix_begin(&tracker.prefix, &ticket));
    sync_prefix_add(&tracker.prefix, ticket);
    assert_true(sync_prefix_finish(&tracker.prefix, ticket));
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 100);
    sync_prefix_add(&tracker.prefix, ticket);
    sync_prefix_seal(&tracker.prefix, ticket, 150);
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 100);
    assert_true(sync_prefix_finish(&tracker.prefix, ticket));
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 150);
}

static void a_unit_without_parts_is_finished_when_sealed(void **context)
{
    (void)context;
    struct tracker tracker;
    start(&tracker);
    uint64_t ticket;
    assert_true(sync_prefix_begin(&tracker.prefix, &ticket));
    sync_prefix_seal(&tracker.prefix, ticket, 105);
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 105);
}

static void a_full_ring_refuses_the_next_unit_and_takes_it_after_a_finish(void **context)
{
    (void)context;
    struct tracker tracker;
    start(&tracker);
    uint64_t oldest = begin_one(&tracker, 110);
    for (unsigned i = 1; i < UNITS; i++) {
        (void)begin_one(&tracker, 110 + i);
    }
    uint64_t ticket = 77;
    assert_false(sync_prefix_begin(&tracker.prefix, &ticket));
    assert_int_equal(ticket, 77);
    assert_true(sync_prefix_finish(&tracker.prefix, oldest));
    assert_true(sync_prefix_begin(&tracker.prefix, &ticket));
    assert_int_equal(ticket, UNITS);
}

static void a_ticket_from_before_is_refused(void **context)
{
    (void)context;
    struct tracker tracker;
    start(&tracker);
    uint64_t ticket = begin_one(&tracker, 110);
    assert_true(sync_prefix_finish(&tracker.prefix, ticket));
    assert_false(sync_prefix_finish(&tracker.prefix, ticket));
    assert_false(sync_prefix_finish(&tracker.prefix, ticket + 1));
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 110);
}

static void a_keepalive_advances_only_while_nothing_is_open(void **context)
{
    (void)context;
    struct tracker tracker;
    start(&tracker);
    assert_true(sync_prefix_advance(&tracker.prefix, 200));
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 200);
    uint64_t ticket = begin_one(&tracker, 210);
    assert_false(sync_prefix_advance(&tracker.prefix, 300));
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 200);
    assert_true(sync_prefix_finish(&tracker.prefix, ticket));
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 210);
}

static void an_older_keepalive_never_moves_the_position_back(void **context)
{
    (void)context;
    struct tracker tracker;
    start(&tracker);
    assert_true(sync_prefix_advance(&tracker.prefix, 50));
    assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 100);
}

static void the_ring_is_used_again_and_again(void **context)
{
    (void)context;
    struct tracker tracker;
    start(&tracker);
    for (uint64_t i = 1; i <= 1000; i++) {
        uint64_t one = begin_one(&tracker, 100 + 2 * i - 1);
        uint64_t two = begin_one(&tracker, 100 + 2 * i);
        assert_true(sync_prefix_finish(&tracker.prefix, two));
        assert_true(sync_prefix_finish(&tracker.prefix, one));
        assert_int_equal(sync_prefix_confirmed(&tracker.prefix), 100 + 2 * i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_confirmed_before_anything_finishes),
        cmocka_unit_test(a_gap_stops_the_confirmed_position),
        cmocka_unit_test(every_order_of_finishing_confirms_only_the_prefix),
        cmocka_unit_test(a_unit_that_is_not_sealed_is_not_confirmed),
        cmocka_unit_test(a_unit_without_parts_is_finished_when_sealed),
        cmocka_unit_test(a_full_ring_refuses_the_next_unit_and_takes_it_after_a_finish),
        cmocka_unit_test(a_ticket_from_before_is_refused),
        cmocka_unit_test(a_keepalive_advances_only_while_nothing_is_open),
        cmocka_unit_test(an_older_keepalive_never_moves_the_position_back),
        cmocka_unit_test(the_ring_is_used_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
