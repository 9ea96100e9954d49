/* Acts by weights: half are reads. Half of the acts meet on few messages, where the two sides then
 * collide. */
#include "actor.h"

#include <altinn_sync/correspondence_status.h>
#include <runtime/breaker.h>

#define BUSY_SHARE   20 /* one message in twenty gets half of all acts */
#define DOUBLE_SHARE 20
#define DOUBLE_US    3000

static uint64_t next_number(struct actor *actor, uint64_t below)
{
    return sync_random_next(&actor->random) % below;
}

void actor_init(struct actor *actor, uint64_t seed, struct population_range messages)
{
    *actor = (struct actor){.random = seed, .messages = messages};
}

static int32_t next_message(struct actor *actor)
{
    uint64_t loaded = (uint64_t)(actor->messages.last - actor->messages.first) + 1;
    uint64_t all = loaded + (uint64_t)actor->inserted_count;
    uint64_t busy = loaded / BUSY_SHARE + 1;
    uint64_t index = next_number(actor, next_number(actor, 2) == 0 ? busy : all);
    return index < loaded ? actor->messages.first + (int32_t)index
                          : actor->inserted_first + (int32_t)(index - loaded);
}

static int32_t next_kind(struct actor *actor)
{
    static const struct {
        int32_t kind;
        uint64_t percent;
    } weights[] = {
        {STATUS_READ, 50},           {STATUS_CONFIRMED, 16}, {STATUS_ARCHIVED, 12},
        {STATUS_SOFT_DELETED, 11},   {STATUS_RESTORED, 7},   {STATUS_PURGED_BY_RECIPIENT, 3},
        {STATUS_PURGED_BY_OWNER, 1},
    };
    uint64_t left = next_number(actor, 100);
    size_t i = 0;
    while (left >= weights[i].percent) {
        left -= weights[i++].percent;
    }
    return weights[i].kind;
}

struct application_act actor_next(struct actor *actor, int64_t now_us)
{
    int32_t message = next_message(actor);
    int32_t kind = next_kind(actor);
    int32_t party = population_actor(message, (int)next_number(actor, POPULATION_ACTORS));
    return (struct application_act){.altinn2_id = message,
                                    .altinn3_id = population_message(message),
                                    .party = population_party(party),
                                    .kind = kind,
                                    .occurred_at_us = now_us};
}

bool actor_doubles(struct actor *actor)
{
    return next_number(actor, DOUBLE_SHARE) == 0;
}

struct application_act actor_double_of(const struct application_act *act)
{
    struct application_act second = *act;
    second.doubled = true;
    second.occurred_at_us += DOUBLE_US;
    if (sync_second_of(second.occurred_at_us) != sync_second_of(act->occurred_at_us)) {
        second.occurred_at_us = act->occurred_at_us - DOUBLE_US;
    }
    return second;
}
