/*
 * Intake and effects of a batch: which records end before a database is asked, and which rows the
 * effects of one batch become. The decoder and the rules are the real ones; no database takes part.
 */
#include "core/limits.h"
#include "runtime/apply_parts.h"
#include "runtime/route.h"

#include <altinn_sync/correspondence_status.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ARENA_BYTES (4 * 1024 * 1024)

static struct sync_schema_set *schemas;
static struct sync_topics *topics;
static struct sync_applier applier;
static struct sync_arena arena;
static struct sync_record record;
static struct sync_batch batch;

static int set_up(void **state)
{
    struct sync_error err = {0};
    (void)state;
    const struct sync_processor *processor = &sync_processor_correspondence_status;
    assert_true(sync_is_ok(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &schemas, &err)));
    topics = calloc(1, sizeof *topics);
    for (size_t i = 0; i < processor->route_count; i++) {
        (void)snprintf(topics->items[i].name, sizeof topics->items[i].name, "%s",
                       processor->routes[i].inputs[0].topic);
        topics->items[i].partitions = 48;
    }
    topics->count = processor->route_count;
    applier = (struct sync_applier){
        .processor = processor, .route = &processor->routes[0], .topics = topics};
    assert_true(sync_is_ok(sync_decoder_new(schemas, processor, &applier.decoder, &err)));
    sync_arena_init(&arena, malloc(ARENA_BYTES), ARENA_BYTES);
    record = (struct sync_record){.offset = 5, .timestamp_ms = 1741078800000};
    batch = (struct sync_batch){.processor = processor,
                                .route = applier.route,
                                .scope = applier.route->name,
                                .topic = applier.route->inputs[0].topic,
                                .partition = 9,
                                .arena = &arena,
                                .records = &record,
                                .record_count = 1};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sync_decoder_free(&applier.decoder);
    sync_schema_set_free(&schemas);
    free(topics);
    free(arena.memory);
    return 0;
}

/* Intake -------------------------------------------------------------------------------------- */

static struct status_change good_change(void)
{
    return (struct status_change){
        .source = {.system = applier.route->inputs[0].from == SYNC_SYSTEM_ALTINN3,
                   .stream = sync_bytes_text("test.1"),
                   .sequence = 1},
        .has_altinn2_id = true,
        .altinn2_id = 7001,
        .has_altinn3_id = true,
        .altinn3_id = {{1}},
        .kind = STATUS_READ,
        .occurred_at_us = 1741078800000000,
    };
}

static void encode(const struct status_change *change)
{
    struct sync_error err = {0};
    const struct sync_schema *schema = sync_schema_set_find(schemas, applier.processor->schema);
    assert_true(
        sync_is_ok(sync_encode(schema, applier.processor, change, &arena, &record.value, &err)));
    record.key = sync_bytes_text("7001");
}

static void assert_parked(enum sync_code code)
{
    sync_apply_intake(&applier, &batch);
    assert_true(record.decided);
    assert_int_equal(record.fold.outcome, SYNC_OUTCOME_PARKED);
    assert_string_equal(record.fold.rule, applier.processor->unreadable_rule);
    assert_int_equal(record.fold.code, code);
    assert_string_not_equal(record.error.text, "");
}

static void a_good_record_waits_for_its_entity(void **state)
{
    (void)state;
    struct status_change change = good_change();
    encode(&change);
    sync_apply_intake(&applier, &batch);
    assert_false(record.decided);
    assert_non_null(record.change);
    assert_int_equal(record.entity.size, 4);
    assert_int_equal(record.context.appended_us, 1741078800000000);
    assert_int_equal(record.context.decided_us, record.context.appended_us);
    assert_false(record.context.released);
}

static void a_record_without_value_is_parked(void **state)
{
    (void)state;
    record.key = sync_bytes_text("7001");
    assert_parked(SYNC_CODE_EMPTY_VALUE);
    assert_int_equal(record.entity.size, 4); /* the key is readable, so a person can look for it */
}

static void a_record_in_no_frame_is_parked(void **state)
{
    (void)state;
    record.key = sync_bytes_text("7001");
    record.value = sync_bytes_text("{\"kind\":4}");
    assert_parked(SYNC_CODE_FRAMING);
}

static void a_record_larger_than_the_limit_is_parked_undecoded(void **state)
{
    (void)state;
    record.value = (struct sync_bytes){arena.memory, SYNC_RECORD_BYTES_MAX + 1};
    assert_parked(SYNC_CODE_OVERSIZE);
}

static void a_record_under_another_key_is_parked(void **state)
{
    (void)state;
    struct status_change change = good_change();
    encode(&change);
    record.key = sync_bytes_text("7002");
    assert_parked(SYNC_CODE_KEY_MISMATCH);
    record = (struct sync_record){.value = record.value};
    assert_parked(SYNC_CODE_KEY_MISMATCH);
}

static void a_key_that_is_no_plain_text_is_not_kept(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {'7', 0, '1'};
    record.key = (struct sync_bytes){bytes, sizeof bytes};
    assert_parked(SYNC_CODE_EMPTY_VALUE);
    assert_int_equal(record.entity.size, 0);
}

static void a_key_longer_than_any_entity_is_not_kept(void **state)
{
    (void)state;
    static char longest[sizeof((struct sync_key *)NULL)->text + 1];
    memset(longest, '7', sizeof longest - 1);
    record.key = sync_bytes_text(longest);
    assert_parked(SYNC_CODE_EMPTY_VALUE);
    assert_int_equal(record.entity.size, 0);
}

/* It was tried alone and the database refused it: its code stays, it is not decided again. */
static void a_record_that_the_database_refused_is_parked(void **state)
{
    (void)state;
    struct status_change change = good_change();
    encode(&change);
    (void)sync_fail(&record.error, SYNC_CLASS_PARK, SYNC_CODE_DATA_REFUSED, "store: refused");
    assert_parked(SYNC_CODE_DATA_REFUSED);
    assert_null(record.change);
}

static void an_intake_without_memory_is_a_retry(void **state)
{
    (void)state;
    size_t lane_effects = 0;
    struct sync_error err = {0};
    struct status_change change = good_change();
    encode(&change);
    arena.used = arena.capacity;
    sync_apply_intake(&applier, &batch);
    assert_false(record.decided);
    sync_status status = sync_apply_batch(&applier, &batch, NULL, 0, &lane_effects, &err);
    assert_int_equal(status.class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_MEMORY_LIMIT);
}

/* Effects ------------------------------------------------------------------------------------- */

static struct apply effects;
static struct sync_entity entity;

/* One entity "7001" that effects can belong to. */
static void begin_effects(void)
{
    struct sync_error err = {0};
    effects = (struct apply){.applier = &applier, .batch = &batch, .slot_count = 16};
    effects.slots = sync_arena_take_array(&arena, effects.slot_count, sizeof *effects.slots);
    entity = (struct sync_entity){.key = {.text = "7001", .size = 4}};
    batch.entities = &entity;
    batch.entity_count = 1;
    assert_true(sync_is_ok(apply_index(&effects, &err)));
}

static struct apply_effect *decide(const char *target, const char *name)
{
    struct sync_error err = {0};
    static struct sync_effects one;
    one = (struct sync_effects){.count = 1};
    one.items[0].target = target;
    (void)snprintf(one.items[0].name, sizeof one.items[0].name, "%s", name);
    one.items[0].withdraw = name[0] == '\0';
    if (one.items[0].withdraw) {
        (void)snprintf(one.items[0].name, sizeof one.items[0].name, "dialog/delete");
    }
    one.items[0].single_prefix_size = strncmp(name, "dialog/label/", 13) == 0 ? 13 : 0;
    assert_true(sync_is_ok(apply_effects_take(&effects, NULL, &entity.key, &one, &err)));
    assert_int_equal(one.count, 0);
    return effects.last_effect;
}

/* 7001 is partition 26 of 48: the sources' partitioner puts it there as well. */
static void an_effect_of_a_routed_target_waits_in_the_lane_of_its_key(void **state)
{
    (void)state;
    begin_effects();
    struct apply_effect *effect = decide("altinn2", "a2/read");
    apply_effects_settle(&effects);
    assert_int_equal(effect->state, OUTBOX_WAITING);
    assert_non_null(effect->lane);
    assert_true(sync_route_sends(effect->lane, "altinn2"));
    assert_int_equal(effect->partition, 26);
}

static struct apply_effect *decide_in(const char *lane_key, const char *name)
{
    struct sync_error err = {0};
    static struct sync_effects one;
    one = (struct sync_effects){.count = 1};
    one.items[0].target = "altinn2";
    one.items[0].withdraw = name[0] == '\0';
    (void)snprintf(one.items[0].name, sizeof one.items[0].name, "%s", name);
    (void)snprintf(one.items[0].lane_key, sizeof one.items[0].lane_key, "%s", lane_key);
    (void)snprintf(one.items[0].partition_key, sizeof one.items[0].partition_key, "8100");
    assert_true(sync_is_ok(apply_effects_take(&effects, NULL, &entity.key, &one, &err)));
    return effects.last_effect;
}

/* 8100 is partition 15 of 48. */
static void an_effect_with_a_partition_key_waits_in_the_lane_of_that_key(void **state)
{
    (void)state;
    begin_effects();
    struct apply_effect *effect = decide_in("one", "altinn2/1");
    apply_effects_settle(&effects);
    assert_string_equal(effect->key, "one");
    assert_int_equal(effect->partition, 15);
}

/* The entity has two lane keys: what is withdrawn under one leaves the other alone. */
static void a_withdrawal_reaches_only_its_lane_key(void **state)
{
    (void)state;
    begin_effects();
    struct apply_effect *one = decide_in("one", "altinn2/1");
    struct apply_effect *two = decide_in("two", "altinn2/1");
    (void)decide_in("one", "");
    apply_effects_settle(&effects);
    assert_int_equal(one->state, OUTBOX_SKIPPED);
    assert_int_equal(two->state, OUTBOX_WAITING);
}

static void an_effect_without_a_route_stays_with_its_consumer(void **state)
{
    (void)state;
    begin_effects();
    struct apply_effect *effect = decide("event", "event/purged");
    apply_effects_settle(&effects);
    assert_int_equal(effect->state, OUTBOX_NO_ROUTE);
    assert_null(effect->lane);
    assert_int_equal(effect->partition, batch.partition);
}

static void an_effect_on_a_closed_target_is_closed_in_its_lane(void **state)
{
    (void)state;
    begin_effects();
    struct apply_effect *effect = decide("altinn2", "a2/read");
    effect->effect.closed = true;
    apply_effects_settle(&effects);
    assert_int_equal(effect->state, OUTBOX_CLOSED);
    assert_int_equal(effect->partition, 26);
}

/* UUIDv5(A3 id, "altinn-sync/dialog/opened"): the worked value of the rules. */
static void the_id_of_an_effect_is_that_of_the_rules(void **state)
{
    (void)state;
    struct sync_uuid expected;
    begin_effects();
    struct apply_effect *effect = decide("dialog", "dialog/opened");
    assert_true(sync_uuid_parse(sync_bytes_text("7c9e6679-7425-40de-944b-e07fc1f90ae7"),
                                &effect->effect.namespace_id));
    assert_true(
        sync_uuid_parse(sync_bytes_text("a09dbb2c-e40f-564e-ad88-bae8fddae27d"), &expected));
    apply_effects_settle(&effects);
    assert_int_equal(sync_uuid_compare(&effect->id, &expected), 0);
}

static void a_second_effect_of_one_id_makes_no_row(void **state)
{
    (void)state;
    begin_effects();
    struct apply_effect *first = decide("altinn2", "a2/read");
    struct apply_effect *second = decide("altinn2", "a2/read");
    apply_effects_settle(&effects);
    assert_false(first->dropped);
    assert_true(second->dropped);
}

static void at_most_one_label_of_an_entity_waits(void **state)
{
    (void)state;
    begin_effects();
    struct apply_effect *first = decide("dialog", "dialog/label/1");
    struct apply_effect *second = decide("dialog", "dialog/label/2");
    struct apply_effect *other = decide("dialog", "dialog/opened");
    apply_effects_settle(&effects);
    assert_false(first->dropped);
    assert_true(second->dropped);
    assert_false(other->dropped);
}

/* A purge skips what waits for the dialog, but not the delete, not what comes later, not other
 * targets. */
static void a_purge_skips_the_dialog_effects_before_it(void **state)
{
    (void)state;
    begin_effects();
    struct apply_effect *opened = decide("dialog", "dialog/opened");
    struct apply_effect *event = decide("event", "event/read/x/1");
    struct apply_effect *deleted = decide("dialog", "dialog/delete");
    (void)decide("dialog", "");
    struct apply_effect *later = decide("dialog", "dialog/confirmed");
    apply_effects_settle(&effects);
    assert_int_equal(opened->state, OUTBOX_SKIPPED);
    assert_int_equal(event->state, OUTBOX_NO_ROUTE);
    assert_int_equal(deleted->state, OUTBOX_NO_ROUTE);
    assert_int_equal(later->state, OUTBOX_NO_ROUTE);
}

/* A skipped label no longer stands for the next one. */
static void a_label_behind_a_skip_makes_a_row_of_its_own(void **state)
{
    (void)state;
    begin_effects();
    (void)decide("dialog", "dialog/label/1");
    (void)decide("dialog", "");
    struct apply_effect *label = decide("dialog", "dialog/label/2");
    apply_effects_settle(&effects);
    assert_false(label->dropped);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_good_record_waits_for_its_entity),
        CASE(a_record_without_value_is_parked),
        CASE(a_record_in_no_frame_is_parked),
        CASE(a_record_larger_than_the_limit_is_parked_undecoded),
        CASE(a_record_under_another_key_is_parked),
        CASE(a_key_that_is_no_plain_text_is_not_kept),
        CASE(a_key_longer_than_any_entity_is_not_kept),
        CASE(a_record_that_the_database_refused_is_parked),
        CASE(an_intake_without_memory_is_a_retry),
        CASE(an_effect_of_a_routed_target_waits_in_the_lane_of_its_key),
        CASE(an_effect_with_a_partition_key_waits_in_the_lane_of_that_key),
        CASE(a_withdrawal_reaches_only_its_lane_key),
        CASE(an_effect_without_a_route_stays_with_its_consumer),
        CASE(an_effect_on_a_closed_target_is_closed_in_its_lane),
        CASE(the_id_of_an_effect_is_that_of_the_rules),
        CASE(a_second_effect_of_one_id_makes_no_row),
        CASE(at_most_one_label_of_an_entity_waits),
        CASE(a_purge_skips_the_dialog_effects_before_it),
        CASE(a_label_behind_a_skip_makes_a_row_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
