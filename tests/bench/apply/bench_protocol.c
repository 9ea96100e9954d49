/*
 * The protocol without a broker: decode, gate, settle, lock, look up, fold, write, counts, commit,
 * one batch after the other, in this process. Shows what the database side costs; the figure that
 * counts comes from Kafka through a consumer (bench.py).
 */
#include "bench_apply.h"

#include "../../../src/runtime/apply.h"
#include "../../../src/runtime/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORDS_BYTES (16 * 1024 * 1024)

struct protocol {
    struct sync_applier applier;
    struct sync_schema_set *schemas;
    struct sync_topics *topics;
    struct sync_decoder *decoder;
    const struct sync_schema *schema;
    struct sync_record *records;
    uint8_t *memory;
    struct sync_arena arena; /* of the encoded records */
};

static sync_status open_protocol(struct bench *bench, struct protocol *p, struct sync_error *err)
{
    const struct sync_processor *processor = &sync_processor_correspondence_status;
    const char *paths[] = {SYNC_SOURCE_DIR "/topics.yaml"};
    sync_status status = sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &p->schemas, err);
    if (sync_is_ok(status)) {
        status = sync_decoder_new(p->schemas, processor, &p->decoder, err);
    }
    if (sync_is_ok(status)) {
        status = sync_topics_load(paths, 1, &p->topics, NULL, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    p->schema = sync_schema_set_find(p->schemas, processor->schema);
    p->records = calloc((size_t)bench->batch, sizeof *p->records);
    p->memory = malloc(RECORDS_BYTES);
    SYNC_ASSERT(p->records != NULL && p->memory != NULL && p->schema != NULL);
    sync_arena_init(&p->arena, p->memory, RECORDS_BYTES);
    p->applier = (struct sync_applier){.db = bench->db,
                                       .processor = processor,
                                       .store = sync_store_find(processor->store),
                                       .route = &processor->routes[0],
                                       .scope = processor->routes[0].name,
                                       .topics = p->topics,
                                       .decoder = p->decoder,
                                       .decision_mode = bench->decisions ? 2 : 0};
    return SYNC_OK;
}

static void close_protocol(struct protocol *p)
{
    sync_decoder_free(&p->decoder);
    sync_schema_set_free(&p->schemas);
    free(p->topics);
    free(p->records);
    free(p->memory);
}

static sync_status make_records(struct bench *bench, struct protocol *p, int64_t first, size_t n,
                                struct sync_error *err)
{
    sync_arena_reset(&p->arena, 0);
    for (size_t i = 0; i < n; i++) {
        struct bench_event event = bench_event_of(bench, first + (int64_t)i);
        struct status_change change = {.source = {.system = 0,
                                                  .stream = sync_bytes_text("bench"),
                                                  .sequence = first + (int64_t)i},
                                       .has_altinn2_id = true,
                                       .altinn2_id = event.altinn2_id,
                                       .mode = STATUS_LIVE,
                                       .captured_at_us = event.occurred_us,
                                       .kind = event.kind,
                                       .occurred_at_us = event.occurred_us,
                                       .party = event.party};
        char key[16];
        (void)snprintf(key, sizeof key, "%d", (int)event.altinn2_id);
        struct sync_record *record = &p->records[i];
        *record = (struct sync_record){.offset = first + (int64_t)i,
                                       .timestamp_ms = event.occurred_us / 1000 + 1};
        record->key = sync_arena_copy(&p->arena, sync_bytes_text(key));
        sync_status status =
            sync_encode(p->schema, p->applier.processor, &change, &p->arena, &record->value, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

static sync_status pass_gate(struct bench *bench, const struct sync_batch *batch, int64_t first,
                             struct sync_error *err)
{
    static const struct sync_statement gate = {
        "bench_gate",
        "UPDATE sync.partition_owner SET position = $4 + $5 WHERE scope = $1 AND topic = $2"
        " AND partition = $3 AND epoch = 1 AND position = $4 RETURNING position"};
    struct sync_params params;
    sync_params_init(&params, &bench->arena);
    sync_params_text(&params, batch->scope);
    sync_params_text(&params, batch->topic);
    sync_params_int4(&params, 0);
    sync_params_int8(&params, first);
    sync_params_int8(&params, (int64_t)batch->record_count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(bench->db, &gate, &params, &result, err);
    SYNC_ASSERT(!sync_is_ok(status) || result.rows == 1);
    return status;
}

static sync_status apply_batch(struct bench *bench, struct protocol *p, int64_t first, size_t n,
                               struct sync_error *err)
{
    const struct sync_txn_limits limits = {.lock_timeout_ms = 400};
    size_t lane_effects = 0;
    sync_arena_reset(&bench->arena, 0);
    struct sync_batch batch = {.processor = p->applier.processor,
                               .route = p->applier.route,
                               .scope = p->applier.scope,
                               .topic = p->applier.route->inputs[0].topic,
                               .arena = &bench->arena,
                               .records = p->records,
                               .record_count = n};
    sync_apply_intake(&p->applier, &batch);
    sync_status status = sync_txn_begin(bench->db, &limits, &batch.now_us, err);
    if (sync_is_ok(status)) {
        status = pass_gate(bench, &batch, first, err);
    }
    if (sync_is_ok(status)) {
        status = sync_apply_batch(&p->applier, &batch, NULL, 0, &lane_effects, err);
    }
    return sync_is_ok(status) ? sync_txn_commit(bench->db, err) : status;
}

sync_status bench_protocol(struct bench *bench, int64_t *ret_us, struct sync_error *err)
{
    struct protocol p = {0};
    sync_status status = open_protocol(bench, &p, err);
    int64_t offset =
        bench->repeat ? bench->events : 0; /* the position goes on, the events repeat */
    *ret_us = 0;
    for (int64_t first = 0; sync_is_ok(status) && first < bench->events; first += bench->batch) {
        int64_t left = bench->events - first;
        size_t n = (size_t)(left < bench->batch ? left : bench->batch);
        status = make_records(bench, &p, first, n, err);
        int64_t start_us = sync_clock_monotonic_us();
        if (sync_is_ok(status)) {
            status = apply_batch(bench, &p, offset + first, n, err);
        }
        *ret_us += sync_clock_monotonic_us() - start_us;
    }
    close_protocol(&p);
    return status;
}
