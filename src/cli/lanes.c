/*
 * "lanes list" and "lanes open TARGET": what waits for outside targets, and letting it go again
 * after a target was closed or stopped, or once a route exists. Not here: sending
 * (src/runtime/sender.c).
 */
#include "homes.h"

#include "../core/limits.h"
#include "../runtime/digest.h"
#include "../runtime/route.h"
#include "../runtime/store.h"
#include "../runtime/time_text.h"
#include "../runtime/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CELL           160
#define CELLS          10
#define ARENA_BYTES    (1024 * 1024) /* one step of SYNC_LOAD_ROWS_MAX effects */
#define REASON_MAX     500
#define OVER_WAITS_MAX 300 /* of 100 ms: no transaction of ours is open so long */
#define TARGET_CLOSED  2

static const struct sync_statement list_statement = {
    "cli_lanes",
    "SELECT coalesce(o.target, t.target), CASE coalesce(t.state, 0) WHEN 0 THEN 'open' WHEN 1 THEN "
    "'stopped'"
    "       ELSE 'closed' END, coalesce(o.waiting, 0), coalesce(o.sent, 0), coalesce(o.parked, 0),"
    "       coalesce(o.closed, 0), coalesce(o.no_route, 0), coalesce(o.age, 0), t.changed_at, "
    "t.reason"
    "  FROM (SELECT target, count(*) FILTER (WHERE state = 0) AS waiting, count(*) FILTER (WHERE "
    "state = 1) AS sent,"
    "               count(*) FILTER (WHERE state = 4) AS parked, count(*) FILTER (WHERE state = 5) "
    "AS closed,"
    "               count(*) FILTER (WHERE state = 6) AS no_route,"
    "               floor(extract(epoch FROM now() - min(created_at) FILTER (WHERE state IN (0, "
    "1))))::int8 AS age"
    "          FROM sync.outbox GROUP BY target) AS o"
    "  FULL JOIN sync.target AS t ON t.target = o.target ORDER BY 1"};

/* $2: rows without a route from that time on; null = none. */
static const struct sync_statement count_statement = {
    "cli_lane_count",
    "SELECT coalesce((SELECT state FROM sync.target WHERE target = $1), 0::smallint),"
    "       (SELECT count(*) FROM sync.outbox WHERE target = $1 AND state = 5),"
    "       (SELECT count(*) FROM sync.outbox WHERE target = $1 AND state = 6 AND created_at >= "
    "$2::timestamptz)"};

static const struct sync_statement topic_statement = {
    "cli_lane_topic", "SELECT partitions FROM sync.topic WHERE topic = $1"};

static const struct sync_statement open_statement = {
    "cli_lane_open",
    "UPDATE sync.target SET state = 0, reason = $2, changed_by = $3, changed_at = now()"
    " WHERE target = $1 AND state <> 0"};

static const struct sync_statement audit_statement = {
    "cli_lane_audit",
    "INSERT INTO sync.audit (at, actor, action, subject, reason, detail)"
    " VALUES (now(), $3, 'lanes open', $1, $2,"
    "  jsonb_build_object('closed', $4::int8, 'no_route', $5::int8, 'since', $6::timestamptz))"};

static const struct sync_statement step_statement = {
    "cli_lane_step",
    "SELECT effect_id, name, entity_key FROM sync.outbox"
    " WHERE NOT EXISTS (SELECT FROM sync.target AS t WHERE t.target = $1 AND t.state = 2)"
    " AND target = $1 AND (state = 5 OR (state = 6 AND created_at >= $2::timestamptz))"
    " ORDER BY seq LIMIT $3"};

/* Whether every transaction that was there when the target was opened is over. */
static const struct sync_statement over_statement = {
    "cli_lane_over", "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::int8 > $1"};

static const struct sync_statement mark_statement = {"cli_lane_mark",
                                                     "SELECT pg_current_xact_id()::text::int8"};

/* In their order: seq stays. What had no route stands with whoever decided it, or in its lane
 * already, when only the way to the target was missing. */
static const struct sync_statement wait_statement = {
    "cli_lane_wait",
    "UPDATE sync.outbox AS o SET state = 0, attempt = 0, not_before = now(), ended_at = NULL,"
    "       scope = CASE o.state WHEN 6 THEN $3 ELSE o.scope END, topic = CASE o.state WHEN 6 THEN "
    "$4 ELSE o.topic END,"
    "       partition = CASE WHEN o.state = 6 AND (o.scope, o.topic) <> ($3, $4) THEN d.partition "
    "ELSE o.partition END"
    "  FROM unnest($1::uuid[], $2::int[]) AS d (effect_id, partition)"
    " WHERE o.effect_id = d.effect_id AND o.state IN (5, 6)"};

/* What the command line asks for. */
struct wish {
    const char *target, *reason;
    bool has_since;
    int64_t since_us;
    char actor[SYNC_CLI_ACTOR];
};

/* Where effects of the target wait. */
struct lane {
    struct sync_home home;
    const struct sync_lane_store *store;
    const struct sync_route *route;
    int32_t partitions;
};

struct opening {
    struct sync_db *db;
    struct sync_arena arena;
    struct wish wish;
    struct lane lane;
    int64_t state, closed, no_route; /* as the preview found them */
    int64_t mark;                    /* transaction id taken once the target was open */
    int64_t stepped;                 /* effects of the last step */
    uint8_t memory[ARENA_BYTES];
};

static void close_opening(struct opening **opening)
{
    if (*opening) {
        sync_db_free(&(*opening)->db);
        free(*opening);
    }
}

static void put_cell(const struct sync_result *result, int row, int column,
                     char ret_cell[static CELL])
{
    ret_cell[0] = '\0';
    if (sync_result_is_null(result, row, column)) {
        return;
    }
    if (column >= 2 && column <= 7) {
        (void)snprintf(ret_cell, CELL, "%" PRId64, sync_result_int8(result, row, column));
    } else if (column == 8) {
        sync_time_format(sync_result_time(result, row, column), 0, ret_cell);
    } else {
        struct sync_bytes text = sync_result_bytes(result, row, column);
        (void)snprintf(ret_cell, CELL, "%.*s", (int)text.size, (const char *)text.data);
    }
}

static sync_status list_home(const struct homes *homes, const struct sync_home *home,
                             struct sync_table *table, struct sync_error *err)
{
    struct sync_db *db = NULL;
    SYNC_RESULT result = {0};
    sync_status status = homes_open(home, "altinn-sync", &db, err);
    status = sync_is_ok(status) ? sync_db_exec(db, &list_statement, NULL, &result, err) : status;
    sync_db_free(&db);
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        char cells[CELLS][CELL];
        const char *texts[CELLS + 1] = {NULL};
        for (int column = 0; column < CELLS; column++) {
            put_cell(&result, row, column, cells[column]);
            texts[column] = cells[column];
        }
        homes_row(table, homes, home, texts);
    }
    return status;
}

int sync_cli_lanes_list(struct sync_cli *cli, int argc, char **argv)
{
    static const char *const columns[] = {"TARGET",  "STATE",   "#WAITING",  "#SENT",
                                          "#PARKED", "#CLOSED", "#NO_ROUTE", "#OLDEST_S",
                                          "CHANGED", "REASON",  NULL};
    struct homes homes;
    int wrong = homes_take(cli, "lanes list", &argc, argv, &homes);
    wrong = wrong == 0 ? sync_cli_arguments("lanes list", argc, argv, 0, 0) : wrong;
    if (wrong != 0) {
        return wrong;
    }
    struct sync_table *table = homes_table(&homes, columns);
    int code = SYNC_EXIT_OK;
    for (size_t i = 0; i < homes.count; i++) {
        struct sync_error err = {0};
        if (!sync_is_ok(list_home(&homes, &homes.items[i], table, &err))) {
            code = homes_fail(&homes, &homes.items[i], &err);
        }
    }
    return homes_print(cli, &homes, &table, code);
}

/* Open -------------------------------------------------------------------------------------------
 */

static int read_wish(int argc, char **argv, struct wish *ret_wish)
{
    const char *since = NULL;
    bool has_since = sync_cli_flag(&argc, argv, "--since", &since);
    (void)sync_cli_flag(&argc, argv, "--reason",
                        &ret_wish->reason); /* absent and empty are the same fault */
    int wrong = sync_cli_arguments("lanes open", argc, argv, 1, 1);
    if (wrong != 0) {
        return wrong;
    }
    if (!ret_wish->reason || ret_wish->reason[0] == '\0' || strlen(ret_wish->reason) > REASON_MAX) {
        return sync_cli_usage(
            "lanes open", "--reason needs a text of 1 to %d characters; it is stored", REASON_MAX);
    }
    ret_wish->has_since = has_since;
    if (has_since && (!since || !sync_time_parse(sync_bytes_text(since), &ret_wish->since_us))) {
        return sync_cli_usage("lanes open", "--since needs a time such as 2025-03-04T09:00:00Z");
    }
    ret_wish->target = argv[0];
    sync_cli_actor(ret_wish->actor);
    return 0;
}

/* Lanes of one target stand in one home, or in several: then the person says which. */
static int find_lane(const struct homes *homes, const char *target, struct lane *ret_lane)
{
    size_t found = 0;
    for (size_t i = 0; i < homes->count; i++) {
        for (size_t j = 0; sync_processors[j] != NULL; j++) {
            const struct sync_processor *processor = sync_processors[j];
            const struct sync_route *route = sync_route_to(processor, target);
            if (route != NULL && strcmp(processor->home, homes->items[i].name) == 0) {
                ret_lane->route = route;
                ret_lane->store = sync_lane_store_find(processor->store, target);
                ret_lane->home = homes->items[i];
                found++;
            }
        }
    }
    if (found > 1) {
        return sync_cli_usage("lanes open", "several homes have lanes of %.40s; add --home NAME",
                              target);
    }
    if (found == 1 && ret_lane->store != NULL) {
        return 0;
    }
    struct sync_error err = {0};
    (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_NOT_FOUND,
                    "open lanes of \"%s\": no route of this program ends there; see "
                    "\"altinn-sync lanes list\"",
                    target);
    return sync_cli_fail(&err);
}

/* What waits for a way to the target would only wait on. */
static int check_reachable(const struct sync_cli *cli, const struct opening *opening)
{
    const struct sync_lane_store *store = opening->lane.store;
    if (!opening->wish.has_since || store->reachable == NULL || store->reachable(&cli->config)) {
        return 0;
    }
    struct sync_error err = {0};
    (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_REFUSED,
                    "open lanes of %s: this configuration names no way there, so what has no route "
                    "would never leave; set it in section bridge first",
                    opening->wish.target);
    return sync_cli_fail(&err);
}

static void put_since(struct sync_params *params, const struct wish *wish)
{
    if (wish->has_since) {
        sync_params_time(params, wish->since_us);
    } else {
        sync_params_text(params, NULL);
    }
}

static sync_status read_preview(struct opening *opening, struct sync_error *err)
{
    struct sync_params params;
    sync_arena_reset(&opening->arena, 0);
    sync_params_init(&params, &opening->arena);
    sync_params_text(&params, opening->wish.target);
    put_since(&params, &opening->wish);
    SYNC_RESULT counts = {0};
    sync_status status = sync_db_exec(opening->db, &count_statement, &params, &counts, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    opening->state = sync_result_int8(&counts, 0, 0);
    opening->closed = sync_result_int8(&counts, 0, 1);
    opening->no_route = sync_result_int8(&counts, 0, 2);
    sync_params_init(&params, &opening->arena);
    sync_params_text(&params, sync_route_lane_topic(opening->lane.route));
    SYNC_RESULT topic = {0};
    status = sync_db_exec(opening->db, &topic_statement, &params, &topic, err);
    if (sync_is_ok(status) && topic.rows == 1) {
        opening->lane.partitions = sync_result_int4(&topic, 0, 0);
    }
    if (sync_is_ok(status) && opening->no_route > 0 && opening->lane.partitions == 0) {
        return sync_fail(
            err, SYNC_CLASS_FATAL, SYNC_CODE_REFUSED,
            "open lanes of %s: the number of partitions of %s is not known yet; start %s once",
            opening->wish.target, sync_route_lane_topic(opening->lane.route),
            opening->lane.route->name);
    }
    return status;
}

static sync_status in_transaction(struct opening *opening,
                                  sync_status (*work)(struct opening *, struct sync_error *),
                                  struct sync_error *err)
{
    int64_t now_us = 0;
    sync_arena_reset(&opening->arena, 0);
    sync_status status = sync_txn_begin(opening->db, &(struct sync_txn_limits){0}, &now_us, err);
    status = sync_is_ok(status) ? work(opening, err) : status;
    if (sync_is_ok(status)) {
        return sync_txn_commit(opening->db, err);
    }
    sync_txn_rollback(opening->db);
    return status;
}

/* First, so that the sender of a closed target does not close again what starts to wait. */
static sync_status open_target(struct opening *opening, struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, &opening->arena);
    sync_params_text(&params, opening->wish.target);
    sync_params_text(&params, opening->wish.reason);
    sync_params_text(&params, opening->wish.actor);
    sync_status status = sync_db_exec(opening->db, &open_statement, &params, NULL, err);
    sync_params_int8(&params, opening->closed);
    sync_params_int8(&params, opening->no_route);
    put_since(&params, &opening->wish);
    return sync_is_ok(status) ? sync_db_exec(opening->db, &audit_statement, &params, NULL, err)
                              : status;
}

/* After the commit: who looked before it has a smaller number, because the gate gives it. */
static sync_status take_mark(struct opening *opening, struct sync_error *err)
{
    SYNC_RESULT mark = {0};
    sync_status status = sync_db_exec(opening->db, &mark_statement, NULL, &mark, err);
    if (sync_is_ok(status)) {
        opening->mark = sync_result_int8(&mark, 0, 0);
    }
    return status;
}

/* What one step lets wait again; empty when nothing is left. */
struct step {
    struct sync_uuid *ids;
    int32_t *partitions;
    struct sync_key *keys;
    const char **names;
    size_t count;
};

static sync_status read_step(struct opening *opening, struct step *ret_step, struct sync_error *err)
{
    struct sync_arena *arena = &opening->arena;
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_text(&params, opening->wish.target);
    put_since(&params, &opening->wish);
    sync_params_int8(&params, SYNC_LOAD_ROWS_MAX);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(opening->db, &step_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    size_t count = (size_t)result.rows;
    struct step step = {.ids = sync_arena_take_array(arena, count + 1, sizeof *step.ids),
                        .partitions =
                            sync_arena_take_array(arena, count + 1, sizeof *step.partitions),
                        .keys = sync_arena_take_array(arena, count + 1, sizeof *step.keys),
                        .names = sync_arena_take_array(arena, count + 1, sizeof *step.names),
                        .count = count};
    bool full = !step.ids || !step.partitions || !step.keys || !step.names;
    for (size_t i = 0; i < count && !full; i++) {
        struct sync_bytes key = sync_result_bytes(&result, (int)i, 2);
        step.ids[i] = sync_result_uuid(&result, (int)i, 0);
        step.names[i] =
            (const char *)sync_arena_copy(arena, sync_result_bytes(&result, (int)i, 1)).data;
        step.keys[i].size = key.size < sizeof step.keys[i].text ? key.size : 0;
        memcpy(step.keys[i].text, key.data, step.keys[i].size);
        step.partitions[i] =
            opening->lane.partitions > 0 ? sync_digest_partition(key, opening->lane.partitions) : 0;
        full = !step.names[i];
    }
    if (full) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "open lanes: the arena is full");
    }
    *ret_step = step;
    return SYNC_OK;
}

/* Entity rows first, then the outbox, as everywhere. */
static sync_status open_step(struct opening *opening, struct sync_error *err)
{
    struct step step = {.count = 0};
    sync_status status = read_step(opening, &step, err);
    opening->stepped = sync_is_ok(status) ? (int64_t)step.count : 0;
    if (!sync_is_ok(status) || step.count == 0) {
        return status;
    }
    if (opening->lane.store->reopened != NULL) {
        status = opening->lane.store->reopened(opening->db, step.keys, step.names, step.count,
                                               &opening->arena, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_params params;
    sync_params_init(&params, &opening->arena);
    sync_params_uuid_array(&params, step.ids, NULL, step.count);
    sync_params_int4_array(&params, step.partitions, NULL, step.count);
    sync_params_text(&params, opening->lane.route->name);
    sync_params_text(&params, sync_route_lane_topic(opening->lane.route));
    return sync_db_exec(opening->db, &wait_statement, &params, NULL, err);
}

static sync_status open_steps(struct opening *opening, int64_t *count, struct sync_error *err)
{
    sync_status status = SYNC_OK;
    do {
        opening->stepped = 0;
        status = in_transaction(opening, open_step, err);
        *count += sync_is_ok(status) ? opening->stepped : 0;
    } while (sync_is_ok(status) && opening->stepped > 0);
    return status;
}

static sync_status is_over(struct opening *opening, bool *ret_over, struct sync_error *err)
{
    struct sync_params params;
    SYNC_RESULT result = {0};
    sync_arena_reset(&opening->arena, 0);
    sync_params_init(&params, &opening->arena);
    sync_params_int8(&params, opening->mark);
    sync_status status = sync_db_exec(opening->db, &over_statement, &params, &result, err);
    if (sync_is_ok(status)) {
        *ret_over = sync_result_bool(&result, 0, 0);
    }
    return status;
}

/*
 * A batch that looked before the target was opened may still store effects as closed: it is waited
 * for, then what it stored is let go as well.
 */
static sync_status open_all(struct opening *opening, int64_t *ret_count, struct sync_error *err)
{
    static const struct timespec pause = {.tv_nsec = 100 * 1000000L};
    bool over = false;
    sync_status status = in_transaction(opening, open_target, err);
    if (sync_is_ok(status)) {
        status = take_mark(opening, err);
    }
    for (int i = 0; sync_is_ok(status) && !over; i++) {
        if (i > 0) {
            (void)nanosleep(&pause, NULL); /* woken early: looked again early */
        }
        status = is_over(opening, &over, err);
        if (sync_is_ok(status)) {
            status = open_steps(opening, ret_count, err);
        }
        if (sync_is_ok(status) && !over && i >= OVER_WAITS_MAX) {
            return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_TIMEOUT,
                             "open lanes of %s: another transaction is open since before; it may "
                             "still store closed effects, so run this again when it is over",
                             opening->wish.target);
        }
    }
    return status;
}

static void print_preview(const struct opening *opening)
{
    const char *since = opening->wish.has_since ? "" : " (none without --since)";
    (void)fprintf(stderr,
                  "target %s is %s\n  %" PRId64 " closed effects would wait again\n  %" PRId64
                  " effects without a route would wait%s\n",
                  opening->wish.target, sync_target_word((int)opening->state), opening->closed,
                  opening->no_route, since);
}

static int open_lanes(struct sync_cli *cli, struct opening *opening)
{
    struct sync_error err = {0};
    sync_arena_init(&opening->arena, opening->memory, sizeof opening->memory);
    sync_status status = homes_open(&opening->lane.home, "altinn-sync", &opening->db, &err);
    status = sync_is_ok(status) ? read_preview(opening, &err) : status;
    if (!sync_is_ok(status)) {
        return sync_cli_fail(&err);
    }
    print_preview(opening);
    if (opening->state == 0 && opening->closed == 0 && opening->no_route == 0) {
        (void)fprintf(stderr, "nothing to open\n");
        return SYNC_EXIT_OK;
    }
    if (!sync_cli_confirm(cli, "Open it?")) {
        return SYNC_EXIT_REFUSED;
    }
    int64_t count = 0;
    status = open_all(opening, &count, &err);
    if (sync_is_ok(status)) {
        status = read_preview(opening, &err);
    }
    if (!sync_is_ok(status)) {
        return sync_cli_fail(&err);
    }
    if (opening->state == TARGET_CLOSED) {
        (void)fprintf(stderr, "%s is closed again: it answered once more that it is gone\n",
                      opening->wish.target);
        return SYNC_EXIT_PARTLY;
    }
    (void)printf("opened %s, %" PRId64 " effects wait again\n", opening->wish.target, count);
    return SYNC_EXIT_OK;
}

int sync_cli_lanes_open(struct sync_cli *cli, int argc, char **argv)
{
    __attribute__((cleanup(close_opening))) struct opening *opening = calloc(1, sizeof *opening);
    SYNC_ASSERT(opening != NULL);
    struct homes homes;
    int wrong = homes_take(cli, "lanes open", &argc, argv, &homes);
    wrong = wrong == 0 ? read_wish(argc, argv, &opening->wish) : wrong;
    wrong = wrong == 0 ? find_lane(&homes, opening->wish.target, &opening->lane) : wrong;
    wrong = wrong == 0 ? check_reachable(cli, opening) : wrong;
    return wrong != 0 ? wrong : open_lanes(cli, opening);
}
