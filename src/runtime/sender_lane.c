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

/* Ascending, so that two senders of one scope cannot lock each other out. */
static const struct sync_statement gate_statement = {
    "lane_gate", "SELECT o.partition FROM sync.partition_owner AS o"
                 " WHERE o.scope = $1 AND o.topic = $2"
                 "   AND (o.partition, o.epoch) IN (SELECT * FROM unnest($3::int[], $4::bigint[]))"
                 " ORDER BY o.partition FOR SHARE OF o"};

static const struct sync_statement look_statement = {
    "lane_look",
    "WITH h AS (SELECT DISTINCT ON (partition, entity_key) partition, entity_key, seq, not_before"
    "   FROM sync.outbox WHERE scope = $1 AND topic = $2 AND partition = ANY ($3) AND target = $4"
    "    AND state IN (0, 1) AND entity_key <> ALL ($5)"
    "  ORDER BY partition, entity_key, seq)"
    " SELECT now(), coalesce((SELECT t.state FROM sync.target AS t WHERE t.target = $4), "
    "0::smallint),"
    "        (SELECT min(not_before) FROM h WHERE not_before > now()), d.partition, d.entity_key"
    "   FROM (SELECT 1) AS one LEFT JOIN (SELECT partition, entity_key, seq FROM h"
    "          WHERE not_before <= now() ORDER BY seq LIMIT $6) AS d ON true"
    "  ORDER BY d.seq"};

static const struct sync_statement pending_statement = {
    "lane_pending", "SELECT count(*), min(created_at) FROM sync.outbox"
                    " WHERE scope = $1 AND topic = $2 AND partition = ANY ($3) AND target = $4 AND "
                    "state IN (0, 1)"};

static const struct sync_statement target_statement = {
    "lane_target", "SELECT state FROM sync.target WHERE target = $1"};

#define EFFECT_COLUMNS "effect_id, name, entity_key, partition, body, attempt, created_at"

static const struct sync_statement heads_statement = {
    "lane_heads",
    "SELECT h.effect_id, h.name, h.entity_key, h.partition, h.body, h.attempt, h.created_at"
    "  FROM unnest($5::text[], $3::int[]) AS k (entity_key, partition) CROSS JOIN LATERAL ("
    "   SELECT " EFFECT_COLUMNS ", seq, not_before FROM sync.outbox AS o"
    "    WHERE o.scope = $1 AND o.topic = $2 AND o.partition = k.partition AND o.target = $4"
    "      AND o.state IN (0, 1) AND o.entity_key = k.entity_key ORDER BY o.seq LIMIT 1) AS h"
    " WHERE h.not_before <= now() ORDER BY h.seq"};

static const struct sync_statement open_statement = {
    "lane_open_effects",
    "SELECT " EFFECT_COLUMNS " FROM sync.outbox"
    " WHERE scope = $1 AND topic = $2 AND partition = ANY ($3) AND target = $4 AND state IN (0, 1)"
    "   AND entity_key <> ALL ($5) ORDER BY seq LIMIT $6"};

/* Only what is still as we sent it: an answer that comes after somebody else decided says nothing.
 */
static const struct sync_statement ours_statement = {
    "lane_ours", "SELECT o.effect_id FROM sync.outbox AS o JOIN unnest($1::uuid[], $2::int[]) AS d "
                 "(effect_id, attempt)"
                 "    ON d.effect_id = o.effect_id AND d.attempt = o.attempt WHERE o.state = 1"};

static const struct sync_statement mark_statement = {
    "lane_mark",
    "UPDATE sync.outbox AS o SET state = d.state, attempt = d.attempt, not_before = d.not_before,"
    "       body = coalesce(d.body, o.body), last_code = coalesce(d.code, o.last_code),"
    "       last_error = d.error, ended_at = CASE WHEN d.state > 1 THEN now() END"
    "  FROM unnest($1::uuid[], $2::smallint[], $3::int[], $4::timestamptz[], $5::bytea[], "
    "$6::int[], $7::text[])"
    "       AS d (effect_id, state, attempt, not_before, body, code, error)"
    " WHERE o.effect_id = d.effect_id AND o.state IN (0, 1)"};

/* A column that is always generated takes no other value than DEFAULT. */
static const struct sync_statement behind_statement = {
    "lane_behind", "UPDATE sync.outbox SET seq = DEFAULT WHERE effect_id = ANY ($1)"};

/* Another fact may carry the effect on: both seconds are expected. */
static const struct sync_statement echo_statement = {
    "lane_echo", "INSERT INTO sync.expected_echo AS e (effect_id, entity_key, kind, second, "
                 "party_uuid, expires_at)"
                 " SELECT d.effect_id, d.entity_key, d.kind, d.second, d.party, now() + "
                 "make_interval(secs => $6)"
                 "   FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[], $5::uuid[])"
                 "        AS d (effect_id, entity_key, kind, second, party)"
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

/* Begins a transaction and locks the owner rows of the wanted partitions; those that are not ours
 * are fenced. */
static sync_status pass_gate(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                             int64_t *ret_now_us, struct sync_error *err)
{
    struct sync_params params;
    size_t count = 0;
    int32_t *numbers = sync_arena_take_array(lane->arena, partitions->count + 1, sizeof *numbers);
    int64_t *epochs = sync_arena_take_array(lane->arena, partitions->count + 1, sizeof *epochs);
    for (size_t i = 0; numbers && epochs && i < partitions->count; i++) {
        if (partitions->items[i].gated) {
            numbers[count] = partitions->items[i].partition;
            epochs[count++] = partitions->items[i].epoch;
        }
    }
    start_params(lane, &params);
    sync_params_int4_array(&params, numbers, NULL, count);
    sync_params_int8_array(&params, epochs, NULL, count);
    struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_CLAIM_MS};
    SYNC_RESULT result = {0};
    sync_status status = sync_txn_begin(lane->db, &limits, ret_now_us, err);
    if (sync_is_ok(status)) {
        status = sync_db_exec(lane->db, &gate_statement, &params, &result, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    for (size_t i = 0; i < partitions->count; i++) {
        struct sync_lane_partition *partition = &partitions->items[i];
        bool locked = false;
        for (int row = 0; row < result.rows; row++) {
            locked = locked || sync_result_int4(&result, row, 0) == partition->partition;
        }
        partition->fenced = partition->fenced || (partition->gated && !locked);
        partition->gated = partition->gated && locked;
    }
    return SYNC_OK;
}

static void start_round(struct sync_lane *lane, const struct sync_lane_partitions *partitions)
{
    sync_arena_reset(lane->arena, 0);
    for (size_t i = 0; i < partitions->count; i++) {
        partitions->items[i].gated = false;
    }
}

/* Commits, or rolls back what failed. */
static sync_status end_round(struct sync_lane *lane, sync_status status, const char *what,
                             struct sync_error *err)
{
    if (sync_is_ok(status)) {
        status = sync_txn_commit(lane->db, err);
    } else {
        sync_txn_rollback(lane->db);
    }
    return sync_is_ok(status) ? status : sync_wrap(err, "%s of lane %s", what, lane->target);
}

/* Looks -------------------------------------------------------------------------------------------
 */

sync_status sync_lane_look(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                           const struct sync_bytes *busy, size_t busy_count,
                           struct sync_lane_view *ret_view, struct sync_error *err)
{
    start_round(lane, partitions);
    struct sync_params params;
    int32_t *numbers = NULL;
    size_t count = partition_numbers(lane, partitions, false, &numbers);
    start_params(lane, &params);
    sync_params_int4_array(&params, numbers, NULL, count);
    sync_params_text(&params, lane->target);
    sync_params_text_array(&params, busy, busy_count);
    sync_params_int8(&params, SYNC_LANE_VIEW_KEYS_MAX);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(lane->db, &look_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "look at lane %s", lane->target);
    }
    struct sync_lane_view view = {
        .target = (enum sync_target_state)sync_result_int4(&result, 0, 1),
        .now_us = sync_result_time(&result, 0, 0),
        .next_due_us =
            sync_result_is_null(&result, 0, 2) ? INT64_MAX : sync_result_time(&result, 0, 2),
        .keys = sync_arena_take_array(lane->arena, (size_t)result.rows, sizeof *view.keys),
    };
    for (int row = 0; view.keys && row < result.rows && !sync_result_is_null(&result, row, 3);
         row++) {
        struct sync_bytes key = sync_arena_copy(lane->arena, sync_result_bytes(&result, row, 4));
        if (key.data) {
            view.keys[view.key_count++] =
                (struct sync_lane_key){key, sync_result_int4(&result, row, 3)};
        }
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

static sync_status write_marks(struct sync_lane *lane, const struct sync_lane_item *items,
                               const struct mark *marks, size_t count, struct sync_error *err)
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
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_uuid_array(&params, ids, NULL, count);
    sync_params_int2_array(&params, states, NULL, count);
    sync_params_int4_array(&params, attempts, NULL, count);
    sync_params_time_array(&params, times, NULL, count);
    sync_params_bytes_array(&params, bodies, count);
    sync_params_int4_array(&params, codes, no_code, count);
    sync_params_text_array(&params, errors, count);
    return sync_db_exec(lane->db, &mark_statement, &params, NULL, err);
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

static sync_status read_target(struct sync_lane *lane, enum sync_target_state *ret_state,
                               struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, lane->arena);
    sync_params_text(&params, lane->target);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(lane->db, &target_statement, &params, &result, err);
    if (sync_is_ok(status)) {
        *ret_state = result.rows == 0 ? SYNC_TARGET_OPEN
                                      : (enum sync_target_state)sync_result_int4(&result, 0, 0);
    }
    return status;
}

static sync_status read_heads(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                              const struct sync_lane_key *keys, size_t key_count,
                              struct sync_lane_taken *taken, struct sync_error *err)
{
    struct sync_bytes *texts = sync_arena_take_array(lane->arena, key_count + 1, sizeof *texts);
    int32_t *numbers = sync_arena_take_array(lane->arena, key_count + 1, sizeof *numbers);
    size_t count = 0;
    for (size_t i = 0; texts && numbers && i < key_count; i++) {
        if (is_gated(partitions, keys[i].partition)) {
            texts[count] = keys[i].key;
            numbers[count++] = keys[i].partition;
        }
    }
    struct sync_params params;
    start_params(lane, &params);
    sync_params_int4_array(&params, numbers, NULL, count);
    sync_params_text(&params, lane->target);
    sync_params_text_array(&params, texts, count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(lane->db, &heads_statement, &params, &result, err);
    return sync_is_ok(status) ? read_effects(lane, &result, &taken->items, &taken->count, err)
                              : status;
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

static sync_status write_verdicts(struct sync_lane *lane, struct sync_lane_taken *taken,
                                  int64_t now_us, struct sync_error *err)
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
    sync_status status = write_marks(lane, taken->items, marks, taken->count, err);
    for (size_t i = 0; i < taken->count; i++) {
        taken->items[i].effect.attempt = marks[i].attempt;
    }
    if (sync_is_ok(status) && behind_count > 0) {
        struct sync_params params;
        sync_params_init(&params, lane->arena);
        sync_params_uuid_array(&params, behind, NULL, behind_count);
        status = sync_db_exec(lane->db, &behind_statement, &params, NULL, err);
    }
    return status;
}

/* Before the request leaves, so that an echo which comes before the answer is recognised. */
static sync_status write_echoes(struct sync_lane *lane, const struct sync_lane_taken *taken,
                                struct sync_error *err)
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
    if (count == 0) {
        return SYNC_OK;
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_uuid_array(&params, ids, NULL, count);
    sync_params_text_array(&params, keys, count);
    sync_params_int4_array(&params, kinds, NULL, count);
    sync_params_int8_array(&params, seconds, NULL, count);
    sync_params_uuid_array(&params, parties, NULL, count);
    sync_params_int8(&params, lane->echo_expected_s);
    return sync_db_exec(lane->db, &echo_statement, &params, NULL, err);
}

sync_status sync_lane_take(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                           const struct sync_lane_key *keys, size_t key_count, bool probe,
                           struct sync_lane_taken *ret_taken, struct sync_error *err)
{
    SYNC_ASSERT(key_count <= SYNC_LANE_KEYS_MAX);
    int64_t now_us = 0;
    struct sync_lane_taken taken = {.count = 0};
    start_round(lane, partitions);
    for (size_t i = 0; i < key_count; i++) {
        want_partition(partitions, keys[i].partition);
    }
    sync_status status = pass_gate(lane, partitions, &now_us, err);
    if (sync_is_ok(status)) {
        status = read_target(lane, &taken.target, err);
    }
    bool open = taken.target == SYNC_TARGET_OPEN || (probe && taken.target == SYNC_TARGET_STOPPED);
    if (sync_is_ok(status) && open) {
        status = read_heads(lane, partitions, keys, key_count, &taken, err);
    }
    if (sync_is_ok(status) && taken.count > 0) {
        status = judge_heads(lane, &taken, now_us, err);
        status = sync_is_ok(status) ? write_verdicts(lane, &taken, now_us, err) : status;
        status = sync_is_ok(status) ? write_echoes(lane, &taken, err) : status;
    }
    status = end_round(lane, status, "take effects", err);
    if (sync_is_ok(status)) {
        *ret_taken = taken;
    }
    return status;
}

/* Finish ------------------------------------------------------------------------------------------
 */

/* Which items are still as they were sent; those of fenced partitions are not. */
static sync_status find_ours(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                             struct sync_lane_item *items, size_t *count, struct sync_error *err)
{
    struct sync_uuid *ids = sync_arena_take_array(lane->arena, *count + 1, sizeof *ids);
    int32_t *attempts = sync_arena_take_array(lane->arena, *count + 1, sizeof *attempts);
    if (!ids || !attempts) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "find effects: the arena is full");
    }
    size_t gated = 0;
    for (size_t i = 0; i < *count; i++) {
        if (is_gated(partitions, items[i].partition)) {
            items[gated] = items[i];
            ids[gated] = items[i].effect.effect_id;
            attempts[gated++] = items[i].effect.attempt;
        }
    }
    struct sync_params params;
    sync_params_init(&params, lane->arena);
    sync_params_uuid_array(&params, ids, NULL, gated);
    sync_params_int4_array(&params, attempts, NULL, gated);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(lane->db, &ours_statement, &params, &result, err);
    size_t kept = 0;
    for (size_t i = 0; i < gated && sync_is_ok(status); i++) {
        for (int row = 0; row < result.rows; row++) {
            struct sync_uuid id = sync_result_uuid(&result, row, 0);
            if (sync_uuid_compare(&id, &items[i].effect.effect_id) == 0) {
                items[kept++] = items[i];
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

/* Settles and marks; the target's row last, as the lock order says. */
static sync_status write_ends(struct sync_lane *lane, struct sync_lane_item *items, size_t count,
                              int64_t now_us, struct sync_error *err)
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
    return sync_is_ok(status) && count > 0 ? write_marks(lane, items, marks, count, err) : status;
}

static sync_status write_target(struct sync_lane *lane, enum sync_target_state state,
                                const char *reason, struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, lane->arena);
    sync_params_text(&params, lane->target);
    sync_params_int2(&params, (int16_t)state);
    sync_params_text(&params, reason);
    return sync_db_exec(lane->db, &set_target_statement, &params, NULL, err);
}

sync_status sync_lane_finish(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                             struct sync_lane_item *items, size_t count, struct sync_error *err)
{
    int64_t now_us = 0;
    size_t asked = count;
    const char *closing = NULL;
    start_round(lane, partitions);
    for (size_t i = 0; i < count; i++) {
        want_partition(partitions, items[i].partition);
        if (!items[i].again && items[i].effect.ended == SYNC_LANE_CLOSED) {
            closing = items[i].problem ? items[i].problem : "the target answered that it is gone";
        }
    }
    /* The items are the caller's and may be asked for again: what this transaction changes, it
     * changes in a copy. */
    struct sync_lane_item *copy = sync_arena_take_array(lane->arena, count + 1, sizeof *copy);
    if (!copy) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "end effects: the arena is full");
    }
    memcpy(copy, items, count * sizeof *copy);
    sync_status status = pass_gate(lane, partitions, &now_us, err);
    status = sync_is_ok(status) ? find_ours(lane, partitions, copy, &count, err) : status;
    status = sync_is_ok(status) ? write_ends(lane, copy, count, now_us, err) : status;
    if (sync_is_ok(status) && closing) {
        status = write_target(lane, SYNC_TARGET_CLOSED, closing, err);
    }
    status = end_round(lane, status, "end effects", err);
    for (size_t i = 0; i < asked && sync_is_ok(status); i++) {
        for (size_t j = 0; j < count; j++) {
            bool same =
                sync_uuid_compare(&items[i].effect.effect_id, &copy[j].effect.effect_id) == 0;
            items[i].effect.carried_on =
                same ? copy[j].effect.carried_on : items[i].effect.carried_on;
        }
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
    sync_status status = pass_gate(lane, partitions, &now_us, err);
    struct sync_params params;
    int32_t *numbers = NULL;
    size_t number_count = partition_numbers(lane, partitions, true, &numbers);
    start_params(lane, &params);
    sync_params_int4_array(&params, numbers, NULL, number_count);
    sync_params_text(&params, lane->target);
    sync_params_text_array(&params, busy, busy_count);
    sync_params_int8(&params, SYNC_LANE_KEYS_MAX);
    SYNC_RESULT result = {0};
    struct sync_lane_item *items = NULL;
    size_t count = 0;
    status = sync_is_ok(status) ? sync_db_exec(lane->db, &open_statement, &params, &result, err)
                                : status;
    status = sync_is_ok(status) ? read_effects(lane, &result, &items, &count, err) : status;
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        items[i].effect.ended = SYNC_LANE_CLOSED;
    }
    status = sync_is_ok(status) ? write_ends(lane, items, count, now_us, err) : status;
    status = end_round(lane, status, "close effects", err);
    if (sync_is_ok(status)) {
        *ret_closed = count;
    }
    return status;
}

sync_status sync_lane_set_target(struct sync_lane *lane, enum sync_target_state state,
                                 const char *reason, struct sync_error *err)
{
    sync_arena_reset(lane->arena, 0);
    sync_status status = write_target(lane, state, reason, err);
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
