/*
 * Users of Altinn 2: they give and take rights to services, single messages and roles. What one
 * does depends on what he sees (schema.sql); here only who acts on which key, and when. Not here:
 * telling anybody (push.c, and the role feed of bridge.c).
 */
#include "sim.h"

#include <core/arena.h>
#include <runtime/breaker.h>

#define ACTS_MAX   500 /* in one transaction */
#define BUSY_SHARE 20  /* one key in so many gets half of all acts */
#define LATE_SHARE 20  /* one event of the role feed in so many shows up late */

struct planned_act {
    struct delegations_key key;
    char target[64], instance[80];
    int32_t lot, other_lot, delay_ms, late_ms;
    int64_t at_us;
};

struct actor {
    struct sim *sim;
    struct sync_db *db;
    uint64_t random;
    struct planned_act plan[ACTS_MAX];
    size_t planned;
    struct sync_arena arena;
    uint8_t memory[512 * 1024];
};

static const struct sync_statement acts_statement = {
    "sim_acts", "SELECT altinn2delegations.acts($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"};

static uint64_t below(struct actor *actor, uint64_t limit)
{
    return sync_random_next(&actor->random) % limit;
}

/* Half of all acts meet on few keys, where the two sides then collide. */
static int64_t choose_key(struct actor *actor)
{
    const struct sim_options *options = &actor->sim->options;
    uint64_t count = (uint64_t)(options->last_key - options->first_key + 1);
    uint64_t busy = count / BUSY_SHARE + 1;
    return options->first_key + (int64_t)below(actor, below(actor, 2) == 0 ? busy : count);
}

static bool plan_one(void *context)
{
    struct actor *actor = context;
    const struct sim_options *options = &actor->sim->options;
    struct planned_act *act = &actor->plan[actor->planned++];
    act->key = delegations_key_of(&options->size, choose_key(actor));
    act->instance[0] = '\0';
    if (act->key.kind == DELEGATIONS_SINGLE || act->key.kind == DELEGATIONS_INSTANCE) {
        delegations_resource_id(act->key.resource, act->target, sizeof act->target);
    } else {
        (void)snprintf(act->target, sizeof act->target, "%s", act->key.role);
    }
    if (act->key.kind == DELEGATIONS_INSTANCE) {
        delegations_instance(act->key.instance, act->instance, sizeof act->instance);
    }
    act->lot = (int32_t)below(actor, 100);
    act->other_lot = (int32_t)below(actor, 1000);
    act->delay_ms = (int32_t)below(actor, (uint64_t)(options->delay_seconds * 1000) + 1);
    bool late = below(actor, LATE_SHARE) == 0;
    act->late_ms = late ? (int32_t)below(actor, (uint64_t)(options->late_seconds * 1000) + 1) : 0;
    act->at_us = sim_clock_us(actor->sim);
    return true;
}

#define COLUMN(type) sync_arena_take_array(&actor->arena, count, sizeof(type))

static void plan_params(struct actor *actor, struct sync_params *params)
{
    size_t count = actor->planned;
    sync_arena_reset(&actor->arena, 0);
    int32_t *numbers[8];
    for (int i = 0; i < 8; i++) {
        numbers[i] = COLUMN(int32_t);
        SYNC_ASSERT(numbers[i]);
    }
    struct sync_bytes *targets = COLUMN(struct sync_bytes), *instances = COLUMN(struct sync_bytes);
    int64_t *times = COLUMN(int64_t);
    SYNC_ASSERT(targets && instances && times);
    for (size_t i = 0; i < count; i++) {
        const struct planned_act *act = &actor->plan[i];
        numbers[0][i] =
            act->key.kind == DELEGATIONS_CLIENT ? DELEGATIONS_ROLE : (int32_t)act->key.kind;
        numbers[1][i] = act->key.from;
        numbers[2][i] = act->key.to;
        numbers[3][i] = act->key.facilitator;
        numbers[4][i] = act->lot;
        numbers[5][i] = act->other_lot;
        numbers[6][i] = act->delay_ms;
        numbers[7][i] = act->late_ms;
        targets[i] = sync_bytes_text(act->target);
        instances[i] = sync_bytes_text(act->instance);
        times[i] = act->at_us;
    }
    sync_params_init(params, &actor->arena);
    sync_params_int4_array(params, numbers[0], NULL, count);
    sync_params_int4_array(params, numbers[1], NULL, count);
    sync_params_int4_array(params, numbers[2], NULL, count);
    sync_params_text_array(params, targets, count);
    sync_params_text_array(params, instances, count);
    sync_params_int4_array(params, numbers[3], NULL, count);
    sync_params_int4_array(params, numbers[4], NULL, count);
    sync_params_int4_array(params, numbers[5], NULL, count);
    sync_params_time_array(params, times, NULL, count);
    sync_params_int4_array(params, numbers[6], NULL, count);
    sync_params_int4_array(params, numbers[7], NULL, count);
}

/* One transaction. When nobody knows whether it happened, the acts of its users are simply others.
 */
static void write_plan(void *context)
{
    struct actor *actor = context;
    struct sync_params params;
    struct sync_error err = {0};
    plan_params(actor, &params);
    pthread_mutex_lock(&actor->sim->truth);
    sync_status status = sync_db_exec(actor->db, &acts_statement, &params, NULL, &err);
    pthread_mutex_unlock(&actor->sim->truth);
    if (sync_is_ok(status)) {
        atomic_fetch_add(&actor->sim->counters.acts, (long long)actor->planned);
    } else {
        simulator_database_failed(&actor->sim->common, "acts", &err);
    }
    actor->planned = 0;
}

void *sim_act(void *context)
{
    static struct actor actor;
    actor.sim = context;
    actor.random = actor.sim->options.seed;
    sync_arena_init(&actor.arena, actor.memory, sizeof actor.memory);
    actor.db = simulator_connect(&actor.sim->common, "altinn2-delegation-sim-users");
    const struct simulator_acts acts = {.rate = actor.sim->options.rate,
                                        .act_seconds = actor.sim->options.act_seconds,
                                        .acts = actor.sim->options.acts,
                                        .done = &actor.sim->counters.acts,
                                        .planned_max = ACTS_MAX,
                                        .plan = plan_one,
                                        .write = write_plan,
                                        .actor = &actor};
    if (actor.db) {
        simulator_act(&actor.sim->common, &acts);
    }
    atomic_store(&actor.sim->common.acting, false);
    sync_db_free(&actor.db);
    return NULL;
}
