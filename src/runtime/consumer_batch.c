/*
 * One batch of the apply thread: gate, apply, commit, and the reaction to each way that can end.
 * Not here: which records (consumer_pick.c), what is decided and written (apply).
 */
#include "clock.h"
#include "consumer_parts.h"
#include "health.h"
#include "log.h"
#include "metrics.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* How an attempt ended; what the caller does with the records. */
enum attempt {
    ATTEMPT_DONE,    /* committed: give the records back to the ring */
    ATTEMPT_AGAIN,   /* the same again at once, perhaps fewer */
    ATTEMPT_LATER,   /* the same again after a backoff */
    ATTEMPT_DROPPED, /* the partition is not ours or stopped */
    ATTEMPT_DOUBT,   /* nobody knows: keep everything */
};

static struct sync_metric *fenced_total, *in_doubt_total, *retries_total, *duration, *progress;

static void declare(void)
{
    if (fenced_total != NULL) {
        return;
    }
    fenced_total = sync_metric_new(SYNC_COUNTER, "fenced_total",
                                   "Partitions that another claimer took.", "consumer");
    in_doubt_total = sync_metric_new(SYNC_COUNTER, "in_doubt_total",
                                     "Commits without a clear answer, by what was found.",
                                     "consumer,resolution");
    retries_total = sync_metric_new(SYNC_COUNTER, "retries_total",
                                    "Transactions that were repeated.", "consumer,dependency");
    duration = sync_metric_new(SYNC_HISTOGRAM, "processing_duration_seconds",
                               "Duration of a stage of one batch.", "consumer,stage");
    progress = sync_metric_new(SYNC_GAUGE, "last_progress_timestamp_seconds",
                               "When a batch was last committed.", "consumer");
}

/* Building ------------------------------------------------------------------------------------ */

/* A batch is of one place. */
static int32_t place_of_batch(const struct consumer *c)
{
    return ((const struct consumer_record *)c->apply.items[0])->place;
}

void consumer_begin_batch(struct consumer *c, int32_t place)
{
    struct consumer_apply *a = &c->apply;
    struct sync_place at = consumer_place(c, place);
    sync_arena_reset(&a->arena, 0);
    a->batch = (struct sync_batch){
        .processor = a->applier.processor,
        .route = a->applier.route,
        .scope = c->scope,
        .topic = at.topic,
        .partition = at.partition,
        .arena = &a->arena,
        .release_max = a->release_max,
    };
}

bool consumer_release_less(struct consumer *c, const struct sync_error *err)
{
    size_t released = c->apply.batch.released_count;
    if (err->code != SYNC_CODE_TIMEOUT || released < 2) {
        return false;
    }
    c->apply.release_max = released / 2;
    return true;
}

void consumer_release_done(struct consumer *c)
{
    size_t released = c->apply.batch.released_count;
    if (released > 0 && released < c->apply.release_max) {
        c->apply.release_max = 0;
    }
}

static bool build_batch(struct consumer *c)
{
    struct consumer_apply *a = &c->apply;
    const struct consumer_record *first = a->items[0];
    const struct consumer_partition *p = &a->places[first->place];
    consumer_begin_batch(c, first->place);
    a->batch.record_count = a->item_count;
    a->batch.records = sync_arena_take_array(&a->arena, a->item_count, sizeof *a->batch.records);
    if (a->batch.records == NULL) {
        return false;
    }
    for (size_t i = 0; i < a->item_count; i++) {
        const struct consumer_record *item = a->items[i];
        struct sync_record *record = &a->batch.records[i];
        record->offset = item->offset;
        record->timestamp_ms = item->timestamp_ms;
        record->key = consumer_record_key(item);
        record->value = consumer_record_value(item);
        if (item->offset == p->refused_offset) {
            record->error = p->refused; /* the intake parks it */
        }
    }
    return true;
}

/* Test hook: with --dev, a file named by this variable stops the process once, behind the gate. */
static void stop_behind_gate(struct consumer *c)
{
    const char *path = getenv("SYNC_TEST_STOP_AFTER_GATE");
    if (c->config->dev && !c->apply.stop_hook_done && path != NULL && access(path, F_OK) == 0) {
        c->apply.stop_hook_done = true;
        (void)raise(SIGSTOP);
    }
}

/* Attempt ------------------------------------------------------------------------------------- */

/* The gate let nobody through: whose partition is it, and where does it stand? */
static enum attempt meet_gate(struct consumer *c, int32_t place)
{
    struct consumer_partition *p = &c->apply.places[place];
    struct sync_place at = consumer_place(c, place);
    struct sync_owner owner = {0};
    struct sync_error err = {0};
    sync_status status = sync_owner_read(c->apply.db, &at, &owner, &err);
    if (!sync_is_ok(status)) {
        consumer_trouble(c, &err, sync_clock_monotonic_us());
        return ATTEMPT_LATER;
    }
    if (owner.epoch != p->epoch) {
        consumer_fence(c, place, p->epoch, sync_clock_monotonic_us());
        return ATTEMPT_DROPPED;
    }
    if (owner.position > p->position) {
        p->position = owner.position; /* SEEN: what lies below is dropped when it is picked */
        return ATTEMPT_AGAIN;
    }
    p->position = owner.position; /* GAP: picking the next record finds the hole and stops */
    return ATTEMPT_AGAIN;
}

static void observe(const struct consumer *c, const char *stage, int64_t from_us)
{
    sync_metric_observe(duration, (double)(sync_clock_monotonic_us() - from_us) / 1e6,
                        SYNC_LABELS(c->scope, stage));
}

/* Gate and apply, inside the open transaction. ret_passed false: the gate refused. */
static sync_status apply_inside(struct consumer *c, bool *ret_passed, size_t *ret_lane_effects,
                                struct sync_error *err)
{
    struct consumer_apply *a = &c->apply;
    const struct consumer_record *last = a->items[a->item_count - 1];
    const struct consumer_partition *p = &a->places[last->place];
    struct sync_place at = consumer_place(c, last->place);
    struct sync_gate gate = {
        .epoch = p->epoch,
        .first = a->batch.records[0].offset,
        .last = last->offset,
        .tail = consumer_record_digest(last),
        .sparse = c->sparse[sync_kafka_place_topic(last->place)],
    };
    sync_status status = sync_gate_pass(a->db, &at, &gate, ret_passed, err);
    if (!sync_is_ok(status) || !*ret_passed) {
        return status;
    }
    int64_t from_us = sync_clock_monotonic_us();
    status = sync_apply_batch(&a->applier, &a->batch, NULL, 0, ret_lane_effects, err);
    observe(c, "decide", from_us);
    return status;
}

static bool is_shrinkable(const struct consumer *c, const struct sync_error *err)
{
    return c->apply.item_count > 1 &&
           (err->class == SYNC_CLASS_PARK || err->code == SYNC_CODE_MEMORY_LIMIT ||
            err->code == SYNC_CODE_TIMEOUT || err->code == SYNC_CODE_DB_CONFLICT ||
            err->code == SYNC_CODE_DB_ROW_GONE);
}

/* One record alone is refused: it is parked next. If parking is refused as well, it is not the
 * record. */
static enum attempt refuse(struct consumer *c, struct consumer_partition *p, int64_t offset,
                           const struct sync_error *err)
{
    if (p->refused_offset != offset) {
        p->refused_offset = offset;
        p->refused = *err;
        p->refused.class = SYNC_CLASS_PARK;
        sync_log_error(SYNC_WARN, "a record is refused even alone: it is parked", err);
        return ATTEMPT_AGAIN;
    }
    struct sync_error again = *err;
    again.class = SYNC_CLASS_RETRY;
    consumer_trouble(c, &again, sync_clock_monotonic_us());
    return ATTEMPT_LATER;
}

/*
 * A row of Altinn 3 was deleted under us (23503). Whoever deleted it has committed, so it is
 * decided anew at once: what misses the row is held or stale by rule. A record that meets it alone
 * again and again refers to what will never be there: it is parked, and its neighbours go on.
 */
static enum attempt meet_row_gone(struct consumer *c, struct consumer_partition *p, int64_t offset,
                                  const struct sync_error *err)
{
    if (c->apply.item_count > 1 || ++p->gone_tries < SYNC_ROW_GONE_TRIES_MAX) {
        return ATTEMPT_AGAIN;
    }
    p->gone_tries = 0;
    return refuse(c, p, offset, err);
}

/* A row of a day whose partition is missing is refused like bad data, but no constraint is named.
 */
static bool is_day_missing(const struct consumer *c, const struct sync_error *err)
{
    return err->code == SYNC_CODE_DATA_REFUSED &&
           strcmp(sync_db_sqlstate(c->apply.db), "23514") == 0 &&
           sync_db_constraint(c->apply.db)[0] == '\0';
}

/* A rolled back batch: by class, and smaller where size may be what hurt. */
static enum attempt meet_failure(struct consumer *c, const struct sync_error *err)
{
    struct consumer_apply *a = &c->apply;
    const struct consumer_record *first = a->items[0];
    struct consumer_partition *p = &a->places[first->place];
    sync_metric_add(retries_total, 1, SYNC_LABELS(c->scope, "database"));
    if (is_day_missing(c, err)) {
        struct sync_error again = *err;
        again.class = SYNC_CLASS_RETRY;
        a->housekeeping_at_us = 0; /* makes it */
        consumer_trouble(c, &again, sync_clock_monotonic_us());
        return ATTEMPT_LATER;
    }
    bool shrunk = is_shrinkable(c, err);
    if (shrunk) {
        p->records_max = a->item_count / 2;
    }
    if (err->class == SYNC_CLASS_PARK || err->code == SYNC_CODE_MEMORY_LIMIT) {
        return shrunk ? ATTEMPT_AGAIN : refuse(c, p, first->offset, err);
    }
    if (err->code == SYNC_CODE_DB_ROW_GONE) {
        return meet_row_gone(c, p, first->offset, err);
    }
    if (a->item_count == 1 && consumer_release_less(c, err)) {
        return ATTEMPT_AGAIN;
    }
    consumer_trouble(c, err, sync_clock_monotonic_us());
    return ATTEMPT_LATER;
}

static enum attempt attempt(struct consumer *c)
{
    static const struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_ALTINN3_MS,
                                                  .statement_timeout_ms = SYNC_DB_STATEMENT_MS};
    struct consumer_apply *a = &c->apply;
    struct sync_error err = {0};
    size_t lane_effects = 0;
    bool passed = false;
    int32_t place = place_of_batch(c);
    int64_t from_us = sync_clock_monotonic_us();
    sync_apply_intake(&a->applier, &a->batch);
    observe(c, "decode", from_us);
    a->batch_at_us = sync_clock_monotonic_us();
    sync_status status = sync_txn_begin(a->db, &limits, &a->batch.now_us, &err);
    if (!sync_is_ok(status)) {
        return meet_failure(c, &err);
    }
    status = apply_inside(c, &passed, &lane_effects, &err);
    if (!sync_is_ok(status) || !passed) {
        sync_txn_rollback(a->db);
        return sync_is_ok(status) ? meet_gate(c, place) : meet_failure(c, &err);
    }
    stop_behind_gate(c);
    from_us = sync_clock_monotonic_us();
    status = sync_txn_commit(a->db, &err);
    observe(c, "commit", from_us);
    a->doubt.lane_effects = lane_effects;
    if (err.class != SYNC_CLASS_OK && err.code == SYNC_CODE_IN_DOUBT) {
        sync_log_error(SYNC_WARN, "commit in doubt", &err);
        a->doubt.open = true;
        a->doubt.place = place;
        a->doubt.generation = a->generation;
        a->doubt.epoch = a->places[place].epoch;
        a->doubt.last = a->batch.records[a->batch.record_count - 1].offset;
        a->retry_at_us = 0;
        return ATTEMPT_DOUBT;
    }
    return sync_is_ok(status) ? ATTEMPT_DONE : meet_failure(c, &err);
}

/* After a commit ------------------------------------------------------------------------------ */

/* More than half of the last records parked: a wrong schema, not poison. Another start clears it.
 */
static void watch_parked(struct consumer *c, struct consumer_partition *p, int32_t place)
{
    const struct sync_batch *batch = &c->apply.batch;
    for (size_t i = 0; i < batch->record_count; i++) {
        const struct sync_fold *fold = &batch->records[i].fold;
        bool parked = fold->outcome == SYNC_OUTCOME_PARKED && fold->code != SYNC_CODE_HELD_TOO_MANY;
        uint8_t *byte = &p->parked_ring[p->window_at / 8];
        uint8_t bit = (uint8_t)(1U << (p->window_at % 8));
        p->window_parked -= (*byte & bit) != 0;
        p->window_parked += parked;
        *byte = parked ? (uint8_t)(*byte | bit) : (uint8_t)(*byte & ~bit);
        p->window_at = (p->window_at + 1) % SYNC_PARK_WINDOW;
        p->window_count += p->window_count < SYNC_PARK_WINDOW;
    }
    if (p->window_count == SYNC_PARK_WINDOW && p->window_parked > SYNC_PARK_WINDOW / 2) {
        struct sync_error err = {0};
        (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_SCHEMA_MISMATCH,
                        "apply %s:%d: %zu of the last %d records were parked; \"altinn-sync parked "
                        "list\" says why, a restart goes on",
                        c->apply.batch.topic, c->apply.batch.partition, p->window_parked,
                        SYNC_PARK_WINDOW);
        consumer_stop_partition(c, place, &err);
    }
}

/* Committed. The partition may have been lost meanwhile; its records count all the same. */
static void on_done(struct consumer *c, bool still_ours)
{
    struct consumer_apply *a = &c->apply;
    struct consumer_partition *p = &a->places[place_of_batch(c)];
    a->retry_delay_ms = SYNC_BACKOFF_FIRST_MS;
    consumer_release_done(c);
    sync_apply_count(&a->applier, &a->batch);
    sync_metric_set(progress, (double)sync_clock_wall_us() / 1e6, SYNC_LABELS(c->scope));
    consumer_tell_senders(c, a->doubt.lane_effects);
    if (still_ours) {
        size_t most = (size_t)c->config->batch_records_max;
        p->position = a->batch.records[a->batch.record_count - 1].offset + 1;
        p->refused_offset = -1;
        p->gone_tries = 0;
        p->records_max = p->records_max * 2 < most ? p->records_max * 2 : most;
        watch_parked(c, p, place_of_batch(c));
    }
    consumer_give_back(c, true);
}

bool consumer_next_batch(struct consumer *c, int64_t now_us)
{
    struct consumer_apply *a = &c->apply;
    declare();
    if (a->breaker.open || a->doubt.open || a->paused || now_us < a->retry_at_us ||
        consumer_yields(c, now_us)) {
        return false;
    }
    if (!consumer_pick(c)) {
        return false;
    }
    bool built = build_batch(c);
    SYNC_ASSERT(built); /* the arena is far larger */
    enum attempt ended = attempt(c);
    consumer_yield_batch(c, sync_clock_monotonic_us() - a->batch_at_us, ended == ATTEMPT_DONE);
    switch (ended) {
    case ATTEMPT_DONE:
        on_done(c, true);
        return true;
    case ATTEMPT_AGAIN:
    case ATTEMPT_DROPPED:
        consumer_give_back(c, false);
        return true;
    case ATTEMPT_LATER:
        consumer_give_back(c, false);
        return false;
    case ATTEMPT_DOUBT:
        return false;
    }
    return false;
}

/* In doubt ------------------------------------------------------------------------------------ */

void consumer_settle_doubt(struct consumer *c, int64_t now_us)
{
    struct consumer_apply *a = &c->apply;
    if (!a->doubt.open || a->breaker.open || now_us < a->retry_at_us) {
        return;
    }
    struct sync_place at = consumer_place(c, a->doubt.place);
    struct sync_owner owner = {0};
    struct sync_error err = {0};
    sync_status status = sync_owner_settle(a->db, &at, &owner, &err);
    if (!sync_is_ok(status)) {
        consumer_trouble(c, &err, sync_clock_monotonic_us());
        return; /* the old backend may still wait: asked again */
    }
    a->doubt.open = false;
    if (owner.position == a->doubt.last + 1 && owner.epoch == a->doubt.epoch) {
        sync_metric_add(in_doubt_total, 1, SYNC_LABELS(c->scope, "done"));
        on_done(c, a->doubt.generation == a->generation);
        return;
    }
    bool fenced = owner.epoch != a->doubt.epoch;
    sync_metric_add(in_doubt_total, 1, SYNC_LABELS(c->scope, fenced ? "fenced" : "not_done"));
    if (fenced) {
        consumer_fence(c, a->doubt.place, a->doubt.epoch, sync_clock_monotonic_us());
    } else if (a->doubt.generation == a->generation && a->item_count > 1) {
        /* Perhaps the time for COMMIT was too short behind so many. */
        a->places[a->doubt.place].records_max = a->item_count / 2;
    }
    consumer_give_back(c, false);
}

/* Fences -------------------------------------------------------------------------------------- */

void consumer_fence(struct consumer *c, int32_t place, int64_t epoch, int64_t now_us)
{
    struct consumer_partition *p = &c->apply.places[place];
    struct sync_place at = consumer_place(c, place);
    declare();
    sync_log(SYNC_WARN, "fenced", SYNC_LOG_TEXT("topic", at.topic),
             SYNC_LOG_NUMBER("partition", at.partition), SYNC_LOG_NUMBER("epoch", epoch));
    sync_metric_add(fenced_total, 1, SYNC_LABELS(c->scope));
    if (p->state != PARTITION_OWNED || p->epoch != epoch) {
        return; /* lost already by the group, perhaps assigned anew */
    }
    p->state = PARTITION_FENCED;
    if (c->apply.fenced_at_us == 0) {
        c->apply.fenced_at_us = now_us;
    }
    consumer_disown_lanes(c, place);
    struct consumer_command command = {COMMAND_DROP, c->apply.generation, place, 0};
    consumer_command(c, &command, sizeof command);
}
