/*
 * The capture "altinn3-status": inserts into the two history tables of correspondence, published
 * under the Altinn 2 id of their message. Not here: what a row means (status_row_map.c), the
 * look-up of ids (capture_resolver.c).
 */
#include "../status_record.h"
#include "capture_entity.h"
#include "capture_metrics.h"
#include "capture_resolver.h"
#include "status_row_map.h"

#include <core/limits.h>
#include <runtime/log.h>

#define NAME       "altinn3-status"
#define QUEUE_ROWS 8192 /* 2 MiB; some tenths of a second of a busy source */

static const struct sync_statement publication_statement = {
    "capture_publication_status",
    "SELECT count(*) = 2 FROM pg_publication p JOIN pg_publication_tables t"
    " ON t.pubname = p.pubname WHERE p.pubname = $1::text AND p.pubinsert"
    " AND t.rowfilter IS NULL AND t.schemaname = 'correspondence'"
    " AND t.tablename IN ('CorrespondenceStatuses', 'CorrespondenceDeleteEvents')"};

static sync_status read_row(void *reader, const struct row_plan *plan,
                            const struct pgoutput_message *message, enum capture_fate *ret_fate,
                            void *ret_row, struct sync_error *err)
{
    static const enum capture_fate fates[] = {[STATUS_ROW_PUBLISH] = CAPTURE_FATE_ROW,
                                              [STATUS_ROW_OWN_WRITE] = CAPTURE_FATE_OWN_WRITE,
                                              [STATUS_ROW_OTHER_KIND] = CAPTURE_FATE_OTHER};
    enum status_row_fate fate = STATUS_ROW_OTHER_KIND;
    (void)reader; /* rows stand by themselves */
    if (message->type != PGOUTPUT_INSERT) {
        *ret_fate = CAPTURE_FATE_OTHER; /* rows are never changed */
        return SYNC_OK;
    }
    sync_status status = status_row_map(plan, &message->row, &fate, ret_row, err);
    *ret_fate = fates[fate];
    return status;
}

static void open_desk(void *desk, const struct sync_config *config, struct sync_db *db)
{
    (void)config;
    ((struct capture_resolver *)desk)->db = db;
}

/* One query answers all changes of a message alike, so that the order of a message is kept. */
static sync_status resolve(void *desk, struct capture_item *items, size_t count,
                           struct sync_error *err)
{
    static struct sync_uuid ids[CAPTURE_ITEMS_MAX]; /* of the one poll thread */
    static enum capture_answer answers[CAPTURE_ITEMS_MAX];
    static int32_t altinn2_ids[CAPTURE_ITEMS_MAX];
    static const enum capture_verdict verdicts[] = {[CAPTURE_FOUND] = CAPTURE_READY,
                                                    [CAPTURE_NO_COUNTERPART] = CAPTURE_DROPPED,
                                                    [CAPTURE_UNRESOLVED] = CAPTURE_WAITING};
    for (size_t i = 0; i < count; i++) {
        ids[i] = ((const struct status_change *)items[i].row)->altinn3_id;
    }
    sync_status status = capture_resolve(desk, ids, count, answers, altinn2_ids, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        struct status_change *change = items[i].row;
        items[i].verdict = verdicts[answers[i]];
        items[i].reason = "no_counterpart";
        change->has_altinn2_id = answers[i] == CAPTURE_FOUND;
        change->altinn2_id = answers[i] == CAPTURE_FOUND ? altinn2_ids[i] : 0;
    }
    return SYNC_OK;
}

/* CS-10: a message that nobody knows is published by its own id. */
static void expire(void *desk, struct capture_item *item)
{
    (void)desk;
    item->verdict = CAPTURE_READY;
    capture_count_unresolved();
    sync_log(SYNC_WARN, "message_unresolved", SYNC_LOG_TEXT("rule", "CS-10"));
}

static sync_status make(void *desk, const struct capture_item *item, unsigned part,
                        const struct capture_letter *letter, struct capture_record *ret_record,
                        struct sync_error *err)
{
    struct status_record record;
    struct status_change change = *(const struct status_change *)item->row;
    (void)desk;
    (void)part; /* there is one */
    change.source = (struct status_source){1, letter->stream, item->sequence};
    change.captured_at_us = item->committed_us;
    sync_status status = status_record_make(letter->schema, &change, letter->arena, &record, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    *ret_record = (struct capture_record){.present = true,
                                          .key = record.key,
                                          .value = record.value,
                                          .header_count = record.header_count};
    memcpy(ret_record->headers, record.headers, record.header_count * sizeof record.headers[0]);
    return SYNC_OK;
}
_Static_assert(STATUS_RECORD_HEADERS_MAX <= CAPTURE_HEADERS_MAX, "the headers of a record fit");

extern const struct capture_entity capture_status;
const struct capture_entity capture_status = {
    .name = NAME,
    .stream = NAME,
    .processor = &sync_processor_correspondence_status,
    .slot_option = "capture.slot",
    .publication_option = "capture.publication",
    .slot_at = offsetof(struct sync_config, capture_slot),
    .publication_at = offsetof(struct sync_config, capture_publication),
    .publication_statement = &publication_statement,
    .published = "all inserts of both history tables",
    .tables = &status_row_tables,
    .drops_own_writes = true,
    .parts = 1,
    .wait_ms = SYNC_CAPTURE_UNRESOLVED_MS,
    .row_size = sizeof(struct status_change),
    .queue_rows = QUEUE_ROWS,
    .read = read_row,
    .desk_size = sizeof(struct capture_resolver),
    .open = open_desk,
    .resolve = resolve,
    .expire = expire,
    .make = make,
};
