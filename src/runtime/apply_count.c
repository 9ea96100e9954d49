/* Process counters of committed batches. Not here: sync.outcome_count, which
 * decides. */
#include "apply.h"
#include "clock.h"
#include "log.h"
#include "metrics.h"
#include "words.h"

#include <pthread.h>

static struct sync_metric *consumed, *changes, *decisions, *latency, *echoes, *leaks, *hops,
    *orphans, *alarms;
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
    alarms = sync_metric_new(SYNC_COUNTER, "urgent_total",
                             "Changes that wait although they take something away, or that "
                             "contradict themselves, by rule.",
                             "consumer,rule");
}

static const char *direction_of(const struct sync_route *route)
{
    return route->to == SYNC_SYSTEM_ALTINN2 ? "to_altinn2" : "to_altinn3";
}

/* Rows of the past and live changes are told apart: their ages say different things. */
static const char *mode_of(const struct sync_route *route)
{
    return route->yields_to == NULL ? "live" : "backlog";
}

static void count_echo(const struct sync_record *record, const struct sync_event *event)
{
    const char *direction = direction_of(record->route);
    sync_metric_add(echoes, 1, SYNC_LABELS(direction, event->leaked ? "publisher" : "origin"));
    if (event->leaked) {
        sync_metric_add(leaks, 1, SYNC_LABELS(direction));
    }
}

static void count_applied(const struct sync_record *record, const struct sync_event *event,
                          int64_t wall_us)
{
    if (event->captured_us > 0 && event->captured_us <= wall_us) {
        sync_metric_observe(latency, (double)(wall_us - event->captured_us) / 1e6,
                            SYNC_LABELS(direction_of(record->route), mode_of(record->route)));
    }
    sync_metric_add(hops, event->has_origin ? 1 : 0, SYNC_LABELS(direction_of(record->route)));
}

/* The rule stands for what it is; nothing of the change itself is told. */
static void tell_alarm(const struct sync_record *record)
{
    sync_metric_add(alarms, 1, SYNC_LABELS(record->route->name, record->fold.rule));
    sync_log(SYNC_ERROR, "an urgent change waits", SYNC_LOG_TEXT("rule", record->fold.rule),
             SYNC_LOG_TEXT("outcome", sync_outcome_word(record->fold.outcome)),
             SYNC_LOG_TEXT("topic", record->topic), SYNC_LOG_NUMBER("partition", record->partition),
             SYNC_LOG_NUMBER("offset", record->offset));
}

static void count_records(const struct sync_processor *processor, const struct sync_record *records,
                          size_t count)
{
    int64_t wall_us = sync_clock_wall_us();
    for (size_t i = 0; i < count; i++) {
        const struct sync_record *record = &records[i];
        const char *consumer = record->route->name;
        struct sync_event event = {.captured_us = 0};
        if (record->change != NULL) {
            processor->event(record->change, &event);
        }
        sync_metric_add(changes, 1,
                        SYNC_LABELS(consumer, direction_of(record->route), mode_of(record->route),
                                    sync_outcome_word(record->fold.outcome)));
        sync_metric_add(decisions, 1, SYNC_LABELS(consumer, record->fold.rule));
        if (record->fold.outcome == SYNC_OUTCOME_ECHO) {
            count_echo(record, &event);
        }
        if (record->fold.outcome == SYNC_OUTCOME_APPLIED) {
            count_applied(record, &event, wall_us);
        }
        if (record->fold.alarm) {
            tell_alarm(record);
        }
    }
}

void sync_apply_count(const struct sync_applier *applier, const struct sync_batch *batch)
{
    (void)pthread_once(&once, declare);
    sync_metric_add(
        consumed, (double)batch->record_count,
        SYNC_LABELS(batch->scope, direction_of(batch->route), batch->topic, mode_of(batch->route)));
    sync_metric_add(orphans, (double)batch->orphan_keys, SYNC_LABELS(batch->route->name));
    count_records(applier->processor, batch->records, batch->record_count);
    count_records(applier->processor, batch->released, batch->released_count);
}
