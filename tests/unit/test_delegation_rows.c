/*
 * Shows rules of delegations that only rows can show: what waits too long, who stands in Altinn 3
 * for a performer that nobody knows, roles that are not there yet, whose parents go, echoes of
 * nothing, and a row that changes under us. Needs SYNC_TEST_DSN.
 */
#include "../../connectors/altinn3/delegation_metrics.h"
#include "../../src/runtime/housekeeping.h"
#include "delegation_database.h"

static int start(void **state)
{
    (void)state;
    return deleg_start("rows");
}

static int stop(void **state)
{
    (void)state;
    return deleg_stop();
}

static int set_up(void **state)
{
    (void)state;
    if (own.usable) {
        clear_world();
    }
    return 0;
}

static void one(struct delegation_change change, const char *rule)
{
    assert_string_equal(apply_one(change), rule);
}

/* DL-09 */
static void what_waits_for_a_party_for_a_week_is_parked_and_still_released(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    const struct sync_route *route = &deleg_processor->routes[0];
    struct sync_applier applier = applier_of(route);
    applier.config = NULL; /* the age that the processor names */
    struct sync_housekeeping housekeeping = {.applier = &applier, .arena = &base.arena};
    const struct sync_place place = {route->name, A2_TOPIC, SYS_PARTITION};
    const struct sync_uuid newcomer = {{0x91}};
    size_t aged = 0;
    int64_t now_us = 0;
    struct delegation_change c = world_rule(1, DELEGATION_GRANT, "Read", 10);
    c.to = (struct delegation_name){.present = true, .has_user_id = true, .user_id = 911};
    one(c, "DL-08");
    for (int day = 6; day <= 8; day += 2) {
        run_sql("UPDATE sync.hold SET since = now() - interval '%d days'", day);
        must(sync_txn_begin(own.db, &(struct sync_txn_limits){0}, &now_us, &own.err));
        must(sync_housekeeping_age(&housekeeping, &place, now_us, &aged, &own.err));
        must(sync_txn_commit(own.db, &own.err));
        assert_int_equal(aged, day == 8 ? 1 : 0);
    }
    assert_int_equal(ask("SELECT count(*) FROM sync.parked WHERE rule = 'DL-09'"
                         " AND code = 'held_too_long' AND missing_kind = 'user_id'"
                         " AND missing_id = '911'"),
                     1);
    insert_entity(&newcomer, AUTHORIZATION_TYPE_PERSON, 910, 911);
    release(id_text(&world_f));
    assert_string_equal(effective_of(DELEGATION_SINGLE), "read");
}

/* DL-17 */
static void a_performer_that_nobody_knows_is_kept_and_we_stand_in_for_him(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    const struct sync_uuid stranger = {{0xaa, 0xbb}};
    struct delegation_change c = world_rule(1, DELEGATION_GRANT, "Read", 10);
    c.performer = world_party(&stranger);
    one(c, "DL-20");
    assert_int_equal(
        ask("SELECT count(*) FROM sync.deleg_ref WHERE performer = '%s'", id_text(&stranger)), 1);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource WHERE audit_changedby = '%s'",
                         id_text(&world_us)),
                     1);
}

/* DL-73, DL-74 */
static void a_role_that_altinn3_lacks_is_decided_and_written_when_it_comes(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    one(world_role(70, DELEGATION_GRANT, "UTINN", NULL, 100), "DL-20");
    assert_string_equal(effective_of(DELEGATION_ROLE), "*");
    assert_int_equal(ask("SELECT count(*) FROM sync.pending WHERE dependency_kind = 'role'"
                         " AND dependency_id = 'urn:altinn:rolecode:utinn'"),
                     1);
    insert_role("00000000-0000-7000-8000-0000000000d7", "utinn");
    sweep_all();
    assert_int_equal(ask("SELECT count(*) FROM sync.pending"), 0);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment WHERE roleid ="
                         " '00000000-0000-7000-8000-0000000000d7'"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment"), 1); /* no empty container */
}

/* DL-81 */
static void a_parent_that_we_did_not_make_stays(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql("INSERT INTO dbo.assignment (id, fromid, toid, roleid, audit_changedby,"
            " audit_changedbysystem, audit_validfrom) VALUES (md5('p')::uuid, '%s', '%s',"
            " '" AUTHORIZATION_ROLE_RIGHTHOLDER "', '%s',"
            " '" AUTHORIZATION_SYSTEM_END_USER_API "', now() - interval '1 h')",
            id_text(&world_f), id_text(&world_k), id_text(&world_g));
    one(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource WHERE assignmentid ="
                         " md5('p')::uuid"),
                     1);
    one(world_rule(2, DELEGATION_REVOKE, "Read", 20), "DL-35");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"), 0);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment"), 1);
    assert_int_equal(ask("SELECT count(*) FROM dbo_history.auditassignment"), 0);
}

/* DL-93 */
static void an_echo_of_what_nobody_decided_is_counted(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    one(world_a3(5, DELEGATION_GRANT, "read", 10), "DL-20");
    int64_t before = deleg_counted(DELEG_ECHO_UNKNOWN);
    struct delegation_change echo = world_rule(1, DELEGATION_GRANT, "Read", 12);
    world_origin(&echo, DELEGATION_A3, 5);
    one(echo, "DL-06");
    assert_int_equal(deleg_counted(DELEG_ECHO_UNKNOWN) - before, 0);
    echo = world_rule(2, DELEGATION_REVOKE, "Read", 13);
    world_origin(&echo, DELEGATION_A3, 77);
    one(echo, "DL-07");
    assert_int_equal(deleg_counted(DELEG_ECHO_UNKNOWN) - before, 1);
}

static void swap_connections(void)
{
    struct sync_db *db = own.db;
    own.db = own.other;
    own.other = db;
}

/* DL-102: of two writers the one that began first comes second to the row. */
static void come_second(int dated_us)
{
    struct delegation_change revoke = today(world_rule(2, DELEGATION_REVOKE, "Read", 20));
    const struct sync_route *route = route_of(&revoke);
    int64_t before = deleg_counted(DELEG_AUDIT_ORDER_RETRY), began_us = 0;
    size_t lane_effects = 0;
    must(sync_txn_begin(own.db, &(struct sync_txn_limits){0}, &began_us, &own.err));
    must(sync_db_script(own.db, "SELECT pg_current_xact_id()", &own.err)); /* as the gate does */
    swap_connections();
    one(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20");
    swap_connections();
    if (dated_us != 0) { /* by the clock of a writer that is slow, and we know of it */
        run_sql("SET session_replication_role = replica; UPDATE dbo.assignmentresource"
                " SET audit_validfrom = audit_validfrom + interval '%d us';"
                "UPDATE sync.deleg_key SET a3_row_validfrom = a3_row_validfrom + interval '%d us';"
                "SET session_replication_role = origin",
                dated_us, dated_us);
    }
    struct sync_applier applier = applier_of(route);
    sync_arena_reset(&base.arena, 0);
    sync_arena_reset(&base.records_arena, 0);
    make_record(&revoke, &base.records[0]);
    base.batch = (struct sync_batch){.processor = deleg_processor,
                                     .route = route,
                                     .scope = route->name,
                                     .topic = topic_of(&revoke),
                                     .partition = SYS_PARTITION,
                                     .now_us = began_us,
                                     .arena = &base.arena,
                                     .records = base.records,
                                     .record_count = 1};
    sync_apply_intake(&applier, &base.batch);
    assert_int_equal(
        sync_apply_batch(&applier, &base.batch, NULL, 0, &lane_effects, &own.err).class,
        SYNC_CLASS_RETRY);
    assert_int_equal(own.err.code, SYNC_CODE_DB_CONFLICT);
    sync_txn_rollback(own.db);
    assert_int_equal(deleg_counted(DELEG_AUDIT_ORDER_RETRY) - before, 1);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"), 1);
    apply_batch(&revoke, 1); /* again, begun later */
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"), 0);
    assert_int_equal(ask("SELECT count(*) FROM dbo_history.auditassignmentresource"
                         " WHERE audit_validfrom < audit_validto"),
                     1);
}

static void a_row_that_is_newer_than_our_transaction_makes_the_batch_come_again(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    come_second(0);
}

static void a_row_that_is_newer_and_dated_before_makes_it_come_again_too(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    come_second(-700000);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        CASE(what_waits_for_a_party_for_a_week_is_parked_and_still_released),
        CASE(a_performer_that_nobody_knows_is_kept_and_we_stand_in_for_him),
        CASE(a_role_that_altinn3_lacks_is_decided_and_written_when_it_comes),
        CASE(a_parent_that_we_did_not_make_stays),
        CASE(an_echo_of_what_nobody_decided_is_counted),
        CASE(a_row_that_is_newer_than_our_transaction_makes_the_batch_come_again),
        CASE(a_row_that_is_newer_and_dated_before_makes_it_come_again_too),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
