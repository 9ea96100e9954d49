/*
 * Shows which events a row of Altinn 3 becomes: of what kind, for which rights, by a person or a
 * machine, born or an echo. Every row of the tables in section 7 and 11 of the domain reference,
 * one at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../connectors/altinn3/authorization_ids.h"
#include "../../connectors/altinn3/delegation_events.h"

static struct delegation_known known;
static struct delegation_row row;
static struct delegation_answer answer;
static struct capture_item item;
static struct delegation_change change;
static struct sync_error err;
static uint8_t memory[32768];

static struct sync_uuid uuid(const char *text)
{
    struct sync_uuid id;
    assert_true(sync_uuid_parse(sync_bytes_text(text), &id));
    return id;
}

static void set_stamp(const char *system, const char *operation)
{
    row.stamp = (struct delegation_stamp){.has_by = true,
                                          .has_system = true,
                                          .by = {{0xbb}},
                                          .system = uuid(system),
                                          .time_us = 1700000000000000};
    (void)strcpy(row.stamp.operation, operation);
}

/* A person grants "read" on a resource to K. */
static int make_row(void **state)
{
    (void)state;
    assert_true(delegation_known_init(&known, AUTHORIZATION_IDENTITY));
    row = (struct delegation_row){.kind = DELEGATION_ROW_RESOURCE, .id = {{1}}};
    answer = (struct delegation_answer){
        .edge = {.from = {{0xf0}}, .to = {{0x70}}, .container = DELEGATION_CONTAINER_RIGHTHOLDER},
        .object = {.id = "app_ttd_form"},
        .now = {.names = "read"},
    };
    item = (struct capture_item){
        .row = &row, .answer = &answer, .sequence = 50, .committed_us = 1700000009000000};
    set_stamp(AUTHORIZATION_SYSTEM_END_USER_API, "op");
    return 0;
}

static bool make(unsigned part)
{
    struct sync_arena arena;
    bool present = false;
    sync_arena_init(&arena, memory, sizeof memory);
    assert_true(
        sync_is_ok(delegation_event_make(&known, &item, part, &arena, &present, &change, &err)));
    return present;
}

static bool counts(const char **ret_reason)
{
    return delegation_row_counts(&row, &answer, ret_reason);
}

static void assert_rights(const char *wanted)
{
    char text[512] = "";
    struct sync_texts left = change.rights;
    struct sync_bytes right;
    while (sync_texts_next(&left, &right)) {
        (void)strncat(text, (const char *)right.data, right.size);
        (void)strcat(text, " ");
    }
    assert_string_equal(text, wanted);
}

static void make_changed(const char *old, const char *now)
{
    row.act = DELEGATION_ROW_CHANGED;
    row.before = row.place;
    answer.edge_before = answer.edge;
    answer.object_before = answer.object;
    (void)strcpy(answer.old.names, old);
    (void)strcpy(answer.now.names, now);
}

static void a_new_row_grants_the_actions_of_its_document(void **state)
{
    (void)state;
    (void)strcpy(answer.now.names, "read\nsign\nwrite");
    assert_true(make(0));
    assert_int_equal(change.source, DELEGATION_A3);
    assert_int_equal(change.op, DELEGATION_GRANT);
    assert_int_equal(change.kind, DELEGATION_SINGLE);
    assert_int_equal(change.target_kind, DELEGATION_TARGET_RESOURCE);
    assert_true(sync_bytes_equal(change.target_id, sync_bytes_text("app_ttd_form")));
    assert_int_equal(change.from.uuid.bytes[0], 0xf0);
    assert_int_equal(change.to.uuid.bytes[0], 0x70);
    assert_false(change.facilitator.present || change.has_instance || change.has_origin);
    assert_true(change.event_time_us == 1700000000000000);
    assert_rights("read sign write ");
    assert_false(make(1));
}

static void a_deleted_row_revokes_everything_and_names_nothing(void **state)
{
    (void)state;
    row.act = DELEGATION_ROW_DELETED;
    assert_true(make(0));
    assert_int_equal(change.op, DELEGATION_REVOKE_ALL);
    assert_int_equal(change.rights.count, 0);
    assert_int_equal(change.by, DELEGATION_HUMAN);
    assert_false(make(1));
}

static void a_changed_document_is_a_grant_and_a_revoke_of_the_difference(void **state)
{
    (void)state;
    make_changed("read\nsign\nwrite", "read\nsubscribe\nwrite");
    assert_true(make(0));
    assert_int_equal(change.op, DELEGATION_GRANT);
    assert_rights("subscribe ");
    assert_true(make(1));
    assert_int_equal(change.op, DELEGATION_REVOKE);
    assert_rights("sign ");
    assert_int_equal(change.by, DELEGATION_HUMAN);
}

static void only_the_part_that_changed_is_told(void **state)
{
    (void)state;
    make_changed("read", "read\nwrite");
    assert_true(make(0));
    assert_false(make(1));
    make_changed("read\nwrite", "read");
    assert_false(make(0));
    assert_true(make(1));
    assert_rights("write ");
    make_changed("write\nread", "read\nwrite"); /* the same set */
    assert_false(make(0) || make(1));
    make_changed("rea", "read"); /* no part of a word is the word */
    assert_true(make(0) && make(1));
}

static void every_kind_of_row_has_its_kind_of_event(void **state)
{
    (void)state;
    static const struct {
        enum delegation_row_kind row;
        enum delegation_container container;
        enum delegation_kind kind;
        enum delegation_target_kind target;
        const char *target_id, *rights;
    } kinds[] = {
        {DELEGATION_ROW_ASSIGNMENT, DELEGATION_CONTAINER_ROLE, DELEGATION_ROLE,
         DELEGATION_TARGET_ROLE, "hadm", "* "},
        {DELEGATION_ROW_RESOURCE, DELEGATION_CONTAINER_RIGHTHOLDER, DELEGATION_SINGLE,
         DELEGATION_TARGET_RESOURCE, "thing", "read "},
        {DELEGATION_ROW_INSTANCE, DELEGATION_CONTAINER_RIGHTHOLDER, DELEGATION_INSTANCE,
         DELEGATION_TARGET_RESOURCE, "thing", "read "},
        {DELEGATION_ROW_PACKAGE, DELEGATION_CONTAINER_RIGHTHOLDER, DELEGATION_PACKAGE,
         DELEGATION_TARGET_PACKAGE, "thing", "* "},
        {DELEGATION_ROW_CLIENT_PACKAGE, DELEGATION_CONTAINER_OTHER, DELEGATION_CLIENT,
         DELEGATION_TARGET_PACKAGE, "thing", "* "},
    };
    (void)strcpy(answer.object.id, "thing");
    (void)strcpy(answer.edge.role, "hadm");
    (void)strcpy(row.place.instance, "urn:altinn:correspondence-id:1");
    answer.edge.facilitator = (struct sync_uuid){{0x60}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *reason = NULL;
        row.kind = kinds[i].row;
        answer.edge.container = kinds[i].container;
        assert_true(counts(&reason));
        assert_true(make(0));
        assert_int_equal(change.kind, kinds[i].kind);
        assert_int_equal(change.target_kind, kinds[i].target);
        assert_true(sync_bytes_equal(change.target_id, sync_bytes_text(kinds[i].target_id)));
        assert_rights(kinds[i].rights);
        assert_int_equal(change.has_instance, kinds[i].kind == DELEGATION_INSTANCE);
        assert_int_equal(change.facilitator.present, kinds[i].kind == DELEGATION_CLIENT);
    }
}

static void the_container_tells_whether_an_app_gave_it(void **state)
{
    (void)state;
    row.kind = DELEGATION_ROW_INSTANCE;
    assert_true(make(0));
    assert_false(change.app_controlled);
    answer.edge.container = DELEGATION_CONTAINER_APP;
    assert_true(make(0));
    assert_true(change.app_controlled);
}

static void what_is_no_delegation_is_dropped_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        enum delegation_row_kind kind;
        enum delegation_container container;
        enum delegation_object_type type;
        const char *reason;
    } rows[] = {
        {DELEGATION_ROW_DELEGATION, DELEGATION_CONTAINER_OTHER, DELEGATION_OBJECT_PLAIN, NULL},
        {DELEGATION_ROW_ASSIGNMENT, DELEGATION_CONTAINER_OTHER, DELEGATION_OBJECT_PLAIN, NULL},
        {DELEGATION_ROW_ASSIGNMENT, DELEGATION_CONTAINER_RIGHTHOLDER, DELEGATION_OBJECT_PLAIN,
         NULL},
        {DELEGATION_ROW_RESOURCE, DELEGATION_CONTAINER_SUPPLIER, DELEGATION_OBJECT_PLAIN,
         "other_container"},
        {DELEGATION_ROW_RESOURCE, DELEGATION_CONTAINER_RIGHTHOLDER, DELEGATION_OBJECT_SCHEMA,
         "other_container"},
        {DELEGATION_ROW_RESOURCE, DELEGATION_CONTAINER_RIGHTHOLDER, DELEGATION_OBJECT_ALTINN2,
         "written_through"},
        {DELEGATION_ROW_INSTANCE, DELEGATION_CONTAINER_SUPPLIER, DELEGATION_OBJECT_PLAIN,
         "other_container"},
        {DELEGATION_ROW_PACKAGE, DELEGATION_CONTAINER_APP, DELEGATION_OBJECT_PLAIN,
         "other_container"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *reason = "none";
        row.kind = rows[i].kind;
        answer.edge.container = rows[i].container;
        answer.object.type = rows[i].type;
        assert_false(counts(&reason));
        if (rows[i].reason == NULL) {
            assert_null(reason);
        } else {
            assert_string_equal(reason, rows[i].reason);
        }
    }
}

static void a_schema_counts_under_its_supplier(void **state)
{
    (void)state;
    const char *reason = NULL;
    answer.object.type = DELEGATION_OBJECT_SCHEMA;
    answer.edge.container = DELEGATION_CONTAINER_SUPPLIER;
    assert_true(counts(&reason));
}

static void a_new_row_that_gives_nothing_is_dropped_and_its_end_is_not(void **state)
{
    (void)state;
    const char *reason = NULL;
    answer.now.names[0] = '\0';
    assert_false(counts(&reason));
    assert_string_equal(reason, "no_actions");
    row.act = DELEGATION_ROW_DELETED;
    assert_true(counts(&reason));
}

static void an_instance_that_does_not_fit_is_dropped(void **state)
{
    (void)state;
    const char *reason = NULL;
    row.kind = DELEGATION_ROW_INSTANCE;
    row.place.is_cut = true;
    assert_false(counts(&reason));
    assert_string_equal(reason, "instance_too_long");
}

static void only_a_user_through_a_system_of_people_is_a_person(void **state)
{
    (void)state;
    static const struct {
        const char *system;
        bool has_by, no_user, human;
    } rows[] = {
        {AUTHORIZATION_SYSTEM_END_USER_API, true, false, true},
        {AUTHORIZATION_SYSTEM_LEGACY_RIGHTS_API, true, false, true},
        {AUTHORIZATION_SYSTEM_LEGACY_SCHEMA_API, true, false, true},
        {AUTHORIZATION_SYSTEM_END_USER_API, false, false, false},
        {AUTHORIZATION_SYSTEM_END_USER_API, true, true, false},
        {AUTHORIZATION_SYSTEM_APP_INSTANCE_API, true, false, false},
        {AUTHORIZATION_SYSTEM_SINGLE_RIGHT_IMPORT, true, false, false},
        {AUTHORIZATION_SYSTEM_INSTANCE_RIGHT_IMPORT, true, false, false},
        {"00000000-1111-4222-8333-444444444444", true, false, false},
    };
    for (size_t act = 0; act < 2; act++) {
        row.act = act == 0 ? DELEGATION_ROW_INSERTED : DELEGATION_ROW_DELETED;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            set_stamp(rows[i].system, "op");
            row.stamp.has_by = rows[i].has_by;
            answer.performer_is_no_user = rows[i].no_user;
            assert_true(make(0));
            assert_int_equal(change.by, rows[i].human ? DELEGATION_HUMAN : DELEGATION_MACHINE);
            assert_int_equal(change.performer.present, rows[i].has_by);
            assert_false(change.has_origin);
        }
    }
    row.stamp.has_system = false;
    assert_true(make(0));
    assert_int_equal(change.by, DELEGATION_MACHINE);
}

static void our_writes_carry_the_origin_that_stands_in_their_operation(void **state)
{
    (void)state;
    static const struct {
        const char *operation, *stream;
        int32_t source;
        int64_t seq;
    } rows[] = {
        {"altinn-sync/A2/a2.rule.1/4711", "a2.rule.1", DELEGATION_A2, 4711},
        {"altinn-sync/A3/a3.change.12/9", "a3.change.12", DELEGATION_A3, 9},
        {"altinn-sync/SYS/sys.register.1/0", "sys.register.1", DELEGATION_SYS, 0},
    };
    for (size_t i = 0; i < 3; i++) {
        set_stamp(AUTHORIZATION_IDENTITY, rows[i].operation);
        assert_true(make(0));
        assert_true(change.has_origin && change.has_origin_stream && change.has_origin_seq);
        assert_int_equal(change.origin_source, rows[i].source);
        assert_true(sync_bytes_equal(change.origin_stream, sync_bytes_text(rows[i].stream)));
        assert_true(change.origin_seq == rows[i].seq);
        assert_int_equal(change.by, DELEGATION_MACHINE);
    }
}

static void an_operation_that_is_not_ours_tells_only_that_we_wrote(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "altinn-sync/",
                                        "altinn-sync/A2",
                                        "altinn-sync/A2/",
                                        "altinn-sync/A2//5",
                                        "altinn-sync/A2/a2.rule.1/",
                                        "altinn-sync/A2/a2.rule.1/x5",
                                        "altinn-sync/A4/a/5",
                                        "altinn-sync/A2/a2.rule.1/9999999999999999999",
                                        "A2/a2.rule.1/5",
                                        "repair by hand",
                                        "altinn-sync/A2/a2.rule.1/-5"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        set_stamp(AUTHORIZATION_IDENTITY, texts[i]);
        assert_true(make(0));
        assert_true(change.has_origin);
        assert_false(change.has_origin_stream || change.has_origin_seq);
    }
}

static void copies_of_altinn_2_are_echoes_without_a_number(void **state)
{
    (void)state;
    static const char *const systems[] = {AUTHORIZATION_SYSTEM_A2_ROLE_IMPORT,
                                          AUTHORIZATION_SYSTEM_A2_ADD_RULES_API,
                                          AUTHORIZATION_SYSTEM_A2_INSTANCE_IMPORT};
    for (size_t i = 0; i < 3; i++) {
        set_stamp(systems[i], "altinn-sync/A2/a2.rule.1/5"); /* a text that anybody may write */
        assert_true(make(0));
        assert_true(change.has_origin);
        assert_int_equal(change.origin_source, DELEGATION_A2);
        assert_false(change.has_origin_stream);
    }
}

/* DL-92: the last writer owns the row. */
static void what_somebody_else_does_to_our_row_is_born(void **state)
{
    (void)state;
    row.act = DELEGATION_ROW_DELETED; /* its stamp is the one of the deletion */
    assert_true(make(0));
    assert_false(change.has_origin);
    assert_int_equal(change.by, DELEGATION_HUMAN);
}

static void a_writer_who_left_our_stamp_is_born_and_a_machine(void **state)
{
    (void)state;
    make_changed("read", "read\nwrite");
    set_stamp(AUTHORIZATION_IDENTITY, "altinn-sync/A2/a2.rule.1/5");
    row.unstamped = true;
    assert_true(make(0));
    assert_false(change.has_origin || change.performer.present);
    assert_int_equal(change.by, DELEGATION_MACHINE);
    assert_true(change.event_time_us == item.committed_us);
    set_stamp(AUTHORIZATION_SYSTEM_END_USER_API, "op");
    assert_true(make(0));
    assert_int_equal(change.by, DELEGATION_MACHINE); /* nor is he the person of before */
}

static void a_transaction_with_an_origin_of_ours_is_ours_whatever_its_stamp(void **state)
{
    (void)state;
    item.own_write = true;
    assert_true(make(0));
    assert_true(change.has_origin);
    assert_false(change.has_origin_stream);
    assert_int_equal(change.by, DELEGATION_MACHINE);
}

static void a_lost_document_counts_as_empty_and_no_person_took_it(void **state)
{
    (void)state;
    const char *reason = NULL;
    make_changed("read\nwrite", "");
    answer.now.missing = true;
    assert_true(counts(&reason));
    assert_false(make(0));
    assert_true(make(1));
    assert_rights("read write ");
    assert_int_equal(change.by, DELEGATION_MACHINE);
}

static void a_lost_document_of_before_ends_everything_and_grants_anew(void **state)
{
    (void)state;
    make_changed("", "read");
    answer.old.missing = true;
    assert_true(make(0));
    assert_int_equal(change.op, DELEGATION_REVOKE_ALL);
    assert_int_equal(change.by, DELEGATION_MACHINE);
    assert_true(make(1));
    assert_int_equal(change.op, DELEGATION_GRANT);
    assert_rights("read ");
    assert_int_equal(change.by, DELEGATION_HUMAN);
}

static void a_row_that_moved_ends_there_and_grants_here(void **state)
{
    (void)state;
    make_changed("read", "read");
    row.before.parent = (struct sync_uuid){{9}};
    answer.edge_before.to = (struct sync_uuid){{0x71}};
    assert_true(make(0));
    assert_int_equal(change.op, DELEGATION_REVOKE_ALL);
    assert_int_equal(change.to.uuid.bytes[0], 0x71);
    assert_true(make(1));
    assert_int_equal(change.op, DELEGATION_GRANT);
    assert_int_equal(change.to.uuid.bytes[0], 0x70);
    answer.edge_before.container = DELEGATION_CONTAINER_OTHER; /* it came from nowhere of ours */
    assert_false(make(0));
    assert_true(make(1));
    answer.edge_before = answer.edge;
    answer.edge.container = DELEGATION_CONTAINER_OTHER; /* or went there */
    assert_true(make(0));
    assert_false(make(1));
}

static void a_time_without_end_is_no_time(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 2; i++) {
        row.stamp.time_us = times[i];
        assert_true(make(0));
        assert_false(change.has_event_time);
    }
}

/* The largest document that fits is told whole. */
static void sixty_four_actions_of_sixty_four_bytes_fit(void **state)
{
    (void)state;
    char *at = answer.now.names;
    for (int i = 0; i < DELEGATION_RIGHTS_MAX; i++) {
        memset(at, 'a', DELEGATION_RIGHT_SIZE - 1);
        at[0] = (char)('0' + i / 10);
        at[1] = (char)('0' + i % 10);
        at += DELEGATION_RIGHT_SIZE - 1;
        *at++ = i + 1 < DELEGATION_RIGHTS_MAX ? '\n' : '\0';
    }
    assert_true(make(0));
    assert_int_equal(change.rights.count, DELEGATION_RIGHTS_MAX);
}

static void a_full_arena_is_told(void **state)
{
    (void)state;
    struct sync_arena arena;
    bool present = false;
    sync_arena_init(&arena, memory, 64);
    assert_int_equal(delegation_event_make(&known, &item, 0, &arena, &present, &change, &err).class,
                     SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_MEMORY_LIMIT);
}

#define CASE(test) cmocka_unit_test_setup(test, make_row)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_new_row_grants_the_actions_of_its_document),
        CASE(a_deleted_row_revokes_everything_and_names_nothing),
        CASE(a_changed_document_is_a_grant_and_a_revoke_of_the_difference),
        CASE(only_the_part_that_changed_is_told),
        CASE(every_kind_of_row_has_its_kind_of_event),
        CASE(the_container_tells_whether_an_app_gave_it),
        CASE(what_is_no_delegation_is_dropped_with_its_reason),
        CASE(a_schema_counts_under_its_supplier),
        CASE(a_new_row_that_gives_nothing_is_dropped_and_its_end_is_not),
        CASE(an_instance_that_does_not_fit_is_dropped),
        CASE(only_a_user_through_a_system_of_people_is_a_person),
        CASE(our_writes_carry_the_origin_that_stands_in_their_operation),
        CASE(an_operation_that_is_not_ours_tells_only_that_we_wrote),
        CASE(copies_of_altinn_2_are_echoes_without_a_number),
        CASE(what_somebody_else_does_to_our_row_is_born),
        CASE(a_writer_who_left_our_stamp_is_born_and_a_machine),
        CASE(a_transaction_with_an_origin_of_ours_is_ours_whatever_its_stamp),
        CASE(a_lost_document_counts_as_empty_and_no_person_took_it),
        CASE(a_lost_document_of_before_ends_everything_and_grants_anew),
        CASE(a_row_that_moved_ends_there_and_grants_here),
        CASE(a_time_without_end_is_no_time),
        CASE(sixty_four_actions_of_sixty_four_bytes_fit),
        CASE(a_full_arena_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
