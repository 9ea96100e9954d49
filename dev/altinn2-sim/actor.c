/*
 * Users of Altinn 2: they read, confirm, archive, trash, restore and purge. Some acts are reported
 * twice, because two stores saw them milliseconds apart. Not here: telling anybody (push.c).
 */
#include "sim.h"

#include <core/arena.h>
#include <runtime/breaker.h>
#include <runtime/clock.h>

#define ACTS_MAX       500 /* in one transaction */
#define TRASHED_MAX    1024
#define TWICE_PERCENT  5
#define NOBODY_PERCENT 1 /* Altinn 2 sometimes has no actor */

enum {
    KIND_READ = 4,
    KIND_CONFIRMED = 6,
    KIND_PURGED_BY_RECIPIENT = 7,
    KIND_PURGED_BY_OWNER = 8,
    KIND_ARCHIVED = 9,
    KIND_SOFT_DELETED = 13,
    KIND_RESTORED = 14
};

struct planned_act {
    int32_t altinn2_id, kind;
    struct sync_uuid party, user;
    int64_t occurred_at_us;
    bool twice;
    int32_t delay_ms, twice_delay_ms; /* of the reports */
};

struct actor {
    struct sim *sim;
    struct sync_db *db;
    uint64_t random;
    int32_t trashed[TRASHED_MAX]; /* some messages that can be restored */
    size_t trashed_count;
    struct planned_act plan[ACTS_MAX];
    size_t planned;
    struct sync_arena arena;
    uint8_t memory[512 * 1024];
};

/* One statement, one transaction: an act on a message that the bridge has deleted meanwhile does
 * not happen. */
static const struct sync_statement act_statement = {
    "sim_act",
    "WITH d AS (SELECT * FROM unnest($1::int[], $2::int[], $3::uuid[], $4::uuid[], "
    "$5::timestamptz[],"
    "   $6::boolean[], $7::int[], $8::int[])"
    "   AS d (altinn2_id, kind, party, usr, occurred_at, twice, delay_ms, twice_delay_ms)),"
    " m AS (SELECT altinn2_id FROM altinn2sim.message WHERE altinn2_id = ANY ($1) AND NOT "
    "is_deleted"
    "   ORDER BY altinn2_id FOR UPDATE),"
    " a AS (INSERT INTO altinn2sim.act (altinn2_id, kind, party_uuid, user_uuid, occurred_at)"
    "   SELECT d.altinn2_id, d.kind, d.party, d.usr, d.occurred_at FROM d JOIN m USING (altinn2_id)"
    "   RETURNING act_id, altinn2_id, kind, party_uuid, user_uuid, occurred_at),"
    " r AS (INSERT INTO altinn2sim.report (altinn2_id, kind, party_uuid, user_uuid, occurred_at, "
    "cause, act_id, due_at)"
    "   SELECT a.altinn2_id, a.kind, a.party_uuid, a.user_uuid, a.occurred_at, 'act', a.act_id,"
    "          now() + d.delay_ms * interval '1 ms' FROM a JOIN d USING (altinn2_id) UNION ALL"
    "   SELECT a.altinn2_id, a.kind, a.party_uuid, a.user_uuid,"
    /* within the second: another second would be another fact */
    "          least(a.occurred_at + interval '7 ms', date_trunc('second', a.occurred_at) + "
    "interval '999999 us'),"
    "          'store', a.act_id, now() + d.twice_delay_ms * interval '1 ms'"
    "     FROM a JOIN d USING (altinn2_id) WHERE d.twice RETURNING 1),"
    " c AS (INSERT INTO altinn2sim.change (altinn2_id, flag, act_id)"
    "   SELECT altinn2_id, CASE kind WHEN 4 THEN 'read' WHEN 6 THEN 'confirmed' WHEN 9 THEN "
    "'archived'"
    "          WHEN 13 THEN 'trashed' WHEN 14 THEN 'restored' ELSE 'deleted' END, act_id FROM a "
    "RETURNING 1),"
    " u AS (UPDATE altinn2sim.message AS x SET is_read = is_read OR a.kind = 4,"
    "   is_confirmed = is_confirmed OR a.kind = 6, is_archived = is_archived OR a.kind = 9,"
    "   is_trashed = (is_trashed OR a.kind = 13) AND a.kind <> 14, is_deleted = a.kind IN (7, 8)"
    "   FROM a WHERE x.altinn2_id = a.altinn2_id RETURNING x.altinn2_id)"
    " SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM r), (SELECT count(*) FROM c), (SELECT "
    "count(*) FROM u)"};

static uint64_t below(struct actor *actor, uint64_t limit)
{
    return sync_random_next(&actor->random) % limit;
}

static bool is_planned(const struct actor *actor, int32_t altinn2_id)
{
    for (size_t i = 0; i < actor->planned; i++) {
        if (actor->plan[i].altinn2_id == altinn2_id) {
            return true;
        }
    }
    return false;
}

/* Half of all acts are reads. */
static int32_t choose_kind(struct actor *actor)
{
    uint64_t lot = below(actor, 100);
    return lot < 50   ? KIND_READ
           : lot < 65 ? KIND_CONFIRMED
           : lot < 75 ? KIND_ARCHIVED
           : lot < 86 ? KIND_SOFT_DELETED
           : lot < 95 ? KIND_RESTORED
           : lot < 99 ? KIND_PURGED_BY_RECIPIENT
                      : KIND_PURGED_BY_OWNER;
}

/* A message on which the act makes sense; false when none was found quickly. */
static bool choose_message(struct actor *actor, int32_t kind, int32_t *ret_id)
{
    struct sim *sim = actor->sim;
    for (int attempt = 0; attempt < 20; attempt++) {
        size_t index = below(actor, sim_message_count(sim));
        int32_t id = sim->options.messages.first + (int32_t)index;
        if (kind == KIND_RESTORED) {
            if (actor->trashed_count == 0) {
                return false;
            }
            size_t place = below(actor, actor->trashed_count);
            id = actor->trashed[place];
            actor->trashed[place] = actor->trashed[--actor->trashed_count];
            (void)sim_message_index(sim, id, &index);
        }
        unsigned flags = atomic_load(&sim->flags[index]);
        bool wrong_state = kind == KIND_SOFT_DELETED && (flags & SIM_TRASHED);
        if (!(flags & SIM_DELETED) && !wrong_state && !is_planned(actor, id)) {
            *ret_id = id;
            return true;
        }
    }
    return false;
}

static bool plan_one(void *context)
{
    struct actor *actor = context;
    struct planned_act act = {.kind = choose_kind(actor)};
    if (!choose_message(actor, act.kind, &act.altinn2_id)) {
        act.kind = KIND_READ;
        if (!choose_message(actor, act.kind, &act.altinn2_id)) {
            return false;
        }
    }
    int32_t party = population_actor(act.altinn2_id, (int)below(actor, POPULATION_ACTORS));
    act.user = population_user(party);
    act.party = population_party(party);
    if (act.kind == KIND_READ && below(actor, 100) < NOBODY_PERCENT) {
        act.party = (struct sync_uuid){{0}};
    }
    act.occurred_at_us = sync_clock_wall_us();
    act.twice = below(actor, 100) < TWICE_PERCENT;
    uint64_t spread_ms = (uint64_t)(actor->sim->options.reorder_seconds * 1000) + 1;
    act.delay_ms = (int32_t)below(actor, spread_ms);
    act.twice_delay_ms = (int32_t)below(actor, spread_ms);
    actor->plan[actor->planned++] = act;
    return true;
}

static sync_status write_plan(struct actor *actor, struct sync_error *err)
{
    size_t count = actor->planned;
    struct sync_arena *arena = &actor->arena;
    sync_arena_reset(arena, 0);
    int32_t *ids = sync_arena_take_array(arena, count, sizeof *ids);
    int32_t *kinds = sync_arena_take_array(arena, count, sizeof *kinds);
    struct sync_uuid *parties = sync_arena_take_array(arena, count, sizeof *parties);
    struct sync_uuid *users = sync_arena_take_array(arena, count, sizeof *users);
    int64_t *times = sync_arena_take_array(arena, count, sizeof *times);
    bool *twice = sync_arena_take_array(arena, count, sizeof *twice);
    int32_t *delays = sync_arena_take_array(arena, count, sizeof *delays);
    int32_t *twice_delays = sync_arena_take_array(arena, count, sizeof *twice_delays);
    SYNC_ASSERT(ids && kinds && parties && users && times && twice && delays && twice_delays);
    for (size_t i = 0; i < count; i++) {
        const struct planned_act *act = &actor->plan[i];
        ids[i] = act->altinn2_id;
        kinds[i] = act->kind;
        parties[i] = act->party;
        users[i] = act->user;
        times[i] = act->occurred_at_us;
        twice[i] = act->twice;
        delays[i] = act->delay_ms;
        twice_delays[i] = act->twice_delay_ms;
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, ids, NULL, count);
    sync_params_int4_array(&params, kinds, NULL, count);
    sync_params_uuid_array(&params, parties, NULL, count);
    sync_params_uuid_array(&params, users, NULL, count);
    sync_params_time_array(&params, times, NULL, count);
    sync_params_bool_array(&params, twice, NULL, count);
    sync_params_int4_array(&params, delays, NULL, count);
    sync_params_int4_array(&params, twice_delays, NULL, count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(actor->db, &act_statement, &params, &result, err);
    if (sync_is_ok(status)) {
        atomic_fetch_add(&actor->sim->counters.acts, sync_result_int8(&result, 0, 0));
        atomic_fetch_add(&actor->sim->counters.reports, sync_result_int8(&result, 0, 1));
    }
    return status;
}

/* What the users know about their own acts. */
static void remember(struct actor *actor)
{
    for (size_t i = 0; i < actor->planned; i++) {
        const struct planned_act *act = &actor->plan[i];
        size_t index = 0;
        (void)sim_message_index(actor->sim, act->altinn2_id, &index);
        atomic_uchar *flags = &actor->sim->flags[index];
        if (act->kind == KIND_RESTORED) {
            atomic_fetch_and(flags, (unsigned char)~SIM_TRASHED);
        } else {
            atomic_fetch_or(flags, act->kind == KIND_READ           ? SIM_READ
                                   : act->kind == KIND_CONFIRMED    ? SIM_CONFIRMED
                                   : act->kind == KIND_ARCHIVED     ? SIM_ARCHIVED
                                   : act->kind == KIND_SOFT_DELETED ? SIM_TRASHED
                                                                    : SIM_DELETED);
        }
        if (act->kind == KIND_SOFT_DELETED && actor->trashed_count < TRASHED_MAX) {
            actor->trashed[actor->trashed_count++] = act->altinn2_id;
        }
    }
}

static void write_and_remember(void *context)
{
    struct actor *actor = context;
    struct sync_error err = {0};
    if (sync_is_ok(write_plan(actor, &err))) {
        remember(actor);
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
    actor.db = simulator_connect(&actor.sim->common, "altinn2-sim-users");
    const struct simulator_acts acts = {.rate = actor.sim->options.rate,
                                        .act_seconds = actor.sim->options.act_seconds,
                                        .acts = actor.sim->options.acts,
                                        .done = &actor.sim->counters.acts,
                                        .planned_max = ACTS_MAX,
                                        .plan = plan_one,
                                        .write = write_and_remember,
                                        .actor = &actor};
    if (actor.db) {
        simulator_act(&actor.sim->common, &acts);
    }
    atomic_store(&actor.sim->common.acting, false);
    sync_db_free(&actor.db);
    return NULL;
}
