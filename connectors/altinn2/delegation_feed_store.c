/* The feed's rows in the home database. Not here: what they mean. */
#include "delegation_feed_store.h"

#include <stdio.h>
#include <stdlib.h>

static const struct sync_statement read_statement = {
    "feed_read",
    "SELECT s.generation, s.sequence_base, coalesce(s.continuation, ''),"
    " coalesce(s.feed_highest, 0), coalesce(s.feed_gaps::text, '[]'),"
    " EXISTS (SELECT FROM sync.source_gap AS g WHERE g.name = s.name AND g.closed_at IS NULL),"
    " b.state, coalesce(b.cursor, ''), coalesce(b.low_pos, 0), coalesce(b.high_pos, 0),"
    " coalesce(b.rows_done, 0)"
    " FROM sync.source AS s"
    " LEFT JOIN sync.backfill AS b ON b.capture = s.name AND b.table_name = '" FEED_TABLE "'"
    " WHERE s.name = $1"};
static const struct sync_statement load_statement = {
    "feed_load", "SELECT state FROM sync.backfill"
                 " WHERE capture = $1 AND table_name = '" FEED_TABLE "'"};
static const struct sync_statement begin_statement = {
    "feed_begin",
    "WITH load AS (INSERT INTO sync.backfill"
    " (capture, table_name, cursor, state, low_pos, high_pos, rows_total, started_at, updated_at)"
    " VALUES ($1, '" FEED_TABLE "', $3, CASE WHEN $4 > 0 THEN 'running' ELSE 'done' END, 0, $4,"
    " $4, now(), now())"
    " ON CONFLICT (capture, table_name) DO NOTHING)"
    " UPDATE sync.source SET continuation = $2, updated_at = now() WHERE name = $1"};
static const struct sync_statement live_statement = {
    "feed_checkpoint", "UPDATE sync.source SET continuation = $2, feed_highest = $3,"
                       " feed_gaps = $4::jsonb, updated_at = now() WHERE name = $1"};
static const struct sync_statement loaded_statement = {
    "feed_loaded", "UPDATE sync.backfill SET cursor = $2, low_pos = $3, rows_done = rows_done + $4,"
                   " state = CASE WHEN $5 THEN 'done' ELSE state END, updated_at = now()"
                   " WHERE capture = $1 AND table_name = '" FEED_TABLE "'"};
static const struct sync_statement gap_statement = {
    "feed_gap", "INSERT INTO sync.source_gap (name, opened_at, from_position, to_position, reason)"
                " VALUES ($1, now(), $2, $3, $4)"};

static void take_text(const struct sync_result *result, int column, char *ret_text, size_t size)
{
    struct sync_bytes text = sync_result_bytes(result, 0, column);
    (void)snprintf(ret_text, size, "%.*s", (int)text.size, (const char *)text.data);
}

static enum feed_load load_of(const struct sync_result *result, int column)
{
    char state[16] = "";
    if (sync_result_is_null(result, 0, column)) {
        return FEED_LOAD_NONE;
    }
    take_text(result, column, state, sizeof state);
    return strcmp(state, "done") == 0                                       ? FEED_LOAD_DONE
           : strcmp(state, "running") == 0 || strcmp(state, "planned") == 0 ? FEED_LOAD_RUNNING
                                                                            : FEED_LOAD_PAUSED;
}

sync_status feed_state_read(struct resolver *resolver, const char *source,
                            struct feed_state *ret_state, struct sync_error *err)
{
    struct resolver_run ignored; /* asked for its side effect: the row is there afterwards */
    sync_status status = resolver_position(resolver, &ignored, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_params params = resolver_params(resolver);
    sync_params_text(&params, source);
    SYNC_RESULT result = {0};
    status = resolver_exec(resolver, &read_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "read the checkpoint of the role feed");
    }
    if (result.rows != 1) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_ROW_GONE,
                         "read the checkpoint of the role feed: the row in sync.source is gone");
    }
    ret_state->generation = sync_result_int4(&result, 0, 0);
    ret_state->sequence_base = sync_result_int8(&result, 0, 1);
    take_text(&result, 2, ret_state->link, sizeof ret_state->link);
    ret_state->highest = sync_result_int8(&result, 0, 3);
    feed_gaps_read(sync_result_bytes(&result, 0, 4), &ret_state->gaps);
    ret_state->stopped = sync_result_bool(&result, 0, 5);
    ret_state->load = load_of(&result, 6);
    take_text(&result, 7, ret_state->load_link, sizeof ret_state->load_link);
    ret_state->load_low = sync_result_int8(&result, 0, 8);
    ret_state->load_high = sync_result_int8(&result, 0, 9);
    ret_state->load_rows = sync_result_int8(&result, 0, 10);
    return SYNC_OK;
}

sync_status feed_load_read(struct resolver *resolver, const char *source, enum feed_load *ret_load,
                           struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_text(&params, source);
    SYNC_RESULT result = {0};
    sync_status status = resolver_exec(resolver, &load_statement, &params, &result, err);
    if (sync_is_ok(status)) {
        *ret_load = result.rows == 1 ? load_of(&result, 0) : FEED_LOAD_NONE;
    }
    return status;
}

sync_status feed_load_begin(struct resolver *resolver, const char *source, const char *link,
                            const struct feed_state *state, struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_text(&params, source);
    sync_params_text(&params, link);
    sync_params_text(&params, state->load_link);
    sync_params_int8(&params, state->load_high);
    sync_status status = resolver_exec(resolver, &begin_statement, &params, NULL, err);
    return sync_is_ok(status) ? status : sync_wrap(err, "begin the first load of the role feed");
}

static sync_status store_live(struct resolver *resolver, const char *source,
                              const struct feed_state *live, struct sync_error *err)
{
    char *gaps = feed_gaps_write(&live->gaps);
    if (!gaps) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "store a checkpoint: no memory");
    }
    struct sync_params params = resolver_params(resolver);
    sync_params_text(&params, source);
    sync_params_text(&params, live->link);
    sync_params_int8(&params, live->highest);
    sync_params_text(&params, gaps);
    sync_status status = resolver_exec(resolver, &live_statement, &params, NULL, err);
    free(gaps);
    return status;
}

sync_status feed_checkpoint_store(struct resolver *resolver, const char *source,
                                  const struct feed_checkpoint *checkpoint, struct sync_error *err)
{
    sync_status status = SYNC_OK;
    if (checkpoint->live) {
        status = store_live(resolver, source, checkpoint->live, err);
    }
    /* A crash between the two repeats rows of the count of progress, and nothing else. */
    if (sync_is_ok(status) && checkpoint->load) {
        struct sync_params params = resolver_params(resolver);
        sync_params_text(&params, source);
        sync_params_text(&params, checkpoint->load->load_link);
        sync_params_int8(&params, checkpoint->load->load_low);
        sync_params_int8(&params, checkpoint->rows);
        sync_params_bool(&params, checkpoint->done);
        status = resolver_exec(resolver, &loaded_statement, &params, NULL, err);
    }
    return sync_is_ok(status) ? status : sync_wrap(err, "store a checkpoint of the role feed");
}

sync_status feed_gap_open(struct resolver *resolver, const char *source, const char *from,
                          const char *to, const char *reason, struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_text(&params, source);
    sync_params_text(&params, from);
    sync_params_text(&params, to);
    sync_params_text(&params, reason);
    sync_status status = resolver_exec(resolver, &gap_statement, &params, NULL, err);
    return sync_is_ok(status) ? status : sync_wrap(err, "record a gap of the role feed");
}
