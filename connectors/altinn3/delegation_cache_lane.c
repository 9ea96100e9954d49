/*
 * What the send thread asks about calls that make Altinn 2 drop cached rights of a pair (DL-91).
 * One call stands for all that wait for its pair: their changes are committed before it leaves. It
 * gives no right and takes none, so a failure never blocks anything. Not here: when one is due.
 */
#include <altinn_sync/delegation.h>
#include <inttypes.h>
#include <runtime/config.h>
#include <runtime/store.h>
#include <stdio.h>

#define CACHE_PATH "/cache/api/clearreporteerights"

/* The lane's key is "<from>/<to>". */
static const struct sync_statement read_statement = {
    "delegation_cache_read", "SELECT (n.i - 1)::int4, f.partyid, t.partyid, t.userid"
                             " FROM unnest($1::text[]) WITH ORDINALITY AS n (key, i)"
                             " JOIN dbo.entity f ON f.id = split_part(n.key, '/', 1)::uuid"
                             " JOIN dbo.entity t ON t.id = split_part(n.key, '/', 2)::uuid"};
static const struct sync_statement join_statement = {
    "delegation_cache_join",
    "UPDATE sync.outbox o SET state = 3, ended_at = $3 WHERE o.entity_key = ANY ($1::text[])"
    " AND o.state = 0 AND o.target = 'altinn2-cache' AND o.effect_id <> ALL ($2::uuid[])"};

static sync_status arena_full(struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                     "clear cached rights: the arena is full");
}

/* The body is the query that every attempt is made with. */
static sync_status complete(struct sync_lane_effect *effect, const struct sync_result *result,
                            int row, struct sync_arena *arena, struct sync_error *err)
{
    char text[160];
    bool known = !sync_result_is_null(result, row, 1) &&
                 !(sync_result_is_null(result, row, 2) && sync_result_is_null(result, row, 3));
    effect->verdict = known ? SYNC_LANE_SEND : SYNC_LANE_SKIP;
    effect->rule = known ? "DL-91" : "DL-89";
    (void)snprintf(text, sizeof text,
                   "reporteePartyId=%" PRId32 "&coveredByPartyId=%" PRId32
                   "&coveredByUserId=%" PRId32,
                   sync_result_int4(result, row, 1), sync_result_int4(result, row, 2),
                   sync_result_int4(result, row, 3));
    effect->body = sync_arena_copy(arena, sync_bytes_text(text));
    effect->body_changed = true;
    return effect->body.data == NULL ? arena_full(err) : SYNC_OK;
}

static sync_status look(struct sync_db *db, struct sync_lane_effect *effects, size_t count,
                        int64_t now_us, struct sync_arena *arena, struct sync_error *err)
{
    struct sync_bytes *keys = sync_arena_take_array(arena, count + 1, sizeof *keys);
    struct sync_uuid *ids = sync_arena_take_array(arena, count + 1, sizeof *ids);
    if (keys == NULL || ids == NULL) {
        return arena_full(err);
    }
    for (size_t i = 0; i < count; i++) {
        keys[i] =
            (struct sync_bytes){(const uint8_t *)effects[i].entity.text, effects[i].entity.size};
        ids[i] = effects[i].effect_id;
        effects[i].verdict = SYNC_LANE_SKIP; /* of a party that is gone */
        effects[i].rule = "DL-89";
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_text_array(&params, keys, count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &read_statement, &params, &result, err);
    for (int row = 0; row < result.rows && sync_is_ok(status); row++) {
        status = complete(&effects[sync_result_int4(&result, row, 0)], &result, row, arena, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    sync_params_init(&params, arena);
    sync_params_text_array(&params, keys, count);
    sync_params_uuid_array(&params, ids, NULL, count);
    sync_params_time(&params, now_us);
    return sync_db_exec(db, &join_statement, &params, NULL, err);
}

static sync_status request(const struct sync_config *config, const struct sync_lane_effect *effect,
                           struct sync_arena *arena, struct sync_lane_request *ret_request,
                           struct sync_error *err)
{
    char path[256];
    (void)config;
    (void)snprintf(path, sizeof path, CACHE_PATH "?%.*s", (int)effect->body.size,
                   (const char *)effect->body.data);
    struct sync_bytes kept = sync_arena_copy(arena, sync_bytes_text(path));
    if (kept.data == NULL) {
        return arena_full(err);
    }
    *ret_request = (struct sync_lane_request){.method = "PUT", .path = (const char *)kept.data};
    return SYNC_OK;
}

/* What Altinn 2 does not want is not repeated: a cached right expires by itself. */
static enum sync_lane_answer answer(bool failed, int code, const char **ret_rule)
{
    *ret_rule = "DL-91";
    if (failed || code == 408 || code == 425 || code == 429 || code >= 500) {
        return SYNC_LANE_ANSWER_RETRY;
    }
    return code == 401 || code == 403 ? SYNC_LANE_ANSWER_STOP : SYNC_LANE_ANSWER_DONE;
}

static bool reachable(const struct sync_config *config)
{
    return config != NULL && config->bridge_base_url[0] != '\0';
}

const struct sync_lane_store sync_lane_store_delegation_cache = {
    .store = "delegation",
    .target = "altinn2-cache",
    .reachable = reachable,
    .exhausted_rule = "DL-91",
    .answer = answer,
    .look = look,
    .request = request,
};
