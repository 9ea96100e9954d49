/*
 * Where a reader of the role feed stands: which page is next, the highest id it has seen, what is
 * missing below it, and from which page on events may still come late. Ids do not show up in their
 * order, so a drain begins at the first page that is not settled: one that has an event younger
 * than the overlap. Pure. Not here: reading pages, storing.
 */
#ifndef SYNC_ALTINN2_DELEGATION_FEED_CURSOR_H
#define SYNC_ALTINN2_DELEGATION_FEED_CURSOR_H
#include "delegation_feed_gaps.h"
#include "delegation_feed_link.h"
#include "delegation_feed_page.h"

#define FEED_BEFORE_FIRST 100 /* ids below the first one that may still come late */
#define FEED_MARKS_MAX    32  /* places in the overlap: a drain reads at most one too much */

/* A run of pages that is read again as a whole. */
struct feed_mark {
    char link[FEED_LINK_SIZE]; /* of its first page */
    int64_t first_us;          /* age of that page */
    int64_t settled_us;        /* age of its youngest event */
};

struct feed_seen {
    int64_t id, at_us;
};

struct feed_cursor {
    char link[FEED_LINK_SIZE]; /* the page to read next */
    bool known;                /* highest is of this feed */
    int64_t highest;
    struct feed_gaps gaps;
    size_t mark_count;
    struct feed_mark marks[FEED_MARKS_MAX];
    size_t seen_count;
    struct feed_seen seen[FEED_MARKS_MAX]; /* when an id was the highest; ascending */
};

/* highest: 0 = nothing was read yet. now_us: wall clock. */
void feed_cursor_init(struct feed_cursor *cursor, const char *link, int64_t highest,
                      int64_t now_us);

/* Where a drain begins, and a process after a restart. */
const char *feed_cursor_start(const struct feed_cursor *cursor);
/* Back to there. */
void feed_cursor_rewind(struct feed_cursor *cursor);

/* What a page brought. */
struct feed_news {
    size_t count;     /* of new items */
    size_t late;      /* of these, ids that had been missing */
    int64_t missing;  /* ids that are missing now and were not before */
    int64_t settled;  /* ids that are missing in an old page: they will not come */
    int64_t given_up; /* missing ids that had to give way to newer ones */
};
/*
 * Takes the page that was read at cursor->link: ret_items gets the numbers of the items that were
 * never seen, by rising id; room for page->count. Units: overlap_us how late an event may come,
 * now_us wall clock.
 */
struct feed_news feed_cursor_take(struct feed_cursor *cursor, const struct feed_page *page,
                                  int64_t overlap_us, int64_t now_us, uint32_t *ret_items);
#endif
