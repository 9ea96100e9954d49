/* Which of what waits can go on, page by page: the question of a sweep to the store. Not here: the
 * release (apply_release.c), when it is asked (consumer_adopt.c). */
#include "../core/limits.h"
#include "apply_parts.h"
#include "claim.h"

/*
 * Where the next page ends. It has at most $5 rows of each table, so a list that is full says
 * nothing about what lies behind its last key: the nearer one of these is the end. One walk of each
 * index, and no walk from key to key: the plan of the day when the tables were empty must do.
 */
#define NEXT "scope = $1 AND topic = $2 AND partition = $3 AND entity_key > $4"
static const struct sync_statement page_end = {
    "waiting_page",
    "WITH held AS (SELECT entity_key AS key FROM sync.hold WHERE " NEXT
    "  ORDER BY entity_key LIMIT $5),"
    " parked AS (SELECT p.entity_key AS key FROM sync.parked AS p WHERE " NEXT
    "  AND " SYNC_PARKED_BY_LIMIT(
        "p") " ORDER BY p.entity_key LIMIT $5)"
             " SELECT coalesce(least((SELECT max(key) FROM held HAVING count(*) = $5),"
             "   (SELECT max(key) FROM parked HAVING count(*) = $5)),"
             "  greatest((SELECT max(key) FROM held), (SELECT max(key) FROM parked)), '')"};
#undef NEXT

static void key_of(struct sync_bytes text, struct sync_key *ret_key)
{
    SYNC_ASSERT(text.size < sizeof ret_key->text);
    *ret_key = (struct sync_key){.size = text.size};
    memcpy(ret_key->text, text.data, text.size);
}

static void put_place(const struct sync_place *place, struct sync_arena *arena,
                      struct sync_params *params)
{
    sync_params_init(params, arena);
    sync_params_text(params, place->scope);
    sync_params_text(params, place->topic);
    sync_params_int4(params, place->partition);
}

static sync_status find_end(const struct sync_applier *applier, const struct sync_place *place,
                            const struct sync_key *after, struct sync_arena *arena,
                            struct sync_key *ret_last, struct sync_error *err)
{
    struct sync_params params;
    put_place(place, arena, &params);
    sync_params_text(&params, after->text);
    sync_params_int8(&params, SYNC_ADOPTION_PAGE_ROWS);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(applier->db, &page_end, &params, &result, err);
    if (sync_is_ok(status)) {
        key_of(sync_result_bytes(&result, 0, 0), ret_last);
    }
    return status;
}

sync_status sync_apply_adoptable(const struct sync_applier *applier, const struct sync_place *place,
                                 const struct sync_key *after, size_t max, struct sync_arena *arena,
                                 struct sync_adoptable *ret_found, struct sync_error *err)
{
    struct sync_adoptable found = {.count = 0};
    sync_status status = SYNC_OK;
    if (applier->store->adoptable != NULL) {
        status = find_end(applier, place, after, arena, &found.last, err);
    }
    if (!sync_is_ok(status) || found.last.size == 0) {
        *ret_found = found;
        return status;
    }
    struct sync_params params;
    put_place(place, arena, &params);
    sync_params_int8(&params, (int64_t)max);
    sync_params_text(&params, after->text);
    sync_params_text(&params, found.last.text);
    SYNC_RESULT result = {0};
    status = sync_db_exec(applier->db, applier->store->adoptable, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    found.keys = sync_arena_take_array(arena, (size_t)result.rows + 1, sizeof *found.keys);
    if (found.keys == NULL) {
        return apply_full(err);
    }
    for (int i = 0; i < result.rows; i++) {
        key_of(sync_result_bytes(&result, i, 0), &found.keys[found.count++]);
    }
    *ret_found = found;
    return SYNC_OK;
}
