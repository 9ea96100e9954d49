/*
 * Looks at a cluster for people: which topics there are, where they end. Not here: consuming, and
 * anything that changes the cluster.
 */
#include "kafka_client.h"

#include <stdio.h>
#include <stdlib.h>

struct sync_kafka_looker {
    rd_kafka_t *handle;
};

sync_status sync_kafka_looker_new(const struct sync_kafka_options *options,
                                  struct sync_kafka_looker **ret_looker, struct sync_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *handle = NULL;
    sync_status status = kafka_conf_common(conf, options, err);
    if (sync_is_ok(status)) {
        status = kafka_conf_pass_through(conf, options->properties, kafka_admin_fixed, err);
    }
    if (!sync_is_ok(status)) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    status = kafka_handle_new(RD_KAFKA_PRODUCER, conf, &handle, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_kafka_looker *looker = malloc(sizeof *looker);
    SYNC_ASSERT(looker != NULL);
    looker->handle = handle;
    *ret_looker = looker;
    return SYNC_OK;
}

void sync_kafka_looker_free(struct sync_kafka_looker **looker)
{
    if (*looker != NULL) {
        rd_kafka_destroy((*looker)->handle);
        free(*looker);
        *looker = NULL;
    }
}

rd_kafka_t *kafka_looker_handle(struct sync_kafka_looker *looker)
{
    return looker->handle;
}

/* All topics are asked for, because asking for one by name can create it. */
static sync_status ask_metadata(rd_kafka_t *handle, int timeout_ms,
                                const struct rd_kafka_metadata **ret_metadata,
                                struct sync_error *err)
{
    rd_kafka_resp_err_t error = rd_kafka_metadata(handle, 1, NULL, ret_metadata, timeout_ms);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return SYNC_OK;
    }
    return kafka_fail(error, "ask the broker which topics there are", NULL, err);
}

sync_status sync_kafka_look(struct sync_kafka_looker *looker, const char *const *names,
                            size_t count, int timeout_ms, char ret_cluster_id[static 64],
                            int32_t *ret_partitions, struct sync_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    sync_status status = ask_metadata(looker->handle, timeout_ms, &metadata, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        ret_partitions[i] = 0;
        for (int j = 0; j < metadata->topic_cnt; j++) {
            if (strcmp(metadata->topics[j].topic, names[i]) == 0) {
                ret_partitions[i] = metadata->topics[j].partition_cnt;
            }
        }
    }
    rd_kafka_metadata_destroy(metadata);
    char *cluster = rd_kafka_clusterid(looker->handle, timeout_ms);
    if (cluster == NULL) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_KAFKA_UNREACHABLE,
                         "ask the broker for its cluster id: no answer in %d ms", timeout_ms);
    }
    (void)snprintf(ret_cluster_id, 64, "%s", cluster);
    rd_kafka_mem_free(looker->handle, cluster);
    return SYNC_OK;
}

/* Time -1 asks for the end: one request per broker, where the marks would be two per partition. */
sync_status sync_kafka_ends(struct sync_kafka_looker *looker, const char *topic,
                            int32_t partition_count, int timeout_ms, int64_t *ret_ends,
                            struct sync_error *err)
{
    char tried[320];
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partition_count);
    for (int32_t i = 0; i < partition_count; i++) {
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_END;
    }
    rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(looker->handle, list, timeout_ms);
    for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        error = list->elems[i].err;
        ret_ends[list->elems[i].partition] = list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return SYNC_OK;
    }
    (void)snprintf(tried, sizeof tried, "ask where topic %s ends", topic);
    return kafka_fail(error, tried, NULL, err);
}
