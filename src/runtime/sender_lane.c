/* SQL of the send thread. Not here: the entity's own rows (its lane store). */
#include "sender_lane.h"

#include "../core/limits.h"

enum outbox_state {
    OUTBOX_WAITING = 0,
    OUTBOX_SENT = 1,
    OUTBOX_DONE = 2,
    OUTBOX_SKIPPED = 3,
    OUTBOX_PARKED = 4,
    OUTBOX_CLOSED = 5
};

/*
 * Statements name the rows of sync.outbox so that only the index that was made for them fits: a
 * prepared statement keeps the plan of the day when the table was small. "OFFSET 0" makes a look-up
 * of its own for each row; "state < 2" fits no partial index and leaves the primary key; what is
 * asked by key is asked in the words of the index by key, which do not fit that of what is due.
 */
#define OPEN_BY_KEY(row) row ".state IN (0, 1, 6) AND " row ".state < 2"
#define LANE                                                                                       \
    "o.scope = $1 AND o.topic = $2 AND o.partition = p.partition"                                  \
    " AND o.target = $4"

/*
 * Ascending, so that two senders of one scope cannot lock each other out. KEY SHARE passes beside
 * the apply thread's gate, which changes no key, and waits for a claim, which locks FOR UPDATE.
 */
static const struct sync_statement gate_statement = {
    "lane_gate", "SELECT o.partition FROM sync.partition_owner AS o WHERE o.scope = $1"
                 " AND o.topic = $2 AND o.partition = ANY ($3)"
                 " ORDER BY o.partition FOR KEY SHARE OF o"};

/* In a later statement than the lock: a claim that was committed before it was granted is seen. */
static const struct sync_statement epochs_statement = {
    "lane_epochs", "SELECT partition, epoch FROM sync.partition_owner WHERE scope = $1"
                   " AND topic = $2 AND partition = ANY ($3)"};

static const struct sync_statement target_statement = {
    "lane_target", "SELECT state FROM sync.target WHERE target = $1"};

/* State of the target, the server's time, and when the next effect that waits is due. */
static const struct sync_statement state_statement = {
    "lane_state",
    "SELECT coalesce((SELECT t.state FROM sync.target AS t WHERE t.target = $4), 0::smallint),"
    " now(), (SELECT min(n.not_before) FROM unnest($3::int[]) AS p (partition) CROSS JOIN LATERAL"
    "  (SELECT o.not_before FROM sync.outbox AS o WHERE " LANE
    "    AND o.state IN (0, 1) AND o.not_before > now() ORDER BY o.not_before LIMIT 1) AS n)"};

/* Keys whose oldest unfinished effect is due: one that waits holds its key. */
static const struct sync_statement look_statement = {
    "lane_look",
    "SELECT h.partition, h.entity_key FROM unnest($3::int[]) AS p (partition) CROSS JOIN LATERAL ("
    "  SELECT o.partition, o.entity_key, o.not_before, o.seq FROM sync.outbox AS o WHERE " LANE
    "    AND o.state IN (0, 1) AND o.not_before <= now() AND o.entity_key <> ALL ($5)"
    "    AND NOT EXISTS (SELECT FROM sync.outbox AS e WHERE e.entity_key = o.entity_key"
    "     AND " OPEN_BY_KEY("e") " AND e.target = $4 AND e.seq < o.seq OFFSET 0)"
                                 "   ORDER BY o.not_before, o.seq LIMIT $6) AS h"
                                 " ORDER BY h.not_before, h.seq LIMIT $6"};

static const struct sync_statement pending_statement = {
    "lane_pending", "SELECT count(*), min(created_at) FROM sync.outbox"
                    " WHERE scope = $1 AND topic = $2 AND partition = ANY ($3) AND target = $4 AND "
                    "state IN (0, 1)"};

#define EFFECT_COLUMNS                                                                             \
    "o.effect_id, o.name, o.entity_key, o.partition, o.body, o.attempt, o.created_at"

/* The oldest unfinished effect of each key, once it is due. */
static const struct sync_statement heads_statement = {
    "lane_heads",
    "SELECT h.* FROM unnest($5::text[], $3::int[]) AS p (entity_key, partition) CROSS JOIN LATERAL"
    "  (SELECT " EFFECT_COLUMNS ", o.not_before, o.seq FROM sync.outbox AS o"
    "    WHERE o.entity_key = p.entity_key AND " OPEN_BY_KEY(
        "o") " AND " LANE "    ORDER BY o.seq LIMIT 1) AS h"
             " WHERE h.not_before <= now() ORDER BY h.seq"};

static const struct sync_statement open_statement = {
    "lane_open_effects",
    "SELECT h.* FROM unnest($3::int[]) AS p (partition) CROSS JOIN LATERAL ("
    "  SELECT " EFFECT_COLUMNS ", o.not_before, o.seq FROM sync.outbox AS o WHERE " LANE
    "    AND o.state IN (0, 1) AND o.entity_key <> ALL ($5)"
    "   ORDER BY o.not_before, o.seq LIMIT $6) AS h"
    " ORDER BY h.not_before, h.seq LIMIT $6"};

/* Only what is still as we sent it: an answer that comes after somebody else decided says nothing.
 * And whether more waits behind it. */
static const struct sync_statement ours_statement = {
    "lane_ours", "SELECT o.effect_id, EXISTS (SELECT FROM sync.outbox AS e"
                 "  WHERE e.entity_key = o.entity_key AND " OPEN_BY_KEY(
                     "e") "   AND e.effect_id <> o.effect_id OFFSET 0)"
                          " FROM unnest($1::uuid[], $2::int[]) AS d (effect_id, attempt)"
                          " CROSS JOIN LATERAL (SELECT * FROM sync.outbox AS x"
                          "  WHERE x.effect_id = d.effect_id OFFSET 0) AS o"
                          " WHERE o.attempt = d.attempt AND o.state = 1"};

/* Returned are those that were still open: what was withdrawn meanwhile is not sent. */
static const struct sync_statement mark_statement = {
    "lane_mark",
    "UPDATE sync.outbox AS o SET state = d.state, attempt = d.attempt, not_before = d.not_before,"
    "       body = coalesce(d.body, o.body), last_code = coalesce(d.code, o.last_code),"
    "       last_error = d.error, ended_at = CASE WHEN d.state > 1 THEN now() END"
    "  FROM unnest($1::uuid[], $2::smallint[], $3::int[], $4::timestamptz[], $5::bytea[], "
    "$6::int[], $7::text[])"
    "       AS d (effect_id, state, attempt, not_before, body, code, error)"
    " WHERE o.effect_id = ANY ($1) AND o.effect_id = d.effect_id AND o.state < 2"
    " RETURNING o.effect_id"};

/* A column that is always generated takes no other value than DEFAULT. */
static const struct sync_statement behind_statement = {
    "lane_behind", "UPDATE sync.outbox SET seq = DEFAULT WHERE effect_id = ANY ($1) AND state < 2"};

/* Another fact may carry the effect on: both seconds are expected. Of what is not sent, none is. */
static const struct sync_statement echo_statement = {
    "lane_echo", "INSERT INTO sync.expected_echo AS e (effect_id, entity_key, kind, second, "
                 "party_uuid, expires_at)"
                 " SELECT d.effect_id, d.entity_key, d.kind, d.second, d.party, now() + "
                 "make_interval(secs => $6)"
                 "   FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[], $5::uuid[])"
                 "        AS d (effect_id, entity_key, kind, second, party)"
                 "   CROSS JOIN LATERAL (SELECT x.state FROM sync.outbox AS x"
                 "    WHERE x.effect_id = d.effect_id OFFSET 0) AS o"
                 "  WHERE o.state = 1"
                 " ON CONFLICT (effect_id, second) DO UPDATE SET party_uuid = excluded.party_uuid,"
                 "       expires_at = greatest(e.expires_at, excluded.expires_at)"};

static const struct sync_statement set_target_statement = {
    "lane_set_target",
    "INSERT INTO sync.target AS t (target, state, reason, changed_by, changed_at)"
    " VALUES ($1, $2, $3, 'sender', now())"
    " ON CONFLICT (target) DO UPDATE SET state = excluded.state, reason = excluded.reason,"
    "       changed_by = excluded.changed_by, changed_at = excluded.changed_at"
    " WHERE t.state < excluded.state OR (t.state = 1 AND excluded.state = 0)"};

/* Shared beginnings. */

static void start_params(struct sync_lane *lane, struct sync_params *params)
{
    sync_params_init(params, lane->arena);
    sync_params_text(params, lane->scope);
    sync_params_text(params, lane->topic);
}

/* Numbers of the partitions; only the gated ones when gated is asked for. */
static size_t partition_numbers(struct sync_lane *lane,
                                const struct sync_lane_partitions *partitions, bool gated,
                                int32_t **ret_numbers)
{
    int32_t *numbers = sync_arena_take_array(lane->arena, partitions->count + 1, sizeof *numbers);
    size_t count = 0;
    for (size_t i = 0; numbers && i < partitions->count; i++) {
        const struct sync_lane_partition *p = &partitions->items[i];
        if (gated ? p->gated : !p->fenced) {
            numbers[count++] = p->partition;
        }
    }
    *ret_numbers = numbers;
    return count;
}

static struct sync_lane_partition *find_partition(const struct sync_lane_partitions *partitions,
                                                  int32_t number)
{
    for (size_t i = 0; i < partitions->count; i++) {
        if (partitions->items[i].partition == number) {
            return &partitions->items[i];
        }
    }
    return NULL;
}

static void want_partition(const struct sync_lane_partitions *partitions, int32_t number)
{
    struct sync_lane_partition *partition = find_partition(partitions, number);
    if (partition && !partition->fenced) {
        partition->gated = true;
    }
}

static bool is_gated(const struct sync_lane_partitions *partitions, int32_t number)
{
    const struct sync_lane_partition *partition = find_partition(partitions, number);
    return partition && partition->gated;
}

/* Partitions that are not fenced, or only those that the round wants. */
static void put_partitions(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                           bool wanted, struct sync_params *params)
{
    int32_t *numbers = NULL;
    size_t count = partition_numbers(lane, partitions, wanted, &numbers);
    sync_params_int4_array(params, numbers, NULL, count);
}

/* The lock takes what the round wants, the epochs are read of all. */
static void put_gate(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                     struct sync_params *gate, struct sync_params *epochs)
{
    start_params(lane, gate);
    put_partitions(lane, partitions, true, gate);
    start_params(lane, epochs);
    put_partitions(lane, partitions, false, epochs);
}

/* Gated is what is locked and has our epoch; another epoch means that it is not ours any more. */
static void read_gate(const struct sync_lane_partitions *partitions,
                      const struct sync_result *locked, const struct sync_result *epochs)
{
    for (size_t i = 0; i < partitions->count; i++) {
        struct sync_lane_partition *partition = &partitions->items[i];
        bool ours = false;
        for (int row = 0; row < epochs->rows; row++) {
            ours = ours || (sync_result_int4(epochs, row, 0) == partition->partition &&
                            sync_result_int8(epochs, row, 1) == partition->epoch);
        }
        partition->fenced = partition->fenced || !ours;
        partition->gated = false;
    }
    for (int row = 0; row < locked->rows; row++) {
        struct sync_lane_partition *partition =
            find_partition(partitions, sync_result_int4(locked, row, 0));
        SYNC_ASSERT(partition != NULL);
        partition->gated = !partition->fenced;
    }
}

#define GATE_CALLS 2 /* the lock, and the epochs behind it */
#define TRIP_CALLS 4

/* Drops what a trip gave, also what was not asked for. */
static void trip_done(struct sync_result (*results)[TRIP_CALLS])
{
    for (size_t i = 0; i < TRIP_CALLS; i++) {
        sync_result_done(&(*results)[i]);
    }
}
#define TRIP_RESULTS __attribute__((cleanup(trip_done))) struct sync_result

/* Begins a transaction: the gate and what the caller asks behind it, in one round trip. */
static sync_status pass_gate(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                             const struct sync_call *calls, size_t count,
                             struct sync_result *ret_results, int64_t *ret_now_us,
                             struct sync_error *err)
{
    struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_CLAIM_MS};
    sync_status status =
        sync_txn_begin_with(lane->db, &limits, calls, count, ret_results, ret_now_us, err);
    if (sync_is_ok(status)) {
        read_gate(partitions, &ret_results[0], &ret_results[1]);
    }
    return status;
}

static void start_round(struct sync_lane *lane, const struct sync_lane_partitions *partitions)
{
    sync_arena_reset(lane->arena, 0);
    for (size_t i = 0; i < partitions->count; i++) {
        partitions->items[i].gated = false;
    }
}

/* The last calls and the commit, or the end of what failed. */
static sync_status end_round(struct sync_lane *lane, sync_status status,
                             const struct sync_call *calls, size_t count,
                             struct sync_result *ret_results, const char *what,
                             struct sync_error *err)
{
    if (sync_is_ok(status)) {
        status = sync_txn_commit_with(lane->db, calls, count, ret_results, err);
    } else {
        sync_txn_rollback(lane->db);
    }
    return sync_is_ok(status) ? status : sync_wrap(err, "%s of lane %s", what, lane->target);
}

/* Looks -------------------------------------------------------------------------------------------
 */

static sync_status read_keys(struct sync_lane *lane, const struct sync_result *result,
                             struct sync_lane_view *view, struct sync_error *err)
{
    view->keys = sync_arena_take_array(lane->arena, (size_t)result->rows + 1, sizeof *view->keys);
    for (int row = 0; view->keys && row < result->rows; row++) {
        struct sync_bytes key = sync_arena_copy(lane->arena, sync_result_bytes(result, row, 1));
        if (!key.data) {
            view->keys = NULL;
            break;
        }
        view->keys[view->key_count++] =
            (struct sync_lane_key){key, sync_result_int4(result, row, 0)};
    }
    return view->keys ? SYNC_OK
                      : sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                                  "read keys: the arena is full");
}

sync_status sync_lane_look(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                           const struct sync_bytes *busy, size_t busy_count,
                           struct sync_lane_view *ret_view, struct sync_error *err)
{
    start_round(lane, partitions);
    struct sync_params state, keys;
    start_params(lane, &state);
    put_partitions(lane, partitions, false, &state);
    sync_params_text(&state, lane->target);
    keys = state;
    sync_params_text_array(&keys, busy, busy_count);
    sync_params_int8(&keys, SYNC_LANE_VIEW_KEYS_MAX);
    struct sync_call calls[] = {{&state_statement, &state}, {&look_statement, &keys}};
    TRIP_RESULTS results[TRIP_CALLS] = {0};
    sync_status status = sync_db_pipeline(lane->db, calls, 2, results, err);
    struct sync_lane_view view = {.key_count = 0};
    if (sync_is_ok(status)) {
        view.target = (enum sync_target_state)sync_result_int4(&results[0], 0, 0);
        view.now_us = sync_result_time(&results[0], 0, 1);
        view.next_due_us = sync_result_is_null(&results[0], 0, 2)
                               ? INT64_MAX
                               : sync_result_time(&results[0], 0, 2);
        status = read_keys(lane, &results[1], &view, err);
    }
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "look at lane %s", lane->target);
    }
    *ret_view = view;
    return SYNC_OK;
}

sync_status sync_lane_pending(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                              int64_t *ret_pending, int64_t *ret_oldest_us, struct sync_error *err)
{
    start_round(lane, partitions);
    struct sync_params params;
    int32_t *numbers = NULL;
    size_t count = partition_numbers(lane, partitions, false, &numbers);
    start_params(lane, &params);
    sync_params_int4_array(&params, numbers, NULL, count);
    sync_params_text(&params, lane->target);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(lane->db, &pending_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "count lane %s", lane->target);
    }
    *ret_pending = sync_result_int8(&result, 0, 0);
    *ret_oldest_us =
        sync_result_is_null(&result, 0, 1) ? INT64_MAX : sync_result_time(&result, 0, 1);
    return SYNC_OK;
}

/* Marks -------------------------------------------------------------------------------------------
 */

/* What a row of the outbox becomes. */
struct mark {
    enum outbox_state state;
    int32_t attempt;
    int64_t not_before_us;
    const char *error; /* short text or rule; NULL = none */
};

static sync_status put_marks(struct sync_lane *lane, const struct sync_lane_item *items,
                             const struct mark *marks, size_t count, struct sync_params *params,
                             struct sync_error *err)
{
    struct sync_arena *arena = lane->arena;
    struct sync_uuid *ids = sync_arena_take_array(arena, count, sizeof *ids);
    int16_t *states = sync_arena_take_array(arena, count, sizeof *states);
    int32_t *attempts = sync_arena_take_array(arena, count, sizeof *attempts);
    int64_t *times = sync_arena_take_array(arena, count, sizeof *times);
    struct sync_bytes *bodies = sync_arena_take_array(arena, count, sizeof *bodies);
    int32_t *codes = sync_arena_take_array(arena, count, sizeof *codes);
    bool *no_code = sync_arena_take_array(arena, count, sizeof *no_code);
    struct sync_bytes *errors = sync_arena_take_array(arena, count, sizeof *errors);
    if (!ids || !states || !attempts || !times || !bodies || !codes || !no_code || !errors) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "mark effects: the arena is full");
    }
    for (size_t i = 0; i < count; i++) {
        const struct sync_lane_effect *effect = &items[i].effect;
        ids[i] = effect->effect_id;
        states[i] = (int16_t)marks[i].state;
        attempts[i] = marks[i].attempt;
        times[i] = marks[i].not_before_us;
        bodies[i] = effect->body_changed ? effect->body : (struct sync_bytes){NULL, 0};
        codes[i] = items[i].code;
        no_code[i] = items[i].code == 0;
        errors[i] = marks[i].error ? sync_bytes_text(marks[i].error) : (struct sync_bytes){NULL, 0};
    }
    sync_params_init(params, arena);
    sync_params_uuid_array(params, ids, NULL, count);
    sync_params_int2_array(params, states, NULL, count);
    sync_params_int4_array(params, attempts, NULL, count);
    sync_params_time_array(params, times, NULL, count);
    sync_params_bytes_array(params, bodies, count);
    sync_params_int4_array(params, codes, no_code, count);
    sync_params_text_array(params, errors, count);
    return SYNC_OK;
}

/* Reads rows of EFFECT_COLUMNS into items that live as long as the round. */
static sync_status read_effects(struct sync_lane *lane, const struct sync_result *result,
                                struct sync_lane_item **ret_items, size_t *ret_count,
                                struct sync_error *err)
{
    size_t count = (size_t)result->rows;
    struct sync_lane_item *items = sync_arena_take_array(lane->arena, count + 1, sizeof *items);
    for (size_t i = 0; items && i < count; i++) {
        int row = (int)i;
        struct sync_lane_effect *effect = &items[i].effect;
        struct sync_bytes name = sync_arena_copy(lane->arena, sync_result_bytes(result, row, 1));
        struct sync_bytes key = sync_result_bytes(result, row, 2);
        effect->effect_id = sync_result_uuid(result, row, 0);
        effect->name = (const char *)name.data;
        effect->body = sync_arena_copy(lane->arena, sync_result_bytes(result, row, 4));
        effect->attempt = sync_result_int4(result, row, 5);
        effect->created_us = sync_result_time(result, row, 6);
        items[i].partition = sync_result_int4(result, row, 3);
        if (!effect->name || !effect->body.data || key.size >= sizeof effect->entity.text) {
            items = NULL;
            break;
        }
        memcpy(effect->entity.text, key.data, key.size);
        effect->entity.size = key.size;
    }
    if (!items) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "read effects: the arena is full");
    }
    *ret_items = items;
    *ret_count = count;
    return SYNC_OK;
}

/* Lets the entity settle the items for which wanted is set. */
static sync_status settle_items(struct sync_lane *lane, struct sync_lane_item *items,
                                const bool *wanted, size_t count, int64_t now_us,
                                struct sync_error *err)
{
    struct sync_lane_effect *effects =
        sync_arena_take_array(lane->arena, count + 1, sizeof *effects);
    if (!effects) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "settle effects: the arena is full");
    }
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (wanted[i]) {
            effects[used++] = items[i].effect;
        }
    }
    sync_status status =
        used == 0 || lane->store->settle == NULL
            ? SYNC_OK
            : lane->store->settle(lane->db, effects, used, now_us, lane->arena, err);
    for (size_t i = 0, next = 0; i < count && sync_is_ok(status); i++) {
        if (wanted[i]) {
            items[i].effect = effects[next++];
        }
    }
    return status;
}

/* Take --------------------------------------------------------------------------------------------
 */

/* Only of partitions behind the gate. */
static void keep_gated(const struct sync_lane_partitions *partitions, struct sync_lane_taken *taken)
{
    size_t kept = 0;
    for (size_t i = 0; i < taken->count; i++) {
        if (is_gated(partitions, taken->items[i].partition)) {
            taken->items[kept++] = taken->items[i];
        }
    }
    taken->count = kept;
}

/* The verdicts of the entity; what its own check refuses is settled at once. */
static sync_status judge_heads(struct sync_lane *lane, struct sync_lane_taken *taken,
                               int64_t now_us, struct sync_error *err)
{
    struct sync_lane_effect *effects =
        sync_arena_take_array(lane->arena, taken->count + 1, sizeof *effects);
    bool *refused = sync_arena_take_array(lane->arena, taken->count + 1, sizeof *refused);
    if (!effects || !refused) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "judge effects: the arena is full");
    }
    for (size_t i = 0; i < taken->count; i++) {
        effects[i] = taken->items[i].effect;
    }
    sync_status status =
        lane->store->look(lane->db, effects, taken->count, now_us, lane->arena, err);
    for (size_t i = 0; i < taken->count && sync_is_ok(status); i++) {
        taken->items[i].effect = effects[i];
        refused[i] = effects[i].verdict == SYNC_LANE_PARK;
        taken->items[i].effect.ended = SYNC_LANE_REFUSED;
    }
    return sync_is_ok(status) ? settle_items(lane, taken->items, refused, taken->count, now_us, err)
                              : status;
}

static struct mark mark_of_verdict(struct sync_lane_item *item, int64_t now_us)
{
    const struct sync_lane_effect *effect = &item->effect;
    struct mark mark = {OUTBOX_WAITING, effect->attempt, now_us, effect->rule};
    switch (effect->verdict) {
    case SYNC_LANE_SEND:
        mark.state = OUTBOX_SENT;
        mark.attempt = effect->attempt + 1;
        mark.error = NULL;
        break;
    case SYNC_LANE_SKIP:
        mark.state = OUTBOX_SKIPPED;
        break;
    case SYNC_LANE_LATER:
        mark.not_before_us = effect->not_before_us;
        break;
    case SYNC_LANE_PARK:
        mark.state = effect->carried_on ? OUTBOX_WAITING : OUTBOX_PARKED;
        break;
    }
    return mark;
}

/* The marks, and which effects go behind the others of their key. */
static sync_status put_verdicts(struct sync_lane *lane, struct sync_lane_taken *taken,
                                int64_t now_us, struct sync_params *marking,
                                struct sync_params *putting_behind, size_t *ret_behind,
                                struct sync_error *err)
{
    struct mark *marks = sync_arena_take_array(lane->arena, taken->count + 1, sizeof *marks);
    struct sync_uuid *behind = sync_arena_take_array(lane->arena, taken->count + 1, sizeof *behind);
    if (!marks || !behind) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "mark effects: the arena is full");
    }
    size_t behind_count = 0;
    for (size_t i = 0; i < taken->count; i++) {
        struct sync_lane_item *item = &taken->items[i];
        marks[i] = mark_of_verdict(item, now_us);
        if (item->effect.verdict == SYNC_LANE_LATER && item->effect.behind) {
            behind[behind_count++] = item->effect.effect_id;
        }
    }
    sync_status status = put_marks(lane, taken->items, marks, taken->count, marking, err);
    for (size_t i = 0; i < taken->count; i++) {
        taken->items[i].effect.attempt = marks[i].attempt;
    }
    sync_params_init(putting_behind, lane->arena);
    sync_params_uuid_array(putting_behind, behind, NULL, behind_count);
    *ret_behind = behind_count;
    return status;
}

/* Before the request leaves, so that an echo which comes before the answer is recognised. */
static sync_status put_echoes(struct sync_lane *lane, const struct sync_lane_taken *taken,
                              struct sync_params *params, size_t *ret_count, struct sync_error *err)
{
    struct sync_arena *arena = lane->arena;
    struct sync_uuid *ids = sync_arena_take_array(arena, taken->count + 1, sizeof *ids);
    struct sync_bytes *keys = sync_arena_take_array(arena, taken->count + 1, sizeof *keys);
    int32_t *kinds = sync_arena_take_array(arena, taken->count + 1, sizeof *kinds);
    int64_t *seconds = sync_arena_take_array(arena, taken->count + 1, sizeof *seconds);
    struct sync_uuid *parties = sync_arena_take_array(arena, taken->count + 1, sizeof *parties);
    if (!ids || !keys || !kinds || !seconds || !parties) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "expect echoes: the arena is full");
    }
    size_t count = 0;
    for (size_t i = 0; i < taken->count; i++) {
        const struct sync_lane_effect *effect = &taken->items[i].effect;
        if (effect->verdict == SYNC_LANE_SEND && effect->echo_kind != 0) {
            ids[count] = effect->effect_id;
            keys[count] =
                (struct sync_bytes){(const uint8_t *)effect->entity.text, effect->entity.size};
            kinds[count] = effect->echo_kind;
            seconds[count] = effect->echo_second;
            parties[count++] = effect->echo_party;
        }
    }
    sync_params_init(params, arena);
    sync_params_uuid_array(params, ids, NULL, count);
    sync_params_text_array(params, keys, count);
    sync_params_int4_array(params, kinds, NULL, count);
    sync_params_int8_array(params, seconds, NULL, count);
    sync_params_uuid_array(params, parties, NULL, count);
    sync_params_int8(params, lane->echo_expected_s);
    *ret_count = count;
    return SYNC_OK;
}

/* Gate, state of the target and heads in one trip. ret_now_us: of the transaction. */
static sync_status begin_take(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                              const struct sync_lane_key *keys, size_t key_count, bool probe,
                              struct sync_lane_taken *ret_taken, int64_t *ret_now_us,
                              struct sync_error *err)
{
    struct sync_lane_taken taken = {.count = 0};
    struct sync_bytes *texts = sync_arena_take_array(lane->arena, key_count + 1, sizeof *texts);
    int32_t *numbers = sync_arena_take_array(lane->arena, key_count + 1, sizeof *numbers);
    if (!texts || !numbers) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "take effects: the arena is full");
    }
    for (size_t i = 0; i < key_count; i++) {
        want_partition(partitions, keys[i].partition);
        texts[i] = keys[i].key;
        numbers[i] = keys[i].partition;
    }
    struct sync_params gate, epochs, target, heads;
    put_gate(lane, partitions, &gate, &epochs);
    sync_params_init(&target, lane->arena);
    sync_params_text(&target, lane->target);
    start_params(lane, &heads);
    sync_params_int4_array(&heads, numbers, NULL, key_count);
    sync_params_text(&heads, lane->target);
    sync_params_text_array(&heads, texts, key_count);
    struct sync_call calls[TRIP_CALLS] = {{&gate_statement, &gate},
                                          {&epochs_statement, &epochs},
                                          {&target_statement, &target},
                                          {&heads_statement, &heads}};
    TRIP_RESULTS results[TRIP_CALLS] = {0};
    sync_status status = pass_gate(lane, partitions, calls, TRIP_CALLS, results, ret_now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    taken.target = results[2].rows == 0
                       ? SYNC_TARGET_OPEN
                       : (enum sync_target_state)sync_result_int4(&results[2], 0, 0);
    if (taken.target == SYNC_TARGET_OPEN || (probe && taken.target == SYNC_TARGET_STOPPED)) {
        status = read_effects(lane, &results[3], &taken.items, &taken.count, err);
    }
    if (sync_is_ok(status)) {
        keep_gated(partitions, &taken);
        *ret_taken = taken;
    }
    return status;
}

/* What was withdrawn since its head was read, before its entity was locked, is not ours to send. */
static void keep_marked(struct sync_lane_taken *taken, const struct sync_result *marked)
{
    size_t kept = 0;
    for (size_t i = 0; i < taken->count; i++) {
        bool is_marked = false;
        for (int row = 0; row < marked->rows && !is_marked; row++) {
            struct sync_uuid id = sync_result_uuid(marked, row, 0);
            is_marked = sync_uuid_compare(&id, &taken->items[i].effect.effect_id) == 0;
        }
        if (is_marked) {
            taken->items[kept++] = taken->items[i];
        }
    }
    taken->count = kept;
}

/* Verdicts, marks, expectations and the commit. */
static sync_status end_take(struct sync_lane *lane, struct sync_lane_taken *taken, int64_t now_us,
                            struct sync_error *err)
{
    struct sync_params marks, behind, echoes;
    struct sync_call calls[TRIP_CALLS] = {{&mark_statement, &marks}};
    TRIP_RESULTS results[TRIP_CALLS] = {0};
    size_t behind_count = 0, echo_count = 0, count = 1;
    sync_status status = judge_heads(lane, taken, now_us, err);
    if (sync_is_ok(status)) {
        status = put_verdicts(lane, taken, now_us, &marks, &behind, &behind_count, err);
    }
    if (sync_is_ok(status)) {
        status = put_echoes(lane, taken, &echoes, &echo_count, err);
    }
    if (behind_count > 0) {
        calls[count++] = (struct sync_call){&behind_statement, &behind};
    }
    if (echo_count > 0) {
        calls[count++] = (struct sync_call){&echo_statement, &echoes};
    }
    status = end_round(lane, status, calls, count, results, "take effects", err);
    if (sync_is_ok(status)) {
        keep_marked(taken, &results[0]);
    }
    return status;
}

sync_status sync_lane_take(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                           const struct sync_lane_key *keys, size_t key_count, bool probe,
                           struct sync_lane_taken *ret_taken, struct sync_error *err)
{
    SYNC_ASSERT(key_count > 0 && key_count <= SYNC_LANE_KEYS_MAX);
    int64_t now_us = 0;
    struct sync_lane_taken taken = {.count = 0};
    start_round(lane, partitions);
    sync_status status = begin_take(lane, partitions, keys, key_count, probe, &taken, &now_us, err);
    if (!sync_is_ok(status)) {
        return end_round(lane, status, NULL, 0, NULL, "take effects", err);
    }
    if (taken.count == 0) {
        sync_txn_rollback(lane->db); /* nothing was written */
    } else {
        status = end_take(lane, &taken, now_us, err);
    }
    if (sync_is_ok(status)) {
        *ret_taken = taken;
    }
    return status;
}

/* Finish ------------------------------------------------------------------------------------------
 */

/* Gate, and which items are still as they were sent. */
static sync_status begin_finish(struct sync_lane *lane,
                                const struct sync_lane_partitions *partitions,
                                struct sync_lane_item *items, size_t *count, int64_t *ret_now_us,
                                struct sync_error *err)
{
    struct sync_uuid *ids = sync_arena_take_array(lane->arena, *count + 1, sizeof *ids);
    int32_t *attempts = sync_arena_take_array(lane->arena, *count + 1, sizeof *attempts);
    if (!ids || !attempts) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "find effects: the arena is full");
    }
    for (size_t i = 0; i < *count; i++) {
        want_partition(partitions, items[i].partition);
        ids[i] = items[i].effect.effect_id;
        attempts[i] = items[i].effect.attempt;
    }
    struct sync_params gate, epochs, ours;
    put_gate(lane, partitions, &gate, &epochs);
    sync_params_init(&ours, lane->arena);
    sync_params_uuid_array(&ours, ids, NULL, *count);
    sync_params_int4_array(&ours, attempts, NULL, *count);
    struct sync_call calls[] = {
        {&gate_statement, &gate}, {&epochs_statement, &epochs}, {&ours_statement, &ours}};
    TRIP_RESULTS results[TRIP_CALLS] = {0};
    sync_status status =
        pass_gate(lane, partitions, calls, GATE_CALLS + 1, results, ret_now_us, err);
    size_t kept = 0;
    for (size_t i = 0; i < *count && sync_is_ok(status); i++) {
        for (int row = 0; row < results[2].rows; row++) {
            struct sync_uuid id = sync_result_uuid(&results[2], row, 0);
            if (is_gated(partitions, items[i].partition) &&
                sync_uuid_compare(&id, &items[i].effect.effect_id) == 0) {
                items[kept] = items[i];
                items[kept++].more = sync_result_bool(&results[2], row, 1);
                break;
            }
        }
    }
    *count = sync_is_ok(status) ? kept : *count;
    return status;
}

static struct mark mark_of_end(const struct sync_lane_item *item, int64_t now_us)
{
    const struct sync_lane_effect *effect = &item->effect;
    struct mark mark = {OUTBOX_WAITING, effect->attempt, now_us, item->problem};
    if (item->again) {
        mark.attempt -= item->untried;
        mark.not_before_us = now_us + item->wait_us;
        return mark;
    }
    switch (effect->ended) {
    case SYNC_LANE_DONE:
        mark.state = OUTBOX_DONE;
        break;
    case SYNC_LANE_CLOSED:
        mark.state = OUTBOX_CLOSED;
        break;
    case SYNC_LANE_REFUSED:
        mark.state = effect->carried_on ? OUTBOX_WAITING : OUTBOX_PARKED;
        mark.attempt = effect->carried_on ? 0 : effect->attempt;
        break;
    }
    return mark;
}

/* Settles, and what the rows become. */
static sync_status put_ends(struct sync_lane *lane, struct sync_lane_item *items, size_t count,
                            int64_t now_us, struct sync_params *params, struct sync_error *err)
{
    bool *ended = sync_arena_take_array(lane->arena, count + 1, sizeof *ended);
    struct mark *marks = sync_arena_take_array(lane->arena, count + 1, sizeof *marks);
    if (!ended || !marks) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "end effects: the arena is full");
    }
    for (size_t i = 0; i < count; i++) {
        ended[i] = !items[i].again;
    }
    sync_status status = settle_items(lane, items, ended, count, now_us, err);
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        marks[i] = mark_of_end(&items[i], now_us);
    }
    return sync_is_ok(status) ? put_marks(lane, items, marks, count, params, err) : status;
}

static void put_target(struct sync_lane *lane, enum sync_target_state state, const char *reason,
                       struct sync_params *params)
{
    sync_params_init(params, lane->arena);
    sync_params_text(params, lane->target);
    sync_params_int2(params, (int16_t)state);
    sync_params_text(params, reason);
}

/* Why the target closes with these answers; NULL = it does not. */
static const char *closing_of(const struct sync_lane_item *items, size_t count)
{
    const char *closing = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!items[i].again && items[i].effect.ended == SYNC_LANE_CLOSED) {
            closing = items[i].problem ? items[i].problem : "the target answered that it is gone";
        }
    }
    return closing;
}

/* What the caller learns of its items. */
static void tell_items(struct sync_lane_item *items, size_t count,
                       const struct sync_lane_item *ended, size_t ended_count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < ended_count; j++) {
            if (sync_uuid_compare(&items[i].effect.effect_id, &ended[j].effect.effect_id) == 0) {
                items[i].effect.carried_on = ended[j].effect.carried_on;
                items[i].more = ended[j].more || ended[j].effect.carried_on;
            }
        }
    }
}

sync_status sync_lane_finish(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                             struct sync_lane_item *items, size_t count, struct sync_error *err)
{
    int64_t now_us = 0;
    size_t kept = count, call_count = 0;
    const char *closing = closing_of(items, count);
    start_round(lane, partitions);
    /* The items are the caller's and may be asked for again: what this transaction changes, it
     * changes in a copy. */
    struct sync_lane_item *copy = sync_arena_take_array(lane->arena, count + 1, sizeof *copy);
    if (!copy) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "end effects: the arena is full");
    }
    memcpy(copy, items, count * sizeof *copy);
    struct sync_params marks, target;
    struct sync_call calls[2];
    sync_status status = begin_finish(lane, partitions, copy, &kept, &now_us, err);
    if (!sync_is_ok(status)) {
        return end_round(lane, status, NULL, 0, NULL, "end effects", err);
    }
    if (kept > 0) {
        status = put_ends(lane, copy, kept, now_us, &marks, err);
        calls[call_count++] = (struct sync_call){&mark_statement, &marks};
    }
    if (closing) { /* last, as the lock order says */
        put_target(lane, SYNC_TARGET_CLOSED, closing, &target);
        calls[call_count++] = (struct sync_call){&set_target_statement, &target};
    }
    status = end_round(lane, status, calls, call_count, NULL, "end effects", err);
    if (sync_is_ok(status)) {
        tell_items(items, count, copy, kept);
    }
    return status;
}

sync_status sync_lane_close(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                            const struct sync_bytes *busy, size_t busy_count, size_t *ret_closed,
                            struct sync_error *err)
{
    int64_t now_us = 0;
    start_round(lane, partitions);
    for (size_t i = 0; i < partitions->count; i++) {
        want_partition(partitions, partitions->items[i].partition);
    }
    struct sync_params gate, epochs, open, marks;
    put_gate(lane, partitions, &gate, &epochs);
    open = gate;
    sync_params_text(&open, lane->target);
    sync_params_text_array(&open, busy, busy_count);
    sync_params_int8(&open, SYNC_LANE_KEYS_MAX);
    struct sync_call calls[] = {
        {&gate_statement, &gate}, {&epochs_statement, &epochs}, {&open_statement, &open}};
    TRIP_RESULTS results[TRIP_CALLS] = {0};
    struct sync_lane_taken taken = {.count = 0};
    sync_status status = pass_gate(lane, partitions, calls, GATE_CALLS + 1, results, &now_us, err);
    if (!sync_is_ok(status)) {
        return end_round(lane, status, NULL, 0, NULL, "close effects", err);
    }
    status = read_effects(lane, &results[2], &taken.items, &taken.count, err);
    if (sync_is_ok(status)) {
        keep_gated(partitions, &taken);
    }
    for (size_t i = 0; i < taken.count; i++) {
        taken.items[i].effect.ended = SYNC_LANE_CLOSED;
    }
    struct sync_call mark = {&mark_statement, &marks};
    if (sync_is_ok(status) && taken.count > 0) {
        status = put_ends(lane, taken.items, taken.count, now_us, &marks, err);
    }
    status = end_round(lane, status, &mark, taken.count > 0, NULL, "close effects", err);
    if (sync_is_ok(status)) {
        *ret_closed = taken.count;
    }
    return status;
}

sync_status sync_lane_set_target(struct sync_lane *lane, enum sync_target_state state,
                                 const char *reason, struct sync_error *err)
{
    sync_arena_reset(lane->arena, 0);
    struct sync_params params;
    put_target(lane, state, reason, &params);
    sync_status status = sync_db_exec(lane->db, &set_target_statement, &params, NULL, err);
    return sync_is_ok(status) ? status : sync_wrap(err, "mark lane %s", lane->target);
}

void sync_lane_operation(const char *name, char ret_operation[static SYNC_EFFECT_NAME_MAX])
{
    size_t size = 0;
    while (name[size] != '\0' && size + 1 < SYNC_EFFECT_NAME_MAX &&
           !(name[size] == '/' && name[size + 1] >= '0' && name[size + 1] <= '9')) {
        ret_operation[size] = name[size];
        size++;
    }
    ret_operation[size] = '\0';
}
