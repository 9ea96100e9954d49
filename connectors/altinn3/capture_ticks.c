/* When a mark is due, and handing it over. */
#include "capture_ticks.h"

#include "capture_publisher.h"

#include <core/limits.h>
#include <runtime/clock.h>

#define NOTE_US 1000000LL

static sync_status send_one(struct capture_publisher *publisher,
                            const struct capture_record *record, int32_t partition,
                            struct sync_error *err)
{
    struct sync_kafka_record out = {.topic = publisher->topic,
                                    .to_partition = true,
                                    .partition = partition,
                                    .value = record->value,
                                    .headers = record->headers,
                                    .header_count = record->header_count,
                                    .tag = capture_tag(publisher, CAPTURE_TICK_TICKET)};
    sync_status status = sync_kafka_produce(publisher->producer, &out, err);
    publisher->in_flight += sync_is_ok(status);
    return status;
}

/* A mark that the full queue of the client does not take is late, no more. */
static sync_status send_all(struct capture_publisher *publisher, uint64_t lsn,
                            struct sync_error *err)
{
    uint8_t memory[4096];
    struct sync_arena arena;
    struct capture_record record;
    struct capture_letter letter = {.schema = publisher->schema,
                                    .stream = sync_bytes_text(publisher->stream->text),
                                    .arena = &arena};
    int64_t sequence = publisher->stream->source.sequence_base + (int64_t)lsn;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_status status =
        publisher->entity->tick(&letter, sequence, sync_clock_wall_us(), &record, err);
    for (int32_t i = 0; i < publisher->partition_count && sync_is_ok(status); i++) {
        status = send_one(publisher, &record, i, err);
    }
    return sync_is_ok(status) || err->code == SYNC_CODE_MEMORY_LIMIT
               ? SYNC_OK
               : sync_fail(err, SYNC_CLASS_FATAL, err->code, "send a mark: %s", err->text);
}

sync_status capture_ticks_turn(struct capture_publisher *publisher, struct sync_error *err)
{
    struct capture_ticks *ticks = &publisher->ticks;
    struct capture_moment moment;
    int64_t now_us = sync_clock_monotonic_us();
    if (publisher->entity->tick == NULL || now_us - ticks->noted_us < NOTE_US) {
        return SYNC_OK;
    }
    sync_status status = capture_moment_ask(publisher->db, &moment, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    ticks->noted_us = now_us;
    capture_settled_note(&ticks->settled, &moment);
    uint64_t lsn =
        capture_settled_delivered(&ticks->settled, sync_prefix_confirmed(&publisher->prefix));
    if (lsn == 0 || now_us - ticks->sent_us < SYNC_CAPTURE_TICK_MS * 1000LL) {
        return SYNC_OK;
    }
    ticks->sent_us = now_us;
    return send_all(publisher, lsn, err);
}
