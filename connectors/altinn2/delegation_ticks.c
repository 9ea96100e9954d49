/* Marks in the streams of the pushes. Not here: the role feed's, which its reader makes. */
#include "delegation_parts.h"

#include "../delegation_control.h"
#include "../delegation_record.h"

#include <core/limits.h>
#include <stdlib.h>

/* Records of one stream: one value for all partitions, or one for each number. */
static sync_status fill_stream(const struct delegation_capture *capture, struct push *push,
                               const struct delegation_marks *marks, struct sync_arena *arena,
                               struct sync_error *err)
{
    struct delegation_record *record = NULL;
    int32_t partitions = atomic_load(&marks->topic->partitions);
    sync_status status = SYNC_OK;
    for (int32_t i = 0; i < partitions && sync_is_ok(status); i++) {
        if (!record || marks->seqs) {
            marks->control->seq = marks->seqs ? marks->seqs[i] : marks->control->seq;
            struct delegation_change change = delegation_control_change(marks->control);
            record = sync_arena_take(arena, sizeof *record);
            SYNC_ASSERT(record);
            status = delegation_record_make(capture->schema, &change, arena, record, err);
        }
        push->records[push->record_count++] =
            (struct sync_kafka_record){.topic = marks->topic->name,
                                       .to_partition = true,
                                       .partition = i,
                                       .value = record->value,
                                       .headers = record->headers,
                                       .header_count = record->header_count};
    }
    return status;
}

sync_status delegation_marks_fill(const struct delegation_capture *capture, struct push *push,
                                  const struct delegation_marks *marks, struct sync_error *err)
{
    size_t partitions = (size_t)atomic_load(&marks->topic->partitions);
    size_t values = marks->seqs ? partitions : 1;
    size_t size = marks->stream_count * (partitions * sizeof(struct sync_kafka_record) +
                                         values * (DELEGATION_RECORD_BYTES + 64));
    struct sync_arena arena;
    free(push->memory);
    push->memory = malloc(size + 64);
    if (!push->memory) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "make marks: no memory");
    }
    sync_arena_init(&arena, push->memory, size + 64);
    push->records =
        sync_arena_take_array(&arena, marks->stream_count * partitions, sizeof *push->records);
    push->record_count = 0;
    SYNC_ASSERT(push->records);
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < marks->stream_count && sync_is_ok(status); i++) {
        marks->control->stream = sync_bytes_text(marks->streams[i]);
        status = fill_stream(capture, push, marks, &arena, err);
    }
    return status;
}

static bool is_pending(struct delegation_capture *capture)
{
    return push_table_await(&capture->shell->pushes, &capture->tick, 0) == PUSH_PENDING;
}

static sync_status tick(struct delegation_capture *capture, struct sync_error *err)
{
    char rule[DELEGATION_STREAM_BYTES], message[DELEGATION_STREAM_BYTES];
    struct resolver_run run;
    sync_status status = resolver_position(capture->resolver, &run, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct push *push = push_table_reserve(&capture->shell->pushes, &capture->tick);
    if (!push) {
        return SYNC_OK; /* every place is taken: the next turn tries again */
    }
    delegation_stream_text("a2.rule", run.generation, rule);
    delegation_stream_text("a2.message", run.generation, message);
    struct delegation_control control = {.source = DELEGATION_A2,
                                         .weak = true,
                                         .seq = run.first,
                                         .capture_time_us =
                                             push_table_taken_us(&capture->shell->pushes)};
    struct delegation_marks marks = {.topic = &capture->shell->topics[DELEGATION_LIVE],
                                     .streams = {rule, message},
                                     .stream_count = 2,
                                     .control = &control};
    status = delegation_marks_fill(capture, push, &marks, err);
    if (sync_is_ok(status)) {
        atomic_store(&capture->position, run.first);
        push_table_move(&capture->shell->pushes, push, PUSH_READY);
    } else {
        push_release(&capture->shell->pushes, push);
    }
    return status;
}

/*
 * The position is the newest number handed out: what has it or a lower one was handed to the poll
 * thread before this mark, which takes places in their order, so it stands before the mark in every
 * partition. The time is that of the earliest call without a number: nothing that came before it is
 * missing. A mark that is still on its way makes the next one wait.
 */
sync_status delegation_idle(void *part, int64_t now_us, struct sync_error *err)
{
    struct delegation_capture *capture = part;
    bool known = atomic_load(&capture->shell->topics[DELEGATION_LIVE].partitions) > 0;
    if (now_us < capture->next_tick_us || !known || is_pending(capture)) {
        return SYNC_OK;
    }
    capture->next_tick_us = now_us + SYNC_DELEGATION_TICK_MS * 1000LL;
    return tick(capture, err);
}
