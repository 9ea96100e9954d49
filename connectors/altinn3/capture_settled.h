/*
 * Up to which position of the log nothing can come any more. The number of a change is where it
 * stands in the log, but it comes when its transaction commits: a transaction that is open for long
 * brings low numbers late. So a position is settled only when every transaction that had begun by
 * then has ended. Not here: what is done with it (ticks, backfill).
 *
 *   T  deletes a row at 100 ............................ commits at 300
 *   we note position 200 .... still unsettled ......... settled at 300 or later
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_SETTLED_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_SETTLED_H

#include <runtime/postgres.h>

#define CAPTURE_MARKS_MAX 64 /* while a transaction stays open no more are needed */

/* What the server says at one moment. */
struct capture_moment {
    uint64_t lsn;        /* everything logged before it stands below */
    uint64_t xmin, xmax; /* of a snapshot taken after that: oldest that runs, next to begin */
    uint64_t end_lsn;    /* what had ended by that snapshot was logged below */
};

struct capture_mark {
    uint64_t lsn, xmax;
    uint64_t ended_lsn; /* 0 = something that had begun by then may still run */
};
struct capture_settled {
    struct capture_mark marks[CAPTURE_MARKS_MAX]; /* oldest first */
    size_t count;
};

/* Asks the server. Blocks, fails: as sync_db_exec. */
sync_status capture_moment_ask(struct sync_db *db, struct capture_moment *ret_moment,
                               struct sync_error *err);

/* Begins with a position that is settled for everything that is to come. Pure. */
void capture_settled_begin(struct capture_settled *settled, uint64_t lsn);

/* Remembers a moment. Pure. */
void capture_settled_note(struct capture_settled *settled, const struct capture_moment *moment);

/*
 * Newest position with nothing at or below it that is not delivered yet, given how far the log is
 * delivered; 0 = none. Older ones are forgotten. Pure.
 */
uint64_t capture_settled_delivered(struct capture_settled *settled, uint64_t delivered_lsn);

/*
 * Newest position with nothing at or below it that a snapshot does not see, given its xmin; 0 =
 * none. Older ones are forgotten. Pure.
 */
uint64_t capture_settled_visible(struct capture_settled *settled, uint64_t xmin);

#endif
