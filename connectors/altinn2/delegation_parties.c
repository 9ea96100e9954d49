/* Look-ups in dbo.entity, cached by party id. Not here: connection, meaning. */
#include "delegation_parties.h"

#define LOOKUP_MAX 4096 /* party ids of one statement: its parameters stay small */

static const struct sync_statement resolve_statement = {
    "delegation_parties", "SELECT partyid, id FROM dbo.entity WHERE partyid = ANY ($1)"};
static const struct sync_statement complete_statement = {
    "delegation_party", "SELECT id, partyid, userid FROM dbo.entity"
                        " WHERE id = $1 OR partyid = $2 OR userid = $3 ORDER BY id LIMIT 2"};

static struct delegation_party_entry *cache_place(struct delegation_parties *parties,
                                                  int32_t party_id)
{
    uint32_t hash = (uint32_t)party_id * 2654435761U;
    return &parties->cache[(hash >> 8) % SYNC_RECEIVER_CACHE_ENTRIES];
}

static bool lacks_uuid(const struct delegation_name *giver)
{
    return !giver->has_uuid && giver->has_party_id;
}

static void give_uuid(struct delegation_name *giver, const struct sync_uuid *uuid)
{
    giver->uuid = *uuid;
    giver->has_uuid = true;
}

/* Asks for at most LOOKUP_MAX ids and gives the uuids to all that lack them. */
static sync_status ask(struct delegation_parties *parties, struct resolver *resolver,
                       struct delegation_name **givers, size_t count, struct sync_error *err)
{
    int32_t ids[LOOKUP_MAX];
    size_t wanted = 0;
    for (size_t i = 0; i < count && wanted < LOOKUP_MAX; i++) {
        if (lacks_uuid(givers[i]) && (wanted == 0 || ids[wanted - 1] != givers[i]->party_id)) {
            ids[wanted++] = givers[i]->party_id;
        }
    }
    struct sync_params params = resolver_params(resolver);
    sync_params_int4_array(&params, ids, NULL, wanted);
    SYNC_RESULT result = {0};
    sync_status status = resolver_exec(resolver, &resolve_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "look up parties");
    }
    for (int row = 0; row < result.rows; row++) {
        int32_t party_id = sync_result_int4(&result, row, 0);
        struct sync_uuid uuid = sync_result_uuid(&result, row, 1);
        *cache_place(parties, party_id) = (struct delegation_party_entry){party_id, uuid};
        for (size_t i = 0; i < count; i++) {
            if (lacks_uuid(givers[i]) && givers[i]->party_id == party_id) {
                give_uuid(givers[i], &uuid);
            }
        }
    }
    return SYNC_OK;
}

sync_status delegation_parties_resolve(struct delegation_parties *parties,
                                       struct resolver *resolver, struct delegation_name **givers,
                                       size_t count, struct sync_error *err)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (!lacks_uuid(givers[i])) {
            continue;
        }
        const struct delegation_party_entry *entry = cache_place(parties, givers[i]->party_id);
        if (entry->party_id == givers[i]->party_id) {
            give_uuid(givers[i], &entry->uuid);
        } else {
            any = true;
        }
    }
    return any ? ask(parties, resolver, givers, count, err) : SYNC_OK;
}

sync_status delegation_parties_complete(struct resolver *resolver, struct delegation_name *party,
                                        struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_uuid(&params, party->has_uuid ? &party->uuid : NULL);
    sync_params_int4(&params, party->has_party_id ? party->party_id : -1);
    sync_params_int4(&params, party->has_user_id ? party->user_id : -1);
    SYNC_RESULT result = {0};
    sync_status status = resolver_exec(resolver, &complete_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "look up a party");
    }
    if (result.rows != 1) {
        return SYNC_OK; /* unknown, or its ids belong to two: what it is named by stays */
    }
    if (!party->has_uuid) {
        party->uuid = sync_result_uuid(&result, 0, 0);
        party->has_uuid = true;
    }
    if (!party->has_party_id && !sync_result_is_null(&result, 0, 1)) {
        party->party_id = sync_result_int4(&result, 0, 1);
        party->has_party_id = party->party_id != 0;
    }
    if (!party->has_user_id && !sync_result_is_null(&result, 0, 2)) {
        party->user_id = sync_result_int4(&result, 0, 2);
        party->has_user_id = party->user_id != 0;
    }
    return SYNC_OK;
}
