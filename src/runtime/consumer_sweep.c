/*
 * What the apply thread does by the clock: adoption, ageing, housekeeping, hints, gauges. Each
 * under the epoch of its partition. Not here: the statements (housekeeping.c, the entity's store).
 */
#include "clock.h"
#include "consumer_parts.h"
#include "health.h"
#include "log.h"
#include "metrics.h"

#include <stdio.h>

static const struct sync_txn_limits altinn3_limits = {.lock_timeout_ms = SYNC_DB_LOCK_ALTINN3_MS,
                                                      .statement_timeout_ms = SYNC_DB_STATEMENT_MS};

/* Which of my partitions hold anything: most sweeps find none and cost one statement. */
static const struct sync_statement holding_partitions = {
    "sweep_holding", "SELECT partition FROM sync.outcome_count WHERE scope = $1 AND topic = $2"
                     " AND partition = ANY ($3) AND outcome = 4 AND n > 0 ORDER BY partition"};

static size_t owned(const struct consumer *c, int32_t *ret_partitions)
{
    size_t count = 0;
    for (int32_t i = 0; i < CONSUMER_PARTITIONS_MAX; i++) {
        if (c->apply.partitions[i].state == PARTITION_OWNED) {
            ret_partitions[count++] = i;
        }
    }
    return count;
}

/* Sweep --------------------------------------------------------------------------------------- */

static void begin_batch(struct consumer *c, int32_t partition)
{
    struct consumer_apply *a = &c->apply;
    sync_arena_reset(&a->arena, 0);
    a->batch = (struct sync_batch){
        .processor = a->applier.processor,
        .route = a->applier.route,
        .scope = c->scope,
        .topic = c->topic,
        .partition = partition,
        .arena = &a->arena,
    };
}

/* Inside the open transaction, behind the gate. ret_more: the limit was reached, so again at once.
 */
static sync_status adopt_and_age(struct consumer *c, int32_t partition, size_t adopt_max,
                                 size_t *ret_lane_effects, bool *ret_more, struct sync_error *err)
{
    struct consumer_apply *a = &c->apply;
    struct sync_place place = consumer_place(c, partition);
    struct sync_key *keys = NULL;
    size_t count = 0;
    size_t aged = 0;
    sync_status status =
        a->applier.store->adoptable(a->db, &place, adopt_max, &a->arena, &keys, &count, err);
    if (sync_is_ok(status) && count > 0) {
        status = sync_apply_batch(&a->applier, &a->batch, keys, count, ret_lane_effects, err);
    }
    if (sync_is_ok(status)) {
        status = sync_housekeeping_age(&a->housekeeping, &place, a->batch.now_us, &aged, err);
    }
    *ret_more = count == adopt_max || aged == SYNC_HOUSEKEEPING_ROWS_MAX;
    return status;
}

/* One transaction of the sweep. Returns how many ids the next try may adopt, 0 = done. */
static size_t sweep_once(struct consumer *c, int32_t partition, size_t adopt_max)
{
    struct consumer_apply *a = &c->apply;
    struct consumer_partition *p = &a->partitions[partition];
    struct sync_place place = consumer_place(c, partition);
    struct sync_error err = {0};
    size_t lane_effects = 0;
    bool mine = false;
    bool more = false;
    begin_batch(c, partition);
    sync_status status = sync_txn_begin(a->db, &altinn3_limits, &a->batch.now_us, &err);
    if (sync_is_ok(status)) {
        status = sync_gate_share(a->db, &place, p->epoch, &mine, &err);
        if (sync_is_ok(status) && mine) {
            status = adopt_and_age(c, partition, adopt_max, &lane_effects, &more, &err);
        }
        if (sync_is_ok(status) && mine) {
            status = sync_txn_commit(a->db, &err); /* in doubt: the next sweep finds what is left */
        } else {
            sync_txn_rollback(a->db);
        }
    }
    if (!sync_is_ok(status)) {
        bool shrinks = err.class != SYNC_CLASS_FATAL && err.code != SYNC_CODE_DB_UNREACHABLE &&
                       err.code != SYNC_CODE_IN_DOUBT && adopt_max > 1;
        if (!shrinks) {
            consumer_trouble(c, &err, sync_clock_monotonic_us());
        }
        return shrinks ? adopt_max / 2 : 0;
    }
    if (!mine) {
        consumer_fence(c, partition, p->epoch, sync_clock_monotonic_us());
        return 0;
    }
    sync_apply_count(&a->applier, &a->batch);
    if (c->sender != NULL && lane_effects > 0) {
        sync_sender_wake(c->sender);
    }
    return more ? adopt_max : 0;
}

static sync_status find_holding(struct consumer *c, int32_t *ret_partitions, size_t *ret_count,
                                struct sync_error *err)
{
    struct consumer_apply *a = &c->apply;
    int32_t mine[CONSUMER_PARTITIONS_MAX];
    size_t count = owned(c, mine);
    *ret_count = 0;
    if (count == 0) {
        return SYNC_OK;
    }
    sync_arena_reset(&a->arena, 0);
    struct sync_params params;
    sync_params_init(&params, &a->arena);
    sync_params_text(&params, c->scope);
    sync_params_text(&params, c->topic);
    sync_params_int4_array(&params, mine, NULL, count);
    SYNC_RESULT rows = {0};
    sync_status status = sync_db_exec(a->db, &holding_partitions, &params, &rows, err);
    for (int i = 0; sync_is_ok(status) && i < rows.rows; i++) {
        ret_partitions[(*ret_count)++] = sync_result_int4(&rows, i, 0);
    }
    return status;
}

static void sweep(struct consumer *c)
{
    int32_t partitions[CONSUMER_PARTITIONS_MAX];
    size_t count = 0;
    struct sync_error err = {0};
    if (!sync_is_ok(find_holding(c, partitions, &count, &err))) {
        consumer_trouble(c, &err, sync_clock_monotonic_us());
        return;
    }
    for (size_t i = 0; i < count; i++) {
        size_t adopt_max = SYNC_ADOPTION_IDS_MAX;
        while (adopt_max > 0 && !c->apply.breaker.open && !atomic_load(&c->stopping) &&
               c->apply.partitions[partitions[i]].state == PARTITION_OWNED) {
            adopt_max = sweep_once(c, partitions[i], adopt_max);
            sync_health_beat(SYNC_LOOP_APPLY);
        }
    }
}

/* Housekeeping -------------------------------------------------------------------------------- */

static sync_status clean(struct consumer *c, int32_t partition, bool *ret_mine,
                         struct sync_error *err)
{
    static const struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_CLAIM_MS,
                                                  .statement_timeout_ms = SYNC_DB_STATEMENT_MS};
    struct consumer_apply *a = &c->apply;
    struct sync_place place = consumer_place(c, partition);
    int64_t now_us = 0;
    sync_status status = sync_txn_begin(a->db, &limits, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = sync_gate_share(a->db, &place, a->partitions[partition].epoch, ret_mine, err);
    if (sync_is_ok(status) && *ret_mine) {
        status = sync_housekeeping_delete(&a->housekeeping, &place, now_us, err);
    }
    if (!sync_is_ok(status) || !*ret_mine) {
        sync_txn_rollback(a->db);
        return status;
    }
    return sync_txn_commit(a->db, err);
}

static void housekeep(struct consumer *c)
{
    struct consumer_apply *a = &c->apply;
    int32_t partitions[CONSUMER_PARTITIONS_MAX];
    size_t count = owned(c, partitions);
    struct sync_error err = {0};
    sync_arena_reset(&a->arena, 0);
    sync_status status = sync_housekeeping_days(&a->housekeeping, &err);
    for (size_t i = 0; sync_is_ok(status) && i < count; i++) {
        bool mine = true;
        status = clean(c, partitions[i], &mine, &err);
        if (sync_is_ok(status) && !mine) {
            consumer_fence(c, partitions[i], a->partitions[partitions[i]].epoch,
                           sync_clock_monotonic_us());
        }
        sync_health_beat(SYNC_LOOP_APPLY);
    }
    if (sync_is_ok(status) && count > 0) {
        status = sync_housekeeping_measure(&a->housekeeping, c->scope, c->topic, partitions, count,
                                           &err);
    }
    if (!sync_is_ok(status)) {
        consumer_trouble(c, &err, sync_clock_monotonic_us());
    }
}

void consumer_sweep(struct consumer *c, int64_t now_us)
{
    struct consumer_apply *a = &c->apply;
    if (a->breaker.open || a->doubt.open || now_us < a->retry_at_us) {
        return;
    }
    if (now_us >= a->housekeeping_at_us) {
        a->housekeeping_at_us = now_us + c->config->housekeeping_interval_ms * 1000;
        housekeep(c);
    }
    if (now_us >= a->sweep_at_us && !a->breaker.open) {
        a->sweep_at_us = now_us + c->config->adoption_interval_ms * 1000;
        sweep(c);
    }
}

/* Hints --------------------------------------------------------------------------------------- */

void consumer_hints(struct consumer *c, int64_t now_us, bool last)
{
    struct consumer_apply *a = &c->apply;
    if (!last && now_us < a->hint_at_us) {
        return;
    }
    a->hint_at_us = now_us + (int64_t)SYNC_HINT_INTERVAL_MS * 1000;
    for (int32_t i = 0; i < CONSUMER_PARTITIONS_MAX; i++) {
        struct consumer_partition *p = &a->partitions[i];
        if (p->state == PARTITION_OWNED && p->hinted != p->position) {
            struct consumer_command command = {COMMAND_HINT, a->generation, i, p->position};
            consumer_command(c, &command, sizeof command);
            p->hinted = p->position;
        }
    }
}

/* Gauges -------------------------------------------------------------------------------------- */

static struct sync_metric *lag, *oldest, *stopped, *breaker_state;

static void declare(void)
{
    if (lag != NULL) {
        return;
    }
    lag = sync_metric_new(SYNC_GAUGE, "consumer_lag_messages", "Records not applied yet.",
                          "consumer,direction,topic,partition");
    oldest = sync_metric_new(SYNC_GAUGE, "oldest_unapplied_age_seconds",
                             "Age of the oldest record that is here and not applied yet.",
                             "consumer,direction");
    stopped = sync_metric_new(SYNC_GAUGE, "stopped_partitions",
                              "Partitions that wait for an operator.", "consumer");
    breaker_state = sync_metric_new(SYNC_GAUGE, "breaker_state",
                                    "1 while the dependency is waited for.", "consumer,dependency");
}

static const char *direction_of(const struct consumer *c)
{
    return c->options->route->to == SYNC_SYSTEM_ALTINN2 ? "to_altinn2" : "to_altinn3";
}

/* A partition that went to another process lags there: here its last value would stand for ever. */
static void show_lag(const struct consumer *c, int32_t partition, bool ours, int64_t behind)
{
    static bool shown[CONSUMER_PARTITIONS_MAX];
    char number[16];
    if (!ours && !shown[partition]) {
        return;
    }
    shown[partition] = ours;
    (void)snprintf(number, sizeof number, "%d", partition);
    sync_metric_set(lag, ours ? (double)behind : 0,
                    SYNC_LABELS(c->scope, direction_of(c), c->topic, number));
}

/* Lag of each partition; since when one lags with nothing in the ring. */
static double idle_age_s(struct consumer *c, bool ring_empty, int64_t now_us)
{
    int64_t oldest_us = 0;
    for (int32_t i = 0; i < CONSUMER_PARTITIONS_MAX; i++) {
        struct consumer_partition *p = &c->apply.partitions[i];
        bool ours = p->state == PARTITION_OWNED || p->state == PARTITION_STOPPED;
        int64_t behind = ours && p->high > p->position ? p->high - p->position : 0;
        show_lag(c, i, ours, behind);
        if (!ours) {
            continue;
        }
        if (behind == 0 || !ring_empty) {
            p->idle_since_us = 0;
        } else if (p->idle_since_us == 0) {
            p->idle_since_us = now_us;
        }
        if (p->idle_since_us != 0 && now_us - p->idle_since_us > oldest_us) {
            oldest_us = now_us - p->idle_since_us;
        }
    }
    return (double)oldest_us / 1e6;
}

static int count_stopped(const struct consumer *c)
{
    int count = 0;
    for (int32_t i = 0; i < CONSUMER_PARTITIONS_MAX; i++) {
        count += c->apply.partitions[i].state == PARTITION_STOPPED;
    }
    return count;
}

void consumer_gauges(struct consumer *c, int64_t now_us)
{
    struct consumer_apply *a = &c->apply;
    size_t size = 0;
    if (now_us < a->gauge_at_us) {
        return;
    }
    declare();
    a->gauge_at_us = now_us + 1000000;
    const struct consumer_record *record =
        a->item_count > 0 ? a->items[0] : sync_ring_next(c->records, NULL, &size);
    double age_s = idle_age_s(c, record == NULL, now_us);
    if (record != NULL) {
        double waiting_s = (double)(sync_clock_wall_us() / 1000 - record->timestamp_ms) / 1e3;
        age_s = waiting_s > age_s ? waiting_s : age_s;
    }
    int stopped_count = count_stopped(c);
    sync_metric_set(oldest, age_s, SYNC_LABELS(c->scope, direction_of(c)));
    sync_metric_set(stopped, stopped_count, SYNC_LABELS(c->scope));
    sync_metric_set(breaker_state, a->breaker.open ? 1 : 0, SYNC_LABELS(c->scope, "database"));
    sync_health_oldest_age(age_s, SYNC_FRESHNESS_S);
    sync_health_stopped_partitions(stopped_count);
}
