/*
 * One chunk of "load": transaction, repeats, halves. Not here: reading the file (load.c), what a
 * line means (the entity's loader), deciding (apply.c).
 */
#include "load_chunk.h"

#include "../core/limits.h"
#include "../runtime/clock.h"

#include <time.h>

#define GIVE_UP_US (60 * 1000000LL)

static sync_status write_and_decide(struct load_run *run, struct sync_load_line *lines,
                                    size_t count, int64_t now_us, struct sync_error *err)
{
    struct sync_batch batch = {.processor = run->applier.processor,
                               .route = run->applier.route,
                               .scope = run->applier.scope,
                               .topic = run->applier.route->inputs[0].topic,
                               .arena = &run->arena,
                               .now_us = now_us};
    sync_status status = run->loader->write(run->applier.db, lines, count, &run->arena, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_key *keys = sync_arena_take_array(&run->arena, count, sizeof *keys);
    size_t key_count = 0, lane_effects = 0;
    if (!keys) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "load a chunk: the arena is full");
    }
    for (size_t i = 0; i < count; i++) {
        if (!lines[i].refused && lines[i].entity.size > 0) {
            keys[key_count++] = lines[i].entity;
        }
    }
    status = sync_apply_batch(&run->applier, &batch, keys, key_count, &lane_effects, err);
    run->released += sync_is_ok(status) ? (int64_t)batch.released_count : 0;
    return status;
}

static sync_status write_once(struct load_run *run, struct sync_load_line *lines, size_t count,
                              struct sync_error *err)
{
    const struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_ALTINN3_MS};
    int64_t now_us = 0;
    sync_arena_reset(&run->arena, 0);
    sync_status status = sync_txn_begin(run->applier.db, &limits, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = write_and_decide(run, lines, count, now_us, err);
    if (!sync_is_ok(status)) {
        sync_txn_rollback(run->applier.db);
        return status;
    }
    /* In doubt is repeated like any failure: what is there is found and skipped. */
    return sync_txn_commit(run->applier.db, err);
}

/* Doubling with a cap. No jitter: one process loads. */
static void back_off(int attempt)
{
    int64_t wait_ms = SYNC_BACKOFF_FIRST_MS;
    for (int i = 0; i < attempt && wait_ms < SYNC_BACKOFF_MAX_MS; i++) {
        wait_ms *= 2;
    }
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    (void)nanosleep(&wait, NULL);
}

static bool is_smaller_better(const struct sync_error *err)
{
    return err->class == SYNC_CLASS_PARK || err->code == SYNC_CODE_MEMORY_LIMIT ||
           err->code == SYNC_CODE_TIMEOUT;
}

/* Writes lines as one transaction until it is clear that they need smaller ones. */
static sync_status write_range(struct load_run *run, struct sync_load_line *lines, size_t count,
                               struct sync_error *err)
{
    int64_t give_up_us = sync_clock_monotonic_us() + GIVE_UP_US;
    for (int attempt = 0;; attempt++) {
        sync_status status = write_once(run, lines, count, err);
        bool hopeless = status.class == SYNC_CLASS_FATAL || sync_clock_monotonic_us() > give_up_us;
        if (sync_is_ok(status) || hopeless || (count > 1 && is_smaller_better(err))) {
            return status;
        }
        if (is_smaller_better(err) && err->code != SYNC_CODE_TIMEOUT) {
            lines[0].refused = true;
            lines[0].error = *err;
            return SYNC_OK;
        }
        back_off(attempt);
    }
}

sync_status load_chunk_write(struct load_run *run, struct sync_load_line *lines, size_t count,
                             struct sync_error *err)
{
    size_t done = 0, size = count;
    while (done < count) {
        size = size > count - done ? count - done : size;
        sync_status status = write_range(run, lines + done, size, err);
        if (sync_is_ok(status)) {
            done += size;
            size *= 2; /* the line at fault is behind us */
            continue;
        }
        if (size == 1 || !is_smaller_better(err)) {
            return status;
        }
        size /= 2;
    }
    return SYNC_OK;
}
