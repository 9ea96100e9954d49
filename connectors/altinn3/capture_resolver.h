/*
 * Which Altinn 2 id a message of Altinn 3 has: first by sync.correspondence, then by
 * Correspondences. One thread. Not here: what happens to a message that has none (capture.c).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_RESOLVER_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_RESOLVER_H

#include <altinn_sync/types.h>
#include <core/limits.h>
#include <runtime/postgres.h>

#define CAPTURE_CACHE_ENTRIES 65536 /* 1.3 MiB; acts on a message come in clusters */
#define CAPTURE_IDS_MAX       1000  /* of one query */

enum capture_answer {
    CAPTURE_FOUND,
    CAPTURE_NO_COUNTERPART, /* the message is there and has no Altinn 2 id */
    CAPTURE_UNRESOLVED,     /* the message is in neither table */
};

struct capture_resolver {
    struct sync_db *db; /* borrowed */
    struct {
        struct sync_uuid altinn3_id;
        int32_t altinn2_id; /* 0: free entry */
    } cache[CAPTURE_CACHE_ENTRIES];
    uint8_t memory[32 * 1024]; /* parameters of one query */
};

/*
 * Answers count ids (at most CAPTURE_IDS_MAX, repeats allowed) with at most one query. Only found
 * pairs are cached: they never change. Owns: nothing.  Blocks: at most the statement's time-out +
 * network. Fails: RETRY or FATAL as sync_db_exec; the answers are then undefined.
 */
sync_status capture_resolve(struct capture_resolver *resolver, const struct sync_uuid *altinn3_ids,
                            size_t count, enum capture_answer *ret_answers,
                            int32_t *ret_altinn2_ids, struct sync_error *err);

#endif
