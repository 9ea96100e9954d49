/*
 * Exports in the home database: where one began, the numbers of its rows, and how many of them the
 * broker has. One thread. Not here: records, answers.
 */
#ifndef SYNC_ALTINN2_DELEGATION_EXPORT_H
#define SYNC_ALTINN2_DELEGATION_EXPORT_H
#include "../backfill.h"
#include "resolver.h"

#define EXPORT_PARTITIONS_MAX 256 /* = SYNC_KAFKA_PARTITIONS_MAX */

/* Where an export began, and what operators say of its load: NONE when it is part of none. */
struct delegation_export_place {
    int64_t position;
    enum backfill_state state;
};
/*
 * The position of an export: the one given, at the first call for this id, else the one recorded
 * then.
 * Fails: as resolver_exec.
 */
sync_status delegation_export_begin(struct resolver *resolver, const struct sync_uuid *snapshot_id,
                                    int64_t position, struct delegation_export_place *ret_place,
                                    struct sync_error *err);

/* Rows of one call: id by content, partition of the topic, resource. */
struct delegation_export_rows {
    const struct sync_uuid *ids;
    const int32_t *partitions;
    const struct sync_bytes *resources;
    size_t count;
};
/* A number for each row, committed: a row that came before has the number that it got then. */
sync_status delegation_export_number(struct resolver *resolver, const struct sync_uuid *snapshot_id,
                                     const struct delegation_export_rows *rows,
                                     int64_t *ret_numbers, struct sync_error *err);

/* The broker has acknowledged these rows: from now on they count. */
sync_status delegation_export_store(struct resolver *resolver, const struct sync_uuid *snapshot_id,
                                    const struct sync_uuid *row_ids, size_t count,
                                    struct sync_error *err);

/* The broker has the end of an export: the part of the load is done. Fails: as resolver_exec. */
sync_status delegation_export_end(struct resolver *resolver, const struct sync_uuid *snapshot_id,
                                  struct sync_error *err);

/* Stored rows of a resource by partition; ret_counts has EXPORT_PARTITIONS_MAX. Returns the sum. */
sync_status delegation_export_count(struct resolver *resolver, const struct sync_uuid *snapshot_id,
                                    const char *resource, int64_t *ret_counts, int64_t *ret_total,
                                    struct sync_error *err);
#endif
