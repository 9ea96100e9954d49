/* The idempotent producer and the making of topics. Not here: what is produced and when it is
 * confirmed. */
#include "kafka_client.h"

#include "../core/limits.h"

#include <stdio.h>
#include <stdlib.h>

static const struct kafka_setting producer_defaults[] = {
    {"delivery.timeout.ms", "120000"},
    {"linger.ms", "2"},
    {NULL, NULL},
};

struct sync_kafka_producer {
    rd_kafka_t *handle;
    sync_kafka_delivered *delivered;
    void *context;
};

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    struct sync_kafka_producer *p = opaque;
    struct sync_error error = {0};
    (void)handle;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)kafka_fail(message->err, "store a record", NULL, &error);
    }
    p->delivered(p->context, message->_private, message->err == RD_KAFKA_RESP_ERR_NO_ERROR, &error);
}

static sync_status producer_conf(const struct sync_kafka_options *options, rd_kafka_conf_t *conf,
                                 struct sync_error *err)
{
    sync_status status = kafka_conf_common(conf, options, err);
    if (sync_is_ok(status)) {
        status = kafka_conf_list(conf, producer_defaults, err);
    }
    if (sync_is_ok(status)) {
        status = kafka_conf_number(conf, "message.max.bytes", SYNC_RECORD_BYTES_MAX, err);
    }
    if (sync_is_ok(status)) {
        status = kafka_conf_list(conf, kafka_producer_fixed, err);
    }
    if (sync_is_ok(status)) {
        status = kafka_conf_pass_through(conf, options->properties, kafka_producer_fixed, err);
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return status;
}

sync_status sync_kafka_producer_new(const struct sync_kafka_options *options,
                                    sync_kafka_delivered *delivered, void *context,
                                    struct sync_kafka_producer **ret_producer,
                                    struct sync_error *err)
{
    struct sync_kafka_producer *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "make a Kafka producer: no memory");
    }
    p->delivered = delivered;
    p->context = context;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, p);
    sync_status status = producer_conf(options, conf, err);
    if (!sync_is_ok(status)) {
        rd_kafka_conf_destroy(conf);
    } else {
        status = kafka_handle_new(RD_KAFKA_PRODUCER, conf, &p->handle, err);
    }
    if (!sync_is_ok(status)) {
        free(p);
        return status;
    }
    *ret_producer = p;
    return SYNC_OK;
}

void sync_kafka_producer_free(struct sync_kafka_producer **producer, int timeout_ms)
{
    struct sync_kafka_producer *p = *producer;
    *producer = NULL;
    if (p == NULL) {
        return;
    }
    (void)rd_kafka_flush(p->handle, timeout_ms); /* what is left is reported as not stored */
    (void)rd_kafka_purge(p->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_poll(p->handle, 0);
    rd_kafka_destroy(p->handle);
    free(p);
}

static rd_kafka_headers_t *headers_of(const struct sync_kafka_record *record)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        (void)rd_kafka_header_add(list, record->headers[i].name, -1, record->headers[i].value, -1);
    }
    return list;
}

sync_status sync_kafka_produce(struct sync_kafka_producer *p,
                               const struct sync_kafka_record *record, struct sync_error *err)
{
    rd_kafka_headers_t *list = headers_of(record);
    rd_kafka_resp_err_t error = rd_kafka_producev(
        p->handle, RD_KAFKA_V_TOPIC(record->topic),
        RD_KAFKA_V_PARTITION(record->to_partition ? record->partition : RD_KAFKA_PARTITION_UA),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(record->key.data, record->key.size),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value.data, record->value.size),
        RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_OPAQUE(record->tag), RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return SYNC_OK;
    }
    rd_kafka_headers_destroy(list);
    char text[KAFKA_ERROR_TEXT_BYTES];
    if (rd_kafka_fatal_error(p->handle, text, sizeof text) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(RD_KAFKA_RESP_ERR__FATAL, "hand over a record", text, err);
    }
    return kafka_fail(error, "hand over a record", NULL, err);
}

int sync_kafka_producer_poll(struct sync_kafka_producer *p, int timeout_ms)
{
    return rd_kafka_poll(p->handle, timeout_ms);
}

sync_status sync_kafka_producer_describe(struct sync_kafka_producer *p, const char *topic,
                                         int timeout_ms, char ret_cluster_id[static 64],
                                         int32_t *ret_partitions, struct sync_error *err)
{
    return kafka_topic_describe(p->handle, topic, timeout_ms, ret_cluster_id, ret_partitions, err);
}

sync_status sync_kafka_producer_marks(struct sync_kafka_producer *p, const char *topic,
                                      int32_t partition, int timeout_ms, int64_t *ret_low,
                                      int64_t *ret_high, struct sync_error *err)
{
    return kafka_topic_marks(p->handle, topic, partition, timeout_ms, ret_low, ret_high, err);
}

/* Admin -------------------------------------------------------------------------------- */

#define ADMIN_TIMEOUT_MS 30000

static sync_status new_topic_of(const struct sync_kafka_topic *topic, rd_kafka_NewTopic_t **ret_new,
                                struct sync_error *err)
{
    char text[KAFKA_ERROR_TEXT_BYTES];
    rd_kafka_NewTopic_t *object =
        rd_kafka_NewTopic_new(topic->name, topic->partitions, topic->replicas, text, sizeof text);
    if (object == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "describe topic %s: %s",
                         topic->name, text);
    }
    for (size_t i = 0; topic->config != NULL && topic->config[i] != NULL; i += 2) {
        (void)rd_kafka_NewTopic_set_config(object, topic->config[i], topic->config[i + 1]);
    }
    *ret_new = object;
    return SYNC_OK;
}

/* Creates one topic; true in ret_created when it was not there before. */
static sync_status topic_create(rd_kafka_t *handle, const struct sync_kafka_topic *topic,
                                bool *ret_created, struct sync_error *err)
{
    rd_kafka_NewTopic_t *object = NULL;
    sync_status status = new_topic_of(topic, &object, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_CreateTopics(handle, &object, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_TIMEOUT_MS);
    rd_kafka_resp_err_t error =
        event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
    const char *text = NULL;
    const rd_kafka_CreateTopics_result_t *result =
        event == NULL ? NULL : rd_kafka_event_CreateTopics_result(event);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && result != NULL) {
        size_t count = 0;
        const rd_kafka_topic_result_t **rows = rd_kafka_CreateTopics_result_topics(result, &count);
        error = count == 1 ? rd_kafka_topic_result_error(rows[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
        text = count == 1 ? rd_kafka_topic_result_error_string(rows[0]) : NULL;
    }
    *ret_created = error == RD_KAFKA_RESP_ERR_NO_ERROR;
    status = SYNC_OK;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        char tried[320];
        (void)snprintf(tried, sizeof tried, "create topic %s", topic->name);
        status = kafka_fail(error, tried, text, err);
    }
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(object);
    return status;
}

sync_status sync_kafka_create_topics(const struct sync_kafka_options *options,
                                     const struct sync_kafka_topic *topics, size_t count,
                                     size_t *ret_created, struct sync_error *err)
{
    struct sync_kafka_looker *looker = NULL;
    sync_status status = sync_kafka_looker_new(options, &looker, err);
    size_t created = 0;
    for (size_t i = 0; sync_is_ok(status) && i < count; i++) {
        bool made = false;
        status = topic_create(kafka_looker_handle(looker), &topics[i], &made, err);
        created += made;
    }
    sync_kafka_looker_free(&looker);
    if (sync_is_ok(status)) {
        *ret_created = created;
    }
    return status;
}
