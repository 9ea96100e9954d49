/*
 * Shows when a capture refuses to stream, with which code, and when it says that changes may be
 * lost: each way in which slot, server and publication can differ from what is recorded, one at a
 * time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../connectors/altinn3/capture_source.h"

static const struct capture_entity *entity;
static struct capture_source source;
static struct capture_slot slot;
static struct capture_identity identity;

static int start_equal(void **state)
{
    (void)state;
    entity = capture_entities[0];
    identity = (struct capture_identity){"7412", 3};
    source = (struct capture_source){.found = true,
                                     .generation = 1,
                                     .identity = identity,
                                     .slot = "altinn_sync_status",
                                     .publication = "altinn_sync_status",
                                     .start_lsn = 100,
                                     .delivered_lsn = 200};
    slot = (struct capture_slot){.found = true,
                                 .logical = true,
                                 .here = true,
                                 .plugin = "pgoutput",
                                 .wal_status = "reserved",
                                 .confirmed_lsn = 150,
                                 .publication_found = true};
    return 0;
}

static void assert_refused(enum sync_code code, bool gap)
{
    struct sync_error err = {.code = SYNC_CODE_NONE};
    bool ret_gap = !gap;
    assert_int_equal(capture_source_check(entity, &source, &slot, &identity, &ret_gap, &err).class,
                     SYNC_CLASS_FATAL);
    assert_int_equal(err.code, code);
    assert_int_equal(ret_gap, gap);
    assert_true(strlen(err.text) > 0 && strlen(err.text) < sizeof err.text - 1); /* not cut */
}

static void what_is_as_recorded_streams(void **state)
{
    (void)state;
    struct sync_error err;
    bool gap = true;
    assert_true(sync_is_ok(capture_source_check(entity, &source, &slot, &identity, &gap, &err)));
    assert_false(gap);
}

static void a_slot_that_moved_back_or_stands_at_our_position_streams(void **state)
{
    (void)state;
    struct sync_error err;
    bool gap = true;
    slot.confirmed_lsn = 1;
    assert_true(sync_is_ok(capture_source_check(entity, &source, &slot, &identity, &gap, &err)));
    slot.confirmed_lsn = source.delivered_lsn;
    assert_true(sync_is_ok(capture_source_check(entity, &source, &slot, &identity, &gap, &err)));
}

static void without_a_record_it_refuses_before_anything_else(void **state)
{
    (void)state;
    source.found = false;
    slot.found = false;
    assert_refused(SYNC_CODE_SLOT, false);
}

static void another_server_is_refused_without_a_gap(void **state)
{
    (void)state;
    (void)snprintf(identity.system_id, sizeof identity.system_id, "7413");
    slot.found = false; /* of course it has no such slot, and that is no loss */
    assert_refused(SYNC_CODE_SYSTEM_ID, false);
}

static void another_timeline_is_a_gap_in_either_direction(void **state)
{
    (void)state;
    identity.timeline = 4;
    assert_refused(SYNC_CODE_TIMELINE, true);
    identity.timeline = 2;
    assert_refused(SYNC_CODE_TIMELINE, true);
}

static void a_missing_slot_is_a_gap(void **state)
{
    (void)state;
    slot.found = false;
    assert_refused(SYNC_CODE_SLOT, true);
}

static void a_slot_whose_log_is_lost_is_a_gap(void **state)
{
    (void)state;
    (void)snprintf(slot.wal_status, sizeof slot.wal_status, "lost");
    assert_refused(SYNC_CODE_SLOT, true);
}

static void a_slot_one_byte_ahead_of_what_is_delivered_is_a_gap(void **state)
{
    (void)state;
    slot.confirmed_lsn = source.delivered_lsn + 1;
    assert_refused(SYNC_CODE_SLOT, true);
}

static void a_slot_of_another_plugin_kind_or_database_is_refused(void **state)
{
    (void)state;
    (void)snprintf(slot.plugin, sizeof slot.plugin, "test_decoding");
    assert_refused(SYNC_CODE_SLOT, false);
    (void)start_equal(NULL);
    slot.logical = false;
    assert_refused(SYNC_CODE_SLOT, false);
    (void)start_equal(NULL);
    slot.here = false;
    assert_refused(SYNC_CODE_SLOT, false);
}

static void a_missing_publication_is_a_gap_and_its_file_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; capture_entities[i] != NULL; i++) {
        struct sync_error err;
        bool gap = false;
        entity = capture_entities[i];
        slot.publication_found = false;
        assert_refused(SYNC_CODE_SLOT, true);
        (void)capture_source_check(entity, &source, &slot, &identity, &gap, &err);
        assert_non_null(strstr(err.text, entity->tables->publication_file));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_as_recorded_streams, start_equal),
        cmocka_unit_test_setup(a_slot_that_moved_back_or_stands_at_our_position_streams,
                               start_equal),
        cmocka_unit_test_setup(without_a_record_it_refuses_before_anything_else, start_equal),
        cmocka_unit_test_setup(another_server_is_refused_without_a_gap, start_equal),
        cmocka_unit_test_setup(another_timeline_is_a_gap_in_either_direction, start_equal),
        cmocka_unit_test_setup(a_missing_slot_is_a_gap, start_equal),
        cmocka_unit_test_setup(a_slot_whose_log_is_lost_is_a_gap, start_equal),
        cmocka_unit_test_setup(a_slot_one_byte_ahead_of_what_is_delivered_is_a_gap, start_equal),
        cmocka_unit_test_setup(a_slot_of_another_plugin_kind_or_database_is_refused, start_equal),
        cmocka_unit_test_setup(a_missing_publication_is_a_gap_and_its_file_is_named, start_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
