/*
 * "pause" and "resume": which names and reasons they take, what they write, and that a look finds
 * it. What a paused consumer stops: test_consumer_batch.c, test_sender_lanes.c. Needs
 * SYNC_TEST_DSN, see own_database.h.
 */
#include "../../src/cli/cli.h"
#include "../../src/runtime/pause.h"
#include "own_database.h"

#include <fcntl.h>

#define ROUTE "status-to-altinn2"

static struct sync_cli cli;

static int start(void **state)
{
    (void)state;
    own_start("pause");
    (void)snprintf(cli.config.database_dsn, sizeof cli.config.database_dsn, "%s",
                   own.usable ? own.dsn : "");
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
    cli.yes = true;
    if (own.usable) {
        run_sql("TRUNCATE sync.pause, sync.audit");
    }
    return 0;
}

static int verb(sync_command_run *run, const char *name, const char *reason)
{
    char name_text[64], reason_text[1024];
    (void)snprintf(name_text, sizeof name_text, "%s", name);
    (void)snprintf(reason_text, sizeof reason_text, "%s", reason);
    char *argv[] = {name_text, "--reason", reason_text, NULL};
    return run(&cli, 3, argv);
}

static struct sync_pause look(const char *name)
{
    struct sync_pause pause = {0};
    must(sync_pause_read(own.other, name, &pause, &own.err));
    return pause;
}

static void a_pause_is_stored_with_its_reason_and_ends_with_resume(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_false(look(ROUTE).on);
    assert_int_equal(verb(sync_cli_pause, ROUTE, "the bridge is rebuilt"), SYNC_EXIT_OK);
    assert_true(look(ROUTE).on);
    assert_string_equal(look(ROUTE).reason, "the bridge is rebuilt");
    assert_false(look("status-to-altinn3").on);
    assert_int_equal(verb(sync_cli_pause, ROUTE, "and the network"), SYNC_EXIT_OK);
    assert_string_equal(look(ROUTE).reason, "and the network");
    assert_int_equal(verb(sync_cli_resume, ROUTE, "all is back"), SYNC_EXIT_OK);
    assert_false(look(ROUTE).on);
    assert_int_equal(ask("SELECT count(*) FROM sync.audit WHERE subject = '" ROUTE
                         "' AND action = 'pause' AND actor LIKE '%%@%%'"),
                     2);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.audit WHERE action = 'resume' AND reason = 'all is back'"),
        1);
}

static void what_is_not_paused_is_not_resumed(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_int_equal(verb(sync_cli_resume, ROUTE, "x"), SYNC_EXIT_OK);
    assert_int_equal(ask("SELECT count(*) FROM sync.audit"), 0);
}

static void only_consumers_are_paused_and_never_without_a_reason(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    static char long_reason[600];
    memset(long_reason, 'x', sizeof long_reason - 1);
    assert_int_equal(verb(sync_cli_pause, "status-to-altinn4", "x"), SYNC_EXIT_NOT_FOUND);
    assert_int_equal(verb(sync_cli_pause, "altinn3-status", "x"), SYNC_EXIT_NOT_FOUND);
    assert_int_equal(verb(sync_cli_pause, ROUTE, ""), SYNC_EXIT_USAGE);
    assert_int_equal(verb(sync_cli_pause, ROUTE, long_reason), SYNC_EXIT_USAGE);
    assert_int_equal(ask("SELECT count(*) FROM sync.pause"), 0);
}

/* Standard input is no terminal here. */
static void without_yes_nothing_is_changed_where_nobody_can_be_asked(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    int kept = dup(STDIN_FILENO), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(kept >= 0 && null >= 0 && dup2(null, STDIN_FILENO) >= 0);
    cli.yes = false;
    int code = verb(sync_cli_pause, ROUTE, "x");
    assert_true(dup2(kept, STDIN_FILENO) >= 0);
    (void)close(kept);
    (void)close(null);
    assert_int_equal(code, SYNC_EXIT_REFUSED);
    assert_int_equal(ask("SELECT count(*) FROM sync.pause"), 0);
}

/* A reason that is cut inside a character is shown all the same. */
static void a_long_reason_is_cut_to_well_formed_text(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    run_sql("INSERT INTO sync.pause VALUES ('" ROUTE "', repeat('é', 200), 'test', now())");
    struct sync_pause pause = look(ROUTE);
    assert_int_equal(strlen(pause.reason), sizeof pause.reason - 1);
    assert_int_equal(pause.reason[sizeof pause.reason - 2], '?');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_pause_is_stored_with_its_reason_and_ends_with_resume, set_up),
        cmocka_unit_test_setup(what_is_not_paused_is_not_resumed, set_up),
        cmocka_unit_test_setup(only_consumers_are_paused_and_never_without_a_reason, set_up),
        cmocka_unit_test_setup(without_yes_nothing_is_changed_where_nobody_can_be_asked, set_up),
        cmocka_unit_test_setup(a_long_reason_is_cut_to_well_formed_text, set_up),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
