/*
 * Who does what next: a stream of acts from a seed. Pure. Not here: whether the application lets
 * them.
 */
#ifndef SYNC_DEV_ALTINN3_ACTOR_H
#define SYNC_DEV_ALTINN3_ACTOR_H

#include "application.h"

#include "../population.h"

struct actor {
    uint64_t random; /* state of the generator */
    struct population_range messages;
    int32_t inserted_first, inserted_count; /* further messages, once they are there */
};

void actor_init(struct actor *actor, uint64_t seed, struct population_range messages);
/* Somebody's act at this moment. */
struct application_act actor_next(struct actor *actor, int64_t now_us);
/* True for one act in twenty: it is reported twice, some milliseconds apart. */
bool actor_doubles(struct actor *actor);
/* The second report of an act: in the same second, since it is the same act. */
struct application_act actor_double_of(const struct application_act *act);

#endif
