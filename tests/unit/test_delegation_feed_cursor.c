/*
 * Shows where a reader of the role feed stands after its pages: which items are new, which ids are
 * missing, and from where it reads again. Random feeds with late ids, repeated pages and a restart
 * anywhere give every event at least once and, without a restart, exactly once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../connectors/altinn2/delegation_feed_cursor.h"

#include <stdio.h>
#include <stdlib.h>

#define SECOND  1000000LL
#define OVERLAP (600 * SECOND)
#define NOW     (1800000000LL * SECOND)

static struct feed_cursor cursor;
static uint32_t items[64];

/* A page of these ids, 0 ends the list; time_us 0 = events without time. */
static const struct feed_page *page_of(const int64_t *ids, int64_t time_us)
{
    static struct feed_page page;
    static struct feed_item list[64];
    page = (struct feed_page){.has_newest = time_us != 0, .newest_us = time_us, .items = list};
    for (; ids[page.count] != 0; page.count++) {
        list[page.count] = (struct feed_item){.id = ids[page.count]};
    }
    return &page;
}
#define PAGE(time_us, ...) page_of((const int64_t[]){__VA_ARGS__, 0}, (time_us))

static void go_to(const char *link)
{
    snprintf(cursor.link, sizeof cursor.link, "%s", link);
}

static struct feed_news take(const struct feed_page *page, int64_t now_us)
{
    return feed_cursor_take(&cursor, page, OVERLAP, now_us, items);
}

static void an_id_is_new_once(void **state)
{
    (void)state;
    feed_cursor_init(&cursor, "a", 0, NOW);
    struct feed_news news = take(PAGE(NOW, 5, 6, 6, 7), NOW);
    assert_int_equal(news.count, 3);   /* 6 stands twice on the page */
    assert_int_equal(news.missing, 4); /* below the first one, too */
    assert_int_equal(cursor.highest, 7);
    news = take(PAGE(NOW, 5, 6, 7), NOW + SECOND);
    assert_int_equal(news.count, 0);
    news = take(PAGE(NOW, 9, 8), NOW + SECOND); /* not in order */
    assert_int_equal(news.count, 2);
    assert_true(items[0] == 1 && items[1] == 0); /* but given in order */
}

static void an_id_that_was_missing_is_taken_when_it_comes(void **state)
{
    (void)state;
    feed_cursor_init(&cursor, "a", 10, NOW);
    struct feed_news news = take(PAGE(NOW, 12, 15), NOW);
    assert_int_equal(news.count, 2);
    assert_int_equal(news.missing, 3);
    news = take(PAGE(NOW, 11, 12, 14, 15), NOW + SECOND);
    assert_int_equal(news.count, 2);
    assert_int_equal(news.late, 2);
    assert_true(items[0] == 0 && items[1] == 2);
    assert_int_equal(feed_gaps_lowest(&cursor.gaps), 13);
    assert_int_equal(take(PAGE(NOW, 10), NOW).count, 0);
}

static void what_is_missing_in_an_old_page_will_not_come(void **state)
{
    (void)state;
    feed_cursor_init(&cursor, "a", 10, NOW);
    struct feed_news news = take(PAGE(NOW - OVERLAP - SECOND, 15), NOW);
    assert_int_equal(news.settled, 4);
    assert_int_equal(news.missing, 0);
    assert_int_equal(cursor.gaps.count, 0);
    assert_int_equal(take(PAGE(NOW, 12), NOW).count, 0);
}

static void it_reads_again_from_the_first_page_that_is_not_settled(void **state)
{
    (void)state;
    feed_cursor_init(&cursor, "old", 0, NOW);
    (void)take(PAGE(NOW - 2 * OVERLAP, 1, 2), NOW);
    go_to("young");
    (void)take(PAGE(NOW - OVERLAP / 2, 3, 4), NOW);
    go_to("younger");
    (void)take(PAGE(NOW - SECOND, 5, 6), NOW);
    go_to("last");
    (void)take(PAGE(NOW, 7), NOW);
    assert_string_equal(feed_cursor_start(&cursor), "young");
    feed_cursor_rewind(&cursor);
    assert_string_equal(cursor.link, "young");
    /* Half an overlap later the first of them is settled, once it was read again. */
    int64_t later = NOW + OVERLAP * 3 / 4;
    (void)take(PAGE(NOW - OVERLAP / 2, 3, 4), later);
    go_to("younger");
    (void)take(PAGE(NOW - SECOND, 5, 6), later);
    go_to("last");
    (void)take(PAGE(NOW, 7), later);
    assert_string_equal(feed_cursor_start(&cursor), "younger");
    feed_cursor_rewind(&cursor);
    later = NOW + 2 * OVERLAP;
    (void)take(PAGE(NOW - SECOND, 5, 6), later);
    go_to("last");
    (void)take(PAGE(NOW, 7), later);
    assert_string_equal(feed_cursor_start(&cursor), "last");
}

static void events_without_time_settle_by_when_they_were_seen(void **state)
{
    (void)state;
    feed_cursor_init(&cursor, "a", 0, NOW);
    (void)take(PAGE(0, 1, 2), NOW);
    go_to("b");
    (void)take(PAGE(0, 3, 4), NOW + OVERLAP / 2);
    go_to("c");
    (void)take(PAGE(0, 5), NOW + OVERLAP / 2 + SECOND);
    assert_string_equal(feed_cursor_start(&cursor), "a");
    feed_cursor_rewind(&cursor);
    int64_t later = NOW + OVERLAP + 60 * SECOND;
    (void)take(PAGE(0, 1, 2), later);
    go_to("b");
    (void)take(PAGE(0, 3, 4), later);
    go_to("c");
    (void)take(PAGE(0, 5), later);
    assert_string_equal(feed_cursor_start(&cursor), "b");
}

static void after_a_restart_nothing_is_settled_at_once(void **state)
{
    (void)state;
    feed_cursor_init(&cursor, "a", 4, NOW); /* what was seen when is forgotten */
    (void)take(PAGE(0, 1, 2), NOW);
    go_to("b");
    (void)take(PAGE(0, 3, 4), NOW);
    assert_string_equal(feed_cursor_start(&cursor), "a");
}

static void an_empty_page_moves_nothing(void **state)
{
    (void)state;
    feed_cursor_init(&cursor, "a", 4, NOW);
    struct feed_news news = take(page_of((const int64_t[]){0}, 0), NOW);
    assert_int_equal(news.count, 0);
    assert_int_equal(cursor.mark_count, 0);
    assert_string_equal(feed_cursor_start(&cursor), "a");
}

/* A feed whose events show up late, read by pages, again and again. */
#define EVENTS 600
static struct {
    int64_t visible_us[EVENTS + 1], at_us[EVENTS + 1]; /* by id; at 0 = the id is never used */
    int given[EVENTS + 1];
} feed;
static uint64_t seed;

static uint64_t lot(uint64_t below)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (seed >> 33) % below;
}

static void make_feed(void)
{
    memset(&feed, 0, sizeof feed);
    int64_t at = NOW;
    for (int64_t id = 1; id <= EVENTS; id++) {
        at += (int64_t)lot(10 * SECOND);
        bool used = lot(10) != 0;
        bool late = id == 1 || lot(8) == 0; /* the very first one, too */
        feed.at_us[id] = used ? at : 0;
        feed.visible_us[id] = at + (late ? (int64_t)lot(OVERLAP / 2) : 0);
    }
}

/* The page behind an id, of at most 7 events. Returns the link's number of the next one, 0 = the
 * drain ends. */
static int64_t read_page(int64_t behind, int64_t now_us, bool times)
{
    int64_t ids[8] = {0}, newest = 0;
    size_t count = 0;
    for (int64_t id = behind + 1; id <= EVENTS && count < 7; id++) {
        if (feed.at_us[id] != 0 && feed.visible_us[id] <= now_us) {
            newest = feed.at_us[id] > newest ? feed.at_us[id] : newest;
            ids[count++] = id;
        }
    }
    const struct feed_page *page = page_of(ids, times ? newest : 0);
    struct feed_news news = take(page, now_us);
    for (size_t i = 0; i < news.count; i++) {
        feed.given[page->items[items[i]].id]++;
    }
    return count == 7 ? ids[6] : 0;
}

static void drain(int64_t now_us, bool times)
{
    feed_cursor_rewind(&cursor);
    for (;;) {
        int64_t next = read_page(strtoll(cursor.link, NULL, 10), now_us, times);
        if (next == 0) {
            return;
        }
        if (lot(20) != 0) { /* else the page is read once more */
            char link[24];
            snprintf(link, sizeof link, "%lld", (long long)next);
            go_to(link);
        }
    }
}

static void random_feeds(bool times, bool restarts)
{
    make_feed();
    feed_cursor_init(&cursor, "0", 0, NOW);
    for (int64_t now = NOW; now < NOW + 5000 * SECOND + 2 * OVERLAP; now += 120 * SECOND) {
        drain(now, times);
        (void)feed_gaps_age(&cursor.gaps, now - OVERLAP);
        if (restarts && lot(10) == 0) { /* all that is stored */
            static struct feed_cursor stored;
            stored = cursor;
            feed_cursor_init(&cursor, feed_cursor_start(&stored), stored.highest, now);
            cursor.gaps = stored.gaps;
        }
    }
    for (int64_t id = 1; id <= EVENTS; id++) {
        bool used = feed.at_us[id] != 0 && feed.visible_us[id] <= NOW + 5000 * SECOND;
        if (feed.given[id] != (used ? 1 : 0) && feed.visible_us[id] <= NOW + 5000 * SECOND) {
            fail_msg("seed %llu: event %lld was given %d times", (unsigned long long)seed,
                     (long long)id, feed.given[id]);
        }
    }
}

static void every_event_of_a_random_feed_is_given_once(void **state)
{
    (void)state;
    const char *text = getenv("SYNC_TEST_SEED");
    seed = text ? strtoull(text, NULL, 10) : 1;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 40; round++) {
        random_feeds(round % 2 == 0, round % 4 >= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_new_once),
        cmocka_unit_test(an_id_that_was_missing_is_taken_when_it_comes),
        cmocka_unit_test(what_is_missing_in_an_old_page_will_not_come),
        cmocka_unit_test(it_reads_again_from_the_first_page_that_is_not_settled),
        cmocka_unit_test(events_without_time_settle_by_when_they_were_seen),
        cmocka_unit_test(after_a_restart_nothing_is_settled_at_once),
        cmocka_unit_test(an_empty_page_moves_nothing),
        cmocka_unit_test(every_event_of_a_random_feed_is_given_once),
    };
    return cmocka_run_group_tests_name("delegation_feed_cursor", tests, NULL, NULL);
}
