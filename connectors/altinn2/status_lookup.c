/* Look-ups of messages in their home database, cached. Not here: connection, answers. */
#include "status_lookup.h"

static const struct sync_statement find_statement = {
    "receiver_find",
    "SELECT \"Id\", \"Altinn2CorrespondenceId\" FROM correspondence.\"Correspondences\""
    " WHERE \"Id\" = ANY ($1) AND \"Altinn2CorrespondenceId\" IS NOT NULL"};

/* Ids of newer messages share their first bytes, so the last ones choose the place. */
static struct status_lookup_entry *cache_place(struct status_lookup *lookup,
                                               const struct sync_uuid *id)
{
    uint64_t hash = 0;
    memcpy(&hash, id->bytes + 8, sizeof hash);
    hash ^= hash >> 29;
    hash *= 0x9e3779b97f4a7c15ULL;
    return &lookup->cache[(hash >> 32) % SYNC_RECEIVER_CACHE_ENTRIES];
}

/* What the database says about the ids, into the answers and the cache. */
static sync_status ask(struct status_lookup *lookup, struct resolver *resolver,
                       const struct sync_uuid *ids, size_t count, int32_t *ret_altinn2_ids,
                       struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_uuid_array(&params, ids, NULL, count);
    SYNC_RESULT result = {0};
    sync_status status = resolver_exec(resolver, &find_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "look up messages of Altinn 3");
    }
    for (int row = 0; row < result.rows; row++) {
        struct sync_uuid id = sync_result_uuid(&result, row, 0);
        int32_t altinn2_id = sync_result_int4(&result, row, 1);
        for (size_t i = 0; i < count && altinn2_id > 0; i++) {
            if (sync_uuid_compare(&ids[i], &id) == 0) {
                ret_altinn2_ids[i] = altinn2_id;
                *cache_place(lookup, &id) = (struct status_lookup_entry){id, altinn2_id};
            }
        }
    }
    return SYNC_OK;
}

sync_status status_lookup_find(struct status_lookup *lookup, struct resolver *resolver,
                               const struct sync_uuid *altinn3_ids, size_t count,
                               int32_t *ret_altinn2_ids, struct sync_error *err)
{
    SYNC_ASSERT(count <= SYNC_HTTP_REQUESTS_MAX);
    bool all_cached = true;
    for (size_t i = 0; i < count; i++) {
        const struct status_lookup_entry *entry = cache_place(lookup, &altinn3_ids[i]);
        bool cached = sync_uuid_compare(&entry->altinn3_id, &altinn3_ids[i]) == 0;
        ret_altinn2_ids[i] = cached ? entry->altinn2_id : 0;
        all_cached = all_cached && cached;
    }
    /* A place of the cache may be taken by another id of the same call, so the answers do not pass
     * through it. */
    return all_cached ? SYNC_OK : ask(lookup, resolver, altinn3_ids, count, ret_altinn2_ids, err);
}
