/* Process counters of committed batches. Not here: sync.outcome_count, which
 * decides. */
#include "apply.h"
#include "clock.h"
#include "metrics.h"
#include "words.h"

#include <pthread.h>

static struct sync_metric *consumed, *changes, *decisions, *latency, *echoes, *leaks, *hops,
    *orphans;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void declare(void)
{
    consumed = sync_metric_new(SYNC_COUNTER, "changes_consumed_total",
                               "Records taken from Kafka and committed with an outcome.",
                               "consumer,direction,topic,mode");
    changes = sync_metric_new(SYNC_COUNTER, "changes_total",
                              "Changes by outcome, those decided again at release included.",
                              "consumer,direction,mode,outcome");
    decisions =
        sync_metric_new(SYNC_COUNTER, "decisions_total", "Decisions by rule.", "consumer,rule");
    latency = sync_metric_new(SYNC_HISTOGRAM, "end_to_end_latency_seconds",
                              "From the capture of a change to its commit on the other side.",
                              "direction,mode");
    echoes = sync_metric_new(SYNC_COUNTER, "echo_total",
                             "Own writes that came back, by the stop that caught them.",
                             "direction,stop");
    leaks = sync_metric_new(SYNC_COUNTER, "publisher_leaks_total",
                            "Rows written by the sync that a publisher should have left out.",
                            "direction");
    hops = sync_metric_new(SYNC_COUNTER, "hops_exceeded_total",
                           "Changes caused by the sync that were applied once more; must stay 0.",
                           "direction");
    orphans =
        sync_metric_new(SYNC_COUNTER, "orphan_keys_total",
                        "Keys of an aborted act of the other side that were met.", "consumer");
}

static const char *direction_of(const struct sync_route *route)
{
    return route->to == SYNC_SYSTEM_ALTINN2 ? "to_altinn2" : "to_altinn3";
}

/* Offset of a field in the change, or SIZE_MAX when the entity has none of that name. */
static size_t offset_of(const struct sync_processor *processor, const char *path)
{
    for (size_t i = 0; i < processor->field_count; i++) {
        if (strcmp(processor->fields[i].path, path) == 0) {
            return processor->fields[i].offset;
        }
    }
    return SIZE_MAX;
}

/* A bool of the change; false when the record did not decode or the entity has no such field. */
static bool flag_of(const struct sync_processor *processor, const struct sync_record *record,
                    const char *path)
{
    size_t at = offset_of(processor, path);
    bool value = false;
    if (at != SIZE_MAX && record->change != NULL) {
        memcpy(&value, (const uint8_t *)record->change + at, sizeof value);
    }
    return value;
}

static void count_echo(const struct sync_processor *processor, const struct sync_record *record)
{
    bool leaked = flag_of(processor, record, "written_by_sync");
    const char *direction = direction_of(record->route);
    sync_metric_add(echoes, 1, SYNC_LABELS(direction, leaked ? "publisher" : "origin"));
    if (leaked) {
        sync_metric_add(leaks, 1, SYNC_LABELS(direction));
    }
}

static void count_latency(const struct sync_processor *processor, const struct sync_record *record,
                          int64_t wall_us)
{
    size_t at = offset_of(processor, "captured_at_us");
    int64_t captured_us;
    if (at == SIZE_MAX || record->change == NULL) {
        return;
    }
    memcpy(&captured_us, (const uint8_t *)record->change + at, sizeof captured_us);
    if (captured_us > 0 && captured_us <= wall_us) {
        sync_metric_observe(latency, (double)(wall_us - captured_us) / 1e6,
                            SYNC_LABELS(direction_of(record->route), "live"));
    }
}

static void count_records(const struct sync_processor *processor, const struct sync_record *records,
                          size_t count)
{
    int64_t wall_us = sync_clock_wall_us();
    for (size_t i = 0; i < count; i++) {
        const struct sync_record *record = &records[i];
        const char *consumer = record->route->name;
        sync_metric_add(changes, 1,
                        SYNC_LABELS(consumer, direction_of(record->route), "live",
                                    sync_outcome_word(record->fold.outcome)));
        sync_metric_add(decisions, 1, SYNC_LABELS(consumer, record->fold.rule));
        if (record->fold.outcome == SYNC_OUTCOME_ECHO) {
            count_echo(processor, record);
        }
        if (record->fold.outcome == SYNC_OUTCOME_APPLIED) {
            count_latency(processor, record, wall_us);
            sync_metric_add(hops, flag_of(processor, record, "origin") ? 1 : 0,
                            SYNC_LABELS(direction_of(record->route)));
        }
    }
}

void sync_apply_count(const struct sync_applier *applier, const struct sync_batch *batch)
{
    (void)pthread_once(&once, declare);
    sync_metric_add(consumed, (double)batch->record_count,
                    SYNC_LABELS(batch->scope, direction_of(batch->route), batch->topic, "live"));
    sync_metric_add(orphans, (double)batch->orphan_keys, SYNC_LABELS(batch->route->name));
    count_records(applier->processor, batch->records, batch->record_count);
    count_records(applier->processor, batch->released, batch->released_count);
}
