/*
 * The ids that we give to the rules of addrules: UUIDv5 of giver, receiver, resource and action, so
 * that a repeat gets the same id and a deletion finds the action again by trying. Pure. Not here:
 * where actions come from.
 */
#ifndef SYNC_ALTINN2_RULE_ID_H
#define SYNC_ALTINN2_RULE_ID_H
#include <altinn_sync/delegation.h>

/*
 * Id of one rule. A party counts by the number it is named with: user before party id before uuid.
 * action: in any case. Fails: never.
 */
struct sync_uuid rule_id_make(const struct delegation_name *from, const struct delegation_name *to,
                              const char *resource, struct sync_bytes action);

/* What to look among. */
struct rule_id_search {
    const struct delegation_name *from, *to; /* every id that is known of them */
    const char *resource;
    const char (*actions)[DELEGATION_RIGHT_SIZE]; /* in lower case */
    size_t action_count;
};
/*
 * For each id that has none yet (-1) the index of its action: every way to name the parties is
 * tried. Returns how many still have none. ret_actions is the caller's, and filled before.
 */
size_t rule_id_find(const struct rule_id_search *search, const struct sync_uuid *ids, size_t count,
                    int *ret_actions);
#endif
