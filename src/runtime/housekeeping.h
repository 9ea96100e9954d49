/*
 * What the owner of a partition does besides applying: ages what is held, deletes what is done
 * with, makes and drops day partitions, measures what waits. Under the owner row's epoch, few rows
 * at a time, with the database's time. Not here: adoption (consumer_sweep.c), rules.
 */
#ifndef SYNC_RUNTIME_HOUSEKEEPING_H
#define SYNC_RUNTIME_HOUSEKEEPING_H
#include "apply.h"
#include "claim.h"

struct sync_housekeeping {
    struct sync_applier *applier;
    struct sync_arena *arena; /* used from where it stands, given back after each call */
    int64_t outbox_keep_days, decision_keep_days, echo_keep_s;
};

/*
 * Parks what was held for too long (CS-15, CS-16), at most SYNC_HOUSEKEEPING_ROWS_MAX records. Runs
 * inside the caller's transaction, behind its gate.
 */
sync_status sync_housekeeping_age(struct sync_housekeeping *h, const struct sync_place *place,
                                  int64_t now_us, size_t *ret_aged, struct sync_error *err);

/* Deletes done and skipped effects and expired expectations. Same. */
sync_status sync_housekeeping_delete(struct sync_housekeeping *h, const struct sync_place *place,
                                     int64_t now_us, struct sync_error *err);

/* Day partitions of the decision log and of the ledger of events. A transaction of its own. */
sync_status sync_housekeeping_days(struct sync_housekeeping *h, struct sync_error *err);

/* Sets the gauges of what is held and parked, by rule and code, for all places of the process, and
 * of drift where the process counts it; says which class of drift has risen. */
sync_status sync_housekeeping_measure(struct sync_housekeeping *h, const struct sync_place *places,
                                      size_t count, struct sync_error *err);
#endif
