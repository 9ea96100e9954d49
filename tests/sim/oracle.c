/* Independent reference over the set of acts. Not here: order, batches, effects. */
#include "oracle.h"

#include <limits.h>

enum {
    READ = 4,
    CONFIRMED = 6,
    PURGED_BY_RECIPIENT = 7,
    PURGED_BY_OWNER = 8,
    ARCHIVED = 9,
    SOFT_DELETED = 13,
    RESTORED = 14
};

static bool is_purge(int kind)
{
    return kind == PURGED_BY_RECIPIENT || kind == PURGED_BY_OWNER;
}

static bool has(const struct oracle_act *acts, size_t count, int kind)
{
    for (size_t i = 0; i < count; i++) {
        if (acts[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static long newest(const struct oracle_act *acts, size_t count, int kind)
{
    long second = LONG_MIN;
    for (size_t i = 0; i < count; i++) {
        if (acts[i].kind == kind && acts[i].second > second) {
            second = acts[i].second;
        }
    }
    return second;
}

struct oracle_state oracle_fold(const struct oracle_act *acts, size_t count)
{
    struct oracle_state state = {
        .read = has(acts, count, READ),
        .confirmed = has(acts, count, CONFIRMED),
        .archived = has(acts, count, ARCHIVED),
        .purged = has(acts, count, PURGED_BY_RECIPIENT) || has(acts, count, PURGED_BY_OWNER),
        .trash = newest(acts, count, SOFT_DELETED) > newest(acts, count, RESTORED),
    };
    if (state.purged) {
        state.label = '-';
    } else if (state.trash) {
        state.label = 'B';
    } else {
        state.label = state.archived ? 'A' : 'D';
    }
    return state;
}

/* The acts of one side, as a set of its own. */
static struct oracle_state fold_side(const struct oracle_act *acts, size_t count, bool altinn2)
{
    struct oracle_act side[64];
    size_t used = 0;
    for (size_t i = 0; i < count && used < 64; i++) {
        if (altinn2 ? acts[i].in_altinn2 : acts[i].row) {
            side[used++] = acts[i];
        }
    }
    return oracle_fold(side, used);
}

static size_t count_one_way(const struct oracle_act *acts, size_t count)
{
    size_t one_way = 0;
    size_t reads = 0;
    for (size_t i = 0; i < count; i++) {
        if (acts[i].in_altinn2) {
            continue;
        }
        bool further_read = acts[i].kind == READ && reads++ > 0;
        bool no_call =
            acts[i].kind == ARCHIVED || acts[i].kind == SOFT_DELETED || acts[i].kind == RESTORED;
        one_way += further_read || no_call ? 1 : 0;
    }
    return one_way;
}

const char *oracle_drift(const struct oracle_act *acts, size_t count,
                         const struct oracle_calls *calls, size_t *ret_one_way)
{
    struct oracle_state altinn2 = fold_side(acts, count, true);
    struct oracle_state altinn3 = fold_side(acts, count, false);
    *ret_one_way = count_one_way(acts, count);
    for (size_t i = 0; i < count; i++) {
        bool second_purge = is_purge(acts[i].kind) && altinn3.purged;
        if (acts[i].in_altinn2 && !acts[i].row && !second_purge) {
            return "D1: an act of Altinn 2 has no row in Altinn 3";
        }
    }
    if ((altinn2.purged || calls->deleted) != altinn3.purged) {
        return "D2: purged on one side only";
    }
    if (altinn3.purged) {
        return NULL;
    }
    if ((altinn2.read || calls->read) != altinn3.read) {
        return "D2: read on one side only";
    }
    if ((altinn2.confirmed || calls->confirmed) != altinn3.confirmed) {
        return "D2: confirmed on one side only";
    }
    return NULL;
}
