/* The tables of exports. Not here: what a row says. */
#include "delegation_export.h"

#include "delegation_parts.h"

static const struct sync_statement begin_statement = {
    "delegation_export_begin",
    "WITH added AS (INSERT INTO sync.export (snapshot_id, snapshot_pos) VALUES ($1, $2)"
    " ON CONFLICT (snapshot_id) DO NOTHING RETURNING snapshot_pos)"
    " SELECT e.snapshot_pos, coalesce(b.state, '') FROM (SELECT snapshot_pos FROM added"
    "  UNION ALL SELECT snapshot_pos FROM sync.export WHERE snapshot_id = $1 LIMIT 1) AS e"
    " LEFT JOIN sync.backfill AS b ON b.snapshot_id = $1"
    " AND b.capture = '" DELEGATION_CAPTURE "'"};
static const struct sync_statement number_statement = {
    "delegation_export_number",
    "INSERT INTO sync.export_row (snapshot_id, row_id, partition, resource)"
    " SELECT DISTINCT ON (n.id) $1, n.id, n.partition, n.resource"
    " FROM unnest($2::uuid[], $3::int[], $4::text[]) AS n (id, partition, resource) ORDER BY n.id"
    " ON CONFLICT (snapshot_id, row_id) DO NOTHING"};
static const struct sync_statement read_statement = {
    "delegation_export_read",
    "SELECT n.place, r.row_number FROM unnest($2::uuid[]) WITH ORDINALITY AS n (id, place)"
    " JOIN sync.export_row AS r ON r.snapshot_id = $1 AND r.row_id = n.id"};
static const struct sync_statement store_statement = {
    "delegation_export_store",
    "WITH new AS (UPDATE sync.export_row SET stored = true"
    " WHERE snapshot_id = $1 AND row_id = ANY ($2) AND NOT stored RETURNING resource, partition),"
    " load AS (UPDATE sync.backfill AS b SET rows_done = rows_done + n.rows,"
    "  rows_sent = rows_sent + n.rows, updated_at = now()"
    "  FROM (SELECT count(*) AS rows FROM new) AS n"
    "  WHERE b.capture = '" DELEGATION_CAPTURE "' AND b.snapshot_id = $1 AND n.rows > 0)"
    " INSERT INTO sync.export_count AS c (snapshot_id, resource, partition, rows)"
    " SELECT $1, resource, partition, count(*) FROM new GROUP BY resource, partition"
    " ON CONFLICT (snapshot_id, resource, partition) DO UPDATE SET rows = c.rows + excluded.rows"};
static const struct sync_statement end_statement = {
    "delegation_export_end", "UPDATE sync.backfill SET state = 'done', updated_at = now()"
                             " WHERE capture = '" DELEGATION_CAPTURE "' AND snapshot_id = $1"
                             " AND state IN ('planned', 'running', 'paused')"};
static const struct sync_statement count_statement = {
    "delegation_export_count",
    "SELECT partition, rows FROM sync.export_count WHERE snapshot_id = $1 AND resource = $2"};

sync_status delegation_export_begin(struct resolver *resolver, const struct sync_uuid *snapshot_id,
                                    int64_t position, struct delegation_export_place *ret_place,
                                    struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_uuid(&params, snapshot_id);
    sync_params_int8(&params, position);
    SYNC_RESULT result = {0};
    sync_status status = resolver_exec(resolver, &begin_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "begin an export");
    }
    if (result.rows != 1) { /* made by another connection at the same moment: look again */
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT,
                         "begin an export: it is begun twice at once");
    }
    *ret_place = (struct delegation_export_place){
        sync_result_int8(&result, 0, 0), backfill_state_of(sync_result_bytes(&result, 0, 1))};
    return SYNC_OK;
}

sync_status delegation_export_number(struct resolver *resolver, const struct sync_uuid *snapshot_id,
                                     const struct delegation_export_rows *rows,
                                     int64_t *ret_numbers, struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_uuid(&params, snapshot_id);
    sync_params_uuid_array(&params, rows->ids, NULL, rows->count);
    sync_params_int4_array(&params, rows->partitions, NULL, rows->count);
    sync_params_text_array(&params, rows->resources, rows->count);
    sync_status status = resolver_exec(resolver, &number_statement, &params, NULL, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "number rows of an export");
    }
    params = resolver_params(resolver);
    sync_params_uuid(&params, snapshot_id);
    sync_params_uuid_array(&params, rows->ids, NULL, rows->count);
    SYNC_RESULT result = {0};
    status = resolver_exec(resolver, &read_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "number rows of an export");
    }
    if (result.rows != (int)rows->count) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_ROW_GONE,
                         "number rows of an export: somebody removes them");
    }
    for (int row = 0; row < result.rows; row++) {
        int64_t place = sync_result_int8(&result, row, 0);
        SYNC_ASSERT(place >= 1 && place <= (int64_t)rows->count);
        ret_numbers[place - 1] = sync_result_int8(&result, row, 1);
    }
    return SYNC_OK;
}

sync_status delegation_export_store(struct resolver *resolver, const struct sync_uuid *snapshot_id,
                                    const struct sync_uuid *row_ids, size_t count,
                                    struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_uuid(&params, snapshot_id);
    sync_params_uuid_array(&params, row_ids, NULL, count);
    sync_status status = resolver_exec(resolver, &store_statement, &params, NULL, err);
    return sync_is_ok(status) ? status : sync_wrap(err, "count rows of an export");
}

sync_status delegation_export_end(struct resolver *resolver, const struct sync_uuid *snapshot_id,
                                  struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_uuid(&params, snapshot_id);
    sync_status status = resolver_exec(resolver, &end_statement, &params, NULL, err);
    return sync_is_ok(status) ? status : sync_wrap(err, "end an export");
}

sync_status delegation_export_count(struct resolver *resolver, const struct sync_uuid *snapshot_id,
                                    const char *resource, int64_t *ret_counts, int64_t *ret_total,
                                    struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_uuid(&params, snapshot_id);
    sync_params_text(&params, resource);
    SYNC_RESULT result = {0};
    sync_status status = resolver_exec(resolver, &count_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "count rows of an export");
    }
    int64_t total = 0;
    for (int row = 0; row < result.rows; row++) {
        int32_t partition = sync_result_int4(&result, row, 0);
        int64_t count = sync_result_int8(&result, row, 1);
        if (partition >= 0 && partition < EXPORT_PARTITIONS_MAX) {
            ret_counts[partition] = count;
        }
        total += count;
    }
    *ret_total = total;
    return SYNC_OK;
}
