/*
 * Shows what the store of delegations reads and writes on a real PostgreSQL, one thing at a time:
 * keys, refs, marks, history, ledger, what waits, and the rows of Altinn 3 with their stamps.
 * Records are encoded and applied through the runtime's own batch. Needs SYNC_TEST_DSN.
 */
#include "delegation_database.h"

static int start(void **state)
{
    (void)state;
    return deleg_start("deleg");
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

/* State -------------------------------------------------------------------------------------- */

static void a_grant_makes_key_ref_history_and_ledger(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct delegation_change c = world_rule(7, DELEGATION_GRANT, "Read", 10);
    c.performer = world_party(&world_g);
    one(c, "DL-20");
    assert_string_equal(effective_of(DELEGATION_SINGLE), "read");
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE version = 1 AND from_id = '%s'"
                         " AND to_id = '%s' AND target = '" SERVICE_TARGET "'"
                         " AND effective_hash IS NOT NULL AND held_a3 = '{read}'",
                         id_text(&world_f), id_text(&world_k)),
                     1);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.deleg_ref WHERE right_id = 'read' AND source = 2"
            " AND ref = '5190/2/read' AND seq = 7 AND op = 0 AND present"
            " AND a2_right = 'read' AND rule = 'DL-20' AND performer = '%s'"
            " AND op_time = to_timestamp(%lld)",
            id_text(&world_g), (long long)(base.base_us / SECOND + 10)),
        1);
    assert_int_equal(ask("SELECT count(*) FROM sync.history WHERE version = 1 AND before = '{}'"
                         " AND after = '{read}' AND source = 2 AND stream = 'a2.rule.1'"
                         " AND seq = 7 AND rule = 'DL-20' AND event_time IS NOT NULL"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM sync.seen WHERE source = 2 AND stream = 'a2.rule.1'"
                         " AND seq = 7 AND outcome = 0 AND rule = 'DL-20'"),
                     1);
}

static void the_same_event_again_is_a_duplicate_without_a_lock(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct delegation_change c = today(world_rule(7, DELEGATION_GRANT, "Read", 10));
    struct delegation_change twice[] = {c, c};
    apply_batch(twice, 2);
    assert_string_equal(base.records[0].fold.rule, "DL-20");
    assert_string_equal(base.records[1].fold.rule, "DL-01");
    apply_batch(&c, 1);
    assert_true(base.records[0].settled);
    assert_string_equal(base.records[0].fold.rule, "DL-01");
    assert_int_equal(ask("SELECT version FROM sync.deleg_key"), 1);
}

/* Altinn 3 ------------------------------------------------------------------------------------- */

static void a_grant_writes_parent_row_document_and_stamps(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct delegation_change c = world_rule(7, DELEGATION_GRANT, "Read", 10);
    c.performer = world_party(&world_g);
    one(c, "DL-20");
    assert_int_equal(
        ask("SELECT count(*) FROM dbo.assignment a JOIN dbo.assignmentresource c"
            " ON c.assignmentid = a.id JOIN dbo.resource r ON r.id = c.resourceid"
            " JOIN sync.policy_document d ON d.path = c.policypath AND d.version = c.policyversion"
            " WHERE a.fromid = '%s' AND a.toid = '%s' AND a.roleid = "
            "'" AUTHORIZATION_ROLE_RIGHTHOLDER "' AND r.refid = '" SERVICE_TARGET
            "' AND d.actions = '{read}' AND d.instance IS NULL"
            " AND c.audit_changedby = '%s' AND a.audit_changedby = '%s'"
            " AND c.audit_changedbysystem = '%s' AND a.audit_changedbysystem = '%s'"
            " AND c.audit_changeoperation = 'altinn-sync/A2/a2.rule.1/7'"
            " AND c.delegationchangeid = 0 AND substr(c.id::text, 15, 1) = '7'"
            " AND substr(a.id::text, 15, 1) = '7'",
            id_text(&world_f), id_text(&world_k), id_text(&world_g), id_text(&world_g),
            id_text(&world_us), id_text(&world_us)),
        1);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key k JOIN dbo.assignmentresource c"
                         " ON c.id = k.a3_row_id AND c.audit_validfrom = k.a3_row_validfrom"),
                     1);
}

static void the_last_revoke_removes_row_and_parent_and_stamps_history(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    one(world_rule(7, DELEGATION_GRANT, "Read", 10), "DL-20");
    struct delegation_change c = world_rule(8, DELEGATION_REVOKE, "Read", 20);
    c.performer = world_party(&world_g);
    one(c, "DL-35");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment"), 0);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"), 0);
    assert_int_equal(ask("SELECT count(*) FROM dbo_history.auditassignmentresource"
                         " WHERE audit_deletedby = '%s' AND audit_deletedbysystem = '%s'"
                         " AND audit_deleteoperation = 'altinn-sync/A2/a2.rule.1/8'"
                         " AND audit_validfrom < audit_validto",
                         id_text(&world_g), id_text(&world_us)),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE held_a3 = '{}'"
                         " AND a3_row_id IS NULL AND a3_row_validfrom IS NULL"),
                     1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        CASE(a_grant_makes_key_ref_history_and_ledger),
        CASE(the_same_event_again_is_a_duplicate_without_a_lock),
        CASE(a_grant_writes_parent_row_document_and_stamps),
        CASE(the_last_revoke_removes_row_and_parent_and_stamps_history),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
