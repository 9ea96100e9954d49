/*
 * A backlog gives way to its live route: a thread looks where the topics of live end, the apply
 * thread compares that with the positions of live and rests while live is behind. Nothing is paused
 * in the client: the ring fills and is not polled for. Not here: the decision (yield.c).
 */
#include "clock.h"
#include "consumer_parts.h"
#include "health.h"
#include "log.h"
#include "metrics.h"
#include "route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SILENCE_MS 30000 /* of the thread: each topic is asked about within a second */

static struct sync_metric *yielding, *behind;

static void declare(void)
{
    if (yielding != NULL) {
        return;
    }
    yielding = sync_metric_new(SYNC_GAUGE, "yielding",
                               "1 while the backlog gives way to its live route, by reason.",
                               "consumer,reason");
    behind =
        sync_metric_new(SYNC_GAUGE, "live_behind_seconds",
                        "How far the live route is behind, as its backlog sees it.", "consumer");
}

/* The thread that looks ----------------------------------------------------------------------- */

/* False when a topic could not be asked about: a moment tells of all or is none. */
static bool look(const struct consumer *c, struct sync_yield_marks *ret_marks)
{
    const struct consumer_yield *y = &c->yield;
    struct sync_error err = {0};
    for (size_t i = 0; i < y->live->input_count; i++) {
        int64_t *ends = &ret_marks->ends[sync_kafka_place(i, 0)];
        if (!sync_is_ok(sync_kafka_ends(y->looker, y->live->inputs[i].topic, y->partitions[i],
                                        SYNC_YIELD_ASK_MS, ends, &err))) {
            sync_log_error(SYNC_DEBUG, "ends of live not known", &err);
            return false;
        }
    }
    return true;
}

static void *look_main(void *context)
{
    struct consumer *c = context;
    struct consumer_yield *y = &c->yield;
    static struct sync_yield_marks marks; /* large; one thread of this kind per process */
    while (!atomic_load(&c->stopping) && !atomic_load(&c->failed)) {
        sync_health_beat(SYNC_LOOP_LOOK);
        marks.at_us = sync_clock_monotonic_us();
        if (look(c, &marks)) {
            (void)sync_ring_put(y->marks, &marks, sizeof marks); /* full: the next look tells it */
        }
        (void)sync_wake_wait(&y->wake, SYNC_YIELD_LOOK_MS);
    }
    return NULL;
}

sync_status consumer_yield_make(struct consumer *c, struct sync_error *err)
{
    struct consumer_yield *y = &c->yield;
    const struct sync_processor *processor = NULL;
    if (c->route->yields_to == NULL) {
        return SYNC_OK;
    }
    y->live = sync_route_find(c->route->yields_to, &processor);
    SYNC_ASSERT(y->live != NULL && y->live->input_count <= SYNC_ROUTE_INPUTS_MAX);
    y->records = SYNC_YIELD_RECORDS_FIRST;
    y->place_end = (size_t)sync_kafka_place(y->live->input_count, 0);
    for (size_t i = 0; i < y->live->input_count; i++) {
        const struct sync_topic *topic =
            sync_topics_find(c->options->topics, y->live->inputs[i].topic);
        SYNC_ASSERT(topic != NULL); /* "run" has checked all routes of the entity */
        y->partitions[i] = topic->partitions;
    }
    char client[128];
    (void)snprintf(client, sizeof client, "%s look", c->scope);
    struct sync_kafka_options kafka = {.bootstrap = c->config->kafka_bootstrap,
                                       .client_id = client,
                                       .dev = c->config->dev,
                                       .properties = c->config->kafka_properties};
    struct sync_ring_options ring = {.bytes_max = SYNC_YIELD_RING_BYTES, .filled = &c->apply_wake};
    sync_status status = sync_wake_init(&y->wake, err);
    status = sync_is_ok(status) ? sync_ring_new(&ring, &y->marks, err) : status;
    return sync_is_ok(status) ? sync_kafka_looker_new(&kafka, &y->looker, err) : status;
}

sync_status consumer_yield_start(struct consumer *c, struct sync_error *err)
{
    struct consumer_yield *y = &c->yield;
    if (y->live == NULL) {
        return SYNC_OK;
    }
    sync_health_expect(SYNC_LOOP_LOOK, SILENCE_MS);
    if (pthread_create(&y->thread, NULL, look_main, c) != 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL, "start a thread: %s",
                         strerror(errno));
    }
    return SYNC_OK;
}

void consumer_yield_stop(struct consumer *c)
{
    struct consumer_yield *y = &c->yield;
    if (y->live != NULL) {
        sync_wake_raise(&y->wake);
        (void)pthread_join(y->thread, NULL);
        sync_kafka_looker_free(&y->looker);
    }
}

/* The apply thread ---------------------------------------------------------------------------- */

static const struct sync_statement positions_statement = {
    "yield_positions",
    "SELECT topic, partition, position FROM sync.partition_owner WHERE scope = $1"};
static const struct sync_statement tell_statement = {
    "yield_tell", "INSERT INTO sync.yield AS y (scope, yields_to, reason, since, seen_at)"
                  " VALUES ($1, $2, $3, now(), now()) ON CONFLICT (scope) DO UPDATE"
                  " SET yields_to = excluded.yields_to, reason = excluded.reason,"
                  " since = CASE WHEN y.seen_at < now() - $4::int8 * interval '1 millisecond'"
                  " THEN now() ELSE y.since END, seen_at = now()"};
static const struct sync_statement forget_statement = {"yield_forget",
                                                       "DELETE FROM sync.yield WHERE scope = $1"};

static const char *reason_of(struct sync_yield yield)
{
    return yield.live_behind ? "live_behind" : "batches_slow";
}

/* Positions of live by place; -1 where nobody reads. */
static sync_status read_positions(struct consumer *c, int64_t *ret_positions,
                                  struct sync_error *err)
{
    const struct consumer_yield *y = &c->yield;
    struct sync_params params;
    SYNC_RESULT result = {0};
    sync_params_init(&params, NULL); /* text is borrowed */
    sync_params_text(&params, y->live->name);
    sync_status status = sync_db_exec(c->apply.db, &positions_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    for (size_t i = 0; i < y->place_end; i++) {
        ret_positions[i] = -1;
    }
    for (int row = 0; row < result.rows; row++) {
        struct sync_bytes topic = sync_result_bytes(&result, row, 0);
        int32_t partition = sync_result_int4(&result, row, 1);
        for (size_t i = 0; i < y->live->input_count; i++) {
            if (partition < y->partitions[i] &&
                sync_bytes_equal(topic, sync_bytes_text(y->live->inputs[i].topic))) {
                ret_positions[sync_kafka_place(i, partition)] = sync_result_int8(&result, row, 2);
            }
        }
    }
    return SYNC_OK;
}

/* What "status" reads. Its failure is the database's: the next look meets it too. */
static sync_status store_mark(struct consumer *c, struct sync_error *err)
{
    static const struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_CLAIM_MS,
                                                  .statement_timeout_ms = SYNC_DB_STATEMENT_MS};
    const struct consumer_yield *y = &c->yield;
    struct sync_params params;
    SYNC_RESULT result = {0};
    int64_t now_us = 0;
    bool on = sync_yield_is(y->state);
    sync_arena_reset(&c->apply.arena, 0);
    sync_params_init(&params, &c->apply.arena);
    sync_params_text(&params, c->scope);
    if (on) {
        sync_params_text(&params, y->live->name);
        sync_params_text(&params, reason_of(y->state));
        sync_params_int8(&params, SYNC_YIELD_STALE_MS);
    }
    sync_status status = sync_txn_begin(c->apply.db, &limits, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status =
        sync_db_exec(c->apply.db, on ? &tell_statement : &forget_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        sync_txn_rollback(c->apply.db);
        return status;
    }
    return sync_txn_commit(c->apply.db, err);
}

static void tell(struct consumer *c, int64_t now_us)
{
    struct consumer_yield *y = &c->yield;
    struct sync_error err = {0};
    bool on = sync_yield_is(y->state);
    if (on == y->told && (!on || now_us < y->tell_at_us)) {
        return;
    }
    if (!sync_is_ok(store_mark(c, &err))) {
        consumer_trouble(c, &err, now_us);
        return;
    }
    y->told = on;
    y->tell_at_us = now_us + (int64_t)SYNC_YIELD_TELL_MS * 1000;
}

static void decide(struct consumer *c)
{
    struct consumer_yield *y = &c->yield;
    struct sync_yield before = y->state;
    y->state = sync_yield_decide(before, y->behind_us, y->batch_us);
    if (sync_yield_is(y->state) && !sync_yield_is(before)) {
        sync_log(SYNC_INFO, "yields", SYNC_LOG_TEXT("to", y->live->name),
                 SYNC_LOG_TEXT("reason", reason_of(y->state)),
                 SYNC_LOG_NUMBER("live_behind_ms", y->behind_us / 1000),
                 SYNC_LOG_NUMBER("batch_ms", y->batch_us / 1000));
    } else if (!sync_yield_is(y->state) && sync_yield_is(before)) {
        sync_log(SYNC_INFO, "goes on", SYNC_LOG_TEXT("beside", y->live->name));
    }
    sync_metric_set(yielding, y->state.live_behind, SYNC_LABELS(c->scope, "live_behind"));
    sync_metric_set(yielding, y->state.batches_slow, SYNC_LABELS(c->scope, "batches_slow"));
    sync_metric_set(behind, (double)y->behind_us / 1e6, SYNC_LABELS(c->scope));
}

static void take_marks(struct consumer_yield *y)
{
    size_t size = 0;
    void *item = sync_ring_next(y->marks, NULL, &size);
    for (; item != NULL; item = sync_ring_next(y->marks, NULL, &size)) {
        sync_yield_note(&y->moments, item, y->place_end);
        sync_ring_release(y->marks, item);
    }
}

/* Live moves from one look to the next, or has not reached an end. */
static void note_moves(struct consumer_yield *y, const int64_t *positions, int64_t now_us)
{
    size_t size = y->place_end * sizeof positions[0];
    if (y->behind_us > 0 || memcmp(y->positions, positions, size) != 0) {
        y->moved_at_us = now_us;
    }
    memcpy(y->positions, positions, size);
}

void consumer_yield_look(struct consumer *c, int64_t now_us)
{
    struct consumer_apply *a = &c->apply;
    struct consumer_yield *y = &c->yield;
    struct sync_error err = {0};
    static int64_t positions[SYNC_KAFKA_PLACES_MAX];
    if (y->live == NULL || a->breaker.open || a->doubt.open || now_us < y->look_at_us ||
        now_us < a->retry_at_us) {
        return;
    }
    declare();
    take_marks(y);
    if (!sync_is_ok(read_positions(c, positions, &err))) {
        consumer_trouble(c, &err, now_us);
        return;
    }
    y->look_at_us = now_us + (int64_t)SYNC_YIELD_LOOK_MS * 1000;
    y->behind_us = sync_yield_behind_us(&y->moments, positions, y->place_end, now_us);
    note_moves(y, positions, now_us);
    decide(c);
    tell(c, now_us);
}

/* What a batch took that was not full, or failed, says nothing of a larger one. */
static void choose_records(struct consumer *c, bool done, int64_t now_us)
{
    struct consumer_yield *y = &c->yield;
    bool live_moves = now_us < y->moved_at_us + (int64_t)SYNC_YIELD_QUIET_MS * 1000;
    size_t most = (size_t)c->config->batch_records_max;
    size_t next = sync_yield_records(y->records, y->batch_us, live_moves, most);
    if (next < y->records || (done && c->apply.item_count >= y->records)) {
        y->records = next;
    }
}

void consumer_yield_batch(struct consumer *c, int64_t batch_us, bool done)
{
    struct consumer_yield *y = &c->yield;
    int64_t now_us = sync_clock_monotonic_us();
    if (y->live == NULL) {
        return;
    }
    declare();
    y->batch_us = batch_us;
    choose_records(c, done, now_us);
    decide(c);
    if (y->state.batches_slow) {
        y->try_at_us = now_us + (int64_t)SYNC_YIELD_REST_MS * 1000;
    }
}

size_t consumer_yield_records(const struct consumer *c)
{
    return c->yield.live != NULL ? c->yield.records : SIZE_MAX;
}

bool consumer_yields(const struct consumer *c, int64_t now_us)
{
    const struct consumer_yield *y = &c->yield;
    return y->state.live_behind || (y->state.batches_slow && now_us < y->try_at_us);
}
