/* Missing ids as ranges. Not here: reading pages. */
#include "delegation_feed_gaps.h"

#include <altinn_sync/status.h>
#include <runtime/json.h>
#include <runtime/time_text.h>

static int64_t size_of(const struct feed_gap *gap)
{
    return gap->last - gap->first + 1;
}

static void remove_at(struct feed_gaps *gaps, size_t index)
{
    gaps->count--;
    memmove(&gaps->items[index], &gaps->items[index + 1],
            (gaps->count - index) * sizeof gaps->items[0]);
}

/* Makes room for one more. Returns the ids that gave way. */
static int64_t make_room(struct feed_gaps *gaps)
{
    size_t oldest = 0;
    if (gaps->count < FEED_GAPS_MAX) {
        return 0;
    }
    for (size_t i = 1; i < gaps->count; i++) {
        oldest = gaps->items[i].since_us < gaps->items[oldest].since_us ? i : oldest;
    }
    int64_t lost = size_of(&gaps->items[oldest]);
    remove_at(gaps, oldest);
    return lost;
}

static void insert(struct feed_gaps *gaps, struct feed_gap gap)
{
    size_t at = gaps->count;
    while (at > 0 && gaps->items[at - 1].first > gap.first) {
        at--;
    }
    memmove(&gaps->items[at + 1], &gaps->items[at], (gaps->count - at) * sizeof gaps->items[0]);
    gaps->items[at] = gap;
    gaps->count++;
}

int64_t feed_gaps_add(struct feed_gaps *gaps, int64_t first, int64_t last, int64_t now_us)
{
    if (first > last) {
        return 0;
    }
    int64_t lost = make_room(gaps);
    insert(gaps, (struct feed_gap){first, last, now_us});
    return lost;
}

bool feed_gaps_take(struct feed_gaps *gaps, int64_t id, int64_t *ret_aged)
{
    *ret_aged = 0;
    for (size_t i = 0; i < gaps->count; i++) {
        struct feed_gap *gap = &gaps->items[i];
        if (id < gap->first || id > gap->last) {
            continue;
        }
        struct feed_gap upper = {id + 1, gap->last, gap->since_us};
        gap->last = id - 1;
        if (gap->first > gap->last) {
            remove_at(gaps, i);
        }
        if (upper.first <= upper.last) {
            *ret_aged = make_room(gaps);
            insert(gaps, upper);
        }
        return true;
    }
    return false;
}

int64_t feed_gaps_age(struct feed_gaps *gaps, int64_t before_us)
{
    int64_t aged = 0;
    for (size_t i = gaps->count; i > 0; i--) {
        if (gaps->items[i - 1].since_us < before_us) {
            aged += size_of(&gaps->items[i - 1]);
            remove_at(gaps, i - 1);
        }
    }
    return aged;
}

int64_t feed_gaps_lowest(const struct feed_gaps *gaps)
{
    return gaps->count > 0 ? gaps->items[0].first : INT64_MAX;
}

char *feed_gaps_write(const struct feed_gaps *gaps)
{
    struct sync_json_writer w;
    char since[SYNC_TIME_BUFFER];
    sync_json_writer_init(&w);
    sync_json_open(&w, NULL, '[');
    for (size_t i = 0; i < gaps->count; i++) {
        sync_time_format(gaps->items[i].since_us, 6, since);
        sync_json_open(&w, NULL, '{');
        sync_json_put_integer(&w, "first", gaps->items[i].first);
        sync_json_put_integer(&w, "last", gaps->items[i].last);
        sync_json_put_text(&w, "since", since);
        sync_json_close(&w, '}');
    }
    sync_json_close(&w, ']');
    return sync_json_writer_take(&w);
}

void feed_gaps_read(struct sync_bytes text, struct feed_gaps *ret_gaps)
{
    struct sync_json *root = NULL;
    struct sync_error ignored;
    ret_gaps->count = 0;
    if (!sync_is_ok(sync_json_parse(text, &root, &ignored))) {
        return;
    }
    for (size_t i = 0; i < sync_json_count(root) && ret_gaps->count < FEED_GAPS_MAX; i++) {
        const struct sync_json *item = sync_json_at(root, i);
        struct feed_gap gap = {sync_json_integer(sync_json_get(item, "first")),
                               sync_json_integer(sync_json_get(item, "last")), 0};
        if (gap.first > 0 && gap.first <= gap.last &&
            sync_time_parse(sync_json_text(sync_json_get(item, "since")), &gap.since_us)) {
            insert(ret_gaps, gap);
        }
    }
    sync_json_free(&root);
}
