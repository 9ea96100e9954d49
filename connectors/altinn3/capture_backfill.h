/*
 * The load of the current state, beside live and never in its way: a thread with a database
 * connection and a producer of its own. It obeys sync.backfill, which operators write. Chunk by
 * chunk: note the position, read rows of one table in the order of their ids, look up what they
 * name, write down what will be sent, send it to the backlog topic, move the cursor.
 *
 * A row goes out at the newest position that is settled for the snapshot it was read in
 * (capture_settled.h): every change that the snapshot does not see has a higher number, so live
 * wins over it whatever overtakes what. docs/decisions/0050 says why this takes the place of marks
 * in the stream.
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_BACKFILL_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_BACKFILL_H

#include "capture_entity.h"
#include <stdatomic.h>

struct capture_backfill;

/*
 * Makes the load of an entity that has one. begun says, once true, that live streams.
 * Owns: the caller frees ret_backfill; entity, config, schema and begun outlive it.  Blocks: no.
 * Fails: FATAL config, insecure, memory_limit.
 */
sync_status capture_backfill_new(const struct capture_entity *entity,
                                 const struct sync_config *config, const struct sync_schema *schema,
                                 const atomic_bool *begun, struct capture_backfill **ret_backfill,
                                 struct sync_error *err);
/* After capture_backfill_stop; NULL is fine. */
void capture_backfill_free(struct capture_backfill **backfill);

/* Starts its thread. Fails: FATAL internal. */
sync_status capture_backfill_start(struct capture_backfill *backfill, struct sync_error *err);
/* Tells it to end and waits for it: it leaves a chunk under way as it is. Blocks: at most a
 * statement's time-out + network. */
void capture_backfill_stop(struct capture_backfill *backfill);

#endif
