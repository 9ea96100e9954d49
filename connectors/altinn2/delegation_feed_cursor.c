/* The position of a reader in the role feed. Not here: reading, storing. */
#include "delegation_feed_cursor.h"

#include <altinn_sync/status.h>
#include <stdio.h>
#include <stdlib.h>

void feed_cursor_init(struct feed_cursor *cursor, const char *link, int64_t highest, int64_t now_us)
{
    memset(cursor, 0, sizeof *cursor);
    (void)snprintf(cursor->link, sizeof cursor->link, "%s", link);
    cursor->known = highest > 0;
    cursor->highest = highest;
    if (cursor->known) { /* when that was is not known any more: at the latest now */
        cursor->seen[cursor->seen_count++] = (struct feed_seen){highest, now_us};
    }
}

const char *feed_cursor_start(const struct feed_cursor *cursor)
{
    return cursor->mark_count > 0 ? cursor->marks[0].link : cursor->link;
}

void feed_cursor_rewind(struct feed_cursor *cursor)
{
    if (cursor->mark_count > 0) {
        memcpy(cursor->link, cursor->marks[0].link, sizeof cursor->link);
    }
    cursor->mark_count = 0; /* made anew by the drain */
}

/* When an id was passed for the first time. */
static int64_t seen_at(const struct feed_cursor *cursor, int64_t id, int64_t now_us)
{
    for (size_t i = 0; i < cursor->seen_count; i++) {
        if (cursor->seen[i].id >= id) {
            return cursor->seen[i].at_us;
        }
    }
    return now_us;
}

/* The newest entry moves with the highest id until it is old enough to stay. */
static void note_seen(struct feed_cursor *cursor, int64_t overlap_us, int64_t now_us)
{
    struct feed_seen *last = cursor->seen_count > 0 ? &cursor->seen[cursor->seen_count - 1] : NULL;
    struct feed_seen *before = cursor->seen_count > 1 ? last - 1 : NULL;
    if (last && last->id == cursor->highest) {
        return;
    }
    if (last && before && last->at_us - before->at_us < overlap_us / (FEED_MARKS_MAX - 4)) {
        *last = (struct feed_seen){cursor->highest, now_us};
        return;
    }
    if (cursor->seen_count == FEED_MARKS_MAX) {
        cursor->seen_count--;
        memmove(cursor->seen, cursor->seen + 1, cursor->seen_count * sizeof cursor->seen[0]);
    }
    cursor->seen[cursor->seen_count++] = (struct feed_seen){cursor->highest, now_us};
}

static int64_t highest_of(const struct feed_page *page)
{
    int64_t highest = 0;
    for (size_t i = 0; i < page->count; i++) {
        highest = page->items[i].id > highest ? page->items[i].id : highest;
    }
    return highest;
}

/* Age of the youngest event of a page: when it happened, if it says so, but at the latest when we
 * saw it. */
static int64_t age_of(const struct feed_cursor *cursor, const struct feed_page *page,
                      int64_t now_us)
{
    int64_t seen_us = seen_at(cursor, highest_of(page), now_us);
    return page->has_newest && page->newest_us < seen_us ? page->newest_us : seen_us;
}

static void drop_settled(struct feed_cursor *cursor, int64_t before_us)
{
    size_t settled = 0;
    while (settled < cursor->mark_count && cursor->marks[settled].settled_us < before_us) {
        settled++;
    }
    cursor->mark_count -= settled;
    memmove(cursor->marks, cursor->marks + settled, cursor->mark_count * sizeof cursor->marks[0]);
}

static void mark_page(struct feed_cursor *cursor, int64_t age_us, int64_t overlap_us,
                      int64_t now_us)
{
    drop_settled(cursor, now_us - overlap_us);
    struct feed_mark *last = cursor->mark_count > 0 ? &cursor->marks[cursor->mark_count - 1] : NULL;
    bool apart = !last || age_us - last->first_us >= overlap_us / (FEED_MARKS_MAX - 4);
    if (apart && cursor->mark_count < FEED_MARKS_MAX) {
        last = &cursor->marks[cursor->mark_count++];
        memcpy(last->link, cursor->link, sizeof last->link);
        last->first_us = age_us;
        last->settled_us = age_us;
    }
    SYNC_ASSERT(last);
    last->settled_us = age_us > last->settled_us ? age_us : last->settled_us;
}

struct ordered {
    int64_t id;
    uint32_t index;
};

static int compare(const void *a, const void *b)
{
    const struct ordered *one = a, *other = b;
    return one->id < other->id ? -1 : one->id > other->id ? 1 : 0;
}

/* One id, in rising order. Returns whether it was never seen. */
static bool take_id(struct feed_cursor *cursor, int64_t id, bool settled, int64_t now_us,
                    struct feed_news *news)
{
    int64_t given_up = 0;
    if (cursor->known && id <= cursor->highest) {
        bool late = feed_gaps_take(&cursor->gaps, id, &given_up);
        news->late += late;
        news->given_up += given_up;
        return late;
    }
    /* How far the first id lies above those before it is not known: a few of them are looked for.
     */
    int64_t before = cursor->known ? cursor->highest : id - 1 - FEED_BEFORE_FIRST;
    before = before < 0 ? 0 : before;
    int64_t between = id - 1 - before;
    if (between > 0 && settled) {
        news->settled += cursor->known ? between : 0;
    } else if (between > 0) {
        news->missing += between;
        news->given_up += feed_gaps_add(&cursor->gaps, before + 1, id - 1, now_us);
    }
    cursor->highest = id;
    cursor->known = true;
    return true;
}

struct feed_news feed_cursor_take(struct feed_cursor *cursor, const struct feed_page *page,
                                  int64_t overlap_us, int64_t now_us, uint32_t *ret_items)
{
    struct feed_news news = {.count = 0};
    if (page->count == 0) {
        return news;
    }
    struct ordered *order = malloc(page->count * sizeof *order);
    SYNC_ASSERT(order); /* far smaller than the page itself */
    for (size_t i = 0; i < page->count; i++) {
        order[i] = (struct ordered){page->items[i].id, (uint32_t)i};
    }
    qsort(order, page->count, sizeof *order, compare);
    int64_t age_us = age_of(cursor, page, now_us);
    bool settled = age_us < now_us - overlap_us;
    for (size_t i = 0; i < page->count; i++) {
        bool twice = i > 0 && order[i].id == order[i - 1].id;
        if (!twice && take_id(cursor, order[i].id, settled, now_us, &news)) {
            ret_items[news.count++] = order[i].index;
        }
    }
    free(order);
    note_seen(cursor, overlap_us, now_us);
    mark_page(cursor, age_us, overlap_us, now_us);
    return news;
}
