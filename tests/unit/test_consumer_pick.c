/*
 * Picking a batch: which records of the ring belong to the next transaction, and what becomes of
 * the others. The ring is filled by hand; no broker and no database take part.
 */
#include "runtime/consumer_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ITEMS_MAX 1000

static struct sync_config config;
static struct sync_consumer_options options = {.config = &config};
static struct consumer *c;

static const struct sync_input inputs[] = {{"t", SYNC_SYSTEM_ALTINN2}, {"u", SYNC_SYSTEM_SYS}};
static const struct sync_route route = {"status-to-altinn3", inputs, 2,
                                        SYNC_SYSTEM_ALTINN3, NULL,   NULL};

static int set_up(void **state)
{
    struct sync_error err = {0};
    (void)state;
    c = calloc(1, sizeof *c);
    config.batch_bytes_max = 1000;
    c->options = &options;
    c->config = &config;
    c->scope = "status-to-altinn3";
    c->route = &route;
    c->place_end = sync_kafka_place(route.input_count, 0);
    c->apply.generation = 7;
    c->apply.items = calloc(ITEMS_MAX, sizeof *c->apply.items);
    assert_true(sync_is_ok(sync_wake_init(&c->apply_wake, &err)));
    assert_true(sync_is_ok(sync_wake_init(&c->poll_wake, &err)));
    struct sync_ring_options ring = {.bytes_max = 1 << 20};
    assert_true(sync_is_ok(sync_ring_new(&ring, &c->records, &err)));
    assert_true(sync_is_ok(sync_ring_new(&ring, &c->commands, &err)));
    for (int32_t i = 0; i < 4; i++) {
        c->apply.places[i] = (struct consumer_partition){
            .state = PARTITION_OWNED, .epoch = 1, .position = 100, .records_max = ITEMS_MAX};
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sync_ring_free(&c->records);
    sync_ring_free(&c->commands);
    sync_wake_done(&c->apply_wake);
    sync_wake_done(&c->poll_wake);
    free(c->apply.items);
    free(c);
    return 0;
}

static void put_sized(uint32_t generation, int32_t place, int64_t offset, uint32_t size)
{
    uint8_t memory[sizeof(struct consumer_record) + 2048] = {0};
    struct consumer_record record = {.generation = generation,
                                     .place = place,
                                     .offset = offset,
                                     .timestamp_ms = 1000 + offset,
                                     .key_size = 4,
                                     .value_size = size};
    memcpy(memory, &record, sizeof record);
    memcpy(memory + sizeof record, "7001", 4);
    memset(memory + sizeof record + 4, 'v', size);
    assert_true(sync_ring_put(c->records, memory, sizeof record + 4 + size));
}

static void put(int32_t place, int64_t offset)
{
    put_sized(7, place, offset, 10);
}

static int64_t offset_at(size_t index)
{
    assert_true(index < c->apply.item_count);
    return ((const struct consumer_record *)c->apply.items[index])->offset;
}

static enum consumer_command_type next_command(void)
{
    size_t size = 0;
    const struct consumer_command *command = sync_ring_next(c->commands, NULL, &size);
    assert_non_null(command);
    return command->type;
}

static void an_empty_ring_gives_no_batch(void **state)
{
    (void)state;
    assert_false(consumer_pick(c));
}

static void a_batch_is_one_partition_in_offset_order(void **state)
{
    (void)state;
    put(1, 100);
    put(2, 100);
    put(1, 101);
    put(2, 101);
    put(1, 102);
    assert_true(consumer_pick(c));
    assert_int_equal(c->apply.item_count, 3);
    assert_int_equal(offset_at(0), 100);
    assert_int_equal(offset_at(2), 102);
    consumer_give_back(c, true);
    assert_true(consumer_pick(c));
    assert_int_equal(c->apply.item_count, 2);
    assert_int_equal(((const struct consumer_record *)c->apply.items[0])->place, 2);
}

static void a_batch_ends_at_its_record_limit(void **state)
{
    (void)state;
    c->apply.places[0].records_max = 2;
    put(0, 100);
    put(0, 101);
    put(0, 102);
    assert_true(consumer_pick(c));
    assert_int_equal(c->apply.item_count, 2);
}

static void a_batch_ends_at_its_byte_limit_but_takes_one_record_of_any_size(void **state)
{
    (void)state;
    put_sized(7, 0, 100, 2000);
    put_sized(7, 0, 101, 10);
    assert_true(consumer_pick(c));
    assert_int_equal(c->apply.item_count, 1);
    consumer_give_back(c, true);
    c->apply.places[0].position = 101;
    put_sized(7, 0, 102, 900);
    put_sized(7, 0, 103, 900);
    assert_true(consumer_pick(c));
    assert_int_equal(c->apply.item_count, 2);
    assert_int_equal(offset_at(1), 102);
}

static void records_given_back_are_the_oldest_again(void **state)
{
    (void)state;
    put(0, 100);
    put(1, 100);
    put(0, 101);
    assert_true(consumer_pick(c));
    consumer_give_back(c, false);
    assert_true(consumer_pick(c));
    assert_int_equal(c->apply.item_count, 2);
    assert_int_equal(offset_at(0), 100);
}

/* SEEN: what lies below the position was applied by the owner before us. */
static void records_below_the_position_are_dropped(void **state)
{
    (void)state;
    put(0, 98);
    put(0, 99);
    put(0, 100);
    assert_true(consumer_pick(c));
    assert_int_equal(c->apply.item_count, 1);
    assert_int_equal(offset_at(0), 100);
    assert_int_equal(sync_ring_items(c->records), 1);
}

/* GAP: a hole at the position stops the partition, never skips. */
static void a_hole_at_the_position_stops_the_partition(void **state)
{
    (void)state;
    put(0, 101);
    put(1, 100);
    assert_true(consumer_pick(c));
    assert_int_equal(c->apply.places[0].state, PARTITION_STOPPED);
    assert_int_equal(((const struct consumer_record *)c->apply.items[0])->place, 1);
    assert_int_equal(next_command(), COMMAND_DROP);
    assert_int_equal(c->apply.places[0].position, 100);
}

static void a_hole_inside_ends_the_batch_before_it(void **state)
{
    (void)state;
    put(0, 100);
    put(0, 102);
    assert_true(consumer_pick(c));
    assert_int_equal(c->apply.item_count, 1);
}

/* A topic marked sparse has holes by design. */
static void a_hole_of_a_sparse_topic_is_passed(void **state)
{
    (void)state;
    c->sparse[0] = true;
    put(0, 101);
    put(0, 105);
    assert_true(consumer_pick(c));
    assert_int_equal(c->apply.item_count, 2);
}

static void records_of_an_earlier_assignment_are_dropped(void **state)
{
    (void)state;
    put_sized(6, 0, 100, 10);
    assert_false(consumer_pick(c));
    assert_int_equal(sync_ring_items(c->records), 0);
}

static void records_of_partitions_that_are_not_owned_are_dropped(void **state)
{
    (void)state;
    const enum consumer_partition_state states[] = {PARTITION_NONE,     PARTITION_NEW,
                                                    PARTITION_STARTING, PARTITION_CLAIMING,
                                                    PARTITION_STOPPED,  PARTITION_FENCED};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        c->apply.places[0].state = states[i];
        put(0, 100);
        assert_false(consumer_pick(c));
        assert_int_equal(sync_ring_items(c->records), 0);
    }
}

static void check_tail_of(int64_t offset)
{
    size_t size = 0;
    put(0, offset);
    c->apply.places[0].tail = consumer_record_digest(sync_ring_next(c->records, NULL, &size));
    c->apply.places[0].check_tail = true;
}

static void a_matching_tail_is_compared_and_dropped(void **state)
{
    (void)state;
    check_tail_of(99);
    put(0, 100);
    assert_true(consumer_pick(c));
    assert_int_equal(offset_at(0), 100);
    assert_false(atomic_load(&c->failed));
}

/* The topic was truncated or made anew: nothing more may be applied. */
static void another_tail_ends_the_process(void **state)
{
    (void)state;
    check_tail_of(99);
    c->apply.places[0].tail.bytes[3] ^= 1;
    put(0, 100);
    assert_false(consumer_pick(c));
    assert_true(atomic_load(&c->failed));
    assert_int_equal(c->failure.class, SYNC_CLASS_FATAL);
    assert_int_equal(c->failure.code, SYNC_CODE_CLUSTER);
}

static void a_tail_that_never_comes_stops_the_partition(void **state)
{
    (void)state;
    c->apply.places[0].check_tail = true;
    put(0, 100);
    assert_false(consumer_pick(c));
    assert_int_equal(c->apply.places[0].state, PARTITION_STOPPED);
}

static void null_keys_and_values_stay_null(void **state)
{
    (void)state;
    struct consumer_record record = {.key_null = true, .value_null = true};
    assert_null(consumer_record_key(&record).data);
    assert_null(consumer_record_value(&record).data);
    struct consumer_record empty = {.key_size = 0};
    struct sync_digest of_null = consumer_record_digest(&record);
    struct sync_digest of_empty = consumer_record_digest(&empty);
    assert_memory_not_equal(of_null.bytes, of_empty.bytes, sizeof of_null.bytes);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_empty_ring_gives_no_batch),
        CASE(a_batch_is_one_partition_in_offset_order),
        CASE(a_batch_ends_at_its_record_limit),
        CASE(a_batch_ends_at_its_byte_limit_but_takes_one_record_of_any_size),
        CASE(records_given_back_are_the_oldest_again),
        CASE(records_below_the_position_are_dropped),
        CASE(a_hole_at_the_position_stops_the_partition),
        CASE(a_hole_inside_ends_the_batch_before_it),
        CASE(a_hole_of_a_sparse_topic_is_passed),
        CASE(records_of_an_earlier_assignment_are_dropped),
        CASE(records_of_partitions_that_are_not_owned_are_dropped),
        CASE(a_matching_tail_is_compared_and_dropped),
        CASE(another_tail_ends_the_process),
        CASE(a_tail_that_never_comes_stops_the_partition),
        CASE(null_keys_and_values_stay_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
