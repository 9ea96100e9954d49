/*
 * What the row of a key in Altinn 3 hangs on, shared by load and projection. Not here: the rules of
 * waiting (DL-80, processors/delegation/sides.c).
 */
#ifndef CONNECTORS_ALTINN3_DELEGATION_DEPEND_H
#define CONNECTORS_ALTINN3_DELEGATION_DEPEND_H
#include "delegation_store.h"

/* Adds the questions about resources, packages, roles, relations and recorded waits of the slots.
 */
sync_status deleg_ask_places(struct deleg_batch *all, struct deleg_asks *asks,
                             struct sync_error *err);

/* After the answers: sets from_type and depends_missing of the key, and the list of the slot. */
sync_status deleg_find_missing(struct deleg_batch *all, struct deleg_slot *slot,
                               struct sync_error *err);

/* Adds one reason why a key waits; kind is static, id is copied. Fails: RETRY memory_limit. */
sync_status deleg_miss(struct deleg_batch *all, struct deleg_slot *slot, const char *kind,
                       struct sync_bytes id, struct sync_error *err);

/* Company role of the relation that carries a package to an agent; "" = no row names the package.
 */
const char *deleg_client_role(const struct deleg_batch *all, const char *package);

/* Role of the assignment that a key's row hangs on, or is. */
struct sync_uuid deleg_container_role(const struct deleg_slot *slot);
#endif
