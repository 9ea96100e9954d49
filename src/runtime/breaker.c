/* Breaker and back-off. */
#include "breaker.h"

#include "../core/limits.h"

#define PROBE_FIRST_MS 1000

void sync_breaker_init(struct sync_breaker *breaker)
{
    *breaker = (struct sync_breaker){.probe_delay_ms = 0};
}

void sync_breaker_success(struct sync_breaker *breaker)
{
    if (breaker->open) { /* the failures before belong to the outage that is over */
        sync_breaker_init(breaker);
    }
    breaker->failures = breaker->failures << 1;
    breaker->calls += breaker->calls < SYNC_BREAKER_WINDOW;
}

static void schedule_probe(struct sync_breaker *breaker, int64_t wait_ms, int64_t now_us)
{
    int doubled = breaker->probe_delay_ms * 2;
    breaker->probe_delay_ms = doubled == 0                    ? PROBE_FIRST_MS
                              : doubled > SYNC_BACKOFF_MAX_MS ? SYNC_BACKOFF_MAX_MS
                                                              : doubled;
    int64_t delay_ms = wait_ms > breaker->probe_delay_ms ? wait_ms : breaker->probe_delay_ms;
    breaker->probe_at_us = now_us + delay_ms * 1000;
}

void sync_breaker_failure(struct sync_breaker *breaker, bool unreachable, int64_t wait_ms,
                          int64_t now_us)
{
    if (breaker->open) {
        if (now_us >=
            breaker->probe_at_us) { /* the probe; calls that left before it say nothing new */
            schedule_probe(breaker, wait_ms, now_us);
        }
        return;
    }
    breaker->failures = breaker->failures << 1 | 1;
    breaker->calls += breaker->calls < SYNC_BREAKER_WINDOW;
    uint32_t window = (1U << SYNC_BREAKER_WINDOW) - 1;
    bool half = __builtin_popcount(breaker->failures & window) * 2 >= SYNC_BREAKER_WINDOW;
    if (unreachable || half) {
        breaker->open = true;
        schedule_probe(breaker, wait_ms, now_us);
    } else if (wait_ms > 0 && now_us + wait_ms * 1000 > breaker->probe_at_us) {
        breaker->probe_at_us = now_us + wait_ms * 1000;
    }
}

size_t sync_breaker_allowed(const struct sync_breaker *breaker, size_t max, int64_t now_us)
{
    if (now_us < breaker->probe_at_us) {
        return 0;
    }
    return breaker->open && max > 1 ? 1 : max;
}

bool sync_key_failures_add(struct sync_key_failures *key, int64_t lane_success_us, int64_t now_us)
{
    bool works_for_others = key->failures == 0 || lane_success_us > key->last_us;
    key->failures++;
    key->last_us = now_us;
    if (!works_for_others) {
        return false;
    }
    key->counted_since_us = key->counted == 0 ? now_us : key->counted_since_us;
    key->counted++;
    return key->counted >= SYNC_EFFECT_ATTEMPTS_PARK &&
           now_us - key->counted_since_us >= SYNC_EFFECT_AGE_PARK_S * 1000000LL;
}

uint64_t sync_random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

int64_t sync_backoff_us(int failures, uint64_t *state)
{
    int64_t cap_ms = SYNC_BACKOFF_FIRST_MS;
    for (int i = 1; i < failures && cap_ms < SYNC_BACKOFF_MAX_MS; i++) {
        cap_ms *= 2;
    }
    cap_ms = cap_ms > SYNC_BACKOFF_MAX_MS ? SYNC_BACKOFF_MAX_MS : cap_ms;
    return 1000 + (int64_t)(sync_random_next(state) % (uint64_t)(cap_ms * 1000));
}
