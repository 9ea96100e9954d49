/*
 * What every processor keeps without work by its author, shown over its real store on a real
 * PostgreSQL: random changes made from the descriptor go through the runtime's own batch. A file
 * worlds/NAME.sql, where there is one, puts rows into Altinn 3 first. Needs SYNC_TEST_DSN; the seed
 * is printed and taken back from SYNC_SEED.
 */
#include "core/limits.h"
#include "runtime/apply.h"
#include "runtime/claim.h"
#include "runtime/config.h"
#include "runtime/route.h"

#include "../unit/own_database.h"
#include "random_changes.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

#define RECORDS    32 /* of one stream of changes */
#define ROUNDS     3
#define INPUTS_MAX 8

static struct {
    const struct sync_processor *processor;
    struct sync_schema_set *schemas;
    struct sync_decoder *decoder;
    struct sync_topics *topics;
    struct sync_arena changes_arena, batch_arena;
    struct sync_config config;
    void *store_context;
    uint64_t seed;
    int64_t offset;
} world;

/* A database for each home of a processor; own is the one in use. */
static struct {
    const char *home;
    struct own_database database;
} homes[4];
static size_t home_count, home_now;

/* One record and the route it comes by. */
struct item {
    const struct sync_route *route;
    const struct sync_input *input;
    struct sync_bytes key, value;
    enum sync_outcome outcome; /* of the last run */
    const char *rule;
};

static struct item items[RECORDS];

/* Set-up -------------------------------------------------------------------------------------- */

static void *memory(size_t size)
{
    void *made = malloc(size);
    assert_non_null(made);
    return made;
}

static void go_home(const char *home)
{
    homes[home_now].database = own;
    for (home_now = 0; strcmp(homes[home_now].home, home) != 0; home_now++) {
    }
    own = homes[home_now].database;
}

static void start_homes(void)
{
    for (const struct sync_processor *const *at = sync_processors; *at != NULL; at++) {
        size_t i = 0;
        while (i < home_count && strcmp(homes[i].home, (*at)->home) != 0) {
            i++;
        }
        if (i < home_count) {
            continue;
        }
        char name[24];
        assert_true(home_count < sizeof homes / sizeof homes[0]);
        (void)snprintf(name, sizeof name, "battery%d", (int)home_count);
        own = (struct own_database){.usable = false};
        own_start_home(name, (*at)->home);
        home_now = home_count++;
        homes[home_now].home = (*at)->home;
        homes[home_now].database = own;
    }
}

static int start(void **state)
{
    const char *paths[] = {SYNC_SOURCE_DIR "/topics.yaml"};
    struct sync_config_sources sources = {.file_count = 0};
    (void)state;
    start_homes();
    if (!own.usable) {
        return 0;
    }
    must(sync_config_load(&sources, &world.config, &own.err));
    (void)snprintf(world.config.data_dir, sizeof world.config.data_dir, SYNC_SOURCE_DIR "/data");
    must(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &world.schemas, &own.err));
    must(sync_topics_load(paths, 1, &world.topics, NULL, &own.err));
    sync_arena_init(&world.changes_arena, memory(SYNC_BATCH_ARENA_BYTES), SYNC_BATCH_ARENA_BYTES);
    sync_arena_init(&world.batch_arena, memory(SYNC_BATCH_ARENA_BYTES), SYNC_BATCH_ARENA_BYTES);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sync_schema_set_free(&world.schemas);
    free(world.topics);
    free(world.changes_arena.memory);
    free(world.batch_arena.memory);
    sync_config_done(&world.config);
    for (size_t i = 0; i < home_count; i++) {
        go_home(homes[i].home);
        own_stop();
    }
    return 0;
}

/* Empties our tables, and lets the world of the processor put its rows there again. */
static void fresh(void)
{
    char path[256];
    run_sql("DO $$ DECLARE t regclass; BEGIN SET LOCAL session_replication_role = replica;"
            " FOR t IN SELECT c.oid FROM pg_class c"
            " WHERE c.relnamespace = 'sync'::regnamespace AND c.relkind IN ('r', 'p')"
            " AND NOT c.relispartition AND c.relname <> 'schema_version'"
            " LOOP EXECUTE format('DELETE FROM %%s', t); END LOOP; END $$");
    (void)snprintf(path, sizeof path, SYNC_SOURCE_DIR "/tests/contract/worlds/%s.sql",
                   world.processor->store);
    if (access(path, R_OK) == 0) {
        own_script(path);
    }
    world.offset = 0;
}

/* Records ------------------------------------------------------------------------------------- */

static struct sync_bytes encode(const struct sync_schema *schema, const void *change)
{
    struct sync_bytes value = {0};
    must(sync_encode(schema, world.processor, change, &world.changes_arena, &value, &own.err));
    return value;
}

static struct sync_bytes key_of(const void *change)
{
    struct sync_key key = {.size = 0};
    struct sync_error err;
    if (!sync_is_ok(world.processor->key(change, &key, &err))) {
        return sync_bytes_text("x");
    }
    return sync_arena_copy(&world.changes_arena,
                           (struct sync_bytes){(const uint8_t *)key.text, key.size});
}

/* An input of any route, as chosen. */
static void choose_input(uint64_t *seed, struct item *item)
{
    const struct sync_processor *processor = world.processor;
    item->route = &processor->routes[random_pick(seed, (int)processor->route_count)];
    item->input = &item->route->inputs[random_pick(seed, (int)item->route->input_count)];
}

/* Fills the items with random changes; ours: each as a write of ours that comes back. */
static void make_items(bool ours)
{
    struct changes changes = {
        .processor = world.processor, .arena = &world.changes_arena, .seed = world.seed};
    const struct sync_schema *schema = sync_schema_set_find(world.schemas, world.processor->schema);
    sync_arena_reset(&world.changes_arena, 0);
    for (size_t i = 0; i < RECORDS; i++) {
        struct item *item = &items[i];
        choose_input(&changes.seed, item);
        void *change = random_change(&changes, item->input);
        if (ours) {
            assert_true(change_is_ours(world.processor, change, item->route->to));
        }
        item->value = encode(schema, change);
        item->key = key_of(change);
    }
    world.seed = changes.seed;
}

/* Running ------------------------------------------------------------------------------------- */

static struct sync_applier applier_of(const struct sync_route *route)
{
    return (struct sync_applier){.db = own.db,
                                 .processor = world.processor,
                                 .store = sync_store_find(world.processor->store),
                                 .store_context = world.store_context,
                                 .route = route,
                                 .scope = route->name,
                                 .topics = world.topics,
                                 .config = &world.config,
                                 .decoder = world.decoder,
                                 .keep_parked_bytes = true};
}

/* One transaction over items of one input, as the consumer does it without its gate. */
static void run_batch(struct item *const *chosen, size_t count, bool crash)
{
    static struct sync_record records[RECORDS];
    struct sync_applier applier = applier_of(chosen[0]->route);
    const struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_ALTINN3_MS};
    size_t lane_effects = 0;
    sync_arena_reset(&world.batch_arena, 0);
    for (size_t i = 0; i < count; i++) {
        records[i] = (struct sync_record){.offset = world.offset++,
                                          .timestamp_ms = CHANGES_BASE_US / 1000 + 60000,
                                          .key = chosen[i]->key,
                                          .value = chosen[i]->value};
    }
    struct sync_batch batch = {.processor = world.processor,
                               .route = applier.route,
                               .scope = applier.scope,
                               .topic = chosen[0]->input->topic,
                               .arena = &world.batch_arena,
                               .records = records,
                               .record_count = count};
    sync_apply_intake(&applier, &batch);
    must(sync_txn_begin(own.db, &limits, &batch.now_us, &own.err));
    must(sync_apply_batch(&applier, &batch, NULL, 0, &lane_effects, &own.err));
    if (crash) {
        sync_txn_rollback(own.db);
        return;
    }
    must(sync_txn_commit(own.db, &own.err));
    for (size_t i = 0; i < count; i++) {
        chosen[i]->outcome = records[i].fold.outcome;
        chosen[i]->rule = records[i].fold.rule;
    }
}

/* All items, in this order: batches of at most size, which end where the input changes. */
static void run_all(struct item *const *order, size_t size, bool crash_first)
{
    for (size_t at = 0; at < RECORDS;) {
        size_t count = 1;
        while (at + count < RECORDS && count < size &&
               order[at + count]->input == order[at]->input &&
               order[at + count]->route == order[at]->route) {
            count++;
        }
        if (crash_first) {
            run_batch(order + at, count, true);
        }
        run_batch(order + at, count, false);
        at += count;
    }
}

static void in_order(struct item **ret_order)
{
    for (size_t i = 0; i < RECORDS; i++) {
        ret_order[i] = &items[i];
    }
}

/* Rows of the store's digest, as one text. */
static void digest(char ret_text[64])
{
    static char sql[4096];
    const struct sync_statement statement = {"battery_digest", sql};
    SYNC_RESULT result = {0};
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) || ' ' || coalesce(md5(string_agg(d::text, '/' ORDER BY "
                   "d::text COLLATE \"C\")), '') FROM (%s) AS d",
                   sync_store_find(world.processor->store)->digest);
    struct sync_db *db = own_open(own.dsn);
    must(sync_db_exec(db, &statement, NULL, &result, &own.err));
    struct sync_bytes text = sync_result_bytes(&result, 0, 0);
    (void)snprintf(ret_text, 64, "%.*s", (int)text.size, (const char *)text.data);
    sync_db_free(&db);
}

static int64_t effects(void)
{
    return ask("SELECT count(*) FROM sync.outbox WHERE state NOT IN (3, 6)");
}

/* The laws ------------------------------------------------------------------------------------ */

static bool has_rule(const char *id)
{
    for (size_t i = 0; i < world.processor->rule_count; i++) {
        const struct sync_rule *rule = &world.processor->rules[i];
        if (strcmp(rule->id, id) == 0) {
            return rule->subject == NULL;
        }
    }
    return false;
}

static void every_record_ends_in_one_outcome_with_a_rule(void)
{
    struct item *order[RECORDS];
    in_order(order);
    make_items(false);
    run_all(order, RECORDS, false);
    for (size_t i = 0; i < RECORDS; i++) {
        assert_non_null(items[i].rule);
        assert_true(has_rule(items[i].rule));
    }
    assert_int_equal(ask("SELECT sum(n)::int8 FROM sync.outcome_count"), RECORDS);
    assert_int_equal(ask("SELECT coalesce(sum(n) FILTER (WHERE outcome = 5), 0)::int8"
                         " - (SELECT count(*) FROM sync.parked) FROM "
                         "sync.outcome_count"),
                     0);
}

static void any_batch_split_ends_equal(void)
{
    static const size_t sizes[] = {1, 7};
    char whole[64], split[64];
    enum sync_outcome outcomes[RECORDS];
    struct item *order[RECORDS];
    in_order(order);
    make_items(false);
    run_all(order, RECORDS, false);
    digest(whole);
    for (size_t i = 0; i < RECORDS; i++) {
        outcomes[i] = items[i].outcome;
    }
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        fresh();
        run_all(order, sizes[s], false);
        digest(split);
        assert_string_equal(whole, split);
        for (size_t i = 0; i < RECORDS; i++) {
            assert_int_equal(outcomes[i], items[i].outcome);
        }
    }
}

static void a_crash_before_the_commit_leaves_nothing(void)
{
    char once[64], again[64];
    struct item *order[RECORDS];
    in_order(order);
    make_items(false);
    run_all(order, 7, false);
    digest(once);
    fresh();
    run_all(order, 7, true);
    digest(again);
    assert_string_equal(once, again);
}

static void the_same_records_again_change_nothing(void)
{
    char once[64], twice[64];
    struct item *order[RECORDS];
    in_order(order);
    make_items(false);
    run_all(order, RECORDS, false);
    digest(once);
    int64_t told = effects();
    run_all(order, RECORDS, false);
    digest(twice);
    assert_string_equal(once, twice);
    assert_int_equal(told, effects());
}

/* Any order where the descriptor promises it; else each side keeps its own. */
static void shuffle(struct item **order)
{
    in_order(order);
    for (size_t i = RECORDS - 1; i > 0; i--) {
        size_t j = (size_t)random_pick(&world.seed, (int)i + 1);
        struct item *kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    if (world.processor->any_order) {
        return;
    }
    enum sync_system sides[RECORDS]; /* which side is next is what was shuffled */
    for (size_t i = 0; i < RECORDS; i++) {
        sides[i] = order[i]->input->from;
    }
    bool taken[RECORDS] = {false};
    for (size_t i = 0; i < RECORDS; i++) {
        size_t next = 0;
        while (taken[next] || items[next].input->from != sides[i]) {
            next++;
        }
        taken[next] = true;
        order[i] = &items[next];
    }
}

static void every_order_ends_equal(void)
{
    char straight[64], other[64];
    struct item *order[RECORDS];
    in_order(order);
    make_items(false);
    run_all(order, RECORDS, false);
    digest(straight);
    fresh();
    shuffle(order);
    run_all(order, 5, false);
    digest(other);
    assert_string_equal(straight, other);
}

static void own_writes_that_come_back_are_no_news(void)
{
    struct item *order[RECORDS];
    in_order(order);
    make_items(true);
    run_all(order, RECORDS, false);
    for (size_t i = 0; i < RECORDS; i++) {
        assert_int_not_equal(items[i].outcome, SYNC_OUTCOME_APPLIED);
    }
    assert_int_equal(effects(), 0);
}

static void hostile_bytes_are_parked_and_neighbours_are_not(void)
{
    struct item *order[RECORDS];
    in_order(order);
    make_items(false);
    for (size_t i = 0; i < RECORDS; i += 2) { /* cut, one byte too many, another frame, nothing */
        size_t size = items[i].value.size;
        uint8_t *bytes = sync_arena_take(&world.changes_arena, size + 1);
        assert_non_null(bytes);
        memcpy(bytes, items[i].value.data, size);
        bytes[0] ^= i % 8 == 4;
        size = i % 8 == 0 ? size - 1 : i % 8 == 2 ? size + 1 : i % 8 == 4 ? size : 0;
        items[i].value = (struct sync_bytes){bytes, size};
    }
    run_all(order, RECORDS, false);
    for (size_t i = 0; i < RECORDS; i += 2) {
        assert_int_equal(items[i].outcome, SYNC_OUTCOME_PARKED);
        assert_string_equal(items[i].rule, world.processor->unreadable_rule);
    }
    assert_int_equal(ask("SELECT sum(n)::int8 FROM sync.outcome_count"), RECORDS);
}

/* Other versions of the schema ---------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The text with the first word replaced. */
static char *replaced(struct sync_bytes text, const char *word, const char *by)
{
    const char *from = (const char *)text.data;
    const char *at = strstr(from, word);
    char *made = memory(text.size + strlen(by) + 1);
    assert_non_null(at);
    (void)sprintf(made, "%.*s%s%s", (int)(at - from), from, by, at + strlen(word));
    return made;
}

/* The schemas that are, and beside them an older text of the processor's. */
static struct sync_schema_set *with_older(const char *older, struct sync_schema **ret_schema)
{
    char dir[] = "/tmp/altinn-sync-battery.XXXXXX", path[128];
    struct sync_schema_set *set = NULL;
    const struct sync_schema *newest = sync_schema_set_find(world.schemas, world.processor->schema);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/history", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/newest.avsc", dir);
    write_file(path, (const char *)sync_schema_text(newest).data);
    (void)snprintf(path, sizeof path, "%s/history/older.avsc", dir);
    write_file(path, older);
    must(sync_schema_set_new(dir, &set, &own.err));
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/newest.avsc", dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/history", dir);
    (void)rmdir(path);
    (void)rmdir(dir);
    must(sync_schema_new(sync_bytes_text(older), ret_schema, &own.err));
    return set;
}

/* Runs the items as the older text wrote them. */
static void run_older(char *older)
{
    struct item *order[RECORDS];
    struct sync_schema *schema = NULL;
    struct sync_schema_set *set = with_older(older, &schema);
    struct sync_decoder *kept = world.decoder;
    uint64_t print = sync_schema_fingerprint(schema);
    in_order(order);
    make_items(false);
    for (size_t i = 0; i < RECORDS; i++) {
        uint8_t *bytes = (uint8_t *)(uintptr_t)items[i].value.data;
        for (size_t b = 0; b < 8; b++) {
            bytes[2 + b] = (uint8_t)(print >> 8 * b);
        }
    }
    must(sync_decoder_new(set, world.processor, &world.decoder, &own.err));
    run_all(order, RECORDS, false);
    sync_decoder_free(&world.decoder);
    world.decoder = kept;
    sync_schema_free(&schema);
    sync_schema_set_free(&set);
    free(older);
}

/* Every enum got new first symbols: what the writer means is not known here. */
static void unknown_symbols_are_parked(void)
{
    const struct sync_schema *newest = sync_schema_set_find(world.schemas, world.processor->schema);
    const char *text = (const char *)sync_schema_text(newest).data;
    const char *first = strstr(text, "\"symbols\":[\"");
    if (first == NULL) {
        return;
    }
    char symbol[80];
    (void)snprintf(symbol, sizeof symbol, "%.*s", (int)(strcspn(first + 12, "\"") + 2), first + 11);
    run_older(replaced(sync_schema_text(newest), symbol, "\"BATTERY_UNKNOWN\""));
    size_t parked = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        parked += items[i].outcome == SYNC_OUTCOME_PARKED;
    }
    assert_true(parked > 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.parked WHERE code = 'enum_symbol'") > 0, 1);
}

static void law(void (*shows)(void))
{
    const char *only = getenv("SYNC_BATTERY_ONLY"); /* name of one processor */
    const char *given = getenv("SYNC_BATTERY_ROUNDS");
    int rounds = given != NULL ? atoi(given) : ROUNDS;
    for (const struct sync_processor *const *at = sync_processors; *at != NULL; at++) {
        if (only != NULL && strcmp(only, (*at)->name) != 0) {
            continue;
        }
        const struct sync_store *store = sync_store_find((*at)->store);
        world.processor = *at;
        go_home((*at)->home);
        world.store_context = NULL;
        if (store->open != NULL) {
            must(store->open(&world.config, &world.store_context, &own.err));
        }
        must(sync_decoder_new(world.schemas, *at, &world.decoder, &own.err));
        for (int round = 0; round < rounds; round++) {
            fresh();
            shows();
        }
        sync_decoder_free(&world.decoder);
        if (store->close != NULL) {
            store->close(&world.store_context);
        }
    }
}

#define LAW(name)                                                                                  \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        NEEDS_DATABASE();                                                                          \
        law(name);                                                                                 \
    }
LAW(every_record_ends_in_one_outcome_with_a_rule)
LAW(any_batch_split_ends_equal)
LAW(a_crash_before_the_commit_leaves_nothing)
LAW(the_same_records_again_change_nothing)
LAW(every_order_ends_equal)
LAW(own_writes_that_come_back_are_no_news)
LAW(hostile_bytes_are_parked_and_neighbours_are_not)
LAW(unknown_symbols_are_parked)

int main(void)
{
    const char *given = getenv("SYNC_SEED");
    world.seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    (void)printf("SYNC_SEED=%" PRIu64 "\n", world.seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_record_ends_in_one_outcome_with_a_rule),
        cmocka_unit_test(test_any_batch_split_ends_equal),
        cmocka_unit_test(test_a_crash_before_the_commit_leaves_nothing),
        cmocka_unit_test(test_the_same_records_again_change_nothing),
        cmocka_unit_test(test_every_order_ends_equal),
        cmocka_unit_test(test_own_writes_that_come_back_are_no_news),
        cmocka_unit_test(test_hostile_bytes_are_parked_and_neighbours_are_not),
        cmocka_unit_test(test_unknown_symbols_are_parked),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
