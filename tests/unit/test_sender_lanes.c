/*
 * Shows the send thread as a whole: a real PostgreSQL with the real tables and a bridge over
 * libmicrohttpd whose answers are set per test. SYNC_TEST_DSN names a superuser's database of a
 * throw-away server; a database of its own is made and dropped. Waits end by a condition.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "altinn_sync/correspondence_status.h"
#include "core/limits.h"
#include "runtime/claim.h"
#include "runtime/clock.h"
#include "runtime/http_server.h"
#include "runtime/metrics.h"
#include "runtime/migrate.h"
#include "runtime/sender.h"
#include "runtime/sender_due.h"
#include "runtime/sender_lane.h"
#include "server.h"
#include "wait.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCOPE       "status-to-altinn2"
#define TOPIC       "altinn3.correspondence-status.v1"
#define PATIENCE_US (30 * 1000000LL)
#define CALLS_MAX   512
#define P           "00000000-0000-0000-0000-0000000000a1" /* has number 501 */
#define Q           "00000000-0000-0000-0000-0000000000a2" /* has number 502 */
#define NAMELESS    "00000000-0000-0000-0000-0000000000af" /* has none */
#define RECIPIENT   777

static struct {
    char name[48], dsn[1024], base[64], token_file[64];
    struct sync_db *admin, *db;
    struct sync_http_server *server;
    struct sync_sender *sender;
    bool usable;
} world;

/* The bridge: what it was asked and what it answers. */
static struct {
    pthread_mutex_t lock;
    struct {
        char body[256], key[40], token[40];
    } calls[CALLS_MAX];
    size_t count;
    int code, retry_after_s;     /* 0 = drops the connection, -1 = keeps the request */
    int first_code, first_count; /* the first so many answers differ */
    struct sync_http_request *kept[CALLS_MAX];
    size_t kept_count;
    char token[40];           /* wanted; "" = none */
    char poison[40];          /* a body with this text is answered 500; "" = none */
    int32_t flood, flood_end; /* each call brings a hint of the next of these messages */
} bridge = {.lock = PTHREAD_MUTEX_INITIALIZER, .code = 200};

static int next_code(const struct sync_http_request *request)
{
    const char *token = request->authorization ? request->authorization : "";
    if (bridge.token[0] && strcmp(token, bridge.token) != 0) {
        return 401;
    }
    if (bridge.poison[0] &&
        memmem(request->body.data, request->body.size, bridge.poison, strlen(bridge.poison))) {
        return 500;
    }
    if (bridge.first_count > 0) {
        bridge.first_count--;
        return bridge.first_code;
    }
    return bridge.code;
}

static void handle(struct sync_http_request *request, void *context)
{
    (void)context;
    pthread_mutex_lock(&bridge.lock);
    if (bridge.count < CALLS_MAX) {
        const char *key = sync_http_request_header(request, "Idempotency-Key");
        snprintf(bridge.calls[bridge.count].body, sizeof bridge.calls[0].body, "%.*s",
                 (int)request->body.size, (const char *)request->body.data);
        snprintf(bridge.calls[bridge.count].key, sizeof bridge.calls[0].key, "%s", key ? key : "");
        bridge.count++;
    }
    int32_t flooded = bridge.flood < bridge.flood_end ? bridge.flood++ : 0;
    int code = next_code(request);
    if (code == -1) {
        bridge.kept[bridge.kept_count++] = request;
    }
    pthread_mutex_unlock(&bridge.lock);
    if (flooded != 0) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", (int)flooded);
        struct sync_lane_hint hint = {
            .target = "altinn2", .key = sync_bytes_text(text), .due = true};
        sync_sender_hint(world.sender, &hint, 1);
    }
    if (code == 0) {
        sync_http_drop(request);
    } else if (code > 0) {
        sync_http_answer(request, code, NULL, (struct sync_bytes){NULL, 0}, bridge.retry_after_s);
    }
}

static size_t call_count(void)
{
    pthread_mutex_lock(&bridge.lock);
    size_t count = bridge.count;
    pthread_mutex_unlock(&bridge.lock);
    return count;
}

/* How many calls had this text in their body. */
static size_t calls_with(const char *text)
{
    size_t count = 0;
    pthread_mutex_lock(&bridge.lock);
    for (size_t i = 0; i < bridge.count; i++) {
        count += strstr(bridge.calls[i].body, text) != NULL;
    }
    pthread_mutex_unlock(&bridge.lock);
    return count;
}

static void set_bridge(int code)
{
    pthread_mutex_lock(&bridge.lock);
    bridge.code = code;
    pthread_mutex_unlock(&bridge.lock);
}

/* Database. */

static void must(sync_status status, const struct sync_error *err)
{
    if (!sync_is_ok(status)) {
        fail_msg("%s", err->text);
    }
}

static void sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void sql(const char *format, ...)
{
    char text[4096];
    struct sync_error err = {0};
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    must(sync_db_script(world.db, text, &err), &err);
}

static int64_t ask(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int64_t ask(const char *format, ...)
{
    static const struct sync_statement statement = {"ask", "SELECT public.ask($1)"};
    char text[1024];
    uint8_t memory[2048];
    struct sync_arena arena;
    struct sync_params params;
    struct sync_error err = {0};
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, text);
    SYNC_RESULT result = {0};
    must(sync_db_exec(world.db, &statement, &params, &result, &err), &err);
    return sync_result_int8(&result, 0, 0);
}

/* Waits until the query gives the number. */
#define wait_for(number, ...) assert_true(comes(number, __VA_ARGS__))
static bool comes(int64_t number, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool comes(int64_t number, const char *format, ...)
{
    char text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    int64_t until_us = sync_clock_monotonic_us() + PATIENCE_US, found = ask("%s", text);
    while (found != number && sync_clock_monotonic_us() < until_us) {
        (void)poll(NULL, 0, 2); /* until the condition holds */
        found = ask("%s", text);
    }
    if (found != number) {
        print_message("%s: %lld, wanted %lld\n", text, (long long)found, (long long)number);
    }
    return found == number;
}

static void connect_to(const char *dsn, struct sync_db **ret_db)
{
    struct sync_error err = {0};
    must(sync_db_new(&(struct sync_db_options){.dsn = dsn, .application = "test_sender_lanes"},
                     ret_db, &err),
         &err);
    must(sync_db_connect(*ret_db, &err), &err);
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static int start_world(void **state)
{
    (void)state;
    const char *base = server_dsn();
    if (!base) {
        print_message("skipped: SYNC_TEST_DSN names no PostgreSQL server\n");
        return 0;
    }
    bool uri = strncmp(base, "postgres", 8) == 0;
    const char *joint = uri ? (strchr(base, '?') ? "&" : "?") : " ";
    char text[160];
    int applied = 0;
    struct sync_error err = {0};
    snprintf(world.name, sizeof world.name, "lanes_%d", (int)getpid());
    snprintf(world.dsn, sizeof world.dsn, "%s%sdbname=%s", base, joint, world.name);
    connect_to(base, &world.admin);
    snprintf(text, sizeof text, "CREATE DATABASE %s", world.name);
    must(sync_db_script(world.admin, text, &err), &err);
    connect_to(world.dsn, &world.db);
    char *schema = read_text(SYNC_SOURCE_DIR "/dev/sql/altinn3-correspondence.sql");
    must(sync_db_script(world.db, schema, &err), &err);
    free(schema);
    must(sync_db_migrate(world.db, "correspondence", false, &applied, &err), &err);
    sql("CREATE FUNCTION public.ask(sql text) RETURNS int8 LANGUAGE plpgsql AS"
        " 'DECLARE n int8; BEGIN EXECUTE sql INTO n; RETURN n; END'");
    struct sync_http_server_options options = {
        .listen = "127.0.0.1:0", .body_bytes_max = 65536, .connections_max = 64, .handler = handle};
    must(sync_http_server_new(&options, &world.server, &err), &err);
    snprintf(world.base, sizeof world.base, "http://%s", sync_http_server_address(world.server));
    snprintf(world.token_file, sizeof world.token_file, "/tmp/%s.token", world.name);
    world.usable = true;
    return 0;
}

static int stop_world(void **state)
{
    (void)state;
    if (world.usable) {
        char text[160];
        struct sync_error err = {0};
        sync_http_server_free(&world.server);
        sync_db_free(&world.db);
        snprintf(text, sizeof text, "DROP DATABASE %s WITH (FORCE)", world.name);
        must(sync_db_script(world.admin, text, &err), &err);
        sync_db_free(&world.admin);
        unlink(world.token_file);
    }
    return 0;
}

/* Each test begins with an empty lane that is ours with epoch 3, and a willing bridge. */
static int begin(void **state)
{
    (void)state;
    if (!world.usable) {
        return 0;
    }
    sql("TRUNCATE sync.outbox, sync.target, sync.expected_echo, sync.correspondence, "
        "sync.correspondence_fact,"
        " sync.party, sync.partition_owner; DELETE FROM correspondence.\"Correspondences\";"
        "INSERT INTO sync.party VALUES ('" P "', 501), ('" Q "', 502);"
        "INSERT INTO sync.partition_owner VALUES ('" SCOPE "', '" TOPIC
        "', 0, 3, 0, 0, NULL, 'test', now())");
    pthread_mutex_lock(&bridge.lock);
    bridge.count = bridge.kept_count = 0;
    bridge.code = 200;
    bridge.first_count = bridge.retry_after_s = 0;
    bridge.flood = bridge.flood_end = 0;
    bridge.token[0] = bridge.poison[0] = '\0';
    pthread_mutex_unlock(&bridge.lock);
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (world.sender) {
        sync_sender_stop(world.sender, 0);
        sync_sender_free(&world.sender);
    }
    pthread_mutex_lock(&bridge.lock);
    for (size_t i = 0; i < bridge.kept_count; i++) {
        sync_http_answer(bridge.kept[i], 200, NULL, (struct sync_bytes){NULL, 0}, 0);
    }
    bridge.kept_count = 0;
    pthread_mutex_unlock(&bridge.lock);
    return 0;
}

#define NEEDS_DATABASE()                                                                           \
    do {                                                                                           \
        if (!world.usable) {                                                                       \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void make_sender(const char *token_file)
{
    struct sync_error err = {0};
    struct sync_sender_options options = {.dsn = world.dsn,
                                          .application = "test-sender",
                                          .scope = SCOPE,
                                          .topic = TOPIC,
                                          .target = "altinn2",
                                          .lane = sync_lane_store_find("correspondence", "altinn2"),
                                          .base_url = world.base,
                                          .token_file = token_file,
                                          .timeout_ms = 20000,
                                          .seed = 1};
    must(sync_sender_new(&options, &world.sender, &err), &err);
    sync_sender_own(world.sender, 0, 3);
}

static void run_sender(void)
{
    struct sync_error err = {0};
    must(sync_sender_start(world.sender, &err), &err);
}

static void start_sender(const char *token_file)
{
    make_sender(token_file);
    run_sender();
}

/* A message that both sides have; the recipient has a number. */
static void message(int id)
{
    sql("INSERT INTO correspondence.\"Correspondences\" (\"Id\", \"Altinn2CorrespondenceId\", "
        "\"ResourceId\", \"Recipient\","
        " \"Sender\", \"SendersReference\", \"PartyId\", \"Created\", \"RequestedPublishTime\", "
        "\"PropertyList\")"
        " VALUES (md5('%d')::uuid, %d, 'r', 'u', 's', 'x', %d, now(), now(), '');"
        "INSERT INTO sync.correspondence (altinn2_id, mapping, altinn3_id, gate) VALUES (%d, 2, "
        "md5('%d')::uuid, 2)",
        id, id, RECIPIENT, id, id);
}

/* An act of Altinn 3 as the store leaves it: the fact. */
static void fact(int id, int kind, const char *party, int second)
{
    sql("INSERT INTO sync.correspondence_fact (altinn2_id, kind, mode, second, occurred_at_us, "
        "source_sequence, source_system,"
        " in_a2, in_a3, refused, party_uuid, source_stream)"
        " VALUES (%d, %d, 0, %d, %d * 1000000::bigint, 1, 3, false, true, false, '%s', 's')",
        id, kind, second, second, party);
}

/* The call of a fact waits, as the consumer leaves it. */
static void queue(int id, int kind, const char *party, int second)
{
    char body[SYNC_EFFECT_BODY_MAX];
    struct status_call call = {
        .altinn2_id = id, .kind = kind, .second = second, .occurred_at_us = second * 1000000LL};
    assert_true(sync_uuid_parse(sync_bytes_text(party), &call.party));
    assert_true(status_call_format(&call, body, sizeof body) > 0);
    const char *name = status_call_name(kind);
    const char *flag = kind == 4 ? "a2_read" : kind == 6 ? "a2_confirmed" : "a2_deleted";
    sql("INSERT INTO sync.outbox (effect_id, name, target, scope, topic, partition, entity_key, "
        "state, not_before, body, created_at)"
        " VALUES (md5('%d/%s')::uuid, '%s', 'altinn2', '" SCOPE "', '" TOPIC
        "', 0, '%d', 0, now(), convert_to('%s', 'UTF8'), now());"
        "UPDATE sync.correspondence SET %s = 1 WHERE altinn2_id = %d",
        id, name, name, id, body, flag, id);
    if (world.sender) {
        sync_sender_wake(world.sender);
    }
}

static void act(int id, int kind, const char *party, int second)
{
    fact(id, kind, party, second);
    queue(id, kind, party, second);
}

#define STATE(id, name)                                                                            \
    "SELECT state FROM sync.outbox WHERE entity_key = '" #id "' AND name = '" name "'"
#define FLAG(id, flag) "SELECT " flag " FROM sync.correspondence WHERE altinn2_id = " #id

/* Waits until the sender has counted what the database shows: it counts after its commit. */
#define wait_counted(field, number)                                                                \
    do {                                                                                           \
        struct sync_sender_counters counted_ = {0};                                                \
        int64_t until_us_ = sync_clock_monotonic_us() + PATIENCE_US;                               \
        sync_sender_counters(world.sender, &counted_);                                             \
        while (counted_.field < (number) && sync_clock_monotonic_us() < until_us_) {               \
            (void)poll(NULL, 0, 1); /* until the condition holds */                                \
            sync_sender_counters(world.sender, &counted_);                                         \
        }                                                                                          \
        assert_int_equal(counted_.field, number);                                                  \
    } while (0)

/* Tests. */

static void the_label_of_an_effect_has_no_number(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"a2/read", "a2/read"},
                                          {"altinn2/17", "altinn2"},
                                          {"altinn2-cache/3/1764113625000000", "altinn2-cache"},
                                          {"", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char operation[SYNC_EFFECT_NAME_MAX];
        sync_lane_operation(rows[i][0], operation);
        assert_string_equal(operation, rows[i][1]);
    }
}

static void calls_of_a_message_leave_in_order_one_at_a_time(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(1);
    set_bridge(-1);
    act(1, 4, P, 1000);
    act(1, 6, P, 1001);
    act(1, 7, P, 1002);
    start_sender(NULL);
    static const char *const order[] = {"\"read\"", "\"confirm\"", "\"delete\""};
    for (size_t i = 0; i < 3; i++) {
        wait_for(1, "SELECT count(*) FROM sync.outbox WHERE state = 1");
        int64_t until_us = sync_clock_monotonic_us() + PATIENCE_US;
        while (call_count() < i + 1 && sync_clock_monotonic_us() < until_us) {
            (void)poll(NULL, 0, 1); /* until the condition holds */
        }
        assert_int_equal(call_count(), i + 1);
        assert_int_equal(calls_with(order[i]), 1);
        pthread_mutex_lock(&bridge.lock);
        struct sync_http_request *request = bridge.kept[--bridge.kept_count];
        pthread_mutex_unlock(&bridge.lock);
        sync_http_answer(request, 200, NULL, (struct sync_bytes){NULL, 0}, 0);
        wait_for((int64_t)i + 1, "SELECT count(*) FROM sync.outbox WHERE state = 2");
    }
    wait_for(1, "SELECT count(*) FROM sync.correspondence WHERE a2_read = 2 AND a2_confirmed = 2 "
                "AND a2_deleted = 2");
    assert_int_equal(ask("SELECT count(*) FROM sync.correspondence_fact WHERE in_a2"), 3);
}

static void the_call_is_that_of_the_contract(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(2);
    act(2, 4, P, 1741078800);
    start_sender(NULL);
    wait_for(2, STATE(2, "a2/read"));
    assert_string_equal(
        bridge.calls[0].body,
        "{\"correspondenceId\":2,\"partyId\":501,"
        "\"eventTimestamp\":\"2025-03-04T09:00:00.000000Z\",\"eventType\":\"read\"}");
    assert_int_equal(
        ask("SELECT count(*) FROM sync.outbox WHERE effect_id = '%s'", bridge.calls[0].key), 1);
}

static void the_echo_is_expected_before_the_call_leaves(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(3);
    set_bridge(-1);
    act(3, 6, Q, 1741078800);
    act(3, 7, Q, 1741078801);
    start_sender(NULL);
    int64_t until_us = sync_clock_monotonic_us() + PATIENCE_US;
    while (call_count() == 0 && sync_clock_monotonic_us() < until_us) {
        (void)poll(NULL, 0, 1); /* until the condition holds */
    }
    assert_int_equal(ask("SELECT count(*) FROM sync.expected_echo WHERE entity_key = '3' AND kind "
                         "= 6 AND second = 1741078800"
                         " AND party_uuid = '" Q "' AND expires_at > now() + interval '23 hours'"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM sync.expected_echo"), 1);
}

static void a_503_is_repeated_byte_for_byte_until_it_works(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(4);
    bridge.first_code = 503;
    bridge.first_count = 3;
    act(4, 4, P, 1000);
    start_sender(NULL);
    wait_for(2, STATE(4, "a2/read"));
    assert_int_equal(call_count(), 4);
    for (size_t i = 1; i < 4; i++) {
        assert_string_equal(bridge.calls[i].body, bridge.calls[0].body);
        assert_string_equal(bridge.calls[i].key, bridge.calls[0].key);
    }
    assert_int_equal(ask("SELECT attempt FROM sync.outbox"), 4);
    assert_int_equal(ask(FLAG(4, "a2_read")), 2);
}

static void a_lost_answer_is_asked_for_again(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(5);
    bridge.first_code = 0;
    bridge.first_count = 2;
    act(5, 6, P, 1000);
    start_sender(NULL);
    wait_for(2, STATE(5, "a2/confirm"));
    assert_int_equal(call_count(), 3);
    wait_counted(done, 1);
    wait_counted(unknown, 2);
}

static void a_refused_call_is_parked_and_what_follows_goes_on(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(6);
    bridge.first_code = 422;
    bridge.first_count = 1;
    act(6, 4, P, 1000);
    act(6, 7, P, 1001);
    start_sender(NULL);
    wait_for(2, STATE(6, "a2/delete"));
    assert_int_equal(ask(STATE(6, "a2/read")), 4);
    assert_int_equal(ask("SELECT last_code FROM sync.outbox WHERE name = 'a2/read'"), 422);
    assert_int_equal(ask(FLAG(6, "a2_read")), 0);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence_fact WHERE refused AND kind = 4"), 1);
}

static void another_fact_carries_a_refused_call_on(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(7);
    bridge.first_code = 400;
    bridge.first_count = 1;
    fact(7, 4, Q, 2000);
    act(7, 4, P, 1000);
    start_sender(NULL);
    wait_for(2, STATE(7, "a2/read"));
    assert_int_equal(call_count(), 2);
    assert_int_equal(calls_with("\"partyId\":501"), 1);
    assert_int_equal(calls_with("\"partyId\":502"), 1);
    assert_string_equal(bridge.calls[0].key, bridge.calls[1].key);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence_fact WHERE refused AND second = 1000"), 1);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence_fact WHERE in_a2 AND second = 2000"), 1);
    assert_int_equal(ask("SELECT count(*) FROM sync.expected_echo"), 2);
}

static void what_altinn_2_already_holds_is_skipped_without_a_call(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(8);
    message(9);
    act(8, 4, P, 1000);
    sql("UPDATE sync.correspondence SET a2_read = 2 WHERE altinn2_id = 8");
    act(9, 6, P, 1000);
    sql("UPDATE sync.correspondence SET a2_deleted = 2 WHERE altinn2_id = 9");
    start_sender(NULL);
    wait_for(3, STATE(8, "a2/read"));
    wait_for(3, STATE(9, "a2/confirm"));
    assert_int_equal(call_count(), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.expected_echo"), 0);
}

static void a_delete_without_a_number_goes_under_the_recipient(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(10);
    act(10, 8, "00000000-0000-0000-0000-000000000000", 1000);
    start_sender(NULL);
    wait_for(2, STATE(10, "a2/delete"));
    assert_int_equal(calls_with("\"partyId\":777"), 1);
}

static void a_reader_without_a_number_is_replaced_by_one_who_has_one(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(11);
    fact(11, 4, Q, 2000);
    act(11, 4, NAMELESS, 1000);
    start_sender(NULL);
    wait_for(2, STATE(11, "a2/read"));
    assert_int_equal(call_count(), 1);
    assert_int_equal(calls_with("\"partyId\":502"), 1);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence_fact WHERE in_a2 AND second = 2000"), 1);
    assert_int_equal(ask("SELECT count(*) FROM sync.correspondence_fact WHERE refused"), 0);
}

static void a_reader_without_a_number_waits_behind_and_the_purge_does_not(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(12);
    act(12, 4, NAMELESS, 1000);
    act(12, 7, P, 1001);
    start_sender(NULL);
    wait_for(2, STATE(12, "a2/delete"));
    assert_int_equal(calls_with("\"read\""), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE name = 'a2/read' AND state = 0"
                         " AND not_before BETWEEN now() + interval '40 s' AND now() + interval '61 "
                         "s' AND attempt = 0"),
                     1);
}

static void a_number_that_is_not_found_for_a_day_parks(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(13);
    act(13, 6, NAMELESS, 1000);
    sql("UPDATE sync.outbox SET created_at = now() - interval '25 hours'");
    start_sender(NULL);
    wait_for(4, STATE(13, "a2/confirm"));
    assert_int_equal(call_count(), 0);
    assert_int_equal(ask(FLAG(13, "a2_confirmed")), 0);
}

static void a_body_that_fails_the_own_check_is_parked_without_a_call(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    static const char *const bodies[] = {
        "no json",
        "{}",
        "{\"altinn2_id\":0,\"kind\":4,\"party\":\"" P
        "\",\"second\":1,\"occurred_at_us\":1000000,\"party_id\":501}",
        "{\"altinn2_id\":14,\"kind\":4,\"party\":\"" P
        "\",\"second\":1,\"occurred_at_us\":1000000,\"party_id\":0}",
        "{\"altinn2_id\":14,\"kind\":9,\"party\":\"" P
        "\",\"second\":1,\"occurred_at_us\":1000000,\"party_id\":501}",
        "{\"altinn2_id\":14,\"kind\":4,\"party\":\"" P
        "\",\"second\":1,\"occurred_at_us\":-62135596800000000,\"party_id\":501}"};
    message(14);
    start_sender(NULL);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        sql("INSERT INTO sync.outbox (effect_id, name, target, scope, topic, partition, "
            "entity_key, state, not_before, body, created_at)"
            " VALUES (md5('%zu')::uuid, 'a2/read', 'altinn2', '" SCOPE "', '" TOPIC
            "', 0, '14', 0, now(), convert_to('%s', 'UTF8'), now())",
            i, bodies[i]);
        wait_for((int64_t)i + 1,
                 "SELECT count(*) FROM sync.outbox WHERE state = 4 AND last_error = 'CS-58'");
    }
    assert_int_equal(call_count(), 0);
}

static void a_401_without_a_token_stops_the_lane_and_drops_nothing(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(15);
    set_bridge(401);
    act(15, 4, P, 1000);
    start_sender(NULL);
    wait_for(1, "SELECT coalesce(max(state), 0) FROM sync.target WHERE target = 'altinn2'");
    wait_for(0, STATE(15, "a2/read"));
    size_t calls = call_count();
    assert_int_equal(calls, 1);
    assert_int_equal(ask(FLAG(15, "a2_read")), 1);
    set_bridge(200);
    sql("UPDATE sync.target SET state = 0"); /* what "lanes open" does */
    wait_for(2, STATE(15, "a2/read"));
}

static void write_token(const char *token)
{
    FILE *file = fopen(world.token_file, "we");
    assert_non_null(file);
    fprintf(file, "%s\n", token);
    fclose(file);
    assert_int_equal(chmod(world.token_file, 0400), 0);
}

static void a_401_takes_one_new_token(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(16);
    unlink(world.token_file);
    write_token("old");
    snprintf(bridge.token, sizeof bridge.token, "Bearer new");
    start_sender(world.token_file);
    unlink(world.token_file);
    write_token("new");
    act(16, 4, P, 1000);
    wait_for(2, STATE(16, "a2/read"));
    assert_int_equal(call_count(), 2);
    assert_int_equal(ask("SELECT count(*) FROM sync.target WHERE state <> 0"), 0);
}

static void a_410_closes_everything_and_nothing_is_called_any_more(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    for (int id = 100; id < 200; id++) {
        message(id);
        act(id, 4, P, 1000);
        act(id, 7, P, 1001);
    }
    set_bridge(410);
    start_sender(NULL);
    wait_for(200, "SELECT count(*) FROM sync.outbox WHERE state = 5");
    assert_int_equal(ask("SELECT state FROM sync.target WHERE target = 'altinn2'"), 2);
    assert_int_equal(
        ask("SELECT count(*) FROM sync.correspondence WHERE a2_read <> 0 OR a2_deleted <> 0"), 0);
    size_t calls = call_count();
    assert_true(calls >= 1 && calls <= SYNC_LANE_IN_FLIGHT_MAX);
    message(201);
    act(201, 6, P, 1000); /* decided by a batch that did not see the closing */
    wait_for(5, STATE(201, "a2/confirm"));
    assert_int_equal(call_count(), calls);
}

static void another_owner_fences_the_lane_and_no_call_leaves(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(17);
    sql("UPDATE sync.partition_owner SET epoch = 4");
    act(17, 4, P, 1000);
    start_sender(NULL);
    int32_t fenced = -1;
    int64_t until_us = sync_clock_monotonic_us() + PATIENCE_US;
    while ((fenced = sync_sender_fenced(world.sender)) == -1 &&
           sync_clock_monotonic_us() < until_us) {
        (void)poll(NULL, 0, 1); /* until the condition holds */
    }
    assert_int_equal(fenced, 0);
    assert_int_equal(sync_sender_fenced(world.sender), -1);
    assert_int_equal(call_count(), 0);
    assert_int_equal(ask(STATE(17, "a2/read")), 0);
    sync_sender_own(world.sender, 0, 4);
    wait_for(2, STATE(17, "a2/read"));
}

static void an_answer_after_the_fence_is_not_written(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(18);
    set_bridge(-1);
    act(18, 4, P, 1000);
    start_sender(NULL);
    wait_for(1, STATE(18, "a2/read"));
    int64_t until_us = sync_clock_monotonic_us() + PATIENCE_US;
    while (call_count() == 0 && sync_clock_monotonic_us() < until_us) {
        (void)poll(NULL, 0, 1); /* until the condition holds */
    }
    sql("UPDATE sync.partition_owner SET epoch = 4");
    sync_http_answer(bridge.kept[--bridge.kept_count], 200, NULL, (struct sync_bytes){NULL, 0}, 0);
    wait_counted(fenced, 1);
    assert_int_equal(ask(STATE(18, "a2/read")), 1);
    assert_int_equal(ask(FLAG(18, "a2_read")), 1);
}

/* How many effects the sender counted in its lanes last; it counts in each of its first turns. */
static double counted(void)
{
    struct sync_metric *pending =
        sync_metric_new(SYNC_GAUGE, "lane_effects_pending",
                        "Effects that wait or are sent in our lanes.", "target");
    return sync_metric_read(pending, SYNC_LABELS("altinn2"));
}

/* As every sender of a consumer begins: paused, until the operator's switch is known. */
static void a_paused_lane_calls_nothing_and_goes_on_without_a_restart(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    for (int id = 41; id <= 43; id++) {
        message(id);
        act(id, 4, P, 1000);
    }
    make_sender(NULL);
    sync_sender_pause(world.sender, true);
    run_sender();
    int64_t until_us = sync_clock_monotonic_us() + PATIENCE_US;
    while (counted() != 3 && sync_clock_monotonic_us() < until_us) {
        wait_a_moment();
    }
    assert_true(counted() == 3); /* a turn is over */
    assert_int_equal(call_count(), 0);
    assert_int_equal(ask("SELECT count(*) FROM sync.outbox WHERE state = 0"), 3);
    sync_sender_pause(world.sender, false);
    wait_for(3, "SELECT count(*) FROM sync.outbox WHERE state = 2");
}

static void a_call_in_flight_is_finished_while_paused(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(44);
    set_bridge(-1); /* keeps the request */
    act(44, 4, P, 1000);
    start_sender(NULL);
    wait_for(1, STATE(44, "a2/read"));
    int64_t until_us = sync_clock_monotonic_us() + PATIENCE_US;
    while (call_count() == 0 && sync_clock_monotonic_us() < until_us) {
        wait_a_moment();
    }
    sync_sender_pause(world.sender, true);
    pthread_mutex_lock(&bridge.lock);
    sync_http_answer(bridge.kept[--bridge.kept_count], 200, NULL, (struct sync_bytes){NULL, 0}, 0);
    pthread_mutex_unlock(&bridge.lock);
    wait_for(2, STATE(44, "a2/read"));
}

static void a_drain_cuts_what_flies_and_it_stays_sent(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(19);
    set_bridge(-1);
    act(19, 4, P, 1000);
    start_sender(NULL);
    wait_for(1, STATE(19, "a2/read"));
    int64_t begun_us = sync_clock_monotonic_us();
    sync_sender_stop(world.sender, 200);
    assert_true(sync_clock_monotonic_us() - begun_us < 10 * 1000000LL);
    sync_sender_free(&world.sender);
    assert_int_equal(ask(STATE(19, "a2/read")), 1);
    set_bridge(200);
    start_sender(NULL); /* the next process decides it again: the same call */
    wait_for(2, STATE(19, "a2/read"));
    assert_string_equal(bridge.calls[0].body, bridge.calls[1].body);
}

static void a_key_that_backs_off_holds_only_itself(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(20);
    message(21);
    act(20, 4, P, 1000);
    act(20, 7, P, 1001);
    sql("UPDATE sync.outbox SET not_before = now() + interval '1 hour' WHERE name = 'a2/read'");
    act(21, 4, P, 1000);
    start_sender(NULL);
    wait_for(2, STATE(21, "a2/read"));
    assert_int_equal(ask(STATE(20, "a2/delete")), 0);
    assert_int_equal(calls_with("\"correspondenceId\":20,"), 0);
}

static void one_key_that_always_fails_does_not_stop_a_quiet_lane(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(23);
    snprintf(bridge.poison, sizeof bridge.poison, "\"correspondenceId\":23,");
    act(23, 4, P, 1000);
    start_sender(NULL);
    wait_for(1, "SELECT count(*) FROM sync.outbox WHERE entity_key = '23' AND attempt >= 4");
    for (int id = 24; id < 28; id++) { /* one after the other, as on a lane with little to do */
        message(id);
        act(id, 4, P, 1000);
        wait_for(1, "SELECT count(*) FROM sync.outbox WHERE entity_key = '%d' AND state = 2", id);
    }
    assert_int_equal(
        ask("SELECT count(*) FROM sync.outbox WHERE entity_key = '23' AND state IN (0, 1)"), 1);
}

static void a_wait_that_the_bridge_asks_for_is_kept(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(22);
    bridge.first_code = 503;
    bridge.first_count = 1;
    bridge.retry_after_s = 30;
    act(22, 4, P, 1000);
    start_sender(NULL);
    wait_for(1, "SELECT count(*) FROM sync.outbox WHERE attempt = 1 AND state = 0"
                " AND not_before BETWEEN now() + interval '20 s' AND now() + interval '31 s'");
    assert_int_equal(call_count(), 1);
}

/* Gates ---------------------------------------------------------------------------------------- */

/* A session of somebody else, with a transaction open. */
static struct sync_db *other_with(const char *text)
{
    struct sync_error err = {0};
    struct sync_db *db = NULL;
    connect_to(world.dsn, &db);
    must(sync_db_script(db, text, &err), &err);
    return db;
}

static void commit_and_close(struct sync_db **db)
{
    struct sync_error err = {0};
    must(sync_db_script(*db, "COMMIT", &err), &err);
    sync_db_free(db);
}

#define WAITS_FOR_A_LOCK                                                                           \
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"                     \
    " AND wait_event_type = 'Lock' AND application_name = '%s'"

/* The apply thread's gate moves the position; calls do not wait for its commit. */
static void calls_leave_beside_an_open_apply_transaction(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(50);
    struct sync_db *apply = other_with("BEGIN; UPDATE sync.partition_owner SET position = 1");
    act(50, 4, P, 1000);
    start_sender(NULL);
    wait_for(2, STATE(50, "a2/read"));
    commit_and_close(&apply);
    assert_int_equal(ask("SELECT position FROM sync.partition_owner"), 1);
}

/* As sync_claim_partition does it. */
#define CLAIM                                                                                      \
    "BEGIN; SELECT FROM sync.partition_owner FOR UPDATE;"                                          \
    " UPDATE sync.partition_owner SET epoch = epoch + 1"

static void a_claim_under_way_is_waited_for_and_then_fences(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(51);
    act(51, 4, P, 1000);
    struct sync_db *apply = other_with("UPDATE sync.partition_owner SET position = 1");
    struct sync_db *claim = other_with(CLAIM);
    start_sender(NULL);
    wait_for(1, WAITS_FOR_A_LOCK, "test-sender");
    commit_and_close(&claim);
    sync_db_free(&apply);
    wait_counted(fenced, 1);
    assert_int_equal(call_count(), 0);
    assert_int_equal(ask(STATE(51, "a2/read")), 0);
}

static void *claim(void *context)
{
    struct sync_owner *owner = context;
    struct sync_error err = {0};
    struct sync_db *db = NULL;
    struct sync_db_options options = {.dsn = world.dsn, .application = "test-claim"};
    const struct sync_place place = {SCOPE, TOPIC, 0};
    if (sync_is_ok(sync_db_new(&options, &db, &err)) &&
        !sync_is_ok(sync_claim_partition(db, &place, 0, "test", owner, &err))) {
        owner->epoch = -1;
    }
    sync_db_free(&db);
    return NULL;
}

/* What a sender has under way is over before the next owner begins. */
static void a_claim_waits_for_the_transaction_of_a_sender(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct sync_owner owner = {0};
    pthread_t thread;
    struct sync_db *sender =
        other_with("BEGIN; SELECT FROM sync.partition_owner WHERE partition = 0 FOR KEY SHARE");
    /* The position moves on meanwhile: the claim meets the lock on a later version of the row. */
    struct sync_db *apply = other_with("UPDATE sync.partition_owner SET position = 1");
    assert_int_equal(pthread_create(&thread, NULL, claim, &owner), 0);
    wait_for(1, WAITS_FOR_A_LOCK, "test-claim");
    assert_int_equal(ask("SELECT epoch FROM sync.partition_owner"), 3);
    commit_and_close(&sender);
    sync_db_free(&apply);
    (void)pthread_join(thread, NULL);
    assert_int_equal(owner.epoch, 4);
    assert_int_equal(owner.position, 1);
}

/* Withdrawn while the sender waited for the message, after it had read what is due. */
static void an_effect_that_is_withdrawn_meanwhile_is_not_sent(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    message(52);
    act(52, 4, P, 1000);
    struct sync_db *other =
        other_with("BEGIN; SELECT FROM sync.correspondence WHERE altinn2_id = 52 FOR UPDATE");
    start_sender(NULL);
    wait_for(1, WAITS_FOR_A_LOCK, "test-sender");
    struct sync_error err = {0};
    must(sync_db_script(other, "UPDATE sync.outbox SET state = 3, ended_at = now()", &err), &err);
    commit_and_close(&other);
    message(53);
    act(53, 4, P, 1000); /* so that a later turn is known to be over */
    wait_for(2, STATE(53, "a2/read"));
    assert_int_equal(call_count(), 1);
    assert_int_equal(ask(STATE(52, "a2/read")), 3);
    assert_int_equal(ask("SELECT count(*) FROM sync.expected_echo WHERE entity_key = '52'"), 0);
}

/* Hints ---------------------------------------------------------------------------------------- */

static void hint(const char *target, int32_t partition, const char *key, bool due)
{
    struct sync_lane_hint hints[] = {
        {.target = target, .partition = partition, .key = sync_bytes_text(key), .due = due}};
    sync_sender_hint(world.sender, hints, 1);
}

/* The same key may be told twice, together with the look: it is called once. */
static void a_hint_is_followed_once_and_what_is_not_ours_is_passed_over(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    start_sender(NULL);
    message(54);
    message(55);
    act(54, 4, P, 1000);
    act(55, 4, P, 1000);
    hint("altinn2", 0, "54", true);
    hint("altinn2", 0, "54", true);
    hint("altinn2", 0, "55", false); /* not due by its own word: the look finds it */
    hint("altinn2", 7, "54", true);  /* of a partition that is not ours */
    hint("dialog", 0, "54", true);
    hint("altinn2", 0, "56", true); /* nothing waits for it */
    wait_for(2, "SELECT count(*) FROM sync.outbox WHERE state = 2");
    assert_int_equal(call_count(), 2);
}

/* More than one list of hints takes: the rest is found by the look. */
static void more_hints_than_fit_lose_no_effect(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    enum { COUNT = SYNC_DUE_HINTS_MAX + 40 };
    static struct sync_lane_hint hints[COUNT];
    static char texts[COUNT][8];
    make_sender(NULL);
    for (int i = 0; i < COUNT; i++) {
        message(1000 + i);
        act(1000 + i, 4, P, 1000);
        (void)snprintf(texts[i], sizeof texts[i], "%d", 1000 + i);
        hints[i] = (struct sync_lane_hint){
            .target = "altinn2", .partition = 0, .key = sync_bytes_text(texts[i]), .due = true};
    }
    sync_sender_hint(world.sender, hints, COUNT);
    run_sender();
    wait_for(COUNT, "SELECT count(*) FROM sync.outbox WHERE state = 2");
    wait_counted(calls, COUNT);
}

/* Where the call with this text stands among all; they have all been made. */
static size_t place_of_call(const char *text)
{
    size_t place = 0;
    pthread_mutex_lock(&bridge.lock);
    while (place < bridge.count && strstr(bridge.calls[place].body, text) == NULL) {
        place++;
    }
    pthread_mutex_unlock(&bridge.lock);
    return place;
}

/* Hints come as fast as calls are answered, so that the list of keys is never empty. */
static void what_had_no_room_for_its_hint_does_not_wait_for_the_end_of_a_flood(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    enum { COUNT = SYNC_DUE_HINTS_MAX + 1, FIRST = 2000, FLOOD = 200 };
    static struct sync_lane_hint hints[COUNT];
    static char texts[COUNT][8];
    make_sender(NULL);
    for (int i = 0; i < COUNT + FLOOD; i++) {
        message(FIRST + i);
        act(FIRST + i, 4, P, 1000);
    }
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "%d", FIRST + i);
        hints[i] = (struct sync_lane_hint){
            .target = "altinn2", .key = sync_bytes_text(texts[i]), .due = true};
    }
    bridge.flood = FIRST + COUNT;
    bridge.flood_end = FIRST + COUNT + FLOOD;
    sync_sender_hint(world.sender, hints, COUNT);
    run_sender();
    wait_for(COUNT + FLOOD, "SELECT count(*) FROM sync.outbox WHERE state = 2");
    char last[16];
    (void)snprintf(last, sizeof last, "%d", FIRST + COUNT + FLOOD - 1);
    assert_true(place_of_call(texts[COUNT - 1]) < place_of_call(last));
}

/* Taken ahead of a free line, then the lane closed: no call was made, so none counts. */
static void what_was_taken_and_not_called_counts_no_attempt(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    static uint8_t memory[256 * 1024];
    struct sync_error err = {0};
    struct sync_arena arena;
    struct sync_lane_partition mine = {.partition = 0, .epoch = 3};
    struct sync_lane_partitions partitions = {&mine, 1};
    struct sync_lane_taken taken;
    struct sync_lane_key key = {sync_bytes_text("56"), 0};
    struct sync_lane lane = {.db = world.db,
                             .store = sync_lane_store_find("correspondence", "altinn2"),
                             .scope = SCOPE,
                             .topic = TOPIC,
                             .target = "altinn2",
                             .echo_expected_s = 60,
                             .arena = &arena};
    sync_arena_init(&arena, memory, sizeof memory);
    message(56);
    act(56, 4, P, 1000);
    act(56, 6, P, 1001);
    must(sync_lane_take(&lane, &partitions, &key, 1, false, &taken, &err), &err);
    assert_int_equal(taken.count, 1);
    assert_int_equal(ask("SELECT attempt FROM sync.outbox WHERE name = 'a2/read'"), 1);
    struct sync_lane_item item = taken.items[0];
    item.effect.name = "a2/read";
    item.effect.body = (struct sync_bytes){NULL, 0};
    item.effect.body_changed = false;
    item.again = item.untried = true;
    must(sync_lane_finish(&lane, &partitions, &item, 1, &err), &err);
    assert_int_equal(ask("SELECT attempt FROM sync.outbox WHERE name = 'a2/read'"), 0);
    assert_int_equal(ask(STATE(56, "a2/read")), 0);
    assert_true(item.more); /* the confirm behind it */
}

static void a_sender_with_a_wrong_address_or_token_file_is_not_made(void **state)
{
    (void)state;
    struct sync_error err = {0};
    struct sync_sender *sender = NULL;
    struct sync_sender_options options = {.dsn = "host=/tmp",
                                          .application = "x",
                                          .scope = SCOPE,
                                          .topic = TOPIC,
                                          .target = "altinn2",
                                          .lane = sync_lane_store_find("correspondence", "altinn2"),
                                          .base_url = "http://192.0.2.1"};
    assert_int_equal(sync_sender_new(&options, &sender, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_INSECURE);
    options.base_url = "http://127.0.0.1:1";
    options.token_file = "/nonexistent/token";
    assert_int_equal(sync_sender_new(&options, &sender, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_FILE);
    assert_null(sender);
}

#define lane_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        lane_test(calls_of_a_message_leave_in_order_one_at_a_time),
        lane_test(the_call_is_that_of_the_contract),
        lane_test(the_echo_is_expected_before_the_call_leaves),
        lane_test(a_503_is_repeated_byte_for_byte_until_it_works),
        lane_test(a_lost_answer_is_asked_for_again),
        lane_test(a_refused_call_is_parked_and_what_follows_goes_on),
        lane_test(another_fact_carries_a_refused_call_on),
        lane_test(what_altinn_2_already_holds_is_skipped_without_a_call),
        lane_test(a_delete_without_a_number_goes_under_the_recipient),
        lane_test(a_reader_without_a_number_is_replaced_by_one_who_has_one),
        lane_test(a_reader_without_a_number_waits_behind_and_the_purge_does_not),
        lane_test(a_number_that_is_not_found_for_a_day_parks),
        lane_test(a_body_that_fails_the_own_check_is_parked_without_a_call),
        lane_test(a_401_without_a_token_stops_the_lane_and_drops_nothing),
        lane_test(a_401_takes_one_new_token),
        lane_test(a_410_closes_everything_and_nothing_is_called_any_more),
        lane_test(another_owner_fences_the_lane_and_no_call_leaves),
        lane_test(an_answer_after_the_fence_is_not_written),
        lane_test(a_paused_lane_calls_nothing_and_goes_on_without_a_restart),
        lane_test(a_call_in_flight_is_finished_while_paused),
        lane_test(a_drain_cuts_what_flies_and_it_stays_sent),
        lane_test(a_key_that_backs_off_holds_only_itself),
        lane_test(one_key_that_always_fails_does_not_stop_a_quiet_lane),
        lane_test(a_wait_that_the_bridge_asks_for_is_kept),
        cmocka_unit_test(the_label_of_an_effect_has_no_number),
        lane_test(calls_leave_beside_an_open_apply_transaction),
        lane_test(a_claim_under_way_is_waited_for_and_then_fences),
        lane_test(a_claim_waits_for_the_transaction_of_a_sender),
        lane_test(an_effect_that_is_withdrawn_meanwhile_is_not_sent),
        lane_test(a_hint_is_followed_once_and_what_is_not_ours_is_passed_over),
        lane_test(more_hints_than_fit_lose_no_effect),
        lane_test(what_had_no_room_for_its_hint_does_not_wait_for_the_end_of_a_flood),
        lane_test(what_was_taken_and_not_called_counts_no_attempt),
        cmocka_unit_test(a_sender_with_a_wrong_address_or_token_file_is_not_made),
    };
    return cmocka_run_group_tests_name("sender_lanes", tests, start_world, stop_world);
}
