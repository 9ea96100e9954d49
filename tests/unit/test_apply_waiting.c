/*
 * What a batch writes beside its entity, for an entity of this file: parts that are set aside,
 * holds by a missing id and their release, effects with keys and times of their own. On a real
 * PostgreSQL 15 (SYNC_TEST_DSN).
 */
#include "core/limits.h"
#include "own_database.h"
#include "runtime/housekeeping.h"

#include <time.h>

#define SECOND_US 1000000LL
#define KEY       "7001"

/* The entity: a change says what becomes of it. --------------------------------------------------
 */

enum act {
    ACT_APPLY = 1,
    ACT_PART = 2,
    ACT_WAIT = 3,
    ACT_SEND = 4,
    ACT_SEND_LATER = 5,
    ACT_WITHDRAW
};

struct toy_change {
    int32_t system, act, id, mode;
    bool has_id, by_sync;
    struct sync_bytes stream;
    int64_t sequence, at_us;
    struct sync_uuid party;
};

/* Ids that are there; a change of ACT_WAIT needs first and then second ("1", "2" …). */
static struct {
    bool there[8];
    char names[8][4];
    struct sync_missing arrived[8];
    size_t arrived_count;
    bool says_arrived;
} toy;

static const char *const systems[] = {"ALTINN2", "ALTINN3", NULL};
static const char *const modes[] = {"LIVE", "HISTORY", NULL};
#define AT(member) offsetof(struct toy_change, member)
static const struct sync_field fields[] = {
    {"source.system", SYNC_FIELD_ENUM, AT(system), SYNC_FIELD_REQUIRED, systems, 0},
    {"source.stream", SYNC_FIELD_TEXT, AT(stream), SYNC_FIELD_REQUIRED, NULL, 64},
    {"source.sequence", SYNC_FIELD_LONG, AT(sequence), SYNC_FIELD_REQUIRED, NULL, 0},
    {"altinn2_id", SYNC_FIELD_INT, AT(id), AT(has_id), NULL, 0},
    {"kind", SYNC_FIELD_INT, AT(act), SYNC_FIELD_REQUIRED, NULL, 0},
    {"mode", SYNC_FIELD_ENUM, AT(mode), SYNC_FIELD_REQUIRED, modes, 0},
    {"written_by_sync", SYNC_FIELD_BOOL, AT(by_sync), SYNC_FIELD_REQUIRED, NULL, 0},
    {"captured_at_us", SYNC_FIELD_LONG, AT(at_us), SYNC_FIELD_REQUIRED, NULL, 0},
    {"occurred_at_us", SYNC_FIELD_LONG, AT(at_us), SYNC_FIELD_REQUIRED, NULL, 0},
    {"party_uuid", SYNC_FIELD_UUID, AT(party), SYNC_FIELD_REQUIRED, NULL, 0},
};

static void toy_event(const void *change, struct sync_event *ret_event)
{
    const struct toy_change *c = change;
    *ret_event = (struct sync_event){
        .system = SYNC_SYSTEM_ALTINN2, .stream = c->stream, .sequence = c->sequence};
}

static sync_status toy_key(const void *change, struct sync_key *ret_key, struct sync_error *err)
{
    (void)change;
    (void)err;
    *ret_key = (struct sync_key){.text = KEY, .size = strlen(KEY)};
    return SYNC_OK;
}

static bool toy_intake(const struct sync_route *route, const void *change,
                       const struct sync_context *ctx, struct sync_fold *ret_fold)
{
    (void)route;
    (void)change;
    (void)ctx;
    (void)ret_fold;
    return false;
}

/* ACT_WAIT carries two ids in its number: 12 needs 1, then 2. */
static bool waits(const struct toy_change *c, struct sync_fold *ret_fold)
{
    const int32_t needed[] = {c->id / 10, c->id % 10};
    for (size_t i = 0; i < 2; i++) {
        if (!toy.there[needed[i]]) {
            *ret_fold = (struct sync_fold){
                .outcome = SYNC_OUTCOME_HELD, .rule = "T-1", .missing_kind = "thing"};
            (void)snprintf(ret_fold->missing_id, sizeof ret_fold->missing_id, "%d", (int)needed[i]);
            return true;
        }
    }
    return false;
}

static void send(const struct toy_change *c, struct sync_effects *ret_effects)
{
    struct sync_effect *effect = &ret_effects->items[ret_effects->count++];
    *effect = (struct sync_effect){.target = "altinn2", .body_size = 2, .body = "{}"};
    effect->withdraw = c->act == ACT_WITHDRAW;
    effect->delay_us = c->act == ACT_SEND_LATER ? 5 * SECOND_US : 0;
    (void)snprintf(effect->lane_key, sizeof effect->lane_key, "lane-%d", (int)c->id);
    (void)snprintf(effect->partition_key, sizeof effect->partition_key, "8100");
    if (!effect->withdraw) {
        (void)snprintf(effect->name, sizeof effect->name, "toy/%lld", (long long)c->sequence);
    }
}

static sync_status toy_fold(const struct sync_route *route, void *state, const void *change,
                            const struct sync_context *ctx, struct sync_fold *ret_fold,
                            struct sync_effects *ret_effects, struct sync_error *err)
{
    const struct toy_change *c = change;
    (void)route;
    (void)state;
    (void)ctx;
    (void)err;
    *ret_fold = (struct sync_fold){.outcome = SYNC_OUTCOME_APPLIED, .rule = "T-0"};
    if (c->act == ACT_PART) {
        ret_fold->part.code = SYNC_CODE_KIND_UNKNOWN;
        ret_fold->part.field = "kind";
        ret_fold->part.reason = "One part has no counterpart.";
        ret_fold->part.rule = "T-2";
    } else if (c->act == ACT_WAIT) {
        (void)waits(c, ret_fold);
    } else if (c->act >= ACT_SEND) {
        send(c, ret_effects);
    }
    return SYNC_OK;
}

static sync_status toy_difference(const struct sync_route *route, void *state,
                                  struct sync_effects *ret_effects, struct sync_error *err)
{
    (void)route;
    (void)state;
    (void)ret_effects;
    (void)err;
    return SYNC_OK;
}

static const struct sync_input inputs[] = {
    {"altinn2.correspondence-status.v1", SYNC_SYSTEM_ALTINN2}};
static const char *const targets[] = {"altinn2", NULL};
static const struct sync_route routes[] = {{"toy", inputs, 1, SYNC_SYSTEM_ALTINN3, targets, NULL}};
static const struct sync_option options[] = {{"toy_age_s", "", 1, 100, 60, "s"}};
static const struct sync_hold_limit limits[] = {
    {"T-1", "T-3", "toy_age_s", SYNC_CODE_HELD_TOO_LONG, "It waited for too long."}};
static const struct sync_processor toy_processor = {.name = "toy",
                                                    .schema = "no.altinn.sync.StatusChange",
                                                    .home = "correspondence",
                                                    .fields = fields,
                                                    .field_count = sizeof fields / sizeof fields[0],
                                                    .routes = routes,
                                                    .route_count = 1,
                                                    .options = options,
                                                    .option_count = 1,
                                                    .store = "toy",
                                                    .unreadable_rule = "T-9",
                                                    .hold_limits = limits,
                                                    .hold_limit_count = 1,
                                                    .change_size = sizeof(struct toy_change),
                                                    .event = toy_event,
                                                    .key = toy_key,
                                                    .intake = toy_intake,
                                                    .fold = toy_fold,
                                                    .difference = toy_difference};

static sync_status toy_step(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    (void)db;
    (void)batch;
    (void)err;
    return SYNC_OK;
}

static sync_status toy_lock(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    (void)db;
    (void)err;
    for (size_t i = 0; i < batch->entity_count; i++) {
        batch->entities[i].state = &toy;
        batch->entities[i].mapped = batch->entities[i].named;
    }
    batch->arrived = toy.says_arrived ? toy.arrived : NULL;
    batch->arrived_count = toy.says_arrived ? toy.arrived_count : 0;
    return SYNC_OK;
}

static const struct sync_store toy_store = {
    .name = "toy", .settle = toy_step, .lock = toy_lock, .load = toy_step, .store = toy_step};

/* The world -------------------------------------------------------------------------------------
 */

static struct {
    struct sync_schema_set *schemas;
    struct sync_decoder *decoder;
    struct sync_topics *topics;
    struct sync_arena arena, records_arena;
    struct sync_applier applier;
    struct sync_batch batch;
    int64_t offset;
} world;

static int start(void **state)
{
    const char *paths[] = {SYNC_SOURCE_DIR "/topics.yaml"};
    (void)state;
    own_start("waiting");
    if (!own.usable) {
        return 0;
    }
    must(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &world.schemas, &own.err));
    must(sync_decoder_new(world.schemas, &toy_processor, &world.decoder, &own.err));
    must(sync_topics_load(paths, 1, &world.topics, NULL, &own.err));
    sync_arena_init(&world.arena, malloc(SYNC_BATCH_ARENA_BYTES), SYNC_BATCH_ARENA_BYTES);
    sync_arena_init(&world.records_arena, malloc(SYNC_BATCH_BYTES_MAX), SYNC_BATCH_BYTES_MAX);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sync_decoder_free(&world.decoder);
    sync_schema_set_free(&world.schemas);
    free(world.topics);
    free(world.arena.memory);
    free(world.records_arena.memory);
    own_stop();
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    if (own.usable) {
        run_sql("TRUNCATE sync.outcome_count, sync.hold, sync.parked, sync.outbox");
    }
    toy.says_arrived = false;
    toy.arrived_count = 0;
    memset(toy.there, 0, sizeof toy.there);
    world.offset = 0;
    world.applier = (struct sync_applier){.db = own.db,
                                          .processor = &toy_processor,
                                          .store = &toy_store,
                                          .route = routes,
                                          .scope = "toy",
                                          .topics = world.topics,
                                          .decoder = world.decoder,
                                          .keep_parked_bytes = true};
    return 0;
}

/* From the bytes to the commit; key: what adoption names besides. */
static void apply(struct sync_record *record, size_t count, const struct sync_key *key)
{
    size_t lane_effects = 0;
    sync_arena_reset(&world.arena, 0);
    world.batch = (struct sync_batch){.processor = &toy_processor,
                                      .route = routes,
                                      .scope = "toy",
                                      .topic = inputs[0].topic,
                                      .partition = 3,
                                      .arena = &world.arena,
                                      .records = record,
                                      .record_count = count};
    sync_apply_intake(&world.applier, &world.batch);
    must(sync_txn_begin(own.db, &(struct sync_txn_limits){0}, &world.batch.now_us, &own.err));
    must(sync_apply_batch(&world.applier, &world.batch, key, key != NULL, &lane_effects, &own.err));
    must(sync_txn_commit(own.db, &own.err));
}

static void put(enum act act, int32_t id)
{
    struct toy_change change = {.act = (int32_t)act,
                                .id = id,
                                .has_id = true,
                                .stream = sync_bytes_text("toy.1"),
                                .sequence = world.offset};
    struct sync_record record = {.offset = world.offset++, .timestamp_ms = 1741078800000};
    const struct sync_schema *schema = sync_schema_set_find(world.schemas, toy_processor.schema);
    sync_arena_reset(&world.records_arena, 0);
    must(sync_encode(schema, &toy_processor, &change, &world.records_arena, &record.value,
                     &own.err));
    record.key = sync_bytes_text(KEY);
    apply(&record, 1, NULL);
}

static void adopt(void)
{
    const struct sync_key key = {.text = KEY, .size = strlen(KEY)};
    apply(NULL, 0, &key);
}

static void arrives(int32_t id)
{
    toy.there[id] = true;
    toy.says_arrived = true;
    (void)snprintf(toy.names[id], sizeof toy.names[id], "%d", (int)id);
    toy.arrived[toy.arrived_count++] =
        (struct sync_missing){"thing", sync_bytes_text(toy.names[id])};
}

static int64_t counted(enum sync_outcome outcome)
{
    return ask("SELECT coalesce(sum(n), 0)::int8 FROM sync.outcome_count WHERE outcome = %d",
               (int)outcome);
}

/* Parts -----------------------------------------------------------------------------------------
 */

static void a_part_is_set_aside_and_the_record_counts_by_its_outcome(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(ACT_PART, 1);
    assert_int_equal(counted(SYNC_OUTCOME_APPLIED), 1);
    assert_int_equal(counted(SYNC_OUTCOME_PARKED), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.parked WHERE part AND state = 0"
                         " AND rule = 'T-2' AND field = 'kind' AND code = 'kind_unknown'"
                         " AND record IS NOT NULL AND reason = 'One part has no counterpart.'"),
                     1);
}

static void a_record_without_a_part_sets_nothing_aside(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(ACT_APPLY, 1);
    assert_int_equal(ask("SELECT count(*) FROM sync.parked"), 0);
}

/* Holds -----------------------------------------------------------------------------------------
 */

static void a_record_that_misses_another_id_is_held_again_as_old_as_it_was(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(ACT_WAIT, 12);
    run_sql("UPDATE sync.hold SET since = '2025-01-01Z'");
    assert_int_equal(ask("SELECT count(*) FROM sync.hold WHERE missing_kind = 'thing'"
                         " AND missing_id = '1'"),
                     1);
    arrives(1);
    adopt();
    assert_int_equal(ask("SELECT count(*) FROM sync.hold WHERE missing_id = '2'"
                         " AND since = '2025-01-01Z'"),
                     1);
    assert_int_equal(counted(SYNC_OUTCOME_HELD), 1);
    arrives(2);
    adopt();
    assert_int_equal(ask("SELECT count(*) FROM sync.hold"), 0);
    assert_int_equal(counted(SYNC_OUTCOME_HELD), 0);
    assert_int_equal(counted(SYNC_OUTCOME_APPLIED), 1);
}

/* Else what waits for an id that never comes would be taken out and put back for ever, and what
 * stands behind it would not be reached. */
static void only_what_waits_for_an_id_that_came_is_released(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(ACT_WAIT, 13);
    put(ACT_WAIT, 22);
    toy.there[2] = true;
    arrives(2);
    adopt();
    assert_int_equal(world.batch.released_count, 1);
    assert_int_equal(world.batch.released[0].offset, 1);
    assert_int_equal(ask("SELECT count(*) FROM sync.hold WHERE record_offset = 0"), 1);
    assert_int_equal(counted(SYNC_OUTCOME_APPLIED), 1);
}

static void without_a_word_of_the_store_all_that_waits_is_released(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(ACT_WAIT, 11);
    put(ACT_WAIT, 22);
    toy.there[1] = toy.there[2] = true;
    adopt();
    assert_int_equal(world.batch.released_count, 2);
    assert_int_equal(world.batch.released[0].offset, 0); /* in order */
    assert_int_equal(counted(SYNC_OUTCOME_APPLIED), 2);
}

static void age(void)
{
    struct sync_housekeeping h = {.applier = &world.applier, .arena = &world.arena};
    const struct sync_place place = {"toy", inputs[0].topic, 3};
    int64_t now_us = 0;
    size_t aged = 0;
    run_sql("UPDATE sync.hold SET since = now() - interval '61 seconds'");
    sync_arena_reset(&world.arena, 0);
    must(sync_txn_begin(own.db, &(struct sync_txn_limits){0}, &now_us, &own.err));
    must(sync_housekeeping_age(&h, &place, now_us, &aged, &own.err));
    must(sync_txn_commit(own.db, &own.err));
    assert_int_equal(aged, 1);
}

static void what_aged_is_found_by_the_id_it_waited_for(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(ACT_WAIT, 12);
    age();
    assert_int_equal(ask("SELECT count(*) FROM sync.parked WHERE missing_kind = 'thing'"
                         " AND missing_id = '1' AND code = 'held_too_long' AND rule = 'T-3'"),
                     1);
    assert_int_equal(counted(SYNC_OUTCOME_PARKED), 1);
    toy.there[2] = true;
    arrives(3); /* another one */
    adopt();
    assert_int_equal(world.batch.released_count, 0);
    arrives(1);
    adopt();
    assert_int_equal(world.batch.released_count, 1);
    assert_int_equal(counted(SYNC_OUTCOME_PARKED), 0);
    assert_int_equal(counted(SYNC_OUTCOME_APPLIED), 1);
}

/* Its row of parked is still there, decided again. */
static void what_was_released_from_park_may_age_once_more(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(ACT_WAIT, 12);
    age();
    arrives(1);
    adopt();
    assert_int_equal(counted(SYNC_OUTCOME_HELD), 1);
    age();
    assert_int_equal(counted(SYNC_OUTCOME_HELD), 0);
    assert_int_equal(counted(SYNC_OUTCOME_PARKED), 1);
    assert_int_equal(ask("SELECT count(*) FROM sync.parked WHERE state = 0 AND missing_id = '2'"),
                     1);
}

/* Effects ---------------------------------------------------------------------------------------
 */

static void an_effect_waits_in_the_lane_of_its_keys(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(ACT_SEND, 5);
    /* 8100 is partition 15 of 48 */
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE entity_key = 'lane-5'"
                         " AND partition = 15 AND scope = 'toy' AND not_before = created_at"),
                     1);
}

static void an_effect_with_a_delay_waits_for_it_and_hurries_none(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(ACT_SEND_LATER, 5);
    put(ACT_SEND_LATER, 5);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox"
                         " WHERE not_before = created_at + interval '5 seconds'"),
                     2);
    put(ACT_SEND, 5); /* this one may not wait behind them */
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE not_before <= now()"), 3);
}

static void an_effect_is_withdrawn_under_its_own_lane_key_only(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(ACT_SEND, 5);
    put(ACT_SEND, 6);
    put(ACT_WITHDRAW, 5);
    assert_int_equal(ask("SELECT state FROM sync.outbox WHERE entity_key = 'lane-5'"), 3);
    assert_int_equal(ask("SELECT state FROM sync.outbox WHERE entity_key = 'lane-6'"), 0);
}

#define CASE(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_part_is_set_aside_and_the_record_counts_by_its_outcome),
        CASE(a_record_without_a_part_sets_nothing_aside),
        CASE(a_record_that_misses_another_id_is_held_again_as_old_as_it_was),
        CASE(only_what_waits_for_an_id_that_came_is_released),
        CASE(without_a_word_of_the_store_all_that_waits_is_released),
        CASE(what_aged_is_found_by_the_id_it_waited_for),
        CASE(what_was_released_from_park_may_age_once_more),
        CASE(an_effect_waits_in_the_lane_of_its_keys),
        CASE(an_effect_with_a_delay_waits_for_it_and_hurries_none),
        CASE(an_effect_is_withdrawn_under_its_own_lane_key_only),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
