/*
 * Which Altinn 2 id a message of Altinn 3 has. One thread. Not here: what to answer when a message
 * is unknown.
 */
#ifndef SYNC_ALTINN2_STATUS_LOOKUP_H
#define SYNC_ALTINN2_STATUS_LOOKUP_H
#include "resolver.h"

#include <core/limits.h>

struct status_lookup_entry {
    struct sync_uuid altinn3_id; /* zero = free */
    int32_t altinn2_id;
};

/* Positive answers: a mapping never changes. */
struct status_lookup {
    struct status_lookup_entry cache[SYNC_RECEIVER_CACHE_ENTRIES];
};

/*
 * Altinn 2 ids of at most SYNC_HTTP_REQUESTS_MAX messages, 0 for one that is not there or has none.
 * Blocks: at most SYNC_RECEIVER_LOOKUP_MS + network.  Fails: as resolver_exec.
 */
sync_status status_lookup_find(struct status_lookup *lookup, struct resolver *resolver,
                               const struct sync_uuid *altinn3_ids, size_t count,
                               int32_t *ret_altinn2_ids, struct sync_error *err);
#endif
