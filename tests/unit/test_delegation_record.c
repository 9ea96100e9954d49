/*
 * Shows what stands on Kafka for a delegation: the key that the consumer asks for, a value that
 * decodes to the same change, and headers that agree with it. Shown over each kind of record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../connectors/delegation_record.h"
#include <runtime/id.h>

static struct sync_schema_set *set;
static struct sync_decoder *decoder;
static uint8_t memory[16384], rights_room[64];
static struct sync_arena arena;
static struct delegation_change change;
static struct delegation_record record;

static int open_schemas(void **state)
{
    (void)state;
    struct sync_error err;
    assert_true(sync_is_ok(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &set, &err)));
    assert_true(sync_is_ok(sync_decoder_new(set, &sync_processor_delegation, &decoder, &err)));
    return 0;
}

static int close_schemas(void **state)
{
    (void)state;
    sync_decoder_free(&decoder);
    sync_schema_set_free(&set);
    return 0;
}

static int make_change(void **state)
{
    (void)state;
    struct sync_bytes rights[] = {sync_bytes_text("read"), sync_bytes_text("write")};
    sync_arena_init(&arena, memory, sizeof memory);
    change = (struct delegation_change){
        .source = DELEGATION_A3,
        .stream = sync_bytes_text("a3.change.1"),
        .seq = 4711,
        .kind = DELEGATION_SINGLE,
        .op = DELEGATION_GRANT,
        .from = {.present = true, .has_uuid = true, .uuid = {{0xf0}}},
        .to = {.present = true, .has_uuid = true, .uuid = {{0x70}}},
        .has_target = true,
        .has_target_id = true,
        .target_kind = DELEGATION_TARGET_RESOURCE,
        .target_id = sync_bytes_text("app_ttd_form"),
        .has_event_time = true,
        .event_time_us = 1700000000000000,
        .capture_time_us = 1700000001000000,
        .by = DELEGATION_MACHINE,
    };
    assert_true(sync_texts_make(rights, 2, rights_room, sizeof rights_room, &change.rights));
    return 0;
}

static sync_status make(struct sync_error *err)
{
    const struct sync_schema *schema = sync_schema_set_find(set, sync_processor_delegation.schema);
    assert_non_null(schema);
    return delegation_record_make(schema, &change, &arena, &record, err);
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < record.header_count; i++) {
        if (strcmp(record.headers[i].name, name) == 0) {
            return record.headers[i].value;
        }
    }
    return NULL;
}

static void assert_id(struct sync_uuid wanted)
{
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(&wanted, text);
    assert_string_equal(header("ce_id"), text);
}

static void the_value_decodes_to_the_same_change(void **state)
{
    (void)state;
    struct sync_error err;
    struct delegation_change read;
    struct sync_bytes right;
    assert_true(sync_is_ok(make(&err)));
    assert_true(sync_is_ok(sync_decoder_decode(decoder, record.value, &read, &err)));
    assert_int_equal(read.source, DELEGATION_A3);
    assert_true(read.seq == 4711);
    assert_memory_equal(read.from.uuid.bytes, change.from.uuid.bytes, 16);
    assert_false(read.from.has_party_id);
    assert_false(read.facilitator.present);
    assert_false(read.performer.present);
    assert_true(sync_bytes_equal(read.target_id, change.target_id));
    assert_false(read.has_origin || read.has_snapshot_id || read.has_instance || read.has_scope);
    assert_int_equal(read.rights.count, 2);
    assert_true(sync_texts_next(&read.rights, &right));
    assert_true(sync_bytes_equal(right, sync_bytes_text("read")));
    assert_int_equal(read.by, DELEGATION_MACHINE);
}

static void the_key_is_the_giver_and_the_headers_agree(void **state)
{
    (void)state;
    struct sync_error err;
    const char *giver = "f0000000-0000-0000-0000-000000000000";
    assert_true(sync_is_ok(make(&err)));
    assert_true(sync_bytes_equal(record.key, sync_bytes_text(giver)));
    assert_string_equal(header("ce_subject"), giver);
    assert_string_equal(header("ce_source"), "/ALTINN3/a3.change.1");
    assert_string_equal(header("ce_syncmode"), "LIVE");
    assert_string_equal(header("ce_time"), "2023-11-14T22:13:20.000000Z");
    assert_null(header("ce_syncorigin"));
    assert_id(sync_id_event(SYNC_SYSTEM_ALTINN3, change.stream, 4711));
}

static void a_giver_without_uuid_is_keyed_by_its_number(void **state)
{
    (void)state;
    struct sync_error err;
    change.from = (struct delegation_name){.present = true, .has_party_id = true, .party_id = 7};
    assert_true(sync_is_ok(make(&err)));
    assert_true(sync_bytes_equal(record.key, sync_bytes_text("p:7")));
}

static void an_origin_is_told_as_far_as_it_is_known(void **state)
{
    (void)state;
    struct sync_error err;
    change.has_origin = true;
    change.origin_source = DELEGATION_A2;
    assert_true(sync_is_ok(make(&err)));
    assert_string_equal(header("ce_syncorigin"), "ALTINN2");
    change.has_origin_stream = change.has_origin_seq = true;
    change.origin_stream = sync_bytes_text("a2.rule.1");
    change.origin_seq = 12;
    assert_true(sync_is_ok(make(&err)));
    assert_string_equal(header("ce_syncorigin"), "ALTINN2/a2.rule.1/12");
}

static void a_row_of_a_snapshot_has_an_id_of_its_own(void **state)
{
    (void)state;
    struct sync_error err;
    change.has_snapshot_id = change.has_snapshot_pos = true;
    change.snapshot_id = (struct sync_uuid){{0x11}};
    change.snapshot_pos = 99;
    assert_true(sync_is_ok(make(&err)));
    assert_string_equal(header("ce_syncmode"), "HISTORY");
    assert_id(sync_id_event_of(SYNC_SYSTEM_ALTINN3, change.stream,
                               "11000000-0000-0000-0000-000000000000", 4711));
}

static void marks_have_no_key_and_ids_apart_from_events(void **state)
{
    (void)state;
    static const struct {
        int32_t op;
        const char *part;
    } marks[] = {{DELEGATION_TICK, "tick"}, {DELEGATION_END, "end"}};
    struct sync_error err;
    change.kind = DELEGATION_CONTROL;
    change.from.present = change.to.present = change.has_target = false;
    change.rights = (struct sync_texts){NULL, 0, 0, 0};
    for (size_t i = 0; i < 2; i++) {
        change.op = marks[i].op;
        assert_true(sync_is_ok(make(&err)));
        assert_null(record.key.data);
        assert_null(header("ce_subject"));
        assert_id(sync_id_event_of(SYNC_SYSTEM_ALTINN3, change.stream, marks[i].part, change.seq));
    }
}

/* It is for the consumer to park: what a source said is never left out. */
static void a_change_without_a_giver_has_the_key_of_nobody(void **state)
{
    (void)state;
    struct sync_error err = {0};
    change.from.present = change.from.has_uuid = false;
    assert_true(sync_is_ok(make(&err)));
    assert_true(sync_bytes_equal(record.key, sync_bytes_text("p:0")));
    change.from = (struct delegation_name){.present = true, .has_user_id = true, .user_id = 7};
    assert_true(sync_is_ok(make(&err)));
    assert_true(sync_bytes_equal(record.key, sync_bytes_text("p:0")));
}

/* Every size below the one that fits is refused alike, and nothing is written behind the end. */
static void a_full_arena_is_told(void **state)
{
    (void)state;
    struct sync_error err = {0};
    assert_true(sync_is_ok(make(&err)));
    size_t needed = arena.used;
    assert_true(needed > 100);
    for (size_t size = 0; size < needed; size += 7) {
        sync_arena_init(&arena, memory, size);
        assert_int_equal(make(&err).class, SYNC_CLASS_RETRY);
        assert_int_equal(err.code, SYNC_CODE_MEMORY_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_value_decodes_to_the_same_change, make_change),
        cmocka_unit_test_setup(the_key_is_the_giver_and_the_headers_agree, make_change),
        cmocka_unit_test_setup(a_giver_without_uuid_is_keyed_by_its_number, make_change),
        cmocka_unit_test_setup(an_origin_is_told_as_far_as_it_is_known, make_change),
        cmocka_unit_test_setup(a_row_of_a_snapshot_has_an_id_of_its_own, make_change),
        cmocka_unit_test_setup(marks_have_no_key_and_ids_apart_from_events, make_change),
        cmocka_unit_test_setup(a_change_without_a_giver_has_the_key_of_nobody, make_change),
        cmocka_unit_test_setup(a_full_arena_is_told, make_change),
    };
    return cmocka_run_group_tests(tests, open_schemas, close_schemas);
}
