/*
 * Marks in the stream of delegations: TICK says that everything up to a number is on the topic
 * (DL-104), END that a snapshot is complete. They carry no key and go to every partition. Not here:
 * when they are due.
 */
#ifndef SYNC_CONNECTORS_DELEGATION_CONTROL_H
#define SYNC_CONNECTORS_DELEGATION_CONTROL_H
#include <altinn_sync/delegation.h>

struct delegation_control {
    enum delegation_source source;
    struct sync_bytes stream;
    bool weak;                           /* the stream's strength */
    int64_t seq;                         /* TICK: the position. END: rows of the target */
    int64_t capture_time_us;             /* wall clock */
    const struct sync_uuid *snapshot_id; /* NULL: a TICK; else the END of this snapshot */
    int64_t snapshot_pos;
    struct sync_bytes resource; /* END: whose rows are counted */
};

/* The change that tells it. Owns: texts are the control's.  Blocks: no.  Fails: never. */
struct delegation_change delegation_control_change(const struct delegation_control *control);
#endif
