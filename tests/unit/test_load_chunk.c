/*
 * Shows what one chunk of "load" does to a real PostgreSQL: lines are parsed and written as the
 * verb does it, and what was held is decided in the same transaction. Needs SYNC_TEST_DSN, else it
 * is skipped.
 */
#include "../../src/cli/load_chunk.h"
#include "../../src/core/limits.h"
#include "own_database.h"

#include <altinn_sync/correspondence_status.h>

#define NINE     1741078800000000LL /* 2025-03-04T09:00:00Z */
#define LINES    8
#define ZERO     "00000000-0000-0000-0000-000000000000"
#define PARTY(n) "7c9e6679-7425-40de-944b-00000000000" #n

static struct {
    struct load_run run;
    struct sync_schema_set *schemas;
    struct sync_topics *topics;
    struct sync_decoder *decoder;
    uint8_t *batch_memory, *line_memory;
    struct sync_arena lines_arena;
    struct sync_load_line lines[LINES];
    size_t count;
} world;

static int start(void **state)
{
    const struct sync_processor *processor = &sync_processor_correspondence_status;
    const char *paths[] = {SYNC_SOURCE_DIR "/topics.yaml"};
    (void)state;
    own_start("load");
    if (!own.usable) {
        return 0;
    }
    must(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &world.schemas, &own.err));
    must(sync_decoder_new(world.schemas, processor, &world.decoder, &own.err));
    must(sync_topics_load(paths, 1, &world.topics, NULL, &own.err));
    world.batch_memory = malloc(SYNC_BATCH_ARENA_BYTES);
    world.line_memory = malloc(SYNC_BATCH_ARENA_BYTES);
    assert_true(world.batch_memory != NULL && world.line_memory != NULL);
    sync_arena_init(&world.run.arena, world.batch_memory, SYNC_BATCH_ARENA_BYTES);
    sync_arena_init(&world.lines_arena, world.line_memory, SYNC_BATCH_ARENA_BYTES);
    world.run.loader = sync_loader_find("correspondence");
    world.run.applier = (struct sync_applier){.db = own.db,
                                              .processor = processor,
                                              .store = sync_store_find(processor->store),
                                              .route = &processor->routes[0],
                                              .scope = processor->routes[0].name,
                                              .topics = world.topics,
                                              .decoder = world.decoder,
                                              .keep_parked_bytes = true};
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sync_decoder_free(&world.decoder);
    sync_schema_set_free(&world.schemas);
    free(world.topics);
    free(world.batch_memory);
    free(world.line_memory);
    own_stop();
    return 0;
}

static int fresh(void **state)
{
    (void)state;
    sync_arena_reset(&world.lines_arena, 0);
    world.count = 0;
    world.run.released = 0;
    return 0;
}

static void add(const char *text)
{
    struct sync_load_line *line = &world.lines[world.count++];
    *line = (struct sync_load_line){.number = world.count};
    sync_status status = world.run.loader->parse(sync_bytes_text(text), &world.lines_arena,
                                                 &line->item, &line->error);
    line->refused = !sync_is_ok(status);
}

static void add_message(int id, const char *more)
{
    char text[1024];
    (void)snprintf(
        text, sizeof text,
        "{\"type\":\"message\",\"altinn2Id\":%d,\"altinn2PartyId\":50001,\"resourceId\":\"r\","
        "\"recipient\":\"urn:altinn:organization:identifier-no:310000017\",\"sender\":\"0192:"
        "991825827\","
        "\"sendersReference\":\"x\",\"created\":\"2025-03-04T08:00:00Z\",\"language\":\"nb\","
        "\"title\":\"Vedtak\"%s}",
        id, more);
    add(text);
}

static void write_chunk(void)
{
    must(load_chunk_write(&world.run, world.lines, world.count, &own.err));
}

/* A record that waits for the message since yesterday, as a consumer stored it. */
static void hold(int id, int kind, int offset)
{
    static const struct sync_statement statement = {
        "hold", "INSERT INTO sync.hold VALUES ('status-to-altinn3', "
                "'altinn2.correspondence-status.v1', 0, $1, $2,"
                " NULL, NULL, now() - interval '1 day', $3, 'CS-14', now() - interval '1 day')"};
    static const struct sync_statement count = {
        "count", "INSERT INTO sync.outcome_count VALUES ('status-to-altinn3', "
                 "'altinn2.correspondence-status.v1', 0,"
                 " 4, 1) ON CONFLICT (scope, topic, partition, outcome) DO UPDATE SET n = "
                 "sync.outcome_count.n + 1"};
    const struct sync_processor *processor = world.run.applier.processor;
    struct status_change change = {
        .source = {.system = 0, .stream = sync_bytes_text("test"), .sequence = offset},
        .has_altinn2_id = true,
        .altinn2_id = id,
        .kind = kind,
        .captured_at_us = NINE,
        .occurred_at_us = NINE,
        .party = {{1}}};
    struct sync_bytes value;
    char key[16];
    (void)snprintf(key, sizeof key, "%d", id);
    must(sync_encode(sync_schema_set_find(world.schemas, processor->schema), processor, &change,
                     &world.lines_arena, &value, &own.err));
    struct sync_params params;
    sync_params_init(&params, &world.lines_arena);
    sync_params_int8(&params, offset);
    sync_params_text(&params, key);
    sync_params_bytes(&params, value);
    must(sync_db_exec(own.other, &statement, &params, NULL, &own.err));
    must(sync_db_exec(own.other, &count, NULL, NULL, &own.err));
}

static int64_t messages(int id)
{
    return ask("SELECT count(*) FROM correspondence.\"Correspondences\" WHERE "
               "\"Altinn2CorrespondenceId\" = %d",
               id);
}

static void a_message_is_inserted_mapped_and_hidden(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    add_message(
        1, ",\"statuses\":[{\"status\":2,\"at\":\"2025-03-04T08:00:00Z\"},{\"status\":4,\"at\":"
           "\"2025-03-04T09:00:00.1Z\"},{\"status\":4,\"at\":\"2025-03-04T09:00:00.7Z\"}],"
           "\"deleteEvents\":[{\"type\":3,\"at\":\"2025-03-05T09:00:00Z\"}]");
    write_chunk();
    assert_false(world.lines[0].refused || world.lines[0].known);
    assert_int_equal(messages(1), 1);
    assert_int_equal(ask("SELECT count(*) FROM sync.correspondence m JOIN "
                         "correspondence.\"Correspondences\" c ON"
                         " c.\"Id\" = m.altinn3_id WHERE m.altinn2_id = 1 AND mapping = 2 AND gate "
                         "= 0 AND has_read"
                         " AND a2_read = 2 AND max_soft_deleted IS NOT NULL AND \"IsMigrating\""),
                     1);
    /* The two reads of one second are one row and one fact; Published is a row and no fact. */
    assert_int_equal(ask("SELECT count(*) FROM correspondence.\"CorrespondenceStatuses\" s JOIN "
                         "sync.correspondence m"
                         " ON m.altinn3_id = s.\"CorrespondenceId\" WHERE altinn2_id = 1 AND "
                         "\"SyncedFromAltinn2\""
                         " IS NOT NULL AND \"StatusText\" LIKE 'Remigrate event %%'"),
                     2);
    assert_int_equal(ask("SELECT count(*) FROM sync.correspondence_fact WHERE altinn2_id = 1 AND "
                         "in_a2 AND in_a3"),
                     2);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE entity_key = '1'"), 0);
}

static void a_repeat_inserts_nothing(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    add_message(2, "");
    write_chunk();
    fresh(state);
    add_message(2, ",\"body\":\"newer\"");
    write_chunk();
    assert_true(world.lines[0].known);
    assert_int_equal(messages(2), 1);
    assert_int_equal(
        ask("SELECT count(*) FROM correspondence.\"CorrespondenceContents\" WHERE \"MessageBody\" ="
            " 'newer'"),
        0);
}

static void what_was_held_is_decided_in_the_same_transaction(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    hold(3, STATUS_READ, 40);
    hold(3, STATUS_PURGED_BY_RECIPIENT, 55);
    add_message(3, ",\"attachments\":[{\"altinn2AttachmentId\":\"held\"}]");
    write_chunk();
    assert_int_equal(world.run.released, 2);
    assert_int_equal(ask("SELECT count(*) FROM sync.hold"), 0);
    assert_int_equal(ask("SELECT sum(n) FROM sync.outcome_count WHERE outcome = 0"), 2);
    assert_int_equal(ask("SELECT n FROM sync.outcome_count WHERE outcome = 4"), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.correspondence WHERE altinn2_id = 3 AND "
                         "is_purged AND has_read"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE entity_key = '3' AND name LIKE "
                         "'blob/purge/%%'"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE entity_key = '3'"), 1);
    /* Everything of one transaction: rows of the release came with the message. */
    assert_int_equal(
        ask("SELECT count(DISTINCT x) FROM (SELECT s.xmin::text AS x FROM"
            " correspondence.\"CorrespondenceStatuses\" s JOIN sync.correspondence m ON "
            "m.altinn3_id ="
            " s.\"CorrespondenceId\" WHERE altinn2_id = 3 UNION ALL SELECT xmin::text FROM"
            " correspondence.\"Correspondences\" WHERE \"Altinn2CorrespondenceId\" = 3) AS rows"),
        1);
}

static void a_second_line_of_one_id_is_passed_over(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    add_message(4, ",\"body\":\"first\"");
    add_message(4, ",\"body\":\"second\"");
    write_chunk();
    assert_false(world.lines[0].known);
    assert_true(world.lines[1].known);
    assert_int_equal(messages(4), 1);
}

static void a_line_that_the_database_refuses_loses_no_other(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    add("{\"type\":\"party\",\"uuid\":\"" PARTY(1) "\",\"altinn2PartyId\":50001}");
    add_message(5, "");
    add("{\"type\":\"party\",\"uuid\":\"" PARTY(2) "\",\"altinn2PartyId\":50001}"); /* taken */
    add_message(6, ",\"altinn3Id\":\"" ZERO "\"");
    add_message(7, "");
    add("{\"type\":\"party\"}");
    add_message(8, "");
    write_chunk();
    for (size_t i = 0; i < world.count; i++) {
        bool wrong = i == 2 || i == 5;
        assert_int_equal(world.lines[i].refused, wrong);
    }
    assert_int_equal(world.lines[2].error.code, SYNC_CODE_DATA_REFUSED);
    assert_int_equal(messages(5) + messages(6) + messages(7) + messages(8), 4);
    assert_int_equal(ask("SELECT count(*) FROM sync.party"), 1);
}

static void an_id_of_another_message_is_refused(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    add_message(9, ",\"altinn3Id\":\"" PARTY(9) "\"");
    add_message(10, ",\"altinn3Id\":\"" PARTY(9) "\"");
    write_chunk();
    assert_int_equal(world.lines[0].refused + world.lines[1].refused, 1);
    assert_int_equal(messages(9) + messages(10), 1);
}

static void a_message_that_altinn_3_deleted_is_not_made_again(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    add_message(11, "");
    write_chunk();
    run_sql(
        "DELETE FROM correspondence.\"Correspondences\" WHERE \"Altinn2CorrespondenceId\" = 11");
    fresh(state);
    add_message(11, "");
    write_chunk();
    assert_true(world.lines[0].known);
    assert_int_equal(messages(11), 0);
}

static void a_shared_attachment_exists_once(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    add_message(
        12, ",\"attachments\":[{\"altinn2AttachmentId\":\"s\"},{\"altinn2AttachmentId\":\"s\"}]");
    add_message(
        13, ",\"attachments\":[{\"altinn2AttachmentId\":\"s\",\"altinn3Id\":\"" PARTY(8) "\"}]");
    write_chunk();
    assert_int_equal(ask("SELECT count(*) FROM correspondence.\"Attachments\" WHERE "
                         "\"Altinn2AttachmentId\" = 's'"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM correspondence.\"CorrespondenceAttachments\" l JOIN"
                         " correspondence.\"Attachments\" a ON a.\"Id\" = l.\"AttachmentId\" WHERE"
                         " \"Altinn2AttachmentId\" = 's'"),
                     2);
    assert_int_equal(ask("SELECT count(*) FROM correspondence.\"AttachmentStatuses\" s JOIN"
                         " correspondence.\"Attachments\" a ON a.\"Id\" = s.\"AttachmentId\" WHERE"
                         " \"Altinn2AttachmentId\" = 's' AND \"Status\" = 2"),
                     1);
}

static void a_visible_message_tells_its_label_once(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    add_message(
        14, ",\"hidden\":false,\"dialogId\":\"" PARTY(7) "\",\"statuses\":[{\"status\":9,\"at\":"
                                                         "\"2025-03-04T09:00:00Z\"}]");
    write_chunk();
    assert_int_equal(
        ask("SELECT count(*) FROM sync.outbox WHERE entity_key = '14' AND state = 6 AND name LIKE"
            " 'dialog/label/%%'"),
        1);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE entity_key = '14'"), 1);
    assert_int_equal(ask("SELECT count(*) FROM correspondence.\"ExternalReferences\" WHERE "
                         "\"ReferenceType\" = 3"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_message_is_inserted_mapped_and_hidden, fresh),
        cmocka_unit_test_setup(a_repeat_inserts_nothing, fresh),
        cmocka_unit_test_setup(what_was_held_is_decided_in_the_same_transaction, fresh),
        cmocka_unit_test_setup(a_second_line_of_one_id_is_passed_over, fresh),
        cmocka_unit_test_setup(a_line_that_the_database_refuses_loses_no_other, fresh),
        cmocka_unit_test_setup(an_id_of_another_message_is_refused, fresh),
        cmocka_unit_test_setup(a_message_that_altinn_3_deleted_is_not_made_again, fresh),
        cmocka_unit_test_setup(a_shared_attachment_exists_once, fresh),
        cmocka_unit_test_setup(a_visible_message_tells_its_label_once, fresh),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
