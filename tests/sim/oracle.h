/*
 * What the end of a run must look like, from the set of acts alone. Knows no order, and shares
 * nothing with the code that ships: kinds and rules are written down here a second time.
 */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

/* One act, in whatever system it happened or is stored. */
struct oracle_act {
    int kind;
    long second;
    bool in_altinn2; /* it happened there, or Altinn 2 reported it */
    bool row;        /* Altinn 3 has a row of it */
};

/* Calls that the bridge applied to Altinn 2. */
struct oracle_calls {
    bool read, confirmed, deleted;
};

struct oracle_state {
    bool read, confirmed, archived, purged, trash;
    char label; /* D default, B bin, A archive, - none */
};

/* State of a set of acts. */
struct oracle_state oracle_fold(const struct oracle_act *acts, size_t count);

/*
 * Compares the two sides (drift classes D1 and D2). Returns what differs, or NULL; ret_one_way
 * counts acts of Altinn 3 that have no way to Altinn 2.
 */
const char *oracle_drift(const struct oracle_act *acts, size_t count,
                         const struct oracle_calls *calls, size_t *ret_one_way);

#endif
