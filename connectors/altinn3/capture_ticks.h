/*
 * Marks of the position in every partition of the live topic: whoever has read one knows that
 * nothing at or below it will come in that partition. One thread. Not here: what counts as settled
 * (capture_settled.h).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_TICKS_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_TICKS_H

#include "capture_settled.h"

struct capture_publisher;

struct capture_ticks {
    struct capture_settled settled;
    int64_t noted_us, sent_us; /* monotonic */
};

/* Notes the position and sends it when it is due. Blocks: at most a statement's time-out + network.
 * Fails: as sync_db_exec; FATAL when a mark makes no record. */
sync_status capture_ticks_turn(struct capture_publisher *publisher, struct sync_error *err);

#endif
