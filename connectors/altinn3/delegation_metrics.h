/*
 * Counters of the delegation store and its lanes. Made at first use; any thread. Not here: outcomes
 * and rules, which the runtime counts.
 */
#ifndef CONNECTORS_ALTINN3_DELEGATION_METRICS_H
#define CONNECTORS_ALTINN3_DELEGATION_METRICS_H
#include <stdint.h>

enum deleg_counter {
    DELEG_ECHO_UNKNOWN,      /* DL-93: an echo whose origin is not in the ledger */
    DELEG_AUDIT_ORDER_RETRY, /* DL-102 */
    DELEG_AUDIT_FUTURE,      /* DL-102: a row of Altinn 3 is dated later than the server's clock */
    DELEG_WRITE_PUT_OFF,     /* DL-83: the row is not as it was last seen */
    DELEG_COUNTER_COUNT,
};

/* Adds n to a counter. Never fails. */
void deleg_count(enum deleg_counter counter, int64_t n);

/* Value of a counter in this process. */
int64_t deleg_counted(enum deleg_counter counter);
#endif
