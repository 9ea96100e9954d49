/*
 * One page of the role feed: JSON into changes. The envelope must be right, or the page is refused;
 * an item that is not understood becomes a change that the rules park, never a grant. Pure but for
 * memory. Not here: which items are new, calling.
 */
#ifndef SYNC_ALTINN2_DELEGATION_FEED_PAGE_H
#define SYNC_ALTINN2_DELEGATION_FEED_PAGE_H
#include "call_events.h"

#define FEED_PAGE_ITEMS_MAX 16384 /* a page of 1 MiB has fewer */

struct feed_item {
    int64_t id;
    bool unknown; /* not understood: see the log */
    /* Without stream, number and capture time; texts lie in the page. */
    struct delegation_change change;
};

struct feed_page {
    int64_t sequence_max;   /* of the whole feed, 0 = not said */
    struct sync_bytes next; /* link; empty ends the drain */
    bool has_newest;        /* every item has its time */
    int64_t newest_us;      /* latest time of an item */
    size_t unknown_count;
    size_t count;
    struct feed_item *items; /* as on the page */
};

/*
 * Reads a page.
 * Owns:   the caller frees ret_page with free().
 * Fails:  PARK with the JSON pointer in field: not a page, or an item without its number; RETRY
 * memory_limit.
 */
sync_status feed_page_parse(struct sync_bytes body, const struct delegation_own *own,
                            struct feed_page **ret_page, struct sync_error *err);
#endif
