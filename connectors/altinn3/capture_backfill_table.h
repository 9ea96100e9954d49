/*
 * The rows of sync.backfill: how far each table of a load is, what is under way, what was sent. Not
 * here: reading the tables, producing (capture_backfill.h), what operators order (../backfill.h).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_BACKFILL_TABLE_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_BACKFILL_TABLE_H

#include "../backfill.h"
#include "capture_entity.h"

/* One table. Numbers are of rows; times µs since 1970, INT64_MIN = none. */
struct backfill_table {
    enum backfill_state state;
    struct sync_uuid snapshot_id;
    struct sync_uuid cursor; /* zero: at the beginning */
    bool has_chunk;          /* rows are under way; the next four are theirs */
    struct sync_uuid chunk_end;
    int64_t chunk_rows, first_row, low_position;
    int64_t rows_done, rows_sent, rows_total; /* total: an estimate, -1 = none */
    int64_t rate_max;                         /* rows per second; 0 = none */
    int64_t started_us, updated_us;
};

/* All tables of an entity, in its order. ret_tables has CAPTURE_TABLES_MAX elements. Fails: as
 * sync_db_exec. */
sync_status backfill_read(struct sync_db *db, const struct capture_entity *entity,
                          struct backfill_table *ret_tables, struct sync_error *err);

/* A chunk that was read and is to be sent. */
struct backfill_chunk {
    const char *table;
    struct sync_uuid end; /* the last id read */
    size_t rows;          /* read */
    const struct sync_uuid *ids;
    size_t count; /* to be sent */
    int64_t low_position, high_position;
    /* Counts by partition and target, each pair once. */
    const int32_t *partitions;
    const struct capture_target *targets;
    const int64_t *counts;
    size_t pair_count;
};

/*
 * Writes down what is about to be sent and takes its numbers, before anything is sent: whoever goes
 * on after a crash sends exactly that. ret_going is false when an operator has stopped the table
 * meanwhile; nothing is written then. Fails: as sync_db_exec; the commit may be in doubt, and then
 * the table must be read again.
 */
sync_status backfill_plan(struct sync_db *db, const struct capture_entity *entity,
                          const struct backfill_chunk *chunk, struct sync_arena *arena,
                          int64_t *ret_first_row, bool *ret_going, struct sync_error *err);
/* It is delivered. Fails: as sync_db_exec; may be repeated. */
sync_status backfill_delivered(struct sync_db *db, const struct capture_entity *entity,
                               const char *table, int64_t rows_sent, struct sync_error *err);
/* The table is loaded. Fails: as sync_db_exec; may be repeated. */
sync_status backfill_finish(struct sync_db *db, const struct capture_entity *entity,
                            const char *table, struct sync_error *err);

/*
 * What was sent per partition, for the targets behind one: kind, id, partition, count, in that
 * order; targets that a partition has nothing of count 0. At most 200 targets.
 */
sync_status backfill_sent_read(struct sync_db *db, const struct capture_entity *entity,
                               const struct capture_target *after, int32_t partition_count,
                               struct sync_result *ret_result, struct sync_error *err);
/* The same of all targets together: partition, count. */
sync_status backfill_total_read(struct sync_db *db, const struct capture_entity *entity,
                                int32_t partition_count, struct sync_result *ret_result,
                                struct sync_error *err);

/* Says roughly how many rows a table has. Fails: as sync_db_exec; may be repeated. */
sync_status backfill_estimate(struct sync_db *db, const struct capture_entity *entity,
                              const struct capture_table *table, struct sync_error *err);

/* Plans every table, in the caller's transaction. Fails: as sync_db_exec. */
sync_status backfill_begin(struct sync_db *db, const struct capture_entity *entity,
                           int64_t rate_max, int64_t *ret_tables, struct sync_error *err);

#endif
