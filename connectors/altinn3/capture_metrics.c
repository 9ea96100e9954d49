/* Figures of the capture, all labelled with its name. */
#include "capture_metrics.h"

#include <runtime/metrics.h>

static struct sync_metric *dropped, *delivered, *unresolved, *lag, *retained, *gaps, *backfill,
    *progress;

static const char *name;

void capture_metrics_init(const char *source)
{
    name = source;
    dropped = sync_metric_new(SYNC_COUNTER, "source_dropped_total",
                              "Changes that a source read and did not publish, by reason.",
                              "source,reason");
    delivered = sync_metric_new(SYNC_COUNTER, "source_records_total",
                                "Records that the broker has acknowledged, by capture.", "source");
    unresolved = sync_metric_new(
        SYNC_COUNTER, "source_unresolved_total",
        "Changes published without Altinn 2 id, because their message is not there.", "source");
    lag = sync_metric_new(SYNC_GAUGE, "source_lag_seconds",
                          "Age of the oldest change that is read and not delivered.", "source");
    retained = sync_metric_new(SYNC_GAUGE, "slot_retained_bytes",
                               "Bytes of log that the slot of a source keeps.", "source");
    gaps = sync_metric_new(SYNC_GAUGE, "source_gaps_open",
                           "Recorded gaps of a source that nobody has closed.", "source");
    backfill = sync_metric_new(SYNC_COUNTER, "backfill_records_total",
                               "Records of a load that the broker has acknowledged.", "source");
    progress = sync_metric_new(SYNC_GAUGE, "backfill_progress_ratio",
                               "How much of a table is loaded, by the estimate of its size.",
                               "source,table");
}

void capture_count_dropped(const char *reason)
{
    sync_metric_add(dropped, 1, SYNC_LABELS(name, reason));
}

void capture_count_delivered(void)
{
    sync_metric_add(delivered, 1, SYNC_LABELS(name));
}

void capture_count_unresolved(void)
{
    sync_metric_add(unresolved, 1, SYNC_LABELS(name));
}

void capture_set_lag(double seconds)
{
    sync_metric_set(lag, seconds, SYNC_LABELS(name));
}

void capture_set_retained(int64_t bytes)
{
    sync_metric_set(retained, (double)bytes, SYNC_LABELS(name));
}

void capture_set_gaps(int64_t open)
{
    sync_metric_set(gaps, (double)open, SYNC_LABELS(name));
}

void capture_count_backfill(double rows)
{
    sync_metric_add(backfill, rows, SYNC_LABELS(name));
}

void capture_set_backfill(const char *table, double ratio)
{
    sync_metric_set(progress, ratio, SYNC_LABELS(name, table));
}
