/* UUIDs version 5. Wraps libuuid. */
#ifndef SYNC_RUNTIME_ID_H
#define SYNC_RUNTIME_ID_H
#include <altinn_sync/types.h>

/* UUIDv5 of namespace and name. Never fails. */
struct sync_uuid sync_id_v5(const struct sync_uuid *namespace_id, struct sync_bytes name);
/* ce_id of an event: UUIDv5(002b8d8e-6dce-5ff3-aef6-c1ccad164ddf, "<system>/<stream>/<sequence>").
 */
struct sync_uuid sync_id_event(enum sync_system system, struct sync_bytes stream, int64_t sequence);
/* The same with one part more before the sequence: the id of a snapshot, "tick" or "end". */
struct sync_uuid sync_id_event_of(enum sync_system system, struct sync_bytes stream,
                                  const char *part, int64_t sequence);
#endif
