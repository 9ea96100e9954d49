/* Counts connections and measures round trips. */
#include "postgres_wire.h"

#include "clock.h"
#include "metrics.h"

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sync_metric *durations, *connections;

static void declare(void)
{
    durations = sync_metric_new(SYNC_HISTOGRAM_COARSE, "db_query_duration_seconds",
                                "Time of one round trip, by its first statement.", "statement");
    connections = sync_metric_new(SYNC_GAUGE, "db_connections_in_use",
                                  "Sessions of this process that are set up.", "");
}

void sync_wire_measure(const char *name, int64_t start_us)
{
    (void)pthread_once(&once, declare);
    double seconds = (double)(sync_clock_monotonic_us() - start_us) / 1e6;
    sync_metric_observe(durations, seconds, SYNC_LABELS(name));
}

void sync_wire_count_sessions(int change)
{
    (void)pthread_once(&once, declare);
    sync_metric_add(connections, change, NULL);
}
