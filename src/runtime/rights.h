/*
 * What a role must be allowed to, as rows; and which of them it is not. Not here: granting
 * (examples/sql/grants.sql).
 */
#ifndef SYNC_RUNTIME_RIGHTS_H
#define SYNC_RUNTIME_RIGHTS_H
#include "postgres.h"

/* One right on a table. columns: names without quotes, joined by ','; NULL = the whole table. */
struct sync_right {
    const char *schema, *table, *columns;
    const char *privilege; /* SELECT, INSERT, UPDATE or DELETE */
};

/* What every consumer does with the common tables; ended by a NULL schema. */
extern const struct sync_right sync_rights_common[];

#define SYNC_RIGHT_TEXT 320
#define SYNC_RIGHTS_MAX 256 /* rows after columns are taken apart */
/*
 * Which of the rights the role of this connection lacks, one text per table: "SELECT, INSERT (rule)
 * ON sync.hold"; for a table that does not exist "no table sync.hold".
 * Owns: ret_texts belongs to the caller.  Fails: as sync_db_exec.
 */
sync_status sync_rights_missing(struct sync_db *db, const struct sync_right *rights,
                                char (*ret_texts)[SYNC_RIGHT_TEXT], size_t max, size_t *ret_count,
                                struct sync_error *err);
#endif
