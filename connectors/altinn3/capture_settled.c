/* Marks of the log, and when nothing below them is open any more. */
#include "capture_settled.h"

#include "pgoutput.h"

/*
 * Two statements, because a statement takes its snapshot before it evaluates anything: a
 * transaction that began between the two would write below the position and not be waited for. The
 * mark is the flushed position: what lies behind it is lost with the server, and its numbers are
 * given out again. The end is the inserted one: an asynchronous commit is seen before it is
 * written.
 */
static const struct sync_statement position_statement = {"capture_moment_position",
                                                         "SELECT pg_current_wal_flush_lsn()::text"};
static const struct sync_statement snapshot_statement = {
    "capture_moment_snapshot",
    "SELECT pg_snapshot_xmin(s)::text::int8, pg_snapshot_xmax(s)::text::int8,"
    " pg_current_wal_insert_lsn()::text FROM pg_current_snapshot() s"};

sync_status capture_moment_ask(struct sync_db *db, struct capture_moment *ret_moment,
                               struct sync_error *err)
{
    const struct sync_call calls[] = {{&position_statement, NULL}, {&snapshot_statement, NULL}};
    struct sync_result results[2] = {{0}};
    sync_status status = sync_db_pipeline(db, calls, 2, results, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct capture_moment moment = {.xmin = (uint64_t)sync_result_int8(&results[1], 0, 0),
                                    .xmax = (uint64_t)sync_result_int8(&results[1], 0, 1)};
    bool good = pgoutput_lsn_parse(sync_result_bytes(&results[0], 0, 0), &moment.lsn) &&
                pgoutput_lsn_parse(sync_result_bytes(&results[1], 0, 2), &moment.end_lsn);
    sync_result_done(&results[0]);
    sync_result_done(&results[1]);
    SYNC_ASSERT(good); /* the server's own text */
    *ret_moment = moment;
    return SYNC_OK;
}

void capture_settled_begin(struct capture_settled *settled, uint64_t lsn)
{
    settled->marks[0] = (struct capture_mark){.lsn = lsn, .xmax = 0, .ended_lsn = lsn};
    settled->count = 1;
}

void capture_settled_note(struct capture_settled *settled, const struct capture_moment *moment)
{
    for (size_t i = 0; i < settled->count; i++) {
        struct capture_mark *mark = &settled->marks[i];
        if (mark->ended_lsn == 0 && moment->xmin >= mark->xmax) {
            mark->ended_lsn = moment->end_lsn;
        }
    }
    if (settled->count < CAPTURE_MARKS_MAX) {
        bool ended = moment->xmin >= moment->xmax; /* nothing runs at all */
        settled->marks[settled->count++] =
            (struct capture_mark){moment->lsn, moment->xmax, ended ? moment->end_lsn : 0};
    }
}

/* The marks below the newest that counts are of no more use. */
static uint64_t keep_from(struct capture_settled *settled, size_t at)
{
    settled->count -= at;
    memmove(settled->marks, settled->marks + at, settled->count * sizeof settled->marks[0]);
    return settled->marks[0].lsn;
}

uint64_t capture_settled_delivered(struct capture_settled *settled, uint64_t delivered_lsn)
{
    for (size_t i = settled->count; i-- > 0;) {
        const struct capture_mark *mark = &settled->marks[i];
        if (mark->ended_lsn != 0 && mark->ended_lsn <= delivered_lsn) {
            return keep_from(settled, i);
        }
    }
    return 0;
}

uint64_t capture_settled_visible(struct capture_settled *settled, uint64_t xmin)
{
    for (size_t i = settled->count; i-- > 0;) {
        if (settled->marks[i].xmax <= xmin) {
            return keep_from(settled, i);
        }
    }
    return 0;
}
