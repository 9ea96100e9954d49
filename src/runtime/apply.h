/*
 * Decides and writes one batch inside an open transaction: intake, settle, lock, release, load,
 * fold, store, outbox, hold, park, decision log, counts. The same for the live loop, "load" and
 * adoption. Opens and ends no transaction and knows no entity.
 */
#ifndef SYNC_RUNTIME_APPLY_H
#define SYNC_RUNTIME_APPLY_H
#include "schema.h"
#include "store.h"
#include "topics.h"

/* What stays the same from batch to batch. */
struct sync_applier {
    struct sync_db *db;
    const struct sync_processor *processor;
    const struct sync_store *store;
    void *store_context; /* what the store's open gave; NULL = nothing */
    const struct sync_route *route;
    const char *scope;                /* usually route->name */
    const struct sync_topics *topics; /* partition counts of lanes */
    const struct sync_config *config; /* says which targets can be reached */
    struct sync_decoder *decoder;
    int decision_mode;      /* 0 off, 1 sampled, 2 full */
    bool keep_parked_bytes; /* all endpoints are loopback */
};

/* Decodes, checks the key and runs the intake over consumed records. No database. */
void sync_apply_intake(struct sync_applier *applier, struct sync_batch *batch);

/*
 * Everything between gate and COMMIT. extra_keys: entities to adopt though no record of this batch
 * names them (load, sweep). Fails: class of the statement; the caller rolls back. ret_lane_effects:
 * effects now waiting (wake the sender).
 */
sync_status sync_apply_batch(struct sync_applier *applier, struct sync_batch *batch,
                             const struct sync_key *extra_keys, size_t extra_count,
                             size_t *ret_lane_effects, struct sync_error *err);

/* One page of what waits in a partition. */
struct sync_adoptable {
    struct sync_key *keys; /* that can go on now, ascending */
    size_t count;
    struct sync_key last; /* none behind it was looked at; no text: nothing waits behind after */
};

/*
 * Looks through the next page of what waits, behind after, for at most max entities that the
 * store's adoptable query finds. Reads about SYNC_ADOPTION_PAGE_ROWS rows, however many wait.
 * Owns: the keys lie in the arena.  Fails: class of the statement; RETRY memory_limit.
 */
sync_status sync_apply_adoptable(const struct sync_applier *applier, const struct sync_place *place,
                                 const struct sync_key *after, size_t max, struct sync_arena *arena,
                                 struct sync_adoptable *ret_found, struct sync_error *err);

/* Adds the outcome counts, decisions and metrics of a committed batch to the process counters. */
void sync_apply_count(const struct sync_applier *applier, const struct sync_batch *batch);
#endif
