/*
 * The body of Altinn 2's syncStatusEvent call: JSON into a bounded list of
 * acts. Pure but for the memory of the JSON tree. Not here: looking ids up, numbering, answering.
 */
#ifndef SYNC_ALTINN2_STATUS_EVENT_H
#define SYNC_ALTINN2_STATUS_EVENT_H
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

#define STATUS_EVENT_ITEMS_MAX                                                                     \
    4096 /* acts on one message in one call; bounds the memory of a request */

struct status_event_item {
    int32_t kind; /* any number: the consumer judges it (CS-02) */
    int64_t occurred_at_us;
    struct sync_uuid party; /* zero allowed: Altinn 2 sometimes has no actor */
    bool has_user;
    struct sync_uuid user;
};

struct status_event {
    struct sync_uuid altinn3_id;
    bool has_altinn2_id; /* our extension: the message may be unknown to Altinn 3 */
    int32_t altinn2_id;
    size_t count;
    struct status_event_item items[];
};

/*
 * Reads a body. Unknown members are ignored: the caller's form may grow.
 * Owns: the caller frees ret_event with free().  Blocks: no.
 * Fails: PARK (answer 400) with the JSON pointer in field; PARK oversize for more than
 * STATUS_EVENT_ITEMS_MAX acts (413); RETRY memory_limit (503).
 */
sync_status status_event_parse(struct sync_bytes body, struct status_event **ret_event,
                               struct sync_error *err);
#endif
