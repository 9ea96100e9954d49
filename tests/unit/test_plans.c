/*
 * Shows that plans of the day when the tables were small stay good: the statements of an apply
 * batch and of the send thread are prepared and used until the server keeps their plans, then the
 * tables are filled behind its back, and what one more batch and one more round read is counted.
 * Needs SYNC_TEST_DSN, as own_database.h says.
 */
#include "../../src/core/limits.h"
#include "../../src/runtime/apply.h"
#include "../../src/runtime/sender_lane.h"

#include "own_database.h"

#include <altinn_sync/correspondence_status.h>

#define NINE       (1741078800 * 1000000LL) /* 2025-03-04T09:00:00Z */
#define USES       8 /* from the sixth on the server may keep one plan for all parameters */
#define LAST       (2 * USES + 1)
#define ROWS       4000   /* of each table that grows */
#define FIRST      100000 /* id of the first row of those */
#define READ_MAX   200    /* rows read for one message, far below a table or a lane */
#define ARENA      (1024 * 1024)
#define PARTITIONS 48

extern const struct sync_store sync_store_correspondence;

static const struct sync_processor *const processor = &sync_processor_correspondence_status;
static const struct sync_uuid party = {{1}};

static struct {
    struct sync_schema_set *schemas;
    struct sync_decoder *decoder;
    struct sync_topics *topics;
    uint8_t *memory, *lane_memory;
    struct sync_arena arena, lane_arena;
    struct sync_db *send;
    struct sync_lane lane;
    struct sync_lane_partition mine[PARTITIONS];
    struct sync_lane_partitions partitions;
    int64_t offset;
} world;

/* Set-up -------------------------------------------------------------------------------------- */

/* Tables that the server has looked at while they held next to nothing. */
static void look_at_small_tables(void)
{
    run_sql(
        "DO $$ DECLARE t record; BEGIN FOR t IN SELECT schemaname s, relname r FROM"
        " pg_stat_user_tables WHERE schemaname IN ('sync', 'correspondence') LOOP"
        " BEGIN EXECUTE format('ALTER TABLE %%I.%%I SET (autovacuum_enabled = false)', t.s, t.r);"
        " EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$");
    run_sql("INSERT INTO sync.party VALUES ('01000000-0000-0000-0000-000000000000', 501);"
            "INSERT INTO sync.partition_owner SELECT 'status-to-altinn2',"
            " 'altinn3.correspondence-status.v1', n, 1, 0, 0, NULL, 'test', now()"
            " FROM generate_series(0, %d) n",
            PARTITIONS - 1);
    run_sql("VACUUM ANALYZE");
}

static int start(void **state)
{
    const char *paths[] = {SYNC_SOURCE_DIR "/topics.yaml"};
    (void)state;
    own_start("plans");
    if (!own.usable) {
        return 0;
    }
    must(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &world.schemas, &own.err));
    must(sync_decoder_new(world.schemas, processor, &world.decoder, &own.err));
    must(sync_topics_load(paths, 1, &world.topics, NULL, &own.err));
    world.memory = malloc(SYNC_BATCH_ARENA_BYTES);
    world.lane_memory = malloc(ARENA);
    assert_true(world.memory != NULL && world.lane_memory != NULL);
    sync_arena_init(&world.arena, world.memory, SYNC_BATCH_ARENA_BYTES);
    sync_arena_init(&world.lane_arena, world.lane_memory, ARENA);
    world.send = own_open(own.dsn);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        world.mine[i] = (struct sync_lane_partition){.partition = i, .epoch = 1};
    }
    world.partitions = (struct sync_lane_partitions){world.mine, PARTITIONS};
    world.lane = (struct sync_lane){.db = world.send,
                                    .store = sync_lane_store_find("correspondence", "altinn2"),
                                    .scope = processor->routes[1].name,
                                    .topic = processor->routes[1].inputs[0].topic,
                                    .target = "altinn2",
                                    .echo_expected_s = 3600,
                                    .arena = &world.lane_arena};
    look_at_small_tables();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sync_decoder_free(&world.decoder);
    sync_schema_set_free(&world.schemas);
    free(world.topics);
    free(world.memory);
    free(world.lane_memory);
    sync_db_free(&world.send);
    own_stop();
    return 0;
}

static struct sync_uuid message_uuid(int32_t id)
{
    char text[SYNC_UUID_BUFFER];
    struct sync_uuid uuid = {{0}};
    (void)snprintf(text, sizeof text, "a3000000-0000-4000-8000-%012d", (int)id);
    assert_true(sync_uuid_parse(sync_bytes_text(text), &uuid));
    return uuid;
}

static void insert_message(int32_t id)
{
    run_sql("BEGIN; INSERT INTO correspondence.\"Correspondences\" (\"Id\","
            " \"Altinn2CorrespondenceId\", \"ResourceId\", \"Recipient\", \"Sender\","
            " \"SendersReference\", \"PartyId\", \"Created\", \"RequestedPublishTime\","
            " \"IsMigrating\", \"IsConfirmationNeeded\", \"PropertyList\")"
            " VALUES ('a3000000-0000-4000-8000-%012d', %d, 'r', 'u', 's', 'x', 50001, now(), "
            "now(), false, true, '');"
            " INSERT INTO correspondence.\"CorrespondenceContents\" VALUES (gen_random_uuid(),"
            " 'a3000000-0000-4000-8000-%012d', 'nb', 't', '', ''); COMMIT",
            (int)id, (int)id, (int)id);
}

/* Of the same shape as what the batches leave, and all calls of it wait. */
static void fill_tables(void)
{
    run_sql("INSERT INTO correspondence.\"Correspondences\" (\"Id\", \"Altinn2CorrespondenceId\","
            " \"ResourceId\", \"Recipient\", \"Sender\", \"SendersReference\", \"PartyId\","
            " \"Created\", \"RequestedPublishTime\", \"IsMigrating\", \"IsConfirmationNeeded\","
            " \"PropertyList\") SELECT md5(n::text)::uuid, n, 'r', 'u', 's', 'x', 50001, now(),"
            " now(), false, true, '' FROM generate_series(%d, %d) n;"
            "INSERT INTO correspondence.\"CorrespondenceStatuses\" SELECT gen_random_uuid(),"
            " md5(n::text)::uuid, 4, 'x', now(), '01000000-0000-0000-0000-000000000000', NULL"
            " FROM generate_series(%d, %d) n",
            FIRST, FIRST + ROWS, FIRST, FIRST + ROWS);
    run_sql("INSERT INTO sync.correspondence (altinn2_id, mapping, altinn3_id, gate, a2_read)"
            " SELECT n, 2, md5(n::text)::uuid, 2, 1 FROM generate_series(%d, %d) n;"
            "INSERT INTO sync.correspondence_fact (altinn2_id, kind, mode, second, occurred_at_us,"
            " source_sequence, source_system, in_a2, in_a3, refused, party_uuid, source_stream)"
            " SELECT n, 4, 0, 1000, 1000000000, 1, 3, false, true, false,"
            " '01000000-0000-0000-0000-000000000000', 's' FROM generate_series(%d, %d) n;"
            "INSERT INTO sync.expected_echo SELECT gen_random_uuid(), n::text, 4, 1000,"
            " '01000000-0000-0000-0000-000000000000', now() FROM generate_series(%d, %d) n",
            FIRST, FIRST + ROWS, FIRST, FIRST + ROWS, FIRST, FIRST + ROWS);
    run_sql(
        "INSERT INTO sync.outbox (effect_id, name, target, scope, topic, partition, entity_key,"
        " state, not_before, body, created_at) SELECT md5('e' || n)::uuid, 'a2/read', 'altinn2',"
        " 'status-to-altinn2', 'altinn3.correspondence-status.v1', 0, n::text, 0,"
        " now() + interval '1 hour', '{}', now() FROM generate_series(%d, %d) n;"
        "INSERT INTO sync.party SELECT md5('p' || n)::uuid, n FROM generate_series(%d, %d) n",
        FIRST, FIRST + ROWS, FIRST, FIRST + ROWS);
}

/* Use ------------------------------------------------------------------------------------------ */

/* One act on a message, in a batch of its own. */
static void apply_one(const struct sync_route *route, int32_t id, int32_t kind)
{
    uint8_t bytes[2048];
    char text[16];
    struct sync_arena arena;
    struct sync_record record = {.offset = world.offset++, .timestamp_ms = NINE / 1000 + 1};
    struct status_change change = {
        .source = {.system = route == &processor->routes[1], .stream = sync_bytes_text("test")},
        .has_altinn2_id = true,
        .altinn2_id = id,
        .has_altinn3_id = true,
        .altinn3_id = message_uuid(id),
        .mode = STATUS_LIVE,
        .captured_at_us = NINE,
        .kind = kind,
        .occurred_at_us = NINE,
        .party = party};
    struct sync_applier applier = {.db = own.db,
                                   .processor = processor,
                                   .store = &sync_store_correspondence,
                                   .route = route,
                                   .scope = route->name,
                                   .topics = world.topics,
                                   .decoder = world.decoder};
    const struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_ALTINN3_MS};
    size_t lane_effects = 0;
    sync_arena_init(&arena, bytes, sizeof bytes);
    (void)snprintf(text, sizeof text, "%d", (int)id);
    record.key = sync_bytes_text(text);
    must(sync_encode(sync_schema_set_find(world.schemas, processor->schema), processor, &change,
                     &arena, &record.value, &own.err));
    sync_arena_reset(&world.arena, 0);
    struct sync_batch batch = {.processor = processor,
                               .route = route,
                               .scope = route->name,
                               .topic = route->inputs[0].topic,
                               .arena = &world.arena,
                               .records = &record,
                               .record_count = 1};
    sync_apply_intake(&applier, &batch);
    must(sync_txn_begin(own.db, &limits, &batch.now_us, &own.err));
    must(sync_apply_batch(&applier, &batch, NULL, 0, &lane_effects, &own.err));
    must(sync_txn_commit(own.db, &own.err));
    assert_int_equal(record.fold.outcome, SYNC_OUTCOME_APPLIED);
}

/* What the batches left to send goes the whole way. */
static void send_one(int32_t id)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%d", (int)id);
    struct sync_lane_key key = {.key = sync_bytes_text(text)};
    struct sync_lane_view view;
    struct sync_lane_taken taken;
    must(sync_lane_look(&world.lane, &world.partitions, NULL, 0, &view, &own.err));
    assert_int_equal(view.key_count, 1);
    key.partition = view.keys[0].partition;
    must(sync_lane_take(&world.lane, &world.partitions, &key, 1, false, &taken, &own.err));
    assert_int_equal(taken.count, 1);
    assert_int_equal(taken.items[0].effect.verdict, SYNC_LANE_SEND);
    struct sync_lane_item item = taken.items[0];
    char name[SYNC_EFFECT_NAME_MAX], body[SYNC_EFFECT_BODY_MAX];
    (void)snprintf(name, sizeof name, "%s", item.effect.name);
    memcpy(body, item.effect.body.data, item.effect.body.size);
    item.effect.name = name; /* the arena is the next round's */
    item.effect.body.data = (const uint8_t *)body;
    item.effect.ended = SYNC_LANE_DONE;
    must(sync_lane_finish(&world.lane, &world.partitions, &item, 1, &own.err));
    assert_false(item.more);
}

static void use_all(int32_t id)
{
    insert_message(id);
    apply_one(&processor->routes[0], id, STATUS_ARCHIVED);
    apply_one(&processor->routes[1], id, STATUS_CONFIRMED);
    send_one(id);
}

/* Rows that our sessions have read so far. */
static int64_t rows_read(void)
{
    tell_statistics(own.db);
    tell_statistics(world.send);
    tell_statistics(own.other);
    return ask("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int8 FROM"
               " pg_stat_user_tables WHERE schemaname IN ('sync', 'correspondence')");
}

static void plans_of_small_tables_read_no_large_table(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    for (int32_t id = 1; id < LAST; id++) {
        if (id == USES) {
            run_sql("VACUUM ANALYZE"); /* from here on the server knows how few rows there are */
        }
        use_all(id);
    }
    fill_tables();
    insert_message(LAST);
    int64_t before = rows_read();
    apply_one(&processor->routes[0], LAST, STATUS_ARCHIVED);
    apply_one(&processor->routes[1], LAST, STATUS_CONFIRMED);
    int64_t applied = rows_read() - before;
    send_one(LAST);
    int64_t sent = rows_read() - before - applied;
    print_message("read for two batches: %lld rows, for a round of the sender: %lld\n",
                  (long long)applied, (long long)sent);
    assert_in_range(applied, 1, READ_MAX);
    assert_in_range(sent, 1, READ_MAX);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE target = 'altinn2' AND state = 2"),
                     LAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_of_small_tables_read_no_large_table),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
