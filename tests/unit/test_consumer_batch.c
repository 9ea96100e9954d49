/*
 * What the apply thread does with batches and sweeps on real tables: records are put into the ring
 * as the poll thread puts them, then its steps are called. No Kafka, no poll thread: its commands
 * stay in the ring. Needs SYNC_TEST_DSN, a superuser's DSN of a throw-away server; makes and drops
 * a database of its own there.
 */
#include "own_database.h"
#include "runtime/clock.h"
#include "runtime/consumer_parts.h"

#include <altinn_sync/correspondence_status.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND    1000000LL
#define NINE      (1741078800 * SECOND) /* 2025-03-04T09:00:00Z */
#define PARTITION 7

enum { APPLIED = 0, HELD = 4, PARKED = 5 }; /* numbers of sync.outcome_count */

static const struct sync_processor *const processor = &sync_processor_correspondence_status;
#define TO_ALTINN3 (&processor->routes[0])

static struct {
    struct sync_schema_set *schemas;
    struct sync_decoder *decoder;
    struct sync_topics *topics;
    uint8_t *record_memory;
    struct sync_arena records_arena;
    struct sync_config config;
    struct sync_consumer_options options;
} world;

static struct consumer *c;
static int64_t next_offset;
static const struct sync_uuid P = {{1}};

/* Set-up -------------------------------------------------------------------------------------- */

static int start(void **state)
{
    const char *paths[] = {SYNC_SOURCE_DIR "/topics.yaml"};
    (void)state;
    own_start("batch");
    if (!own.usable) {
        return 0;
    }
    must(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &world.schemas, &own.err));
    must(sync_decoder_new(world.schemas, processor, &world.decoder, &own.err));
    must(sync_topics_load(paths, 1, &world.topics, NULL, &own.err));
    world.record_memory = malloc(1 << 16);
    assert_non_null(world.record_memory);
    sync_arena_init(&world.records_arena, world.record_memory, 1 << 16);
    world.config.batch_records_max = SYNC_BATCH_RECORDS_MAX;
    world.config.batch_bytes_max = SYNC_BATCH_BYTES_MAX;
    world.config.adoption_interval_ms = SYNC_ADOPTION_INTERVAL_MS;
    world.config.housekeeping_interval_ms = SYNC_HOUSEKEEPING_INTERVAL_MS;
    world.options = (struct sync_consumer_options){.config = &world.config,
                                                   .processor = processor,
                                                   .route = TO_ALTINN3,
                                                   .topics = world.topics};
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sync_decoder_free(&world.decoder);
    sync_schema_set_free(&world.schemas);
    free(world.topics);
    free(world.record_memory);
    own_stop();
    return 0;
}

static void make_applier(void)
{
    c->apply.applier = (struct sync_applier){.db = c->apply.db,
                                             .processor = processor,
                                             .store = sync_store_find(processor->store),
                                             .route = TO_ALTINN3,
                                             .scope = c->scope,
                                             .topics = world.topics,
                                             .decoder = world.decoder,
                                             .decision_mode = 2,
                                             .keep_parked_bytes = true};
    c->apply.housekeeping = (struct sync_housekeeping){.applier = &c->apply.applier,
                                                       .arena = &c->apply.arena,
                                                       .outbox_keep_days = 14,
                                                       .decision_keep_days = 14,
                                                       .echo_keep_s = 86400};
}

/* The owner row of a fresh place, claimed by us. */
static void claim(void)
{
    struct sync_place place = consumer_place(c, PARTITION);
    struct sync_owner owner = {0};
    must(sync_claim_partition(c->apply.db, &place, 0, "test", &owner, &own.err));
    c->apply.places[PARTITION] = (struct consumer_partition){.state = PARTITION_OWNED,
                                                             .epoch = owner.epoch,
                                                             .position = owner.position,
                                                             .high = -1,
                                                             .hinted = -1,
                                                             .refused_offset = -1,
                                                             .records_max = SYNC_BATCH_RECORDS_MAX};
}

static int set_up(void **state)
{
    (void)state;
    if (!own.usable) {
        return 0;
    }
    run_sql(
        "TRUNCATE sync.partition_owner, sync.outcome_count, sync.hold, sync.parked, sync.outbox,"
        " sync.correspondence, sync.correspondence_fact, sync.decision, sync.pause,"
        " sync.yield,"
        " correspondence.\"Correspondences\" CASCADE");
    c = calloc(1, sizeof *c);
    c->options = &world.options;
    c->config = &world.config;
    c->scope = TO_ALTINN3->name;
    c->route = TO_ALTINN3;
    c->place_end = sync_kafka_place(1, 0);
    next_offset = 0;
    struct sync_ring_options ring = {.bytes_max = 8 << 20};
    must(sync_wake_init(&c->apply_wake, &own.err));
    must(sync_wake_init(&c->poll_wake, &own.err));
    must(sync_ring_new(&ring, &c->records, &own.err));
    must(sync_ring_new(&ring, &c->events, &own.err));
    must(sync_ring_new(&ring, &c->commands, &own.err));
    c->apply.db = own_open(own.dsn);
    c->apply.items = calloc(SYNC_BATCH_RECORDS_MAX, sizeof *c->apply.items);
    sync_arena_init(&c->apply.arena, malloc(SYNC_BATCH_ARENA_BYTES), SYNC_BATCH_ARENA_BYTES);
    c->apply.generation = 1;
    make_applier();
    claim();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (!own.usable) {
        return 0;
    }
    sync_ring_free(&c->records);
    sync_ring_free(&c->events);
    sync_ring_free(&c->commands);
    sync_wake_done(&c->apply_wake);
    sync_wake_done(&c->poll_wake);
    sync_db_free(&c->apply.db);
    free(c->apply.items);
    free(c->apply.arena.memory);
    free(c);
    return 0;
}

/* Records and messages ------------------------------------------------------------------------ */

static struct sync_uuid message_uuid(int32_t id)
{
    struct sync_uuid uuid = {{0xa3}};
    for (int i = 0; i < 4; i++) {
        uuid.bytes[12 + i] = (uint8_t)((uint32_t)id >> (8 * (3 - i)));
    }
    return uuid;
}

/* Altinn 3 inserts a message by itself, with its contents. */
static void insert_message(int32_t id)
{
    char text[SYNC_UUID_BUFFER];
    struct sync_uuid uuid = message_uuid(id);
    sync_uuid_format(&uuid, text);
    run_sql("BEGIN; INSERT INTO correspondence.\"Correspondences\" (\"Id\","
            " \"Altinn2CorrespondenceId\", \"ResourceId\", \"Recipient\", \"Sender\","
            " \"SendersReference\", \"PartyId\", \"Created\", \"RequestedPublishTime\","
            " \"IsMigrating\", \"IsConfirmationNeeded\", \"PropertyList\") VALUES ('%s', %d, 'r',"
            " 'urn:x:1', 's', 'ref', 50001, now(), now(), false, true, '');"
            " INSERT INTO correspondence.\"CorrespondenceContents\" VALUES (gen_random_uuid(),"
            " '%s', 'nb', 't', '', ''); COMMIT",
            text, (int)id, text);
}

/* A record as the poll thread puts it into the ring. */
static void put(int32_t id, int32_t kind, int64_t at_us)
{
    char key[16];
    struct sync_bytes value = {NULL, 0};
    const struct sync_schema *schema = sync_schema_set_find(world.schemas, processor->schema);
    struct status_change change = {.source = {.stream = sync_bytes_text("test")},
                                   .has_altinn2_id = true,
                                   .altinn2_id = id,
                                   .mode = STATUS_LIVE,
                                   .captured_at_us = at_us,
                                   .kind = kind,
                                   .occurred_at_us = at_us,
                                   .party = P};
    change.source.sequence = next_offset;
    sync_arena_reset(&world.records_arena, 0);
    must(sync_encode(schema, processor, &change, &world.records_arena, &value, &own.err));
    (void)snprintf(key, sizeof key, "%d", (int)id);
    struct consumer_record record = {.generation = 1,
                                     .place = PARTITION,
                                     .offset = next_offset++,
                                     .timestamp_ms = at_us / 1000 + 1,
                                     .append_time = true,
                                     .key_size = (uint32_t)strlen(key),
                                     .value_size = (uint32_t)value.size};
    uint8_t *memory =
        sync_ring_reserve(c->records, sizeof record + record.key_size + record.value_size);
    assert_non_null(memory);
    memcpy(memory, &record, sizeof record);
    memcpy(memory + sizeof record, key, record.key_size);
    memcpy(memory + sizeof record + record.key_size, value.data, value.size);
    sync_ring_commit(c->records);
}

/* As often as the loop would, without its waits, at most so often. */
static void apply_all(int turns)
{
    for (int i = 0; i < turns && sync_ring_items(c->records) > 0; i++) {
        c->apply.retry_at_us = 0;
        (void)consumer_next_batch(c, sync_clock_monotonic_us());
        if (atomic_load(&c->failed)) {
            fail_msg("the consumer gave up: %s", c->failure.text);
        }
    }
}

/* Turns of the sweep until it has nothing more to do at once. */
static void sweep_until_done(void)
{
    for (int i = 0; i < 100; i++) {
        c->apply.retry_at_us = 0;
        if (consumer_adopt(c)) {
            return;
        }
    }
    fail_msg("the sweep does not end");
}

static int64_t count_of(int outcome)
{
    return ask("SELECT coalesce(sum(n), 0)::int8 FROM sync.outcome_count WHERE outcome = %d",
               outcome);
}

/* Conservation: what was consumed has one outcome each. */
static void assert_accounted(void)
{
    assert_int_equal(ask("SELECT sum(position - first_position)::int8 FROM sync.partition_owner"),
                     ask("SELECT coalesce(sum(n), 0)::int8 FROM sync.outcome_count"));
    assert_int_equal(count_of(HELD), ask("SELECT count(*) FROM sync.hold"));
}

static void apply_when_full(bool last)
{
    if (last || sync_ring_items(c->records) == SYNC_BATCH_RECORDS_MAX) {
        apply_all(100);
        assert_int_equal(sync_ring_items(c->records), 0);
    }
}

static void hold_many(int32_t id, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        put(id, STATUS_READ, NINE + i * SECOND);
        apply_when_full(i == count - 1);
    }
}

/* Release ------------------------------------------------------------------------------------- */

/* The application inserts a message for which as many records wait as one message may have. */
static void a_message_with_the_most_held_records_is_released(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    hold_many(9001, SYNC_HELD_PER_KEY_MAX);
    assert_int_equal(count_of(HELD), SYNC_HELD_PER_KEY_MAX);
    insert_message(9001);
    sweep_until_done();
    assert_int_equal(count_of(HELD), 0);
    assert_int_equal(count_of(APPLIED), SYNC_HELD_PER_KEY_MAX);
    assert_int_equal(ask("SELECT count(*) FROM sync.correspondence_fact"), SYNC_HELD_PER_KEY_MAX);
    assert_accounted();
}

/* What lies beyond the limit of holding is parked, and is released all the same. */
static void what_is_beyond_the_limit_of_holding_is_released_too(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    hold_many(9001, SYNC_HELD_PER_KEY_MAX);
    for (int i = 0; i < 2500; i++) {
        put(9001, STATUS_CONFIRMED, NINE + i * SECOND);
        apply_when_full(i == 2499);
    }
    assert_int_equal(count_of(PARKED), 2500);
    insert_message(9001);
    sweep_until_done();
    assert_int_equal(count_of(HELD), 0);
    assert_int_equal(count_of(PARKED), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.correspondence_fact"),
                     SYNC_HELD_PER_KEY_MAX + 2500);
    assert_accounted();
}

/* Their records do not fit into one transaction: fewer messages at a time. */
static void many_messages_at_once_are_released_in_parts(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    for (int id = 9001; id <= 9020; id++) {
        hold_many(id, 300);
    }
    for (int id = 9001; id <= 9020; id++) {
        insert_message(id);
    }
    sweep_until_done();
    assert_int_equal(count_of(HELD), 0);
    assert_int_equal(count_of(APPLIED), 20 * 300);
    assert_accounted();
}

/* A server that needs 4 ms for each fact: of 600 records 150 fit into the time of a transaction. */
static void make_facts_slow(void)
{
    run_sql("CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
            "  PERFORM pg_sleep(0.004 * (SELECT count(*) FROM facts)); RETURN NULL; END';"
            "CREATE TRIGGER slow AFTER INSERT ON sync.correspondence_fact"
            " REFERENCING NEW TABLE AS facts FOR EACH STATEMENT EXECUTE FUNCTION public.slow()");
}

static void make_facts_fast(void)
{
    run_sql("DROP FUNCTION IF EXISTS public.slow() CASCADE");
}

static void a_release_that_takes_too_long_is_made_smaller(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    hold_many(9001, 600);
    insert_message(9001);
    make_facts_slow();
    sweep_until_done();
    make_facts_fast();
    assert_int_equal(count_of(HELD), 0);
    assert_int_equal(count_of(APPLIED), 600);
    assert_accounted();
}

/* The next record of the message adopts it, and would wait for ever for its own release. */
static void a_record_whose_release_takes_too_long_releases_less(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    hold_many(9001, 600);
    insert_message(9001);
    make_facts_slow();
    put(9001, STATUS_CONFIRMED, NINE);
    apply_all(20);
    make_facts_fast();
    assert_int_equal(sync_ring_items(c->records), 0);
    assert_true(count_of(HELD) < 600);
    assert_accounted();
}

/* The next records of the messages adopt them, before a sweep does. */
static void a_batch_that_adopts_too_much_is_made_smaller(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    for (int id = 9001; id <= 9010; id++) {
        hold_many(id, 300);
    }
    for (int id = 9001; id <= 9010; id++) {
        insert_message(id);
        put(id, STATUS_CONFIRMED, NINE);
    }
    apply_all(100);
    assert_int_equal(sync_ring_items(c->records), 0);
    assert_int_equal(count_of(HELD), 0);
    assert_int_equal(count_of(APPLIED), 10 * 301);
    assert_accounted();
}

/* Parked for its age, nothing held any more: the message that comes late still gets it. */
static void what_was_parked_for_its_age_is_released_by_the_sweep(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(9001, STATUS_PURGED_BY_OWNER, NINE);
    apply_all(10);
    run_sql("UPDATE sync.hold SET since = now() - interval '2 days'");
    sweep_until_done();
    assert_int_equal(count_of(HELD), 0);
    assert_int_equal(count_of(PARKED), 1);
    insert_message(9001);
    sweep_until_done();
    assert_int_equal(count_of(PARKED), 0);
    assert_int_equal(count_of(APPLIED), 1);
    assert_int_equal(ask("SELECT count(*) FROM sync.correspondence WHERE is_purged"), 1);
    assert_accounted();
}

/* One message cannot be adopted, because its id in Altinn 3 belongs to another one here. */
static void an_adoption_at_fault_keeps_no_other_and_no_ageing_waiting(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    char text[SYNC_UUID_BUFFER];
    struct sync_uuid uuid = message_uuid(9002);
    sync_uuid_format(&uuid, text);
    for (int id = 9000; id <= 9004; id++) {
        put(id, STATUS_READ, NINE);
    }
    apply_all(10);
    run_sql("UPDATE sync.hold SET since = now() - interval '2 days' WHERE entity_key = '9000'");
    for (int id = 9001; id <= 9004; id++) {
        insert_message(id);
    }
    run_sql("INSERT INTO sync.correspondence (altinn2_id, mapping, altinn3_id) VALUES (5, 2, '%s')",
            text);
    sweep_until_done();
    assert_int_equal(c->apply.retry_at_us, 0); /* batches do not wait for it */
    assert_int_equal(count_of(APPLIED), 3);
    assert_int_equal(count_of(PARKED), 1);
    assert_int_equal(count_of(HELD), 1);
    assert_int_equal(ask("SELECT count(*) FROM sync.hold WHERE entity_key = '9002'"), 1);
    assert_accounted();
}

/* Refusals ------------------------------------------------------------------------------------ */

/* More than the memory holds is tried in halves; nothing is parked for it. */
static void a_batch_that_does_not_fit_is_halved(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(9001);
    c->apply.arena.capacity = 1 << 20;
    for (int i = 0; i < 1000; i++) {
        put(9001, STATUS_READ, NINE + i * SECOND);
    }
    apply_all(100);
    assert_int_equal(sync_ring_items(c->records), 0);
    assert_int_equal(count_of(APPLIED), 1000);
    assert_accounted();
}

/* One record that does not fit by itself is parked; the process lives and the next ones go on. */
static void a_record_that_does_not_fit_alone_is_parked(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(9001);
    c->apply.arena.capacity = 24 << 10; /* enough to park, not to decide */
    put(9001, STATUS_READ, NINE);
    apply_all(10);
    assert_int_equal(sync_ring_items(c->records), 0);
    assert_int_equal(count_of(PARKED), 1);
    assert_int_equal(ask("SELECT count(*) FROM sync.parked WHERE code = 'memory_limit'"), 1);
    c->apply.arena.capacity = SYNC_BATCH_ARENA_BYTES;
    put(9001, STATUS_READ, NINE);
    apply_all(10);
    assert_int_equal(count_of(APPLIED), 1);
    assert_accounted();
}

/* The server's words are cut in the middle of a character: parking must not be refused for them. */
static void a_refusal_in_any_language_is_parked(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(9001);
    run_sql("CREATE FUNCTION sync.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.kind = 6 THEN RAISE EXCEPTION '%%',"
            " repeat('x', NEW.second::int %% 4) || repeat('æ€', 200) USING ERRCODE = '23000';"
            " END IF; RETURN NEW; END $$;"
            " CREATE TRIGGER refuse BEFORE INSERT ON sync.correspondence_fact"
            " FOR EACH ROW EXECUTE FUNCTION sync.refuse()");
    for (int i = 0; i < 8; i++) {
        put(9001, i % 2 == 0 ? STATUS_READ : STATUS_CONFIRMED, NINE + i / 2 * SECOND);
    }
    apply_all(200);
    run_sql("DROP FUNCTION sync.refuse() CASCADE");
    assert_int_equal(sync_ring_items(c->records), 0);
    assert_int_equal(count_of(APPLIED), 4);
    assert_int_equal(count_of(PARKED), 4);
    assert_accounted();
}

/* Refuses rows of one kind with a key that is not there; all, or the first so many. */
static void refuse_key(int32_t kind, int times)
{
    run_sql("CREATE SEQUENCE sync.refused; CREATE FUNCTION sync.refuse() RETURNS trigger"
            " LANGUAGE plpgsql AS $$ BEGIN IF NEW.\"Status\" = %d THEN"
            " IF nextval('sync.refused') <= %d THEN RAISE EXCEPTION 'no such key' USING"
            " ERRCODE = '23503'; END IF; END IF; RETURN NEW; END $$;"
            " CREATE TRIGGER refuse BEFORE INSERT ON correspondence.\"CorrespondenceStatuses\""
            " FOR EACH ROW EXECUTE FUNCTION sync.refuse()",
            (int)kind, times);
}

static void refuse_no_key(void)
{
    run_sql("DROP FUNCTION sync.refuse() CASCADE; DROP SEQUENCE sync.refused");
}

/* Without a wait for others: the time of a retry is not looked at. */
static void apply_at_once(int turns)
{
    for (int i = 0; i < turns && sync_ring_items(c->records) > 0; i++) {
        (void)consumer_next_batch(c, sync_clock_monotonic_us());
    }
}

static void a_row_that_is_gone_for_good_parks_its_record_and_no_neighbour_waits(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(9001);
    refuse_key(STATUS_CONFIRMED, 1 << 30);
    for (int i = 0; i < 8; i++) {
        put(9001, i == 5 ? STATUS_CONFIRMED : STATUS_READ, NINE + i * SECOND);
    }
    apply_at_once(50);
    refuse_no_key();
    assert_int_equal(sync_ring_items(c->records), 0);
    assert_int_equal(count_of(APPLIED), 7);
    assert_int_equal(count_of(PARKED), 1);
    assert_int_equal(ask("SELECT record_offset FROM sync.parked WHERE code = 'db_row_gone'"
                         " AND reason LIKE '%%no such key%%'"),
                     5);
    assert_accounted();
}

/* The application deletes rows now and then: what is decided anew goes through. */
static void a_row_that_was_deleted_just_now_parks_nothing(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(9001);
    refuse_key(STATUS_CONFIRMED, SYNC_ROW_GONE_TRIES_MAX - 1);
    put(9001, STATUS_CONFIRMED, NINE);
    apply_at_once(SYNC_ROW_GONE_TRIES_MAX + 1);
    refuse_no_key();
    assert_int_equal(count_of(APPLIED), 1);
    assert_int_equal(count_of(PARKED), 0);
    refuse_key(STATUS_CONFIRMED, SYNC_ROW_GONE_TRIES_MAX - 1); /* the tries before are forgotten */
    put(9001, STATUS_CONFIRMED, NINE + SECOND);
    apply_at_once(SYNC_ROW_GONE_TRIES_MAX + 1);
    refuse_no_key();
    assert_int_equal(count_of(APPLIED), 2);
    assert_accounted();
}

/* Housekeeping makes the partition of the day; a record is not at fault when it is missing. */
static void a_missing_day_of_the_decision_log_parks_nothing(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(9001);
    run_sql("DO $$ BEGIN EXECUTE format('DROP TABLE sync.decision_%%s',"
            " to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')); END $$");
    c->apply.housekeeping_at_us = INT64_MAX;
    put(9001, STATUS_READ, NINE);
    put(9001, STATUS_CONFIRMED, NINE);
    apply_all(3);
    assert_int_equal(count_of(PARKED), 0);
    c->apply.retry_at_us = 0;
    consumer_sweep(c, sync_clock_monotonic_us());
    apply_all(10);
    assert_int_equal(count_of(APPLIED), 2);
    assert_int_equal(count_of(PARKED), 0);
    assert_accounted();
}

/* In doubt ------------------------------------------------------------------------------------ */

/* The commit of the next batch is in doubt; behind the scenes it was done, or it was not. */
static void doubt(void)
{
    assert_true(consumer_pick(c));
    const struct consumer_record *last = c->apply.items[c->apply.item_count - 1];
    c->apply.batch = (struct sync_batch){.processor = processor,
                                         .route = TO_ALTINN3,
                                         .scope = c->scope,
                                         .topic = TO_ALTINN3->inputs[0].topic,
                                         .partition = PARTITION,
                                         .arena = &c->apply.arena,
                                         .record_count = c->apply.item_count};
    c->apply.batch.records =
        sync_arena_take_array(&c->apply.arena, c->apply.item_count, sizeof *c->apply.batch.records);
    for (size_t i = 0; i < c->apply.item_count; i++) {
        const struct consumer_record *record = c->apply.items[i];
        c->apply.batch.records[i] = (struct sync_record){
            .offset = record->offset, .route = TO_ALTINN3, .fold = {.rule = "CS-28"}};
    }
    c->apply.doubt = (struct consumer_doubt){.open = true,
                                             .place = PARTITION,
                                             .generation = 1,
                                             .epoch = c->apply.places[PARTITION].epoch,
                                             .last = last->offset};
}

static void a_commit_in_doubt_that_was_done_is_not_repeated(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(9001, STATUS_READ, NINE);
    put(9001, STATUS_CONFIRMED, NINE);
    doubt();
    run_sql("UPDATE sync.partition_owner SET position = 2");
    consumer_settle_doubt(c, sync_clock_monotonic_us());
    assert_false(c->apply.doubt.open);
    assert_int_equal(sync_ring_items(c->records), 0);
    assert_int_equal(c->apply.places[PARTITION].position, 2);
}

static void a_commit_in_doubt_that_was_not_done_is_repeated_with_fewer_records(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(9001);
    for (int i = 0; i < 4; i++) {
        put(9001, STATUS_READ, NINE + i * SECOND);
    }
    doubt();
    consumer_settle_doubt(c, sync_clock_monotonic_us());
    assert_false(c->apply.doubt.open);
    assert_int_equal(sync_ring_items(c->records), 4);
    assert_int_equal(c->apply.places[PARTITION].records_max, 2);
    apply_all(10);
    assert_int_equal(count_of(APPLIED), 4);
    assert_accounted();
}

static void a_commit_in_doubt_of_a_fenced_partition_drops_it(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(9001, STATUS_READ, NINE);
    doubt();
    run_sql("UPDATE sync.partition_owner SET epoch = epoch + 1, position = 1");
    consumer_settle_doubt(c, sync_clock_monotonic_us());
    assert_false(c->apply.doubt.open);
    assert_int_equal(c->apply.places[PARTITION].state, PARTITION_FENCED);
    apply_all(10);
    assert_int_equal(sync_ring_items(c->records), 0); /* dropped, not applied */
    assert_int_equal(ask("SELECT count(*) FROM sync.hold"), 0);
}

/* The old session still holds the row: nobody knows yet, and nothing is given up. */
static void a_commit_in_doubt_stays_so_while_the_database_is_away(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    put(9001, STATUS_READ, NINE);
    doubt();
    sync_db_free(&c->apply.db);
    struct sync_db_options nowhere = {.dsn = "postgresql://nobody@127.0.0.1:1/none"};
    must(sync_db_new(&nowhere, &c->apply.db, &own.err));
    consumer_settle_doubt(c, sync_clock_monotonic_us());
    assert_true(c->apply.doubt.open);
    assert_true(c->apply.breaker.open);
    assert_int_equal(c->apply.item_count, 1);
    assert_false(consumer_next_batch(c, sync_clock_monotonic_us()));
}

/* Pause --------------------------------------------------------------------------------------- */

static void look_at_pause(void)
{
    c->apply.pause_look_at_us = 0;
    consumer_pause_look(c, sync_clock_monotonic_us());
}

/* What the poll thread was told last: reading or not. */
static bool is_reading_paused(void)
{
    size_t size = 0;
    bool told = false;
    struct consumer_command *command = sync_ring_next(c->commands, NULL, &size);
    for (; command != NULL; command = sync_ring_next(c->commands, NULL, &size)) {
        told = command->type == COMMAND_PAUSE || (told && command->type != COMMAND_RESUME);
        sync_ring_release(c->commands, command);
    }
    return told;
}

static void a_paused_consumer_applies_and_adopts_nothing_and_keeps_its_partitions(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    hold_many(9001, 1);
    insert_message(9001);
    put(9002, STATUS_READ, NINE);
    int64_t epoch = c->apply.places[PARTITION].epoch;
    run_sql("INSERT INTO sync.pause VALUES ('%s', 'the bridge is rebuilt', 'test', now())",
            c->scope);
    look_at_pause();
    assert_true(c->apply.paused);
    assert_true(is_reading_paused());
    assert_false(consumer_next_batch(c, sync_clock_monotonic_us()));
    c->apply.housekeeping_at_us = c->apply.sweep_at_us = 0;
    consumer_sweep(c, sync_clock_monotonic_us());
    assert_int_equal(count_of(HELD), 1);
    assert_int_equal(count_of(APPLIED), 0);
    assert_int_equal(c->apply.places[PARTITION].state, PARTITION_OWNED);
    run_sql("DELETE FROM sync.pause");
    look_at_pause();
    assert_false(c->apply.paused);
    assert_false(is_reading_paused());
    apply_all(10);
    c->apply.sweep_at_us = 0;
    sweep_until_done();
    assert_int_equal(count_of(APPLIED), 1); /* of 9001; 9002 is held */
    assert_int_equal(count_of(HELD), 1);
    assert_int_equal(ask("SELECT epoch FROM sync.partition_owner"), epoch);
    assert_accounted();
}

/* The database comes back while an operator has it paused: reading stays paused. */
static void the_end_of_an_outage_does_not_end_a_pause(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql("INSERT INTO sync.pause VALUES ('%s', 'x', 'test', now())", c->scope);
    c->apply.breaker.open = true;
    consumer_reading(c);
    assert_true(is_reading_paused());
    c->apply.breaker.open = false;
    look_at_pause();
    consumer_reading(c);
    assert_true(c->apply.reading_paused);
    run_sql("DELETE FROM sync.pause");
    look_at_pause();
    assert_false(c->apply.reading_paused);
}

/* Another consumer is paused: that is not us. While the switch cannot be read, nothing is applied.
 */
static void only_the_own_switch_counts_and_an_unknown_one_stops(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql("INSERT INTO sync.pause VALUES ('status-to-altinn2', 'x', 'test', now())");
    look_at_pause();
    assert_false(c->apply.paused);
    run_sql("DELETE FROM sync.pause; ALTER TABLE sync.pause RENAME TO pause_away");
    put(9001, STATUS_READ, NINE);
    look_at_pause();
    run_sql("ALTER TABLE sync.pause_away RENAME TO pause");
    assert_int_equal(atomic_load(&c->failed), 1); /* the tables are not those of this program */
    assert_int_equal(count_of(HELD), 0);
}

/* Giving way ---------------------------------------------------------------------------------- */

/* The other direction stands for the live route; its one partition is read up to position. */
static void give_way_to(const struct sync_route *live, int64_t position)
{
    struct sync_ring_options ring = {.bytes_max = SYNC_YIELD_RING_BYTES};
    c->yield.live = live;
    c->yield.records = SYNC_YIELD_RECORDS_FIRST;
    c->yield.place_end = sync_kafka_place(1, 0);
    c->yield.partitions[0] = 8;
    must(sync_ring_new(&ring, &c->yield.marks, &own.err));
    run_sql("INSERT INTO sync.partition_owner (scope, topic, partition, epoch, position,"
            " first_position, holder, claimed_at) VALUES ('%s', '%s', 3, 1, %lld, 0, 'x', now())",
            live->name, live->inputs[0].topic, (long long)position);
}

/* What the thread saw some seconds ago. */
static void see_end(int64_t end, int64_t seconds_ago)
{
    static struct sync_yield_marks marks;
    marks.at_us = sync_clock_monotonic_us() - seconds_ago * SECOND;
    marks.ends[3] = end;
    assert_true(sync_ring_put(c->yield.marks, &marks, sizeof marks));
}

static void look_at_live(void)
{
    c->yield.look_at_us = 0;
    consumer_yield_look(c, sync_clock_monotonic_us());
}

static void a_backlog_rests_while_live_is_behind_and_says_so(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    const struct sync_route *live = &processor->routes[1];
    give_way_to(live, 100);
    hold_many(9001, 1);
    insert_message(9001);
    put(9002, STATUS_READ, NINE);
    see_end(101, 6);
    look_at_live();
    assert_true(consumer_yields(c, sync_clock_monotonic_us()));
    assert_false(consumer_next_batch(c, sync_clock_monotonic_us()));
    c->apply.housekeeping_at_us = c->apply.sweep_at_us = 0;
    consumer_sweep(c, sync_clock_monotonic_us());
    assert_int_equal(count_of(HELD), 1);
    assert_int_equal(count_of(APPLIED), 0);
    assert_false(is_reading_paused()); /* the ring fills; a pause would throw the queue away */
    assert_int_equal(ask("SELECT count(*) FROM sync.yield WHERE scope = '%s' AND yields_to = '%s'"
                         " AND reason = 'live_behind'",
                         c->scope, live->name),
                     1);
    run_sql("UPDATE sync.partition_owner SET position = 101 WHERE scope = '%s'", live->name);
    look_at_live();
    assert_false(consumer_yields(c, sync_clock_monotonic_us()));
    assert_int_equal(ask("SELECT count(*) FROM sync.yield"), 0);
    apply_all(10);
    c->apply.sweep_at_us = 0;
    sweep_until_done();
    assert_int_equal(count_of(APPLIED), 1); /* of 9001; 9002 is held */
    assert_int_equal(count_of(HELD), 1);
    sync_ring_free(&c->yield.marks);
}

/* One slow batch: a rest; then one is tried, and its time decides. */
static void a_backlog_whose_batches_are_slow_tries_one_after_each_rest(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    give_way_to(&processor->routes[1], 100);
    insert_message(9001);
    put(9001, STATUS_READ, NINE);
    consumer_yield_batch(c, 3 * SECOND, true);
    int64_t now_us = sync_clock_monotonic_us();
    assert_true(consumer_yields(c, now_us));
    assert_false(consumer_next_batch(c, now_us));
    look_at_live();
    assert_int_equal(ask("SELECT count(*) FROM sync.yield WHERE reason = 'batches_slow'"), 1);
    now_us += SYNC_YIELD_REST_MS * 1000LL + SECOND;
    assert_false(consumer_yields(c, now_us));
    assert_true(consumer_next_batch(c, now_us));
    look_at_live(); /* it was quick */
    assert_false(c->yield.state.batches_slow);
    assert_int_equal(ask("SELECT count(*) FROM sync.yield"), 0);
    sync_ring_free(&c->yield.marks);
}

/* Beside a live route that moves batches are short; they grow once it has been quiet. */
static void a_backlog_beside_live_keeps_its_batches_short(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    const struct sync_route *live = &processor->routes[1];
    give_way_to(live, 100);
    c->yield.records = 400;
    look_at_live();
    consumer_yield_batch(c, 300 * 1000, true);
    assert_int_equal(consumer_yield_records(c), 200);
    c->apply.item_count = 100; /* not full: says nothing of a larger one */
    consumer_yield_batch(c, 10 * 1000, true);
    assert_int_equal(consumer_yield_records(c), 200);
    c->apply.item_count = 200;
    consumer_yield_batch(c, 10 * 1000, false); /* a refusal is quick */
    assert_int_equal(consumer_yield_records(c), 200);
    c->yield.moved_at_us -= SYNC_YIELD_QUIET_MS * 1000LL;
    look_at_live();
    c->apply.item_count = 200;
    consumer_yield_batch(c, 300 * 1000, true);
    assert_int_equal(consumer_yield_records(c), 400);
    run_sql("UPDATE sync.partition_owner SET position = 101 WHERE scope = '%s'", live->name);
    look_at_live();
    c->apply.item_count = 400;
    consumer_yield_batch(c, 300 * 1000, true);
    assert_int_equal(consumer_yield_records(c), 200);
    c->yield.records = 1;
    put(9001, STATUS_READ, NINE);
    put(9001, STATUS_CONFIRMED, NINE);
    assert_true(consumer_next_batch(c, sync_clock_monotonic_us()));
    assert_int_equal(count_of(HELD), 1);
    sync_ring_free(&c->yield.marks);
}

/* Days ---------------------------------------------------------------------------------------- */

static void *make_days(void *context)
{
    struct sync_error *err = context;
    struct sync_applier applier = {.db = own_open(own.dsn)};
    struct sync_arena arena;
    uint8_t memory[1024];
    sync_arena_init(&arena, memory, sizeof memory);
    struct sync_housekeeping h = {.applier = &applier, .arena = &arena, .decision_keep_days = 14};
    (void)sync_housekeeping_days(&h, err);
    sync_db_free(&applier.db);
    return NULL;
}

/* All processes do it in the first minute of the day; one makes the table, the other finds it. */
static void two_processes_make_the_day_at_once(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct sync_error errors[2] = {{0}, {0}};
    pthread_t threads[2];
    run_sql("DO $$ BEGIN EXECUTE format('DROP TABLE sync.decision_%%s',"
            " to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')); END $$");
    run_sql("BEGIN; LOCK TABLE sync.decision IN ROW EXCLUSIVE MODE"); /* so that both get there */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_days, &errors[i]), 0);
    }
    run_sql("DO $$ BEGIN FOR i IN 1..80 LOOP EXIT WHEN (SELECT count(*) = 2 FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock');"
            " PERFORM pg_stat_clear_snapshot(); PERFORM pg_sleep(0.05); END LOOP; END $$; COMMIT");
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_string_equal(errors[i].text, "");
    }
    assert_int_equal(ask("SELECT count(*) FROM pg_class WHERE relname = 'decision_' ||"
                         " to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')"),
                     1);
}

/* Topics -------------------------------------------------------------------------------------- */

/* Whoever sees the new partitions first makes their rows for all who read the topic: what was
 * written to them before the next one looks is not skipped by "latest". */
static void partitions_that_a_topic_grew_by_start_at_0_for_every_consumer(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    must(sync_claim_topic(c->apply.db, TO_ALTINN3->inputs[0].topic, "cluster", 8, &own.err));
    run_sql("INSERT INTO sync.partition_owner (scope, topic, partition, epoch, position,"
            " first_position, holder, claimed_at) SELECT 'other', topic, partition, 3, 55, 50, 'x',"
            " now() FROM sync.partition_owner");
    must(sync_claim_topic(c->apply.db, TO_ALTINN3->inputs[0].topic, "cluster", 10, &own.err));
    assert_int_equal(ask("SELECT count(*) FROM sync.partition_owner WHERE partition IN (8, 9)"
                         " AND position = 0 AND first_position = 0 AND epoch = 0"),
                     4);
    struct sync_place place = {"other", TO_ALTINN3->inputs[0].topic, 9};
    bool exists = false;
    must(sync_claim_exists(c->apply.db, &place, &exists, &own.err));
    assert_true(exists);
    must(sync_claim_topic(c->apply.db, TO_ALTINN3->inputs[0].topic, "cluster", 10, &own.err));
    assert_int_equal(ask("SELECT count(*) FROM sync.partition_owner"), 6);
    run_sql("TRUNCATE sync.topic");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_message_with_the_most_held_records_is_released),
        CASE(what_is_beyond_the_limit_of_holding_is_released_too),
        CASE(many_messages_at_once_are_released_in_parts),
        CASE(a_release_that_takes_too_long_is_made_smaller),
        CASE(a_record_whose_release_takes_too_long_releases_less),
        CASE(a_batch_that_adopts_too_much_is_made_smaller),
        CASE(what_was_parked_for_its_age_is_released_by_the_sweep),
        CASE(an_adoption_at_fault_keeps_no_other_and_no_ageing_waiting),
        CASE(a_batch_that_does_not_fit_is_halved),
        CASE(a_record_that_does_not_fit_alone_is_parked),
        CASE(a_refusal_in_any_language_is_parked),
        CASE(a_row_that_is_gone_for_good_parks_its_record_and_no_neighbour_waits),
        CASE(a_row_that_was_deleted_just_now_parks_nothing),
        CASE(a_missing_day_of_the_decision_log_parks_nothing),
        CASE(a_commit_in_doubt_that_was_done_is_not_repeated),
        CASE(a_commit_in_doubt_that_was_not_done_is_repeated_with_fewer_records),
        CASE(a_commit_in_doubt_of_a_fenced_partition_drops_it),
        CASE(a_commit_in_doubt_stays_so_while_the_database_is_away),
        CASE(a_paused_consumer_applies_and_adopts_nothing_and_keeps_its_partitions),
        CASE(a_backlog_rests_while_live_is_behind_and_says_so),
        CASE(a_backlog_whose_batches_are_slow_tries_one_after_each_rest),
        CASE(a_backlog_beside_live_keeps_its_batches_short),
        CASE(the_end_of_an_outage_does_not_end_a_pause),
        CASE(only_the_own_switch_counts_and_an_unknown_one_stops),
        CASE(two_processes_make_the_day_at_once),
        CASE(partitions_that_a_topic_grew_by_start_at_0_for_every_consumer),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
