/*
 * What the apply thread makes of the poll thread's events: assignments, first starts, refused
 * offsets, batches that cannot be unpacked. Only the parts before a database is asked; commands are
 * read from the ring.
 */
#include "runtime/consumer_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sync_config config;
static struct sync_topics *topics;
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
    topics = calloc(1, sizeof *topics);
    for (size_t i = 0; i < route.input_count; i++) {
        (void)snprintf(topics->items[i].name, sizeof topics->items[i].name, "%s",
                       route.inputs[i].topic);
        topics->items[i].partitions = 4;
    }
    topics->count = route.input_count;
    options.topics = topics;
    config.batch_records_max = 1000;
    (void)snprintf(config.consumer_start, sizeof config.consumer_start, "earliest");
    c->options = &options;
    c->config = &config;
    c->scope = "status-to-altinn3";
    c->route = &route;
    c->place_end = sync_kafka_place(route.input_count, 0);
    assert_true(sync_is_ok(sync_wake_init(&c->apply_wake, &err)));
    assert_true(sync_is_ok(sync_wake_init(&c->poll_wake, &err)));
    struct sync_ring_options ring = {.bytes_max = 1 << 18};
    assert_true(sync_is_ok(sync_ring_new(&ring, &c->events, &err)));
    assert_true(sync_is_ok(sync_ring_new(&ring, &c->commands, &err)));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sync_ring_free(&c->events);
    sync_ring_free(&c->commands);
    sync_wake_done(&c->apply_wake);
    sync_wake_done(&c->poll_wake);
    free(topics);
    free(c);
    return 0;
}

static void assign_places(uint32_t generation, int32_t total, int32_t total_of_second,
                          int32_t first, int32_t second)
{
    struct consumer_assignment assignment = {
        .event = {.type = EVENT_ASSIGNED, .generation = generation},
        .cluster_id = "abc",
        .partitions_total = {total, total_of_second},
        .count = 2,
        .places = {first, second}};
    assert_true(sync_ring_put(c->events, &assignment, consumer_assignment_size(&assignment)));
    consumer_events(c, 0);
}

static void assign(uint32_t generation, int32_t total)
{
    assign_places(generation, total, 4, 1, 3);
}

static void tell(struct consumer_event event)
{
    assert_true(sync_ring_put(c->events, &event, sizeof event));
    consumer_events(c, 0);
}

/* Partition 1 as if it had been claimed at a position. */
static struct consumer_partition *own(int64_t position, bool check_tail)
{
    assign(5, 4);
    struct consumer_partition *p = &c->apply.places[1];
    p->state = PARTITION_OWNED;
    p->position = position;
    p->check_tail = check_tail;
    return p;
}

static const struct consumer_reads *next_reads(void)
{
    size_t size = 0;
    const struct consumer_reads *reads = sync_ring_next(c->commands, NULL, &size);
    assert_non_null(reads);
    assert_int_equal(reads->command.type, COMMAND_READ);
    return reads;
}

static void an_assignment_makes_its_partitions_new_and_asks_for_claims(void **state)
{
    (void)state;
    assign(5, 4);
    assert_int_equal(c->apply.generation, 5);
    assert_int_equal(c->apply.places[1].state, PARTITION_NEW);
    assert_int_equal(c->apply.places[3].state, PARTITION_NEW);
    assert_int_equal(c->apply.places[0].state, PARTITION_NONE);
    assert_true(c->apply.claims_due);
}

static void a_revoke_forgets_everything(void **state)
{
    (void)state;
    (void)own(100, false);
    tell((struct consumer_event){.type = EVENT_REVOKED, .generation = 6});
    assert_int_equal(c->apply.places[1].state, PARTITION_NONE);
    assert_int_equal(c->apply.generation, 6);
    assert_false(c->apply.claims_due);
}

/* Lanes are computed with the count of topics.yaml: another one would move keys between lanes. */
static void a_topic_with_another_partition_count_ends_the_process(void **state)
{
    (void)state;
    assign(5, 6);
    assert_true(atomic_load(&c->failed));
    assert_int_equal(c->failure.code, SYNC_CODE_TOPIC_REFUSED);
}

static void another_cluster_than_topics_yaml_names_ends_the_process(void **state)
{
    (void)state;
    (void)snprintf(topics->cluster_id, sizeof topics->cluster_id, "other");
    assign(5, 4);
    assert_true(atomic_load(&c->failed));
    assert_int_equal(c->failure.code, SYNC_CODE_CLUSTER);
}

static void events_of_an_earlier_assignment_are_passed_over(void **state)
{
    (void)state;
    struct consumer_partition *p = own(100, false);
    tell((struct consumer_event){
        .type = EVENT_RESET, .generation = 4, .place = 1, .low = 500, .high = 600});
    assert_int_equal(p->state, PARTITION_OWNED);
    tell((struct consumer_event){.type = EVENT_HIGH, .generation = 4, .place = 1, .high = 9});
    assert_int_equal(p->high, -1);
}

static void a_first_start_takes_the_low_or_the_high_mark(void **state)
{
    (void)state;
    assign(5, 4);
    struct consumer_event marks = {
        .type = EVENT_MARKS, .generation = 5, .place = 1, .low = 10, .high = 20};
    c->apply.places[1].state = PARTITION_STARTING;
    tell(marks);
    assert_int_equal(c->apply.places[1].state, PARTITION_CLAIMING);
    assert_int_equal(c->apply.places[1].start, 10);
    (void)snprintf(config.consumer_start, sizeof config.consumer_start, "latest");
    marks.place = 3;
    c->apply.places[3].state = PARTITION_STARTING;
    tell(marks);
    assert_int_equal(c->apply.places[3].start, 20);
}

static void marks_for_a_partition_that_does_not_start_are_passed_over(void **state)
{
    (void)state;
    struct consumer_partition *p = own(100, false);
    tell((struct consumer_event){
        .type = EVENT_MARKS, .generation = 5, .place = 1, .low = 10, .high = 20});
    assert_int_equal(p->state, PARTITION_OWNED);
    assert_int_equal(p->start, 0);
}

/* Partition 1 of the second topic is another place than that of the first one. */
static void each_topic_has_places_of_its_own(void **state)
{
    (void)state;
    int32_t place = sync_kafka_place(1, 1);
    assign_places(5, 4, 4, 1, place);
    assert_int_equal(c->apply.places[1].state, PARTITION_NEW);
    assert_int_equal(c->apply.places[place].state, PARTITION_NEW);
    c->apply.places[1].state = PARTITION_OWNED;
    c->apply.places[place].state = PARTITION_OWNED;
    c->apply.places[place].position = 7;
    tell((struct consumer_event){
        .type = EVENT_RESET, .generation = 5, .place = place, .low = 8, .high = 9});
    assert_int_equal(c->apply.places[place].state, PARTITION_STOPPED);
    assert_int_equal(c->apply.places[1].state, PARTITION_OWNED);
    struct sync_place at = consumer_place(c, place);
    assert_string_equal(at.topic, "u");
    assert_int_equal(at.partition, 1);
}

static void a_second_topic_with_other_partitions_ends_the_process(void **state)
{
    (void)state;
    assign_places(5, 4, 3, 0, 1);
    assert_true(atomic_load(&c->failed));
    assert_int_equal(c->failure.code, SYNC_CODE_TOPIC_REFUSED);
    assert_non_null(strstr(c->failure.text, "claim u: it has 3 partitions"));
}

/* Retention took the record just below us: there is nothing to compare with, and nothing is lost.
 */
static void a_reset_whose_low_mark_is_the_position_reads_on_without_the_tail(void **state)
{
    (void)state;
    struct consumer_partition *p = own(100, true);
    tell((struct consumer_event){
        .type = EVENT_RESET, .generation = 5, .place = 1, .low = 100, .high = 300});
    assert_int_equal(p->state, PARTITION_OWNED);
    assert_false(p->check_tail);
    assert_int_equal(next_reads()->starts[0].offset, 100);
}

static void a_reset_above_the_position_stops_the_partition(void **state)
{
    (void)state;
    struct consumer_partition *p = own(100, true);
    tell((struct consumer_event){
        .type = EVENT_RESET, .generation = 5, .place = 1, .low = 101, .high = 300});
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_int_equal(p->position, 100);
    assert_false(atomic_load(&c->failed)); /* the others go on */
}

static void a_reset_below_the_position_stops_the_partition(void **state)
{
    (void)state;
    struct consumer_partition *p = own(100, true);
    tell((struct consumer_event){
        .type = EVENT_RESET, .generation = 5, .place = 1, .low = 0, .high = 99});
    assert_int_equal(p->state, PARTITION_STOPPED);
}

static void a_reset_without_marks_is_read_again_at_the_same_place(void **state)
{
    (void)state;
    struct consumer_partition *p = own(100, true);
    tell((struct consumer_event){
        .type = EVENT_RESET, .generation = 5, .place = 1, .low = -1, .high = -1});
    assert_int_equal(p->state, PARTITION_OWNED);
    assert_int_equal(next_reads()->starts[0].offset, 99);
}

static void a_batch_that_cannot_be_unpacked_stops_only_its_partition(void **state)
{
    (void)state;
    struct consumer_partition *p = own(100, false);
    tell((struct consumer_event){
        .type = EVENT_PARTITION_ERROR, .generation = 5, .place = 1, .offset = 100});
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_int_equal(c->apply.places[3].state, PARTITION_NEW);
}

static void a_fence_drops_the_partition_once(void **state)
{
    (void)state;
    struct consumer_partition *p = own(100, false);
    p->epoch = 3;
    consumer_fence(c, 1, 3, 77);
    assert_int_equal(p->state, PARTITION_FENCED);
    assert_int_equal(c->apply.fenced_at_us, 77);
    assert_int_equal(sync_ring_items(c->commands), 1);
}

/* The partition came back with a new epoch before the old commit's doubt was settled. */
static void a_fence_of_an_older_epoch_leaves_the_new_claim_alone(void **state)
{
    (void)state;
    struct consumer_partition *p = own(100, false);
    p->epoch = 4;
    consumer_fence(c, 1, 3, 77);
    assert_int_equal(p->state, PARTITION_OWNED);
    assert_int_equal(c->apply.fenced_at_us, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_assignment_makes_its_partitions_new_and_asks_for_claims),
        CASE(a_revoke_forgets_everything),
        CASE(a_topic_with_another_partition_count_ends_the_process),
        CASE(another_cluster_than_topics_yaml_names_ends_the_process),
        CASE(events_of_an_earlier_assignment_are_passed_over),
        CASE(a_first_start_takes_the_low_or_the_high_mark),
        CASE(marks_for_a_partition_that_does_not_start_are_passed_over),
        CASE(each_topic_has_places_of_its_own),
        CASE(a_second_topic_with_other_partitions_ends_the_process),
        CASE(a_reset_whose_low_mark_is_the_position_reads_on_without_the_tail),
        CASE(a_reset_above_the_position_stops_the_partition),
        CASE(a_reset_below_the_position_stops_the_partition),
        CASE(a_reset_without_marks_is_read_again_at_the_same_place),
        CASE(a_batch_that_cannot_be_unpacked_stops_only_its_partition),
        CASE(a_fence_drops_the_partition_once),
        CASE(a_fence_of_an_older_epoch_leaves_the_new_claim_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
