/*
 * What Altinn 2 granted after a resource was frozen (DL-27) gives nothing, so no key shows it: here
 * it is written down for "drift list". Not here: the rule, and the list (delegation_drift.c).
 */
#include "delegation_answers.h"
#include "delegation_store.h"

#include <inttypes.h>
#include <stdio.h>

#define NAME_BYTES 48 /* a uuid, or a number with its letter */

static const struct sync_statement frozen_statement = {
    "delegation_frozen",
    "INSERT INTO sync.grant_after_freeze (stream, snapshot_id, seq, id, giver, receiver, resource,"
    "  instance, rights, granted_at, topic, partition, record_offset)"
    " SELECT n.stream, n.snapshot_id, n.seq,"
    "  md5(n.stream || '/' || n.snapshot_id || '/' || n.seq)::uuid, n.giver, n.receiver,"
    "  n.resource, n.instance, n.rights::text[], n.granted_at, n.topic, n.partition,"
    "  n.record_offset FROM unnest($1::text[], $2::uuid[], $3::int8[], $4::text[], $5::text[],"
    "  $6::text[], $7::text[], $8::text[], $9::timestamptz[], $10::text[], $11::int4[],"
    "  $12::int8[]) AS n (stream, snapshot_id, seq, giver, receiver, resource, instance, rights,"
    "   granted_at, topic, partition, record_offset)"
    " ORDER BY n.stream COLLATE \"C\", n.snapshot_id, n.seq"
    " ON CONFLICT (stream, snapshot_id, seq) DO NOTHING"};

struct frozen {
    struct sync_bytes *streams, *givers, *receivers, *resources, *instances, *rights, *topics;
    struct sync_uuid *snapshots;
    int64_t *seqs, *times_us, *offsets;
    int32_t *partitions;
    size_t count;
};

static bool is_frozen(const struct deleg_case *at)
{
    const char *rule = at->record->fold.rule;
    return rule != NULL && strcmp(rule, "DL-27") == 0;
}

static bool frozen_take(struct sync_arena *arena, size_t count, struct frozen *f)
{
    struct sync_bytes **texts[] = {&f->streams,   &f->givers, &f->receivers, &f->resources,
                                   &f->instances, &f->rights, &f->topics};
    int64_t **numbers[] = {&f->seqs, &f->times_us, &f->offsets};
    bool good = true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = sync_arena_take_array(arena, count, sizeof **texts[i]);
        good = good && *texts[i] != NULL;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *numbers[i] = sync_arena_take_array(arena, count, sizeof **numbers[i]);
        good = good && *numbers[i] != NULL;
    }
    f->snapshots = sync_arena_take_array(arena, count, sizeof *f->snapshots);
    f->partitions = sync_arena_take_array(arena, count, sizeof *f->partitions);
    return good && f->snapshots != NULL && f->partitions != NULL;
}

static struct sync_bytes receiver_text(struct sync_arena *arena, const struct delegation_name *name)
{
    char text[NAME_BYTES] = "";
    if (name->has_uuid) {
        sync_uuid_format(&name->uuid, text);
    } else if (name->has_party_id) {
        (void)snprintf(text, sizeof text, "p:%" PRId32, name->party_id);
    } else if (name->has_user_id) {
        (void)snprintf(text, sizeof text, "u:%" PRId32, name->user_id);
    }
    return sync_arena_copy(arena, sync_bytes_text(text));
}

static struct sync_bytes rights_text(struct sync_arena *arena, struct sync_texts rights)
{
    struct sync_bytes *items = sync_arena_take_array(arena, rights.count + 1, sizeof *items);
    size_t count = 0;
    while (items != NULL && count < rights.count && sync_texts_next(&rights, &items[count])) {
        count++;
    }
    return items != NULL ? sync_array_text(arena, items, count) : (struct sync_bytes){NULL, 0};
}

static bool frozen_add(const struct deleg_batch *all, const struct deleg_case *from,
                       struct frozen *f)
{
    struct sync_arena *arena = all->batch->arena;
    const struct delegation_change *change = from->change;
    const struct sync_record *record = from->record;
    const struct delegation_resource *resource = deleg_resource_of(&all->answers, change);
    SYNC_ASSERT(resource != NULL); /* the freeze is its */
    size_t at = f->count++;
    f->streams[at] = change->stream;
    f->snapshots[at] = change->snapshot_id; /* zero when absent */
    f->seqs[at] = change->seq;
    f->givers[at] = record->key;
    f->receivers[at] = receiver_text(arena, &change->to);
    f->resources[at] = sync_bytes_text(resource->id);
    f->instances[at] = change->has_instance ? change->instance : sync_bytes_text("");
    f->rights[at] = rights_text(arena, change->rights);
    f->times_us[at] = change->has_event_time ? change->event_time_us : change->capture_time_us;
    f->topics[at] = sync_bytes_text(record->topic);
    f->partitions[at] = record->partition;
    f->offsets[at] = record->offset;
    return f->receivers[at].data != NULL && f->rights[at].data != NULL;
}

static void frozen_params(struct sync_params *params, const struct frozen *f)
{
    sync_params_text_array(params, f->streams, f->count);
    sync_params_uuid_array(params, f->snapshots, NULL, f->count);
    sync_params_int8_array(params, f->seqs, NULL, f->count);
    sync_params_text_array(params, f->givers, f->count);
    sync_params_text_array(params, f->receivers, f->count);
    sync_params_text_array(params, f->resources, f->count);
    sync_params_text_array(params, f->instances, f->count);
    sync_params_text_array(params, f->rights, f->count);
    sync_params_time_array(params, f->times_us, NULL, f->count);
    sync_params_text_array(params, f->topics, f->count);
    sync_params_int4_array(params, f->partitions, NULL, f->count);
    sync_params_int8_array(params, f->offsets, NULL, f->count);
}

sync_status deleg_write_frozen(struct deleg_batch *all, struct deleg_asks *asks,
                               struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    struct frozen f = {.count = 0};
    size_t count = 0;
    for (size_t i = 0; i < all->case_count; i++) {
        count += is_frozen(&all->cases[i]);
    }
    if (count == 0) {
        return SYNC_OK;
    }
    bool good = frozen_take(arena, count, &f);
    for (size_t i = 0; i < all->case_count && good; i++) {
        good = !is_frozen(&all->cases[i]) || frozen_add(all, &all->cases[i], &f);
    }
    if (!good) {
        return deleg_memory_full("grants after a freeze", err);
    }
    frozen_params(deleg_ask(all, asks, &frozen_statement, NULL), &f);
    return SYNC_OK;
}
