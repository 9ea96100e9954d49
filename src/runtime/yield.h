/*
 * When a backlog gives way to its live route: pure, so that every step of it can be tested. Not
 * here: who asks and what rests meanwhile (consumer_yield.c).
 */
#ifndef SYNC_RUNTIME_YIELD_H
#define SYNC_RUNTIME_YIELD_H
#include "kafka.h"

#define SYNC_YIELD_MARKS_MAX                                                                       \
    16 /* moments kept: three times the limit on the lag, at one a second */

/* Where the topics of the live route ended at one moment, by place; -1 = not known. */
struct sync_yield_marks {
    int64_t at_us; /* monotonic */
    int64_t ends[SYNC_KAFKA_PLACES_MAX];
};

/* The moments, ascending. All zero = none yet. */
struct sync_yield_live {
    struct sync_yield_marks moments[SYNC_YIELD_MARKS_MAX];
    size_t count;
};

/*
 * Keeps one more moment; what lies behind place_count in its ends is not read. When there is no
 * room, the second oldest goes: the oldest tells how long live has been behind.
 */
void sync_yield_note(struct sync_yield_live *live, const struct sync_yield_marks *marks,
                     size_t place_count);

/*
 * How far live is behind: the time since the oldest moment whose ends it has not all reached; 0 =
 * it reached all. Moments that it passed are forgotten. positions: by place, -1 = nobody reads that
 * partition, so there is nothing to give way to.
 * Units:  microseconds.
 */
int64_t sync_yield_behind_us(struct sync_yield_live *live, const int64_t *positions,
                             size_t place_count, int64_t now_us);

/* Why a backlog gives way. None of both: it goes on. */
struct sync_yield {
    bool live_behind;  /* live has too much to do itself */
    bool batches_slow; /* our own batches keep the database busy */
};

/*
 * Decides anew, given what was decided before: each reason begins above its limit and ends at half
 * of it.
 * Units:  microseconds; batch_us: database time of our own last batch, 0 = there was none.
 */
struct sync_yield sync_yield_decide(struct sync_yield before, int64_t behind_us, int64_t batch_us);

/*
 * How many records the next batch of a backlog may have, given what this one took: half as many
 * when it was slow, twice as many when it was not nearly. While live moves a batch is slow much
 * earlier, because an event of live waits for its locks. At least 1, at most records_most.
 */
size_t sync_yield_records(size_t records, int64_t batch_us, bool live_moves, size_t records_most);

static inline bool sync_yield_is(struct sync_yield yield)
{
    return yield.live_behind || yield.batches_slow;
}
#endif
