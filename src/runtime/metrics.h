/*
 * Counters, gauges and histograms in Prometheus text form. Declared once at start with name, unit
 * and help; updates are atomic; series are made at declaration or first use, at most 1,000.
 */
#ifndef SYNC_RUNTIME_METRICS_H
#define SYNC_RUNTIME_METRICS_H
#include <altinn_sync/types.h>

struct sync_metric; /* a family */
/* A coarse histogram has borders a decade apart: for families with many label values. */
enum sync_metric_type { SYNC_COUNTER, SYNC_GAUGE, SYNC_HISTOGRAM, SYNC_HISTOGRAM_COARSE };

/* name without prefix altinn_sync_; labels: comma list of label names, "" = none. Lives for ever.
 */
struct sync_metric *sync_metric_new(enum sync_metric_type type, const char *name, const char *help,
                                    const char *labels);
/* values: as many as labels, in order; static or long-lived text is not needed, it is copied. */
void sync_metric_add(struct sync_metric *metric, double amount, const char *const *values);
void sync_metric_set(struct sync_metric *metric, double value, const char *const *values);
void sync_metric_observe(struct sync_metric *metric, double value, const char *const *values);
double sync_metric_read(struct sync_metric *metric,
                        const char *const *values); /* counters, gauges; 0 when unseen */
#define SYNC_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
/* Whole page; malloc'ed text, the caller frees it. */
char *sync_metrics_render(size_t *ret_size);
#endif
