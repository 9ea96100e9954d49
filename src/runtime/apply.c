/*
 * Decides one batch inside an open transaction. Not here: gate and commit (consumer), what is
 * written besides the entity (apply_write.c, apply_outbox.c), release (apply_release.c), metrics
 * (apply_count.c).
 */
#include "apply.h"

#include "../core/limits.h"
#include "apply_parts.h"
#include "route.h"

sync_status apply_full(struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                     "decide a batch: it needs more than the batch arena");
}

/* Intake -------------------------------------------------------------------------------------- */

void apply_park(const struct sync_applier *applier, struct sync_record *record)
{
    record->decided = true;
    record->fold = (struct sync_fold){
        .outcome = SYNC_OUTCOME_PARKED,
        .rule = applier->processor->unreadable_rule,
        .code = record->error.code, /* field and reason stay in record->error */
    };
}

/* The Kafka key as it is, when it is plain text: whoever looks for a parked record asks by it. */
static struct sync_key readable_key(struct sync_bytes bytes)
{
    struct sync_key key = {.size = 0};
    if (bytes.size == 0 || bytes.size >= sizeof key.text) {
        return key;
    }
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] <= ' ' || bytes.data[i] > '~') {
            return key;
        }
    }
    memcpy(key.text, bytes.data, bytes.size);
    key.size = bytes.size;
    return key;
}

bool apply_decode(struct sync_applier *applier, struct sync_batch *batch,
                  struct sync_record *record)
{
    void *change = sync_arena_take(batch->arena, applier->processor->change_size);
    if (change == NULL) {
        return false;
    }
    sync_status status =
        sync_decoder_decode(applier->decoder, record->value, change, &record->error);
    if (!sync_is_ok(status)) {
        apply_park(applier, record);
        return true;
    }
    record->change = change;
    return true;
}

/* The key that the change itself names must be the one that Kafka ordered it by. */
static void check_key(const struct sync_applier *applier, struct sync_record *record)
{
    struct sync_key key = {.size = 0};
    if (!sync_is_ok(applier->processor->key(record->change, &key, &record->error))) {
        apply_park(applier, record);
        return;
    }
    struct sync_bytes own = {(const uint8_t *)key.text, key.size};
    if (!sync_bytes_equal(own, record->key)) {
        (void)sync_fail(&record->error, SYNC_CLASS_PARK, SYNC_CODE_KEY_MISMATCH,
                        "read a record: its Kafka key is not the key that its fields give");
        apply_park(applier, record);
        return;
    }
    record->entity = key;
}

static void intake_record(struct sync_applier *applier, struct sync_batch *batch,
                          enum sync_system from, struct sync_record *record)
{
    record->scope = batch->scope;
    record->topic = batch->topic;
    record->partition = batch->partition;
    record->route = batch->route;
    record->entity = readable_key(record->key);
    record->context = (struct sync_context){
        .appended_us = record->timestamp_ms * 1000,
        .decided_us = record->timestamp_ms * 1000,
        .topic_system = from,
        .key = record->key,
    };
    if (record->error.class != SYNC_CLASS_OK) {
        apply_park(applier, record); /* the database refused it when it was tried alone */
        return;
    }
    if (record->value.size > SYNC_RECORD_BYTES_MAX) {
        (void)sync_fail(&record->error, SYNC_CLASS_PARK, SYNC_CODE_OVERSIZE,
                        "read a record: %zu bytes are more than %d", record->value.size,
                        SYNC_RECORD_BYTES_MAX);
        apply_park(applier, record);
        return;
    }
    if (!apply_decode(applier, batch, record) || record->decided) {
        return;
    }
    check_key(applier, record);
    if (!record->decided) {
        record->decided = applier->processor->intake(record->route, record->change,
                                                     &record->context, &record->fold);
    }
}

void sync_apply_intake(struct sync_applier *applier, struct sync_batch *batch)
{
    const struct sync_input *input = sync_route_input(batch->route, batch->topic);
    SYNC_ASSERT(input != NULL);
    for (size_t i = 0; i < batch->record_count; i++) {
        intake_record(applier, batch, input->from, &batch->records[i]);
    }
}

/* Entities ------------------------------------------------------------------------------------ */

size_t apply_hash(const char *text, size_t size)
{
    size_t hash = 14695981039346656037U;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (uint8_t)text[i]) * 1099511628211U;
    }
    return hash;
}

static bool same_key(const struct sync_key *a, const struct sync_key *b)
{
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

/* Slot of a key: the one that holds it, or the free one where it would stand. */
static uint32_t *slot_of(const struct apply *apply, const struct sync_key *key)
{
    size_t at = apply_hash(key->text, key->size) & (apply->slot_count - 1);
    while (apply->slots[at] != 0 &&
           !same_key(&apply->batch->entities[apply->slots[at] - 1].key, key)) {
        at = (at + 1) & (apply->slot_count - 1);
    }
    return &apply->slots[at];
}

struct sync_entity *apply_entity_find(const struct apply *apply, const struct sync_key *key)
{
    uint32_t slot = *slot_of(apply, key);
    return slot == 0 ? NULL : &apply->batch->entities[slot - 1];
}

static struct sync_entity *entity_add(struct apply *apply, const struct sync_key *key)
{
    uint32_t *slot = slot_of(apply, key);
    if (*slot == 0) {
        struct sync_batch *batch = apply->batch;
        batch->entities[batch->entity_count++] = (struct sync_entity){.key = *key};
        *slot = (uint32_t)batch->entity_count;
    }
    return &apply->batch->entities[*slot - 1];
}

/* Distinct keys of what is not decided yet, and of what the caller names besides. */
static sync_status collect_entities(struct apply *apply, const struct sync_key *extra_keys,
                                    size_t extra_count, struct sync_error *err)
{
    struct sync_batch *batch = apply->batch;
    size_t most = batch->record_count + extra_count;
    apply->slot_count = 16;
    while (apply->slot_count < 2 * most) {
        apply->slot_count *= 2;
    }
    apply->slots = sync_arena_take_array(batch->arena, apply->slot_count, sizeof *apply->slots);
    batch->entities =
        sync_arena_take_array(batch->arena, most == 0 ? 1 : most, sizeof *batch->entities);
    batch->entity_count = 0;
    if (apply->slots == NULL || batch->entities == NULL) {
        return apply_full(err);
    }
    for (size_t i = 0; i < batch->record_count; i++) {
        if (!batch->records[i].decided) {
            (void)entity_add(apply, &batch->records[i].entity);
        }
    }
    for (size_t i = 0; i < extra_count; i++) {
        entity_add(apply, &extra_keys[i])->named = true;
    }
    return SYNC_OK;
}

sync_status apply_index(struct apply *apply, struct sync_error *err)
{
    const struct sync_batch *batch = apply->batch;
    apply->last_of = sync_arena_take_array(batch->arena, apply->slot_count, sizeof *apply->last_of);
    if (apply->last_of == NULL) {
        return apply_full(err);
    }
    memset(apply->slots, 0, apply->slot_count * sizeof *apply->slots);
    for (size_t i = 0; i < batch->entity_count; i++) {
        *slot_of(apply, &batch->entities[i].key) = (uint32_t)i + 1;
    }
    return SYNC_OK;
}

static void attach_states(const struct apply *apply, struct sync_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sync_entity *entity = apply_entity_find(apply, &records[i].entity);
        records[i].state = records[i].decided || entity == NULL ? NULL : entity->state;
    }
}

/* Deciding ------------------------------------------------------------------------------------ */

static sync_status fold_record(struct apply *apply, struct sync_record *record,
                               struct sync_effects *scratch, struct sync_error *err)
{
    SYNC_ASSERT(record->state != NULL && record->change != NULL);
    const struct sync_processor *processor = apply->applier->processor;
    scratch->count = 0;
    sync_status status = processor->fold(record->route, record->state, record->change,
                                         &record->context, &record->fold, scratch, &record->error);
    if (status.class == SYNC_CLASS_PARK) {
        apply_park(apply->applier, record);
        return SYNC_OK;
    }
    if (!sync_is_ok(status)) {
        *err = record->error;
        return status;
    }
    record->decided = true;
    return apply_effects_take(apply, record, &record->entity, scratch, err);
}

static sync_status fold_records(struct apply *apply, struct sync_record *records, size_t count,
                                struct sync_error *err)
{
    struct sync_effects *scratch = sync_arena_take(apply->batch->arena, sizeof *scratch);
    if (scratch == NULL) {
        return apply_full(err);
    }
    for (size_t i = 0; i < count; i++) {
        if (records[i].decided) {
            continue;
        }
        sync_status status = fold_record(apply, &records[i], scratch, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

/* What the store decided for whole entities: imports and flips before, attachments after the fold.
 */
static sync_status take_entity_effects(struct apply *apply, struct sync_error *err)
{
    struct sync_batch *batch = apply->batch;
    for (size_t i = 0; i < batch->entity_count; i++) {
        struct sync_entity *entity = &batch->entities[i];
        if (entity->effects == NULL) {
            continue;
        }
        sync_status status = apply_effects_take(apply, NULL, &entity->key, entity->effects, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

/* Adopted entities, once what was held for them is decided: what the targets were not told yet. */
static sync_status tell_adopted(struct apply *apply, struct sync_error *err)
{
    struct sync_batch *batch = apply->batch;
    struct sync_effects *scratch = sync_arena_take(batch->arena, sizeof *scratch);
    if (scratch == NULL) {
        return apply_full(err);
    }
    for (size_t i = 0; i < batch->entity_count; i++) {
        struct sync_entity *entity = &batch->entities[i];
        if (!entity->adopted) {
            continue;
        }
        scratch->count = 0;
        sync_status status =
            apply->applier->processor->difference(batch->route, entity->state, scratch, err);
        if (sync_is_ok(status)) {
            status = apply_effects_take(apply, NULL, &entity->key, scratch, err);
        }
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

static sync_status fold_all(struct apply *apply, struct sync_error *err)
{
    struct sync_batch *batch = apply->batch;
    sync_status status = take_entity_effects(apply, err);
    if (sync_is_ok(status)) {
        status = fold_records(apply, batch->released, batch->released_count, err);
    }
    if (sync_is_ok(status)) {
        status = tell_adopted(apply, err);
    }
    if (sync_is_ok(status)) {
        status = fold_records(apply, batch->records, batch->record_count, err);
    }
    return status;
}

/* Whether the lane of the outside target is closed; one row per target, none = open. */
static sync_status read_target(struct apply *apply, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "apply_target", "SELECT state = 2 FROM sync.target WHERE target = $1"};
    const struct sync_processor *processor = apply->applier->processor;
    const char *target = NULL;
    for (size_t i = 0; i < processor->route_count && target == NULL; i++) {
        const struct sync_route *route = &processor->routes[i];
        target = route->targets != NULL ? route->targets[0] : NULL;
    }
    if (target == NULL) {
        return SYNC_OK;
    }
    struct sync_params params;
    sync_params_init(&params, apply->batch->arena);
    sync_params_text(&params, target);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(apply->applier->db, &statement, &params, &result, err);
    if (sync_is_ok(status)) {
        apply->batch->bridge_closed = result.rows == 1 && sync_result_bool(&result, 0, 0);
    }
    return status;
}

/* Locks, looks up, decides and stores what is not settled. */
static sync_status decide_entities(struct apply *apply, struct sync_error *err)
{
    struct sync_batch *batch = apply->batch;
    struct sync_db *db = apply->applier->db;
    const struct sync_store *store = apply->applier->store;
    if (batch->entity_count == 0) {
        return SYNC_OK;
    }
    sync_status status = read_target(apply, err);
    if (sync_is_ok(status)) {
        status = store->lock(db, batch, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    status = apply_index(apply, err);
    if (sync_is_ok(status)) {
        status = apply_release(apply, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    attach_states(apply, batch->records, batch->record_count);
    attach_states(apply, batch->released, batch->released_count);
    if (store->load != NULL) {
        status = store->load(db, batch, err);
    }
    if (sync_is_ok(status)) {
        status = fold_all(apply, err);
    }
    if (sync_is_ok(status)) {
        status = store->store(db, batch, err);
    }
    if (sync_is_ok(status)) {
        status = take_entity_effects(apply, err);
    }
    return status;
}

static bool is_whole(const struct sync_batch *batch)
{
    for (size_t i = 0; i < batch->record_count; i++) {
        if (!batch->records[i].decided && batch->records[i].change == NULL) {
            return false;
        }
    }
    return true;
}

sync_status sync_apply_batch(struct sync_applier *applier, struct sync_batch *batch,
                             const struct sync_key *extra_keys, size_t extra_count,
                             size_t *ret_lane_effects, struct sync_error *err)
{
    struct apply apply = {.applier = applier, .batch = batch};
    if (!is_whole(batch)) {
        return apply_full(err); /* the intake ran out of memory */
    }
    sync_status status = SYNC_OK;
    batch->store_context = applier->store_context;
    if (batch->record_count > 0 && applier->store->settle != NULL) {
        status = applier->store->settle(applier->db, batch, err);
    }
    if (sync_is_ok(status)) {
        status = collect_entities(&apply, extra_keys, extra_count, err);
    }
    if (sync_is_ok(status)) {
        status = decide_entities(&apply, err);
    }
    if (sync_is_ok(status)) {
        apply_effects_settle(&apply);
        status = apply_write(&apply, err);
    }
    if (sync_is_ok(status)) {
        *ret_lane_effects = apply.lane_effects;
    }
    return status;
}
