/*
 * Calls that were taken already: the same body with the same times once more is the same acts, and
 * on a stream whose numbers are those of arrival a repeat would pass for a new one. In memory only:
 * after a restart a repeat is decided by the rules. One thread. Not here: which calls are dated.
 */
#ifndef SYNC_ALTINN2_DELEGATION_REPEATS_H
#define SYNC_ALTINN2_DELEGATION_REPEATS_H
#include "delegation_call.h"

#define DELEGATION_REPEATS_MAX 16384 /* newest calls, one place each; an older one gives way */

struct delegation_repeats {
    struct {
        uint8_t digest[32];
        uint8_t sort; /* + 1; 0 = free */
    } places[DELEGATION_REPEATS_MAX];
};

/* Whether the same body was noted before for the same kind of call. Blocks: no.  Fails: no. */
bool delegation_repeats_has(const struct delegation_repeats *repeats,
                            const struct delegation_call *call);

/* Notes a call that was answered; what stood in its place is forgotten. Blocks: no.  Fails: no. */
void delegation_repeats_add(struct delegation_repeats *repeats, const struct delegation_call *call);
#endif
