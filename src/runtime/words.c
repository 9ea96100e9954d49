/* Words of stored numbers. Not here: codes of errors (status.c), names of sides (route.c). */
#include "words.h"

const char *sync_outcome_word(enum sync_outcome outcome)
{
    switch (outcome) {
    case SYNC_OUTCOME_APPLIED:
        return "applied";
    case SYNC_OUTCOME_DUPLICATE:
        return "duplicate";
    case SYNC_OUTCOME_STALE:
        return "stale";
    case SYNC_OUTCOME_ECHO:
        return "echo";
    case SYNC_OUTCOME_HELD:
        return "held";
    case SYNC_OUTCOME_PARKED:
        return "parked";
    }
    return "";
}

const char *sync_target_word(int state)
{
    static const char *const words[] = {"open", "stopped", "closed"};
    return words[state > 0 && state < 3 ? state : 0];
}
