/*
 * What waits is looked through in pages, aged and counted, and each reads no more than it answers:
 * the server says how many rows every step of its plan gave, with many thousands waiting. Needs
 * SYNC_TEST_DSN, see own_database.h.
 */
#include "../../src/core/limits.h"
#include "../../src/runtime/apply.h"
#include "../../src/runtime/housekeeping.h"
#include "../../src/runtime/metrics.h"
#include "../../src/runtime/store.h"
#include "own_database.h"

#include <altinn_sync/correspondence_status.h>
#include <string.h>

#define PAGE  SYNC_ADOPTION_PAGE_ROWS
#define MANY  6000       /* ids that wait in each of four partitions */
#define DEPTH (3 * PAGE) /* records of one of them */

extern const struct sync_store sync_store_correspondence;

/* Every id of a page can go on, so that what comes is the page. */
static const struct sync_statement whole_page = {
    "whole_page",
    "SELECT h.entity_key FROM sync.hold AS h WHERE h.scope = $1 AND h.topic = $2"
    " AND h.partition = $3 AND h.entity_key > $5 AND h.entity_key <= $6"
    " UNION SELECT p.entity_key FROM sync.parked AS p WHERE p.scope = $1 AND p.topic = $2"
    " AND p.partition = $3 AND p.entity_key > $5 AND p.entity_key <= $6"
    " AND " SYNC_PARKED_BY_LIMIT("p") " ORDER BY 1 LIMIT $4"};
static const struct sync_store store = {.name = "test", .adoptable = &whole_page};
static struct sync_applier applier = {.processor = &sync_processor_correspondence_status,
                                      .store = &store};

static uint8_t memory[4 << 20];
static struct sync_arena arena;
static struct sync_adoptable found;

static int start(void **state)
{
    (void)state;
    own_start("waiting");
    if (own.usable) {
        run_sql(
            "CREATE FUNCTION public.explain(call text) RETURNS SETOF text LANGUAGE plpgsql AS"
            " 'BEGIN RETURN QUERY EXECUTE"
            "  ''EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE '' || call; END'");
    }
    sync_arena_init(&arena, memory, sizeof memory);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    own_stop();
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    if (own.usable) {
        run_sql("TRUNCATE sync.hold, sync.parked, sync.outcome_count, sync.outbox");
    }
    return 0;
}

/* Records of one id from an offset on. */
static void hold(const char *scope, int partition, const char *id, int offset, int records)
{
    run_sql(
        "INSERT INTO sync.hold (scope, topic, partition, record_offset, entity_key, appended_at,"
        " record, rule, since) SELECT '%s', 't', %d, n, '%s', now(), '', 'CS-14', now()"
        " FROM generate_series(%d, %d) AS n",
        scope, partition, id, offset, offset + records - 1);
}

static void park(const char *id, int offset, const char *code, const char *rest)
{
    run_sql("INSERT INTO sync.parked (scope, topic, partition, record_offset, entity_key, rule,"
            " code, reason, record, sealed, digest, since, state) SELECT 's', 't', 0, %d, '%s',"
            " 'CS-16', '%s', 'x', '', false, '', now(), 0; UPDATE sync.parked SET %s"
            " WHERE record_offset = %d",
            offset, id, code, rest, offset);
}

static void page(const char *after, size_t max)
{
    struct sync_place place = {"s", "t", 0};
    struct sync_key key = {.size = strlen(after)};
    (void)snprintf(key.text, sizeof key.text, "%s", after);
    sync_arena_reset(&arena, 0);
    applier.db = own.db;
    must(sync_apply_adoptable(&applier, &place, &key, max, &arena, &found, &own.err));
}

static void expect_ids(const char *expected)
{
    char text[256] = "";
    for (size_t i = 0; i < found.count; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "",
                       found.keys[i].text);
    }
    assert_string_equal(text, expected);
}

static void each_id_comes_once_in_the_order_of_its_bytes(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    hold("s", 0, "9", 0, 3);
    hold("s", 0, "10", 10, 2);
    hold("s", 0, "a", 20, 1);
    hold("s", 0, "B", 30, 1);
    park("10", 40, sync_code_word(SYNC_CODE_HELD_TOO_MANY), "rule = rule");
    park("5", 41, sync_code_word(SYNC_CODE_HELD_TOO_LONG), "rule = rule");
    page("", 10);
    expect_ids("10 5 9 B a");
    page("", 2);
    expect_ids("10 5");
    page("5", 2);
    expect_ids("9 B");
    page("B", 2);
    expect_ids("a");
    assert_string_equal(found.last.text, "a");
    page("a", 2);
    expect_ids("");
    assert_int_equal(found.last.size, 0);
}

static void only_what_waits_here_and_can_be_decided_comes(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    hold("other", 0, "1", 0, 1);
    hold("s", 1, "2", 0, 1);
    park("3", 10, sync_code_word(SYNC_CODE_DATA_REFUSED), "rule = rule");
    park("4", 11, sync_code_word(SYNC_CODE_HELD_TOO_LONG), "state = 1");
    park("5", 12, sync_code_word(SYNC_CODE_HELD_TOO_LONG), "sealed = true");
    park("6", 13, sync_code_word(SYNC_CODE_HELD_TOO_LONG), "record = NULL");
    park("7", 14, sync_code_word(SYNC_CODE_HELD_TOO_LONG), "rule = rule");
    page("", 10);
    expect_ids("7");
}

/* Plans --------------------------------------------------------------------------------------- */

static void assert_few(const char *what, int64_t rows, int64_t most)
{
    if (rows > most) {
        fail_msg("%s went through %lld rows", what, (long long)rows);
    }
}

/* Rows that all steps of a plan gave or threw away, of a statement that was run before. */
static int64_t rows_of_plan(const char *call)
{
    static const struct sync_statement explain = {"explain", "SELECT public.explain($1)"};
    uint8_t bytes[1024];
    int64_t total = 0;
    struct sync_arena own_arena;
    struct sync_params params;
    sync_arena_init(&own_arena, bytes, sizeof bytes);
    sync_params_init(&params, &own_arena);
    sync_params_text(&params, call);
    SYNC_RESULT plan = {0};
    must(sync_db_exec(own.db, &explain, &params, &plan, &own.err));
    for (int row = 0; row < plan.rows; row++) {
        char line[512];
        long long rows = 0, loops = 1, removed = 0;
        struct sync_bytes text = sync_result_bytes(&plan, row, 0);
        (void)snprintf(line, sizeof line, "%.*s", (int)text.size, (const char *)text.data);
        const char *actual = strstr(line, "(actual rows=");
        const char *gone = strstr(line, "Rows Removed by ");
        if (actual != NULL) {
            assert_int_equal(sscanf(actual, "(actual rows=%lld loops=%lld)", &rows, &loops), 2);
        }
        if (gone != NULL) {
            assert_int_equal(sscanf(strchr(gone, ':'), ": %lld", &removed), 1);
        }
        total += rows * loops + removed;
        if (strstr(line, "Seq Scan on hold") != NULL ||
            strstr(line, "Seq Scan on parked") != NULL) {
            fail_msg("%s", line);
        }
    }
    assert_true(total > 0);
    return total;
}

static void fill(void)
{
    run_sql(
        "INSERT INTO sync.hold (scope, topic, partition, record_offset, entity_key, appended_at,"
        " record, rule, since) SELECT 's', 't', n %% 4, n, (100000 + n)::text, now(), '',"
        " CASE WHEN n %% 8 < 4 THEN 'CS-13' ELSE 'CS-14' END, now() - n * interval '1 s'"
        " FROM generate_series(1, %d) AS n",
        4 * MANY);
    hold("s", 0, "1", 10000000, DEPTH);
    run_sql(
        "INSERT INTO sync.parked (scope, topic, partition, record_offset, entity_key, rule,"
        " code, reason, record, sealed, digest, since, state) SELECT 's', 't', n %% 4, n,"
        " (100000 + n)::text, 'CS-16', CASE WHEN n %% 2 = 0 THEN 'held_too_long' ELSE"
        " 'data_refused' END, 'x', '', false, '', now(), n %% 3 FROM generate_series(1, %d) AS n",
        MANY);
}

/* What a statement of a page goes through, of the store of the real entity too. */
static void assert_page_is_short(const struct sync_key *after)
{
    char call[2 * sizeof after->text + 128];
    struct sync_key last = found.last;
    (void)snprintf(call, sizeof call, "waiting_page('s', 't', 0, '%s', %d)", after->text, PAGE);
    assert_few("the end of a page", rows_of_plan(call), 10 * PAGE);
    applier.store = &sync_store_correspondence;
    page(after->text, MANY);
    applier.store = &store;
    assert_int_equal(found.count, 0);
    assert_string_equal(found.last.text, last.text);
    (void)snprintf(call, sizeof call, "correspondence_adoptable('s', 't', 0, 500, '%s', '%s')",
                   after->text, last.text);
    /* The last id of a page may have more records than a page. */
    assert_few("a look at a page", rows_of_plan(call), 10 * (PAGE + DEPTH));
}

/* Pages follow each other to the end; each has about PAGE rows, and no id is passed over. */
static void a_page_reads_about_its_own_length(void **state)
{
    size_t seen = 0, pages = 0;
    struct sync_key after = {.size = 0};
    (void)state;
    NEEDS_DATABASE();
    fill();
    for (page("", MANY); found.last.size > 0; page(after.text, MANY)) {
        assert_true(found.count > 0);
        seen += found.count;
        pages++;
        assert_page_is_short(&after);
        after = found.last;
    }
    assert_true(pages >= MANY / PAGE);
    assert_int_equal(seen, ask("SELECT count(*) FROM (SELECT entity_key FROM sync.hold WHERE"
                               " partition = 0 UNION SELECT entity_key FROM sync.parked WHERE"
                               " partition = 0 AND state = 0 AND code = 'held_too_long') AS w"));
}

static void the_words_of_the_index_are_the_codes(void **state)
{
    char words[160];
    (void)state;
    (void)snprintf(words, sizeof words, "code IN ('%s', '%s')",
                   sync_code_word(SYNC_CODE_HELD_TOO_LONG),
                   sync_code_word(SYNC_CODE_HELD_TOO_MANY));
    assert_non_null(strstr(SYNC_PARKED_BY_LIMIT("p"), words));
}

/* Housekeeping -------------------------------------------------------------------------------- */

static double gauge(const char *name, const char *word)
{
    static const char *const helps[] = {"Changes that wait for their mapping, by rule.",
                                        "Changes that wait for a person, by code."};
    struct sync_metric *metric = sync_metric_new(
        SYNC_GAUGE, name, helps[strcmp(name, "parked_changes") == 0], "consumer,code");
    return sync_metric_read(metric, SYNC_LABELS("s", word));
}

static struct sync_housekeeping housekeeping(void)
{
    sync_arena_reset(&arena, 0);
    applier.db = own.db;
    return (struct sync_housekeeping){
        .applier = &applier, .arena = &arena, .outbox_keep_days = 14, .decision_keep_days = 14};
}

/* Inside a transaction that is taken back: what a plan goes through is seen when there is work. */
static void begin(void)
{
    must(sync_txn_begin(own.db, &(struct sync_txn_limits){0}, NULL, &own.err));
}

static int64_t now_us(void)
{
    return ask("SELECT (extract(epoch FROM now()) * 1e6)::int8");
}

static void ageing_reads_what_it_takes(void **state)
{
    struct sync_place place = {"s", "t", 0};
    size_t aged = 0;
    (void)state;
    NEEDS_DATABASE();
    fill();
    struct sync_housekeeping h = housekeeping();
    run_sql("UPDATE sync.hold SET since = now() - interval '2 days' WHERE partition = 0"
            " AND record_offset IN (SELECT record_offset FROM sync.hold WHERE partition = 0"
            "  AND rule = 'CS-14' ORDER BY entity_key DESC LIMIT 5)");
    run_sql("ANALYZE sync.hold"); /* until the server does, a look costs a partition, once */
    begin();
    must(sync_housekeeping_age(&h, &place, now_us(), &aged, &own.err));
    sync_txn_rollback(own.db);
    assert_int_equal(aged, 5);
    begin();
    int64_t rows = rows_of_plan("age_take('s', 't', 0, 'CS-14', now() - interval '1 day', 1000)");
    sync_txn_rollback(own.db);
    assert_few("ageing of 5 records", rows, 100);
}

/* More than is counted: what lies beyond the bound is of the rule that reached it. */
static void gauges_are_exact_and_read_no_more_than_their_bound(void **state)
{
    enum { BEYOND = SYNC_MEASURE_ROWS_MAX + 321 };
    struct sync_place places[] = {{"s", "t", 0}, {"s", "t", 1}};
    (void)state;
    NEEDS_DATABASE();
    run_sql("INSERT INTO sync.hold (scope, topic, partition, record_offset, entity_key,"
            " appended_at, record, rule, since) SELECT 's', 't', 0, n, '1', now(), '',"
            " CASE WHEN n <= 7 THEN 'CS-13' ELSE 'CS-14' END, now() FROM generate_series(1, %d) n",
            7 + BEYOND);
    hold("s", 1, "2", 0, 3);
    park("3", 10, "data_refused", "rule = rule");
    park("4", 11, "data_refused", "state = 1");
    run_sql("INSERT INTO sync.outcome_count VALUES ('s', 't', 0, 4, %d), ('s', 't', 1, 4, 3),"
            " ('s', 't', 0, 5, 2)",
            7 + BEYOND);
    struct sync_housekeeping h = housekeeping();
    must(sync_housekeeping_measure(&h, places, 2, &own.err));
    assert_true(gauge("held_changes", "CS-13") == 7);
    assert_true(gauge("held_changes", "CS-14") == BEYOND + 3);
    assert_true(gauge("parked_changes", "data_refused") == 1);
    int64_t rows = rows_of_plan("measure_held('s', '{t,t}', '{0,1}', 100)");
    assert_few("counting up to 100", rows, 20 * 100);
    run_sql("TRUNCATE sync.hold, sync.outcome_count");
    must(sync_housekeeping_measure(&h, places, 2, &own.err));
    assert_true(gauge("held_changes", "CS-14") == 0);
}

/* Ended effects of other places lie before those of this one. */
static void deleting_effects_reads_those_of_its_place(void **state)
{
    struct sync_place place = {"s", "t", 1};
    (void)state;
    NEEDS_DATABASE();
    run_sql("INSERT INTO sync.outbox (effect_id, name, target, scope, topic, partition, entity_key,"
            " state, not_before, body, created_at, ended_at) SELECT gen_random_uuid(), 'x', 'x',"
            " 's', 't', CASE WHEN n > 5 THEN 0 ELSE 1 END, n::text, 2, now(), '', now(),"
            " now() - (20 + n) * interval '1 day' FROM generate_series(1, %d) AS n",
            MANY);
    struct sync_housekeeping h = housekeeping();
    begin();
    must(sync_housekeeping_delete(&h, &place, now_us(), &own.err));
    assert_true(sync_is_ok(sync_txn_commit(own.db, &own.err)));
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE partition = 1"), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox"), MANY - 5);
    run_sql("UPDATE sync.outbox SET partition = 1 WHERE entity_key::int <= 10");
    begin();
    int64_t rows = rows_of_plan("outbox_delete('s', 't', 1, now() - interval '14 days', 1000)");
    sync_txn_rollback(own.db);
    assert_few("deleting 5 effects", rows, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_id_comes_once_in_the_order_of_its_bytes, set_up),
        cmocka_unit_test_setup(only_what_waits_here_and_can_be_decided_comes, set_up),
        cmocka_unit_test_setup(a_page_reads_about_its_own_length, set_up),
        cmocka_unit_test(the_words_of_the_index_are_the_codes),
        cmocka_unit_test_setup(ageing_reads_what_it_takes, set_up),
        cmocka_unit_test_setup(gauges_are_exact_and_read_no_more_than_their_bound, set_up),
        cmocka_unit_test_setup(deleting_effects_reads_those_of_its_place, set_up),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
