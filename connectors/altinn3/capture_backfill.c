/*
 * The load's thread. What a kill at any point leaves:
 *   before the plan is committed   nothing was sent: the chunk is read anew
 *   after it                       ids, numbers and position are written down: the same rows are
 *                                  sent again, with the same numbers
 *   after delivery                 the same once more; the consumer knows the numbers
 *   between two ENDs               all ENDs once more: they say the same
 */
#include "capture_backfill.h"

#include "capture_backfill_table.h"
#include "capture_backlog.h"
#include "capture_metrics.h"
#include "capture_settled.h"
#include "capture_source.h"

#include <core/limits.h>
#include <poll.h>
#include <pthread.h>
#include <runtime/clock.h>
#include <runtime/digest.h>
#include <runtime/log.h>
#include <stdio.h>
#include <stdlib.h>

#define IDLE_MS      500 /* how soon an order is heard */
#define RETRY_MS     1000
#define REFUSED_MS   60000 /* what is refused stays so until somebody mends it */
#define POLL_MS      50
#define RECORD_BYTES 16384
#define PARAMS_BYTES (512 * 1024)

/* Rows of one partition and target in a chunk. */
struct tally {
    int32_t partitions[CAPTURE_ITEMS_MAX];
    struct capture_target targets[CAPTURE_ITEMS_MAX];
    int64_t counts[CAPTURE_ITEMS_MAX];
    size_t pair_count;
};

struct capture_backfill {
    const struct capture_entity *entity;
    const struct sync_config *config;
    const struct sync_schema *schema;
    const atomic_bool *begun;
    struct sync_db *db;
    void *desk;
    struct capture_backlog backlog;
    pthread_t thread;
    bool has_thread;
    atomic_bool ends;
    /* Of the thread alone. */
    bool is_ready; /* source and topic are known */
    char stream[64];
    int64_t sequence_base;
    struct capture_settled settled;
    struct backfill_table tables[CAPTURE_TABLES_MAX];
    size_t at; /* the table under way */
    struct capture_snapshot snapshot;
    struct capture_item items[CAPTURE_ITEMS_MAX];
    struct sync_uuid ids[CAPTURE_ITEMS_MAX]; /* of the items */
    size_t item_count;
    uint8_t *rows, *answers;
    struct sync_uuid chunk_ids[CAPTURE_ITEMS_MAX]; /* of those that are sent */
    struct tally tally;
    uint8_t params[PARAMS_BYTES];
    uint8_t record[RECORD_BYTES];
};

static bool must_end(const struct capture_backfill *b)
{
    return atomic_load(&b->ends);
}

static void wait_ms(const struct capture_backfill *b, int64_t ms)
{
    int64_t end_us = sync_clock_monotonic_us() + ms * 1000;
    while (!must_end(b) && sync_clock_monotonic_us() < end_us) {
        int64_t left_ms = (end_us - sync_clock_monotonic_us()) / 1000 + 1;
        (void)poll(NULL, 0, left_ms < POLL_MS ? (int)left_ms : POLL_MS);
    }
}

static const struct capture_table *table_of(const struct capture_backfill *b)
{
    return &b->entity->load->tables[b->at];
}

/* Items. */

static void put_item(struct capture_backfill *b, const struct sync_result *result, int row)
{
    size_t at = b->item_count++;
    struct capture_item *item = &b->items[at];
    *item = (struct capture_item){.row = b->rows + at * b->entity->row_size,
                                  .answer = b->answers + at * b->entity->answer_size,
                                  .committed_us = sync_clock_wall_us()};
    memset(item->answer, 0, b->entity->answer_size);
    b->ids[at] = sync_result_uuid(result, row, 1);
    table_of(b)->read(result, row, item->row);
}

/* What is not found is not waited for: what is new comes by the log, which waits. */
static sync_status resolve(struct capture_backfill *b, struct sync_error *err)
{
    sync_status status = b->entity->resolve(b->desk, b->items, b->item_count, err);
    for (size_t i = 0; i < b->item_count && sync_is_ok(status); i++) {
        if (b->items[i].verdict == CAPTURE_WAITING) {
            b->entity->expire(b->desk, &b->items[i]);
        }
    }
    return status;
}

static sync_status make_record(struct capture_backfill *b, const struct capture_item *item,
                               struct capture_record *ret_record, int32_t *ret_partition,
                               struct sync_error *err)
{
    struct sync_arena arena;
    struct capture_letter letter = {.schema = b->schema,
                                    .stream = sync_bytes_text(b->stream),
                                    .arena = &arena,
                                    .snapshot = &b->snapshot};
    sync_arena_init(&arena, b->record, sizeof b->record);
    sync_status status = b->entity->make(b->desk, item, 0, &letter, ret_record, err);
    if (!sync_is_ok(status) || !ret_record->present) { /* what is ready has a first part */
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL, "make a record: %s", err->text);
    }
    *ret_partition = sync_digest_partition(ret_record->key, b->backlog.partition_count);
    return SYNC_OK;
}

/* Sends the items that are ready, until the broker has stored every one of them. */
static sync_status deliver(struct capture_backfill *b, struct sync_error *err)
{
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < b->item_count && sync_is_ok(status); i++) {
        struct capture_record record;
        int32_t partition = 0;
        if (b->items[i].verdict != CAPTURE_READY) {
            continue;
        }
        status = make_record(b, &b->items[i], &record, &partition, err);
        if (sync_is_ok(status)) {
            status = capture_backlog_send(&b->backlog, &record, partition, err);
        }
    }
    return sync_is_ok(status) || status.class == SYNC_CLASS_RETRY
               ? capture_backlog_flush(&b->backlog, err)
               : status;
}

/* Plan. */

static void add_to_tally(struct tally *tally, int32_t partition,
                         const struct capture_target *target)
{
    size_t at = 0;
    while (at < tally->pair_count &&
           (tally->partitions[at] != partition || tally->targets[at].kind != target->kind ||
            strcmp(tally->targets[at].id, target->id) != 0)) {
        at++;
    }
    if (at == tally->pair_count) {
        tally->partitions[at] = partition;
        tally->targets[at] = *target;
        tally->counts[at] = 0;
        tally->pair_count++;
    }
    tally->counts[at]++;
}

/* Numbers the ready items from 0 on, and counts them. */
static sync_status count_items(struct capture_backfill *b, size_t *ret_count,
                               struct sync_error *err)
{
    size_t count = 0;
    b->tally.pair_count = 0;
    for (size_t i = 0; i < b->item_count; i++) {
        struct capture_record record;
        struct capture_target target;
        int32_t partition = 0;
        if (b->items[i].verdict != CAPTURE_READY) {
            continue;
        }
        sync_status status = make_record(b, &b->items[i], &record, &partition, err);
        if (!sync_is_ok(status)) {
            return status;
        }
        b->entity->load->target(&b->items[i], &target);
        add_to_tally(&b->tally, partition, &target);
        b->items[i].sequence = (int64_t)count;
        b->chunk_ids[count++] = b->ids[i];
    }
    *ret_count = count;
    return SYNC_OK;
}

static sync_status plan(struct capture_backfill *b, bool *ret_going, struct sync_error *err)
{
    struct sync_arena arena;
    struct capture_moment after;
    int64_t first_row = 0;
    struct backfill_chunk chunk = {.table = table_of(b)->name,
                                   .end = b->ids[b->item_count - 1],
                                   .rows = b->item_count,
                                   .ids = b->chunk_ids,
                                   .low_position = b->snapshot.position,
                                   .partitions = b->tally.partitions,
                                   .targets = b->tally.targets,
                                   .counts = b->tally.counts};
    sync_status status = count_items(b, &chunk.count, err);
    if (sync_is_ok(status)) {
        status = capture_moment_ask(b->db, &after, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    chunk.pair_count = b->tally.pair_count;
    chunk.high_position = b->sequence_base + (int64_t)after.lsn;
    sync_arena_init(&arena, b->params, sizeof b->params);
    status = backfill_plan(b->db, b->entity, &chunk, &arena, &first_row, ret_going, err);
    for (size_t i = 0; i < b->item_count; i++) {
        b->items[i].sequence += first_row;
    }
    return status;
}

/* Chunks. */

/* The rows that were under way when a process ended: as they are, or as they last were. */
static sync_status read_again(struct capture_backfill *b, struct sync_error *err)
{
    struct sync_params params;
    SYNC_RESULT result = {0};
    const struct backfill_table *progress = &b->tables[b->at];
    sync_params_init(&params, NULL);
    sync_params_text(&params, b->entity->name);
    sync_params_text(&params, table_of(b)->name);
    sync_status status = sync_db_exec(b->db, table_of(b)->again, &params, &result, err);
    for (int row = 0; row < result.rows && sync_is_ok(status); row++) {
        put_item(b, &result, row);
        b->items[row].sequence = progress->first_row + sync_result_int8(&result, row, 0) - 1;
    }
    b->snapshot.position = progress->low_position;
    return sync_is_ok(status) ? resolve(b, err) : status;
}

/* The next rows, at the newest position that is settled for their snapshot. */
static sync_status read_next(struct capture_backfill *b, struct sync_error *err)
{
    struct sync_arena arena;
    struct sync_params params;
    struct capture_moment moment;
    SYNC_RESULT result = {0};
    sync_status status = capture_moment_ask(b->db, &moment, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    capture_settled_note(&b->settled, &moment);
    sync_arena_init(&arena, b->params, sizeof b->params);
    sync_params_init(&params, &arena);
    sync_params_uuid(&params, &b->tables[b->at].cursor);
    sync_params_int4(&params, CAPTURE_ITEMS_MAX);
    status = sync_db_exec(b->db, table_of(b)->chunk, &params, &result, err);
    for (int row = 0; row < result.rows && sync_is_ok(status); row++) {
        put_item(b, &result, row);
    }
    if (!sync_is_ok(status) || result.rows == 0) {
        return status;
    }
    uint64_t xmin = (uint64_t)sync_result_int8(&result, 0, 0);
    b->snapshot.position = b->sequence_base + (int64_t)capture_settled_visible(&b->settled, xmin);
    return resolve(b, err);
}

static int64_t count_ready(const struct capture_backfill *b)
{
    int64_t count = 0;
    for (size_t i = 0; i < b->item_count; i++) {
        count += b->items[i].verdict == CAPTURE_READY;
    }
    return count;
}

/* Operators may ask for less than what goes. */
static void keep_to_rate(const struct capture_backfill *b, int64_t begun_us)
{
    int64_t rate = b->tables[b->at].rate_max;
    if (rate > 0) {
        int64_t due_us = begun_us + (int64_t)b->item_count * 1000000 / rate;
        wait_ms(b, (due_us - sync_clock_monotonic_us()) / 1000);
    }
}

/* One chunk. ret_is_last: there are no further rows. */
static sync_status run_chunk(struct capture_backfill *b, bool *ret_is_last, struct sync_error *err)
{
    int64_t begun_us = sync_clock_monotonic_us();
    bool resumes = b->tables[b->at].has_chunk, going = true;
    b->item_count = 0;
    b->snapshot.id = b->tables[b->at].snapshot_id;
    sync_status status = resumes ? read_again(b, err) : read_next(b, err);
    *ret_is_last = !resumes && b->item_count < CAPTURE_ITEMS_MAX;
    if (!sync_is_ok(status) || (b->item_count == 0 && !resumes)) {
        return status;
    }
    if (!resumes) {
        status = plan(b, &going, err);
    }
    if (!sync_is_ok(status) || !going) { /* an operator said stop */
        *ret_is_last = false;
        return status;
    }
    status = deliver(b, err);
    if (sync_is_ok(status)) {
        int64_t sent = count_ready(b);
        status = backfill_delivered(b->db, b->entity, table_of(b)->name, sent, err);
        capture_count_backfill((double)sent);
        keep_to_rate(b, begun_us);
    }
    return status;
}

/* Ends. */

static sync_status send_end(struct capture_backfill *b, const struct capture_target *target,
                            int32_t partition, int64_t count, struct sync_error *err)
{
    struct sync_arena arena;
    struct capture_record record;
    struct capture_letter letter = {.schema = b->schema,
                                    .stream = sync_bytes_text(b->stream),
                                    .arena = &arena,
                                    .snapshot = &b->snapshot};
    sync_arena_init(&arena, b->record, sizeof b->record);
    sync_status status =
        b->entity->load->end(&letter, target, count, sync_clock_wall_us(), &record, err);
    if (!sync_is_ok(status)) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL, "make an END: %s", err->text);
    }
    return capture_backlog_send(&b->backlog, &record, partition, err);
}

static sync_status send_target_ends(struct capture_backfill *b, struct sync_error *err)
{
    struct capture_target target = {.kind = -1};
    int rows = 1;
    sync_status status = SYNC_OK;
    while (rows > 0 && sync_is_ok(status) && !must_end(b)) {
        SYNC_RESULT result = {0};
        status =
            backfill_sent_read(b->db, b->entity, &target, b->backlog.partition_count, &result, err);
        rows = result.rows;
        for (int row = 0; row < result.rows && sync_is_ok(status); row++) {
            struct sync_bytes id = sync_result_bytes(&result, row, 1);
            target.kind = (int16_t)sync_result_int4(&result, row, 0);
            (void)snprintf(target.id, sizeof target.id, "%.*s", (int)id.size,
                           (const char *)id.data);
            status = send_end(b, &target, sync_result_int4(&result, row, 2),
                              sync_result_int8(&result, row, 3), err);
        }
    }
    return status;
}

/* Everything is loaded: how much, by target and of all, to every partition. */
static sync_status send_ends(struct capture_backfill *b, struct sync_error *err)
{
    SYNC_RESULT result = {0};
    b->snapshot.id = b->tables[b->at].snapshot_id;
    sync_status status = send_target_ends(b, err);
    if (sync_is_ok(status)) {
        status = backfill_total_read(b->db, b->entity, b->backlog.partition_count, &result, err);
    }
    for (int row = 0; row < result.rows && sync_is_ok(status); row++) {
        status = send_end(b, NULL, sync_result_int4(&result, row, 0),
                          sync_result_int8(&result, row, 1), err);
    }
    return sync_is_ok(status) || status.class == SYNC_CLASS_RETRY
               ? capture_backlog_flush(&b->backlog, err)
               : status;
}

static bool is_open(const struct backfill_table *table)
{
    return table->state == BACKFILL_PLANNED || table->state == BACKFILL_RUNNING;
}

static bool is_last_table(const struct capture_backfill *b)
{
    for (size_t i = 0; i < b->entity->load->table_count; i++) {
        if (i != b->at && b->tables[i].state != BACKFILL_DONE) {
            return false;
        }
    }
    return true;
}

static sync_status finish_table(struct capture_backfill *b, struct sync_error *err)
{
    sync_status status = is_last_table(b) ? send_ends(b, err) : SYNC_OK;
    if (!sync_is_ok(status)) {
        return status;
    }
    status = backfill_finish(b->db, b->entity, table_of(b)->name, err);
    if (sync_is_ok(status)) {
        sync_log(SYNC_INFO, "backfill_table_done", SYNC_LOG_TEXT("table", table_of(b)->name));
    }
    return status;
}

/* Turns. */

/* What is known of a running capture, and a first position that is settled for every snapshot: the
 * slot keeps the log from before everything that is still open. */
static sync_status prepare(struct capture_backfill *b, struct sync_error *err)
{
    struct capture_source source;
    struct capture_slot slot;
    sync_status status = capture_backlog_know(&b->backlog, err);
    if (sync_is_ok(status)) {
        status = capture_source_read(b->db, b->entity->name, &source, err);
    }
    if (sync_is_ok(status)) {
        status = capture_slot_read(b->db, b->entity, &source, &slot, err);
    }
    if (!sync_is_ok(status) || b->is_ready) {
        return status;
    }
    (void)snprintf(b->stream, sizeof b->stream, "%s.%d", b->entity->stream, (int)source.generation);
    b->sequence_base = source.sequence_base;
    capture_settled_begin(&b->settled, slot.restart_lsn);
    b->is_ready = true;
    return status;
}

static void show_progress(const struct capture_backfill *b)
{
    for (size_t i = 0; i < b->entity->load->table_count; i++) {
        const struct backfill_table *table = &b->tables[i];
        if (table->state != BACKFILL_NONE && table->rows_total >= 0) {
            double total = table->rows_total > 0 ? (double)table->rows_total : 1;
            double ratio = table->state == BACKFILL_DONE ? 1 : (double)table->rows_done / total;
            capture_set_backfill(b->entity->load->tables[i].name, ratio > 1 ? 1 : ratio);
        }
    }
}

/* One chunk of the first table that is open. ret_did is false when nothing is to be done. */
static sync_status turn(struct capture_backfill *b, bool *ret_did, struct sync_error *err)
{
    bool is_last = false;
    size_t count = b->entity->load->table_count;
    *ret_did = false;
    sync_status status = backfill_read(b->db, b->entity, b->tables, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    show_progress(b);
    for (b->at = 0; b->at < count && !is_open(&b->tables[b->at]); b->at++) {
    }
    if (b->at == count) {
        return SYNC_OK;
    }
    *ret_did = true;
    status = prepare(b, err);
    if (sync_is_ok(status) && b->tables[b->at].rows_total < 0) {
        status = backfill_estimate(b->db, b->entity, table_of(b), err);
    }
    if (sync_is_ok(status)) {
        status = run_chunk(b, &is_last, err);
    }
    return sync_is_ok(status) && is_last ? finish_table(b, err) : status;
}

static void *run(void *context)
{
    struct capture_backfill *b = context;
    while (!must_end(b)) {
        struct sync_error err = {0};
        bool did = false;
        if (!atomic_load(b->begun)) {
            wait_ms(b, IDLE_MS);
            continue;
        }
        sync_status status = turn(b, &did, &err);
        if (sync_is_ok(status)) {
            wait_ms(b, did ? 0 : IDLE_MS);
            continue;
        }
        if (must_end(b)) {
            break;
        }
        bool refused = status.class != SYNC_CLASS_RETRY;
        if (refused) { /* live goes on: it is not what failed */
            sync_log_error(SYNC_ERROR, "backfill_refused", &err);
        } else {
            sync_log_error(SYNC_WARN, "backfill_waits", &err);
        }
        wait_ms(b, refused ? REFUSED_MS : RETRY_MS);
    }
    return NULL;
}

/* Life. */

static sync_status make(struct capture_backfill *b, struct sync_error *err)
{
    char application[64];
    struct sync_home home;
    sync_status status = capture_home_of(b->entity, b->config, &home, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_db_options options = {
        .dsn = home.dsn, .setting = home.setting, .application = application};
    (void)snprintf(application, sizeof application, "%s-backfill", b->entity->name);
    b->rows = calloc(CAPTURE_ITEMS_MAX, b->entity->row_size);
    b->answers = calloc(CAPTURE_ITEMS_MAX, b->entity->answer_size);
    b->desk = calloc(1, b->entity->desk_size);
    if (!b->rows || !b->answers || !b->desk) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the backfill: no memory");
    }
    status = sync_db_new(&options, &b->db, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    b->entity->open(b->desk, b->config, b->db);
    return capture_backlog_init(&b->backlog, b->entity, b->config, &b->ends, err);
}

sync_status capture_backfill_new(const struct capture_entity *entity,
                                 const struct sync_config *config, const struct sync_schema *schema,
                                 const atomic_bool *begun, struct capture_backfill **ret_backfill,
                                 struct sync_error *err)
{
    struct capture_backfill *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the backfill: no memory");
    }
    b->entity = entity;
    b->config = config;
    b->schema = schema;
    b->begun = begun;
    sync_status status = make(b, err);
    if (!sync_is_ok(status)) {
        capture_backfill_free(&b);
        return status;
    }
    *ret_backfill = b;
    return SYNC_OK;
}

void capture_backfill_free(struct capture_backfill **backfill)
{
    struct capture_backfill *b = *backfill;
    *backfill = NULL;
    if (b == NULL) {
        return;
    }
    SYNC_ASSERT(!b->has_thread);
    capture_backlog_done(&b->backlog);
    sync_db_free(&b->db);
    free(b->desk);
    free(b->answers);
    free(b->rows);
    free(b);
}

sync_status capture_backfill_start(struct capture_backfill *backfill, struct sync_error *err)
{
    if (pthread_create(&backfill->thread, NULL, run, backfill) != 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                         "start the thread of the backfill: the system gives none");
    }
    backfill->has_thread = true;
    return SYNC_OK;
}

void capture_backfill_stop(struct capture_backfill *backfill)
{
    atomic_store(&backfill->ends, true);
    if (backfill->has_thread) {
        (void)pthread_join(backfill->thread, NULL); /* it is ours and runs */
        backfill->has_thread = false;
    }
}
