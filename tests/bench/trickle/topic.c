/* Acts of Altinn 2 as records on its topic: one READ of each message. Not here: the receiver. */
#include "../../../connectors/status_record.h"
#include "trickle.h"

#include <runtime/clock.h>
#include <runtime/kafka.h>

#define ARENA_BYTES 4096
#define DRAIN_US    30000000LL

struct topic {
    struct trickle *trickle;
    struct sync_kafka_producer *producer;
    const struct sync_schema *schema;
    int64_t answered;
    bool failed;
    struct sync_error failure;
};

static void on_delivered(void *context, void *tag, bool stored, const struct sync_error *err)
{
    struct topic *topic = context;
    topic->answered++;
    if (!stored && !topic->failed) {
        topic->failed = true;
        topic->failure = *err;
    }
    trickle_done(topic->trickle, (int64_t)(intptr_t)tag);
}

static sync_status produce(struct topic *topic, int64_t act, struct sync_error *err)
{
    uint8_t memory[ARENA_BYTES];
    struct sync_arena arena;
    struct status_record record;
    const struct trickle *trickle = topic->trickle;
    sync_arena_init(&arena, memory, sizeof memory);
    struct status_change change = {
        .source = {.system = 0, .stream = sync_bytes_text("trickle"), .sequence = act},
        .has_altinn2_id = true,
        .altinn2_id = (int32_t)(trickle->first + act),
        .mode = STATUS_LIVE,
        .captured_at_us = trickle_due_us(trickle, act),
        .kind = STATUS_READ,
        .occurred_at_us = trickle_due_us(trickle, act),
        .party = trickle_party(1)};
    sync_status status = status_record_make(topic->schema, &change, &arena, &record, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_kafka_record out = {.topic = trickle->topic,
                                    .key = record.key,
                                    .value = record.value,
                                    .headers = record.headers,
                                    .header_count = record.header_count,
                                    .tag = (void *)(intptr_t)act};
    return sync_kafka_produce(topic->producer, &out, err);
}

static sync_status produce_all(struct topic *topic, struct sync_error *err)
{
    struct trickle *trickle = topic->trickle;
    sync_status status = SYNC_OK;
    for (int64_t act = 0; act < trickle->count && sync_is_ok(status); act++) {
        (void)sync_kafka_producer_poll(topic->producer, 0);
        trickle_wait(trickle, act);
        status = produce(topic, act, err);
    }
    int64_t limit_us = sync_clock_monotonic_us() + DRAIN_US;
    while (sync_is_ok(status) && topic->answered < trickle->count && !topic->failed) {
        (void)sync_kafka_producer_poll(topic->producer, 10);
        if (sync_clock_monotonic_us() > limit_us) {
            return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_TIMEOUT,
                             "the broker left records without a report");
        }
    }
    if (topic->failed) {
        *err = topic->failure;
        return (sync_status){SYNC_CLASS_FATAL};
    }
    return status;
}

sync_status trickle_topic(struct trickle *trickle, struct sync_error *err)
{
    struct topic topic = {.trickle = trickle};
    struct sync_schema_set *schemas = NULL;
    struct sync_kafka_options options = {.bootstrap = trickle->bootstrap,
                                         .client_id = "bench-trickle"};
    sync_status status = sync_schema_set_new(trickle->schemas, &schemas, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    topic.schema = sync_schema_set_find(schemas, sync_processor_correspondence_status.schema);
    SYNC_ASSERT(topic.schema != NULL);
    status = sync_kafka_producer_new(&options, on_delivered, &topic, &topic.producer, err);
    if (sync_is_ok(status)) {
        status = produce_all(&topic, err);
        sync_kafka_producer_free(&topic.producer, 1000);
    }
    sync_schema_set_free(&schemas);
    return status;
}
