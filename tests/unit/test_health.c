/* Shows what the probes tell: live follows the loops only, ready the dependencies, age and
 * partitions. Time passes by limits of zero milliseconds; nothing sleeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/clock.h"
#include "runtime/health.h"

#include <string.h>

static char text[1024];

static int begin(void **state)
{
    (void)state;
    sync_health_init();
    return 0;
}

static int probe(const char *name)
{
    return sync_health_probe(name, false, text, sizeof text);
}

static void let_time_pass(void)
{
    int64_t start_us = sync_clock_monotonic_us();
    while (sync_clock_monotonic_us() - start_us < 10) {
    }
}

static void a_process_that_expects_nothing_is_live(void **state)
{
    (void)state;
    assert_int_equal(probe("livez"), 200);
    assert_string_equal(text, "ok\n");
    assert_int_equal(probe("healthz"), 200);
}

static void a_silent_loop_fails_live_by_name(void **state)
{
    (void)state;
    sync_health_expect(SYNC_LOOP_APPLY, 0);
    sync_health_expect(SYNC_LOOP_POLL, 60000);
    let_time_pass();
    assert_int_equal(probe("livez"), 503);
    assert_non_null(strstr(text, "[-] loop apply"));
    assert_null(strstr(text, "poll"));
    assert_int_equal(probe("healthz"), 503);
}

static void a_beat_makes_a_loop_live_again(void **state)
{
    (void)state;
    sync_health_expect(SYNC_LOOP_SEND, 60000);
    sync_health_beat(SYNC_LOOP_SEND);
    sync_health_beat(SYNC_LOOP_STREAM); /* nobody expects it */
    assert_int_equal(probe("livez"), 200);
}

static void an_outage_fails_ready_and_never_live(void **state)
{
    (void)state;
    sync_health_started();
    sync_health_need(SYNC_DEP_KAFKA);
    sync_health_need(SYNC_DEP_DATABASE);
    sync_health_set(SYNC_DEP_KAFKA, true);
    assert_int_equal(probe("readyz"), 503);
    assert_non_null(strstr(text, "[-] database not reachable"));
    assert_null(strstr(text, "kafka"));
    assert_int_equal(probe("livez"), 200);
    sync_health_set(SYNC_DEP_DATABASE, true);
    assert_int_equal(probe("readyz"), 200);
    sync_health_set(SYNC_DEP_KAFKA, false);
    assert_int_equal(probe("readyz"), 503);
}

static void a_dependency_that_nobody_needs_does_not_matter(void **state)
{
    (void)state;
    sync_health_started();
    sync_health_set(SYNC_DEP_BRIDGE, false);
    assert_int_equal(probe("readyz"), 200);
}

static void nothing_is_ready_before_it_started(void **state)
{
    (void)state;
    assert_int_equal(probe("startupz"), 503);
    assert_int_equal(probe("readyz"), 503);
    assert_int_equal(probe("livez"), 200);
    sync_health_started();
    assert_int_equal(probe("startupz"), 200);
    assert_int_equal(probe("readyz"), 200);
}

static void a_stopped_partition_or_an_old_change_fails_ready(void **state)
{
    (void)state;
    sync_health_started();
    sync_health_stopped_partitions(1);
    assert_int_equal(probe("readyz"), 503);
    assert_non_null(strstr(text, "[-] 1 stopped partitions"));
    sync_health_stopped_partitions(0);
    sync_health_oldest_age(60.5, 60);
    assert_int_equal(probe("readyz"), 503);
    assert_non_null(strstr(text, "60.5 s old (budget 60.0 s)"));
    sync_health_oldest_age(60, 60);
    assert_int_equal(probe("readyz"), 200);
    assert_int_equal(probe("livez"), 200);
}

/* On purpose: a rollout must not wait for it. What stands still by itself is told all the same. */
static void a_pause_by_an_operator_keeps_ready_however_old_a_change_is(void **state)
{
    (void)state;
    sync_health_started();
    sync_health_oldest_age(4000, 60);
    sync_health_paused(true);
    assert_int_equal(sync_health_probe("readyz", true, text, sizeof text), 200);
    assert_non_null(
        strstr(text, "[+] paused by an operator, oldest unapplied change 4000.0 s old"));
    sync_health_stopped_partitions(1);
    assert_int_equal(probe("readyz"), 503);
    sync_health_stopped_partitions(0);
    sync_health_paused(false);
    assert_int_equal(probe("readyz"), 503);
}

static void verbose_lists_every_check(void **state)
{
    (void)state;
    sync_health_started();
    sync_health_need(SYNC_DEP_BRIDGE);
    sync_health_set(SYNC_DEP_BRIDGE, true);
    assert_int_equal(sync_health_probe("readyz", true, text, sizeof text), 200);
    assert_non_null(strstr(text, "[+] started\n"));
    assert_non_null(strstr(text, "[+] bridge reachable\n"));
    assert_non_null(strstr(text, "[+] 0 stopped partitions\n"));
    assert_null(strstr(text, "[-]"));
    assert_string_equal(text + strlen(text) - 3, "ok\n");
}

static void a_process_without_a_budget_is_not_judged_by_age(void **state)
{
    (void)state;
    sync_health_started();
    sync_health_oldest_age(0, 0);
    assert_int_equal(sync_health_probe("readyz", true, text, sizeof text), 200);
    assert_null(strstr(text, "budget"));
}

static void another_name_is_not_found(void **state)
{
    (void)state;
    static const char *const names[] = {"", "live", "livez/", "LIVEZ", "readyz2"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(probe(names[i]), 404);
    }
}

static void a_small_buffer_is_not_overrun(void **state)
{
    (void)state;
    struct {
        char small[16];
        char guard[16];
    } memory;
    memset(&memory, 'g', sizeof memory);
    sync_health_need(SYNC_DEP_KAFKA);
    sync_health_need(SYNC_DEP_DATABASE);
    assert_int_equal(sync_health_probe("readyz", true, memory.small, sizeof memory.small), 503);
    assert_true(strlen(memory.small) < sizeof memory.small);
    assert_int_equal(memory.guard[0], 'g');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_process_that_expects_nothing_is_live, begin),
        cmocka_unit_test_setup(a_silent_loop_fails_live_by_name, begin),
        cmocka_unit_test_setup(a_beat_makes_a_loop_live_again, begin),
        cmocka_unit_test_setup(an_outage_fails_ready_and_never_live, begin),
        cmocka_unit_test_setup(a_dependency_that_nobody_needs_does_not_matter, begin),
        cmocka_unit_test_setup(nothing_is_ready_before_it_started, begin),
        cmocka_unit_test_setup(a_stopped_partition_or_an_old_change_fails_ready, begin),
        cmocka_unit_test_setup(a_pause_by_an_operator_keeps_ready_however_old_a_change_is, begin),
        cmocka_unit_test_setup(verbose_lists_every_check, begin),
        cmocka_unit_test_setup(a_process_without_a_budget_is_not_judged_by_age, begin),
        cmocka_unit_test_setup(another_name_is_not_found, begin),
        cmocka_unit_test_setup(a_small_buffer_is_not_overrun, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
