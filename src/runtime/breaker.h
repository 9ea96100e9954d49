/*
 * When to call a target that fails: a breaker over the last calls, probes after 1, 2, 4 … 10 s, and
 * the back-off of one key. Pure: time and seed come in. Not here: what counts as a failure.
 */
#ifndef SYNC_RUNTIME_BREAKER_H
#define SYNC_RUNTIME_BREAKER_H
#include <altinn_sync/types.h>

#define SYNC_BREAKER_WINDOW                                                                        \
    20 /* half of so many calls failed: the lane is at fault, not the key                          \
        */

struct sync_breaker {
    bool open;
    int64_t probe_at_us; /* open: the next probe; closed: nothing before it (a Retry-After) */
    int probe_delay_ms;
    uint32_t failures; /* one bit per call, the newest lowest */
    int calls;         /* in the window */
};

/* Closed, without a past. */
void sync_breaker_init(struct sync_breaker *breaker);
/* A call was answered for good: closes. */
void sync_breaker_success(struct sync_breaker *breaker);
/* A call failed. unreachable: no connection at all, which opens at once. wait_ms: the target's own
 * wish, 0 = none. */
void sync_breaker_failure(struct sync_breaker *breaker, bool unreachable, int64_t wait_ms,
                          int64_t now_us);
/* How many calls may be in flight now: 0, 1 (a probe) or max. */
size_t sync_breaker_allowed(const struct sync_breaker *breaker, size_t max, int64_t now_us);

/* How often one key failed in a row, and what of it is the key's own fault. Zeroed = never. */
struct sync_key_failures {
    int failures;
    int counted; /* while the lane worked for others */
    int64_t counted_since_us, last_us;
};
/*
 * Notes one more failure. lane_success_us: when the lane last worked for any key, INT64_MIN =
 * never; a failure counts only if that was after the key's failure before. True when
 * SYNC_EFFECT_ATTEMPTS_PARK failures counted over at least SYNC_EFFECT_AGE_PARK_S.
 */
bool sync_key_failures_add(struct sync_key_failures *key, int64_t lane_success_us, int64_t now_us);

/* Next value of a seeded generator (splitmix64): jitter, simulators and tests, never a secret. */
uint64_t sync_random_next(uint64_t *state);
/* Wait after so many failures in a row (1 …): up to 100 ms doubling to 10 s, full jitter. */
int64_t sync_backoff_us(int failures, uint64_t *state);
#endif
