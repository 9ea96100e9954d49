/* When a backlog gives way. Pure: no clock, no table, no broker. */
#include "yield.h"

#include <string.h>

static void forget(struct sync_yield_live *live, size_t at)
{
    live->count--;
    memmove(&live->moments[at], &live->moments[at + 1],
            (live->count - at) * sizeof live->moments[0]);
}

void sync_yield_note(struct sync_yield_live *live, const struct sync_yield_marks *marks,
                     size_t place_count)
{
    SYNC_ASSERT(place_count <= SYNC_KAFKA_PLACES_MAX);
    if (live->count == SYNC_YIELD_MARKS_MAX) {
        forget(live, 1);
    }
    struct sync_yield_marks *moment = &live->moments[live->count++];
    moment->at_us = marks->at_us;
    memcpy(moment->ends, marks->ends, place_count * sizeof marks->ends[0]);
}

static bool is_reached(const struct sync_yield_marks *marks, const int64_t *positions,
                       size_t place_count)
{
    for (size_t i = 0; i < place_count; i++) {
        if (positions[i] >= 0 && marks->ends[i] > positions[i]) {
            return false;
        }
    }
    return true;
}

/* A later moment has no smaller ends, so what is reached stands in front. */
int64_t sync_yield_behind_us(struct sync_yield_live *live, const int64_t *positions,
                             size_t place_count, int64_t now_us)
{
    SYNC_ASSERT(place_count <= SYNC_KAFKA_PLACES_MAX);
    while (live->count > 0 && is_reached(&live->moments[0], positions, place_count)) {
        forget(live, 0);
    }
    return live->count > 0 ? now_us - live->moments[0].at_us : 0;
}

static bool is_above(bool before, int64_t value_us, int64_t limit_ms)
{
    int64_t limit_us = limit_ms * 1000;
    return value_us > (before ? limit_us / 2 : limit_us);
}

struct sync_yield sync_yield_decide(struct sync_yield before, int64_t behind_us, int64_t batch_us)
{
    return (struct sync_yield){
        .live_behind = is_above(before.live_behind, behind_us, SYNC_YIELD_LIVE_BEHIND_MS),
        .batches_slow = is_above(before.batches_slow, batch_us, SYNC_YIELD_BATCH_MS),
    };
}

/* Between half of the limit and the limit it stays as it is. */
size_t sync_yield_records(size_t records, int64_t batch_us, bool live_moves, size_t records_most)
{
    const int64_t limit_us = (live_moves ? SYNC_YIELD_BATCH_LIVE_MS : SYNC_YIELD_BATCH_MS) * 1000LL;
    size_t next = records;
    if (batch_us > limit_us) {
        next = records / 2;
    } else if (batch_us < limit_us / 2) {
        next = records * 2;
    }
    next = next > 0 ? next : 1;
    return next < records_most ? next : records_most;
}
