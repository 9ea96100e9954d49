/* Look-up of Altinn 2 ids with a direct-mapped cache of found pairs. */
#include "capture_resolver.h"

/* A message whose id is 0 or below in Altinn 3's column has no counterpart, as one with null. */
static const struct sync_statement resolve_statement = {
    "capture_resolve", "SELECT w.n, coalesce(s.altinn2_id, c.\"Altinn2CorrespondenceId\", 0)"
                       " FROM unnest($1::uuid[]) WITH ORDINALITY AS w(id, n)"
                       " LEFT JOIN LATERAL (SELECT m.altinn2_id FROM sync.correspondence m"
                       "  WHERE m.altinn3_id = w.id OFFSET 0) AS s ON true"
                       " LEFT JOIN LATERAL (SELECT m.\"Id\", m.\"Altinn2CorrespondenceId\""
                       "  FROM correspondence.\"Correspondences\" m WHERE m.\"Id\" = w.id"
                       "  OFFSET 0) AS c ON true"
                       " WHERE s.altinn2_id IS NOT NULL OR c.\"Id\" IS NOT NULL"};

/* Altinn 3's ids are version 7 or random: their last bytes are spread evenly. */
static size_t entry_of(const struct sync_uuid *id)
{
    return ((size_t)id->bytes[13] << 16 | (size_t)id->bytes[14] << 8 | id->bytes[15]) %
           CAPTURE_CACHE_ENTRIES;
}

static bool find_cached(const struct capture_resolver *resolver, const struct sync_uuid *id,
                        int32_t *ret_altinn2_id)
{
    size_t entry = entry_of(id);
    if (resolver->cache[entry].altinn2_id == 0 ||
        sync_uuid_compare(&resolver->cache[entry].altinn3_id, id) != 0) {
        return false;
    }
    *ret_altinn2_id = resolver->cache[entry].altinn2_id;
    return true;
}

static sync_status ask(struct capture_resolver *resolver, const struct sync_uuid *ids, size_t count,
                       int32_t *ret_altinn2_ids, struct sync_error *err)
{
    struct sync_arena arena;
    struct sync_params params;
    sync_arena_init(&arena, resolver->memory, sizeof resolver->memory);
    sync_params_init(&params, &arena);
    sync_params_uuid_array(&params, ids, NULL, count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(resolver->db, &resolve_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "look up the Altinn 2 ids of messages");
    }
    for (size_t i = 0; i < count; i++) {
        ret_altinn2_ids[i] = -1; /* not there */
    }
    for (int row = 0; row < result.rows; row++) {
        int64_t number = sync_result_int8(&result, row, 0);
        if (number < 1 || (size_t)number > count) {
            continue;
        }
        int32_t altinn2_id = sync_result_int4(&result, row, 1);
        ret_altinn2_ids[number - 1] = altinn2_id > 0 ? altinn2_id : 0;
    }
    return SYNC_OK;
}

static void remember(struct capture_resolver *resolver, const struct sync_uuid *id,
                     int32_t altinn2_id)
{
    size_t entry = entry_of(id);
    resolver->cache[entry].altinn3_id = *id;
    resolver->cache[entry].altinn2_id = altinn2_id;
}

sync_status capture_resolve(struct capture_resolver *resolver, const struct sync_uuid *altinn3_ids,
                            size_t count, enum capture_answer *ret_answers,
                            int32_t *ret_altinn2_ids, struct sync_error *err)
{
    SYNC_ASSERT(count <= CAPTURE_IDS_MAX);
    struct sync_uuid asked[CAPTURE_IDS_MAX];
    size_t places[CAPTURE_IDS_MAX], asked_count = 0;
    int32_t answers[CAPTURE_IDS_MAX];
    for (size_t i = 0; i < count; i++) {
        ret_answers[i] = CAPTURE_FOUND;
        if (!find_cached(resolver, &altinn3_ids[i], &ret_altinn2_ids[i])) {
            places[asked_count] = i;
            asked[asked_count++] = altinn3_ids[i];
        }
    }
    if (asked_count == 0) {
        return SYNC_OK;
    }
    sync_status status = ask(resolver, asked, asked_count, answers, err);
    for (size_t i = 0; i < asked_count && sync_is_ok(status); i++) {
        size_t place = places[i];
        ret_altinn2_ids[place] = answers[i];
        if (answers[i] > 0) {
            remember(resolver, &asked[i], answers[i]);
        } else {
            ret_answers[place] = answers[i] == 0 ? CAPTURE_NO_COUNTERPART : CAPTURE_UNRESOLVED;
        }
    }
    return status;
}
