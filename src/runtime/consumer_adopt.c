/*
 * Adoption and ageing: for ids that records wait for and that Altinn 3 has by now, what waits is
 * released; what was held too long is parked. One id at fault keeps no other waiting, and where
 * there is much to do batches come in between. Not here: the statements (the entity's store,
 * housekeeping.c), when it runs (consumer_sweep.c).
 */
#include "clock.h"
#include "consumer_parts.h"
#include "health.h"
#include "log.h"

#define BUDGET_US 250000 /* of one call, before batches get their turn */

static const struct sync_txn_limits altinn3_limits = {.lock_timeout_ms = SYNC_DB_LOCK_ALTINN3_MS,
                                                      .statement_timeout_ms = SYNC_DB_STATEMENT_MS};

/* Where anything waits, held or parked; most sweeps find nothing and cost this statement. */
static const struct sync_statement waiting_partitions = {
    "sweep_waiting", "SELECT w.place, bool_or(c.outcome = 4)"
                     " FROM unnest($2::text[], $3::int[], $4::int[]) AS w (topic, partition, place)"
                     " JOIN sync.outcome_count AS c ON c.scope = $1 AND c.topic = w.topic"
                     " AND c.partition = w.partition AND c.outcome IN (4, 5) AND c.n > 0"
                     " GROUP BY w.place ORDER BY w.place"};

enum step {
    STEP_MORE,
    STEP_DONE, /* nothing more in this partition */
    STEP_STOP, /* the database is in trouble, or the partition is not ours */
};

/* Transactions -------------------------------------------------------------------------------- */

/* Begins one behind the gate; ret_mine false: another owns the partition, and none is open. */
static sync_status begin(struct consumer *c, int32_t place, bool *ret_mine, struct sync_error *err)
{
    struct consumer_apply *a = &c->apply;
    struct sync_place at = consumer_place(c, place);
    bool mine = false;
    sync_status status = sync_txn_begin(a->db, &altinn3_limits, &a->batch.now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = sync_gate_share(a->db, &at, a->places[place].epoch, &mine, err);
    if (!sync_is_ok(status) || !mine) {
        sync_txn_rollback(a->db);
    }
    *ret_mine = mine;
    return status;
}

/* Commits what went well. In doubt: the next sweep finds what is left. */
static sync_status end(struct consumer *c, sync_status status, struct sync_error *err)
{
    if (sync_is_ok(status)) {
        return sync_txn_commit(c->apply.db, err);
    }
    sync_txn_rollback(c->apply.db);
    return status;
}

static enum step meet_fence(struct consumer *c, int32_t place)
{
    consumer_fence(c, place, c->apply.places[place].epoch, sync_clock_monotonic_us());
    return STEP_STOP;
}

/* What no smaller and no other transaction can mend. */
static bool is_trouble(const struct sync_error *err)
{
    return err->class == SYNC_CLASS_FATAL || err->code == SYNC_CODE_DB_UNREACHABLE ||
           err->code == SYNC_CODE_IN_DOUBT;
}

static enum step meet_trouble(struct consumer *c, const struct sync_error *err)
{
    consumer_trouble(c, err, sync_clock_monotonic_us());
    return STEP_STOP;
}

/* Adoption ------------------------------------------------------------------------------------ */

/* Fewer ids; and one that fails alone is left to the next sweep. */
static enum step meet_failure(struct consumer *c, const struct sync_key *keys, size_t count,
                              const struct sync_error *err)
{
    struct consumer_sweep_place *at = &c->apply.sweep;
    if (is_trouble(err)) {
        return meet_trouble(c, err);
    }
    if (count > 1) {
        at->ids_max = count / 2;
        return STEP_MORE;
    }
    if (consumer_release_less(c, err)) {
        return STEP_MORE;
    }
    bool everyday = err->code == SYNC_CODE_DB_CONFLICT || err->code == SYNC_CODE_TIMEOUT ||
                    err->code == SYNC_CODE_DB_ROW_GONE;
    sync_log_error(everyday ? SYNC_DEBUG : SYNC_WARN, "adoption put off", err);
    at->after = keys[0];
    at->ids_max = SYNC_ADOPTION_IDS_MAX;
    return STEP_MORE;
}

/* What left hold or park for good; what waits for another id as well is held again. */
static size_t count_left(const struct sync_batch *batch)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->released_count; i++) {
        count += batch->released[i].fold.outcome != SYNC_OUTCOME_HELD;
    }
    return count;
}

/* Ids for which nothing is left to do are passed; of the others more may have been left behind. */
static enum step meet_success(struct consumer *c, const struct sync_key *keys, size_t count,
                              size_t lane_effects)
{
    struct consumer_apply *a = &c->apply;
    struct consumer_sweep_place *at = &a->sweep;
    sync_apply_count(&a->applier, &a->batch);
    consumer_tell_senders(c, lane_effects);
    consumer_release_done(c);
    bool released = count_left(&a->batch) > 0;
    at->fruitful = at->fruitful || released;
    if (!released) {
        at->after = keys[count - 1];
    }
    at->ids_max *= at->ids_max < SYNC_ADOPTION_IDS_MAX ? 2 : 1;
    return STEP_MORE;
}

static enum step adopt(struct consumer *c, int32_t place)
{
    struct consumer_apply *a = &c->apply;
    struct sync_place at = consumer_place(c, place);
    struct sync_adoptable found = {.count = 0};
    struct sync_error err = {0};
    size_t lane_effects = 0;
    bool mine = false;
    consumer_begin_batch(c, place);
    sync_status status = sync_apply_adoptable(&a->applier, &at, &a->sweep.after, a->sweep.ids_max,
                                              &a->arena, &found, &err);
    if (!sync_is_ok(status)) {
        return meet_trouble(c, &err);
    }
    if (found.count == 0) {
        a->sweep.after = found.last;
        return found.last.size == 0 ? STEP_DONE : STEP_MORE;
    }
    status = begin(c, place, &mine, &err);
    if (sync_is_ok(status) && !mine) {
        return meet_fence(c, place);
    }
    if (sync_is_ok(status)) {
        status =
            sync_apply_batch(&a->applier, &a->batch, found.keys, found.count, &lane_effects, &err);
        status = end(c, status, &err);
    }
    return sync_is_ok(status) ? meet_success(c, found.keys, found.count, lane_effects)
                              : meet_failure(c, found.keys, found.count, &err);
}

/* Ageing -------------------------------------------------------------------------------------- */

/* In a transaction of its own: the counts are what a transaction locks last. */
static enum step age(struct consumer *c, int32_t place)
{
    struct consumer_apply *a = &c->apply;
    struct sync_place at = consumer_place(c, place);
    struct sync_error err = {0};
    size_t aged = 0;
    bool mine = false;
    consumer_begin_batch(c, place);
    sync_status status = begin(c, place, &mine, &err);
    if (sync_is_ok(status) && !mine) {
        return meet_fence(c, place);
    }
    if (sync_is_ok(status)) {
        status = sync_housekeeping_age(&a->housekeeping, &at, a->batch.now_us, &aged, &err);
        status = end(c, status, &err);
    }
    if (!sync_is_ok(status)) {
        return meet_trouble(c, &err);
    }
    return aged == SYNC_HOUSEKEEPING_ROWS_MAX ? STEP_MORE : STEP_DONE;
}

/* The store's own work ------------------------------------------------------------------------ */

/* One chunk, when any is due. It touches no record, so it is decided for an entity without a key.
 */
static enum step work(struct consumer *c, int32_t place)
{
    static const struct sync_key nobody;
    struct consumer_apply *a = &c->apply;
    struct sync_place at = consumer_place(c, place);
    struct sync_error err = {0};
    size_t lane_effects = 0;
    bool due = false;
    bool mine = false;
    consumer_begin_batch(c, place);
    sync_status status = a->applier.store->due(a->db, &at, &a->arena, &due, &err);
    if (sync_is_ok(status) && !due) {
        return STEP_DONE;
    }
    a->batch.sweep = true;
    if (sync_is_ok(status)) {
        status = begin(c, place, &mine, &err);
    }
    if (sync_is_ok(status) && !mine) {
        return meet_fence(c, place);
    }
    if (sync_is_ok(status)) {
        status = sync_apply_batch(&a->applier, &a->batch, &nobody, 1, &lane_effects, &err);
        status = end(c, status, &err);
    }
    if (!sync_is_ok(status)) {
        return meet_trouble(c, &err);
    }
    consumer_tell_senders(c, lane_effects);
    return a->batch.more ? STEP_MORE : STEP_DONE;
}

/* Of all places that we own, from the one on where the last call was stopped. */
static enum step work_all(struct consumer *c, int64_t until_us)
{
    int32_t mine[CONSUMER_PLACES_MAX];
    size_t count = c->apply.applier.store->due != NULL ? consumer_owned(c, mine) : 0;
    enum step step = STEP_DONE;
    for (size_t i = 0; i < count && step != STEP_STOP; i++) {
        do {
            step = work(c, mine[i]);
            sync_health_beat(SYNC_LOOP_APPLY);
            if (step == STEP_MORE && sync_clock_monotonic_us() >= until_us) {
                return STEP_MORE;
            }
        } while (step == STEP_MORE && !atomic_load(&c->stopping));
    }
    return step;
}

/* The sweep ----------------------------------------------------------------------------------- */

struct waiting {
    int32_t places[CONSUMER_PLACES_MAX];
    bool held[CONSUMER_PLACES_MAX];
    size_t count;
};

static sync_status find_waiting(struct consumer *c, struct waiting *ret_waiting,
                                struct sync_error *err)
{
    struct consumer_apply *a = &c->apply;
    int32_t mine[CONSUMER_PLACES_MAX];
    size_t count = consumer_owned(c, mine);
    ret_waiting->count = 0;
    if (count == 0) {
        return SYNC_OK;
    }
    sync_arena_reset(&a->arena, 0);
    struct sync_params params;
    sync_params_init(&params, &a->arena);
    sync_params_text(&params, c->scope);
    consumer_places_params(c, mine, count, &params);
    sync_params_int4_array(&params, mine, NULL, count);
    SYNC_RESULT rows = {0};
    sync_status status = sync_db_exec(a->db, &waiting_partitions, &params, &rows, err);
    for (int i = 0; sync_is_ok(status) && i < rows.rows; i++) {
        ret_waiting->places[i] = sync_result_int4(&rows, i, 0);
        ret_waiting->held[i] = sync_result_bool(&rows, i, 1);
        ret_waiting->count++;
    }
    return status;
}

/* All of one partition, adoption before ageing: STEP_MORE when the time is used up. */
static enum step sweep_partition(struct consumer *c, int32_t place, bool held, int64_t until_us)
{
    enum step step = STEP_MORE;
    bool adopting = true;
    while (step == STEP_MORE && !atomic_load(&c->stopping)) {
        step = adopting ? adopt(c, place) : age(c, place);
        sync_health_beat(SYNC_LOOP_APPLY);
        if (adopting && held && step == STEP_DONE) {
            adopting = false;
            step = STEP_MORE;
        }
        if (step == STEP_MORE && sync_clock_monotonic_us() >= until_us) {
            return STEP_MORE;
        }
    }
    return step;
}

bool consumer_adopt(struct consumer *c)
{
    struct consumer_sweep_place *at = &c->apply.sweep;
    struct waiting waiting;
    struct sync_error err = {0};
    enum step step = STEP_DONE;
    int64_t until_us = sync_clock_monotonic_us() + BUDGET_US;
    at->fruitful = false;
    if (!sync_is_ok(find_waiting(c, &waiting, &err))) {
        step = meet_trouble(c, &err);
    }
    for (size_t i = 0; step == STEP_DONE && i < waiting.count; i++) {
        if (waiting.places[i] < at->place) {
            continue;
        }
        if (waiting.places[i] != at->place || at->ids_max == 0) {
            *at = (struct consumer_sweep_place){.place = waiting.places[i],
                                                .ids_max = SYNC_ADOPTION_IDS_MAX,
                                                .fruitful = at->fruitful};
        }
        step = sweep_partition(c, at->place, waiting.held[i], until_us);
    }
    if (step == STEP_DONE) {
        step = work_all(c, until_us);
    }
    if (step == STEP_MORE) {
        return false;
    }
    *at = (struct consumer_sweep_place){.place = 0};
    return true;
}
