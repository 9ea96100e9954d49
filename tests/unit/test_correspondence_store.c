/*
 * Shows what the store of correspondence status reads and writes on a real PostgreSQL: records are
 * encoded, taken in and applied through the runtime's own batch, then the tables are read. Needs
 * SYNC_TEST_DSN, a superuser's DSN of a throw-away server; makes and drops a database of its own
 * there.
 */
#include "../../connectors/altinn3/correspondence_store.h"
#include "../../src/core/limits.h"
#include "../../src/runtime/apply.h"
#include "../../src/runtime/claim.h"
#include "../../src/runtime/clock.h"
#include "../../src/runtime/id.h"
#include "../../src/runtime/metrics.h"

#include "own_database.h"

#include <sys/wait.h>

#define SECOND  1000000LL
#define DAY     (86400 * SECOND)
#define NINE    (1741078800 * SECOND) /* 2025-03-04T09:00:00Z */
#define MANY    24                    /* more attachments than one list of effects holds */
#define A2TOPIC "altinn2.correspondence-status.v1"

extern const struct sync_store sync_store_correspondence;

static const struct sync_processor *const processor = &sync_processor_correspondence_status;
#define TO_ALTINN3 (&processor->routes[0])
#define TO_ALTINN2 (&processor->routes[1])

static struct {
    struct sync_schema_set *schemas;
    struct sync_decoder *decoder;
    struct sync_topics *topics;
    uint8_t *batch_memory, *record_memory;
    struct sync_arena arena, records_arena;
    int64_t offset[2];
    struct sync_record records[SYNC_BATCH_RECORDS_MAX];
    struct sync_batch batch; /* the last one; its memory lives until the next */
} world;

static const struct sync_uuid P = {{1}}, Q = {{2}};

/* Set-up -------------------------------------------------------------------------------------- */

static int start(void **state)
{
    const char *paths[] = {SYNC_SOURCE_DIR "/topics.yaml"};
    (void)state;
    own_start("store");
    if (!own.usable) {
        return 0;
    }
    must(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &world.schemas, &own.err));
    must(sync_decoder_new(world.schemas, processor, &world.decoder, &own.err));
    must(sync_topics_load(paths, 1, &world.topics, NULL, &own.err));
    world.batch_memory = malloc(SYNC_BATCH_ARENA_BYTES);
    world.record_memory = malloc(SYNC_BATCH_ARENA_BYTES);
    assert_true(world.batch_memory != NULL && world.record_memory != NULL);
    sync_arena_init(&world.arena, world.batch_memory, SYNC_BATCH_ARENA_BYTES);
    sync_arena_init(&world.records_arena, world.record_memory, SYNC_BATCH_ARENA_BYTES);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sync_decoder_free(&world.decoder);
    sync_schema_set_free(&world.schemas);
    free(world.topics);
    free(world.batch_memory);
    free(world.record_memory);
    own_stop();
    return 0;
}

/* Messages ------------------------------------------------------------------------------------- */

static struct sync_uuid message_uuid(int32_t id)
{
    struct sync_uuid uuid = {{0xa3}};
    for (int i = 0; i < 4; i++) {
        uuid.bytes[12 + i] = (uint8_t)((uint32_t)id >> (8 * (3 - i)));
    }
    return uuid;
}

static const char *uuid_text(const struct sync_uuid *uuid)
{
    static char texts[8][SYNC_UUID_BUFFER];
    static int next;
    char *text = texts[next++ % 8];
    sync_uuid_format(uuid, text);
    return text;
}

static const char *a3(int32_t id)
{
    struct sync_uuid uuid = message_uuid(id);
    return uuid_text(&uuid);
}

/* Altinn 3 inserts a message by itself, with its contents. */
static void insert_message(int32_t id, bool hidden)
{
    run_sql(
        "BEGIN; INSERT INTO correspondence.\"Correspondences\" (\"Id\", "
        "\"Altinn2CorrespondenceId\","
        " \"ResourceId\", \"Recipient\", \"Sender\", \"SendersReference\", \"PartyId\", "
        "\"Created\","
        " \"RequestedPublishTime\", \"IsMigrating\", \"IsConfirmationNeeded\", \"PropertyList\")"
        " VALUES ('%s', %d, 'r', 'urn:x:1', 's', 'ref', 50001, now(), now(), %s, true, '');"
        " INSERT INTO correspondence.\"CorrespondenceContents\" VALUES (gen_random_uuid(), '%s', "
        "'nb',"
        " 't', '', ''); COMMIT",
        a3(id), (int)id, hidden ? "true" : "false", a3(id));
}

static void insert_status(int32_t id, int kind, int64_t at_us, const struct sync_uuid *party)
{
    run_sql("INSERT INTO correspondence.\"CorrespondenceStatuses\" VALUES (gen_random_uuid(), "
            "'%s', %d, 'x',"
            " 'epoch'::timestamptz + %lld * interval '1 microsecond', '%s', NULL)",
            a3(id), kind, (long long)at_us, uuid_text(party));
}

static void attach(int32_t id, int number, int attachment)
{
    run_sql(
        "INSERT INTO correspondence.\"Attachments\" (\"Id\", \"ResourceId\", \"IsEncrypted\","
        " \"SendersReference\", \"Sender\", \"DataLocationType\", \"Created\") VALUES"
        " ('00000000-0000-4000-8000-%012d', 'r', false, 'x', 's', 0, now()) ON CONFLICT DO NOTHING;"
        "INSERT INTO correspondence.\"CorrespondenceAttachments\" SELECT gen_random_uuid(), \"Id\","
        " '00000000-0000-4000-8000-%012d', now() FROM correspondence.\"CorrespondenceContents\""
        " WHERE \"CorrespondenceId\" = '%s'",
        attachment + number, attachment + number, a3(id));
}

/* Records ------------------------------------------------------------------------------------- */

static struct status_change change_of(const struct sync_route *route, int32_t id, int32_t kind,
                                      int64_t at_us, const struct sync_uuid *party)
{
    bool from_a3 = route == TO_ALTINN2;
    return (struct status_change){.source = {.system = from_a3, .stream = sync_bytes_text("test")},
                                  .has_altinn2_id = true,
                                  .altinn2_id = id,
                                  .has_altinn3_id = from_a3,
                                  .altinn3_id = message_uuid(id),
                                  .mode = STATUS_LIVE,
                                  .captured_at_us = at_us,
                                  .kind = kind,
                                  .occurred_at_us = at_us,
                                  .party = *party};
}

static void make_record(const struct sync_route *route, struct status_change *change,
                        struct sync_record *ret_record)
{
    const struct sync_schema *schema = sync_schema_set_find(world.schemas, processor->schema);
    char key[16];
    int64_t *offset = &world.offset[route == TO_ALTINN2];
    change->source.sequence = *offset;
    *ret_record = (struct sync_record){.offset = (*offset)++,
                                       .timestamp_ms = change->occurred_at_us / 1000 + 1};
    (void)snprintf(key, sizeof key, "%d", (int)change->altinn2_id);
    ret_record->key = sync_arena_copy(&world.records_arena, sync_bytes_text(key));
    must(
        sync_encode(schema, processor, change, &world.records_arena, &ret_record->value, &own.err));
}

static struct sync_applier applier_of(const struct sync_route *route)
{
    return (struct sync_applier){.db = own.db,
                                 .processor = processor,
                                 .store = &sync_store_correspondence,
                                 .route = route,
                                 .scope = route->name,
                                 .topics = world.topics,
                                 .decoder = world.decoder,
                                 .keep_parked_bytes = true};
}

/* Applies world.records in one transaction, as the consumer does without its gate. */
static sync_status apply_records(const struct sync_route *route, size_t count,
                                 const struct sync_key *extra, size_t extra_count)
{
    struct sync_applier applier = applier_of(route);
    const struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_ALTINN3_MS};
    size_t lane_effects = 0;
    sync_arena_reset(&world.arena, 0);
    world.batch = (struct sync_batch){.processor = processor,
                                      .route = route,
                                      .scope = route->name,
                                      .topic = route->inputs[0].topic,
                                      .arena = &world.arena,
                                      .records = world.records,
                                      .record_count = count};
    sync_apply_intake(&applier, &world.batch);
    sync_status status = sync_txn_begin(own.db, &limits, &world.batch.now_us, &own.err);
    if (sync_is_ok(status)) {
        status =
            sync_apply_batch(&applier, &world.batch, extra, extra_count, &lane_effects, &own.err);
    }
    if (!sync_is_ok(status)) {
        sync_txn_rollback(own.db);
        return status;
    }
    return sync_txn_commit(own.db, &own.err);
}

static sync_status apply_changes(const struct sync_route *route, struct status_change *changes,
                                 size_t count)
{
    sync_arena_reset(&world.records_arena, 0);
    for (size_t i = 0; i < count; i++) {
        make_record(route, &changes[i], &world.records[i]);
    }
    return apply_records(route, count, NULL, 0);
}

static void expect_rule(size_t record, const char *rule)
{
    assert_string_equal(world.records[record].fold.rule, rule);
}

/* One change in a batch of its own, with the rule that decides it. */
static void one(struct status_change change, const char *rule)
{
    const struct sync_route *route = change.source.system == 1 ? TO_ALTINN2 : TO_ALTINN3;
    must(apply_changes(route, &change, 1));
    expect_rule(0, rule);
}

static void one_a2(int32_t id, int32_t kind, int64_t at_us, const struct sync_uuid *party,
                   const char *rule)
{
    one(change_of(TO_ALTINN3, id, kind, at_us, party), rule);
}

static void one_a3(int32_t id, int32_t kind, int64_t at_us, const struct sync_uuid *party,
                   const char *rule)
{
    one(change_of(TO_ALTINN2, id, kind, at_us, party), rule);
}

static int64_t facts(int32_t id)
{
    return ask("SELECT count(*) FROM sync.correspondence_fact WHERE altinn2_id = %d", (int)id);
}

static int64_t status_rows(int32_t id)
{
    return ask("SELECT count(*) FROM correspondence.\"CorrespondenceStatuses\" WHERE "
               "\"CorrespondenceId\" = '%s'",
               a3(id));
}

static int64_t delete_rows(int32_t id)
{
    return ask("SELECT count(*) FROM correspondence.\"CorrespondenceDeleteEvents\" WHERE "
               "\"CorrespondenceId\" = '%s'",
               a3(id));
}

static int64_t effects(int32_t id, const char *like)
{
    return ask("SELECT count(*) FROM sync.outbox WHERE entity_key = '%d' AND name LIKE '%s'",
               (int)id, like);
}

/* Ids ----------------------------------------------------------------------------------------- */

static void row_ids_are_those_of_the_reference(void **state)
{
    struct sync_uuid message, expected, made;
    (void)state;
    assert_true(sync_uuid_parse(sync_bytes_text("7c9e6679-7425-40de-944b-e07fc1f90ae7"), &message));
    assert_true(
        sync_uuid_parse(sync_bytes_text("9f1d66ad-a1fb-59b8-89a9-a6474416b796"), &expected));
    made = message_row_id(&message, "CorrespondenceStatuses",
                          "4/00000000-0000-0000-0000-0000000000aa/1741078800");
    assert_int_equal(sync_uuid_compare(&made, &expected), 0);
}

static void purge_keys_are_those_of_altinn_3(void **state)
{
    struct sync_uuid message, expected, made;
    (void)state;
    assert_true(sync_uuid_parse(sync_bytes_text("0192f0c4-6a3e-7b21-9d10-5f2e8c4a7b31"), &message));
    assert_true(
        sync_uuid_parse(sync_bytes_text("2d1d32bf-db71-5206-b974-b60fe2698d02"), &expected));
    made = sync_id_v5(&message, sync_bytes_text("PurgeCorrespondence"));
    assert_int_equal(sync_uuid_compare(&made, &expected), 0);
}

static void a_key_that_is_no_id_has_no_number(void **state)
{
    static const char *const wrong[] = {"",   "0",          "007",         "-1",
                                        "1x", "2147483648", "99999999999", " 1"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sync_key key = {.size = strlen(wrong[i])};
        memcpy(key.text, wrong[i], key.size);
        assert_int_equal(message_id_of(&key), 0);
    }
    struct sync_key most = {.text = "2147483647", .size = 10};
    assert_int_equal(message_id_of(&most), 2147483647);
}

/* Hidden messages ----------------------------------------------------------------------------- */

static void a_read_of_a_hidden_message_writes_its_fact_and_its_row(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(101, true);
    one_a2(101, STATUS_READ, NINE + 200000, &P, "CS-28");
    assert_int_equal(facts(101), 1);
    assert_int_equal(status_rows(101), 1);
    assert_int_equal(
        ask("SELECT count(*) FROM correspondence.\"CorrespondenceStatuses\" WHERE"
            " \"CorrespondenceId\" = '%s' AND \"Status\" = 4 AND \"PartyUuid\" = '%s' AND"
            " \"StatusText\" = 'Sync event Read from Altinn 2' AND \"SyncedFromAltinn2\" IS NOT "
            "NULL"
            " AND \"StatusChanged\" = 'epoch'::timestamptz + %lld * interval '1 microsecond'",
            a3(101), uuid_text(&P), (long long)(NINE + 200000)),
        1);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence WHERE altinn2_id = 101 AND mapping = 2"
            " AND gate = 0 AND has_read AND a2_read = 2 AND version = 1"),
        1);
    assert_int_equal(effects(101, "%%"), 0);
}

static void history_says_so_in_its_text(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(102, true);
    struct status_change change = change_of(TO_ALTINN3, 102, STATUS_CONFIRMED, NINE, &P);
    change.mode = STATUS_HISTORY;
    one(change, "CS-28");
    assert_int_equal(ask("SELECT count(*) FROM correspondence.\"CorrespondenceStatuses\" WHERE"
                         " \"CorrespondenceId\" = '%s' AND \"StatusText\" = 'Remigrate event "
                         "Confirmed from Altinn 2'",
                         a3(102)),
                     1);
}

static void a_known_key_is_settled_and_takes_no_lock(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(103, true);
    one_a2(103, STATUS_READ, NINE, &P, "CS-28");
    run_sql("BEGIN; SELECT 1 FROM sync.correspondence WHERE altinn2_id = 103 FOR UPDATE");
    one_a2(103, STATUS_READ, NINE + 999999, &P, "CS-20");
    run_sql("ROLLBACK");
    assert_true(world.records[0].settled);
    assert_int_equal(facts(103), 1);
    assert_int_equal(status_rows(103), 1);
}

static void a_locked_message_makes_the_batch_give_way(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(104, true);
    one_a2(104, STATUS_READ, NINE, &P, "CS-28");
    run_sql("BEGIN; SELECT 1 FROM sync.correspondence WHERE altinn2_id = 104 FOR UPDATE");
    struct status_change change = change_of(TO_ALTINN3, 104, STATUS_READ, NINE + SECOND, &P);
    sync_status status = apply_changes(TO_ALTINN3, &change, 1);
    assert_int_equal(status.class, SYNC_CLASS_RETRY);
    assert_int_equal(own.err.code, SYNC_CODE_DB_CONFLICT);
    run_sql("ROLLBACK");
    one(change, "CS-28");
}

/* Asks until the query gives more than 0; false when the deadline has passed. */
static bool wait_until(struct sync_db *db, const struct sync_statement *statement)
{
    int64_t deadline_us = sync_clock_monotonic_us() + 10 * SECOND;
    while (sync_clock_monotonic_us() < deadline_us) {
        struct sync_error err;
        SYNC_RESULT result = {0};
        if (!sync_is_ok(sync_db_exec(db, statement, NULL, &result, &err))) {
            return false;
        }
        if (sync_result_int8(&result, 0, 0) > 0) {
            return true;
        }
    }
    return false;
}

/* Another process holds the message, stores the very fact, and commits once somebody waits for it.
 */
static void store_while_awaited(int ready)
{
    static const struct sync_statement awaited = {
        "awaited",
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"};
    struct sync_db_options options = {.dsn = own.dsn, .application = "test_other"};
    struct sync_db *db = NULL;
    struct sync_error err;
    bool done =
        sync_is_ok(sync_db_new(&options, &db, &err)) &&
        sync_is_ok(sync_db_script(
            db,
            "BEGIN; UPDATE sync.correspondence SET version = version + 1, has_confirmed = true,"
            " a2_confirmed = 2 WHERE altinn2_id = 112; INSERT INTO sync.correspondence_fact VALUES"
            " (112, 6, 0, 1741078800, 1741078800000000, 0, 2, true, true, false,"
            " '01000000-0000-0000-0000-000000000000', 'test')",
            &err));
    done = done && write(ready, "x", 1) == 1 && wait_until(db, &awaited) &&
           sync_is_ok(sync_db_script(db, "COMMIT", &err));
    _exit(done ? 0 : 1);
}

static void what_was_stored_while_the_lock_was_awaited_is_known(void **state)
{
    int ready[2], code = 1;
    char byte;
    (void)state;
    NEEDS_DATABASE();
    insert_message(112, true);
    one_a2(112, STATUS_READ, NINE, &P, "CS-28");
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        store_while_awaited(ready[1]);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct status_change change = change_of(TO_ALTINN3, 112, STATUS_CONFIRMED, NINE, &P);
    must(apply_changes(TO_ALTINN3, &change, 1));
    (void)close(ready[0]);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    expect_rule(0, "CS-20");
    assert_false(world.records[0].settled);
    assert_int_equal(facts(112), 2);
    assert_int_equal(status_rows(112), 1);
}

static void one_second_in_one_batch_is_one_fact(void **state)
{
    struct status_change changes[4];
    (void)state;
    NEEDS_DATABASE();
    insert_message(105, true);
    changes[0] = change_of(TO_ALTINN3, 105, STATUS_READ, NINE + 100, &P);
    changes[1] = change_of(TO_ALTINN3, 105, STATUS_READ, NINE + 400, &P);
    changes[2] = change_of(TO_ALTINN3, 105, STATUS_READ, NINE + 400, &Q);
    changes[3] = change_of(TO_ALTINN3, 105, STATUS_READ, NINE + SECOND, &P);
    must(apply_changes(TO_ALTINN3, changes, 4));
    expect_rule(0, "CS-28");
    expect_rule(1, "CS-20");
    expect_rule(2, "CS-28");
    expect_rule(3, "CS-28");
    assert_int_equal(facts(105), 3);
    assert_int_equal(status_rows(105), 3);
    assert_int_equal(
        ask("SELECT occurred_at_us FROM sync.correspondence_fact WHERE altinn2_id = 105 AND"
            " party_uuid = '%s' AND second = %lld",
            uuid_text(&P), (long long)(NINE / SECOND)),
        NINE + 100);
}

static void soft_delete_and_restore_are_delete_events_only(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(106, true);
    one_a2(106, STATUS_SOFT_DELETED, NINE, &P, "CS-28");
    one_a2(106, STATUS_RESTORED, NINE + SECOND, &P, "CS-28");
    assert_int_equal(status_rows(106), 0);
    assert_int_equal(
        ask("SELECT sum(\"EventType\") FROM correspondence.\"CorrespondenceDeleteEvents\" WHERE"
            " \"CorrespondenceId\" = '%s' AND \"SyncedFromAltinn2\" IS NOT NULL",
            a3(106)),
        7);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence WHERE altinn2_id = 106 AND"
            " max_soft_deleted = %lld AND max_restored = %lld AND max_archived IS NULL",
            (long long)(NINE / SECOND), (long long)(NINE / SECOND + 1)),
        1);
}

static void passive_history_is_kept_and_passive_news_is_not(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(107, true);
    struct status_change change = change_of(TO_ALTINN3, 107, 2, NINE, &P);
    one(change, "CS-06");
    assert_int_equal(facts(107), 0);
    change.mode = STATUS_HISTORY;
    one(change, "CS-22");
    one(change, "CS-20");
    assert_int_equal(facts(107), 1);
    assert_int_equal(ask("SELECT count(*) FROM correspondence.\"CorrespondenceStatuses\" WHERE"
                         " \"CorrespondenceId\" = '%s' AND \"StatusText\" = 'Remigrate event "
                         "Published from Altinn 2'",
                         a3(107)),
                     1);
}

static void a_row_of_altinn_3_in_that_second_is_not_doubled(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(108, true);
    one_a2(108, STATUS_READ, NINE, &P, "CS-28"); /* the mapping is there from now on */
    insert_status(108, STATUS_CONFIRMED, NINE + 5 * SECOND + 1, &P);
    one_a2(108, STATUS_CONFIRMED, NINE + 5 * SECOND + 777, &P, "CS-21");
    one_a2(108, STATUS_CONFIRMED, NINE + 6 * SECOND, &P, "CS-28");
    assert_int_equal(status_rows(108), 3);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence_fact WHERE altinn2_id = 108 AND kind = 6 AND"
            " in_a2 AND in_a3"),
        2);
}

static void a_message_that_altinn_3_deleted_gets_no_row(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(109, true);
    one_a2(109, STATUS_READ, NINE, &P, "CS-28");
    run_sql(
        "DELETE FROM correspondence.\"Correspondences\" WHERE \"Altinn2CorrespondenceId\" = 109");
    one_a2(109, STATUS_CONFIRMED, NINE, &P, "CS-103");
    one_a2(109, STATUS_PURGED_BY_OWNER, NINE, &P, "CS-103");
    assert_int_equal(status_rows(109), 0);
    assert_int_equal(facts(109), 3);
    assert_int_equal(ask("SELECT count(*) FROM correspondence.\"IdempotencyKeys\" WHERE "
                         "\"CorrespondenceId\" = '%s'",
                         a3(109)),
                     0);
}

static void ids_that_contradict_the_mapping_are_parked_even_if_the_key_is_known(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(110, true);
    one_a2(110, STATUS_READ, NINE, &P, "CS-28");
    struct status_change change = change_of(TO_ALTINN3, 110, STATUS_READ, NINE, &P);
    change.has_altinn3_id = true;
    change.altinn3_id = message_uuid(111);
    one(change, "CS-11");
}

/* Hold and adoption --------------------------------------------------------------------------- */

static void what_no_one_knows_is_held_behind_a_placeholder(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    one_a2(201, STATUS_READ, NINE, &P, "CS-14");
    one_a2(201, STATUS_CONFIRMED, NINE, &P, "CS-14");
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence WHERE altinn2_id = 201 AND mapping = 0 AND"
            " altinn3_id IS NULL"),
        1);
    assert_int_equal(ask("SELECT count(*) FROM sync.hold WHERE entity_key = '201'"), 2);
    assert_int_equal(facts(201), 0);
    run_sql("UPDATE sync.correspondence SET mapping = 1 WHERE altinn2_id = 201");
    one_a2(201, STATUS_READ, NINE + SECOND, &P, "CS-13");
}

static void the_sweep_finds_held_ids_that_altinn_3_has(void **state)
{
    struct sync_adoptable found;
    (void)state;
    NEEDS_DATABASE();
    one_a2(202, STATUS_READ, NINE, &P, "CS-14");
    one_a2(203, STATUS_READ, NINE, &P, "CS-14");
    insert_message(203, true);
    sync_arena_reset(&world.arena, 0);
    struct sync_place place = {TO_ALTINN3->name, A2TOPIC, 0};
    struct sync_applier applier = applier_of(TO_ALTINN3);
    must(sync_apply_adoptable(&applier, &place, &(struct sync_key){.size = 0}, 500, &world.arena,
                              &found, &own.err));
    assert_int_equal(found.count, 1);
    assert_int_equal(message_id_of(&found.keys[0]), 203);
    place.partition = 9;
    must(sync_apply_adoptable(&applier, &place, &(struct sync_key){.size = 0}, 500, &world.arena,
                              &found, &own.err));
    assert_int_equal(found.count, 0);
    run_sql("DELETE FROM sync.hold WHERE entity_key IN ('202', '203')");
}

static void adoption_imports_and_releases_in_one_transaction(void **state)
{
    struct sync_key key = {.text = "204", .size = 3};
    (void)state;
    NEEDS_DATABASE();
    one_a2(204, STATUS_READ, NINE, &P, "CS-14");
    one_a2(204, STATUS_PURGED_BY_RECIPIENT, NINE + SECOND, &P, "CS-14");
    one_a3(204, STATUS_CONFIRMED, NINE + 2 * SECOND, &Q, "CS-14");
    insert_message(204, true);
    insert_status(204, STATUS_ARCHIVED, NINE, &Q);
    must(apply_records(TO_ALTINN3, 0, &key, 1));
    assert_int_equal(world.batch.released_count, 3);
    assert_string_equal(world.batch.released[0].fold.rule, "CS-28");
    assert_string_equal(world.batch.released[1].fold.rule, "CS-25");
    assert_string_equal(world.batch.released[2].fold.rule, "CS-27");
    assert_int_equal(ask("SELECT count(*) FROM sync.hold WHERE entity_key = '204'"), 0);
    assert_int_equal(facts(204), 4);
    assert_int_equal(status_rows(204),
                     3); /* archived is Altinn 3's own; read and purge are written */
    assert_int_equal(delete_rows(204), 1);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence WHERE altinn2_id = 204 AND mapping = 2 AND"
            " is_purged AND has_archived AND a2_deleted = 2"),
        1);
    assert_int_equal(effects(204, "%%"), 0);
}

static void what_came_with_its_message_was_in_altinn_2_first(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql("BEGIN; INSERT INTO correspondence.\"Correspondences\" (\"Id\", "
            "\"Altinn2CorrespondenceId\","
            " \"ResourceId\", \"Recipient\", \"Sender\", \"SendersReference\", \"Created\","
            " \"RequestedPublishTime\", \"PropertyList\") VALUES ('%s', 205, 'r', 'u:x:1', 's', "
            "'x', now(), now(),"
            " ''); INSERT INTO correspondence.\"CorrespondenceContents\" VALUES "
            "(gen_random_uuid(), '%s', 'nb',"
            " 't', '', ''); INSERT INTO correspondence.\"CorrespondenceStatuses\" VALUES "
            "(gen_random_uuid(), '%s',"
            " 4, 'x', now(), '%s', NULL); COMMIT",
            a3(205), a3(205), a3(205), uuid_text(&P));
    insert_status(205, STATUS_CONFIRMED, NINE, &Q);
    one_a2(205, STATUS_ARCHIVED, NINE, &P, "CS-35");
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence_fact WHERE altinn2_id = 205 AND kind = 4 AND"
            " in_a2 AND in_a3"),
        1);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence_fact WHERE altinn2_id = 205 AND kind = 6 AND"
            " NOT in_a2 AND in_a3"),
        1);
    assert_int_equal(effects(205, "a2/confirm"),
                     1); /* no capture publishes it: its call is queued here */
    assert_int_equal(effects(205, "a2/read"), 0);
}

/* Visible messages ---------------------------------------------------------------------------- */

static void a_flip_by_altinn_3_is_seen_and_told(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(301, true);
    one_a2(301, STATUS_READ, NINE, &P, "CS-28");
    run_sql("UPDATE correspondence.\"Correspondences\" SET \"IsMigrating\" = false WHERE"
            " \"Altinn2CorrespondenceId\" = 301");
    insert_status(301, STATUS_ARCHIVED, NINE, &Q);
    struct status_change change = change_of(TO_ALTINN3, 301, STATUS_CONFIRMED, NINE, &P);
    must(apply_changes(TO_ALTINN3, &change, 1));
    expect_rule(0, "CS-33");
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence WHERE altinn2_id = 301 AND gate = 2 AND"
            " visible_at IS NOT NULL AND has_archived AND dlg_opened AND dlg_confirmed AND "
            "dlg_label = 4"),
        1);
    assert_int_equal(effects(301, "dialog/opened"), 1);
    assert_int_equal(effects(301, "dialog/confirmed"), 1);
    assert_int_equal(effects(301, "dialog/label/%%"), 1);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.outbox WHERE entity_key = '301' AND target = 'dialog' AND"
            " state <> 6"),
        0);
}

static void an_expected_echo_is_stored_and_tells_no_sender(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(302, false);
    run_sql("INSERT INTO sync.expected_echo VALUES (gen_random_uuid(), '302', 4, %lld, '%s',"
            " 'epoch'::timestamptz + %lld * interval '1 microsecond')",
            (long long)(NINE / SECOND), uuid_text(&P), (long long)(NINE + DAY));
    one_a2(302, STATUS_READ, NINE + 2 * SECOND, &Q, "CS-29");
    one_a2(302, STATUS_READ, NINE + 3 * SECOND, &Q, "CS-32");
    one_a2(302, STATUS_CONFIRMED, NINE, &Q, "CS-33");
    assert_int_equal(effects(302, "event/read/%%"), 1);
    assert_int_equal(status_rows(302), 3);
}

/* Purge --------------------------------------------------------------------------------------- */

static void a_purge_takes_its_key_and_ends_its_attachments(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(401, true);
    for (int i = 0; i < MANY; i++) {
        attach(401, i, 1000);
    }
    run_sql("INSERT INTO correspondence.\"AttachmentStatuses\" VALUES (gen_random_uuid(),"
            " '00000000-0000-4000-8000-000000001000', 5, 'Expired', now(), gen_random_uuid())");
    one_a2(401, STATUS_PURGED_BY_OWNER, NINE, &P, "CS-25");
    assert_int_equal(status_rows(401), 1);
    assert_int_equal(ask("SELECT count(*) FROM correspondence.\"CorrespondenceDeleteEvents\" WHERE"
                         " \"CorrespondenceId\" = '%s' AND \"EventType\" = 1",
                         a3(401)),
                     1);
    struct sync_uuid message = message_uuid(401);
    struct sync_uuid key = sync_id_v5(&message, sync_bytes_text("PurgeCorrespondence"));
    assert_int_equal(
        ask("SELECT count(*) FROM correspondence.\"IdempotencyKeys\" WHERE \"Id\" = '%s' AND"
            " \"CorrespondenceId\" = '%s' AND \"IdempotencyType\" = 5 AND \"StatusAction\" IS NULL",
            uuid_text(&key), a3(401)),
        1);
    assert_int_equal(effects(401, "blob/purge/%%"), MANY - 1); /* the expired one is gone already */
    assert_int_equal(
        ask("SELECT count(*) FROM correspondence.\"AttachmentStatuses\" WHERE \"Status\" = 3 AND"
            " \"AttachmentId\"::text LIKE '00000000-0000-4000-8000-00000000100%%'"),
        9);
    assert_int_equal(effects(401, "dialog/%%") + effects(401, "event/%%"), 0);
}

static void a_shared_attachment_ends_with_its_last_message(void **state)
{
    struct status_change changes[2];
    (void)state;
    NEEDS_DATABASE();
    for (int32_t id = 402; id <= 404; id++) {
        insert_message(id, true);
        attach(id, 0, 2000);
    }
    one_a2(402, STATUS_PURGED_BY_OWNER, NINE, &P, "CS-25");
    assert_int_equal(effects(402, "blob/%%"), 0);
    changes[0] = change_of(TO_ALTINN3, 403, STATUS_PURGED_BY_OWNER, NINE, &P);
    changes[1] = change_of(TO_ALTINN3, 404, STATUS_PURGED_BY_OWNER, NINE, &P);
    must(apply_changes(TO_ALTINN3, changes, 2));
    assert_int_equal(effects(403, "blob/%%") + effects(404, "blob/%%"), 1);
    assert_int_equal(
        ask("SELECT count(*) FROM correspondence.\"AttachmentStatuses\" WHERE \"Status\" = 3 AND"
            " \"AttachmentId\" = '00000000-0000-4000-8000-000000002000'"),
        1);
}

static void only_the_first_purge_writes_rows(void **state)
{
    struct status_change changes[2];
    (void)state;
    NEEDS_DATABASE();
    insert_message(405, true);
    changes[0] = change_of(TO_ALTINN3, 405, STATUS_PURGED_BY_OWNER, NINE, &P);
    changes[1] = change_of(TO_ALTINN3, 405, STATUS_PURGED_BY_RECIPIENT, NINE, &Q);
    must(apply_changes(TO_ALTINN3, changes, 2));
    expect_rule(0, "CS-25");
    expect_rule(1, "CS-23");
    one_a2(405, STATUS_PURGED_BY_OWNER, NINE + SECOND, &P, "CS-23");
    one_a2(405, STATUS_READ, NINE, &P, "CS-27");
    assert_int_equal(status_rows(405), 2);
    assert_int_equal(delete_rows(405), 1);
    assert_int_equal(facts(405), 4);
}

static void a_purge_that_altinn_3_made_is_imported_first(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(406, true);
    one_a2(406, STATUS_READ, NINE, &P, "CS-28");
    insert_status(406, STATUS_PURGED_BY_RECIPIENT, NINE + 10 * SECOND, &P);
    one_a2(406, STATUS_PURGED_BY_OWNER, NINE + 20 * SECOND, &Q, "CS-23");
    assert_int_equal(status_rows(406), 2);
    assert_int_equal(delete_rows(406), 0);
    assert_int_equal(facts(406), 3);
    insert_message(407, true);
    one_a2(407, STATUS_READ, NINE, &P, "CS-28");
    insert_status(407, STATUS_PURGED_BY_RECIPIENT, NINE + 10 * SECOND, &P);
    one_a2(407, STATUS_CONFIRMED, NINE + 20 * SECOND, &Q, "CS-27");
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence WHERE altinn2_id = 407 AND is_purged"), 1);
}

/* Altinn 3 writes key and row in one transaction: a key alone is what an aborted purge left. */
static void a_purge_key_without_a_row_stops_nothing_and_is_counted(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct sync_uuid owner = message_uuid(409);
    struct sync_uuid key = sync_id_v5(&owner, sync_bytes_text("PurgeCorrespondence"));
    struct sync_applier applier = {.processor = processor};
    struct sync_metric *orphans =
        sync_metric_new(SYNC_COUNTER, "orphan_keys_total",
                        "Keys of an aborted act of the other side that were met.", "consumer");
    insert_message(409, true);
    insert_message(410, true);
    run_sql(
        "INSERT INTO correspondence.\"IdempotencyKeys\" VALUES ('%s', '%s', NULL, NULL, NULL, 5)",
        uuid_text(&key), a3(409));
    struct status_change changes[2] = {
        change_of(TO_ALTINN3, 409, STATUS_PURGED_BY_OWNER, NINE, &P),
        change_of(TO_ALTINN3, 410, STATUS_PURGED_BY_OWNER, NINE, &P),
    };
    must(apply_changes(TO_ALTINN3, changes, 2));
    expect_rule(0, "CS-25");
    expect_rule(1, "CS-25");
    assert_int_equal(status_rows(409) + delete_rows(409), 2);
    assert_int_equal(world.batch.orphan_keys, 1);
    sync_apply_count(&applier, &world.batch);
    assert_true(sync_metric_read(orphans, SYNC_LABELS(TO_ALTINN3->name)) == 1);
    one_a2(409, STATUS_PURGED_BY_OWNER, NINE + SECOND, &P, "CS-23");
    assert_int_equal(world.batch.orphan_keys, 0);
    insert_message(411, true); /* a purge of Altinn 3 as it should be: no orphan */
    owner = message_uuid(411);
    key = sync_id_v5(&owner, sync_bytes_text("PurgeCorrespondence"));
    run_sql(
        "INSERT INTO correspondence.\"IdempotencyKeys\" VALUES ('%s', '%s', NULL, NULL, NULL, 5)",
        uuid_text(&key), a3(411));
    insert_status(411, STATUS_PURGED_BY_RECIPIENT, NINE, &P);
    one_a2(411, STATUS_PURGED_BY_OWNER, NINE + SECOND, &Q, "CS-23");
    assert_int_equal(world.batch.orphan_keys, 0);
}

static void an_open_purge_of_altinn_3_is_waited_for_and_not_for_long(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(408, true);
    one_a2(408, STATUS_READ, NINE, &P, "CS-28");
    struct sync_uuid message = message_uuid(408);
    struct sync_uuid key = sync_id_v5(&message, sync_bytes_text("PurgeCorrespondence"));
    run_sql("BEGIN; INSERT INTO correspondence.\"IdempotencyKeys\" VALUES ('%s', '%s', NULL, NULL, "
            "NULL, 5)",
            uuid_text(&key), a3(408));
    struct status_change change = change_of(TO_ALTINN3, 408, STATUS_PURGED_BY_OWNER, NINE, &P);
    sync_status status = apply_changes(TO_ALTINN3, &change, 1);
    assert_int_equal(status.class, SYNC_CLASS_RETRY);
    run_sql("ROLLBACK");
    one(change, "CS-25");
}

/* From Altinn 3 ------------------------------------------------------------------------------- */

static void an_act_of_altinn_3_is_a_fact_and_a_call_and_no_row(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(501, false);
    insert_status(501, STATUS_READ, NINE, &P);
    run_sql("INSERT INTO sync.source (name, generation, started_at, updated_at) VALUES "
            "('altinn3-status', 1,"
            " '2025-01-01', now())");
    one_a3(501, STATUS_READ, NINE, &P,
           "CS-20"); /* imported at adoption, its call queued by the record */
    assert_int_equal(effects(501, "a2/read"), 1);
    assert_int_equal(world.batch.hint_count, 1); /* what the sender is told */
    assert_string_equal(world.batch.hints[0].target, "altinn2");
    assert_true(sync_bytes_equal(world.batch.hints[0].key, sync_bytes_text("501")));
    assert_int_equal(world.batch.hints[0].partition,
                     ask("SELECT partition FROM sync.outbox WHERE name = 'a2/read'"
                         " AND entity_key = '501'"));
    assert_true(world.batch.hints[0].due);
    one_a3(501, STATUS_READ, NINE, &P, "CS-20");
    assert_true(world.records[0].settled);
    assert_int_equal(world.batch.hint_count, 0);
    one_a3(501, STATUS_READ, NINE + 5 * SECOND, &Q, "CS-41");
    one_a3(501, STATUS_CONFIRMED, NINE, &Q, "CS-43");
    one_a3(501, STATUS_ARCHIVED, NINE, &Q, "CS-40");
    run_sql("DELETE FROM sync.source");
    assert_int_equal(facts(501), 4);
    assert_int_equal(status_rows(501), 1);
    assert_int_equal(effects(501, "a2/%%"), 2);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence WHERE altinn2_id = 501 AND a2_read = 1 AND"
            " a2_confirmed = 1 AND a2_deleted = 0"),
        1);
}

static void an_echo_is_known_by_its_origin_and_raises_the_flag(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_message(502, false);
    one_a3(502, STATUS_READ, NINE, &P, "CS-43");
    struct status_change echo = change_of(TO_ALTINN3, 502, STATUS_READ, NINE, &P);
    echo.has_origin = true;
    echo.origin =
        (struct status_source){.system = 1, .stream = sync_bytes_text("a3"), .sequence = 1};
    one(echo, "CS-04");
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence c JOIN sync.correspondence_fact f USING"
            " (altinn2_id) WHERE altinn2_id = 502 AND a2_read = 2 AND in_a2 AND in_a3"),
        1);
    one(echo, "CS-04");
    assert_true(world.records[0].settled);
    assert_int_equal(facts(502), 1);
    assert_int_equal(status_rows(502), 0);
}

/* Repeats ------------------------------------------------------------------------------------- */

#define MIX 400

/* A mix over a few messages, parties and seconds, from a seed. */
static void make_mix(unsigned int seed, struct status_change *changes)
{
    static const int32_t kinds[] = {4, 6, 7, 8, 9, 13, 14, 4, 4, 6, 9};
    for (size_t i = 0; i < MIX; i++) {
        int32_t id = 601 + (int32_t)(rand_r(&seed) % 12);
        int32_t kind = kinds[rand_r(&seed) % (sizeof kinds / sizeof kinds[0])];
        struct sync_uuid party = {{(uint8_t)(1 + rand_r(&seed) % 3)}};
        changes[i] =
            change_of(TO_ALTINN3, id, kind, NINE + rand_r(&seed) % 40 * (SECOND / 4), &party);
    }
}

static int64_t table_sum(void)
{
    return ask("SELECT (SELECT count(*) FROM sync.correspondence_fact) + (SELECT count(*) FROM "
               "sync.outbox) +"
               " (SELECT count(*) FROM correspondence.\"CorrespondenceStatuses\") +"
               " (SELECT count(*) FROM correspondence.\"CorrespondenceDeleteEvents\") +"
               " (SELECT sum(version) FROM sync.correspondence)");
}

static void a_second_run_of_any_mix_changes_nothing(void **state)
{
    static struct status_change changes[MIX];
    const char *given = getenv("SYNC_TEST_SEED");
    unsigned int seed = given != NULL ? (unsigned int)strtoul(given, NULL, 10) : 20250304;
    (void)state;
    NEEDS_DATABASE();
    (void)printf("seed %u\n", seed);
    for (int32_t id = 601; id < 613; id++) {
        insert_message(id, id % 3 == 0);
    }
    make_mix(seed, changes);
    for (size_t i = 0; i < MIX; i += 37) {
        must(apply_changes(TO_ALTINN3, changes + i, i + 37 < MIX ? 37 : MIX - i));
    }
    int64_t before = table_sum();
    must(apply_changes(TO_ALTINN3, changes, MIX));
    for (size_t i = 0; i < MIX; i++) {
        expect_rule(i, "CS-20");
        assert_true(world.records[i].settled);
    }
    assert_int_equal(table_sum(), before);
    assert_int_equal(
        ask("SELECT count(*) FROM (SELECT 1 FROM sync.correspondence_fact GROUP BY altinn2_id, "
            "kind,"
            " party_uuid, floor(occurred_at_us / 1000000.0) HAVING count(*) > 1) AS doubled"),
        0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_ids_are_those_of_the_reference),
        cmocka_unit_test(purge_keys_are_those_of_altinn_3),
        cmocka_unit_test(a_key_that_is_no_id_has_no_number),
        cmocka_unit_test(a_read_of_a_hidden_message_writes_its_fact_and_its_row),
        cmocka_unit_test(history_says_so_in_its_text),
        cmocka_unit_test(a_known_key_is_settled_and_takes_no_lock),
        cmocka_unit_test(a_locked_message_makes_the_batch_give_way),
        cmocka_unit_test(what_was_stored_while_the_lock_was_awaited_is_known),
        cmocka_unit_test(one_second_in_one_batch_is_one_fact),
        cmocka_unit_test(soft_delete_and_restore_are_delete_events_only),
        cmocka_unit_test(passive_history_is_kept_and_passive_news_is_not),
        cmocka_unit_test(a_row_of_altinn_3_in_that_second_is_not_doubled),
        cmocka_unit_test(a_message_that_altinn_3_deleted_gets_no_row),
        cmocka_unit_test(ids_that_contradict_the_mapping_are_parked_even_if_the_key_is_known),
        cmocka_unit_test(what_no_one_knows_is_held_behind_a_placeholder),
        cmocka_unit_test(the_sweep_finds_held_ids_that_altinn_3_has),
        cmocka_unit_test(adoption_imports_and_releases_in_one_transaction),
        cmocka_unit_test(what_came_with_its_message_was_in_altinn_2_first),
        cmocka_unit_test(a_flip_by_altinn_3_is_seen_and_told),
        cmocka_unit_test(an_expected_echo_is_stored_and_tells_no_sender),
        cmocka_unit_test(a_purge_takes_its_key_and_ends_its_attachments),
        cmocka_unit_test(a_shared_attachment_ends_with_its_last_message),
        cmocka_unit_test(only_the_first_purge_writes_rows),
        cmocka_unit_test(a_purge_that_altinn_3_made_is_imported_first),
        cmocka_unit_test(a_purge_key_without_a_row_stops_nothing_and_is_counted),
        cmocka_unit_test(an_open_purge_of_altinn_3_is_waited_for_and_not_for_long),
        cmocka_unit_test(an_act_of_altinn_3_is_a_fact_and_a_call_and_no_row),
        cmocka_unit_test(an_echo_is_known_by_its_origin_and_raises_the_flag),
        cmocka_unit_test(a_second_run_of_any_mix_changes_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
