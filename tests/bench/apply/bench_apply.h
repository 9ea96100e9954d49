/*
 * The apply benchmark: what its parts share. Both contestants write the same facts, message rows
 * and status rows for the same events in the same order and batches.
 */
#ifndef BENCH_APPLY_H
#define BENCH_APPLY_H
#include "../../../src/core/arena.h"
#include "../../../src/runtime/postgres.h"
#include <altinn_sync/correspondence_status.h>

struct bench {
    const char *dsn;
    int64_t events, messages, batch;
    int64_t first_us; /* time of the earliest event */
    uint64_t seed;
    uint64_t
        stride; /* of the permutation: the golden section of the events, without a common divisor */
    bool visible;   /* messages of "setup" */
    bool decisions; /* "protocol": with a decision row per event */
    bool repeat;    /* "protocol": a second run over the same events */
    struct sync_db *db;
    struct sync_arena arena;
};

/* One event and the message it belongs to. */
struct bench_event {
    int32_t altinn2_id;
    struct sync_uuid altinn3_id;
    int32_t kind;
    struct sync_uuid party;
    int64_t occurred_us;
};

/* Once, after the sizes are known. */
void bench_events_init(struct bench *bench);

/* The n-th event of the stream: a fixed permutation, so that acts on one message lie far apart. */
struct bench_event bench_event_of(const struct bench *bench, int64_t n);
struct sync_uuid bench_message_uuid(const struct bench *bench, int32_t altinn2_id);

/* All events as JSON lines on standard output. */
void bench_events_print(const struct bench *bench);

/* Inserts the messages, mapped, and the owner row of the partition that "protocol" applies. */
sync_status bench_setup(struct bench *bench, struct sync_error *err);
/* Each writes all events and gives the time it took, without making the events. */
sync_status bench_ceiling(struct bench *bench, int64_t *ret_us, struct sync_error *err);
sync_status bench_protocol(struct bench *bench, int64_t *ret_us, struct sync_error *err);
#endif
