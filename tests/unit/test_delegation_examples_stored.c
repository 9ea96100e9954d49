/*
 * Shows the ten worked examples of the domain reference through the real store: events go in by the
 * runtime's own batch, people and jobs of Altinn 3 change its tables by SQL before their event
 * comes, and what is looked at is rows: effective set, refs, marks, history and commands of ours,
 * and the rows, documents and history of Altinn 3. The rules alone: test_delegation_examples.c.
 * Needs SYNC_TEST_DSN.
 */
#include "delegation_database.h"

static int start(void **state)
{
    (void)state;
    return deleg_start("stored");
}

static int stop(void **state)
{
    (void)state;
    return deleg_stop();
}

static int set_up(void **state)
{
    (void)state;
    base.config.bridge_delegation_command_path[0] = '\0';
    if (own.usable) {
        clear_world();
    }
    return 0;
}

static void with_commands(void)
{
    (void)snprintf(base.config.bridge_delegation_command_path,
                   sizeof base.config.bridge_delegation_command_path, "/commands");
}

/* What stands where ---------------------------------------------------------------------------- */

/* Rights that Altinn 3 shows of the resource, or of the message: those of the document. */
static const char *in_altinn3(const char *table)
{
    return ask_text("SELECT coalesce(string_agg(array_to_string(d.actions, ','), ';'), '')"
                    " FROM dbo.%s c JOIN sync.policy_document d"
                    " ON d.path = c.policypath AND d.version = c.policyversion",
                    table);
}

/* "2 read 5190/2/read 13 revoked", one after the other; what a side shows has a star. */
static const char *refs(void)
{
    return ask_text("SELECT string_agg(format('%%s %%s %%s %%s %%s%%s', source, right_id, ref, seq,"
                    " CASE op WHEN 0 THEN 'granted' WHEN 1 THEN 'revoked' ELSE 'echo' END,"
                    " CASE WHEN present THEN '*' ELSE '' END), ', '"
                    " ORDER BY source, right_id, ref) FROM sync.deleg_ref");
}

/* Time of a person's revoke in seconds of the example, by source and right. */
static const char *cuts(void)
{
    return ask_text("SELECT coalesce(string_agg(format('%%s %%s %%s', source, right_id,"
                    " extract(epoch FROM cut_time)::int8 - %lld), ', ' ORDER BY source, right_id),"
                    " '') FROM sync.deleg_mark WHERE cut_time IS NOT NULL",
                    (long long)(base.base_us / SECOND));
}

/* "1 DL-20 {read}": versions, what decided and what it left. */
static const char *history(enum delegation_kind kind)
{
    return ask_text("SELECT string_agg(format('%%s %%s %%s', h.version, h.rule, h.after), ', '"
                    " ORDER BY h.version) FROM sync.history h JOIN sync.deleg_key k USING (key_id)"
                    " WHERE k.kind = %d",
                    (int)kind);
}

/* "1 no_route []": commands by version, with what they would set. */
static const char *commands(void)
{
    return ask_text(
        "SELECT coalesce(string_agg(format('%%s %%s %%s', split_part(name, '/', 2),"
        " CASE state WHEN 0 THEN 'waits' WHEN 1 THEN 'sent' WHEN 2 THEN 'done' WHEN 3 THEN"
        " 'skipped' WHEN 4 THEN 'parked' WHEN 5 THEN 'closed' ELSE 'no_route' END,"
        " convert_from(body, 'UTF8')::jsonb -> 'rights'), ', ' ORDER BY seq), '')"
        " FROM sync.outbox WHERE target = 'altinn2'");
}

static void expect(struct delegation_change change, const char *rule, const char *effective)
{
    assert_string_equal(apply_one(change), rule);
    assert_string_equal(effective_of(change.kind), effective);
}

/* Altinn 3 acts -------------------------------------------------------------------------------- */

#define RESOURCE_ROWS "assignmentresource"
#define MESSAGE_ROWS  "assignmentinstance"
#define CLEAN_UP_JOB  "00000000-0000-7000-8000-00000000001e"

/* The application gives these rights in all: a new document, and the row that points at it. */
static void a3_gives(const char *table, const char *actions, long time_s)
{
    static int documents;
    char sql[2600];
    bool message = strcmp(table, MESSAGE_ROWS) == 0;
    const char *columns = message ? ", instanceid, instancesourcetypeid, delegationchangeid" : "";
    const char *values =
        message ? ", '" WORLD_URN "', '" AUTHORIZATION_INSTANCE_BY_USER "', 0" : "";
    int64_t at = base.base_us / SECOND + time_s;
    documents++;
    int size = snprintf(
        sql, sizeof sql,
        "INSERT INTO sync.policy_document VALUES ('a3', '%d', '{%s}', NULL);"
        "INSERT INTO dbo.assignment (id, fromid, toid, roleid, audit_validfrom)"
        " SELECT gen_random_uuid(), '%s', '%s', '" AUTHORIZATION_ROLE_RIGHTHOLDER "',"
        " to_timestamp(%lld) ON CONFLICT DO NOTHING;"
        "INSERT INTO dbo.%s AS c (id, assignmentid, resourceid, policypath, policyversion,"
        " audit_validfrom%s) SELECT gen_random_uuid(), a.id, md5('%s')::uuid, 'a3', '%d',"
        " to_timestamp(%lld)%s FROM dbo.assignment a WHERE a.fromid = '%s' AND a.toid = '%s'"
        " AND a.roleid = '" AUTHORIZATION_ROLE_RIGHTHOLDER "'"
        " ON CONFLICT (assignmentid, resourceid%s) DO UPDATE SET policypath = 'a3',"
        " policyversion = '%d', audit_changedby = '%s',"
        " audit_changedbysystem = '" AUTHORIZATION_SYSTEM_END_USER_API "',"
        " audit_changeoperation = 'op', audit_validfrom = to_timestamp(%lld)",
        documents, actions, id_text(&world_f), id_text(&world_k), (long long)at, table, columns,
        message ? MESSAGES_TARGET : SERVICE_TARGET, documents, (long long)at, values,
        id_text(&world_f), id_text(&world_k), message ? ", instanceid" : "", documents,
        id_text(&world_g), (long long)at);
    assert_in_range(size, 1, sizeof sql - 1);
    as_system(AUTHORIZATION_SYSTEM_END_USER_API, sql);
}

static void a3_takes(const char *system, const char *table)
{
    char sql[100];
    (void)snprintf(sql, sizeof sql, "DELETE FROM dbo.%s", table);
    as_system(system, sql);
}

/* Examples ---------------------------------------------------------------------------------------
 */

static void example_1_four_names_are_one_right(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    expect(world_rule(11, DELEGATION_GRANT, "Write", 100), "DL-20", "read");
    assert_string_equal(in_altinn3(RESOURCE_ROWS), "read");
    expect(world_rule(12, DELEGATION_GRANT, "ArchiveDelete", 101), "DL-22", "read");
    a3_gives(RESOURCE_ROWS, "read", 150);
    expect(world_a3(5, DELEGATION_GRANT, "read", 150), "DL-23", "read");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource WHERE audit_changedbysystem ="
                         " '" AUTHORIZATION_SYSTEM_END_USER_API "'"),
                     1); /* the row keeps its owner */
    expect(world_rule(13, DELEGATION_REVOKE, "Write", 200), "DL-31", "read");
    assert_string_equal(in_altinn3(RESOURCE_ROWS), "read");
    assert_string_equal(cuts(), "");
    expect(world_rule(14, DELEGATION_REVOKE, "ArchiveDelete", 210), "DL-33", "");
    assert_string_equal(in_altinn3(RESOURCE_ROWS), "");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment"), 0);
    assert_int_equal(ask("SELECT count(*) FROM dbo_history.auditassignmentresource"
                         " WHERE audit_deletedbysystem = '%s'"
                         " AND audit_deleteoperation = 'altinn-sync/A2/a2.rule.1/14'",
                         id_text(&world_us)),
                     1);
    assert_string_equal(cuts(), "2 read 210");
    struct delegation_change echo = world_a3(6, DELEGATION_REVOKE_ALL, NULL, 211);
    world_origin(&echo, DELEGATION_A2, 14);
    expect(echo, "DL-07", "");
    assert_string_equal(refs(),
                        "2 read 5190/2/archivedelete 14 revoked, 2 read 5190/2/write 13 revoked,"
                        " 3 read row 5 granted");
    assert_string_equal(history(DELEGATION_SINGLE), "1 DL-20 {read}, 2 DL-33 {}");
    assert_string_equal(commands(), "");
}

static void example_2_what_was_removed_in_altinn3_is_exported_again(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    expect(world_rule(40, DELEGATION_GRANT, "Read", 1000), "DL-20", "read");
    a3_takes(AUTHORIZATION_SYSTEM_END_USER_API, RESOURCE_ROWS);
    expect(world_a3(9, DELEGATION_REVOKE_ALL, NULL, 5000), "DL-36", "");
    assert_string_equal(commands(), "2 no_route []");
    assert_string_equal(cuts(), "3 * 5000"); /* Altinn 3 has said nothing of its own before */
    struct delegation_change row = world_rule(1, DELEGATION_GRANT, "Read", 1000);
    world_snapshot(&row, 77);
    expect(row, "DL-25", "");
    assert_string_equal(commands(), "2 no_route []");
    assert_string_equal(in_altinn3(RESOURCE_ROWS), "");
    expect(world_rule(90, DELEGATION_GRANT, "Read", 9000), "DL-24", "read");
    assert_string_equal(commands(), "2 skipped []");
    assert_string_equal(in_altinn3(RESOURCE_ROWS), "read");
    assert_string_equal(history(DELEGATION_SINGLE), "1 DL-20 {read}, 2 DL-36 {}, 3 DL-24 {read}");
}

static void example_3_live_overtakes_backlog(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    expect(world_rule(615, DELEGATION_REVOKE, "Read", 3000), "DL-30", "");
    assert_string_equal(cuts(), "2 read 3000");
    struct delegation_change row = world_rule(1, DELEGATION_GRANT, "Read", 20);
    world_snapshot(&row, 600);
    expect(row, "DL-11", "");
    assert_string_equal(in_altinn3(RESOURCE_ROWS), "");
    row = world_rule(2, DELEGATION_GRANT, "ArchiveRead", 25);
    world_snapshot(&row, 600);
    expect(row, "DL-24", "read");
    assert_string_equal(in_altinn3(RESOURCE_ROWS), "read");
    assert_string_equal(refs(),
                        "2 read 5190/2/archiveread 600 granted*, 2 read 5190/2/read 615 revoked");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource WHERE"
                         " audit_changeoperation = 'altinn-sync/A2/a2.rule.1/2'"),
                     1);
}

static void example_4_a_weak_stream_without_times(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    with_commands();
    expect(world_rule(8, DELEGATION_GRANT, "Read", 50), "DL-20", "read");
    struct delegation_change revoke = world_rule(9, DELEGATION_REVOKE, "Read", NO_TIME);
    revoke.capture_time_us = 400 * SECOND;
    expect(revoke, "DL-35", "");
    assert_int_equal(ask("SELECT extract(epoch FROM revoke_time)::int8 - %lld FROM sync.deleg_ref",
                         (long long)(base.base_us / SECOND)),
                     400);
    struct delegation_change grant = world_rule(10, DELEGATION_GRANT, "Read", 390);
    grant.capture_time_us = 401 * SECOND;
    expect(grant, "DL-12", "");
    assert_string_equal(refs(), "2 read 5190/2/read 9 revoked*"); /* Altinn 2 shows it … */
    assert_string_equal(commands(), "3 waits []");                /* … so a command removes it */
    expect(world_rule(11, DELEGATION_GRANT, "Read", 460), "DL-24", "read");
    assert_string_equal(commands(), "3 skipped []");
    assert_string_equal(in_altinn3(RESOURCE_ROWS), "read");
    assert_string_equal(history(DELEGATION_SINGLE), "1 DL-20 {read}, 2 DL-35 {}, 4 DL-24 {read}");
}

static void example_5_two_rules_on_one_message(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    const char *a2 = "a2.message.1";
    expect(world_message(a2, 1, DELEGATION_GRANT, "read,subscribe", "501", 10), "DL-20",
           "read,subscribe");
    expect(world_message(a2, 2, DELEGATION_GRANT, "read", "502", 20), "DL-22", "read,subscribe");
    a3_gives(MESSAGE_ROWS, "read,sign,subscribe", 25);
    expect(world_message("a3.change.1", 2, DELEGATION_GRANT, "sign", NULL, 25), "DL-20",
           "read,sign,subscribe");
    expect(world_message(a2, 3, DELEGATION_REVOKE, NULL, "501", 30), "DL-35", "read,sign");
    assert_string_equal(in_altinn3(MESSAGE_ROWS), "read,sign");
    assert_string_equal(cuts(), "2 subscribe 30");
    expect(world_message(a2, 4, DELEGATION_REVOKE, NULL, "502", 40), "DL-35", "");
    assert_string_equal(cuts(), "2 * 40, 2 read 40, 2 subscribe 30");
    assert_int_equal(ask("SELECT (SELECT count(*) FROM dbo.assignmentinstance)"
                         " + (SELECT count(*) FROM dbo.assignment)"),
                     0);
    assert_int_equal(ask("SELECT count(*) FROM dbo_history.auditassignmentinstance"), 3);
}

static void example_6_a_role_and_its_package(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    with_commands();
    const char *role = id_text(&world_roles[0].id);
    expect(world_role(70, DELEGATION_GRANT, "HADM ", NULL, 100), "DL-20", "*");
    assert_string_equal(effective_of(DELEGATION_PACKAGE), "*");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentpackage"), 1);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment WHERE roleid = '%s'", role), 1);
    as_system(AUTHORIZATION_SYSTEM_END_USER_API,
              "DELETE FROM dbo.assignment WHERE roleid <> '" AUTHORIZATION_ROLE_RIGHTHOLDER "'");
    expect(
        world_role_a3(1, DELEGATION_ROLE, DELEGATION_REVOKE_ALL, "urn:altinn:rolecode:hadm", 300),
        "DL-36", "");
    assert_string_equal(effective_of(DELEGATION_PACKAGE), "");
    assert_int_equal(ask("SELECT (SELECT count(*) FROM dbo.assignmentpackage)"
                         " + (SELECT count(*) FROM dbo.assignment)"),
                     0);
    assert_string_equal(commands(), "2 waits []"); /* of the role: packages send none */
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox o JOIN sync.deleg_key k"
                         " ON k.key_uuid::text = o.entity_key AND k.kind = 3"),
                     1);
    struct delegation_change cascade = world_role(71, DELEGATION_REVOKE, "HADM", NULL, 310);
    cascade.by = DELEGATION_MACHINE;
    expect(cascade, "DL-30", "");
    expect(world_role(72, DELEGATION_GRANT, "HADM", NULL, 500), "DL-24", "*");
    assert_string_equal(effective_of(DELEGATION_PACKAGE), "*");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentpackage"), 1);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment WHERE roleid = '%s'", role), 1);
}

static void example_7_a_client_role_before_its_relation(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct delegation_change grant = world_role(80, DELEGATION_GRANT, "A0239", &world_g, 10);
    grant.has_native_id = true;
    grant.native_id = 4711;
    expect(grant, "DL-20", "*");
    assert_string_equal(effective_of(DELEGATION_CLIENT), "*");
    assert_int_equal(ask("SELECT count(*) FROM sync.pending WHERE dependency_kind = 'relation'"),
                     1);
    struct delegation_change revoke = world_role(81, DELEGATION_REVOKE, "A0239", NULL, 20);
    revoke.has_native_id = true; /* its firm is not told: the id finds a0239@G (DL-67) */
    revoke.native_id = 4711;
    expect(revoke, "DL-35", "");
    assert_string_equal(effective_of(DELEGATION_CLIENT), "");
    assert_int_equal(ask("SELECT count(*) FROM sync.pending"), 0);
    insert_relation(&world_f, &world_g);
    sweep_all();
    assert_int_equal(ask("SELECT (SELECT count(*) FROM dbo.delegation)"
                         " + (SELECT count(*) FROM dbo.delegationpackage)"
                         " + (SELECT count(*) FROM dbo_history.auditdelegation)"),
                     0);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment"), 1); /* of the register */
}

/* The sender takes the command that waits, and Altinn 2 answers. */
static void send_command(void)
{
    static uint8_t memory[1 << 16];
    const struct sync_lane_store *lane = sync_lane_store_find("delegation", "altinn2");
    struct sync_lane_effect effect = {.name = "altinn2"};
    struct sync_arena arena;
    int64_t now_us;
    sync_arena_init(&arena, memory, sizeof memory);
    (void)snprintf(effect.entity.text, sizeof effect.entity.text, "%s",
                   ask_text("SELECT entity_key FROM sync.outbox WHERE target = 'altinn2'"
                            " AND state = 0"));
    effect.entity.size = strlen(effect.entity.text);
    effect.body = sync_arena_copy(
        &arena, sync_bytes_text(ask_text("SELECT convert_from(body, 'UTF8') FROM sync.outbox"
                                         " WHERE target = 'altinn2' AND state = 0")));
    must(sync_txn_begin(own.db, &(struct sync_txn_limits){0}, &now_us, &own.err));
    must(lane->look(own.db, &effect, 1, now_us, &arena, &own.err));
    must(sync_txn_commit(own.db, &own.err));
    assert_int_equal(effect.verdict, SYNC_LANE_SEND);
    run_sql("UPDATE sync.outbox SET state = 2, ended_at = now() WHERE target = 'altinn2'"
            " AND state = 0");
}

static void example_8_the_removal_that_must_be_remembered(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    with_commands();
    const char *a2 = "a2.message.1";
    expect(world_message(a2, 1, DELEGATION_GRANT, "read", "31", 10), "DL-20", "read");
    a3_takes(AUTHORIZATION_SYSTEM_END_USER_API, MESSAGE_ROWS);
    expect(world_message("a3.change.1", 1, DELEGATION_REVOKE_ALL, NULL, NULL, 20), "DL-36", "");
    assert_string_equal(commands(), "2 waits []");
    send_command();
    struct delegation_change echo = world_message(a2, 2, DELEGATION_REVOKE, NULL, "31", 21);
    world_origin(&echo, DELEGATION_A3, 1);
    expect(echo, "DL-07", "");
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE left_set IS NULL"), 1);
    a3_gives(MESSAGE_ROWS, "read", 30);
    expect(world_message("a3.change.1", 2, DELEGATION_GRANT, "read", NULL, 30), "DL-24", "read");
    assert_string_equal(commands(), "2 done [], 3 waits [\"read\"]");
    send_command();
    echo = world_message(a2, 3, DELEGATION_GRANT, "read", "32", 31);
    world_origin(&echo, DELEGATION_A3, 2);
    expect(echo, "DL-06", "read");
    expect(world_message(a2, 4, DELEGATION_REVOKE, NULL, "32", 40), "DL-36", "");
    assert_string_equal(in_altinn3(MESSAGE_ROWS), "");
    assert_string_equal(commands(), "2 done [], 3 done [\"read\"]");
    /* Rule 31 is no longer shown, so it goes with the last one that was (DL-39). */
    assert_string_equal(refs(), "2 * 32 4 revoked, 2 read 31 4 revoked, 2 read 32 4 revoked,"
                                " 3 read row 2 granted*");
}

/* Our command removed a rule that it did not know. A person takes the other one, which says nothing
 * of the first (DL-39): the first comes back. */
static void a_rule_that_a_command_removed_comes_back(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    with_commands();
    const char *a2 = "a2.message.1";
    expect(world_message(a2, 1, DELEGATION_GRANT, "sign", "41", 10), "DL-20", "sign");
    expect(world_message(a2, 2, DELEGATION_GRANT, "read", "42", 11), "DL-20", "read,sign");
    struct delegation_change echo = world_message(a2, 3, DELEGATION_REVOKE, NULL, "41", 12);
    world_origin(&echo, DELEGATION_A3, 1);
    expect(echo, "DL-07", "read,sign");
    assert_string_equal(commands(), "3 waits [\"read\", \"sign\"]");
    expect(world_message(a2, 4, DELEGATION_REVOKE, NULL, "42", 20), "DL-35", "sign");
    assert_string_equal(in_altinn3(MESSAGE_ROWS), "sign");
    assert_string_equal(commands(), "3 skipped [\"read\", \"sign\"], 4 waits [\"sign\"]");
}

static void example_9_a_clean_up_job_on_one_side(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    expect(world_rule(5, DELEGATION_GRANT, "Read", 10), "DL-20", "read");
    a3_gives(RESOURCE_ROWS, "read", 12);
    expect(world_a3(1, DELEGATION_GRANT, "read", 12), "DL-23", "read");
    for (int64_t loss = 1; loss <= 4; loss++) {
        struct delegation_change job = world_a3(1 + loss, DELEGATION_REVOKE_ALL, NULL, 50 + loss);
        job.by = DELEGATION_MACHINE;
        a3_takes(CLEAN_UP_JOB, RESOURCE_ROWS);
        expect(job, loss == 1 ? "DL-32" : "DL-37", "read");
        assert_string_equal(in_altinn3(RESOURCE_ROWS), loss < 4 ? "read" : "");
    }
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE restore_parked_a3"
                         " AND cardinality(restores_a3) = 3 AND NOT restore_parked_a2"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM dbo_history.auditassignmentresource"
                         " WHERE audit_deletedbysystem = '" CLEAN_UP_JOB "'"),
                     4);
    expect(world_rule(6, DELEGATION_REVOKE, "Read", 100), "DL-35", "");
    assert_string_equal(history(DELEGATION_SINGLE), "1 DL-20 {read}, 5 DL-35 {}");
}

static struct delegation_change death(int64_t seq, enum delegation_op op, int64_t time_s)
{
    struct delegation_change c = world_event("sys.register.1", seq, DELEGATION_SCOPE, op, time_s);
    c.from = c.to = (struct delegation_name){.present = false};
    c.has_scope = true;
    c.scope_kind = DELEGATION_SCOPE_PARTY;
    c.scope_ids = world_texts(id_text(&world_k));
    c.scope_final = op == DELEGATION_REVOKE_ALL;
    return c;
}

static void example_10_death_and_a_key_never_seen(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_string_equal(apply_one(death(300, DELEGATION_REVOKE_ALL, 700)), "DL-40");
    sweep_all();
    struct delegation_change row = world_rule(1, DELEGATION_GRANT, "Read", 650);
    world_snapshot(&row, 1000);
    expect(row, "DL-26", "");
    expect(world_rule(1200, DELEGATION_GRANT, "Read", 900), "DL-26", "");
    assert_string_equal(apply_one(death(320, DELEGATION_LIFT, 1000)), "DL-43");
    sweep_all();
    assert_string_equal(effective_of(DELEGATION_SINGLE), "");
    assert_int_equal(ask("SELECT count(*) FROM dbo_history.auditassignment"), 0);
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignment"), 0); /* DL-44 */
    assert_int_equal(ask("SELECT count(*) FROM sync.sys_scope WHERE NOT final AND seq = 320"
                         " AND extract(epoch FROM cut_time)::int8 - %lld = 1000",
                         (long long)(base.base_us / SECOND)),
                     1);
    expect(world_rule(1300, DELEGATION_GRANT, "Read", 1100), "DL-24", "read");
    assert_string_equal(in_altinn3(RESOURCE_ROWS), "read");
    /* Altinn 2 showed what gave nothing: the first version is that of a command. */
    assert_string_equal(commands(), "1 skipped []");
    assert_string_equal(history(DELEGATION_SINGLE), "2 DL-24 {read}");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        CASE(example_1_four_names_are_one_right),
        CASE(example_2_what_was_removed_in_altinn3_is_exported_again),
        CASE(example_3_live_overtakes_backlog),
        CASE(example_4_a_weak_stream_without_times),
        CASE(example_5_two_rules_on_one_message),
        CASE(example_6_a_role_and_its_package),
        CASE(example_7_a_client_role_before_its_relation),
        CASE(example_8_the_removal_that_must_be_remembered),
        CASE(a_rule_that_a_command_removed_comes_back),
        CASE(example_9_a_clean_up_job_on_one_side),
        CASE(example_10_death_and_a_key_never_seen),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
