/*
 * One key of a message, as small as the enumerators need it: they copy it millions of times. What
 * does not change stands beside it and is shared. Not here: what is expected.
 */
#ifndef TESTS_SIM_DELEGATION_MINI_H
#define TESTS_SIM_DELEGATION_MINI_H

#include "../support/delegation_world.h"

#define MINI_REFS  10
#define MINI_MARKS 8

struct mini {
    struct delegation_key key;
    struct delegation_ref refs[MINI_REFS];
    struct delegation_mark marks[MINI_MARKS];
    char rights[4][DELEGATION_RIGHT_SIZE];
};

/* The world around the key, made once. */
void mini_world(struct delegation_world *ret_world);
void mini_start(struct mini *m);
/* Decides one event; returns the rule. The effects are left in the world. */
const char *mini_take(struct delegation_world *w, struct mini *m,
                      const struct delegation_change *change);
/* Effective rights as bits: 1 read, 2 sign. */
unsigned mini_effective(const struct mini *m, uint64_t set);
/* Effective set, refs and marks (P1), without the rules that moved them; and the row (P3). */
bool mini_equal(const struct mini *a, const struct mini *b, bool whole);
void mini_print(const struct mini *m);

/* splitmix64, so that a seed gives the same run everywhere. */
uint64_t mini_random(uint64_t *seed);

#endif
