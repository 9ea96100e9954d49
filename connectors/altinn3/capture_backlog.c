/* Producing and waiting for reports. */
#include "capture_backlog.h"

#include <stdio.h>

#define POLL_MS      50
#define ASK_TOPIC_MS 1000

static void note_delivery(void *context, void *tag, bool stored, const struct sync_error *err)
{
    struct capture_backlog *backlog = context;
    (void)tag;
    backlog->in_flight--;
    if (!stored) {
        backlog->has_failed = true;
        backlog->failure = *err;
    }
}

static sync_status open_producer(struct capture_backlog *backlog, struct sync_error *err)
{
    struct sync_kafka_options options = {.bootstrap = backlog->config->kafka_bootstrap,
                                         .client_id = backlog->client,
                                         .dev = backlog->config->dev,
                                         .properties = backlog->config->kafka_properties};
    return sync_kafka_producer_new(&options, note_delivery, backlog, &backlog->producer, err);
}

sync_status capture_backlog_init(struct capture_backlog *backlog,
                                 const struct capture_entity *entity,
                                 const struct sync_config *config, const atomic_bool *ends,
                                 struct sync_error *err)
{
    backlog->config = config;
    backlog->ends = ends;
    backlog->topic = capture_backlog_of(entity);
    (void)snprintf(backlog->client, sizeof backlog->client, "%s-backfill", entity->name);
    SYNC_ASSERT(backlog->topic);
    return open_producer(backlog, err);
}

void capture_backlog_done(struct capture_backlog *backlog)
{
    if (backlog->producer) {
        sync_kafka_producer_free(&backlog->producer, 0);
    }
}

sync_status capture_backlog_know(struct capture_backlog *backlog, struct sync_error *err)
{
    char cluster_id[64];
    if (backlog->partition_count > 0) {
        return SYNC_OK;
    }
    return sync_kafka_producer_describe(backlog->producer, backlog->topic, ASK_TOPIC_MS, cluster_id,
                                        &backlog->partition_count, err);
}

sync_status capture_backlog_send(struct capture_backlog *backlog,
                                 const struct capture_record *record, int32_t partition,
                                 struct sync_error *err)
{
    struct sync_kafka_record out = {.topic = backlog->topic,
                                    .to_partition = true,
                                    .partition = partition,
                                    .key = record->key,
                                    .value = record->value,
                                    .headers = record->headers,
                                    .header_count = record->header_count};
    sync_status status = sync_kafka_produce(backlog->producer, &out, err);
    while (!sync_is_ok(status) && err->code == SYNC_CODE_MEMORY_LIMIT && !backlog->has_failed &&
           !atomic_load(backlog->ends)) {
        (void)sync_kafka_producer_poll(backlog->producer, POLL_MS); /* a count */
        status = sync_kafka_produce(backlog->producer, &out, err);
    }
    backlog->in_flight += sync_is_ok(status);
    return status;
}

/* Reports of the old producer count no more. */
static sync_status begin_anew(struct capture_backlog *backlog, const struct sync_error *reason,
                              struct sync_error *err)
{
    sync_kafka_producer_free(&backlog->producer, 0);
    backlog->in_flight = 0;
    backlog->has_failed = false;
    backlog->partition_count = 0;
    sync_status status = open_producer(backlog, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    *err = *reason;
    return (sync_status){SYNC_CLASS_RETRY};
}

sync_status capture_backlog_flush(struct capture_backlog *backlog, struct sync_error *err)
{
    while (backlog->in_flight > 0 && !backlog->has_failed && !atomic_load(backlog->ends)) {
        (void)sync_kafka_producer_poll(backlog->producer, POLL_MS); /* a count */
    }
    if (backlog->has_failed) {
        struct sync_error reason = backlog->failure;
        return begin_anew(backlog, &reason, err);
    }
    if (backlog->in_flight > 0) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_TIMEOUT,
                         "send a chunk: the process ends before it is stored");
    }
    return SYNC_OK;
}
