/* Parties, aliases and resources from the database, sorted, and found again. Not here: names. */
#include "delegation_answers.h"

#include "authorization_ids.h"

#include <stdlib.h>

size_t deleg_distinct(void *items, size_t count, size_t size,
                      int (*compare)(const void *left, const void *right))
{
    uint8_t *bytes = items;
    size_t kept = 0;
    qsort(items, count, size, compare);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare(bytes + (kept - 1) * size, bytes + i * size) != 0) {
            memmove(bytes + kept * size, bytes + i * size, size);
            kept++;
        }
    }
    return kept;
}

/* Parties ----------------------------------------------------------------------------------- */

/* Each branch by its own index. */
static const struct sync_statement parties_statement = {
    "delegation_parties",
    "WITH found AS (SELECT e.id, e.partyid, e.userid, e.typeid, e.variantid FROM dbo.entity e"
    "  WHERE e.id = ANY ($1::uuid[])"
    " UNION SELECT e.id, e.partyid, e.userid, e.typeid, e.variantid FROM dbo.entity e"
    "  WHERE e.partyid = ANY ($2::int4[])"
    " UNION SELECT e.id, e.partyid, e.userid, e.typeid, e.variantid FROM dbo.entity e"
    "  WHERE e.userid = ANY ($3::int4[]))"
    " SELECT f.id, coalesce(f.partyid, 0), coalesce(f.userid, 0), f.typeid, f.variantid,"
    " CASE WHEN a.new_uuid IS NOT NULL THEN sync.party_now(a.new_uuid) END"
    " FROM found f LEFT JOIN sync.alias a ON a.old_uuid = f.id ORDER BY f.id"};
static const struct sync_statement aliases_statement = {
    "delegation_aliases", "SELECT old_uuid, sync.party_now(new_uuid), seq FROM sync.alias"
                          " WHERE old_uuid = ANY ($1::uuid[]) ORDER BY old_uuid"};

static enum delegation_party_type type_of(const struct sync_uuid *type)
{
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(type, text);
    return strcmp(text, AUTHORIZATION_TYPE_PERSON) == 0 ? DELEGATION_TYPE_PERSON
                                                        : DELEGATION_TYPE_OTHER;
}

static struct deleg_party party_read(const struct sync_result *result, int row)
{
    struct sync_uuid type = sync_result_uuid(result, row, 3);
    struct deleg_party read = {.party = {.uuid = sync_result_uuid(result, row, 0),
                                         .party_id = sync_result_int4(result, row, 1),
                                         .user_id = sync_result_int4(result, row, 2),
                                         .type = type_of(&type)},
                               .variant = sync_result_uuid(result, row, 4),
                               .merged = !sync_result_is_null(result, row, 5),
                               .alias = sync_result_uuid(result, row, 5)};
    return read;
}

static int compare_parties(const void *left, const void *right)
{
    const struct deleg_party *a = left, *b = right;
    return sync_uuid_compare(&a->party.uuid, &b->party.uuid);
}

/* Adds to what is there; both ask rounds give their rows to it. */
static sync_status read_parties(struct deleg_batch *all, const struct sync_result *result,
                                struct sync_error *err)
{
    struct deleg_answers *answers = &all->answers;
    size_t total = answers->party_count + (size_t)result->rows;
    struct deleg_party *parties =
        sync_arena_take_array(all->batch->arena, total + 1, sizeof *parties);
    if (parties == NULL) {
        return deleg_memory_full("its parties", err);
    }
    if (answers->party_count > 0) {
        memcpy(parties, answers->parties, answers->party_count * sizeof *parties);
    }
    for (int row = 0; row < result->rows; row++) {
        parties[answers->party_count + (size_t)row] = party_read(result, row);
    }
    answers->parties = parties;
    answers->party_count = deleg_distinct(parties, total, sizeof *parties, compare_parties);
    return SYNC_OK;
}

static int compare_aliases(const void *left, const void *right)
{
    const struct delegation_alias *a = left, *b = right;
    return sync_uuid_compare(&a->old_id, &b->old_id);
}

static sync_status read_aliases(struct deleg_batch *all, const struct sync_result *result,
                                struct sync_error *err)
{
    struct deleg_answers *answers = &all->answers;
    size_t total = answers->alias_count + (size_t)result->rows;
    struct delegation_alias *aliases =
        sync_arena_take_array(all->batch->arena, total + answers->party_count + 1, sizeof *aliases);
    if (aliases == NULL) {
        return deleg_memory_full("its aliases", err);
    }
    if (answers->alias_count > 0) {
        memcpy(aliases, answers->aliases, answers->alias_count * sizeof *aliases);
    }
    for (int row = 0; row < result->rows; row++) {
        aliases[answers->alias_count + (size_t)row] =
            (struct delegation_alias){.old_id = sync_result_uuid(result, row, 0),
                                      .new_id = sync_result_uuid(result, row, 1),
                                      .seq = sync_result_int8(result, row, 2)};
    }
    /* Those of parties that only a number names. */
    for (size_t i = 0; i < answers->party_count; i++) {
        if (answers->parties[i].merged) {
            aliases[total++] = (struct delegation_alias){.old_id = answers->parties[i].party.uuid,
                                                         .new_id = answers->parties[i].alias};
        }
    }
    answers->aliases = aliases;
    answers->alias_count = deleg_distinct(aliases, total, sizeof *aliases, compare_aliases);
    return SYNC_OK;
}

const struct deleg_party *deleg_party_find(const struct deleg_answers *answers,
                                           const struct sync_uuid *id)
{
    struct deleg_party wanted = {.party = {.uuid = *id}};
    return answers->party_count == 0 ? NULL
                                     : bsearch(&wanted, answers->parties, answers->party_count,
                                               sizeof wanted, compare_parties);
}

const struct delegation_alias *deleg_alias_find(const struct deleg_answers *answers,
                                                const struct sync_uuid *id)
{
    struct delegation_alias wanted = {.old_id = *id};
    return answers->alias_count == 0 ? NULL
                                     : bsearch(&wanted, answers->aliases, answers->alias_count,
                                               sizeof wanted, compare_aliases);
}

/* Resources --------------------------------------------------------------------------------- */

#define RESOURCE_COLUMNS                                                                           \
    "r.resource, r.type, r.service_code, r.edition, r.actions, r.phase, r.freeze_time"
static const struct sync_statement resources_statement = {
    "delegation_resources",
    "SELECT " RESOURCE_COLUMNS " FROM sync.resource_state r WHERE r.resource = ANY ($1::text[])"
    " UNION ALL SELECT " RESOURCE_COLUMNS
    " FROM unnest($2::text[], $3::int4[]) AS s (code, edition)"
    " JOIN sync.resource_state r ON r.service_code = s.code AND r.edition = s.edition"};

static enum delegation_resource_type resource_type_of(struct sync_bytes name)
{
    if (sync_bytes_equal(name, sync_bytes_text("CorrespondenceService"))) {
        return DELEGATION_RESOURCE_CORRESPONDENCE;
    }
    return sync_bytes_equal(name, sync_bytes_text("Altinn2Service")) ? DELEGATION_RESOURCE_ALTINN2
                                                                     : DELEGATION_RESOURCE_OTHER;
}

/* False: the text is longer than the table's check lets it be. */
static bool text_read(struct sync_bytes text, char *ret_text, size_t capacity)
{
    bool fits = text.size < capacity;
    memcpy(ret_text, text.data == NULL ? (const uint8_t *)"" : text.data, fits ? text.size : 0);
    ret_text[fits ? text.size : 0] = '\0';
    return fits;
}

static void actions_read(struct sync_array array, struct delegation_resource *resource)
{
    struct sync_bytes item;
    while (resource->action_count < DELEGATION_RIGHTS_MAX && sync_array_next(&array, &item)) {
        char *to = resource->actions[resource->action_count];
        resource->action_count += text_read(item, to, DELEGATION_RIGHT_SIZE) ? 1 : 0;
    }
}

static void resource_read(const struct sync_result *result, int row,
                          struct delegation_resource *resource)
{
    memset(resource, 0, sizeof *resource);
    (void)text_read(sync_result_bytes(result, row, 0), resource->id, sizeof resource->id);
    resource->type = resource_type_of(sync_result_bytes(result, row, 1));
    resource->has_service = !sync_result_is_null(result, row, 2);
    (void)text_read(sync_result_bytes(result, row, 2), resource->service_code,
                    sizeof resource->service_code);
    resource->edition = sync_result_int4(result, row, 3);
    resource->has_actions = !sync_result_is_null(result, row, 4);
    actions_read(sync_result_array(result, row, 4), resource);
    resource->phase = (enum delegation_phase)sync_result_int4(result, row, 5);
    resource->freeze_us =
        sync_result_is_null(result, row, 6) ? DELEGATION_NEVER : sync_result_time(result, row, 6);
}

static int compare_resources(const void *left, const void *right)
{
    const struct delegation_resource *a = left, *b = right;
    return strcmp(a->id, b->id);
}

static sync_status read_resources(struct deleg_batch *all, const struct sync_result *result,
                                  struct sync_error *err)
{
    struct deleg_answers *answers = &all->answers;
    size_t total = answers->resource_count + (size_t)result->rows;
    struct delegation_resource *resources =
        sync_arena_take_array(all->batch->arena, total + 1, sizeof *resources);
    if (resources == NULL) {
        return deleg_memory_full("its resources", err);
    }
    if (answers->resource_count > 0) {
        memcpy(resources, answers->resources, answers->resource_count * sizeof *resources);
    }
    for (int row = 0; row < result->rows; row++) {
        resource_read(result, row, &resources[answers->resource_count + (size_t)row]);
    }
    answers->resources = resources;
    answers->resource_count =
        deleg_distinct(resources, total, sizeof *resources, compare_resources);
    return SYNC_OK;
}

const struct delegation_resource *deleg_resource_find(const struct deleg_answers *answers,
                                                      const char *id)
{
    struct delegation_resource wanted;
    (void)text_read(sync_bytes_text(id), wanted.id, sizeof wanted.id);
    return answers->resource_count == 0
               ? NULL
               : bsearch(&wanted, answers->resources, answers->resource_count, sizeof wanted,
                         compare_resources);
}

const struct delegation_resource *deleg_resource_of(const struct deleg_answers *answers,
                                                    const struct delegation_change *change)
{
    char text[DELEGATION_TARGET_SIZE];
    if (change->target_kind == DELEGATION_TARGET_RESOURCE && change->has_target_id) {
        return delegation_text_take(change->target_id, text, sizeof text)
                   ? deleg_resource_find(answers, text)
                   : NULL;
    }
    if (change->target_kind != DELEGATION_TARGET_SERVICE || !change->has_service_code ||
        !delegation_text_take(change->service_code, text, sizeof text)) {
        return NULL;
    }
    for (size_t i = 0; i < answers->resource_count; i++) {
        const struct delegation_resource *resource = &answers->resources[i];
        if (resource->has_service && resource->edition == change->edition &&
            strcmp(resource->service_code, text) == 0) {
            return resource;
        }
    }
    return NULL;
}

static int compare_party_ids(const void *left, const void *right)
{
    int32_t a = (*(struct deleg_party *const *)left)->party.party_id;
    int32_t b = (*(struct deleg_party *const *)right)->party.party_id;
    return (a > b) - (a < b);
}

static int compare_user_ids(const void *left, const void *right)
{
    int32_t a = (*(struct deleg_party *const *)left)->party.user_id;
    int32_t b = (*(struct deleg_party *const *)right)->party.user_id;
    return (a > b) - (a < b);
}

sync_status deleg_answers_index(struct deleg_batch *all, struct sync_error *err)
{
    struct deleg_answers *answers = &all->answers;
    size_t room = answers->party_count + 1;
    answers->by_party_id =
        sync_arena_take_array(all->batch->arena, room, sizeof(struct deleg_party *));
    answers->by_user_id =
        sync_arena_take_array(all->batch->arena, room, sizeof(struct deleg_party *));
    if (answers->by_party_id == NULL || answers->by_user_id == NULL) {
        return deleg_memory_full("its parties", err);
    }
    answers->by_party_id_count = answers->by_user_id_count = 0;
    for (size_t i = 0; i < answers->party_count; i++) {
        struct deleg_party *party = &answers->parties[i];
        if (party->party.party_id > 0) {
            answers->by_party_id[answers->by_party_id_count++] = party;
        }
        if (party->party.user_id > 0) {
            answers->by_user_id[answers->by_user_id_count++] = party;
        }
    }
    qsort(answers->by_party_id, answers->by_party_id_count, sizeof(struct deleg_party *),
          compare_party_ids);
    qsort(answers->by_user_id, answers->by_user_id_count, sizeof(struct deleg_party *),
          compare_user_ids);
    return SYNC_OK;
}

const struct deleg_party *deleg_party_by_number(const struct deleg_answers *answers, int32_t number,
                                                bool user)
{
    struct deleg_party *const *list = user ? answers->by_user_id : answers->by_party_id;
    size_t low = 0, high = user ? answers->by_user_id_count : answers->by_party_id_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int32_t own = user ? list[middle]->party.user_id : list[middle]->party.party_id;
        if (own == number) {
            return list[middle];
        }
        if (own < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* Asking ------------------------------------------------------------------------------------ */

sync_status deleg_answers_ask(struct deleg_batch *all, const struct deleg_questions *questions,
                              struct sync_error *err)
{
    struct deleg_asks *asks = NULL;
    sync_status status = deleg_asks_new(all, &asks, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_params *params = deleg_ask(all, asks, &parties_statement, read_parties);
    sync_params_uuid_array(params, questions->uuids, NULL, questions->uuid_count);
    sync_params_int4_array(params, questions->party_ids, NULL, questions->party_id_count);
    sync_params_int4_array(params, questions->user_ids, NULL, questions->user_id_count);
    params = deleg_ask(all, asks, &aliases_statement, read_aliases);
    sync_params_uuid_array(params, questions->uuids, NULL, questions->uuid_count);
    if (questions->resource_count + questions->service_count > 0) {
        params = deleg_ask(all, asks, &resources_statement, read_resources);
        sync_params_text_array(params, questions->resources, questions->resource_count);
        sync_params_text_array(params, questions->codes, questions->service_count);
        sync_params_int4_array(params, questions->editions, NULL, questions->service_count);
    }
    return deleg_asks_run(all, asks, err);
}
