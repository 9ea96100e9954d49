/* Reads the settings of a topic. Not here: changing them. */
#include "kafka_client.h"

#include <stdio.h>

#define QUEUE __attribute__((cleanup(free_queue))) rd_kafka_queue_t
#define EVENT __attribute__((cleanup(free_event))) rd_kafka_event_t

static void free_queue(rd_kafka_queue_t **queue)
{
    rd_kafka_queue_destroy(*queue);
}

static void free_event(rd_kafka_event_t **event)
{
    if (*event != NULL) {
        rd_kafka_event_destroy(*event);
    }
}

static void ask(rd_kafka_t *handle, const char *topic, int timeout_ms, rd_kafka_queue_t *queue)
{
    char text[64]; /* of the library's error: a time-out in its range is never refused */
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof text);
    rd_kafka_DescribeConfigs(handle, &resource, 1, options, queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
}

static void pick(const rd_kafka_ConfigEntry_t *entry, struct sync_kafka_setting *settings,
                 size_t count)
{
    const char *name = rd_kafka_ConfigEntry_name(entry);
    const char *value = rd_kafka_ConfigEntry_value(entry);
    for (size_t i = 0; i < count && value != NULL; i++) {
        if (strcmp(name, settings[i].name) == 0) {
            (void)snprintf(settings[i].value, sizeof settings[i].value, "%s", value);
        }
    }
}

/* The error of the whole answer, or of the one topic in it. */
static rd_kafka_resp_err_t read_answer(rd_kafka_event_t *event, struct sync_kafka_setting *settings,
                                       size_t count)
{
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return rd_kafka_event_error(event);
    }
    size_t resource_count = 0, entry_count = 0;
    const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &resource_count);
    if (resource_count != 1) {
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    }
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resources[0], &entry_count);
    for (size_t i = 0; i < entry_count; i++) {
        pick(entries[i], settings, count);
    }
    return rd_kafka_ConfigResource_error(resources[0]);
}

sync_status sync_kafka_topic_settings(struct sync_kafka_looker *looker, const char *topic,
                                      struct sync_kafka_setting *settings, size_t count,
                                      int timeout_ms, struct sync_error *err)
{
    char tried[320];
    rd_kafka_t *handle = kafka_looker_handle(looker);
    for (size_t i = 0; i < count; i++) {
        settings[i].value[0] = '\0';
    }
    QUEUE *queue = rd_kafka_queue_new(handle);
    ask(handle, topic, timeout_ms, queue);
    EVENT *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    rd_kafka_resp_err_t error =
        event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : read_answer(event, settings, count);
    /* The library waits in vain for a broker that knows the request: the embedded one does not. */
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE ||
        error == RD_KAFKA_RESP_ERR__TIMED_OUT) {
        return SYNC_OK;
    }
    (void)snprintf(tried, sizeof tried, "ask for the settings of topic %s", topic);
    return kafka_fail(error, tried, NULL, err);
}
