/*
 * Reads the role feed. A page is read, checked, produced, acknowledged, and only then the
 * checkpoint moves: a crash repeats a page, and the numbers are those of the feed, so the repeat is
 * known. Not here: what a page says (delegation_feed_page.c), where we stand
 * (delegation_feed_cursor.c).
 */
#include "delegation_feed.h"

#include "../delegation_control.h"
#include "../delegation_record.h"
#include "delegation_feed_cursor.h"
#include "delegation_feed_fetch.h"
#include "delegation_feed_store.h"

#include <core/limits.h>
#include <inttypes.h>
#include <runtime/clock.h>
#include <runtime/health.h>
#include <runtime/log.h>
#include <runtime/metrics.h>
#include <stdio.h>
#include <stdlib.h>

#define STREAM        "a2.role"
#define WAIT_MS       500
#define PROGRESS_US   10000000LL
#define SAME_LINK_MAX 3 /* a page that leads to itself is read so often, then the drain ends */
#define EMPTY_MAX     8 /* and so many empty pages are passed over */
#define LOAD_ASK_US   1000000LL /* how soon a paused first load is noticed */

enum lane { LANE_LIVE, LANE_LOAD };

struct delegation_feed {
    struct delegation_capture *capture;
    struct receiver_shell *shell;
    struct resolver *resolver;
    struct feed_fetch *fetch;
    struct delegation_parties parties;
    bool ready;   /* the state is read */
    bool stopped; /* a person has to look */
    struct feed_state state;
    struct feed_cursor live, load, next; /* next: what becomes of one of them */
    bool draining;
    bool first_page_seen; /* live's first page of this process */
    int64_t next_poll_us, drained_us, retry_us, next_tick_us; /* monotonic; drained 0 = never */
    int64_t load_asked_us;
    int failures, same_link, empty;
    char cycle[FEED_LINK_SIZE]; /* a link of this drain, to notice a circle */
    int64_t pages, cycle_at;
    enum push_outcome outcome, tick;
    int64_t progress_us, progress_rows;
    struct {
        struct sync_metric *missing, *pages, *ratio;
    } metrics;
};

/* First load. */

static bool has_second_reader(const struct delegation_feed *feed)
{
    return feed->state.load_link[0] != '\0';
}

/* Below this id events belong to the first load; 0 = it is over. */
static int64_t load_end(const struct delegation_feed *feed)
{
    bool over = feed->state.load == FEED_LOAD_DONE || feed->state.load == FEED_LOAD_NONE;
    return over ? 0 : feed->state.load_high;
}

/* Events up to the newest one of now are history; live begins behind it. */
static sync_status begin_load(struct delegation_feed *feed, struct sync_error *err)
{
    const struct sync_config *config = feed->shell->config;
    char first[FEED_LINK_SIZE], live[FEED_LINK_SIZE];
    struct feed_page *page = NULL;
    bool fits = feed_link_first(config->bridge_base_url, first);
    SYNC_ASSERT(fits); /* checked at start */
    sync_status status = feed_fetch_page(feed->fetch, first, &page, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    feed->state.load_high = page->sequence_max;
    free(page);
    bool second = feed_link_check(config->bridge_base_url,
                                  sync_bytes_text(config->capture_feed_start_link), live);
    (void)snprintf(feed->state.load_link, sizeof feed->state.load_link, "%s", second ? first : "");
    status = feed_load_begin(feed->resolver, DELEGATION_CAPTURE, second ? live : first,
                             &feed->state, err);
    if (sync_is_ok(status)) {
        sync_log(SYNC_INFO, "first_load_begins",
                 SYNC_LOG_NUMBER("sequence_max", feed->state.load_high),
                 SYNC_LOG_NUMBER("readers", second ? 2 : 1));
        status = feed_state_read(feed->resolver, DELEGATION_CAPTURE, &feed->state, err);
    }
    return status;
}

static sync_status read_state(struct delegation_feed *feed, struct sync_error *err)
{
    const struct sync_config *config = feed->shell->config;
    char link[FEED_LINK_SIZE];
    sync_status status = feed_state_read(feed->resolver, DELEGATION_CAPTURE, &feed->state, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (feed->state.stopped) {
        feed->stopped = true;
        sync_log(SYNC_ERROR, "feed_stopped", SYNC_LOG_TEXT("reason", "a gap is open"));
        return SYNC_OK;
    }
    if (feed->state.load == FEED_LOAD_NONE && feed->state.highest == 0) {
        status = begin_load(feed, err);
    }
    const char *stored = feed->state.link[0] ? feed->state.link : config->capture_feed_start_link;
    if (sync_is_ok(status) && stored[0] == '\0') {
        bool fits = feed_link_first(config->bridge_base_url, link);
        SYNC_ASSERT(fits);
    } else if (sync_is_ok(status) &&
               !feed_link_check(config->bridge_base_url, sync_bytes_text(stored), link)) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_INSECURE,
                         "read the role feed: its checkpoint leads elsewhere than "
                         "bridge.base_url");
    }
    if (sync_is_ok(status)) {
        int64_t now_us = sync_clock_wall_us();
        feed_cursor_init(&feed->live, link, feed->state.highest, now_us);
        feed->live.gaps = feed->state.gaps;
        feed_cursor_init(&feed->load, feed->state.load_link, feed->state.load_low, now_us);
        feed->progress_rows = feed->state.load_rows;
        feed->ready = true;
    }
    return status;
}

/* Publishing. */

static sync_status wait_stored(struct delegation_feed *feed, const enum push_outcome *outcome,
                               struct sync_error *err)
{
    enum push_outcome known = PUSH_PENDING;
    while (known == PUSH_PENDING && !atomic_load(&feed->shell->ending)) {
        sync_health_beat(SYNC_LOOP_FEED);
        known = push_table_await(&feed->shell->pushes, outcome, WAIT_MS);
    }
    return known == PUSH_DONE
               ? SYNC_OK
               : sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_KAFKA_UNREACHABLE,
                           "produce a page of the role feed: the broker has not stored it");
}

/* Givers that are named by number alone get their uuid, for the Kafka key. */
static sync_status resolve_givers(struct delegation_feed *feed, struct feed_page *page,
                                  struct sync_error *err)
{
    struct delegation_name **givers = malloc((page->count + 1) * sizeof *givers);
    if (!givers) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "read a page: no memory");
    }
    for (size_t i = 0; i < page->count; i++) {
        givers[i] = &page->items[i].change.from;
    }
    sync_status status =
        delegation_parties_resolve(&feed->parties, feed->resolver, givers, page->count, err);
    free(givers);
    return status;
}

/* One event as a record, behind those already there. */
static sync_status add_record(struct delegation_feed *feed, struct push *push,
                              struct sync_arena *arena, struct feed_item *item,
                              struct sync_error *err)
{
    char stream[DELEGATION_STREAM_BYTES];
    struct delegation_record *record = sync_arena_take(arena, sizeof *record);
    bool history = item->id <= load_end(feed);
    SYNC_ASSERT(record);
    delegation_stream_text(STREAM, feed->state.generation, stream);
    item->change.stream = sync_bytes_text(stream);
    item->change.seq = item->id + feed->state.sequence_base;
    item->change.capture_time_us = push->captured_at_us;
    sync_status status =
        delegation_record_make(feed->capture->schema, &item->change, arena, record, err);
    push->records[push->record_count++] = (struct sync_kafka_record){
        .topic = feed->shell->topics[history ? DELEGATION_BACKLOG : DELEGATION_LIVE].name,
        .key = record->key,
        .value = record->value,
        .headers = record->headers,
        .header_count = record->header_count};
    return status;
}

static sync_status fill_push(struct delegation_feed *feed, struct push *push,
                             struct feed_page *page, const uint32_t *items, size_t count)
{
    struct sync_error err = {0};
    size_t size = (count + 1) * (sizeof(struct sync_kafka_record) + DELEGATION_RECORD_BYTES);
    push->memory = malloc(size);
    struct sync_arena arena;
    if (!push->memory) {
        return (sync_status){SYNC_CLASS_RETRY};
    }
    sync_arena_init(&arena, push->memory, size);
    push->records = sync_arena_take_array(&arena, count, sizeof *push->records);
    SYNC_ASSERT(push->records);
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        status = add_record(feed, push, &arena, &page->items[items[i]], &err);
    }
    if (!sync_is_ok(status)) {
        sync_log_error(SYNC_ERROR, "record_refused", &err);
    }
    return status;
}

static void tell_unknown(const struct feed_page *page, const uint32_t *items, size_t count)
{
    int64_t unknown = 0, first = 0;
    for (size_t i = 0; i < count; i++) {
        const struct feed_item *item = &page->items[items[i]];
        first = item->unknown && unknown == 0 ? item->id : first;
        unknown += item->unknown;
    }
    if (unknown > 0) {
        sync_log(SYNC_ERROR, "feed_event_unknown", SYNC_LOG_NUMBER("count", unknown),
                 SYNC_LOG_NUMBER("first", first));
    }
}

static sync_status publish(struct delegation_feed *feed, struct feed_page *page,
                           const uint32_t *items, size_t count, struct sync_error *err)
{
    if (count == 0) {
        return SYNC_OK;
    }
    sync_status status = resolve_givers(feed, page, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct push *push = push_table_reserve(&feed->shell->pushes, &feed->outcome);
    if (!push) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "produce a page of the role feed: no room now");
    }
    status = fill_push(feed, push, page, items, count);
    if (!sync_is_ok(status)) {
        push_release(&feed->shell->pushes, push);
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_INTERNAL,
                         "produce a page of the role feed: its records could not be made");
    }
    push_table_move(&feed->shell->pushes, push, PUSH_READY);
    status = wait_stored(feed, &feed->outcome, err);
    if (sync_is_ok(status)) {
        tell_unknown(page, items, count);
    }
    return status;
}

/* One page. */

/* The feed stands still until a person has looked; the rest of the capture goes on. */
static sync_status stop_feed(struct delegation_feed *feed, const char *reason, int64_t from,
                             int64_t to, struct sync_error *err)
{
    char low[24], high[24];
    (void)snprintf(low, sizeof low, "%" PRId64, from);
    (void)snprintf(high, sizeof high, "%" PRId64, to);
    sync_status status = feed_gap_open(feed->resolver, DELEGATION_CAPTURE, low, high, reason, err);
    if (sync_is_ok(status)) {
        feed->stopped = true;
        sync_log(SYNC_ERROR, "feed_stopped", SYNC_LOG_TEXT("reason", reason),
                 SYNC_LOG_NUMBER("from", from), SYNC_LOG_NUMBER("to", to));
    }
    return status;
}

static int64_t lowest_of(const struct feed_page *page)
{
    int64_t lowest = INT64_MAX;
    for (size_t i = 0; i < page->count; i++) {
        lowest = page->items[i].id < lowest ? page->items[i].id : lowest;
    }
    return lowest;
}

/* Whether the feed is the one that was read before. */
static sync_status check_feed(struct delegation_feed *feed, enum lane lane,
                              const struct feed_page *page, struct sync_error *err)
{
    const struct feed_cursor *cursor = lane == LANE_LIVE ? &feed->live : &feed->load;
    if (page->sequence_max > 0 && page->sequence_max < cursor->highest) {
        return stop_feed(feed, "the feed has gone back: its newest event is older than ours",
                         page->sequence_max, cursor->highest, err);
    }
    bool begins = lane == LANE_LIVE && !cursor->known && has_second_reader(feed);
    if (begins && page->count > 0 && lowest_of(page) > feed->state.load_high + 1) {
        return stop_feed(feed,
                         "live would begin behind the first load: capture.feed_start_link is "
                         "too new",
                         feed->state.load_high, lowest_of(page), err);
    }
    return SYNC_OK;
}

static bool is_circle(struct delegation_feed *feed, const char *next)
{
    feed->same_link = strcmp(next, feed->next.link) == 0 ? feed->same_link + 1 : 0;
    if (feed->same_link >= SAME_LINK_MAX) {
        return true;
    }
    feed->pages++;
    if (feed->same_link == 0 && strcmp(next, feed->cycle) == 0) {
        return true;
    }
    if (feed->pages >= feed->cycle_at) { /* at 1, 2, 4, 8 … pages: any circle is met */
        feed->cycle_at *= 2;
        memcpy(feed->cycle, feed->next.link, sizeof feed->cycle);
    }
    return false;
}

/* Where the page leads: true and the next link, or the end of the drain. */
static sync_status follow(struct delegation_feed *feed, const struct feed_page *page,
                          bool *ret_goes_on, struct sync_error *err)
{
    char next[FEED_LINK_SIZE];
    *ret_goes_on = false;
    if (page->next.size == 0) {
        return SYNC_OK;
    }
    if (!feed_link_check(feed->shell->config->bridge_base_url, page->next, next)) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_INSECURE,
                         "read the role feed: a page leads elsewhere than bridge.base_url");
    }
    feed->empty = page->count == 0 ? feed->empty + 1 : 0;
    if (page->count == 0 && (feed->empty > EMPTY_MAX || strcmp(next, feed->next.link) == 0)) {
        return SYNC_OK; /* an empty last page */
    }
    if (is_circle(feed, next)) {
        sync_log(SYNC_WARN, "feed_circle", SYNC_LOG_NUMBER("pages", feed->pages));
        return SYNC_OK;
    }
    memcpy(feed->next.link, next, sizeof next);
    *ret_goes_on = true;
    return SYNC_OK;
}

/* Of the second reader: events that are live's are left to it. */
static size_t keep_history(const struct delegation_feed *feed, const struct feed_page *page,
                           uint32_t *items, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (page->items[items[i]].id <= feed->state.load_high) {
            items[kept++] = items[i];
        }
    }
    return kept;
}

static size_t count_history(const struct delegation_feed *feed, const struct feed_page *page,
                            const uint32_t *items, size_t count)
{
    size_t history = 0;
    for (size_t i = 0; i < count; i++) {
        history += page->items[items[i]].id <= load_end(feed);
    }
    return history;
}

/* Ids that were looked for through the whole overlap, or had no place any more. */
static void tell_missing(const struct delegation_feed *feed, int64_t count)
{
    if (count > 0) {
        sync_log(SYNC_ERROR, "feed_ids_missing", SYNC_LOG_NUMBER("count", count));
        sync_metric_add(feed->metrics.missing, (double)count, SYNC_LABELS(DELEGATION_CAPTURE));
    }
}

/* What is delivered becomes the checkpoint: the live reader's, or the first load's, or both. */
static sync_status store(struct delegation_feed *feed, enum lane lane, size_t history, bool goes_on,
                         struct sync_error *err)
{
    bool loads = load_end(feed) > 0 && (lane == LANE_LOAD || !has_second_reader(feed));
    bool done = loads && (feed->next.highest >= feed->state.load_high || !goes_on);
    int64_t low =
        feed->next.highest < feed->state.load_high ? feed->next.highest : feed->state.load_high;
    static struct feed_state live, load; /* of this thread */
    if (lane == LANE_LIVE) {
        (void)snprintf(live.link, sizeof live.link, "%s", feed_cursor_start(&feed->next));
        live.highest = feed->next.highest;
        live.gaps = feed->next.gaps;
    }
    if (loads) {
        (void)snprintf(load.load_link, sizeof load.load_link, "%s",
                       lane == LANE_LOAD ? feed->next.link : "");
        load.load_low = low;
    }
    struct feed_checkpoint checkpoint = {.live = lane == LANE_LIVE ? &live : NULL,
                                         .load = loads ? &load : NULL,
                                         .rows = (int64_t)history,
                                         .done = done};
    sync_status status =
        feed_checkpoint_store(feed->resolver, DELEGATION_CAPTURE, &checkpoint, err);
    if (sync_is_ok(status) && loads) {
        feed->state.load_rows += (int64_t)history;
        feed->state.load_low = low;
    }
    if (sync_is_ok(status) && done) {
        feed->state.load = FEED_LOAD_DONE;
        sync_log(SYNC_INFO, "first_load_done", SYNC_LOG_NUMBER("rows", feed->state.load_rows));
    }
    return status;
}

static void end_drain(struct delegation_feed *feed)
{
    int64_t overlap_us = feed->shell->config->capture_feed_overlap_ms * 1000;
    int64_t now_us = sync_clock_monotonic_us();
    tell_missing(feed, feed_gaps_age(&feed->live.gaps, sync_clock_wall_us() - overlap_us));
    feed->draining = false;
    feed->drained_us = now_us;
    feed->next_poll_us = now_us + feed->shell->config->capture_feed_poll_ms * 1000;
}

/* Takes a page that is right: produces what is new and moves the reader. */
static sync_status take_page(struct delegation_feed *feed, enum lane lane, struct feed_page *page,
                             struct sync_error *err)
{
    struct feed_cursor *cursor = lane == LANE_LIVE ? &feed->live : &feed->load;
    int64_t overlap_us = feed->shell->config->capture_feed_overlap_ms * 1000;
    bool goes_on = false;
    uint32_t *items = malloc((page->count + 1) * sizeof *items);
    if (!items) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "read a page: no memory");
    }
    feed->next = *cursor;
    struct feed_news news =
        feed_cursor_take(&feed->next, page, overlap_us, sync_clock_wall_us(), items);
    size_t count = lane == LANE_LOAD ? keep_history(feed, page, items, news.count) : news.count;
    size_t history = count_history(feed, page, items, count);
    sync_status status = follow(feed, page, &goes_on, err);
    if (sync_is_ok(status)) {
        status = publish(feed, page, items, count, err);
    }
    free(items);
    if (sync_is_ok(status)) {
        status = store(feed, lane, history, goes_on, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    *cursor = feed->next;
    if (lane == LANE_LIVE) {
        tell_missing(feed, news.given_up);
        if (!goes_on) {
            end_drain(feed);
        }
    }
    return SYNC_OK;
}

static void begin_drain(struct delegation_feed *feed)
{
    feed_cursor_rewind(&feed->live);
    feed->draining = true;
    feed->same_link = 0;
    feed->empty = 0;
    feed->pages = 0;
    feed->cycle_at = 1;
    feed->cycle[0] = '\0';
}

/* Where the feed itself answers, the link has expired; else the bridge is being changed just now.
 */
static sync_status judge_expired(struct delegation_feed *feed, const struct feed_cursor *cursor,
                                 sync_status status, struct sync_error *err)
{
    char first[FEED_LINK_SIZE];
    struct feed_page *page = NULL;
    struct sync_error ignored = {0};
    bool fits = feed_link_first(feed->shell->config->bridge_base_url, first);
    SYNC_ASSERT(fits);
    if (strcmp(first, cursor->link) == 0 ||
        !sync_is_ok(feed_fetch_page(feed->fetch, first, &page, &ignored))) {
        return status;
    }
    int64_t newest = page->sequence_max;
    free(page);
    return stop_feed(feed, "the link of the checkpoint has expired", cursor->highest, newest, err);
}

static sync_status read_page(struct delegation_feed *feed, enum lane lane, struct sync_error *err)
{
    const struct feed_cursor *cursor = lane == LANE_LIVE ? &feed->live : &feed->load;
    struct feed_page *page = NULL;
    sync_status status = feed_fetch_page(feed->fetch, cursor->link, &page, err);
    sync_metric_add(feed->metrics.pages, 1,
                    SYNC_LABELS(DELEGATION_CAPTURE, sync_is_ok(status) ? "read" : "failed"));
    if (status.class == SYNC_CLASS_PARK && err->code == SYNC_CODE_NOT_FOUND) {
        return judge_expired(feed, cursor, status, err);
    }
    if (sync_is_ok(status)) {
        status = check_feed(feed, lane, page, err);
    }
    if (sync_is_ok(status) && !feed->stopped) {
        status = take_page(feed, lane, page, err);
    }
    free(page);
    return status;
}

/* Turns. */

static void tell_progress(struct delegation_feed *feed, int64_t now_us)
{
    if (feed->state.load != FEED_LOAD_RUNNING || now_us - feed->progress_us < PROGRESS_US) {
        return;
    }
    double seconds = (double)(now_us - feed->progress_us) / 1e6;
    int64_t rows = feed->state.load_rows - feed->progress_rows;
    double share = feed->state.load_high > 0
                       ? (double)feed->state.load_low / (double)feed->state.load_high
                       : 1;
    sync_metric_set(feed->metrics.ratio, share, SYNC_LABELS(DELEGATION_CAPTURE, FEED_TABLE));
    if (feed->progress_us > 0) {
        double left = share > 0 ? (double)feed->state.load_rows * (1 - share) / share : 0;
        double rate = (double)rows / seconds;
        sync_log(SYNC_INFO, "first_load", SYNC_LOG_NUMBER("rows", feed->state.load_rows),
                 SYNC_LOG_NUMBER("percent", (int64_t)(share * 100)),
                 SYNC_LOG_NUMBER("rows_per_s", (int64_t)rate),
                 SYNC_LOG_NUMBER("eta_s", rate > 0 ? (int64_t)(left / rate) : -1));
    }
    feed->progress_us = now_us;
    feed->progress_rows = feed->state.load_rows;
}

/* The page that is due, LANE_LIVE before LANE_LOAD; false when none is. */
static bool choose(struct delegation_feed *feed, int64_t now_us, enum lane *ret_lane,
                   sync_status *ret_status, struct sync_error *err)
{
    *ret_status = SYNC_OK;
    if (load_end(feed) > 0 && now_us - feed->load_asked_us > LOAD_ASK_US) {
        feed->load_asked_us = now_us; /* an operator may have paused it */
        *ret_status = feed_load_read(feed->resolver, DELEGATION_CAPTURE, &feed->state.load, err);
    }
    bool paused = feed->state.load == FEED_LOAD_PAUSED;
    bool live_rests = paused && !has_second_reader(feed);
    if (!live_rests && (feed->draining || now_us >= feed->next_poll_us)) {
        if (!feed->draining) {
            begin_drain(feed);
        }
        *ret_lane = LANE_LIVE;
        return sync_is_ok(*ret_status);
    }
    *ret_lane = LANE_LOAD;
    return sync_is_ok(*ret_status) && has_second_reader(feed) &&
           feed->state.load == FEED_LOAD_RUNNING;
}

static void judge(struct delegation_feed *feed, sync_status status, const struct sync_error *err)
{
    static const enum sync_code database[] = {SYNC_CODE_DB_UNREACHABLE, SYNC_CODE_DB_CONFLICT,
                                              SYNC_CODE_DB_REFUSED,     SYNC_CODE_DB_SCHEMA,
                                              SYNC_CODE_DB_ROW_GONE,    SYNC_CODE_IN_DOUBT};
    for (size_t i = 0; i < sizeof database / sizeof database[0]; i++) {
        if (err->code == database[i]) {
            receiver_judge_database(feed->shell, status, err);
            return;
        }
    }
    if (atomic_load(&feed->shell->ending)) {
        return;
    }
    if (status.class == SYNC_CLASS_PARK) {
        sync_log_error(SYNC_ERROR, "feed_refused", err);
    } else {
        sync_log_error(SYNC_WARN, "feed_unreachable", err);
    }
}

/* Up to SYNC_BACKOFF_MAX_MS; what only a person can mend waits for the next poll. */
static void put_off(struct delegation_feed *feed, sync_status status, int64_t now_us)
{
    int64_t wait_ms = SYNC_BACKOFF_FIRST_MS << (feed->failures < 10 ? feed->failures : 10);
    wait_ms = wait_ms > SYNC_BACKOFF_MAX_MS ? SYNC_BACKOFF_MAX_MS : wait_ms;
    int64_t poll_ms = feed->shell->config->capture_feed_poll_ms;
    wait_ms = status.class == SYNC_CLASS_PARK && poll_ms > wait_ms ? poll_ms : wait_ms;
    int64_t asked_ms = feed_fetch_retry_after_ms(feed->fetch);
    feed->retry_us = now_us + (asked_ms > wait_ms ? asked_ms : wait_ms) * 1000;
    feed->failures++;
}

/* Everything up to the lowest id that may still come late is on the topic. */
static void tick(struct delegation_feed *feed, int64_t now_us)
{
    char stream[DELEGATION_STREAM_BYTES];
    struct sync_error err = {0};
    int64_t fresh_us =
        (feed->shell->config->capture_feed_poll_ms + 2 * SYNC_DELEGATION_TICK_MS) * 1000;
    int64_t lowest = feed_gaps_lowest(&feed->live.gaps);
    bool live = feed->drained_us > 0 && now_us - feed->drained_us < fresh_us &&
                (load_end(feed) == 0 || has_second_reader(feed));
    if (!live || now_us < feed->next_tick_us ||
        push_table_await(&feed->shell->pushes, &feed->tick, 0) == PUSH_PENDING) {
        return;
    }
    struct push *push = push_table_reserve(&feed->shell->pushes, &feed->tick);
    if (!push) {
        return;
    }
    feed->next_tick_us = now_us + SYNC_DELEGATION_TICK_MS * 1000LL;
    delegation_stream_text(STREAM, feed->state.generation, stream);
    int64_t position = lowest <= feed->live.highest ? lowest - 1 : feed->live.highest;
    struct delegation_control control = {.source = DELEGATION_A2,
                                         .seq = position + feed->state.sequence_base,
                                         .capture_time_us = push->captured_at_us};
    struct delegation_marks marks = {.topic = &feed->shell->topics[DELEGATION_LIVE],
                                     .streams = {stream},
                                     .stream_count = 1,
                                     .control = &control};
    if (sync_is_ok(delegation_marks_fill(feed->capture, push, &marks, &err))) {
        push_table_move(&feed->shell->pushes, push, PUSH_READY);
    } else {
        push_release(&feed->shell->pushes, push);
    }
}

bool delegation_feed_turn(struct delegation_feed *feed)
{
    int64_t now_us = sync_clock_monotonic_us();
    struct sync_error err = {0};
    enum lane lane = LANE_LIVE;
    if (feed->stopped || now_us < feed->retry_us) {
        return false;
    }
    sync_status status = feed->ready ? SYNC_OK : read_state(feed, &err);
    bool due = false;
    if (sync_is_ok(status) && feed->ready) {
        tick(feed, now_us);
        tell_progress(feed, now_us);
        due = choose(feed, now_us, &lane, &status, &err);
    }
    if (due) {
        status = read_page(feed, lane, &err);
    }
    if (sync_is_ok(status)) {
        feed->failures = 0;
        return due;
    }
    judge(feed, status, &err);
    put_off(feed, status, now_us);
    return false;
}

/* Start and end. */

static void make_metrics(struct delegation_feed *feed)
{
    feed->metrics.missing =
        sync_metric_new(SYNC_COUNTER, "source_feed_ids_missing_total",
                        "Ids of a feed that never showed up within the overlap.", "source");
    feed->metrics.pages =
        sync_metric_new(SYNC_COUNTER, "source_feed_pages_total",
                        "Pages of a feed by what became of them.", "source,result");
    feed->metrics.ratio = sync_metric_new(SYNC_GAUGE, "backfill_progress_ratio",
                                          "How much of a first load is done.", "source,table");
}

sync_status delegation_feed_new(struct delegation_capture *capture, struct resolver *resolver,
                                struct delegation_feed **ret_feed, struct sync_error *err)
{
    const struct sync_config *config = capture->shell->config;
    char link[FEED_LINK_SIZE];
    const char *start = config->capture_feed_start_link;
    if (config->bridge_base_url[0] == '\0') {
        *ret_feed = NULL;
        return SYNC_OK;
    }
    if (!feed_link_first(config->bridge_base_url, link) ||
        (start[0] && !feed_link_check(config->bridge_base_url, sync_bytes_text(start), link))) {
        return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "capture.feed_start_link",
                               "read capture.feed_start_link: it does not lead below "
                               "bridge.base_url");
    }
    struct delegation_feed *feed = calloc(1, sizeof *feed);
    if (!feed) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "read the role feed: no memory");
    }
    feed->capture = capture;
    feed->shell = capture->shell;
    feed->resolver = resolver;
    feed->outcome = PUSH_DONE;
    feed->tick = PUSH_DONE;
    make_metrics(feed);
    sync_status status = feed_fetch_new(capture->shell, &capture->own, &feed->fetch, err);
    if (!sync_is_ok(status)) {
        delegation_feed_free(&feed);
        return status;
    }
    *ret_feed = feed;
    return SYNC_OK;
}

void delegation_feed_free(struct delegation_feed **feed)
{
    if (*feed) {
        feed_fetch_free(&(*feed)->fetch);
        free(*feed);
        *feed = NULL;
    }
}
