/* Exports: their calls in the stream thread. Not here: their tables (delegation_export.c). */
#include "delegation_make_export.h"

#include "../delegation_control.h"
#include "../delegation_record.h"
#include "delegation_answer.h"
#include "delegation_export.h"

#include <inttypes.h>
#include <runtime/digest.h>
#include <runtime/id.h>
#include <runtime/log.h>
#include <stdio.h>
#include <stdlib.h>

/* What is left of a call once its records are on their way: who they were. */
struct exported {
    struct delegation_call call;
    size_t count;
    struct sync_uuid rows[];
};

static void refuse(struct delegation_capture *capture, struct push *push, int code,
                   const char *detail, int64_t number)
{
    char text[160];
    (void)snprintf(text, sizeof text, "%s%" PRId64, detail, number);
    push_end(&capture->shell->pushes, push, code, NULL, text);
}

static sync_status answer_begin(struct delegation_capture *capture, struct push *push,
                                const struct resolver_run *run, struct sync_error *err)
{
    const struct delegation_call *call = push->content;
    struct delegation_export_place place;
    sync_status status = delegation_export_begin(capture->resolver, &call->place.snapshot_id,
                                                 run->first, &place, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    push->body = delegation_answer_number("snapshotPos", place.position);
    if (!push->body) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "answer a call: no memory");
    }
    push_answer_stored(&capture->shell->pushes, push);
    push_release(&capture->shell->pushes, push);
    return SYNC_OK;
}

/*
 * A row counts as of its position. One above every number handed out would beat what is said
 * later, so it is refused; and an export has one position.
 */
static sync_status check_position(struct delegation_capture *capture, struct push *push,
                                  const struct resolver_run *run, bool *ret_good,
                                  struct sync_error *err)
{
    const struct delegation_call *call = push->content;
    struct delegation_export_place place;
    int64_t given = call->place.snapshot_pos;
    *ret_good = false;
    if (given > run->first) {
        refuse(capture, push, 400,
               "the position of an export lies at or below the newest number, which is ",
               run->first);
        return SYNC_OK;
    }
    sync_status status =
        delegation_export_begin(capture->resolver, &call->place.snapshot_id, given, &place, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (place.position != given) {
        refuse(capture, push, 409, "this export began at another position: ", place.position);
    } else if (place.state == BACKFILL_PAUSED) {
        push_end(&capture->shell->pushes, push, 503, NULL, "the load is paused; send it again");
    } else if (place.state == BACKFILL_CANCELLED) {
        push_end(&capture->shell->pushes, push, 410, NULL, "the load is cancelled");
    } else {
        *ret_good = true;
    }
    return SYNC_OK;
}

/* Rows. */

/* A row is known by what it says: a repeat is the same row, whenever it comes. */
static sync_status identify(const struct delegation_capture *capture, struct delegation_plan *plan,
                            size_t event, int32_t partitions, struct sync_uuid *ret_id,
                            int32_t *ret_partition, struct sync_error *err)
{
    static const char stream[] = "a2.rule";
    struct delegation_record record;
    size_t mark = sync_arena_mark(&plan->arena);
    struct delegation_change change = delegation_plan_change(capture, plan, event);
    change.stream = sync_bytes_text(stream);
    change.seq = 0;
    change.capture_time_us = 0;
    sync_status status =
        delegation_record_make(capture->schema, &change, &plan->arena, &record, err);
    if (sync_is_ok(status)) {
        *ret_id = sync_id_v5(&plan->call->place.snapshot_id, record.value);
        *ret_partition = sync_digest_partition(record.key, partitions);
    }
    sync_arena_reset(&plan->arena, mark);
    return status;
}

/* Keeps who the rows are; the call itself is not needed any more. */
static sync_status keep_rows(struct delegation_plan *plan, const struct sync_uuid *ids,
                             struct sync_error *err)
{
    struct exported *kept = calloc(1, sizeof *kept + plan->events * sizeof kept->rows[0]);
    if (!kept) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "keep rows: no memory");
    }
    kept->call = *plan->call;
    kept->call.rules = NULL;
    kept->call.rule_count = 0;
    kept->count = plan->events;
    memcpy(kept->rows, ids, plan->events * sizeof kept->rows[0]);
    free(plan->push->content);
    plan->push->content = kept;
    return SYNC_OK;
}

static sync_status number_rows(struct delegation_capture *capture, struct delegation_plan *plan,
                               int32_t partitions, struct sync_uuid *ret_ids,
                               struct sync_error *err)
{
    int32_t at[DELEGATION_CALL_ITEMS_MAX];
    struct sync_bytes resources[DELEGATION_CALL_ITEMS_MAX];
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < plan->events && sync_is_ok(status); i++) {
        status = identify(capture, plan, i, partitions, &ret_ids[i], &at[i], err);
    }
    for (size_t i = 0; i < plan->call->rule_count; i++) {
        resources[plan->group_of[i]] = sync_bytes_text(plan->call->rules[i].resource);
    }
    plan->numbers = sync_arena_take_array(&plan->arena, plan->events, sizeof *plan->numbers);
    SYNC_ASSERT(plan->numbers);
    struct delegation_export_rows rows = {ret_ids, at, resources, plan->events};
    return sync_is_ok(status)
               ? delegation_export_number(capture->resolver, &plan->call->place.snapshot_id, &rows,
                                          plan->numbers, err)
               : status;
}

static sync_status make_rows(struct delegation_capture *capture, struct push *push,
                             const struct resolver_run *run, struct sync_error *err)
{
    struct delegation_plan plan;
    struct sync_uuid ids[DELEGATION_CALL_ITEMS_MAX];
    int32_t partitions = atomic_load(&capture->shell->topics[DELEGATION_BACKLOG].partitions);
    if (partitions == 0) {
        push_end(&capture->shell->pushes, push, 503, NULL,
                 "the broker cannot be reached now; send it again");
        return SYNC_OK;
    }
    sync_status status = delegation_plan_make(capture, push, &plan, err);
    if (sync_is_ok(status)) {
        status = number_rows(capture, &plan, partitions, ids, err);
    }
    if (status.class == SYNC_CLASS_PARK) { /* a value that does not fit the record */
        sync_log_error(SYNC_ERROR, "record_refused", err);
        push_end(&capture->shell->pushes, push, 500, NULL,
                 "the records of this call could not be made");
        return SYNC_OK;
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    push->confirm = true;
    struct sync_error reason = {0};
    sync_status made = delegation_plan_records(capture, &plan, run->generation, &reason);
    made = sync_is_ok(made) ? keep_rows(&plan, ids, &reason) : made;
    if (sync_is_ok(made)) {
        push_table_move(&capture->shell->pushes, push, PUSH_READY);
    } else {
        sync_log_error(SYNC_ERROR, "record_refused", &reason);
        push_end(&capture->shell->pushes, push, 503, NULL,
                 "the records of this call could not be made");
    }
    return SYNC_OK;
}

/* End. */

static sync_status fill_end(struct delegation_capture *capture, struct push *push,
                            const struct resolver_run *run, const int64_t *counts,
                            struct sync_error *err)
{
    char stream[DELEGATION_STREAM_BYTES];
    const struct delegation_call *call = push->content;
    delegation_stream_text("a2.rule", run->generation, stream);
    struct delegation_control control = {.source = DELEGATION_A2,
                                         .weak = true,
                                         .capture_time_us = push->captured_at_us,
                                         .snapshot_id = &call->place.snapshot_id,
                                         .snapshot_pos = call->place.snapshot_pos,
                                         .resource = sync_bytes_text(call->resource)};
    struct delegation_marks marks = {.topic = &capture->shell->topics[DELEGATION_BACKLOG],
                                     .streams = {stream},
                                     .stream_count = 1,
                                     .control = &control,
                                     .seqs = counts};
    return delegation_marks_fill(capture, push, &marks, err);
}

/* The sender's count is checked: fewer stored than he sent is a loss, more are rows that he sent
 * again after they had changed. */
static sync_status end_export(struct delegation_capture *capture, struct push *push,
                              const struct resolver_run *run, struct sync_error *err)
{
    const struct delegation_call *call = push->content;
    int64_t counts[EXPORT_PARTITIONS_MAX] = {0}, total = 0;
    if (atomic_load(&capture->shell->topics[DELEGATION_BACKLOG].partitions) == 0) {
        push_end(&capture->shell->pushes, push, 503, NULL,
                 "the broker cannot be reached now; send it again");
        return SYNC_OK;
    }
    sync_status status = delegation_export_count(capture->resolver, &call->place.snapshot_id,
                                                 call->resource, counts, &total, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (total < call->export_rows) {
        sync_log(SYNC_ERROR, "export_incomplete", SYNC_LOG_NUMBER("sent", call->export_rows),
                 SYNC_LOG_NUMBER("stored", total));
        refuse(capture, push, 409, "fewer rows of this resource are stored: ", total);
        return SYNC_OK;
    }
    if (total > call->export_rows) {
        sync_log(SYNC_WARN, "export_repeated", SYNC_LOG_NUMBER("sent", call->export_rows),
                 SYNC_LOG_NUMBER("stored", total));
    }
    push->body = delegation_answer_number("stored", total);
    push->confirm = true;
    status = fill_end(capture, push, run, counts, err);
    if (sync_is_ok(status)) {
        push_table_move(&capture->shell->pushes, push, PUSH_READY);
    }
    return status;
}

sync_status delegation_make_export(struct delegation_capture *capture, struct push *push,
                                   struct sync_error *err)
{
    const struct delegation_call *call = push->content;
    struct resolver_run run;
    bool good = false;
    sync_status status = resolver_position(capture->resolver, &run, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (call->sort == DELEGATION_CALL_EXPORT_BEGIN) {
        return answer_begin(capture, push, &run, err);
    }
    status = check_position(capture, push, &run, &good, err);
    if (!sync_is_ok(status) || !good) {
        return status;
    }
    return call->sort == DELEGATION_CALL_EXPORT_END ? end_export(capture, push, &run, err)
                                                    : make_rows(capture, push, &run, err);
}

sync_status delegation_confirm_export(struct delegation_capture *capture, struct push *push,
                                      struct sync_error *err)
{
    const struct delegation_call *call = push->content; /* rows: the first member of what is kept */
    const struct exported *kept = push->content;
    const struct sync_uuid *snapshot = &call->place.snapshot_id;
    sync_status status =
        call->sort == DELEGATION_CALL_EXPORT_END
            ? delegation_export_end(capture->resolver, snapshot, err)
            : delegation_export_store(capture->resolver, snapshot, kept->rows, kept->count, err);
    if (sync_is_ok(status)) {
        push_answer_stored(&capture->shell->pushes, push);
        push_release(&capture->shell->pushes, push);
    }
    return status;
}
