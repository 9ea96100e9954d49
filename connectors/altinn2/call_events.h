/*
 * From a call of Altinn 2 to changes: one grant per giver, receiver and resource with all its
 * rights, one revoke per element, one change per message rule. Pure. Not here: looking up, numbers.
 */
#ifndef SYNC_ALTINN2_CALL_EVENTS_H
#define SYNC_ALTINN2_CALL_EVENTS_H
#include "delegation_call.h"

#include <core/arena.h>

/* The technical user by whom our own bridge calls are made; his acts are echoes (DL-93). */
struct delegation_own {
    int32_t user_id;        /* 0 = none */
    struct sync_uuid party; /* zero = none */
};
bool delegation_is_own(const struct delegation_own *own, const struct delegation_name *performer);

/* What changes are made from and where their texts lie. */
struct delegation_making {
    const struct delegation_call *call;
    const struct delegation_own *own;
    struct sync_arena *arena;
};

/* Bytes of arena that the changes of a call need for their texts at most. */
size_t delegation_events_size(const struct delegation_call *call);

/*
 * Which event each rule of addrules belongs to: those of equal giver, receiver, resource and origin
 * are one, numbered by first appearance. ret_group_of has room for every rule. Returns how many.
 */
size_t delegation_groups(const struct delegation_call *call, const struct delegation_own *own,
                         size_t *ret_group_of);

/*
 * Changes without stream, number, snapshot and capture time. The first rule of a group tells time
 * and performer, since Altinn 3 reads only that. rights of an element: the actions that its ids
 * stand for; none = the whole policy.
 * Owns: texts lie in the arena and in the call.  Blocks: no.  Fails: never.
 */
struct delegation_change delegation_event_of_group(const struct delegation_making *making,
                                                   size_t group, const size_t *group_of);
struct delegation_change delegation_event_of_element(const struct delegation_making *making,
                                                     size_t element,
                                                     const struct sync_bytes *rights,
                                                     size_t right_count);
struct delegation_change delegation_event_of_message(const struct delegation_making *making);

/* A list of texts in the arena. */
struct sync_texts delegation_texts(struct sync_arena *arena, const struct sync_bytes *items,
                                   size_t count);
#endif
