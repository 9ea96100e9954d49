/*
 * Shows that the screen of "status" keeps its 80 columns whatever the numbers are, that colours are
 * asked for, and that the JSON reads back. How: snapshots made by hand, drawn into memory.
 */
#include "cli/status.h"
#include "runtime/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define NOW_US INT64_C(1764097200000000)

static struct status_snapshot snapshot; /* large */

static struct status_route *add_route(const char *scope, int64_t number)
{
    struct status_route *route = &snapshot.routes[snapshot.route_count++];
    memset(route, 0, sizeof *route);
    (void)snprintf(route->scope, sizeof route->scope, "%s", scope);
    route->partitions = 4;
    route->lag = route->held = route->parked = number;
    route->rate = number < 9000000 ? (double)number : 9e6; /* beyond what a process can do */
    for (int i = 0; i < SYNC_OUTCOME_COUNT; i++) {
        route->outcomes[i] = number;
    }
    for (int i = 0; i < STATUS_HISTORY_MAX; i++) {
        route->history[route->history_count++] = (double)(i % 7) * (double)number;
    }
    route->held_since_us = number > 0 ? NOW_US - INT64_C(1000000) * number : 0;
    return route;
}

static void add_rest(int64_t number)
{
    struct status_target *target = &snapshot.targets[snapshot.target_count++];
    (void)snprintf(target->name, sizeof target->name, "altinn2-cache");
    target->state = 2;
    target->oldest_us = NOW_US - 5000000;
    for (int i = 0; i < STATUS_EFFECT_STATES; i++) {
        target->effects[i] = number;
    }
    struct status_source *source = &snapshot.sources[snapshot.source_count++];
    (void)snprintf(source->name, sizeof source->name, "altinn3-status");
    (void)snprintf(source->slot, sizeof source->slot, "altinn_sync_status");
    source->behind_bytes = number;
    source->has_slot = source->slot_active = true;
    source->updated_us = NOW_US;
    struct status_process *process = &snapshot.processes[snapshot.process_count++];
    (void)snprintf(process->name, sizeof process->name, "status-to-altinn3");
    (void)snprintf(process->address, sizeof process->address, "127.0.0.1:1");
    process->reachable = process->ready = true;
    process->oldest_s = process->p50_s = process->p99_s = number < 100000000 ? (double)number : 1e8;
    process->rebalances = process->fenced = process->retries = number;
}

static void begin(int64_t number)
{
    memset(&snapshot, 0, sizeof snapshot);
    snapshot.now_us = NOW_US;
    (void)add_route("status-to-altinn3", number);
    (void)add_route("status-to-altinn2", number);
    add_rest(number);
}

static char *drawn(bool colors, int *ret_lines)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    *ret_lines = status_draw(&snapshot, colors, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Columns of the widest line; every line is counted. */
static int widest(const char *text, int *ret_lines)
{
    int most = 0, columns = 0;
    *ret_lines = 0;
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            most = columns > most ? columns : most;
            columns = 0;
            (*ret_lines)++;
        } else {
            columns += ((unsigned char)*text & 0xc0) != 0x80;
        }
    }
    return most;
}

static void every_line_fits_80_columns_whatever_the_numbers(void **state)
{
    (void)state;
    static const int64_t numbers[] = {0,    1,     9,      99,      999,      1000,
                                      9999, 99999, 999999, 1000000, 99999999, 999999999999};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int said = 0, lines = 0;
        begin(numbers[i]);
        char *text = drawn(false, &said);
        int columns = widest(text, &lines);
        assert_int_equal(said, lines);
        if (columns > 80) {
            fail_msg("%d columns with %lld:\n%s", columns, (long long)numbers[i], text);
        }
        free(text);
    }
}

static void columns_stand_below_their_heading(void **state)
{
    (void)state;
    int lines = 0;
    begin(7);
    char *text = drawn(false, &lines);
    const char *head = strstr(text, "ROUTE ");
    const char *row = strstr(text, "status-to-altinn3");
    assert_non_null(head);
    assert_non_null(row);
    assert_int_equal(strcspn(head, "\n"), 80);
    assert_int_equal(strcspn(row, "\n"), 80); /* the last column ends where its heading ends */
    free(text);
}

static void colours_come_only_when_asked_for(void **state)
{
    (void)state;
    int lines = 0;
    begin(7);
    char *text = drawn(false, &lines);
    assert_null(strchr(text, '\033'));
    free(text);
    text = drawn(true, &lines);
    assert_non_null(strstr(text, "\033[31m"));
    assert_non_null(strstr(text, "\033[0m"));
    free(text);
}

static void faults_and_states_are_told_in_words(void **state)
{
    (void)state;
    int lines = 0;
    begin(0);
    struct status_route *route = &snapshot.routes[0];
    route->lag = 5;
    (void)snprintf(snapshot.kafka_fault, sizeof snapshot.kafka_fault,
                   "ask where the topic ends: no");
    snapshot.routes[1].partitions = 0;
    snapshot.sources[0].slot_active = false;
    snapshot.processes[0].ready = false;
    (void)snprintf(snapshot.processes[0].reason, sizeof snapshot.processes[0].reason,
                   "not ready: database");
    char *text = drawn(false, &lines);
    assert_non_null(strstr(text, "ask where the topic ends: no"));
    assert_non_null(strstr(text, "standing still"));
    assert_non_null(strstr(text, "not started"));
    assert_non_null(strstr(text, "not read"));
    assert_non_null(strstr(text, "altinn2-cache closed"));
    assert_non_null(strstr(text, "not ready: database"));
    free(text);
}

static void a_paused_route_says_so_and_why(void **state)
{
    (void)state;
    int lines = 0;
    size_t size = 0;
    begin(5);
    struct status_route *route = &snapshot.routes[0];
    route->paused_us = NOW_US - INT64_C(12) * 60 * 1000000;
    (void)snprintf(route->pause_reason, sizeof route->pause_reason, "the bridge is rebuilt");
    char *text = drawn(false, &lines);
    assert_non_null(strstr(text, "paused 12 min, held 5 s"));
    free(text);
    FILE *out = open_memstream(&text, &size);
    status_print_lines(&snapshot, out);
    status_print_json(&snapshot, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "parked=5 paused\n"));
    assert_non_null(strstr(text, "\"state\":\"paused\""));
    assert_non_null(strstr(text, "\"pause_reason\":\"the bridge is rebuilt\""));
    assert_non_null(strstr(text, "\"pause_reason\":null"));
    free(text);
}

static const struct sync_input old_input[] = {{"old.v1", SYNC_SYSTEM_ALTINN2}};
static const struct sync_route backlog = {
    "delegation-backlog-to-altinn3", old_input, 1, SYNC_SYSTEM_ALTINN3, NULL, "live"};

/* 1,500 of 2,000 done; 100 a second in every tick of the history. */
static void a_backlog_tells_how_much_is_done_and_when_it_ends(void **state)
{
    (void)state;
    int lines = 0;
    int said = 0;
    size_t size = 0;
    begin(0);
    struct status_route *route = add_route(backlog.name, 100);
    route->route = &backlog;
    route->applied_records = 1500;
    route->lag = 500;
    for (int i = 0; i < route->history_count; i++) {
        route->history[i] = 100;
    }
    char *text = drawn(false, &said);
    assert_non_null(strstr(text, "\ndelegation-backlog-to-altinn3\n"));
    assert_non_null(strstr(text, "1500 of 2000 records, 75 %, 5.0 s left"));
    assert_true(widest(text, &lines) <= 80);
    assert_int_equal(said, lines);
    free(text);
    FILE *out = open_memstream(&text, &size);
    status_print_lines(&snapshot, out);
    status_print_json(&snapshot, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, " done=1500 total=2000 eta_s=5\n"));
    assert_non_null(strstr(text, "\"consumed\":1500,\"total\":2000,\"eta_seconds\":5"));
    free(text);
}

static void a_backlog_that_gives_way_says_to_whom(void **state)
{
    (void)state;
    int lines = 0;
    int said = 0;
    size_t size = 0;
    begin(0);
    struct status_route *route = add_route(backlog.name, 100);
    route->route = &backlog;
    route->lag = 500;
    (void)snprintf(route->yields_to, sizeof route->yields_to, "delegation-to-altinn3");
    route->yields_us = NOW_US - 12 * 1000000;
    char *text = drawn(false, &said);
    assert_non_null(strstr(text, "  yields, held "));
    assert_non_null(strstr(text, "\n  yields to delegation-to-altinn3, which is behind, 12 s\n"));
    assert_true(widest(text, &lines) <= 80);
    assert_int_equal(said, lines);
    free(text);
    route->yields_slow = true;
    text = drawn(false, &said);
    assert_non_null(strstr(text, "yields to delegation-to-altinn3, its batches are slow, 12 s\n"));
    free(text);
    FILE *out = open_memstream(&text, &size);
    status_print_lines(&snapshot, out);
    status_print_json(&snapshot, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, " yields_to=delegation-to-altinn3"));
    assert_non_null(strstr(text, "\"state\":\"yields\""));
    assert_non_null(strstr(text, "\"yields_to\":\"delegation-to-altinn3\""));
    assert_non_null(strstr(text, "\"yields_reason\":\"batches_slow\""));
    free(text);
}

static void a_backlog_that_stands_still_has_no_end(void **state)
{
    (void)state;
    struct status_route route = {.lag = 500, .history_count = 3};
    assert_true(status_eta_s(&route) < 0);
    route.lag = STATUS_UNKNOWN;
    assert_true(status_eta_s(&route) < 0);
    route.lag = 0;
    assert_true(status_eta_s(&route) == 0);
}

/* Both homes have lanes to Altinn 2. */
static void targets_of_several_homes_stand_below_their_home(void **state)
{
    (void)state;
    int lines = 0;
    begin(1);
    snapshot.homes_shown = true;
    snapshot.targets[0].home = "correspondence";
    snapshot.targets[snapshot.target_count] = snapshot.targets[0];
    snapshot.targets[snapshot.target_count++].home = "authorization";
    char *text = drawn(false, &lines);
    const char *first = strstr(text, "\ncorrespondence\naltinn2-cache closed");
    const char *second = strstr(text, "\nauthorization\naltinn2-cache closed");
    assert_true(first != NULL && second != NULL && first < second);
    free(text);
}

static void what_is_not_known_is_a_dash_and_null(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    begin(1);
    snapshot.routes[0].lag = STATUS_UNKNOWN;
    snapshot.routes[0].rate = -1;
    FILE *out = open_memstream(&text, &size);
    status_print_lines(&snapshot, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "status-to-altinn3 rate=- lag=- applied=1"));
    free(text);
    out = open_memstream(&text, &size);
    status_print_json(&snapshot, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "\"lag\":null"));
    assert_non_null(strstr(text, "\"rate_per_second\":null"));
    free(text);
}

static void the_json_reads_back(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    struct sync_json *json = NULL;
    struct sync_error err;
    begin(12345);
    FILE *out = open_memstream(&text, &size);
    status_print_json(&snapshot, out);
    assert_int_equal(fclose(out), 0);
    struct sync_bytes bytes = {(const uint8_t *)text, size};
    if (!sync_is_ok(sync_json_parse(bytes, &json, &err))) {
        fail_msg("%s", err.text);
    }
    const struct sync_json *route = sync_json_at(sync_json_get(json, "routes"), 1);
    assert_int_equal(sync_json_integer(sync_json_get(route, "lag")), 12345);
    const struct sync_json *outcomes = sync_json_get(route, "outcomes");
    assert_int_equal(sync_json_integer(sync_json_get(outcomes, "duplicate")), 12345);
    const struct sync_json *target = sync_json_at(sync_json_get(json, "targets"), 0);
    assert_int_equal(sync_json_integer(sync_json_get(target, "no_route")), 12345);
    sync_json_free(&json);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_fits_80_columns_whatever_the_numbers),
        cmocka_unit_test(columns_stand_below_their_heading),
        cmocka_unit_test(colours_come_only_when_asked_for),
        cmocka_unit_test(faults_and_states_are_told_in_words),
        cmocka_unit_test(a_paused_route_says_so_and_why),
        cmocka_unit_test(a_backlog_tells_how_much_is_done_and_when_it_ends),
        cmocka_unit_test(a_backlog_that_gives_way_says_to_whom),
        cmocka_unit_test(a_backlog_that_stands_still_has_no_end),
        cmocka_unit_test(targets_of_several_homes_stand_below_their_home),
        cmocka_unit_test(what_is_not_known_is_a_dash_and_null),
        cmocka_unit_test(the_json_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
