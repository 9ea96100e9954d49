/*
 * "lanes open" while batches go on: what a batch closed because it looked just before the target
 * was opened waits again as well, and a target that closes again ends the command. Needs
 * SYNC_TEST_DSN, see own_database.h.
 */
#include "../../src/cli/cli.h"
#include "own_database.h"

#include <pthread.h>

static struct sync_cli cli;

static int start(void **state)
{
    (void)state;
    own_start("lanes");
    if (own.usable) {
        cli.yes = true;
        (void)snprintf(cli.config.database_dsn, sizeof cli.config.database_dsn, "%s", own.dsn);
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    own_stop();
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    if (own.usable) {
        run_sql("TRUNCATE sync.target, sync.outbox, sync.correspondence CASCADE;"
                " INSERT INTO sync.target VALUES ('altinn2', 2, 'gone', 'test', now())");
    }
    return 0;
}

#define CLOSED_EFFECT                                                                              \
    "INSERT INTO sync.correspondence (altinn2_id) VALUES (%d); INSERT INTO sync.outbox"            \
    " (effect_id, name, target, scope, topic, partition, entity_key, state, not_before, body,"     \
    "  created_at, ended_at) VALUES (gen_random_uuid(), 'a2/read', 'altinn2',"                     \
    " 'status-to-altinn2', 'altinn3.correspondence-status.v1', 1, '%d', 5, now(), '', now(), "     \
    "now())"

#define NO_ROUTE_EFFECT                                                                            \
    "INSERT INTO sync.correspondence (altinn2_id) VALUES (%d); INSERT INTO sync.outbox"            \
    " (effect_id, name, target, scope, topic, partition, entity_key, state, not_before, body,"     \
    "  created_at, ended_at) VALUES (gen_random_uuid(), 'a2/read', 'altinn2', '%s', '%s', 7,"      \
    " '%d', 6, now(), '', now(), now())"

static int open_lanes(void)
{
    char *argv[] = {"altinn2", "--reason", "test", NULL};
    return sync_cli_lanes_open(&cli, 3, argv);
}

/* Commits the batch once the target is seen open: it looked when the target was closed. */
static void *commit_late(void *context)
{
    struct sync_db *db = context;
    struct sync_error err = {0};
    sync_status status =
        sync_db_script(db,
                       "DO $$ BEGIN FOR i IN 1..200 LOOP"
                       " EXIT WHEN (SELECT state = 0 FROM sync.target WHERE target = 'altinn2');"
                       " PERFORM pg_sleep(0.05); END LOOP; PERFORM pg_sleep(1); END $$; COMMIT",
                       &err);
    return sync_is_ok(status) ? db : NULL;
}

static void what_a_batch_closed_at_that_moment_waits_again(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    pthread_t thread;
    void *done = NULL;
    run_sql(CLOSED_EFFECT, 1, 1);
    run_sql("BEGIN; " CLOSED_EFFECT, 2, 2); /* the batch has not committed yet */
    assert_int_equal(pthread_create(&thread, NULL, commit_late, own.other), 0);
    int code = open_lanes();
    (void)pthread_join(thread, &done);
    assert_non_null(done);
    assert_int_equal(code, SYNC_EXIT_OK);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE state = 0"), 2);
    assert_int_equal(ask("SELECT count(*) FROM sync.correspondence WHERE a2_read = 1"), 2);
}

/* The sender closes again what starts to wait: the command must not fight it for ever. */
static void a_target_that_closes_again_ends_the_command(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql(CLOSED_EFFECT, 1, 1);
    run_sql("CREATE FUNCTION sync.close_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " UPDATE sync.target SET state = 2 WHERE target = 'altinn2'; NEW.state := 5;"
            " RETURN NEW; END $$; CREATE TRIGGER close_again BEFORE UPDATE ON sync.outbox"
            " FOR EACH ROW EXECUTE FUNCTION sync.close_again()");
    int code = open_lanes();
    run_sql("DROP FUNCTION sync.close_again() CASCADE");
    assert_int_equal(code, SYNC_EXIT_PARTLY);
    assert_int_equal(ask("SELECT state::int8 FROM sync.target"), 2);
}

/* What was decided while only the way was missing stands in its lane; the lane of what another
 * consumer kept is that of its key: 8100 is partition 15 of 48. */
static void what_had_no_route_waits_in_the_lane_it_has_or_gets_one(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    char *argv[] = {"altinn2", "--since", "2020-01-01T00:00:00Z", "--reason", "test", NULL};
    run_sql("INSERT INTO sync.topic VALUES ('altinn3.correspondence-status.v1', 'c', 48)"
            " ON CONFLICT DO NOTHING");
    run_sql(NO_ROUTE_EFFECT, 1, "status-to-altinn2", "altinn3.correspondence-status.v1", 1);
    run_sql(NO_ROUTE_EFFECT, 8100, "status-to-altinn3", "altinn2.correspondence-status.v1", 8100);
    assert_int_equal(sync_cli_lanes_open(&cli, 5, argv), SYNC_EXIT_OK);
    assert_int_equal(ask("SELECT partition FROM sync.outbox WHERE entity_key = '1'"
                         " AND state = 0"),
                     7);
    assert_int_equal(ask("SELECT partition FROM sync.outbox WHERE entity_key = '8100'"
                         " AND state = 0 AND scope = 'status-to-altinn2'"),
                     15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_a_batch_closed_at_that_moment_waits_again, set_up),
        cmocka_unit_test_setup(a_target_that_closes_again_ends_the_command, set_up),
        cmocka_unit_test_setup(what_had_no_route_waits_in_the_lane_it_has_or_gets_one, set_up),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
