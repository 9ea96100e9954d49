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

/* Keeping and releasing --------------------------------------------------------------------------
 */

static void one_of_two_rules_keeps_the_row(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    one(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20");
    one(world_rule(2, DELEGATION_GRANT, "Write", 11), "DL-22");
    one(world_rule(3, DELEGATION_REVOKE, "Read", 20), "DL-31");
    assert_string_equal(effective_of(DELEGATION_SINGLE), "read");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"), 1);
    assert_int_equal(ask("SELECT count(*) FROM dbo_history.auditassignmentresource"), 0);
}

static void a_second_right_updates_the_row_once(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct delegation_change c[2] = {
        today(world_message("a2.message.1", 1, DELEGATION_GRANT, "read", "501", 10)),
        today(world_message("a2.message.1", 2, DELEGATION_GRANT, "sign", "501", 11))};
    apply_batch(c, 1);
    apply_batch(c + 1, 1);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentinstance i JOIN sync.policy_document d"
                         " ON d.path = i.policypath AND d.version = i.policyversion"
                         " WHERE d.actions = '{read,sign}' AND d.instance = i.instanceid"
                         " AND i.instancesourcetypeid = '" AUTHORIZATION_INSTANCE_BY_USER
                         "' AND i.audit_changeoperation = 'altinn-sync/A2/a2.message.1/2'"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM dbo_history.auditassignmentinstance"
                         " WHERE audit_validfrom < audit_validto AND audit_deletedby IS NULL"),
                     1);
}

static void a_grant_and_its_revoke_in_one_batch_write_nothing(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct delegation_change c[2] = {today(world_rule(1, DELEGATION_GRANT, "Read", 10)),
                                     today(world_rule(2, DELEGATION_REVOKE, "Read", 20))};
    apply_batch(c, 2);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment"), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.history"), 2);
    assert_int_equal(ask("SELECT count(*) FROM dbo_history.auditassignment"), 0);
}

static void a_role_brings_its_package_and_takes_it_away(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    one(world_role(70, DELEGATION_GRANT, "HADM", NULL, 100), "DL-20");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment a WHERE a.roleid = '%s'",
                         id_text(&world_roles[0].id)),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentpackage p JOIN dbo.assignment a"
                         " ON a.id = p.assignmentid AND a.roleid = '" AUTHORIZATION_ROLE_RIGHTHOLDER
                         "'"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_ref r JOIN sync.deleg_key k"
                         " ON k.key_id = r.role_key_id AND k.kind = 3"),
                     1);
    one(world_role(71, DELEGATION_REVOKE, "HADM", NULL, 200), "DL-35");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment"), 0);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentpackage"), 0);
}

static void a_client_role_waits_for_its_relation_and_is_written_then(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    one(world_role(80, DELEGATION_GRANT, "A0239", &world_g, 10), "DL-20");
    assert_string_equal(effective_of(DELEGATION_CLIENT), "*");
    assert_int_equal(ask("SELECT count(*) FROM dbo.delegationpackage"), 0);
    assert_string_equal(
        ask_text("SELECT string_agg(dependency_kind || ':' || dependency_id, ',')"
                 " FROM sync.pending"),
        ask_text("SELECT 'relation:%s/%s/regnskapsforer'", id_text(&world_f), id_text(&world_g)));
    /* Since the event was captured: no watermark passes what is decided and not written. */
    assert_int_equal(ask("SELECT (extract(epoch FROM since) * 1000000)::int8 FROM sync.pending"),
                     base.base_us + 10000000LL);
    insert_relation(&world_f, &world_g);
    sweep_all();
    assert_int_equal(ask("SELECT count(*) FROM dbo.delegationpackage p JOIN dbo.delegation d"
                         " ON d.id = p.delegationid JOIN dbo.assignment a ON a.id = d.toid"
                         " WHERE d.facilitatorid = '%s' AND a.fromid = '%s' AND a.toid = '%s'"
                         " AND a.roleid = '" AUTHORIZATION_ROLE_AGENT "'"
                         " AND p.rolepackageid IS NOT NULL"
                         " AND p.audit_changeoperation = 'altinn-sync/A2/a2.role.1/80'",
                         id_text(&world_g), id_text(&world_g), id_text(&world_k)),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM sync.pending"), 0);
    one(world_role(81, DELEGATION_REVOKE, "A0239", NULL, 20), "DL-35");
    assert_int_equal(ask("SELECT (SELECT count(*) FROM dbo.delegationpackage)"
                         " + (SELECT count(*) FROM dbo.delegation)"),
                     0);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment"),
                     1); /* the relation is Register's */
}

static void an_unknown_party_is_held_and_released_in_order(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct delegation_change c[2];
    for (int i = 0; i < 2; i++) {
        c[i] = today(
            world_rule(1 + i, i == 0 ? DELEGATION_GRANT : DELEGATION_REVOKE, "Read", 10 + 10 * i));
        c[i].to = (struct delegation_name){.present = true, .has_user_id = true, .user_id = 901};
    }
    apply_batch(c, 2);
    assert_string_equal(base.records[0].fold.rule, "DL-08");
    assert_int_equal(ask("SELECT count(*) FROM sync.hold WHERE missing_kind = 'user_id'"
                         " AND missing_id = '901'"),
                     2);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key"), 0);
    const struct sync_uuid newcomer = {{0x90}};
    insert_entity(&newcomer, AUTHORIZATION_TYPE_PERSON, 900, 901);
    release(id_text(&world_f));
    assert_int_equal(ask("SELECT count(*) FROM sync.hold"), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.history"), 2);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment"), 0);
}

/* Holds a grant to a user whom nobody knows. */
static void hold_grant_to(int32_t user_id, int second)
{
    struct delegation_change c = today(world_rule(second, DELEGATION_GRANT, "Read", second));
    c.to = (struct delegation_name){.present = true, .has_user_id = true, .user_id = user_id};
    apply_batch(&c, 1);
}

static void what_waits_for_another_party_is_not_touched_by_a_release(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    hold_grant_to(911, 10);
    hold_grant_to(912, 20);
    int64_t written_by = ask("SELECT xmin::text::int8 FROM sync.hold WHERE missing_id = '912'");
    const struct sync_uuid newcomer = {{0x91}};
    insert_entity(&newcomer, AUTHORIZATION_TYPE_PERSON, 910, 911);
    release(id_text(&world_f));
    assert_int_equal(ask("SELECT count(*) FROM sync.history"), 1);
    assert_int_equal(ask("SELECT xmin::text::int8 FROM sync.hold"), written_by);
}

/* Keys that the sweep of the partition of the tests finds. */
static size_t count_adoptable(void)
{
    const struct sync_route *route = &deleg_processor->routes[0];
    struct sync_applier applier = applier_of(route);
    const struct sync_place place = {route->name, A2_TOPIC, SYS_PARTITION};
    const struct sync_key first = {.size = 0};
    struct sync_adoptable found;
    sync_arena_reset(&base.arena, 0);
    must(sync_apply_adoptable(&applier, &place, &first, 10, &base.arena, &found, &own.err));
    return found.count;
}

static void what_was_parked_for_its_age_is_found_when_its_party_comes(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    hold_grant_to(921, 10);
    run_sql(
        "INSERT INTO sync.parked (scope, topic, partition, record_offset, entity_key, rule, code,"
        " reason, appended_at, record, sealed, digest, since, missing_kind, missing_id)"
        " SELECT scope, topic, partition, record_offset, entity_key, 'DL-09', 'held_too_long',"
        " 'x', appended_at, record, false, '', since, missing_kind, missing_id FROM sync.hold;"
        "DELETE FROM sync.hold");
    assert_int_equal(count_adoptable(), 0);
    const struct sync_uuid newcomer = {{0x92}};
    insert_entity(&newcomer, AUTHORIZATION_TYPE_PERSON, 920, 921);
    assert_int_equal(count_adoptable(), 1);
    release(id_text(&world_f));
    assert_int_equal(ask("SELECT count(*) FROM sync.history"), 1);
    assert_int_equal(count_adoptable(), 0);
}

static void death_ends_what_the_sweep_finds_and_what_comes_later(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    one(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20");
    struct delegation_change c =
        world_event("sys.register.1", 300, DELEGATION_SCOPE, DELEGATION_REVOKE_ALL, 700);
    c.from = c.to = (struct delegation_name){.present = false};
    c.has_scope = c.scope_final = true;
    c.scope_kind = DELEGATION_SCOPE_PARTY;
    c.scope_ids = world_texts(id_text(&world_k));
    one(c, "DL-40");
    sweep_all();
    assert_string_equal(effective_of(DELEGATION_SINGLE), "");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment"), 0);
    assert_int_equal(ask("SELECT count(*) FROM dbo_history.auditassignmentresource"
                         " WHERE audit_deleteoperation = 'altinn-sync/SYS/sys.register.1/300'"),
                     1);
    assert_int_equal(ask("SELECT sweep_state FROM sync.sys_scope"), 0);
    one(world_rule(2, DELEGATION_GRANT, "Read", 900), "DL-26");
}

static void a_row_that_nobody_told_of_is_not_overwritten(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql("INSERT INTO dbo.assignment (id, fromid, toid, roleid, audit_validfrom)"
            " VALUES (md5('a')::uuid, '%s', '%s', '" AUTHORIZATION_ROLE_RIGHTHOLDER "', now());"
            "INSERT INTO dbo.assignmentresource (id, assignmentid, resourceid, policypath,"
            " policyversion, audit_validfrom) VALUES (md5('b')::uuid, md5('a')::uuid,"
            " md5('" SERVICE_TARGET "')::uuid, 'theirs', '1', now())",
            id_text(&world_f), id_text(&world_k));
    one(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource WHERE policypath = 'theirs'"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM sync.pending WHERE dependency_kind = 'a3_event'"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE held_a3 = '{}'"
                         " AND effective = '{read}'"),
                     1);
    /* Its event comes: Altinn 3 has the right by itself, and nothing is left to write. */
    one(world_a3(5, DELEGATION_GRANT, "read", 20), "DL-23");
    assert_int_equal(ask("SELECT count(*) FROM sync.pending"), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE held_a3 = '{read}'"), 1);
}

/*
 * 1. A person gives and takes back in Altinn 3; the stream has not told it yet.
 * 2. A grant of Altinn 2 writes the row: none is there.
 * 3. The stream tells of 1. The person's revoke ends the older grant, and our row must go.
 */
static void what_our_write_overtook_says_nothing_about_the_row(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql("INSERT INTO sync.source (name, generation, sequence_base, updated_at)"
            " VALUES ('altinn3-delegation', 1,"
            " 1000 - (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8, now())");
    one(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"), 1);
    one(world_a3(5, DELEGATION_GRANT, "sign", 20), "DL-20");
    one(world_a3(6, DELEGATION_REVOKE_ALL, "", 30), "DL-35");
    assert_string_equal(effective_of(DELEGATION_SINGLE), "");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"), 0);
    /* What comes later does: the row that is given now is theirs. */
    one(world_a3(1LL << 40, DELEGATION_GRANT, "sign", 40), "DL-24");
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE held_a3 = '{sign}'"), 1);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"), 0);
}

static void a_merged_party_takes_its_keys_and_rows_along(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    one(world_rule(1, DELEGATION_GRANT, "Read", 10), "DL-20");
    one(world_role(70, DELEGATION_GRANT, "HADM", NULL, 100), "DL-20");
    char ids[2 * SYNC_UUID_BUFFER];
    (void)snprintf(ids, sizeof ids, "%s,%s", id_text(&world_k), id_text(&world_g));
    struct delegation_change c =
        world_event("sys.register.1", 301, DELEGATION_SCOPE, DELEGATION_MERGE, 700);
    c.from = c.to = (struct delegation_name){.present = false};
    c.has_scope = true;
    c.scope_kind = DELEGATION_SCOPE_PARTY;
    c.scope_ids = world_texts(ids);
    one(c, "DL-45");
    sweep_all();
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE to_id = '%s'"
                         " AND effective <> '{}'",
                         id_text(&world_g)),
                     3);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE to_id = '%s'"
                         " AND (effective <> '{}' OR held_a3 <> '{}')",
                         id_text(&world_k)),
                     0);
    assert_int_equal(
        ask("SELECT count(*) FROM dbo.assignment WHERE toid = '%s'", id_text(&world_k)), 0);
    assert_int_equal(
        ask("SELECT count(*) FROM dbo.assignment WHERE toid = '%s'", id_text(&world_g)), 2);
    one(world_rule(2, DELEGATION_REVOKE, "Read", 800), "DL-35"); /* it names the old party */
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"), 0);
}

/* An idle stream says the same position again: it was complete up to the later time, too. */
static void a_tick_of_the_same_position_moves_its_time_alone(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    static const struct {
        int64_t seq;
        int second;
        int64_t position;
        int time;
    } ticks[] = {{500, 10, 500, 10}, {500, 15, 500, 15}, {500, 12, 500, 15}, {499, 20, 500, 15}};
    for (size_t i = 0; i < sizeof ticks / sizeof ticks[0]; i++) {
        struct delegation_change c = world_event("a2.rule.1", ticks[i].seq, DELEGATION_CONTROL,
                                                 DELEGATION_TICK, ticks[i].second);
        c.from = c.to = (struct delegation_name){.present = false};
        one(c, "DL-104");
        assert_int_equal(ask("SELECT pos FROM sync.stream_pos WHERE stream = 'a2.rule.1'"),
                         ticks[i].position);
        assert_int_equal(ask("SELECT (extract(epoch FROM pos_time) * 1000000)::int8"
                             " FROM sync.stream_pos WHERE stream = 'a2.rule.1'"),
                         base.base_us + ticks[i].time * 1000000LL);
    }
}

static void a_tick_raises_the_position_and_an_end_counts(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct delegation_change c =
        world_event("a2.rule.1", 500, DELEGATION_CONTROL, DELEGATION_TICK, 10);
    c.from = c.to = (struct delegation_name){.present = false};
    one(c, "DL-104");
    assert_int_equal(ask("SELECT pos FROM sync.stream_pos WHERE stream = 'a2.rule.1'"
                         " AND topic = '" A2_TOPIC "'"),
                     500);
    struct delegation_change row = world_rule(1, DELEGATION_GRANT, "Read", 20);
    world_snapshot(&row, 77);
    one(row, "DL-20");
    c.op = DELEGATION_END;
    c.seq = 1;
    c.has_snapshot_id = true;
    c.snapshot_id = row.snapshot_id;
    world_target(&c, DELEGATION_TARGET_RESOURCE, SERVICE_TARGET);
    one(c, "DL-104");
    assert_int_equal(ask("SELECT count(*) FROM sync.snapshot WHERE resource = '" SERVICE_TARGET "'"
                         " AND decided = 1 AND counted = 1 AND snapshot_pos = 77"),
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
        CASE(one_of_two_rules_keeps_the_row),
        CASE(a_second_right_updates_the_row_once),
        CASE(a_grant_and_its_revoke_in_one_batch_write_nothing),
        CASE(a_role_brings_its_package_and_takes_it_away),
        CASE(a_client_role_waits_for_its_relation_and_is_written_then),
        CASE(an_unknown_party_is_held_and_released_in_order),
        CASE(what_waits_for_another_party_is_not_touched_by_a_release),
        CASE(what_was_parked_for_its_age_is_found_when_its_party_comes),
        CASE(death_ends_what_the_sweep_finds_and_what_comes_later),
        CASE(a_row_that_nobody_told_of_is_not_overwritten),
        CASE(what_our_write_overtook_says_nothing_about_the_row),
        CASE(a_merged_party_takes_its_keys_and_rows_along),
        CASE(a_tick_raises_the_position_and_an_end_counts),
        CASE(a_tick_of_the_same_position_moves_its_time_alone),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
