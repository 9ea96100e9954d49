/* Figures of the capture. Thread-safe. Not here: the figures every process has. */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_METRICS_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_METRICS_H

#include <stdint.h>

enum capture_drop { CAPTURE_DROP_OWN_WRITE, CAPTURE_DROP_NO_COUNTERPART };

/* Declares them; before any thread. */
void capture_metrics_init(void);
void capture_count_dropped(enum capture_drop reason);
void capture_count_delivered(void);
void capture_count_unresolved(void); /* CS-10 */
void capture_set_lag(double seconds);
void capture_set_retained(int64_t bytes);
void capture_set_gaps(int64_t open);

#endif
