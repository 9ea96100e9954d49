/*
 * Shows what "status --metrics" reads from a running process. How: the project's own HTTP server
 * serves pages, good, hostile and empty ones, and the reader asks it over loopback.
 */
#include "cli/status.h"
#include "runtime/http_client.h"
#include "runtime/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct status_snapshot snapshot; /* large */
static const char *metrics_page, *ready_page;
static int metrics_code, ready_code;

static void serve(struct sync_http_request *request, void *context)
{
    (void)context;
    bool metrics = strcmp(request->path, "/metrics") == 0;
    const char *text = metrics ? metrics_page : ready_page;
    struct sync_bytes body = {(const uint8_t *)text, strlen(text)};
    sync_http_answer(request, metrics ? metrics_code : ready_code, "text/plain", body, 0);
}

static struct sync_http_server *start(void)
{
    struct sync_http_server *server = NULL;
    struct sync_error err;
    struct sync_http_server_options options = {
        .listen = "127.0.0.1:0", .connections_max = 4, .handler = serve};
    if (!sync_is_ok(sync_http_server_new(&options, &server, &err))) {
        fail_msg("%s", err.text);
    }
    return server;
}

static const struct status_process *read_page(const char *page)
{
    struct sync_http_server *server = start();
    metrics_page = page;
    memset(&snapshot, 0, sizeof snapshot);
    assert_true(status_processes_take(sync_http_server_address(server), &snapshot));
    status_processes_read(&snapshot, 5000);
    sync_http_server_free(&server);
    return &snapshot.processes[0];
}

static int set_good(void **state)
{
    (void)state;
    metrics_code = ready_code = 200;
    ready_page = "ok\n";
    return 0;
}

static void numbers_of_a_consumer_are_read(void **state)
{
    (void)state;
    const struct status_process *row = read_page(
        "# HELP altinn_sync_rebalances_total x\n# TYPE altinn_sync_rebalances_total counter\n"
        "altinn_sync_rebalances_total{consumer=\"status-to-altinn3\"} 3\n"
        "altinn_sync_fenced_total{consumer=\"status-to-altinn3\"} 1\n"
        "altinn_sync_retries_total{consumer=\"a\",dependency=\"database\"} 2\n"
        "altinn_sync_retries_total{consumer=\"a\",dependency=\"bridge\"} 5\n"
        "altinn_sync_retries_total_other 1000\n"
        "altinn_sync_oldest_unapplied_age_seconds{consumer=\"a\",direction=\"b\"} 0.25\n"
        "altinn_sync_end_to_end_latency_seconds_bucket{direction=\"b\",mode=\"live\",le=\"0.1\"} "
        "50\n"
        "altinn_sync_end_to_end_latency_seconds_bucket{direction=\"b\",mode=\"live\",le=\"1\"} "
        "100\n"
        "altinn_sync_end_to_end_latency_seconds_bucket{direction=\"b\",mode=\"live\",le=\"+Inf\"} "
        "100\n");
    assert_true(row->reachable);
    assert_true(row->ready);
    assert_string_equal(row->name, "status-to-altinn3");
    assert_int_equal(row->rebalances, 3);
    assert_int_equal(row->fenced, 1);
    assert_int_equal(row->retries, 7); /* series are added, longer names are others */
    assert_true(row->oldest_s > 0.24 && row->oldest_s < 0.26);
    assert_true(row->p50_s > 0.099 && row->p50_s < 0.101);
    assert_true(row->p99_s > 0.97 && row->p99_s < 0.99);
}

static void a_page_without_our_metrics_leaves_everything_unknown(void **state)
{
    (void)state;
    static const char *const pages[] = {"",
                                        "\n\n",
                                        "other_metric 1\n",
                                        "altinn_sync_rebalances_total",
                                        "altinn_sync_rebalances_total{consumer=\"x",
                                        "altinn_sync_",
                                        "altinn_sync_end_to_end_latency_seconds_bucket{le=\"} 1\n"};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        const struct status_process *row = read_page(pages[i]);
        assert_true(row->reachable);
        assert_int_equal(row->rebalances, 0);
        assert_true(row->oldest_s < 0);
        assert_true(row->p50_s < 0 && row->p99_s < 0);
        assert_string_equal(row->name, row->address);
    }
}

static void more_buckets_than_room_are_left_out(void **state)
{
    (void)state;
    char *page = calloc(1, 65536);
    size_t used = 0;
    for (int i = 1; i <= 200; i++) {
        used +=
            (size_t)snprintf(page + used, 65536 - used,
                             "altinn_sync_end_to_end_latency_seconds_bucket{le=\"%d\"} %d\n", i, i);
    }
    const struct status_process *row = read_page(page);
    assert_true(row->p50_s > 0 && row->p99_s <= 200);
    free(page);
}

static void a_process_that_is_not_ready_says_why(void **state)
{
    (void)state;
    ready_code = 503;
    ready_page = "database: not reachable\nmore\n";
    const struct status_process *row =
        read_page("altinn_sync_source_gaps_open{source=\"altinn3-status\"} 0\n");
    assert_true(row->reachable);
    assert_false(row->ready);
    assert_string_equal(row->reason, "not ready: database: not reachable");
    assert_string_equal(row->name, "altinn3-status");
}

static void a_process_that_is_gone_is_not_reachable(void **state)
{
    (void)state;
    memset(&snapshot, 0, sizeof snapshot);
    assert_true(status_processes_take("127.0.0.1:1", &snapshot));
    status_processes_read(&snapshot, 500);
    assert_false(snapshot.processes[0].reachable || snapshot.processes[0].ready);
}

static void addresses_that_are_malformed_or_too_many_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "x", "a:b", "127.0.0.1:1,", "127.0.0.1:1,,127.0.0.1:2", ":1", "h:99999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memset(&snapshot, 0, sizeof snapshot);
        bool taken = status_processes_take(bad[i], &snapshot);
        assert_true(!taken ||
                    strcmp(bad[i], "127.0.0.1:1,") == 0); /* a comma at the end is harmless */
    }
    memset(&snapshot, 0, sizeof snapshot);
    assert_false(status_processes_take(
        "h:1,h:2,h:3,h:4,h:5,h:6,h:7,h:8,h:9,h:10,h:11,h:12,h:13,h:14,h:15,h:16,h:17", &snapshot));
}

static void a_page_of_another_machine_is_asked_for_over_https_only(void **state)
{
    (void)state;
    char *text = NULL;
    int code = 0;
    struct sync_error err;
    assert_int_equal(sync_http_get("http://192.0.2.1/metrics", 500, &code, &text, &err).class,
                     SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_INSECURE);
    assert_int_equal(sync_http_get("file:///etc/passwd", 500, &code, &text, &err).class,
                     SYNC_CLASS_FATAL);
    assert_int_equal(sync_http_get("http://127.0.0.1:1/x", 500, &code, &text, &err).class,
                     SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_HTTP_UNREACHABLE);
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers_of_a_consumer_are_read, set_good),
        cmocka_unit_test_setup(a_page_without_our_metrics_leaves_everything_unknown, set_good),
        cmocka_unit_test_setup(more_buckets_than_room_are_left_out, set_good),
        cmocka_unit_test_setup(a_process_that_is_not_ready_says_why, set_good),
        cmocka_unit_test_setup(a_process_that_is_gone_is_not_reachable, set_good),
        cmocka_unit_test_setup(addresses_that_are_malformed_or_too_many_are_refused, set_good),
        cmocka_unit_test_setup(a_page_of_another_machine_is_asked_for_over_https_only, set_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
