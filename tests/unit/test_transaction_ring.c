/*
 * Shows that the confirmed position never passes a transaction that still has a record under way,
 * whatever the order of the delivery reports, and that reports of dropped transactions change
 * nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../connectors/altinn3/transaction_ring.h"

static struct transaction_ring ring;

static int start_empty(void **state)
{
    (void)state;
    ring = (struct transaction_ring){.first = 0};
    transaction_ring_clear(&ring);
    return 0;
}

static uint64_t add(uint32_t records, uint64_t end_lsn)
{
    uint64_t number = transaction_ring_begin(&ring);
    for (uint32_t i = 0; i < records; i++) {
        transaction_ring_hand(&ring, number);
    }
    transaction_ring_commit(&ring, end_lsn);
    return number;
}

static void an_empty_ring_moves_nothing(void **state)
{
    (void)state;
    uint64_t end_lsn = 7;
    assert_true(transaction_ring_is_empty(&ring));
    assert_false(transaction_ring_advance(&ring, &end_lsn));
    assert_int_equal(end_lsn, 7);
}

static void an_open_transaction_is_not_confirmed(void **state)
{
    (void)state;
    uint64_t end_lsn = 0, number = transaction_ring_begin(&ring);
    transaction_ring_hand(&ring, number);
    transaction_ring_finish(&ring, number);
    assert_true(transaction_ring_is_open(&ring));
    assert_false(transaction_ring_advance(&ring, &end_lsn));
    transaction_ring_commit(&ring, 10);
    assert_false(transaction_ring_is_open(&ring));
    assert_true(transaction_ring_advance(&ring, &end_lsn));
    assert_int_equal(end_lsn, 10);
}

static void a_transaction_without_records_is_confirmed_at_its_commit(void **state)
{
    (void)state;
    uint64_t end_lsn = 0;
    (void)add(0, 10);
    assert_true(transaction_ring_advance(&ring, &end_lsn));
    assert_int_equal(end_lsn, 10);
    assert_true(transaction_ring_is_empty(&ring));
}

static void a_later_transaction_waits_for_an_earlier_one(void **state)
{
    (void)state;
    uint64_t end_lsn = 0, first = add(2, 10), second = add(1, 20);
    transaction_ring_finish(&ring, second);
    transaction_ring_finish(&ring, first);
    assert_false(transaction_ring_advance(&ring, &end_lsn));
    transaction_ring_finish(&ring, first);
    assert_true(transaction_ring_advance(&ring, &end_lsn));
    assert_int_equal(end_lsn, 20);
}

static void reports_of_dropped_transactions_change_nothing(void **state)
{
    (void)state;
    uint64_t end_lsn = 0, dropped = add(1, 10);
    transaction_ring_clear(&ring);
    uint64_t again = add(1, 10);
    assert_true(again > dropped);
    transaction_ring_finish(&ring, dropped);
    assert_false(transaction_ring_advance(&ring, &end_lsn));
    transaction_ring_finish(&ring, again);
    assert_true(transaction_ring_advance(&ring, &end_lsn));
}

static void a_transaction_dropped_before_its_commit_leaves_the_ring_usable(void **state)
{
    (void)state;
    uint64_t number = transaction_ring_begin(&ring);
    transaction_ring_hand(&ring, number);
    transaction_ring_clear(&ring);
    assert_true(transaction_ring_is_empty(&ring));
    assert_false(transaction_ring_is_open(&ring));
    (void)add(0, 10);
}

static void a_full_ring_says_so_and_goes_on_after_the_oldest_ended(void **state)
{
    (void)state;
    uint64_t end_lsn = 0, first = add(1, 1);
    for (uint64_t i = 1; i < TRANSACTION_RING_MAX; i++) {
        assert_false(transaction_ring_is_full(&ring));
        (void)add(0, i + 1);
    }
    assert_true(transaction_ring_is_full(&ring));
    assert_false(transaction_ring_advance(&ring, &end_lsn));
    transaction_ring_finish(&ring, first);
    assert_true(transaction_ring_advance(&ring, &end_lsn));
    assert_int_equal(end_lsn, TRANSACTION_RING_MAX);
    assert_true(transaction_ring_is_empty(&ring));
}

/* Random order of reports against a count over the list: the confirmed end is that of the finished
 * prefix. */
static void any_order_of_reports_confirms_the_finished_prefix_only(void **state)
{
    (void)state;
    unsigned seed = getenv("SYNC_SEED") ? (unsigned)strtoul(getenv("SYNC_SEED"), NULL, 10) : 7;
    print_message("SYNC_SEED=%u\n", seed);
    enum { COUNT = 200 };
    uint64_t numbers[COUNT];
    uint32_t open[COUNT];
    for (int i = 0; i < COUNT; i++) {
        open[i] = (uint32_t)rand_r(&seed) % 4;
        numbers[i] = add(open[i], (uint64_t)i + 1);
    }
    uint64_t confirmed = 0;
    for (int step = 0; step < 20000; step++) {
        int i = rand_r(&seed) % COUNT;
        if (open[i] > 0) {
            open[i]--;
            transaction_ring_finish(&ring, numbers[i]);
        }
        (void)transaction_ring_advance(&ring, &confirmed);
        uint64_t prefix = 0;
        while (prefix < COUNT && open[prefix] == 0) {
            prefix++;
        }
        assert_int_equal(confirmed, prefix);
    }
    assert_int_equal(confirmed, COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_ring_moves_nothing, start_empty),
        cmocka_unit_test_setup(an_open_transaction_is_not_confirmed, start_empty),
        cmocka_unit_test_setup(a_transaction_without_records_is_confirmed_at_its_commit,
                               start_empty),
        cmocka_unit_test_setup(a_later_transaction_waits_for_an_earlier_one, start_empty),
        cmocka_unit_test_setup(reports_of_dropped_transactions_change_nothing, start_empty),
        cmocka_unit_test_setup(a_transaction_dropped_before_its_commit_leaves_the_ring_usable,
                               start_empty),
        cmocka_unit_test_setup(a_full_ring_says_so_and_goes_on_after_the_oldest_ended, start_empty),
        cmocka_unit_test_setup(any_order_of_reports_confirms_the_finished_prefix_only, start_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
