/*
 * The delegation side of the simulated Altinn 3: who does what next, and doing it. Not here:
 * options, signals, pace (main.c).
 */
#ifndef SYNC_DEV_ALTINN3_DELEGATION_SIM_H
#define SYNC_DEV_ALTINN3_DELEGATION_SIM_H

#include "../delegations.h"

#include <runtime/postgres.h>

struct sim_actor {
    struct delegations_size size;
    int64_t first_key, last_key;
    uint64_t random; /* state of the generator */
    int machine_percent;
    double skew_seconds; /* of the times that the application stamps */
};

/* Installs the functions and the journal of schema.sql. Fails: as sync_db_script; FATAL file. */
sync_status sim_prepare(struct sync_db *db, const char *schema_file, struct sync_error *err);

/*
 * Lets somebody act, in one transaction. ret_changed is false when he saw that nothing was to be
 * done. Fails: RETRY as sync_db_exec: the act then happened or not; PARK when the data refuse it.
 */
sync_status sim_act(struct sim_actor *actor, struct sync_db *db, int64_t now_us, bool *ret_changed,
                    struct sync_error *err);

#endif
