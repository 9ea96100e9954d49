/*
 * Acts by chance. Half of them meet on few keys, where the two sides then collide. People give and
 * take single rights, rights to messages, packages and client rights, end roles of Altinn 2, and
 * now and then everything at once; clean-up jobs take what they find.
 */
#include "sim.h"

#include <core/arena.h>
#include <runtime/breaker.h>
#include <stdlib.h>

#define BUSY_SHARE       20 /* one key in so many gets half of all acts */
#define CASCADE_SHARE    25 /* one act on a single right in so many ends the whole edge */
#define ARENA_BYTES      8192
#define SCHEMA_BYTES_MAX 65536

#define END_USER_API     "ed771364-42a8-4934-801e-b482ed20ec3e"
#define SINGLE_IMPORT    "f1be3999-68f6-4757-92b4-d3f3d33345e1" /* a job: nobody acts */

static const struct sync_statement actions_statement = {
    "sim_actions",
    "SELECT altinn3delegations.set_actions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"};
static const struct sync_statement package_statement = {
    "sim_package", "SELECT altinn3delegations.set_package($1, $2, $3, $4, $5, $6, $7, $8, $9)"};
static const struct sync_statement edge_statement = {
    "sim_edge", "SELECT altinn3delegations.remove_edge($1, $2, $3, $4, $5, $6, $7, $8)"};
static const struct sync_statement client_statement = {
    "sim_client", "SELECT altinn3delegations.set_client($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"};

/* One act, as far as every kind of it needs. */
struct act {
    struct sim_actor *actor;
    struct delegations_key key;
    struct sync_uuid ids[3], giver, receiver, firm, performer, system;
    bool human;
    int64_t at_us;
    struct sync_arena arena;
    struct sync_params params;
    uint8_t memory[ARENA_BYTES];
};

static uint64_t below(struct sim_actor *actor, uint64_t limit)
{
    return sync_random_next(&actor->random) % limit;
}

static void close_file(FILE **file)
{
    if (*file) {
        fclose(*file);
    }
}

sync_status sim_prepare(struct sync_db *db, const char *schema_file, struct sync_error *err)
{
    static char text[SCHEMA_BYTES_MAX + 1];
    __attribute__((cleanup(close_file))) FILE *file = fopen(schema_file, "r");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (size == 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE, "read %s: it cannot be read",
                         schema_file);
    }
    text[size] = '\0';
    return sync_db_script(db, text, err);
}

static int64_t choose_key(struct sim_actor *actor)
{
    uint64_t count = (uint64_t)(actor->last_key - actor->first_key + 1);
    uint64_t busy = count / BUSY_SHARE + 1;
    return actor->first_key + (int64_t)below(actor, below(actor, 2) == 0 ? busy : count);
}

/* Version 7: time, then chance. */
static struct sync_uuid next_id(struct sim_actor *actor, int64_t now_us)
{
    struct sync_uuid id;
    uint64_t ms = (uint64_t)now_us / 1000, bits[2];
    bits[0] = sync_random_next(&actor->random);
    bits[1] = sync_random_next(&actor->random);
    for (int i = 0; i < 6; i++) {
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    memcpy(id.bytes + 6, &bits[0], 2);
    memcpy(id.bytes + 8, &bits[1], 8);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

static struct sync_uuid known(const char *text)
{
    struct sync_uuid id = {{0}};
    bool good = sync_uuid_parse(sync_bytes_text(text), &id);
    SYNC_ASSERT(good);
    return id;
}

static void begin(struct act *act, struct sim_actor *actor, int64_t now_us)
{
    act->actor = actor;
    act->key = delegations_key_of(&actor->size, choose_key(actor));
    act->giver = population_party(act->key.from);
    act->receiver = population_party(act->key.to);
    act->firm = population_party(act->key.facilitator);
    act->human = below(actor, 100) >= (uint64_t)actor->machine_percent;
    act->system = known(act->human ? END_USER_API : SINGLE_IMPORT);
    act->performer = act->human ? population_party(act->key.from + 1) : act->system;
    act->at_us = now_us + (int64_t)(actor->skew_seconds * 1e6);
    for (int i = 0; i < 3; i++) {
        act->ids[i] = next_id(actor, now_us);
    }
    sync_arena_init(&act->arena, act->memory, sizeof act->memory);
    sync_params_init(&act->params, &act->arena);
    sync_params_uuid_array(&act->params, act->ids, NULL, 3);
    sync_params_uuid(&act->params, &act->giver);
    sync_params_uuid(&act->params, &act->receiver);
}

static const struct sync_statement *end(struct act *act, const struct sync_statement *statement)
{
    sync_params_uuid(&act->params, &act->performer);
    sync_params_uuid(&act->params, &act->system);
    sync_params_time(&act->params, act->at_us);
    sync_params_bool(&act->params, act->human);
    return statement;
}

/* What a policy of each kind of resource offers, sorted; as dev-make-delegations says. */
static const char *const offered[DELEGATIONS_RESOURCE_KINDS][4] = {
    {"read", "sign", "subscribe", "write"},
    {"read", "sign", "write"},
    {"read", "sign", "subscribe", "write"},
    {"read", "sign", "subscribe", "write"},
    {"read", "scopeaccess", "write"}};

static const struct sync_statement *choose_actions(struct act *act)
{
    char target[64], instance[80] = "";
    struct sync_bytes actions[4];
    size_t count = 0;
    int32_t kind = act->key.resource % DELEGATIONS_RESOURCE_KINDS;
    bool takes = !act->human || below(act->actor, 4) == 0;
    for (int i = 0; i < 4 && offered[kind][i] != NULL && !takes; i++) {
        if (below(act->actor, 2) == 0) {
            actions[count++] = sync_bytes_text(offered[kind][i]);
        }
    }
    delegations_resource_id(act->key.resource, target, sizeof target);
    if (act->key.kind == DELEGATIONS_INSTANCE) {
        delegations_instance(act->key.instance, instance, sizeof instance);
    }
    /* Text is borrowed until the statement has run. */
    struct sync_bytes kept[] = {sync_arena_copy(&act->arena, sync_bytes_text(target)),
                                sync_arena_copy(&act->arena, sync_bytes_text(instance))};
    SYNC_ASSERT(kept[0].data && kept[1].data);
    sync_params_text(&act->params, (const char *)kept[0].data);
    sync_params_text(&act->params, (const char *)kept[1].data);
    sync_params_text_array(&act->params, actions, count);
    return end(act, &actions_statement);
}

/* Packages that a person may give, and that roles of Altinn 2 carry as well. */
static const struct sync_statement *choose_package(struct act *act)
{
    static const char *const packages[] = {
        "urn:altinn:accesspackage:hovedadministrator", "urn:altinn:accesspackage:tilgangsstyrer",
        "urn:altinn:accesspackage:maskinporten-administrator",
        "urn:altinn:accesspackage:innbygger-skatteforhold-privatpersoner"};
    sync_params_text(&act->params, packages[below(act->actor, 4)]);
    sync_params_bool(&act->params, act->human && below(act->actor, 5) < 3);
    return end(act, &package_statement);
}

static const struct sync_statement *choose_edge(struct act *act, const char *role)
{
    static const char *const codes[] = {"hadm",  "loper",  "admai", "utinn",
                                        "a0278", "apiadm", "a0282", "regna"};
    sync_params_text(&act->params, role ? role : codes[below(act->actor, 8)]);
    return end(act, &edge_statement);
}

static const struct sync_statement *choose_client(struct act *act)
{
    static const char *const packages[] = {
        "urn:altinn:accesspackage:regnskapsforer-med-signeringsrettighet",
        "urn:altinn:accesspackage:regnskapsforer-uten-signeringsrettighet",
        "urn:altinn:accesspackage:regnskapsforer-lonn"};
    sync_params_uuid(&act->params, &act->firm);
    sync_params_text(&act->params, packages[below(act->actor, 3)]);
    sync_params_bool(&act->params, act->human && below(act->actor, 5) < 3);
    return end(act, &client_statement);
}

static const struct sync_statement *choose(struct act *act)
{
    switch (act->key.kind) {
    case DELEGATIONS_SINGLE:
        return act->human && below(act->actor, CASCADE_SHARE) == 0
                   ? choose_edge(act, "rettighetshaver")
                   : choose_actions(act);
    case DELEGATIONS_INSTANCE:
        return choose_actions(act);
    case DELEGATIONS_ROLE:
        return below(act->actor, 2) == 0 ? choose_package(act) : choose_edge(act, NULL);
    case DELEGATIONS_CLIENT:
        return choose_client(act);
    }
    return NULL;
}

sync_status sim_act(struct sim_actor *actor, struct sync_db *db, int64_t now_us, bool *ret_changed,
                    struct sync_error *err)
{
    struct act act;
    SYNC_RESULT result = {0};
    begin(&act, actor, now_us);
    const struct sync_statement *statement = choose(&act);
    sync_status status = sync_db_exec(db, statement, &act.params, &result, err);
    *ret_changed = sync_is_ok(status) && sync_result_bool(&result, 0, 0);
    return status;
}
