/*
 * The store of delegations: set-based SQL over arrays in the database of Altinn 3 authorization.
 * This file holds its table of functions and what the steps share. Not here: the steps, each in a
 * file of its own, and every rule (processors/delegation.c).
 */
#include "delegation_store.h"

#include "../../src/core/limits.h"
#include "../../src/runtime/config.h"
#include "../../src/runtime/route.h"
#include "delegation_tables.h"

#include <stdlib.h>

sync_status deleg_memory_full(const char *what, struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                     "take memory of the batch for %s: the arena is full", what);
}

/* Statements --------------------------------------------------------------------------------- */

sync_status deleg_asks_new(const struct deleg_batch *all, struct deleg_asks **ret_asks,
                           struct sync_error *err)
{
    struct deleg_asks *asks = sync_arena_take(all->batch->arena, sizeof *asks);
    if (asks == NULL) {
        return deleg_memory_full("its statements", err);
    }
    *ret_asks = asks;
    return SYNC_OK;
}

struct sync_params *deleg_ask(const struct deleg_batch *all, struct deleg_asks *asks,
                              const struct sync_statement *statement,
                              sync_status (*read)(struct deleg_batch *all,
                                                  const struct sync_result *result,
                                                  struct sync_error *err))
{
    SYNC_ASSERT(asks->count < SYNC_PIPELINE_CALLS_MAX);
    struct deleg_ask *ask = &asks->items[asks->count++];
    ask->statement = statement;
    ask->read = read;
    sync_params_init(&ask->params, all->batch->arena);
    return &ask->params;
}

sync_status deleg_asks_run(struct deleg_batch *all, struct deleg_asks *asks, struct sync_error *err)
{
    struct sync_call calls[SYNC_PIPELINE_CALLS_MAX];
    struct sync_result results[SYNC_PIPELINE_CALLS_MAX] = {{0}};
    if (asks->count == 0) {
        return SYNC_OK;
    }
    for (size_t i = 0; i < asks->count; i++) {
        calls[i] = (struct sync_call){asks->items[i].statement, &asks->items[i].params};
    }
    sync_status status = sync_db_pipeline(all->db, calls, asks->count, results, err);
    for (size_t i = 0; i < asks->count; i++) {
        if (sync_is_ok(status) && asks->items[i].read != NULL) {
            status = asks->items[i].read(all, &results[i], err);
        }
        sync_result_done(&results[i]);
    }
    asks->count = 0;
    return status;
}

struct sync_effects *deleg_effects(struct deleg_batch *all)
{
    struct sync_effects *last = all->effects;
    if (last != NULL && last->count + 2 <= SYNC_FOLD_EFFECTS_MAX) {
        return last;
    }
    struct sync_effects *more = sync_arena_take(all->batch->arena, sizeof *more);
    if (more == NULL) {
        return NULL;
    }
    /* The keys of their lanes stand in them, so any entity can own them. */
    SYNC_ASSERT(all->batch->entity_count > 0);
    struct sync_effects **head = &all->batch->entities[0].effects;
    more->next = *head;
    *head = more;
    all->effects = more;
    return more;
}

/* Keys --------------------------------------------------------------------------------------- */

struct deleg_slot *deleg_slot_find(const struct deleg_batch *all, int64_t key_id)
{
    size_t low = 0, high = all->slot_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all->slots[middle].key_id == key_id) {
            return &all->slots[middle];
        }
        if (all->slots[middle].key_id < key_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

int deleg_right_of(struct delegation_key *key, struct sync_bytes right)
{
    for (int i = 0; i < key->right_count; i++) {
        if (sync_bytes_equal(sync_bytes_text(key->rights[i]), right)) {
            return i;
        }
    }
    if (key->right_count == key->right_capacity || right.size == 0 ||
        right.size >= DELEGATION_RIGHT_SIZE) {
        return -2;
    }
    memcpy(key->rights[key->right_count], right.data, right.size);
    key->rights[key->right_count][right.size] = '\0';
    return key->right_count++;
}

struct sync_bytes deleg_right_name(const struct delegation_key *key, int right)
{
    return sync_bytes_text(right == DELEGATION_EVERY ? "*" : key->rights[right]);
}

static int compare_texts(const void *left, const void *right)
{
    const struct sync_bytes *a = left, *b = right;
    size_t size = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->data, b->data, size);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

struct sync_bytes deleg_set_text(struct sync_arena *arena, const struct delegation_key *key,
                                 uint64_t set)
{
    struct sync_bytes rights[DELEGATION_RIGHTS_MAX];
    size_t count = 0;
    for (int i = 0; i < key->right_count; i++) {
        if ((set >> i & 1) != 0) {
            rights[count++] = deleg_right_name(key, i);
        }
    }
    qsort(rights, count, sizeof rights[0], compare_texts);
    return sync_array_text(arena, rights, count);
}

uint64_t deleg_set_read(struct delegation_key *key, struct sync_array array)
{
    struct sync_bytes item;
    uint64_t set = 0;
    while (sync_array_next(&array, &item)) {
        int right = deleg_right_of(key, item);
        set |= right >= 0 ? (uint64_t)1 << right : 0;
    }
    return set;
}

/* Lock --------------------------------------------------------------------------------------- */

static bool is_sys(const struct sync_batch *batch)
{
    const struct sync_input *input = sync_route_input(batch->route, batch->topic);
    return input != NULL && input->from == SYNC_SYSTEM_SYS;
}

static sync_status deleg_lock(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    struct deleg_batch *all = sync_arena_take(batch->arena, sizeof *all);
    if (all == NULL) {
        return deleg_memory_full("itself", err);
    }
    SYNC_ASSERT(batch->store_context != NULL);
    *all = (struct deleg_batch){
        .db = db, .batch = batch, .context = batch->store_context, .sys = is_sys(batch)};
    batch->store_data = all;
    sync_status status = deleg_find_arrived(all, err);
    return sync_is_ok(status) ? deleg_find_givers(all, err) : status;
}

/* Load --------------------------------------------------------------------------------------- */

static void add_cases(struct deleg_batch *all, struct sync_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sync_record *record = &records[i];
        if (record->decided || record->change == NULL) {
            continue;
        }
        struct deleg_giver *giver = record->state;
        giver->case_count++;
        all->cases[all->case_count++] =
            (struct deleg_case){.record = record, .change = record->change, .giver = giver};
    }
}

sync_status deleg_cases(struct deleg_batch *all, struct sync_error *err)
{
    struct sync_batch *batch = all->batch;
    size_t most = batch->released_count + batch->record_count;
    all->cases = sync_arena_take_array(batch->arena, most + 1, sizeof *all->cases);
    if (all->cases == NULL) {
        return deleg_memory_full("its records", err);
    }
    add_cases(all, batch->released, batch->released_count);
    add_cases(all, batch->records, batch->record_count);
    return SYNC_OK;
}

static sync_status deleg_load(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    struct deleg_batch *all = batch->store_data;
    (void)db;
    if (batch->sweep) {
        return deleg_sweep(all, err);
    }
    sync_status status = deleg_cases(all, err);
    if (sync_is_ok(status)) {
        status = deleg_ask_names(all, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_seen(all, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_read_scopes(all, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_lock_keys(all, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_read_keys(all, err);
    }
    return sync_is_ok(status) ? status : sync_wrap(err, "load delegations");
}

/* Store -------------------------------------------------------------------------------------- */

/* A grant or its end moved what the other giver of an instance may show (DL-56). */
static sync_status settle_rivals(struct deleg_batch *all, struct sync_error *err)
{
    bool moved = false;
    sync_status status = deleg_rivals(all, &moved, err);
    for (size_t i = 0; i < all->slot_count && moved && sync_is_ok(status); i++) {
        struct deleg_slot *slot = &all->slots[i];
        struct delegation_key *key = deleg_key(slot);
        if (key->name.kind != DELEGATION_INSTANCE) {
            continue;
        }
        struct sync_effects *effects = deleg_effects(all);
        if (effects == NULL) {
            return deleg_memory_full("effects of an instance", err);
        }
        const struct delegation_cause cause = {.source = DELEGATION_SYS,
                                               .event_us = DELEGATION_NEVER,
                                               .capture_us = all->batch->now_us,
                                               .rule = "DL-56"};
        delegation_settle(&slot->giver->state, key, &cause, effects);
    }
    return status;
}

/* What no write to Altinn 3 decides about goes first: the locks there are held the shorter. */
static sync_status deleg_store(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    struct deleg_batch *all = batch->store_data;
    (void)db;
    struct deleg_asks *asks = NULL;
    sync_status status = deleg_asks_new(all, &asks, err);
    if (sync_is_ok(status)) {
        status = settle_rivals(all, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_write_rows(all, asks, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_write_ledger(all, asks, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_write_frozen(all, asks, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_write_scopes(all, asks, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_asks_run(all, asks, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_project(all, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_clear_cache(all, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_write_keys(all, asks, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_sweep_end(all, asks, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_asks_run(all, asks, err);
    }
    return sync_is_ok(status) ? status : sync_wrap(err, "store delegations");
}

/* Settings ----------------------------------------------------------------------------------- */

static void deleg_close(void **context)
{
    struct deleg_context *own = *context;
    if (own != NULL) {
        delegation_tables_free(&own->tables);
        free(own);
    }
    *context = NULL;
}

static sync_status deleg_open(const struct sync_config *config, void **ret_context,
                              struct sync_error *err)
{
    void *context = calloc(1, sizeof(struct deleg_context));
    if (context == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "open the store of delegations: no memory");
    }
    struct deleg_context *own = context;
    bool is_id = sync_uuid_parse(sync_bytes_text(config->authorization_identity), &own->identity);
    SYNC_ASSERT(is_id); /* checked with the configuration */
    sync_status status = delegation_tables_new(config->data_dir, &own->tables, err);
    if (!sync_is_ok(status)) {
        deleg_close(&context);
        return status;
    }
    *ret_context = context;
    return SYNC_OK;
}

const struct sync_store sync_store_delegation = {
    .name = "delegation",
    .rights = deleg_rights,
    .digest = "SELECT kind, from_id, to_id, target, instance, variant, facilitator, effective"
              " FROM sync.deleg_key WHERE cardinality(effective) > 0",
    .open = deleg_open,
    .close = deleg_close,
    .settle = deleg_settle,
    .lock = deleg_lock,
    .load = deleg_load,
    .store = deleg_store,
    .adoptable = &deleg_adoptable,
    .due = deleg_due,
    .drift = deleg_drift,
};
