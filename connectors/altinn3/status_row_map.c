/* Rows to changes. */
#include "status_row_map.h"

static const struct row_column status_columns[STATUS_ROW_COLUMN_COUNT] = {
    [STATUS_ROW_MESSAGE] = {"CorrespondenceId", ROW_UUID, false},
    [STATUS_ROW_KIND] = {"Status", ROW_INTEGER, false},
    [STATUS_ROW_TIME] = {"StatusChanged", ROW_TIME, false},
    [STATUS_ROW_PARTY] = {"PartyUuid", ROW_UUID, false},
    [STATUS_ROW_SYNCED] = {"SyncedFromAltinn2", ROW_TIME, true},
};
static const struct row_column event_columns[STATUS_ROW_COLUMN_COUNT] = {
    [STATUS_ROW_MESSAGE] = {"CorrespondenceId", ROW_UUID, false},
    [STATUS_ROW_KIND] = {"EventType", ROW_INTEGER, false},
    [STATUS_ROW_TIME] = {"EventOccurred", ROW_TIME, false},
    [STATUS_ROW_PARTY] = {"PartyUuid", ROW_UUID, false},
    [STATUS_ROW_SYNCED] = {"SyncedFromAltinn2", ROW_TIME, true},
};
static const struct row_table tables[] = {
    [STATUS_ROW_STATUSES] = {"correspondence", "CorrespondenceStatuses", status_columns,
                             STATUS_ROW_COLUMN_COUNT},
    [STATUS_ROW_DELETE_EVENTS] = {"correspondence", "CorrespondenceDeleteEvents", event_columns,
                                  STATUS_ROW_COLUMN_COUNT},
};
const struct row_tables status_row_tables = {tables, sizeof tables / sizeof tables[0],
                                             "connectors/altinn3/sql/publication.sql"};

/*
 * Event types 1 and 2 are left out: the status row of the same purge is published already, and a
 * purge must not be reported twice.
 */
static bool find_kind(enum status_row_table table, int32_t number, int32_t *ret_kind)
{
    static const struct {
        enum status_row_table table;
        int32_t number, kind;
    } rows[] = {
        {STATUS_ROW_STATUSES, 4, STATUS_READ},
        {STATUS_ROW_STATUSES, 6, STATUS_CONFIRMED},
        {STATUS_ROW_STATUSES, 7, STATUS_PURGED_BY_RECIPIENT},
        {STATUS_ROW_STATUSES, 8, STATUS_PURGED_BY_OWNER},
        {STATUS_ROW_STATUSES, 9, STATUS_ARCHIVED},
        {STATUS_ROW_DELETE_EVENTS, 3, STATUS_SOFT_DELETED},
        {STATUS_ROW_DELETE_EVENTS, 4, STATUS_RESTORED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].table == table && rows[i].number == number) {
            *ret_kind = rows[i].kind;
            return true;
        }
    }
    return false;
}

sync_status status_row_map(const struct row_plan *plan, const struct pgoutput_tuple *row,
                           enum status_row_fate *ret_fate, struct status_change *ret_change,
                           struct sync_error *err)
{
    sync_status status = row_check(plan, row, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    int32_t kind = 0;
    if (!find_kind((enum status_row_table)plan->table, row_integer(plan, row, STATUS_ROW_KIND),
                   &kind)) {
        *ret_fate = STATUS_ROW_OTHER_KIND;
        return SYNC_OK;
    }
    if (!row_is_null(plan, row, STATUS_ROW_SYNCED)) {
        *ret_fate = STATUS_ROW_OWN_WRITE;
        return SYNC_OK;
    }
    *ret_change = (struct status_change){
        .has_altinn3_id = true,
        .altinn3_id = row_uuid(plan, row, STATUS_ROW_MESSAGE),
        .mode = STATUS_LIVE,
        .kind = kind,
        .occurred_at_us = row_time_us(plan, row, STATUS_ROW_TIME),
        .party = row_uuid(plan, row, STATUS_ROW_PARTY),
    };
    *ret_fate = STATUS_ROW_PUBLISH;
    return SYNC_OK;
}
