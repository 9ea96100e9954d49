/*
 * What the receiver asks its database: which Altinn 2 id a message has, and the next numbers of its
 * stream. One thread. Not here: what to answer when a message is unknown.
 */
#ifndef SYNC_ALTINN2_RESOLVER_H
#define SYNC_ALTINN2_RESOLVER_H
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

struct resolver;

/* source: name of the capture in sync.source. Fails: FATAL insecure or config (dsn), memory_limit.
 */
sync_status resolver_new(const char *dsn, const char *source, struct resolver **ret_resolver,
                         struct sync_error *err);
void resolver_free(struct resolver **resolver);

/*
 * Altinn 2 ids of messages of Altinn 3, 0 for a message that is not there or has none. Positive
 * answers are cached: a mapping never changes. Blocks: at most SYNC_RECEIVER_LOOKUP_MS + network.
 * Fails: RETRY (answer 503); FATAL.
 */
sync_status resolver_find(struct resolver *resolver, const struct sync_uuid *altinn3_ids,
                          size_t count, int32_t *ret_altinn2_ids, struct sync_error *err);

/* One numbered event: stream text and first number of a run. */
struct resolver_run {
    char stream[64]; /* "altinn2-status.1" */
    int64_t first;
};
/* Numbers for count events, committed before they are handed out: gaps are legal, reuse is not. */
sync_status resolver_number(struct resolver *resolver, size_t count, struct resolver_run *ret_run,
                            struct sync_error *err);

/* Asks whether the database answers. Fails: as above; FATAL db_schema for
 * tables of another version. */
sync_status resolver_ping(struct resolver *resolver, struct sync_error *err);
#endif
