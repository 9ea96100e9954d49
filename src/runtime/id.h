/* UUIDs that are derived, never random: version 5, and version 7 of a time and a digest. Wraps
 * libuuid. */
#ifndef SYNC_RUNTIME_ID_H
#define SYNC_RUNTIME_ID_H
#include "digest.h"

#include <altinn_sync/types.h>

/* UUIDv5 of namespace and name. Never fails. */
struct sync_uuid sync_id_v5(const struct sync_uuid *namespace_id, struct sync_bytes name);
/* UUIDv5 of our own namespace, 002b8d8e-6dce-5ff3-aef6-c1ccad164ddf. Never fails. */
struct sync_uuid sync_id_own(struct sync_bytes name);
/* ce_id of an event: UUIDv5(002b8d8e-6dce-5ff3-aef6-c1ccad164ddf, "<system>/<stream>/<sequence>").
 */
struct sync_uuid sync_id_event(enum sync_system system, struct sync_bytes stream, int64_t sequence);
/* The same with one part more before the sequence: the id of a snapshot, "tick" or "end". */
struct sync_uuid sync_id_event_of(enum sync_system system, struct sync_bytes stream,
                                  const char *part, int64_t sequence);
/*
 * A UUID of version 7: 48 bits of milliseconds since 1970 (a time before counts as 1970), then 74
 * bits of the digest. The same time and digest give the same id. Never fails.
 */
struct sync_uuid sync_id_v7(int64_t time_us, const struct sync_digest *digest);
#endif
