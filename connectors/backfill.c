/* Orders and progress of loads. Every statement names the capture, so that two loads never meet. */
#include "backfill.h"

#include <stdio.h>
#include <stdlib.h>

extern const struct backfill_load backfill_altinn2_delegation, backfill_altinn3_delegation;
const struct backfill_load *const backfill_loads[] = {&backfill_altinn2_delegation,
                                                      &backfill_altinn3_delegation, NULL};

static const char *const words[] = {"none", "planned", "running", "paused", "done", "cancelled"};
static const char *const action_words[] = {"start", "pause", "resume", "cancel"};

static const struct sync_statement look_statement = {
    "backfill_look", "SELECT table_name, cursor, state, rows_done, rows_sent, rows_total,"
                     " started_at, updated_at FROM sync.backfill WHERE capture = $1"
                     " ORDER BY table_name COLLATE \"C\""};
static const struct sync_statement forget_statement = {
    "backfill_forget", "WITH sent AS (DELETE FROM sync.backfill_sent WHERE capture = $1)"
                       " DELETE FROM sync.backfill WHERE capture = $1 AND table_name <> $2"};
/* A load that is under way is not begun anew; one that never began cannot be stopped. */
static const struct sync_statement open_statement = {
    "backfill_open",
    "SELECT count(*) FILTER (WHERE state IN ('planned', 'running', 'paused')),"
    " count(*) FILTER (WHERE state IN ('planned', 'running', 'paused') AND table_name <> $2),"
    " count(*) FILTER (WHERE state IN ('planned', 'running')),"
    " count(*) FILTER (WHERE state = 'paused')"
    " FROM (SELECT state, table_name FROM sync.backfill WHERE capture = $1 FOR UPDATE) b"};
static const struct sync_statement pause_statement = {
    "backfill_pause", "UPDATE sync.backfill SET state = 'paused', updated_at = now()"
                      " WHERE capture = $1 AND state IN ('planned', 'running')"};
static const struct sync_statement resume_statement = {
    "backfill_resume", "UPDATE sync.backfill SET state = 'running', updated_at = now(),"
                       " rate_max = nullif($2, 0)::int4"
                       " WHERE capture = $1 AND state = 'paused'"};
static const struct sync_statement cancel_statement = {
    "backfill_cancel", "UPDATE sync.backfill SET state = 'cancelled', updated_at = now()"
                       " WHERE capture = $1 AND state IN ('planned', 'running', 'paused')"};
static const struct sync_statement audit_statement = {
    "backfill_audit", "INSERT INTO sync.audit (at, actor, action, subject, reason)"
                      " VALUES (now(), $1, $2, $3, $4)"};

const char *backfill_action_word(enum backfill_action action)
{
    return action_words[action];
}

const char *backfill_state_word(enum backfill_state state)
{
    return words[state];
}

enum backfill_state backfill_state_of(struct sync_bytes word)
{
    for (size_t i = 1; i < sizeof words / sizeof words[0]; i++) {
        if (sync_bytes_equal(word, sync_bytes_text(words[i]))) {
            return (enum backfill_state)i;
        }
    }
    return BACKFILL_NONE;
}

const struct backfill_load *backfill_load_find(const char *capture)
{
    for (size_t i = 0; backfill_loads[i] != NULL; i++) {
        if (strcmp(backfill_loads[i]->capture, capture) == 0) {
            return backfill_loads[i];
        }
    }
    return NULL;
}

/* Looking. */

static void take_text(const struct sync_result *result, int row, int column,
                      char ret_text[static BACKFILL_NAME_SIZE])
{
    struct sync_bytes text = sync_result_bytes(result, row, column);
    (void)snprintf(ret_text, BACKFILL_NAME_SIZE, "%.*s", (int)text.size, (const char *)text.data);
}

static int64_t time_of(const struct sync_result *result, int row, int column)
{
    return sync_result_is_null(result, row, column) ? INT64_MIN
                                                    : sync_result_time(result, row, column);
}

static void take_part(const struct sync_result *result, int row, struct backfill_part *ret_part)
{
    take_text(result, row, 0, ret_part->name);
    take_text(result, row, 1, ret_part->cursor);
    ret_part->state = backfill_state_of(sync_result_bytes(result, row, 2));
    ret_part->rows_done = sync_result_int8(result, row, 3);
    ret_part->rows_sent = sync_result_int8(result, row, 4);
    ret_part->rows_total =
        sync_result_is_null(result, row, 5) ? -1 : sync_result_int8(result, row, 5);
    ret_part->started_us = time_of(result, row, 6);
    ret_part->updated_us = time_of(result, row, 7);
}

sync_status backfill_look(struct sync_db *db, const struct backfill_load *load,
                          struct backfill_part **ret_parts, size_t *ret_count,
                          struct sync_error *err)
{
    struct sync_params params;
    SYNC_RESULT result = {0};
    sync_params_init(&params, NULL);
    sync_params_text(&params, load->capture);
    sync_status status = sync_db_exec(db, &look_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct backfill_part *parts = calloc((size_t)result.rows + 1, sizeof *parts);
    if (!parts) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "look at the backfill: no memory");
    }
    for (int row = 0; row < result.rows; row++) {
        take_part(&result, row, &parts[row]);
    }
    *ret_parts = parts;
    *ret_count = (size_t)result.rows;
    return SYNC_OK;
}

/* Orders. */

static sync_status start(struct sync_db *db, const struct backfill_load *load, int64_t rate_max,
                         int64_t *ret_changed, struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, NULL);
    sync_params_text(&params, load->capture);
    sync_params_text(&params, load->standing);
    sync_status status = sync_db_exec(db, &forget_statement, &params, NULL, err);
    return sync_is_ok(status) ? load->plan(db, rate_max, ret_changed, err) : status;
}

static sync_status update(struct sync_db *db, const struct backfill_load *load,
                          const struct sync_statement *statement, const int64_t *rate_max,
                          int64_t *ret_changed, struct sync_error *err)
{
    uint8_t memory[64];
    struct sync_arena arena;
    struct sync_params params;
    SYNC_RESULT result = {0};
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, load->capture);
    if (rate_max != NULL) {
        sync_params_int8(&params, *rate_max);
    }
    sync_status status = sync_db_exec(db, statement, &params, &result, err);
    *ret_changed = result.affected;
    return status;
}

struct open_counts {
    int64_t open, hindering, going, paused; /* hindering: a new start */
};

static sync_status read_open(struct sync_db *db, const struct backfill_load *load,
                             struct open_counts *ret_counts, struct sync_error *err)
{
    struct sync_params params;
    SYNC_RESULT result = {0};
    sync_params_init(&params, NULL);
    sync_params_text(&params, load->capture);
    sync_params_text(&params, load->standing);
    sync_status status = sync_db_exec(db, &open_statement, &params, &result, err);
    if (sync_is_ok(status)) {
        *ret_counts =
            (struct open_counts){sync_result_int8(&result, 0, 0), sync_result_int8(&result, 0, 1),
                                 sync_result_int8(&result, 0, 2), sync_result_int8(&result, 0, 3)};
    }
    return status;
}

static sync_status refuse(enum backfill_action action, const char *why, struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_REFUSED, "%s the backfill: %s",
                     action_words[action], why);
}

static sync_status obey(struct sync_db *db, const struct backfill_load *load,
                        const struct backfill_order *order, int64_t *ret_changed,
                        struct sync_error *err)
{
    struct open_counts counts;
    sync_status status = read_open(db, load, &counts, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    switch (order->action) {
    case BACKFILL_START:
        return counts.hindering > 0 ? refuse(order->action, "one is open; cancel it first", err)
                                    : start(db, load, order->rate_max, ret_changed, err);
    case BACKFILL_PAUSE:
        return counts.going == 0 ? refuse(order->action, "none is going on", err)
                                 : update(db, load, &pause_statement, NULL, ret_changed, err);
    case BACKFILL_RESUME:
        return counts.paused == 0
                   ? refuse(order->action, "none is paused", err)
                   : update(db, load, &resume_statement, &order->rate_max, ret_changed, err);
    case BACKFILL_CANCEL:
        return counts.open == 0 ? refuse(order->action, "none is open", err)
                                : update(db, load, &cancel_statement, NULL, ret_changed, err);
    }
    return SYNC_OK;
}

static sync_status audit(struct sync_db *db, const struct backfill_load *load,
                         const struct backfill_order *order, struct sync_error *err)
{
    char action[64];
    struct sync_params params;
    (void)snprintf(action, sizeof action, "capture backfill %s", action_words[order->action]);
    sync_params_init(&params, NULL);
    sync_params_text(&params, order->actor);
    sync_params_text(&params, action);
    sync_params_text(&params, load->capture);
    sync_params_text(&params, order->reason);
    return sync_db_exec(db, &audit_statement, &params, NULL, err);
}

sync_status backfill_order(struct sync_db *db, const struct backfill_load *load,
                           const struct backfill_order *order, int64_t *ret_changed,
                           struct sync_error *err)
{
    int64_t now_us = 0;
    sync_status status = sync_txn_begin(db, &(struct sync_txn_limits){0}, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = obey(db, load, order, ret_changed, err);
    if (sync_is_ok(status)) {
        status = audit(db, load, order, err);
    }
    if (sync_is_ok(status)) {
        return sync_txn_commit(db, err);
    }
    sync_txn_rollback(db);
    return status;
}
