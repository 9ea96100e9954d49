/*
 * Shows what "drift list" and its gauge find in the home of delegations, and what a release sets
 * going: each class is made to appear by events, seen by its own statements, and ended. Needs
 * SYNC_TEST_DSN.
 */
#include "../../src/runtime/housekeeping.h"
#include "../../src/runtime/metrics.h"
#include "delegation_database.h"

static int start(void **state)
{
    (void)state;
    return deleg_start("drift");
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

/* Rows of a class, as the gauge counts them; the list has the same. */
static int64_t rows_of(const char *class, enum sync_system to)
{
    uint8_t memory[64];
    struct sync_arena arena;
    struct sync_params params;
    for (const struct sync_drift *drift = sync_store_delegation.drift; drift->class != NULL;
         drift++) {
        if (strcmp(drift->class, class) != 0 || drift->to != to) {
            continue;
        }
        SYNC_RESULT count = {0};
        SYNC_RESULT list = {0};
        bool counted = drift->count != NULL;
        sync_arena_init(&arena, memory, sizeof memory);
        sync_params_init(&params, &arena);
        sync_params_int8(&params, 10);
        must(counted ? sync_db_exec(own.other, drift->count, NULL, &count, &own.err) : SYNC_OK);
        must(sync_db_exec(own.other, drift->list, &params, &list, &own.err));
        assert_true(!counted || sync_result_int8(&count, 0, 0) == list.rows);
        return list.rows;
    }
    fail_msg("there is no class %s", class);
    return -1;
}

static int64_t all_rows(void)
{
    int64_t rows = 0;
    for (const struct sync_drift *drift = sync_store_delegation.drift; drift->class != NULL;
         drift++) {
        rows += rows_of(drift->class, drift->to);
    }
    return rows;
}

/* Releases a key by the statement of a class; how many went on. */
static int release_of(const char *class, const struct sync_uuid *key)
{
    uint8_t memory[512];
    struct sync_arena arena;
    struct sync_params params;
    for (const struct sync_drift *drift = sync_store_delegation.drift; drift->class != NULL;
         drift++) {
        if (strcmp(drift->class, class) == 0) {
            SYNC_RESULT result = {0};
            sync_arena_init(&arena, memory, sizeof memory);
            sync_params_init(&params, &arena);
            sync_params_uuid_array(&params, key, NULL, 1);
            must(sync_db_exec(own.other, drift->release, &params, &result, &own.err));
            return result.rows;
        }
    }
    return -1;
}

static int release_key(const struct sync_uuid *key)
{
    return release_of("restore_parked", key);
}

static struct sync_uuid only_key(void)
{
    struct sync_uuid id = {{0}};
    assert_true(sync_uuid_parse(
        sync_bytes_text(ask_text("SELECT key_uuid::text FROM sync.deleg_key")), &id));
    return id;
}

/* Classes ------------------------------------------------------------------------------------- */

static void what_waits_for_more_than_a_day_is_drift(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_string_equal(apply_one(world_role(80, DELEGATION_GRANT, "A0239", &world_g, 10)),
                        "DL-20");
    assert_int_equal(ask("SELECT count(*) FROM sync.pending"), 1);
    assert_int_equal(all_rows(), 0);
    run_sql("UPDATE sync.pending SET since = now() - interval '23 hours 59 minutes'");
    assert_int_equal(all_rows(), 0);
    run_sql("UPDATE sync.pending SET since = now() - interval '25 hours'");
    assert_int_equal(rows_of("pending", SYNC_SYSTEM_ALTINN3), 1);
    assert_int_equal(all_rows(), 1);
    insert_relation(&world_f, &world_g);
    sweep_all();
    assert_int_equal(all_rows(), 0);
}

static void a_resource_that_is_off_waits_for_its_owner(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql("UPDATE sync.resource_state SET phase = 0");
    assert_string_equal(apply_one(world_rule(1, DELEGATION_GRANT, "Read", 10)), "DL-20");
    run_sql("UPDATE sync.pending SET since = now() - interval '25 hours'");
    assert_int_equal(ask("SELECT count(*) FROM sync.pending WHERE dependency_kind = 'phase'"), 1);
    assert_int_equal(all_rows(), 0);
}

/* DL-84 */
static void an_action_that_is_not_offered_is_drift_until_it_is(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql("UPDATE sync.resource_state SET actions = '{write}'");
    assert_string_equal(apply_one(world_rule(1, DELEGATION_GRANT, "Read", 10)), "DL-20");
    assert_string_equal(effective_of(DELEGATION_SINGLE), "read");
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_key WHERE refused = '{read}'"), 1);
    assert_int_equal(rows_of("action_refused", SYNC_SYSTEM_ALTINN3), 1);
    run_sql("UPDATE sync.resource_state SET actions = '{read,write}', sweep_state = 1");
    sweep_all();
    assert_int_equal(ask("SELECT count(*) FROM dbo.assignmentresource"), 1);
    assert_int_equal(all_rows(), 0);
}

/* DL-84: what ends is no drift any more. */
static void a_refused_action_that_is_revoked_is_no_drift(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql("UPDATE sync.resource_state SET actions = '{write}'");
    assert_string_equal(apply_one(world_rule(1, DELEGATION_GRANT, "Read", 10)), "DL-20");
    assert_string_equal(apply_one(world_rule(2, DELEGATION_REVOKE, "Read", 20)), "DL-35");
    assert_int_equal(all_rows(), 0);
}

static void a_command_that_nobody_has_seen_for_a_day_is_drift(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_non_null(apply_one(world_a3(5, DELEGATION_GRANT, "read", 10)));
    run_sql("UPDATE sync.deleg_key SET left_set = open_set, left_version = open_version,"
            " open_set = NULL, open_version = NULL, left_at = now() - interval '23 hours'");
    assert_int_equal(all_rows(), 0);
    run_sql("UPDATE sync.deleg_key SET left_at = now() - interval '25 hours'");
    assert_int_equal(rows_of("echo_missing", SYNC_SYSTEM_ALTINN2), 1);
    struct delegation_change echo = world_rule(1, DELEGATION_GRANT, "Read", 12);
    world_origin(&echo, DELEGATION_A3, 5);
    assert_string_equal(apply_one(echo), "DL-06");
    assert_int_equal(all_rows(), 0);
}

/* Restoring, DL-85 ------------------------------------------------------------------------------
 */

/* A clean-up job of Altinn 3 removes the row, and its event comes. */
static const char *clean_up(int64_t seq, long time_s)
{
    struct delegation_change job = world_a3(seq, DELEGATION_REVOKE_ALL, NULL, time_s);
    job.by = DELEGATION_MACHINE;
    as_system("00000000-0000-7000-8000-00000000001e", "DELETE FROM dbo.assignmentresource");
    return apply_one(job);
}

static int64_t rows_in_altinn3(void)
{
    return ask("SELECT count(*) FROM dbo.assignmentresource");
}

static void lose_four_times(void)
{
    assert_string_equal(apply_one(world_rule(5, DELEGATION_GRANT, "Read", 10)), "DL-20");
    for (int64_t loss = 1; loss <= 4; loss++) {
        assert_int_equal(rows_in_altinn3(), 1);
        assert_int_equal(all_rows(), 0);
        assert_string_equal(clean_up(loss, 50 + loss), "DL-37");
    }
    assert_int_equal(rows_in_altinn3(), 0);
    assert_string_equal(effective_of(DELEGATION_SINGLE), "read");
}

static void the_fourth_loss_of_a_day_parks_until_a_person_releases_it(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    lose_four_times();
    assert_int_equal(rows_of("restore_parked", SYNC_SYSTEM_ALTINN3), 1);
    assert_int_equal(rows_of("restore_parked", SYNC_SYSTEM_ALTINN2), 0);
    sweep_all();
    assert_int_equal(rows_in_altinn3(), 0); /* nothing returns by itself */
    struct sync_uuid key = only_key();
    assert_int_equal(release_key(&key), 1);
    assert_int_equal(release_key(&key), 0); /* it is no longer parked */
    sweep_all();
    assert_int_equal(rows_in_altinn3(), 1);
    assert_int_equal(all_rows(), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.pending"), 0);
    /* The count of losses began anew. */
    assert_string_equal(clean_up(9, 60), "DL-37");
    assert_int_equal(rows_in_altinn3(), 1);
}

/* The owner of the first partition counts for all, the others not at all. */
static void one_process_counts_drift_for_its_home(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    const struct sync_route *route = &deleg_processor->routes[0];
    struct sync_applier applier = applier_of(route);
    struct sync_housekeeping housekeeping = {.applier = &applier, .arena = &base.arena};
    struct sync_place places[] = {{route->name, A2_TOPIC, 1}, {route->name, A2_TOPIC, 0}};
    struct sync_metric *gauge = sync_metric_new(SYNC_GAUGE, "drift_records", "", "class,direction");
    const char *const *labels = SYNC_LABELS("restore_parked", "to_altinn3");
    lose_four_times();
    must(sync_housekeeping_measure(&housekeeping, places, 2, &own.err));
    assert_int_equal((int)sync_metric_read(gauge, labels), 1);
    assert_int_equal((int)sync_metric_read(gauge, SYNC_LABELS("restore_parked", "to_altinn2")), 0);
    must(sync_housekeeping_measure(&housekeeping, places, 1, &own.err)); /* it went elsewhere */
    assert_int_equal((int)sync_metric_read(gauge, labels), 0);
}

static void a_parked_restoring_that_is_revoked_leaves_nothing_to_release(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    lose_four_times();
    assert_string_equal(apply_one(world_rule(6, DELEGATION_REVOKE, "Read", 100)), "DL-35");
    struct sync_uuid key = only_key();
    assert_int_equal(release_key(&key), 1);
    sweep_all();
    assert_int_equal(rows_in_altinn3(), 0);
    assert_string_equal(effective_of(DELEGATION_SINGLE), "");
    assert_int_equal(all_rows(), 0);
}

static void a_key_that_nobody_knows_is_not_released(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    lose_four_times();
    assert_int_equal(release_key(&world_k), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.pending"), 0);
    assert_int_equal(all_rows(), 1);
}

/* DL-08: whom it means is not known, so every right of its giver may be the one. */
static void a_revoke_that_waits_lists_what_its_giver_has_given(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_string_equal(apply_one(world_rule(1, DELEGATION_GRANT, "Read", 10)), "DL-20");
    struct delegation_change grant = world_rule(2, DELEGATION_GRANT, "Read", 11);
    grant.to = (struct delegation_name){.present = true, .has_user_id = true, .user_id = 777};
    assert_string_equal(apply_one(grant), "DL-08");
    assert_int_equal(all_rows(), 0); /* what waits to be given is nobody's danger */
    struct delegation_change revoke = world_rule(3, DELEGATION_REVOKE, "Read", 20);
    revoke.to = grant.to;
    assert_string_equal(apply_one(revoke), "DL-08");
    assert_int_equal(rows_of("revoke_held", SYNC_SYSTEM_ALTINN3), 1);
    assert_string_equal(apply_one(world_rule(4, DELEGATION_REVOKE, "Read", 30)), "DL-35");
    assert_int_equal(all_rows(), 0);
}

/* DL-27: nothing shows it but the list, and there it stays until a person lets it go. */
static void what_is_granted_after_the_freeze_is_listed_until_it_is_let_go(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql("UPDATE sync.resource_state SET freeze_time = to_timestamp(%lld)"
            " WHERE resource = '" SERVICE_TARGET "'",
            (long long)(base.base_us / SECOND + 50));
    assert_string_equal(apply_one(world_rule(1, DELEGATION_GRANT, "Read", 40)), "DL-20");
    assert_int_equal(all_rows(), 0);
    struct delegation_change late = world_rule(2, DELEGATION_GRANT, "Write", 60);
    late.to = (struct delegation_name){.present = true, .has_user_id = true, .user_id = 777};
    assert_string_equal(apply_one(late), "DL-27");
    assert_string_equal(apply_one(late), "DL-01"); /* it is known */
    assert_int_equal(rows_of("after_freeze", SYNC_SYSTEM_ALTINN3), 1);
    assert_int_equal(all_rows(), 1);
    assert_string_equal(ask_text("SELECT giver || ' ' || receiver || ' ' || resource || ' '"
                                 " || rights::text FROM sync.grant_after_freeze"),
                        "f0000000-0000-0000-0000-000000000000 u:777 " SERVICE_TARGET " {Write}");
    struct sync_uuid id = {{0}};
    assert_true(sync_uuid_parse(
        sync_bytes_text(ask_text("SELECT id::text FROM sync.grant_after_freeze")), &id));
    assert_int_equal(release_of("after_freeze", &world_k), 0);
    assert_int_equal(release_of("after_freeze", &id), 1);
    assert_int_equal(all_rows(), 0);
    assert_string_equal(effective_of(DELEGATION_SINGLE), "read");
}

/* What an export lacks, DL-97 ------------------------------------------------------------------ */

/* An export of the service at position 50 that is whole, unless lost rows did not come. */
static void export_ends(int lost)
{
    run_sql("DELETE FROM sync.snapshot; DELETE FROM sync.export; DELETE FROM sync.topic;"
            "INSERT INTO sync.export VALUES (md5('e')::uuid, 50, to_timestamp(%lld));"
            "INSERT INTO sync.topic VALUES"
            " ('altinn2.delegation-backlog.v1', 'test', 1);"
            "INSERT INTO sync.source (name, generation, updated_at) VALUES ('altinn2-delegation',"
            " 1, now()) ON CONFLICT DO NOTHING;"
            "INSERT INTO sync.snapshot (snapshot_id, topic, partition, resource, snapshot_pos,"
            " decided, counted) VALUES (md5('e')::uuid, 'altinn2.delegation-backlog.v1', 0,"
            " '" SERVICE_TARGET "', 50, 9, 9 + %d)",
            (long long)(base.base_us / SECOND + 30), lost);
}

/* As many other grants of the service that the export has. */
static void others_are_granted(int count)
{
    run_sql("INSERT INTO sync.deleg_key (key_uuid, from_id, to_id, facilitator, kind, variant,"
            " target, instance) SELECT md5(n::text)::uuid, md5(n::text)::uuid, md5(n::text)::uuid,"
            " '00000000-0000-0000-0000-000000000000', 0, 0, '" SERVICE_TARGET "', ''"
            " FROM generate_series(1, %d) AS n;"
            "INSERT INTO sync.deleg_ref (key_id, seq, present_seq, source, op, present, right_id,"
            " ref, a2_right, rule, native_ids, echo_origins) SELECT key_id, 50, 50, 2, 0, true,"
            " 'read', '5190/2/read', 'read', 'DL-20', '{}', '{}' FROM sync.deleg_key"
            " WHERE from_id = to_id",
            count);
}

static struct sync_uuid key_of_k(void)
{
    struct sync_uuid id = {{0}};
    assert_true(sync_uuid_parse(sync_bytes_text(ask_text("SELECT key_uuid::text FROM sync.deleg_key"
                                                         " WHERE to_id = '%s'",
                                                         id_text(&world_k))),
                                &id));
    return id;
}

static void what_a_whole_export_lacks_is_listed_and_revoked_by_order(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_string_equal(apply_one(world_rule(5, DELEGATION_GRANT, "Read", 10)), "DL-20");
    assert_string_equal(apply_one(world_rule(60, DELEGATION_GRANT, "Write", 20)), "DL-22");
    others_are_granted(200);
    assert_int_equal(rows_of("absent", SYNC_SYSTEM_ALTINN3), 0);
    export_ends(1);
    assert_int_equal(rows_of("absent", SYNC_SYSTEM_ALTINN3), 0); /* a row may be on its way */
    export_ends(0);
    assert_int_equal(rows_of("absent", SYNC_SYSTEM_ALTINN3), 1);
    sweep_all();
    assert_int_equal(rows_in_altinn3(), 1); /* nothing without an order */
    struct sync_uuid key = key_of_k();
    assert_int_equal(release_of("absent", &key), 1);
    sweep_all();
    assert_int_equal(rows_of("absent", SYNC_SYSTEM_ALTINN3), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_ref r JOIN sync.deleg_key k USING"
                         " (key_id) WHERE k.to_id = '%s' AND ref = '5190/2/read' AND op = 1"
                         " AND seq = 50 AND rule = 'DL-97' AND NOT present",
                         id_text(&world_k)),
                     1);
    assert_int_equal(rows_in_altinn3(), 1); /* Write was granted later, and is read, too */
    assert_int_equal(ask("SELECT count(*) FROM sync.deleg_mark WHERE cut_time IS NOT NULL"), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.pending"), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE target = 'altinn2'"), 0);
}

static void the_last_grant_that_an_export_lacks_ends_by_order_and_says_so(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_string_equal(apply_one(world_rule(5, DELEGATION_GRANT, "Read", 10)), "DL-20");
    others_are_granted(200);
    export_ends(0);
    struct sync_uuid key = key_of_k();
    assert_int_equal(release_of("absent", &key), 1);
    sweep_all();
    assert_int_equal(rows_in_altinn3(), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.history WHERE rule = 'DL-97' AND after = '{}'"
                         " AND stream = 'a2.rule.1' AND seq = 50"),
                     1);
    assert_string_equal(apply_one(world_rule(69, DELEGATION_GRANT, "Read", 29)), "DL-12");
    assert_string_equal(apply_one(world_rule(70, DELEGATION_GRANT, "Read", 31)), "DL-24");
}

static void an_export_that_lacks_more_than_a_hundredth_is_rather_wrong(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_string_equal(apply_one(world_rule(5, DELEGATION_GRANT, "Read", 10)), "DL-20");
    others_are_granted(98); /* 1 of 99 */
    export_ends(0);
    assert_int_equal(rows_of("absent", SYNC_SYSTEM_ALTINN3), 1);
    struct sync_uuid key = key_of_k();
    assert_int_equal(release_of("absent", &key), 0);
    run_sql("DELETE FROM sync.deleg_ref r USING sync.deleg_key k WHERE k.key_id = r.key_id"
            " AND k.from_id = k.to_id; DELETE FROM sync.deleg_key WHERE from_id = to_id");
    others_are_granted(99); /* 1 of 100 */
    assert_int_equal(release_of("absent", &key), 1);
}

static void what_waits_may_be_what_the_export_lacks(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_string_equal(apply_one(world_rule(5, DELEGATION_GRANT, "Read", 10)), "DL-20");
    export_ends(0);
    run_sql("INSERT INTO sync.hold (scope, topic, partition, record_offset, entity_key,"
            " appended_at, record, rule, since) VALUES ('s', 'altinn2.delegation-backlog.v1', 0, 1,"
            " 'p:500', now(), '', 'DL-08', now())");
    assert_int_equal(rows_of("absent", SYNC_SYSTEM_ALTINN3), 0);
    run_sql("UPDATE sync.hold SET entity_key = 'p:501'");
    assert_int_equal(rows_of("absent", SYNC_SYSTEM_ALTINN3), 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        CASE(what_waits_for_more_than_a_day_is_drift),
        CASE(a_resource_that_is_off_waits_for_its_owner),
        CASE(an_action_that_is_not_offered_is_drift_until_it_is),
        CASE(a_refused_action_that_is_revoked_is_no_drift),
        CASE(a_command_that_nobody_has_seen_for_a_day_is_drift),
        CASE(the_fourth_loss_of_a_day_parks_until_a_person_releases_it),
        CASE(one_process_counts_drift_for_its_home),
        CASE(a_parked_restoring_that_is_revoked_leaves_nothing_to_release),
        CASE(a_key_that_nobody_knows_is_not_released),
        CASE(a_revoke_that_waits_lists_what_its_giver_has_given),
        CASE(what_is_granted_after_the_freeze_is_listed_until_it_is_let_go),
        CASE(what_a_whole_export_lacks_is_listed_and_revoked_by_order),
        CASE(the_last_grant_that_an_export_lacks_ends_by_order_and_says_so),
        CASE(an_export_that_lacks_more_than_a_hundredth_is_rather_wrong),
        CASE(what_waits_may_be_what_the_export_lacks),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
