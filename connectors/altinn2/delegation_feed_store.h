/*
 * What the home database keeps of the role feed: the checkpoint in sync.source, the first load in
 * sync.backfill, gaps that only a person can close. One thread. Not here: reading.
 */
#ifndef SYNC_ALTINN2_DELEGATION_FEED_STORE_H
#define SYNC_ALTINN2_DELEGATION_FEED_STORE_H
#include "delegation_feed_gaps.h"
#include "delegation_feed_link.h"
#include "resolver.h"

#define FEED_TABLE "role_feed" /* in sync.backfill */

enum feed_load {
    FEED_LOAD_NONE, /* no first load is recorded */
    FEED_LOAD_RUNNING,
    FEED_LOAD_PAUSED, /* by "capture backfill --pause", or cancelled */
    FEED_LOAD_DONE,
};

struct feed_state {
    int32_t generation;
    int64_t sequence_base;
    char link[FEED_LINK_SIZE]; /* checkpoint; "" = none */
    int64_t highest;           /* 0 = none */
    struct feed_gaps gaps;
    bool stopped; /* a gap of this source is open */
    enum feed_load load;
    char load_link[FEED_LINK_SIZE]; /* of the second reader; "" = one reader does both */
    int64_t load_low, load_high;    /* ids: done, and where live begins */
    int64_t load_rows;
};

/* Reads everything; makes the row of the source when it is not there. Fails: as resolver_exec. */
sync_status feed_state_read(struct resolver *resolver, const char *source,
                            struct feed_state *ret_state, struct sync_error *err);

/* The first load's state and rows only. */
sync_status feed_load_read(struct resolver *resolver, const char *source, enum feed_load *ret_load,
                           struct sync_error *err);

/* Begins the first load: live begins at link, load_link is the second reader's or "". */
sync_status feed_load_begin(struct resolver *resolver, const char *source, const char *link,
                            const struct feed_state *state, struct sync_error *err);

/*
 * A page is delivered. Checkpoint of the live reader: link, highest, gaps. Of the first load:
 * load_link, load_low, rows more, done. Either may be left out.
 */
struct feed_checkpoint {
    const struct feed_state *live; /* NULL = unchanged */
    const struct feed_state *load; /* NULL = unchanged */
    int64_t rows;
    bool done;
};
sync_status feed_checkpoint_store(struct resolver *resolver, const char *source,
                                  const struct feed_checkpoint *checkpoint, struct sync_error *err);

/* Something may be missing that we cannot fetch: the feed stands still until a person closes it. */
sync_status feed_gap_open(struct resolver *resolver, const char *source, const char *from,
                          const char *to, const char *reason, struct sync_error *err);
#endif
