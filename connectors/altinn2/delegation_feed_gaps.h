/*
 * Ids of the role feed that are missing: the order of ids is not the order in which they show up,
 * so an id that was passed over may come late (protocol: feeds). Ranges, ascending. Pure. Not here:
 * reading pages.
 */
#ifndef SYNC_ALTINN2_DELEGATION_FEED_GAPS_H
#define SYNC_ALTINN2_DELEGATION_FEED_GAPS_H
#include <altinn_sync/types.h>

#define FEED_GAPS_MAX 1024 /* ranges; a further one takes the place of the oldest */

struct feed_gap {
    int64_t first, last, since_us; /* since: wall clock */
};

struct feed_gaps {
    size_t count;
    struct feed_gap items[FEED_GAPS_MAX];
};

/* first to last are missing since now. Returns how many ids had to give way; they count as aged. */
int64_t feed_gaps_add(struct feed_gaps *gaps, int64_t first, int64_t last, int64_t now_us);
/* Whether this id was missing; it is no longer. ret_aged: ids that had to give way. */
bool feed_gaps_take(struct feed_gaps *gaps, int64_t id, int64_t *ret_aged);
/* Forgets what is missing since before a time. Returns how many ids. */
int64_t feed_gaps_age(struct feed_gaps *gaps, int64_t before_us);
/* The lowest missing id, INT64_MAX when nothing is missing. */
int64_t feed_gaps_lowest(const struct feed_gaps *gaps);

/* [{"first":1,"last":2,"since":"2025-…Z"}], malloc'ed; NULL when memory failed. */
char *feed_gaps_write(const struct feed_gaps *gaps);
/* Reads what feed_gaps_write wrote; what is beyond FEED_GAPS_MAX or malformed is left out. */
void feed_gaps_read(struct sync_bytes text, struct feed_gaps *ret_gaps);
#endif
