/* A table of digests, the newest at each place. */
#include "delegation_repeats.h"

static size_t place_of(const struct delegation_call *call)
{
    uint32_t hash = 0;
    memcpy(&hash, call->digest, sizeof hash);
    return (hash + (uint32_t)call->sort) % DELEGATION_REPEATS_MAX;
}

bool delegation_repeats_has(const struct delegation_repeats *repeats,
                            const struct delegation_call *call)
{
    size_t at = place_of(call);
    return call->dated && repeats->places[at].sort == (uint8_t)call->sort + 1 &&
           memcmp(repeats->places[at].digest, call->digest, sizeof call->digest) == 0;
}

void delegation_repeats_add(struct delegation_repeats *repeats, const struct delegation_call *call)
{
    size_t at = place_of(call);
    if (call->dated && !call->place.is_export) {
        repeats->places[at].sort = (uint8_t)(call->sort + 1);
        memcpy(repeats->places[at].digest, call->digest, sizeof call->digest);
    }
}
