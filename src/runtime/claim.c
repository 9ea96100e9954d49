/* Ownership of a partition: the statements. Not here: the reactions (consumer_batch.c). */
#include "claim.h"

#include "../core/limits.h"

#define PARAMS_BYTES 512 /* a handful of numbers and one digest */

static const struct sync_statement topic_insert = {
    "topic_insert", "INSERT INTO sync.topic (topic, cluster_id, partitions) VALUES ($1, $2, $3)"
                    " ON CONFLICT (topic) DO NOTHING RETURNING partitions"};
static const struct sync_statement topic_read = {
    "topic_read", "SELECT cluster_id = $2, partitions FROM sync.topic WHERE topic = $1 FOR UPDATE"};
static const struct sync_statement topic_grow = {
    "topic_grow", "UPDATE sync.topic SET partitions = $2 WHERE topic = $1"};
/* New partitions were empty when the topic was last seen, so every consumer of it starts at 0. */
static const struct sync_statement owner_grow = {
    "owner_grow", "INSERT INTO sync.partition_owner (scope, topic, partition, epoch, position,"
                  " first_position, holder, claimed_at)"
                  " SELECT s.scope, $1, p, 0, 0, 0, 'the topic grew', now()"
                  " FROM (SELECT DISTINCT scope FROM sync.partition_owner WHERE topic = $1) AS s,"
                  " generate_series($3, $2 - 1) AS p WHERE strpos(s.scope, '#') = 0"
                  " ORDER BY 1, 3 ON CONFLICT DO NOTHING"};
static const struct sync_statement owner_exists = {
    "owner_exists",
    "SELECT FROM sync.partition_owner WHERE scope = $1 AND topic = $2 AND partition = $3"};
/* The lane gate of a sender passes beside an update that changes no key: only this lock waits for
 * it, and makes it wait. */
static const struct sync_statement owner_lock = {
    "owner_lock", "SELECT FROM sync.partition_owner WHERE scope = $1 AND topic = $2"
                  " AND partition = $3 FOR UPDATE"};
static const struct sync_statement owner_claim = {
    "owner_claim", "INSERT INTO sync.partition_owner AS o (scope, topic, partition, epoch, "
                   "position, first_position,"
                   " holder, claimed_at) VALUES ($1, $2, $3, 1, $4, $4, $5, now())"
                   " ON CONFLICT (scope, topic, partition) DO UPDATE SET epoch = o.epoch + 1,"
                   " holder = excluded.holder, claimed_at = excluded.claimed_at"
                   " RETURNING epoch, position, tail_digest"};
static const struct sync_statement gate_pass = {
    "gate", "UPDATE sync.partition_owner SET position = $6 + 1, tail_digest = $7"
            " WHERE scope = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND position = $5"
            " RETURNING position"};
static const struct sync_statement gate_pass_sparse = {
    "gate_sparse",
    "UPDATE sync.partition_owner SET position = $6 + 1, tail_digest = $7"
    " WHERE scope = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND position <= $5"
    " RETURNING position"};
static const struct sync_statement gate_share = {
    "gate_share",
    "SELECT FROM sync.partition_owner WHERE scope = $1 AND topic = $2 AND partition = $3"
    " AND epoch = $4 FOR SHARE"};
static const struct sync_statement owner_read = {
    "owner_read", "SELECT epoch, position, tail_digest FROM sync.partition_owner"
                  " WHERE scope = $1 AND topic = $2 AND partition = $3"};

/* Parameters of one statement, with memory of their own. */
struct place_params {
    uint8_t memory[PARAMS_BYTES];
    struct sync_arena arena;
    struct sync_params params;
};

static void place_params_init(struct place_params *p, const struct sync_place *place)
{
    sync_arena_init(&p->arena, p->memory, sizeof p->memory);
    sync_params_init(&p->params, &p->arena);
    sync_params_text(&p->params, place->scope);
    sync_params_text(&p->params, place->topic);
    sync_params_int4(&p->params, place->partition);
}

/* Runs inside the open transaction; the caller ends it. */
static sync_status topic_compare(struct sync_db *db, const char *topic, const char *cluster_id,
                                 int32_t partitions, struct sync_error *err)
{
    struct place_params p;
    sync_arena_init(&p.arena, p.memory, sizeof p.memory);
    sync_params_init(&p.params, &p.arena);
    sync_params_text(&p.params, topic);
    sync_params_text(&p.params, cluster_id);
    struct sync_params read = p.params;
    sync_params_int4(&p.params, partitions);
    SYNC_RESULT inserted = {0};
    SYNC_RESULT known = {0};
    sync_status status = sync_db_exec(db, &topic_insert, &p.params, &inserted, err);
    if (!sync_is_ok(status) || inserted.rows == 1) {
        return status;
    }
    status = sync_db_exec(db, &topic_read, &read, &known, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    SYNC_ASSERT(known.rows == 1);
    if (!sync_result_bool(&known, 0, 0)) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CLUSTER,
                         "claim %s: this is another cluster than the one the positions belong to; "
                         "correct kafka.bootstrap_servers or %s",
                         topic, sync_db_option(db));
    }
    int32_t before = sync_result_int4(&known, 0, 1);
    if (partitions < before) {
        return sync_fail(
            err, SYNC_CLASS_FATAL, SYNC_CODE_CLUSTER,
            "claim %s: it has %d partitions, it had %d, and a topic never shrinks: it was "
            "made anew; see docs/operators.md",
            topic, partitions, before);
    }
    if (partitions == before) {
        return SYNC_OK;
    }
    sync_params_init(&p.params, &p.arena);
    sync_params_text(&p.params, topic);
    sync_params_int4(&p.params, partitions);
    status = sync_db_exec(db, &topic_grow, &p.params, NULL, err);
    sync_params_int4(&p.params, before);
    return sync_is_ok(status) ? sync_db_exec(db, &owner_grow, &p.params, NULL, err) : status;
}

static const struct sync_txn_limits claim_limits = {.lock_timeout_ms = SYNC_DB_LOCK_CLAIM_MS,
                                                    .statement_timeout_ms = SYNC_DB_STATEMENT_MS};

sync_status sync_claim_topic(struct sync_db *db, const char *topic, const char *cluster_id,
                             int32_t partitions, struct sync_error *err)
{
    sync_status status = sync_txn_begin(db, &claim_limits, NULL, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = topic_compare(db, topic, cluster_id, partitions, err);
    if (!sync_is_ok(status)) {
        sync_txn_rollback(db);
        return status;
    }
    return sync_txn_commit(db, err);
}

sync_status sync_claim_exists(struct sync_db *db, const struct sync_place *place, bool *ret_exists,
                              struct sync_error *err)
{
    struct place_params p;
    place_params_init(&p, place);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &owner_exists, &p.params, &result, err);
    if (sync_is_ok(status)) {
        *ret_exists = result.rows == 1;
    }
    return status;
}

static void owner_of(const struct sync_result *result, struct sync_owner *ret_owner)
{
    *ret_owner = (struct sync_owner){.epoch = sync_result_int8(result, 0, 0),
                                     .position = sync_result_int8(result, 0, 1)};
    if (sync_result_is_null(result, 0, 2)) {
        return;
    }
    struct sync_bytes tail = sync_result_bytes(result, 0, 2);
    SYNC_ASSERT(tail.size == sizeof ret_owner->tail.bytes);
    memcpy(ret_owner->tail.bytes, tail.data, tail.size);
    ret_owner->has_tail = true;
}

/* Locks the owner row, then runs one statement that returns it, in a transaction of its own. */
static sync_status owner_exchange(struct sync_db *db, const struct place_params *place,
                                  const struct sync_call *call,
                                  const struct sync_txn_limits *limits,
                                  struct sync_owner *ret_owner, struct sync_error *err)
{
    struct sync_call calls[] = {{&owner_lock, &place->params}, *call};
    struct sync_result results[2];
    struct sync_owner owner = {0};
    sync_status status = sync_txn_begin_with(db, limits, calls, 2, results, NULL, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    bool found = results[1].rows == 1;
    if (found) {
        owner_of(&results[1], &owner);
    }
    sync_result_done(&results[0]);
    sync_result_done(&results[1]);
    if (!found) {
        sync_txn_rollback(db);
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                         "read the owner row: it is gone");
    }
    status = sync_txn_commit(db, err);
    if (sync_is_ok(status)) {
        *ret_owner = owner;
    }
    return status;
}

sync_status sync_claim_partition(struct sync_db *db, const struct sync_place *place, int64_t start,
                                 const char *holder, struct sync_owner *ret_owner,
                                 struct sync_error *err)
{
    struct place_params lock, p;
    place_params_init(&lock, place);
    place_params_init(&p, place);
    sync_params_int8(&p.params, start);
    sync_params_text(&p.params, holder);
    struct sync_call call = {&owner_claim, &p.params};
    return owner_exchange(db, &lock, &call, &claim_limits, ret_owner, err);
}

sync_status sync_gate_pass(struct sync_db *db, const struct sync_place *place,
                           const struct sync_gate *gate, bool *ret_passed, struct sync_error *err)
{
    struct place_params p;
    place_params_init(&p, place);
    sync_params_int8(&p.params, gate->epoch);
    sync_params_int8(&p.params, gate->first);
    sync_params_int8(&p.params, gate->last);
    sync_params_bytes(&p.params, (struct sync_bytes){gate->tail.bytes, sizeof gate->tail.bytes});
    SYNC_RESULT result = {0};
    sync_status status =
        sync_db_exec(db, gate->sparse ? &gate_pass_sparse : &gate_pass, &p.params, &result, err);
    if (sync_is_ok(status)) {
        *ret_passed = result.rows == 1;
    }
    return status;
}

sync_status sync_gate_share(struct sync_db *db, const struct sync_place *place, int64_t epoch,
                            bool *ret_mine, struct sync_error *err)
{
    struct place_params p;
    place_params_init(&p, place);
    sync_params_int8(&p.params, epoch);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &gate_share, &p.params, &result, err);
    if (sync_is_ok(status)) {
        *ret_mine = result.rows == 1;
    }
    return status;
}

sync_status sync_owner_read(struct sync_db *db, const struct sync_place *place,
                            struct sync_owner *ret_owner, struct sync_error *err)
{
    struct place_params p;
    place_params_init(&p, place);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &owner_read, &p.params, &result, err);
    if (sync_is_ok(status) && result.rows != 1) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                         "read the owner row of %s:%d: it is gone", place->topic, place->partition);
    }
    if (sync_is_ok(status)) {
        owner_of(&result, ret_owner);
    }
    return status;
}

sync_status sync_owner_settle(struct sync_db *db, const struct sync_place *place,
                              struct sync_owner *ret_owner, struct sync_error *err)
{
    static const struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_IN_DOUBT_MS,
                                                  .statement_timeout_ms =
                                                      SYNC_DB_STATEMENT_IN_DOUBT_MS};
    struct place_params p;
    place_params_init(&p, place);
    struct sync_call call = {&owner_read, &p.params};
    return owner_exchange(db, &p, &call, &limits, ret_owner, err);
}
