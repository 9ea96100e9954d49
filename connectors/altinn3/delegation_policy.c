/* The table store of policy documents. Not here: rows that point at them. */
#include "delegation_policy.h"

#include <inttypes.h>
#include <stdio.h>

#define PATH_MAX_BYTES 512 /* target, instance, two uuids and what parts them */

struct sync_bytes deleg_policy_path(struct sync_arena *arena, const struct delegation_key *key)
{
    char text[PATH_MAX_BYTES], from[SYNC_UUID_BUFFER], to[SYNC_UUID_BUFFER];
    const struct delegation_key_name *name = &key->name;
    sync_uuid_format(&name->from, from);
    sync_uuid_format(&name->to, to);
    bool instance = name->kind == DELEGATION_INSTANCE;
    int size =
        snprintf(text, sizeof text, "%s%s%s%s/%s/%s/altinn-sync", name->variant == 1 ? "app/" : "",
                 name->target, instance ? "/" : "", instance ? name->instance : "", from, to);
    SYNC_ASSERT(size > 0 && (size_t)size < sizeof text);
    return sync_arena_copy(arena, (struct sync_bytes){(const uint8_t *)text, (size_t)size});
}

/* The key's version names the document: two writes of one key never share it (DL-100). */
static bool version_of(struct sync_arena *arena, struct deleg_policy *document)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, deleg_key(document->slot)->version);
    document->version = sync_arena_copy(arena, sync_bytes_text(text));
    return document->version.data != NULL;
}

static sync_status table_put(struct deleg_batch *all, struct deleg_policy *documents, size_t count,
                             struct deleg_asks *asks, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "delegation_put_documents",
        "INSERT INTO sync.policy_document (path, version, actions, instance)"
        " SELECT n.path, n.version, n.actions::text[], n.instance FROM unnest($1::text[],"
        "  $2::text[], $3::text[], $4::text[]) AS n (path, version, actions, instance)"
        " ON CONFLICT (path, version) DO NOTHING"};
    struct sync_arena *arena = all->batch->arena;
    struct sync_bytes *columns[4];
    if (count == 0) {
        return SYNC_OK;
    }
    for (size_t i = 0; i < 4; i++) {
        columns[i] = sync_arena_take_array(arena, count, sizeof(struct sync_bytes));
        if (columns[i] == NULL) {
            return deleg_memory_full("policy documents", err);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!version_of(arena, &documents[i])) {
            return deleg_memory_full("policy documents", err);
        }
        columns[0][i] = documents[i].path;
        columns[1][i] = documents[i].version;
        columns[2][i] = documents[i].actions;
        columns[3][i] = documents[i].instance;
    }
    struct sync_params *params = deleg_ask(all, asks, &statement, NULL);
    for (size_t i = 0; i < 4; i++) {
        sync_params_text_array(params, columns[i], count);
    }
    return SYNC_OK;
}

/* The bytes of an array outlive the result in the arena. */
static bool array_keep(struct sync_arena *arena, struct sync_array *array)
{
    struct sync_bytes kept = sync_arena_copy(arena, (struct sync_bytes){array->data, array->size});
    array->data = kept.data;
    return kept.data != NULL;
}

static sync_status table_get(struct deleg_batch *all, const struct sync_bytes *paths,
                             const struct sync_bytes *versions, size_t count,
                             struct sync_array *ret_actions, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "delegation_get_documents",
        "SELECT (n.i - 1)::int4, d.actions FROM unnest($1::text[], $2::text[])"
        "  WITH ORDINALITY AS n (path, version, i)"
        " JOIN sync.policy_document d ON d.path = n.path AND d.version = n.version"};
    struct sync_params params;
    sync_params_init(&params, all->batch->arena);
    sync_params_text_array(&params, paths, count);
    sync_params_text_array(&params, versions, count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, &statement, &params, &result, err);
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        struct sync_array array = sync_result_array(&result, row, 1);
        if (!array_keep(all->batch->arena, &array)) {
            return deleg_memory_full("policy documents", err);
        }
        ret_actions[sync_result_int4(&result, row, 0)] = array;
    }
    return status;
}

const struct deleg_policy_store deleg_policy_table = {
    .name = "table",
    .later = false,
    .put = table_put,
    .get = table_get,
};
