/*
 * Shows that a batch of delegations takes a handful of statements whatever its size, that an echo
 * costs the same whatever was said before, and that the same batch again, as after a crash before
 * the position moved, changes nothing. Needs SYNC_TEST_DSN.
 */
#include "delegation_database.h"

#define SMALL           5
#define LARGE           200 /* a swamped machine has time for it, too */
#define STATEMENTS_MOST 60
#define LEDGER          50000 /* events of one stream, in some 500 pages of its index */
#define PAGES_MOST      250

static struct delegation_change changes[LARGE];

static int start(void **state)
{
    (void)state;
    return deleg_start("size");
}

static int stop(void **state)
{
    (void)state;
    return deleg_stop();
}

static struct sync_uuid receiver_of(size_t i)
{
    struct sync_uuid id = {{0x75}};
    id.bytes[14] = (uint8_t)(i >> 8);
    id.bytes[15] = (uint8_t)i;
    return id;
}

static void insert_receivers(void)
{
    run_sql("INSERT INTO dbo.entity (id, typeid, variantid, name, refid, partyid, userid" STAMP
            ") SELECT ('75000000-0000-0000-0000-00000000' || lpad(to_hex(i), 4, '0'))::uuid, '%s',"
            " '00000000-0000-7000-8000-0000000000a1', 'x', 'r' || i, 10000 + i, 20000 + i" STAMPS
            " FROM generate_series(0, %d) AS i",
            AUTHORIZATION_TYPE_PERSON, LARGE - 1);
}

/* So many receivers, one change each, of one kind. */
static void make_changes(size_t count, enum delegation_op op, long time_s)
{
    for (size_t i = 0; i < count; i++) {
        struct sync_uuid receiver = receiver_of(i);
        int64_t seq = (int64_t)(time_s * 1000 + (long)i);
        changes[i] = i % 3 == 0   ? world_rule(seq, op, "Read,Write", time_s)
                     : i % 3 == 1 ? world_message("a2.message.1", seq, op, "read", "501", time_s)
                                  : world_role(seq, op, "HADM", NULL, time_s);
        changes[i].to = world_party(&receiver);
        changes[i] = today(changes[i]);
    }
}

/* Executions of prepared statements on the batch's connection, this one too. */
static int64_t executed(void)
{
    static const struct sync_statement statement = {
        "test_executed",
        "SELECT sum(generic_plans + custom_plans)::int8 FROM pg_prepared_statements"};
    SYNC_RESULT result = {0};
    must(sync_db_exec(own.db, &statement, NULL, &result, &own.err));
    return sync_result_int8(&result, 0, 0);
}

static int64_t statements_of(size_t count)
{
    int64_t before = executed();
    apply_batch(changes, count);
    return executed() - before - 1;
}

static void the_number_of_statements_does_not_grow_with_the_batch(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    insert_receivers();
    static const enum delegation_op ops[] = {DELEGATION_GRANT, DELEGATION_REVOKE};
    int64_t small[2];
    clear_world();
    for (size_t k = 0; k < 2; k++) {
        make_changes(SMALL, ops[k], 10 + (long)k);
        small[k] = statements_of(SMALL);
    }
    clear_world();
    for (size_t k = 0; k < 2; k++) {
        make_changes(LARGE, ops[k], 20 + (long)k);
        int64_t large = statements_of(LARGE);
        assert_in_range(large, 1, STATEMENTS_MOST);
        assert_true(large <= small[k]);
        assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"),
                         k == 0 ? (LARGE + 2) / 3 : 0);
    }
}

/* Index pages of the ledger that were looked at. */
static int64_t ledger_pages(void)
{
    tell_statistics(own.db);
    tell_statistics(own.other);
    return ask("SELECT sum(idx_blks_hit + idx_blks_read)::int8 FROM pg_statio_user_tables"
               " WHERE relname LIKE 'seen\\_%%'");
}

static void an_echo_costs_the_same_whatever_its_stream_has_said(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    clear_world();
    changes[0] = today(world_a3(5, DELEGATION_GRANT, "read", 10));
    apply_batch(changes, 1); /* what a session reads once is read */
    run_sql("INSERT INTO sync.seen SELECT 2, 'a2.rule.1', '00000000-0000-0000-0000-000000000000',"
            " n, (now() AT TIME ZONE 'UTC')::date, 0, 'DL-20' FROM generate_series(1, %d) AS n",
            LEDGER);
    run_sql("VACUUM ANALYZE sync.seen");
    int64_t before = ledger_pages();
    changes[0] = today(world_a3(6, DELEGATION_GRANT, "write", 11));
    world_origin(&changes[0], DELEGATION_A2, LEDGER / 2);
    apply_batch(changes, 1);
    assert_string_equal(base.records[0].fold.rule, "DL-06");
    assert_in_range(ledger_pages() - before, 1, PAGES_MOST);
}

static const char *everything(void)
{
    return ask_text(
        "SELECT md5(string_agg(t, ',' ORDER BY t)) FROM ("
        "SELECT k::text AS t FROM sync.deleg_key k"
        " UNION ALL SELECT r::text FROM sync.deleg_ref r"
        " UNION ALL SELECT h::text FROM sync.history h"
        " UNION ALL SELECT o::text FROM sync.outbox o"
        " UNION ALL SELECT s::text FROM sync.seen s"
        " UNION ALL SELECT a::text FROM dbo.assignment a"
        " UNION ALL SELECT a::text FROM dbo.assignmentresource a"
        " UNION ALL SELECT a::text FROM dbo.assignmentpackage a"
        " UNION ALL SELECT a::text FROM dbo_history.auditassignmentresource a) AS all_");
}

static void the_same_batch_again_changes_nothing(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    clear_world();
    char before[64];
    make_changes(50, DELEGATION_GRANT, 30);
    apply_batch(changes, 50);
    (void)snprintf(before, sizeof before, "%s", everything());
    apply_batch(changes, 50);
    assert_string_equal(everything(), before);
    make_changes(50, DELEGATION_REVOKE, 31);
    apply_batch(changes, 50);
    assert_string_not_equal(everything(), before);
    (void)snprintf(before, sizeof before, "%s", everything());
    apply_batch(changes, 50);
    assert_string_equal(everything(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_of_statements_does_not_grow_with_the_batch),
        cmocka_unit_test(the_same_batch_again_changes_nothing),
        cmocka_unit_test(an_echo_costs_the_same_whatever_its_stream_has_said),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
