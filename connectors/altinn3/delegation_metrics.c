/* Counters of the delegation store. One family, labelled with what was met. */
#include "delegation_metrics.h"

#include "../../src/runtime/metrics.h"

static const char *const words[DELEG_COUNTER_COUNT] = {
    [DELEG_ECHO_UNKNOWN] = "echo_unknown",
    [DELEG_AUDIT_ORDER_RETRY] = "audit_order_retry",
    [DELEG_AUDIT_FUTURE] = "audit_future",
    [DELEG_WRITE_PUT_OFF] = "write_put_off",
};

static struct sync_metric *family(void)
{
    return sync_metric_new(SYNC_COUNTER, "delegation_met_total",
                           "What the store of delegations met besides outcomes, by kind.", "kind");
}

void deleg_count(enum deleg_counter counter, int64_t n)
{
    if (n > 0) {
        sync_metric_add(family(), (double)n, SYNC_LABELS(words[counter]));
    }
}

int64_t deleg_counted(enum deleg_counter counter)
{
    return (int64_t)sync_metric_read(family(), SYNC_LABELS(words[counter]));
}
