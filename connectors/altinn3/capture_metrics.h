/* Figures of the capture. Thread-safe. Not here: the figures every process has. */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_METRICS_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_METRICS_H

#include <stdint.h>

/* Declares them with the name of the capture (static text) as label; before any thread. */
void capture_metrics_init(const char *source);
void capture_count_dropped(const char *reason); /* static word */
void capture_count_delivered(void);
void capture_count_unresolved(void); /* published although something was not found (CS-10) */
void capture_set_lag(double seconds);
void capture_set_retained(int64_t bytes);
void capture_set_gaps(int64_t open);
void capture_count_backfill(double rows);                      /* delivered */
void capture_set_backfill(const char *table, double progress); /* static name; 0 to 1 */

#endif
