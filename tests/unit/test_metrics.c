/* Shows the page of metrics: its form, escapes, buckets, the bound on its lines; and that updates
 * from several threads add up. The process has one page, so each test uses names of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/limits.h"
#include "runtime/metrics.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static char *page;

static bool has(const char *text)
{
    free(page);
    size_t size;
    page = sync_metrics_render(&size);
    assert_int_equal(strlen(page), size);
    return strstr(page, text) != NULL;
}

static void a_counter_without_labels_shows_before_it_counts(void **state)
{
    (void)state;
    struct sync_metric *metric = sync_metric_new(SYNC_COUNTER, "plain_total", "Counts.", "");
    assert_true(
        has("# HELP altinn_sync_plain_total Counts.\n# TYPE altinn_sync_plain_total counter\n"
            "altinn_sync_plain_total 0\n"));
    sync_metric_add(metric, 2, NULL);
    sync_metric_add(metric, 0.5, NULL);
    assert_true(has("\naltinn_sync_plain_total 2.5\n"));
}

static void a_family_with_labels_shows_at_first_use(void **state)
{
    (void)state;
    struct sync_metric *metric =
        sync_metric_new(SYNC_COUNTER, "labelled_total", "Counts.", "consumer, outcome");
    assert_false(has("labelled_total"));
    sync_metric_add(metric, 1, SYNC_LABELS("a", "applied"));
    sync_metric_add(metric, 2, SYNC_LABELS("a", "held"));
    sync_metric_add(metric, 3, SYNC_LABELS("a", "applied"));
    assert_true(has("altinn_sync_labelled_total{consumer=\"a\",outcome=\"applied\"} 4\n"
                    "altinn_sync_labelled_total{consumer=\"a\",outcome=\"held\"} 2\n"));
}

static void label_values_and_help_are_escaped(void **state)
{
    (void)state;
    struct sync_metric *metric = sync_metric_new(SYNC_GAUGE, "escaped", "a\\b\n\"c\"", "name");
    sync_metric_set(metric, 1, SYNC_LABELS("q\"b\\n\nl"));
    assert_true(has("# HELP altinn_sync_escaped a\\\\b\\n\"c\"\n"));
    assert_true(has("altinn_sync_escaped{name=\"q\\\"b\\\\n\\nl\"} 1\n"));
}

static void a_gauge_is_set_and_moved(void **state)
{
    (void)state;
    struct sync_metric *metric = sync_metric_new(SYNC_GAUGE, "moved", "Gauge.", "");
    sync_metric_set(metric, 10, NULL);
    sync_metric_add(metric, -3, NULL);
    assert_true(sync_metric_read(metric, NULL) == 7);
    assert_true(has("altinn_sync_moved 7\n"));
}

static void numbers_keep_their_value(void **state)
{
    (void)state;
    struct sync_metric *metric = sync_metric_new(SYNC_GAUGE, "number", "Gauge.", "n");
    sync_metric_set(metric, 0.1, SYNC_LABELS("a"));
    sync_metric_set(metric, 1741078800.123456, SYNC_LABELS("b"));
    sync_metric_set(metric, 9007199254740993.0, SYNC_LABELS("c"));
    sync_metric_set(metric, (double)INFINITY, SYNC_LABELS("d"));
    sync_metric_set(metric, (double)-INFINITY, SYNC_LABELS("e"));
    sync_metric_set(metric, (double)NAN, SYNC_LABELS("f"));
    assert_true(has("{n=\"a\"} 0.1\n"));
    assert_true(has("{n=\"b\"} 1741078800.123456\n") || has("{n=\"b\"} 1741078800.1234560\n"));
    assert_true(has("{n=\"c\"} 9007199254740992\n"));
    assert_true(has("{n=\"d\"} +Inf\n"));
    assert_true(has("{n=\"e\"} -Inf\n"));
    assert_true(has("{n=\"f\"} NaN\n"));
}

static void a_histogram_adds_its_buckets_up(void **state)
{
    (void)state;
    struct sync_metric *metric =
        sync_metric_new(SYNC_HISTOGRAM, "latency_seconds", "Latency.", "stage");
    sync_metric_observe(metric, 60, SYNC_LABELS("x")); /* a value on a border belongs below it */
    sync_metric_observe(metric, 60.5, SYNC_LABELS("x"));
    sync_metric_observe(metric, 1e6, SYNC_LABELS("x"));
    sync_metric_observe(metric, 0, SYNC_LABELS("x"));
    assert_true(has("# TYPE altinn_sync_latency_seconds histogram\n"));
    assert_true(has("altinn_sync_latency_seconds_bucket{stage=\"x\",le=\"0.001\"} 1\n"));
    assert_true(has("altinn_sync_latency_seconds_bucket{stage=\"x\",le=\"30\"} 1\n"));
    assert_true(has("altinn_sync_latency_seconds_bucket{stage=\"x\",le=\"60\"} 2\n"));
    assert_true(has("altinn_sync_latency_seconds_bucket{stage=\"x\",le=\"300\"} 3\n"));
    assert_true(has("altinn_sync_latency_seconds_bucket{stage=\"x\",le=\"+Inf\"} 4\n"));
    assert_true(has("altinn_sync_latency_seconds_sum{stage=\"x\"} 1000120.5\n"));
    assert_true(has("altinn_sync_latency_seconds_count{stage=\"x\"} 4\n"));
}

static void a_coarse_histogram_has_few_lines(void **state)
{
    (void)state;
    struct sync_metric *metric =
        sync_metric_new(SYNC_HISTOGRAM_COARSE, "query_seconds", "Queries.", "statement");
    sync_metric_observe(metric, 0.02, SYNC_LABELS("x"));
    sync_metric_observe(metric, 20, SYNC_LABELS("x"));
    assert_true(has("# TYPE altinn_sync_query_seconds histogram\n"));
    assert_true(has("altinn_sync_query_seconds_bucket{statement=\"x\",le=\"0.01\"} 0\n"));
    assert_true(has("altinn_sync_query_seconds_bucket{statement=\"x\",le=\"0.1\"} 1\n"));
    assert_true(has("altinn_sync_query_seconds_bucket{statement=\"x\",le=\"10\"} 1\n"));
    assert_true(has("altinn_sync_query_seconds_bucket{statement=\"x\",le=\"+Inf\"} 2\n"));
    assert_false(has("query_seconds_bucket{statement=\"x\",le=\"0.05\"}"));
}

static void a_second_declaration_gives_the_same_family(void **state)
{
    (void)state;
    struct sync_metric *a = sync_metric_new(SYNC_COUNTER, "twice_total", "Counts.", "");
    struct sync_metric *b = sync_metric_new(SYNC_COUNTER, "twice_total", "Counts.", "");
    assert_ptr_equal(a, b);
}

static void an_unseen_series_reads_as_zero_and_stays_unseen(void **state)
{
    (void)state;
    struct sync_metric *metric = sync_metric_new(SYNC_COUNTER, "unseen_total", "Counts.", "a");
    assert_true(sync_metric_read(metric, SYNC_LABELS("x")) == 0);
    assert_false(has("unseen_total"));
}

/* What promtool's parser asks of each line. */
static void every_line_of_the_page_is_well_formed(void **state)
{
    (void)state;
    size_t size, lines = 0;
    char *text = sync_metrics_render(&size);
    assert_true(size > 0 && text[size - 1] == '\n');
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
        if (strncmp(line, "# HELP altinn_sync_", 19) == 0 ||
            strncmp(line, "# TYPE altinn_sync_", 19) == 0) {
            continue;
        }
        assert_memory_equal(line, "altinn_sync_", 12);
        const char *at = line;
        while (isalnum((unsigned char)*at) || *at == '_') {
            at++;
        }
        assert_true(*at == '{' || *at == ' ');
        const char *value = strrchr(line, ' ');
        char *end;
        (void)strtod(value, &end);
        assert_true(*end == '\0' && end != value);
    }
    assert_true(lines > 20);
    free(text);
}

static void *add_many(void *context)
{
    for (int i = 0; i < 10000; i++) {
        sync_metric_add(context, 1, SYNC_LABELS(i % 2 == 0 ? "even" : "odd"));
    }
    return NULL;
}

static void updates_of_several_threads_add_up(void **state)
{
    (void)state;
    struct sync_metric *metric = sync_metric_new(SYNC_COUNTER, "threads_total", "Counts.", "n");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, metric), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(sync_metric_read(metric, SYNC_LABELS("even")) == 20000);
    assert_true(sync_metric_read(metric, SYNC_LABELS("odd")) == 20000);
}

/* The last test: it fills the page. */
static void the_page_never_grows_beyond_its_bound(void **state)
{
    (void)state;
    struct sync_metric *metric = sync_metric_new(SYNC_COUNTER, "flood_total", "Counts.", "id");
    struct sync_metric *late = sync_metric_new(SYNC_HISTOGRAM, "late_seconds", "Late.", "id");
    for (int i = 0; i < 2 * SYNC_METRIC_SERIES_MAX; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        sync_metric_add(metric, 1, SYNC_LABELS(id));
    }
    sync_metric_observe(late, 1, SYNC_LABELS("x"));
    size_t lines = 0;
    assert_false(has("late_seconds"));
    for (const char *at = page; (at = strchr(at, '\n')) != NULL; at++) {
        lines += at[1] != '#' && at[1] != '\0';
    }
    assert_in_range(lines, SYNC_METRIC_SERIES_MAX - 20, SYNC_METRIC_SERIES_MAX);
    assert_true(
        has("altinn_sync_flood_total{id=\"0\"} 1\n")); /* those that are there go on counting */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_without_labels_shows_before_it_counts),
        cmocka_unit_test(a_family_with_labels_shows_at_first_use),
        cmocka_unit_test(label_values_and_help_are_escaped),
        cmocka_unit_test(a_gauge_is_set_and_moved),
        cmocka_unit_test(numbers_keep_their_value),
        cmocka_unit_test(a_histogram_adds_its_buckets_up),
        cmocka_unit_test(a_coarse_histogram_has_few_lines),
        cmocka_unit_test(a_second_declaration_gives_the_same_family),
        cmocka_unit_test(an_unseen_series_reads_as_zero_and_stays_unseen),
        cmocka_unit_test(every_line_of_the_page_is_well_formed),
        cmocka_unit_test(updates_of_several_threads_add_up),
        cmocka_unit_test(the_page_never_grows_beyond_its_bound),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(page);
    return failed;
}
