/*
 * Families of series and their page in Prometheus' text form. One lock: updates are few per batch.
 * Not here: which metrics exist; each part declares its own.
 */
#include "metrics.h"

#include "../core/limits.h"
#include "log.h"

#include <altinn_sync/status.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define PREFIX          "altinn_sync_"
#define VALUE_BYTES_MAX 96 /* of one label value; longer ones are cut */

/* Seconds. 60 is the freshness target, so it must be a border. */
static const double bounds[] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5,
                                1,     2.5,   5,    10,   30,  60,   300};
#define BOUND_COUNT (sizeof bounds / sizeof bounds[0])
/* A decade apart: of a coarse one. */
static const double coarse_bounds[] = {0.001, 0.01, 0.1, 1, 10};
#define COARSE_BOUND_COUNT (sizeof coarse_bounds / sizeof coarse_bounds[0])
#define LINES_BESIDE       3 /* +Inf, sum, count */

struct series {
    struct series *next;
    char values[SYNC_METRIC_LABELS_MAX][VALUE_BYTES_MAX];
    double value; /* of a histogram: the sum */
    uint64_t count;
    uint64_t buckets[BOUND_COUNT]; /* each for itself, added up on the page */
};

struct sync_metric {
    enum sync_metric_type type;
    char *name, *help;
    char labels[SYNC_METRIC_LABELS_MAX][VALUE_BYTES_MAX];
    int label_count;
    const double *bounds;
    size_t bound_count; /* 0: no histogram */
    struct series *first, **last;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sync_metric *families[SYNC_METRIC_FAMILIES_MAX];
static size_t family_count, line_count;

static bool same_values(const struct sync_metric *metric, const struct series *series,
                        const char *const *values)
{
    for (int i = 0; i < metric->label_count; i++) {
        SYNC_ASSERT(values != NULL && values[i] != NULL);
        if (strncmp(series->values[i], values[i], VALUE_BYTES_MAX - 1) != 0) {
            return false;
        }
    }
    return true;
}

static struct series *find_series(const struct sync_metric *metric, const char *const *values)
{
    for (struct series *series = metric->first; series != NULL; series = series->next) {
        if (same_values(metric, series, values)) {
            return series;
        }
    }
    return NULL;
}

static struct series *add_series(struct sync_metric *metric, const char *const *values)
{
    size_t lines = metric->bound_count > 0 ? metric->bound_count + LINES_BESIDE : 1;
    if (line_count + lines > SYNC_METRIC_SERIES_MAX) {
        return NULL;
    }
    struct series *series = calloc(1, sizeof *series);
    SYNC_ASSERT(series != NULL);
    for (int i = 0; i < metric->label_count; i++) {
        (void)snprintf(series->values[i], VALUE_BYTES_MAX, "%s", values[i]);
    }
    line_count += lines;
    *metric->last = series;
    metric->last = &series->next;
    return series;
}

/* Below the lock. NULL when the page is full: a metric is never worth more than the work that it
 * counts. */
static struct series *use_series(struct sync_metric *metric, const char *const *values)
{
    static bool said;
    struct series *series = find_series(metric, values);
    series = series == NULL ? add_series(metric, values) : series;
    if (series == NULL && !said) {
        said = true;
        sync_log(SYNC_WARN, "metric_series_full", SYNC_LOG_TEXT("metric", metric->name),
                 SYNC_LOG_NUMBER("limit", SYNC_METRIC_SERIES_MAX));
    }
    return series;
}

static void split_labels(struct sync_metric *metric, const char *labels)
{
    for (const char *at = labels; *at != '\0';) {
        size_t size = strcspn(at, ",");
        SYNC_ASSERT(metric->label_count < SYNC_METRIC_LABELS_MAX && size > 0 &&
                    size < VALUE_BYTES_MAX);
        memcpy(metric->labels[metric->label_count++], at, size);
        at += size + (at[size] == ',');
        at += strspn(at, " ");
    }
}

static void set_bounds(struct sync_metric *metric)
{
    if (metric->type == SYNC_HISTOGRAM) {
        metric->bounds = bounds;
        metric->bound_count = BOUND_COUNT;
    } else if (metric->type == SYNC_HISTOGRAM_COARSE) {
        metric->bounds = coarse_bounds;
        metric->bound_count = COARSE_BOUND_COUNT;
    }
}

struct sync_metric *sync_metric_new(enum sync_metric_type type, const char *name, const char *help,
                                    const char *labels)
{
    (void)pthread_mutex_lock(&lock);
    struct sync_metric *metric = NULL;
    for (size_t i = 0; i < family_count && metric == NULL; i++) {
        metric = strcmp(families[i]->name, name) == 0 ? families[i] : NULL;
    }
    if (metric == NULL) {
        SYNC_ASSERT(family_count < SYNC_METRIC_FAMILIES_MAX);
        metric = calloc(1, sizeof *metric);
        SYNC_ASSERT(metric != NULL);
        metric->type = type;
        metric->name = strdup(name);
        metric->help = strdup(help);
        SYNC_ASSERT(metric->name != NULL && metric->help != NULL);
        metric->last = &metric->first;
        set_bounds(metric);
        split_labels(metric, labels);
        families[family_count++] = metric;
        if (metric->label_count == 0) {
            (void)use_series(metric, NULL); /* a counter that is still 0 is worth showing */
        }
    }
    SYNC_ASSERT(metric->type == type);
    (void)pthread_mutex_unlock(&lock);
    return metric;
}

void sync_metric_add(struct sync_metric *metric, double amount, const char *const *values)
{
    SYNC_ASSERT(metric->bound_count == 0 && (metric->type == SYNC_GAUGE || amount >= 0));
    (void)pthread_mutex_lock(&lock);
    struct series *series = use_series(metric, values);
    if (series != NULL) {
        series->value += amount;
    }
    (void)pthread_mutex_unlock(&lock);
}

void sync_metric_set(struct sync_metric *metric, double value, const char *const *values)
{
    SYNC_ASSERT(metric->type == SYNC_GAUGE);
    (void)pthread_mutex_lock(&lock);
    struct series *series = use_series(metric, values);
    if (series != NULL) {
        series->value = value;
    }
    (void)pthread_mutex_unlock(&lock);
}

void sync_metric_observe(struct sync_metric *metric, double value, const char *const *values)
{
    SYNC_ASSERT(metric->bound_count > 0);
    (void)pthread_mutex_lock(&lock);
    struct series *series = use_series(metric, values);
    if (series != NULL) {
        size_t at = 0;
        while (at < metric->bound_count && value > metric->bounds[at]) {
            at++;
        }
        if (at < metric->bound_count) {
            series->buckets[at]++;
        }
        series->value += value;
        series->count++;
    }
    (void)pthread_mutex_unlock(&lock);
}

double sync_metric_read(struct sync_metric *metric, const char *const *values)
{
    (void)pthread_mutex_lock(&lock);
    const struct series *series = find_series(metric, values);
    double value = series == NULL ? 0 : series->value;
    (void)pthread_mutex_unlock(&lock);
    return value;
}

/* Page -------------------------------------------------------------------------------------- */

static void write_number(FILE *out, double value)
{
    if (isnan(value) || isinf(value)) {
        (void)fputs(isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf", out);
        return;
    }
    char text[40];
    (void)snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value) {
        (void)snprintf(text, sizeof text, "%.17g", value);
    }
    (void)fputs(text, out);
}

/* A quote is escaped in label values only. */
static void write_escaped(FILE *out, const char *text, bool quoted)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            (void)fputs("\\n", out);
            continue;
        }
        if (*text == '\\' || (quoted && *text == '"')) {
            (void)fputc('\\', out);
        }
        (void)fputc(*text, out);
    }
}

/* name{label="value",le="60"} */
static void write_name(FILE *out, const struct sync_metric *metric, const char *suffix,
                       const struct series *series, const char *le)
{
    (void)fprintf(out, PREFIX "%s%s", metric->name, suffix);
    if (metric->label_count == 0 && le == NULL) {
        (void)fputc(' ', out);
        return;
    }
    (void)fputc('{', out);
    for (int i = 0; i < metric->label_count; i++) {
        (void)fprintf(out, "%s%s=\"", i > 0 ? "," : "", metric->labels[i]);
        write_escaped(out, series->values[i], true);
        (void)fputc('"', out);
    }
    if (le != NULL) {
        (void)fprintf(out, "%sle=\"%s\"", metric->label_count > 0 ? "," : "", le);
    }
    (void)fputs("} ", out);
}

static void write_histogram(FILE *out, const struct sync_metric *metric,
                            const struct series *series)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < metric->bound_count; i++) {
        char le[24];
        (void)snprintf(le, sizeof le, "%g", metric->bounds[i]);
        sum += series->buckets[i];
        write_name(out, metric, "_bucket", series, le);
        (void)fprintf(out, "%llu\n", (unsigned long long)sum);
    }
    write_name(out, metric, "_bucket", series, "+Inf");
    (void)fprintf(out, "%llu\n", (unsigned long long)series->count);
    write_name(out, metric, "_sum", series, NULL);
    write_number(out, series->value);
    (void)fputc('\n', out);
    write_name(out, metric, "_count", series, NULL);
    (void)fprintf(out, "%llu\n", (unsigned long long)series->count);
}

static void write_family(FILE *out, const struct sync_metric *metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram", "histogram"};
    if (metric->first == NULL) {
        return;
    }
    (void)fprintf(out, "# HELP " PREFIX "%s ", metric->name);
    write_escaped(out, metric->help, false);
    (void)fprintf(out, "\n# TYPE " PREFIX "%s %s\n", metric->name, types[metric->type]);
    for (const struct series *series = metric->first; series != NULL; series = series->next) {
        if (metric->bound_count > 0) {
            write_histogram(out, metric, series);
            continue;
        }
        write_name(out, metric, "", series, NULL);
        write_number(out, series->value);
        (void)fputc('\n', out);
    }
}

char *sync_metrics_render(size_t *ret_size)
{
    char *page = NULL;
    FILE *out = open_memstream(&page, ret_size);
    SYNC_ASSERT(out != NULL);
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < family_count; i++) {
        write_family(out, families[i]);
    }
    (void)pthread_mutex_unlock(&lock);
    int closed = fclose(out);
    SYNC_ASSERT(closed == 0 && page != NULL);
    return page;
}
