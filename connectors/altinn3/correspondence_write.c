/*
 * What the fold decided, written by one statement per table in one round trip, keys sorted: facts,
 * entity rows, then the rows of Altinn 3. Not here: outbox, hold, park and counts (the runtime).
 */
#include "correspondence_write.h"

#include <inttypes.h>

static sync_status collect(struct write_batch *all, struct sync_error *err)
{
    struct sync_batch *batch = all->batch;
    sync_status status = message_list(batch, &all->messages, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    all->message_count = batch->entity_count;
    size_t total = 0;
    for (size_t i = 0; i < all->message_count; i++) {
        total += all->messages[i]->state.fact_count;
    }
    all->facts = sync_arena_take_array(batch->arena, total + 1, sizeof *all->facts);
    if (!all->facts) {
        return message_memory_full("what it writes", err);
    }
    for (size_t i = 0; i < all->message_count; i++) {
        const struct status_state *state = &all->messages[i]->state;
        for (size_t k = 0; k < state->fact_count; k++) {
            const struct status_fact *fact = &state->facts[k];
            if (fact->insert || fact->update || fact->write_row) {
                all->facts[all->fact_count++] = (struct written){all->messages[i], fact};
            }
        }
    }
    return SYNC_OK;
}

struct write_call *write_call_add(struct write_batch *all, const struct sync_statement *statement,
                                  size_t count)
{
    SYNC_ASSERT(all->call_count < WRITE_CALLS_MAX);
    struct write_call *call = &all->calls[all->call_count++];
    *call = (struct write_call){.statement = statement, .count = count};
    sync_params_init(&call->params, all->batch->arena);
    return call;
}

size_t write_count(const struct write_batch *all, bool (*wanted)(const struct status_fact *fact))
{
    size_t count = 0;
    for (size_t i = 0; i < all->fact_count; i++) {
        count += wanted(all->facts[i].fact);
    }
    return count;
}

static void drop_results(struct sync_result (*results)[WRITE_CALLS_MAX])
{
    for (size_t i = 0; i < WRITE_CALLS_MAX; i++) {
        sync_result_done(&(*results)[i]);
    }
}

static sync_status check_written(const struct write_call *call, int64_t affected,
                                 struct sync_error *err)
{
    if (!call->exactly || affected == (int64_t)call->count) {
        return SYNC_OK;
    }
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT,
                     "write %zu %s: %" PRId64 " were written", call->count, call->exactly,
                     affected);
}

static sync_status run(struct sync_db *db, struct write_batch *all, struct sync_error *err)
{
    struct sync_call calls[WRITE_CALLS_MAX] = {0};
    __attribute__((cleanup(drop_results))) struct sync_result results[WRITE_CALLS_MAX] = {0};
    if (all->call_count == 0) {
        return SYNC_OK;
    }
    for (size_t i = 0; i < all->call_count; i++) {
        calls[i] = (struct sync_call){all->calls[i].statement, &all->calls[i].params};
    }
    sync_status status = sync_db_pipeline(db, calls, all->call_count, results, err);
    for (size_t i = 0; sync_is_ok(status) && i < all->call_count; i++) {
        status = check_written(&all->calls[i], results[i].affected, err);
        all->batch->rows_written += all->calls[i].altinn3 ? results[i].affected : 0;
    }
    return sync_is_ok(status) ? status : sync_wrap(err, "write a batch");
}

static bool is_row(const struct status_fact *fact)
{
    return fact->write_row;
}

sync_status message_write(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    struct write_batch *all = sync_arena_take(batch->arena, sizeof *all);
    if (batch->entity_count == 0) {
        return SYNC_OK;
    }
    if (!all) {
        return message_memory_full("what it writes", err);
    }
    all->batch = batch;
    sync_status status = collect(all, err);
    if (sync_is_ok(status)) {
        status = write_facts(all, err);
    }
    if (sync_is_ok(status)) {
        status = write_states(all, err);
    }
    if (sync_is_ok(status)) {
        batch->facts_only = write_count(all, is_row) == 0;
        status = write_rows(all, err);
    }
    if (sync_is_ok(status)) {
        status = run(db, all, err);
    }
    if (sync_is_ok(status) && !batch->facts_only) {
        status = message_purge_attachments(db, batch, all->messages, all->message_count, err);
    }
    return status;
}
