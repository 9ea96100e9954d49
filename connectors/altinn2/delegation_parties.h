/*
 * What the party table of Altinn 3 authorization knows of the numbers of Altinn 2. One thread. Not
 * here: what to do with an unknown one (the rules hold it).
 */
#ifndef SYNC_ALTINN2_DELEGATION_PARTIES_H
#define SYNC_ALTINN2_DELEGATION_PARTIES_H
#include "resolver.h"

#include <altinn_sync/delegation.h>
#include <core/limits.h>

struct delegation_party_entry {
    int32_t party_id; /* 0 = free */
    struct sync_uuid uuid;
};

/* Positive answers: a party keeps its number and its uuid; a merged one stays an alias (DL-46). */
struct delegation_parties {
    struct delegation_party_entry cache[SYNC_RECEIVER_CACHE_ENTRIES];
};

/*
 * Gives every giver that is named by party id alone its uuid, where the table knows it: the Kafka
 * key is the uuid (2.4).
 * Blocks: at most SYNC_RECEIVER_LOOKUP_MS + network.  Fails: as resolver_exec.
 */
sync_status delegation_parties_resolve(struct delegation_parties *parties,
                                       struct resolver *resolver, struct delegation_name **givers,
                                       size_t count, struct sync_error *err);

/* Adds every id that the table knows of a party. Fails: as resolver_exec. */
sync_status delegation_parties_complete(struct resolver *resolver, struct delegation_name *party,
                                        struct sync_error *err);
#endif
