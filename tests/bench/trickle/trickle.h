/*
 * The load of the trickle benchmark: what its parts share. Each part does its acts on one fixed
 * schedule and never waits for the system under test before the next act is due, so that a stall
 * is seen by every act that falls into it.
 */
#ifndef BENCH_TRICKLE_H
#define BENCH_TRICKLE_H
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

struct trickle {
    const char *dsn, *bootstrap, *topic, *schemas, *url, *listen;
    int64_t first, count; /* ids of the messages: first, first + 1 … */
    int64_t rate;         /* acts per second */
    int64_t from_us;      /* when the first act is due; wall clock */
    int64_t *late_us;     /* per act: how long after it was due it was done */
};

/* The ids that bench.py gives to messages and parties. */
struct sync_uuid trickle_message(int64_t altinn2_id);
struct sync_uuid trickle_party(int64_t number);

int64_t trickle_due_us(const struct trickle *trickle, int64_t act);
/* Blocks until the act is due. */
void trickle_wait(const struct trickle *trickle, int64_t act);
void trickle_done(struct trickle *trickle, int64_t act);

/* Each does all acts and returns when all are answered. Fails: with what the first failure said. */
sync_status trickle_topic(struct trickle *trickle, struct sync_error *err);
sync_status trickle_push(struct trickle *trickle, struct sync_error *err);
sync_status trickle_rows(struct trickle *trickle, struct sync_error *err);

/* Answers every call with 200 until SIGTERM, then prints "id microseconds calls" of each message:
 * when its first call was there, and how many came. */
sync_status trickle_bridge(struct trickle *trickle, struct sync_error *err);
#endif
