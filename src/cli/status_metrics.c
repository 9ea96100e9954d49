/* What running processes tell about themselves on /metrics and /readyz. Not here: tables and
 * broker. */
#include "status.h"

#include "../runtime/http_client.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX      "altinn_sync_"
#define BUCKETS_MAX 64

bool status_processes_take(const char *list, struct status_snapshot *snapshot)
{
    for (const char *at = list; *at != '\0';) {
        size_t size = strcspn(at, ",");
        char host[256];
        int port = 0;
        if (snapshot->process_count == STATUS_PROCESSES_MAX) {
            return false;
        }
        struct status_process *row = &snapshot->processes[snapshot->process_count++];
        (void)snprintf(row->address, sizeof row->address, "%.*s", (int)size, at);
        (void)snprintf(row->name, sizeof row->name, "%.*s", (int)size, at);
        if (size >= sizeof row->address ||
            !sync_config_split_address(row->address, host, sizeof host, &port)) {
            return false;
        }
        at += size + (at[size] == ',');
    }
    return list[0] != '\0';
}

/* One line of the page: a series of the family, its labels and its value. */
struct series {
    const char *labels; /* "" = none */
    size_t labels_size;
    double value;
};

/* The next series of a family at or behind *at; false at the end of the page. */
static bool next_series(const char **at, const char *family, struct series *ret_series)
{
    size_t size = strlen(family);
    while (**at != '\0') {
        const char *line = *at;
        const char *end = line + strcspn(line, "\n");
        *at = *end != '\0' ? end + 1 : end;
        if (strncmp(line, PREFIX, strlen(PREFIX)) != 0) {
            continue;
        }
        const char *name = line + strlen(PREFIX);
        if (strncmp(name, family, size) != 0 || (name[size] != '{' && name[size] != ' ')) {
            continue;
        }
        const char *labels = name + size;
        const char *behind = labels;
        if (*labels == '{') {
            behind = memchr(labels, '}', (size_t)(end - labels));
            if (behind == NULL) {
                continue;
            }
            behind++;
        }
        *ret_series = (struct series){labels, (size_t)(behind - labels), strtod(behind, NULL)};
        return true;
    }
    return false;
}

/* Value of a label, "" when the series has none of that name. */
static void label_of(const struct series *series, const char *name, char *ret_value, size_t size)
{
    char wanted[64];
    ret_value[0] = '\0';
    size_t length = (size_t)snprintf(wanted, sizeof wanted, "%s=\"", name);
    const char *end = series->labels + series->labels_size;
    for (const char *at = series->labels; at + length < end; at++) {
        bool begins = at > series->labels && (at[-1] == '{' || at[-1] == ',');
        if (begins && strncmp(at, wanted, length) == 0) {
            const char *close = memchr(at + length, '"', (size_t)(end - at) - length);
            int used = close != NULL ? (int)(close - at - (ptrdiff_t)length) : 0;
            (void)snprintf(ret_value, size, "%.*s", used, at + length);
            return;
        }
    }
}

static int64_t sum(const char *page, const char *family)
{
    struct series series;
    double total = 0;
    while (next_series(&page, family, &series)) {
        total += series.value;
    }
    return (int64_t)total;
}

static double most(const char *page, const char *family)
{
    struct series series;
    double found = -1;
    while (next_series(&page, family, &series)) {
        found = series.value > found ? series.value : found;
    }
    return found;
}

struct bucket {
    double up_to, count; /* cumulative */
};

static int by_bound(const void *a, const void *b)
{
    const struct bucket *x = a, *y = b;
    return (x->up_to > y->up_to) - (x->up_to < y->up_to);
}

/* The buckets of a histogram, all its series added up, ascending. */
static size_t buckets_of(const char *page, const char *family, struct bucket *ret_buckets)
{
    struct series series;
    size_t count = 0;
    while (next_series(&page, family, &series)) {
        char bound[32];
        label_of(&series, "le", bound, sizeof bound);
        char *behind = NULL;
        double up_to = strtod(bound, &behind); /* "+Inf" is read, too */
        if (behind == bound) {
            continue;
        }
        size_t i = 0;
        while (i < count && (ret_buckets[i].up_to < up_to || ret_buckets[i].up_to > up_to)) {
            i++;
        }
        if (i == BUCKETS_MAX) {
            continue;
        }
        if (i == count) {
            ret_buckets[count++] = (struct bucket){up_to, 0};
        }
        ret_buckets[i].count += series.value;
    }
    qsort(ret_buckets, count, sizeof *ret_buckets, by_bound);
    return count;
}

/* Spread evenly inside its bucket, as Prometheus does; < 0 when nothing was counted. */
static double quantile(const struct bucket *buckets, size_t count, double share)
{
    double wanted = count > 0 ? buckets[count - 1].count * share : 0;
    if (wanted <= 0) {
        return -1;
    }
    double from = 0, before = 0;
    for (size_t i = 0; i + 1 < count; i++) { /* the last one has no upper bound */
        if (buckets[i].count >= wanted) {
            double inside = buckets[i].count - before;
            return from + (buckets[i].up_to - from) * (wanted - before) / inside;
        }
        from = buckets[i].up_to;
        before = buckets[i].count;
    }
    return from;
}

static void take_name(const char *page, struct status_process *row)
{
    static const char *const families[][2] = {
        {"assigned_partitions", "consumer"},    {"rebalances_total", "consumer"},
        {"changes_consumed_total", "consumer"}, {"source_records_total", "source"},
        {"source_lag_seconds", "source"},       {"source_gaps_open", "source"}};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        struct series series;
        const char *at = page;
        if (next_series(&at, families[i][0], &series)) {
            char name[64];
            label_of(&series, families[i][1], name, sizeof name);
            if (name[0] != '\0') {
                memcpy(row->name, name, sizeof row->name);
                return;
            }
        }
    }
}

static void take_page(const char *page, struct status_process *row)
{
    struct bucket buckets[BUCKETS_MAX];
    size_t count = buckets_of(page, "end_to_end_latency_seconds_bucket", buckets);
    take_name(page, row);
    row->p50_s = quantile(buckets, count, 0.5);
    row->p99_s = quantile(buckets, count, 0.99);
    row->oldest_s = most(page, "oldest_unapplied_age_seconds");
    row->rebalances = sum(page, "rebalances_total");
    row->fenced = sum(page, "fenced_total");
    row->retries = sum(page, "retries_total");
}

static bool get(const struct status_process *row, const char *page, int timeout_ms, int *ret_code,
                char **ret_text)
{
    char url[160];
    struct sync_error ignored; /* a process that does not answer is what is shown */
    (void)snprintf(url, sizeof url, "http://%s/%s", row->address, page);
    return sync_is_ok(sync_http_get(url, timeout_ms, ret_code, ret_text, &ignored));
}

static void read_process(struct status_process *row, int timeout_ms)
{
    char *text = NULL;
    int code = 0;
    row->reachable = get(row, "metrics", timeout_ms, &code, &text) && code == 200;
    if (row->reachable) {
        take_page(text, row);
    }
    free(text);
    text = NULL;
    row->ready = row->reachable && get(row, "readyz", timeout_ms, &code, &text) && code == 200;
    (void)snprintf(row->reason, sizeof row->reason, "not ready: %.*s",
                   text != NULL ? (int)strcspn(text, "\r\n") : 0, text != NULL ? text : "");
    free(text);
}

void status_processes_read(struct status_snapshot *snapshot, int timeout_ms)
{
    for (size_t i = 0; i < snapshot->process_count; i++) {
        read_process(&snapshot->processes[i], timeout_ms);
    }
}
