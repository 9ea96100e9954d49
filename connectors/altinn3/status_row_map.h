/*
 * What an inserted row of Altinn 3's two history tables means: a status change, or nothing for us.
 * Pure. Not here: the Altinn 2 id, which the row does not carry, numbering, and who wrote it
 * (capture.c).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_STATUS_ROW_MAP_H
#define SYNC_CONNECTORS_ALTINN3_STATUS_ROW_MAP_H

#include "row_plan.h"
#include <altinn_sync/correspondence_status.h>

enum status_row_table { STATUS_ROW_STATUSES, STATUS_ROW_DELETE_EVENTS };
enum status_row_column {
    STATUS_ROW_MESSAGE,
    STATUS_ROW_KIND,
    STATUS_ROW_TIME,
    STATUS_ROW_PARTY,
    STATUS_ROW_SYNCED,
    STATUS_ROW_COLUMN_COUNT,
};

extern const struct row_tables status_row_tables; /* by enum status_row_table */

enum status_row_fate {
    STATUS_ROW_PUBLISH,
    STATUS_ROW_OWN_WRITE,  /* "SyncedFromAltinn2" is set: Altinn 2 had it first */
    STATUS_ROW_OTHER_KIND, /* not a fact, or one that the other table reports */
};

/*
 * Maps one inserted row. ret_change receives message, kind, time and party, and only when ret_fate
 * is PUBLISH. Owns: ret_change holds no pointers into row.  Blocks: no. Fails: FATAL protocol when
 * the row does not fit its relation.
 */
sync_status status_row_map(const struct row_plan *plan, const struct pgoutput_tuple *row,
                           enum status_row_fate *ret_fate, struct status_change *ret_change,
                           struct sync_error *err);

#endif
