/*
 * What the apply thread does by the clock: when it adopts, housekeeping, hints, gauges. Each under
 * the epoch of its partition. Not here: adoption (consumer_adopt.c), the statements
 * (housekeeping.c).
 */
#include "clock.h"
#include "consumer_parts.h"
#include "health.h"
#include "log.h"
#include "metrics.h"

#include <stdio.h>

size_t consumer_owned(const struct consumer *c, int32_t *ret_partitions)
{
    size_t count = 0;
    for (int32_t i = 0; i < c->place_end; i++) {
        if (c->apply.places[i].state == PARTITION_OWNED) {
            ret_partitions[count++] = i;
        }
    }
    return count;
}

/* Housekeeping -------------------------------------------------------------------------------- */

static sync_status clean(struct consumer *c, int32_t place, bool *ret_mine, struct sync_error *err)
{
    static const struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_CLAIM_MS,
                                                  .statement_timeout_ms = SYNC_DB_STATEMENT_MS};
    struct consumer_apply *a = &c->apply;
    struct sync_place at = consumer_place(c, place);
    int64_t now_us = 0;
    sync_status status = sync_txn_begin(a->db, &limits, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = sync_gate_share(a->db, &at, a->places[place].epoch, ret_mine, err);
    if (sync_is_ok(status) && *ret_mine) {
        status = sync_housekeeping_delete(&a->housekeeping, &at, now_us, err);
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
    int32_t places[CONSUMER_PLACES_MAX];
    size_t count = consumer_owned(c, places);
    struct sync_error err = {0};
    sync_arena_reset(&a->arena, 0);
    sync_status status = sync_housekeeping_days(&a->housekeeping, &err);
    for (size_t i = 0; sync_is_ok(status) && i < count; i++) {
        bool mine = true;
        status = clean(c, places[i], &mine, &err);
        if (sync_is_ok(status) && !mine) {
            consumer_fence(c, places[i], a->places[places[i]].epoch, sync_clock_monotonic_us());
        }
        sync_health_beat(SYNC_LOOP_APPLY);
    }
    if (sync_is_ok(status) && count > 0) {
        struct sync_place all[CONSUMER_PLACES_MAX];
        for (size_t i = 0; i < count; i++) {
            all[i] = consumer_place(c, places[i]);
        }
        status = sync_housekeeping_measure(&a->housekeeping, all, count, &err);
    }
    if (!sync_is_ok(status)) {
        consumer_trouble(c, &err, sync_clock_monotonic_us());
    }
}

/*
 * What is left goes on behind a batch. Where nothing was found it rests besides: looking through
 * millions that wait must not take the time of those that do not.
 */
static int64_t next_sweep_us(const struct consumer *c, int64_t begun_us, bool done)
{
    int64_t now_us = sync_clock_monotonic_us();
    if (done) {
        return begun_us + c->config->adoption_interval_ms * 1000;
    }
    return c->apply.sweep.fruitful ? now_us : now_us + SYNC_ADOPTION_REST * (now_us - begun_us);
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
    if (now_us >= a->sweep_at_us && !a->breaker.open && !a->paused && !consumer_yields(c, now_us)) {
        bool done = consumer_adopt(c);
        a->sweep_at_us = next_sweep_us(c, now_us, done);
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
    for (int32_t i = 0; i < c->place_end; i++) {
        struct consumer_partition *p = &a->places[i];
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
    return c->route->to == SYNC_SYSTEM_ALTINN2 ? "to_altinn2" : "to_altinn3";
}

/* A partition that went to another process lags there: here its last value would stand for ever. */
static void show_lag(const struct consumer *c, int32_t place, bool ours, int64_t behind)
{
    static bool shown[CONSUMER_PLACES_MAX];
    char number[16];
    if (!ours && !shown[place]) {
        return;
    }
    shown[place] = ours;
    struct sync_place at = consumer_place(c, place);
    (void)snprintf(number, sizeof number, "%d", at.partition);
    sync_metric_set(lag, ours ? (double)behind : 0,
                    SYNC_LABELS(c->scope, direction_of(c), at.topic, number));
}

/* Lag of each partition; since when one lags with nothing in the ring. */
static double idle_age_s(struct consumer *c, bool ring_empty, int64_t now_us)
{
    int64_t oldest_us = 0;
    for (int32_t i = 0; i < c->place_end; i++) {
        struct consumer_partition *p = &c->apply.places[i];
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
    for (int32_t i = 0; i < c->place_end; i++) {
        count += c->apply.places[i].state == PARTITION_STOPPED;
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
    /* A backlog is old by its nature, and rests on purpose: a rollout must not wait for it. */
    sync_health_oldest_age(age_s, c->route->yields_to == NULL ? SYNC_FRESHNESS_S : 0);
    sync_health_stopped_partitions(stopped_count);
}
