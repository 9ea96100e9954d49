/* What "status" shows, read from the sync tables and from the broker. Not here: how it looks. */
#include "status.h"

#include "../core/utf8.h"
#include "../runtime/clock.h"
#include "../runtime/route.h"

#include <string.h>

/* The order of these calls is the order of the results. */
enum {
    CALL_NOW,
    CALL_POSITIONS,
    CALL_OUTCOMES,
    CALL_TARGETS,
    CALL_OPEN,
    CALL_SOURCES,
    CALL_PAUSES,
    CALL_YIELDS,
    CALL_COUNT
};

static const struct sync_statement statements[CALL_COUNT] = {
    {"status_now", "SELECT now()"},
    {"status_positions", "SELECT scope, topic, partition, position, first_position"
                         " FROM sync.partition_owner ORDER BY scope, topic, partition"},
    {"status_outcomes", "SELECT scope, outcome, sum(n)::bigint FROM sync.outcome_count"
                        " GROUP BY scope, outcome ORDER BY scope, outcome"},
    {"status_targets", "SELECT target, state FROM sync.target ORDER BY target"},
    {"status_open", "SELECT target, state, count(*), min(created_at) FROM sync.outbox"
                    " WHERE state IN (0, 1) GROUP BY target, state"},
    {"status_sources",
     "SELECT s.name, coalesce(s.slot, ''), s.updated_at, r.slot_name IS NOT NULL, "
     "coalesce(r.active, false),"
     " coalesce(r.wal_status = 'lost', false),"
     " CASE WHEN pg_is_in_recovery() OR s.slot IS NULL OR r.confirmed_flush_lsn IS NULL THEN NULL"
     " ELSE greatest(0, pg_wal_lsn_diff(pg_current_wal_lsn(), r.confirmed_flush_lsn))::bigint END"
     " FROM sync.source s LEFT JOIN pg_replication_slots r ON r.slot_name = s.slot ORDER BY "
     "s.name"},
    {"status_pauses", "SELECT name, reason, changed_at FROM sync.pause ORDER BY name"},
    {"status_yields", "SELECT scope, yields_to, reason = 'batches_slow', since FROM sync.yield"
                      " WHERE seen_at > now() - $1::int8 * interval '1 millisecond'"},
};

/* These read every row that they count, and there may be millions: they are asked apart. */
enum { SLOW_HELD, SLOW_PARKED, SLOW_ENDED, SLOW_COUNT };

static const struct sync_statement slow_statements[SLOW_COUNT] = {
    {"status_held", "SELECT scope, count(*), min(since) FROM sync.hold GROUP BY scope"},
    {"status_parked", "SELECT scope, count(*), min(since) FROM sync.parked WHERE state = 0"
                      " GROUP BY scope"},
    {"status_ended", "SELECT target, state, count(*), NULL::timestamptz FROM sync.outbox"
                     " WHERE state NOT IN (0, 1) GROUP BY target, state"},
};

sync_status status_reader_open(const struct sync_cli *cli, const struct homes *homes,
                               struct status_reader *ret_reader, struct sync_error *err)
{
    memset(ret_reader, 0, sizeof *ret_reader);
    ret_reader->timeout_ms = cli->timeout_ms;
    ret_reader->homes = *homes;
    struct sync_kafka_options kafka = {.bootstrap = cli->config.kafka_bootstrap,
                                       .client_id = "altinn-sync-status",
                                       .dev = cli->config.dev,
                                       .properties = cli->config.kafka_properties};
    sync_status status = SYNC_OK;
    for (size_t i = 0; sync_is_ok(status) && i < homes->count; i++) {
        status = homes_open(&homes->items[i], "altinn-sync status", &ret_reader->dbs[i], err);
    }
    if (sync_is_ok(status)) {
        status = sync_kafka_looker_new(&kafka, &ret_reader->looker, err);
    }
    if (!sync_is_ok(status)) {
        status_reader_close(ret_reader);
    }
    return status;
}

void status_reader_close(struct status_reader *reader)
{
    sync_kafka_looker_free(&reader->looker);
    for (size_t i = 0; i < SYNC_HOMES_MAX; i++) {
        sync_db_free(&reader->dbs[i]);
    }
}

static void copy_text(struct sync_bytes text, char *ret_text, size_t size)
{
    (void)snprintf(ret_text, size, "%.*s", (int)text.size, (const char *)text.data);
}

/* Row of a scope, made at first sight; NULL when there are too many. */
static struct status_route *route_row(struct status_snapshot *snapshot, const char *scope,
                                      const char *home)
{
    for (size_t i = 0; i < snapshot->route_count; i++) {
        if (strcmp(snapshot->routes[i].scope, scope) == 0) {
            return &snapshot->routes[i];
        }
    }
    if (snapshot->route_count == STATUS_ROUTES_MAX) {
        return NULL;
    }
    const struct sync_processor *processor = NULL;
    struct status_route *row = &snapshot->routes[snapshot->route_count++];
    memset(row, 0, sizeof *row);
    (void)snprintf(row->scope, sizeof row->scope, "%s", scope);
    row->home = home;
    row->route = sync_route_find(scope, &processor);
    row->rate = -1;
    row->lag = STATUS_UNKNOWN;
    return row;
}

static struct status_target *target_row(struct status_snapshot *snapshot, struct sync_bytes name,
                                        const char *home)
{
    char text[64];
    copy_text(name, text, sizeof text);
    for (size_t i = 0; i < snapshot->target_count; i++) {
        if (strcmp(snapshot->targets[i].name, text) == 0 &&
            strcmp(snapshot->targets[i].home, home) == 0) {
            return &snapshot->targets[i];
        }
    }
    if (snapshot->target_count == STATUS_TARGETS_MAX) {
        return NULL;
    }
    struct status_target *row = &snapshot->targets[snapshot->target_count++];
    memset(row, 0, sizeof *row);
    memcpy(row->name, text, sizeof row->name);
    row->home = home;
    return row;
}

/* What one home answered. */
struct answer {
    const char *home;
    struct sync_result results[CALL_COUNT];
};

static struct status_route *row_of(struct status_snapshot *snapshot, const char *home,
                                   const struct sync_result *result, int row)
{
    char scope[96];
    copy_text(sync_result_bytes(result, row, 0), scope, sizeof scope);
    return route_row(snapshot, scope, home);
}

static struct status_route *row_at(struct status_snapshot *snapshot, const struct answer *answer,
                                   int call, int row)
{
    return row_of(snapshot, answer->home, &answer->results[call], row);
}

/* Every route of the home has a row, also before its first claim; what is read anew is 0. */
static void begin(struct status_snapshot *snapshot, const char *home)
{
    for (size_t i = 0; sync_processors[i] != NULL; i++) {
        bool here = strcmp(sync_processors[i]->home, home) == 0;
        for (size_t j = 0; here && j < sync_processors[i]->route_count; j++) {
            (void)route_row(snapshot, sync_processors[i]->routes[j].name, home);
        }
    }
    for (size_t i = 0; i < snapshot->route_count; i++) {
        struct status_route *row = &snapshot->routes[i];
        if (strcmp(row->home, home) == 0) {
            row->partitions = 0;
            row->applied_records = row->paused_us = row->yields_us = 0;
            memset(row->outcomes, 0, sizeof row->outcomes);
        }
    }
    for (size_t i = 0; i < snapshot->target_count; i++) {
        struct status_target *row = &snapshot->targets[i];
        if (strcmp(row->home, home) == 0) {
            row->effects[0] = row->effects[1] = 0;
            row->oldest_us = 0;
            row->state = 0;
        }
    }
}

static void take_positions(struct status_snapshot *snapshot, const struct answer *answer)
{
    const struct sync_result *result = &answer->results[CALL_POSITIONS];
    for (int i = 0; i < result->rows; i++) {
        struct status_route *row = row_at(snapshot, answer, CALL_POSITIONS, i);
        if (row != NULL) {
            row->partitions++;
            row->applied_records += sync_result_int8(result, i, 3) - sync_result_int8(result, i, 4);
        }
    }
}

static void take_outcomes(struct status_snapshot *snapshot, const struct answer *answer)
{
    const struct sync_result *result = &answer->results[CALL_OUTCOMES];
    for (int i = 0; i < result->rows; i++) {
        struct status_route *row = row_at(snapshot, answer, CALL_OUTCOMES, i);
        int outcome = sync_result_int4(result, i, 1);
        if (row != NULL && outcome >= 0 && outcome < SYNC_OUTCOME_COUNT) {
            row->outcomes[outcome] = sync_result_int8(result, i, 2);
        }
    }
}

static void take_waiting(struct status_snapshot *snapshot, const struct sync_result *held,
                         const struct sync_result *parked, const char *home)
{
    for (size_t i = 0; i < snapshot->route_count; i++) {
        struct status_route *row = &snapshot->routes[i];
        if (strcmp(row->home, home) == 0) {
            row->held = row->held_since_us = row->parked = row->parked_since_us = 0;
        }
    }
    for (int i = 0; i < held->rows; i++) {
        struct status_route *row = row_of(snapshot, home, held, i);
        if (row != NULL) {
            row->held = sync_result_int8(held, i, 1);
            row->held_since_us = sync_result_time(held, i, 2);
        }
    }
    for (int i = 0; i < parked->rows; i++) {
        struct status_route *row = row_of(snapshot, home, parked, i);
        if (row != NULL) {
            row->parked = sync_result_int8(parked, i, 1);
            row->parked_since_us = sync_result_time(parked, i, 2);
        }
    }
}

static void take_effects(struct status_snapshot *snapshot, const struct sync_result *result,
                         const char *home)
{
    for (int i = 0; i < result->rows; i++) {
        struct status_target *row = target_row(snapshot, sync_result_bytes(result, i, 0), home);
        int state = sync_result_int4(result, i, 1);
        if (row == NULL || state < 0 || state >= STATUS_EFFECT_STATES) {
            continue;
        }
        row->effects[state] = sync_result_int8(result, i, 2);
        int64_t oldest_us = sync_result_is_null(result, i, 3) ? 0 : sync_result_time(result, i, 3);
        if (oldest_us != 0 && (row->oldest_us == 0 || oldest_us < row->oldest_us)) {
            row->oldest_us = oldest_us;
        }
    }
}

static void take_targets(struct status_snapshot *snapshot, const struct answer *answer)
{
    const struct sync_result *result = &answer->results[CALL_TARGETS];
    for (int i = 0; i < result->rows; i++) {
        struct status_target *row =
            target_row(snapshot, sync_result_bytes(result, i, 0), answer->home);
        if (row != NULL) {
            row->state = sync_result_int4(result, i, 1);
        }
    }
}

static struct status_source *source_row(struct status_snapshot *snapshot, struct sync_bytes name)
{
    for (size_t i = 0; i < snapshot->source_count; i++) {
        if (sync_bytes_equal(name, sync_bytes_text(snapshot->sources[i].name))) {
            return &snapshot->sources[i];
        }
    }
    if (snapshot->source_count == STATUS_SOURCES_MAX) {
        return NULL;
    }
    struct status_source *row = &snapshot->sources[snapshot->source_count++];
    memset(row, 0, sizeof *row);
    copy_text(name, row->name, sizeof row->name);
    return row;
}

/* A home that does not answer keeps its rows; so a row is found by its name, which is the
 * capture's. */
static void take_sources(struct status_snapshot *snapshot, const struct sync_result *result)
{
    for (int i = 0; i < result->rows; i++) {
        struct status_source *row = source_row(snapshot, sync_result_bytes(result, i, 0));
        if (row == NULL) {
            return;
        }
        copy_text(sync_result_bytes(result, i, 1), row->slot, sizeof row->slot);
        row->updated_us = sync_result_time(result, i, 2);
        row->has_slot = sync_result_bool(result, i, 3);
        row->slot_active = sync_result_bool(result, i, 4);
        row->slot_lost = sync_result_bool(result, i, 5);
        row->behind_bytes =
            sync_result_is_null(result, i, 6) ? STATUS_UNKNOWN : sync_result_int8(result, i, 6);
    }
}

static void take_pauses(struct status_snapshot *snapshot, const struct sync_result *result)
{
    for (int i = 0; i < result->rows; i++) {
        struct sync_bytes name = sync_result_bytes(result, i, 0);
        struct status_route *row = NULL; /* never made here: the name may be a source's */
        for (size_t j = 0; j < snapshot->route_count && row == NULL; j++) {
            bool same = sync_bytes_equal(name, sync_bytes_text(snapshot->routes[j].scope));
            row = same ? &snapshot->routes[j] : NULL;
        }
        if (row != NULL) {
            row->paused_us = sync_result_time(result, i, 2);
            copy_text(sync_result_bytes(result, i, 1), row->pause_reason, sizeof row->pause_reason);
            sync_utf8_mend(row->pause_reason); /* it may be cut inside a character */
        }
    }
}

static void take_yields(struct status_snapshot *snapshot, const struct answer *answer)
{
    const struct sync_result *result = &answer->results[CALL_YIELDS];
    for (int i = 0; i < result->rows; i++) {
        struct status_route *row = row_at(snapshot, answer, CALL_YIELDS, i);
        if (row != NULL) {
            copy_text(sync_result_bytes(result, i, 1), row->yields_to, sizeof row->yields_to);
            row->yields_slow = sync_result_bool(result, i, 2);
            row->yields_us = sync_result_time(result, i, 3);
        }
    }
}

/* Position of every claimed partition against the end of its topic. */
struct ends {
    char topic[128];
    int32_t count; /* partitions asked for; 0 = could not be asked */
    int64_t offsets[256];
};

static int32_t partitions_of(const struct sync_result *positions, const char *topic)
{
    int32_t count = 0;
    for (int i = 0; i < positions->rows; i++) {
        char other[128];
        copy_text(sync_result_bytes(positions, i, 1), other, sizeof other);
        int32_t partition = sync_result_int4(positions, i, 2);
        if (strcmp(other, topic) == 0 && partition >= count && partition < 256) {
            count = partition + 1;
        }
    }
    return count;
}

static sync_status ask_ends(struct status_reader *reader, const struct sync_result *positions,
                            const char *topic, struct ends *ends, struct sync_error *err)
{
    if (strcmp(ends->topic, topic) == 0) {
        return SYNC_OK;
    }
    (void)snprintf(ends->topic, sizeof ends->topic, "%s", topic);
    ends->count = 0;
    int32_t count = partitions_of(positions, topic);
    sync_status status =
        sync_kafka_ends(reader->looker, topic, count, reader->timeout_ms, ends->offsets, err);
    if (sync_is_ok(status)) {
        ends->count = count;
    }
    return status;
}

/* The rows come ordered by scope and topic, so one topic is asked for at a time. */
static void read_lag(struct status_reader *reader, struct status_snapshot *snapshot,
                     const struct answer *answer)
{
    const struct sync_result *positions = &answer->results[CALL_POSITIONS];
    struct ends ends = {0};
    struct sync_error err;
    for (size_t i = 0; i < snapshot->route_count; i++) {
        if (strcmp(snapshot->routes[i].home, answer->home) == 0) {
            snapshot->routes[i].lag = STATUS_UNKNOWN;
        }
    }
    for (int i = 0; i < positions->rows; i++) {
        char topic[128];
        struct status_route *row = row_at(snapshot, answer, CALL_POSITIONS, i);
        int32_t partition = sync_result_int4(positions, i, 2);
        copy_text(sync_result_bytes(positions, i, 1), topic, sizeof topic);
        if (!sync_is_ok(ask_ends(reader, positions, topic, &ends, &err))) {
            (void)snprintf(snapshot->kafka_fault, sizeof snapshot->kafka_fault, "%s", err.text);
            return;
        }
        if (row != NULL && partition < ends.count) {
            int64_t behind = ends.offsets[partition] - sync_result_int8(positions, i, 3);
            row->lag = (row->lag == STATUS_UNKNOWN ? 0 : row->lag) + (behind > 0 ? behind : 0);
        }
    }
}

static void keep_rate(struct status_route *row, int64_t before, double seconds)
{
    if (seconds <= 0 || row->applied_records < before) {
        return;
    }
    row->rate = (double)(row->applied_records - before) / seconds;
    if (row->history_count == STATUS_HISTORY_MAX) {
        memmove(row->history, row->history + 1, sizeof row->history - sizeof row->history[0]);
        row->history_count--;
    }
    row->history[row->history_count++] = row->rate;
}

static void take_slow(struct status_snapshot *snapshot, const struct sync_result *results,
                      const char *home)
{
    take_waiting(snapshot, &results[SLOW_HELD], &results[SLOW_PARKED], home);
    for (size_t i = 0; i < snapshot->target_count; i++) {
        struct status_target *row = &snapshot->targets[i];
        for (int state = 2; strcmp(row->home, home) == 0 && state < STATUS_EFFECT_STATES; state++) {
            row->effects[state] = 0;
        }
    }
    take_effects(snapshot, &results[SLOW_ENDED], home);
}

/* No more often than a twentieth of the time goes into it: what was read before stands meanwhile.
 */
static sync_status read_slow(struct sync_db *db, const char *home, struct status_snapshot *snapshot,
                             struct sync_error *err)
{
    struct sync_call calls[SLOW_COUNT];
    struct sync_result results[SLOW_COUNT];
    for (int i = 0; i < SLOW_COUNT; i++) {
        calls[i] = (struct sync_call){&slow_statements[i], NULL};
    }
    sync_status status = sync_db_pipeline(db, calls, SLOW_COUNT, results, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    take_slow(snapshot, results, home);
    for (int i = 0; i < SLOW_COUNT; i++) {
        sync_result_done(&results[i]);
    }
    return SYNC_OK;
}

static void take(struct status_snapshot *snapshot, const struct answer *answer)
{
    snapshot->now_us = sync_result_time(&answer->results[CALL_NOW], 0, 0);
    take_positions(snapshot, answer);
    take_outcomes(snapshot, answer);
    take_targets(snapshot, answer);
    take_effects(snapshot, &answer->results[CALL_OPEN], answer->home);
    take_sources(snapshot, &answer->results[CALL_SOURCES]);
    take_pauses(snapshot, &answer->results[CALL_PAUSES]);
    take_yields(snapshot, answer);
}

static sync_status read_home(struct status_reader *reader, size_t home, bool slow,
                             struct status_snapshot *snapshot, struct sync_error *err)
{
    struct sync_call calls[CALL_COUNT];
    struct answer answer = {.home = reader->homes.items[home].name};
    uint8_t memory[64];
    struct sync_arena arena;
    struct sync_params stale;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&stale, &arena);
    sync_params_int8(&stale, SYNC_YIELD_STALE_MS);
    for (int i = 0; i < CALL_COUNT; i++) {
        calls[i] = (struct sync_call){&statements[i], i == CALL_YIELDS ? &stale : NULL};
    }
    sync_status status = sync_db_connect(reader->dbs[home], err);
    if (sync_is_ok(status)) {
        status = sync_db_pipeline(reader->dbs[home], calls, CALL_COUNT, answer.results, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    begin(snapshot, answer.home);
    take(snapshot, &answer);
    read_lag(reader, snapshot, &answer);
    for (int i = 0; i < CALL_COUNT; i++) {
        sync_result_done(&answer.results[i]);
    }
    return slow ? read_slow(reader->dbs[home], answer.home, snapshot, err) : SYNC_OK;
}

static sync_status read_homes(struct status_reader *reader, struct status_snapshot *snapshot,
                              struct sync_error *err)
{
    int64_t start_us = sync_clock_monotonic_us();
    bool slow = start_us >= reader->slow_next_us;
    size_t answered = 0;
    sync_status status = SYNC_OK;
    snapshot->database_fault[0] = snapshot->kafka_fault[0] = '\0';
    for (size_t i = 0; i < reader->homes.count; i++) {
        struct sync_error own = {0};
        sync_status one = read_home(reader, i, slow, snapshot, &own);
        answered += sync_is_ok(one);
        if (!sync_is_ok(one) && sync_is_ok(status)) {
            status = one;
            *err = own;
            (void)snprintf(snapshot->database_fault, sizeof snapshot->database_fault, "%s%s%.200s",
                           reader->homes.shown ? reader->homes.items[i].name : "",
                           reader->homes.shown ? ": " : "", own.text);
        }
    }
    if (slow) {
        reader->slow_next_us = start_us + 20 * (sync_clock_monotonic_us() - start_us);
    }
    return answered > 0 ? SYNC_OK : status;
}

sync_status status_read(struct status_reader *reader, struct status_snapshot *snapshot,
                        struct sync_error *err)
{
    int64_t before[STATUS_ROUTES_MAX] = {0};
    size_t known = snapshot->route_count;
    for (size_t i = 0; i < known; i++) {
        before[i] = snapshot->routes[i].applied_records;
    }
    snapshot->homes_shown = reader->homes.shown;
    sync_status status = read_homes(reader, snapshot, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    int64_t tick_us = sync_clock_monotonic_us();
    double seconds = reader->last_tick_us == 0 ? 0 : (double)(tick_us - reader->last_tick_us) / 1e6;
    reader->last_tick_us = tick_us;
    for (size_t i = 0; i < known; i++) {
        keep_rate(&snapshot->routes[i], before[i], seconds);
    }
    return SYNC_OK;
}
