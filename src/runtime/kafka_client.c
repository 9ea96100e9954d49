/*
 * Settings, error classes and handles of the Kafka clients. Not here: consuming, producing.
 */
#include "kafka_client.h"

#include "log.h"

#include <stdio.h>

/* Settings ------------------------------------------------------------------------------- */

/* Fixed: a configuration that changes one is refused. Value NULL = may not be set at all. */
const struct kafka_setting kafka_consumer_fixed[] = {
    {"bootstrap.servers", NULL},
    {"metadata.broker.list", NULL},
    {"plugin.library.paths", NULL},                    /* would load code into the process */
    {"enable.sasl.oauthbearer.unsecure.jwt", "false"}, /* anybody could sign it */
    {"group.id", NULL},
    {"enable.auto.commit", "false"},       /* positions live in the database */
    {"enable.auto.offset.store", "false"}, /* same */
    {"auto.offset.reset", "error"},        /* never jump: a hole must stop the partition */
    {"isolation.level", "read_committed"},
    {"check.crcs", "true"},
    {"partition.assignment.strategy", "range"}, /* cooperative rebalancing is broken before 2.10 */
    {"allow.auto.create.topics", "false"},
    {NULL, NULL},
};
const struct kafka_setting kafka_producer_fixed[] = {
    {"bootstrap.servers", NULL},       {"metadata.broker.list", NULL},
    {"plugin.library.paths", NULL},    {"enable.sasl.oauthbearer.unsecure.jwt", "false"},
    {"transactional.id", NULL},        {"acks", "all"},
    {"request.required.acks", "all"},  {"enable.idempotence", "true"},
    {"partitioner", "murmur2_random"}, /* lanes and sources compute the same partition */
    {"compression.type", "none"},      /* the topic would unpack it again */
    {"compression.codec", "none"},     {NULL, NULL},
};
const struct kafka_setting kafka_admin_fixed[] = {
    {"bootstrap.servers", NULL},
    {"metadata.broker.list", NULL},
    {"plugin.library.paths", NULL},
    {"enable.sasl.oauthbearer.unsecure.jwt", "false"},
    {NULL, NULL},
};
static const struct kafka_setting common_defaults[] = {
    {"socket.keepalive.enable", "true"},
    {"log.queue", "true"},
    {NULL, NULL},
};

static const struct kafka_setting *setting_find(const struct kafka_setting *list, const char *name)
{
    for (; list->name != NULL; list++) {
        if (strcmp(list->name, name) == 0) {
            return list;
        }
    }
    return NULL;
}

sync_status kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                           struct sync_error *err)
{
    char text[KAFKA_ERROR_TEXT_BYTES];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK) {
        return SYNC_OK;
    }
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "kafka.properties: set %s: %s", name,
                     text);
}

sync_status kafka_conf_list(rd_kafka_conf_t *conf, const struct kafka_setting *list,
                            struct sync_error *err)
{
    for (; list->name != NULL; list++) {
        if (list->value == NULL || strcmp(list->name, "request.required.acks") == 0 ||
            strcmp(list->name, "compression.codec") == 0) {
            continue; /* not ours to set, or the other name of one above */
        }
        sync_status status = kafka_conf_set(conf, list->name, list->value, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

sync_status kafka_conf_number(rd_kafka_conf_t *conf, const char *name, long value,
                              struct sync_error *err)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%ld", value);
    return kafka_conf_set(conf, name, text, err);
}

sync_status kafka_fixed_check(const struct kafka_setting *fixed, const char *name,
                              const char *value, struct sync_error *err)
{
    const struct kafka_setting *rule = setting_find(fixed, name);
    if (rule != NULL && rule->value == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                         "%s has its own option or is not used; remove it", name);
    }
    if (rule != NULL && strcmp(rule->value, value) != 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "%s is fixed at %s; remove it",
                         name, rule->value);
    }
    return SYNC_OK;
}

sync_status kafka_conf_pass_through(rd_kafka_conf_t *conf, const char *const *properties,
                                    const struct kafka_setting *fixed, struct sync_error *err)
{
    for (size_t i = 0; properties != NULL && properties[i] != NULL; i += 2) {
        const char *name = properties[i];
        const char *value = properties[i + 1];
        sync_status status = kafka_fixed_check(fixed, name, value, err);
        if (!sync_is_ok(status)) {
            return sync_wrap(err, "kafka.properties");
        }
        status = kafka_conf_set(conf, name, value, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

/* Called from our own poll, because log.queue is on. A broker that is away is no error of ours. */
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    enum sync_level ours = level <= 2 ? SYNC_ERROR : level <= 4 ? SYNC_WARN : SYNC_DEBUG;
    static const char *const quiet[] = {
        "AUTOCREATE",    /* only the embedded broker is too old to be asked not to create topics */
        "FAIL", "ERROR", /* come as errors as well */
    };
    for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++) {
        ours = strcmp(facility, quiet[i]) == 0 ? SYNC_DEBUG : ours;
    }
    sync_log(ours, "kafka client", SYNC_LOG_TEXT("facility", facility),
             SYNC_LOG_TEXT("error", text));
}

sync_status kafka_conf_common(rd_kafka_conf_t *conf, const struct sync_kafka_options *options,
                              struct sync_error *err)
{
    sync_status status = kafka_conf_set(conf, "bootstrap.servers", options->bootstrap, err);
    if (sync_is_ok(status) && options->client_id != NULL) {
        status = kafka_conf_set(conf, "client.id", options->client_id, err);
    }
    if (sync_is_ok(status)) {
        status = kafka_conf_list(conf, common_defaults, err);
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    return status;
}

/* Errors -------------------------------------------------------------------------------- */

struct error_row {
    rd_kafka_resp_err_t error;
    enum sync_class class;
    enum sync_code code;
};
/* Whatever is not listed is trouble of the network or the broker: again after a while. */
static const struct error_row error_rows[] = {
    {RD_KAFKA_RESP_ERR__FATAL, SYNC_CLASS_FATAL, SYNC_CODE_KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, SYNC_CLASS_FATAL, SYNC_CODE_KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, SYNC_CLASS_FATAL, SYNC_CODE_KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, SYNC_CLASS_FATAL, SYNC_CODE_KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, SYNC_CLASS_FATAL, SYNC_CODE_KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, SYNC_CLASS_FATAL, SYNC_CODE_KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_REFUSED},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICA_ASSIGNMENT, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_REFUSED},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_REFUSED},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, SYNC_CLASS_RETRY, SYNC_CODE_TOPIC_UNKNOWN},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, SYNC_CLASS_RETRY, SYNC_CODE_TOPIC_UNKNOWN},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, SYNC_CLASS_RETRY, SYNC_CODE_TOPIC_UNKNOWN},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, SYNC_CLASS_PARK, SYNC_CODE_OVERSIZE},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, SYNC_CLASS_PARK, SYNC_CODE_OVERSIZE},
};

sync_status kafka_fail(rd_kafka_resp_err_t error, const char *tried, const char *text,
                       struct sync_error *err)
{
    struct error_row row = {error, SYNC_CLASS_RETRY, SYNC_CODE_KAFKA_UNREACHABLE};
    for (size_t i = 0; i < sizeof error_rows / sizeof error_rows[0]; i++) {
        if (error_rows[i].error == error) {
            row = error_rows[i];
        }
    }
    return sync_fail(err, row.class, row.code, "%s: %s", tried,
                     text != NULL ? text : rd_kafka_err2str(error));
}

sync_status kafka_topic_marks(rd_kafka_t *handle, const char *topic, int32_t partition,
                              int timeout_ms, int64_t *ret_low, int64_t *ret_high,
                              struct sync_error *err)
{
    int64_t low = 0;
    int64_t high = 0;
    rd_kafka_resp_err_t error =
        rd_kafka_query_watermark_offsets(handle, topic, partition, &low, &high, timeout_ms);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        char tried[320];
        (void)snprintf(tried, sizeof tried, "ask for the marks of %s:%d", topic, partition);
        return kafka_fail(error, tried, NULL, err);
    }
    *ret_low = low;
    *ret_high = high;
    return SYNC_OK;
}

sync_status kafka_topic_describe(rd_kafka_t *handle, const char *topic, int timeout_ms,
                                 char ret_cluster_id[static 64], int32_t *ret_partitions,
                                 struct sync_error *err)
{
    rd_kafka_topic_t *object = rd_kafka_topic_new(handle, topic, NULL);
    if (object == NULL) {
        return kafka_fail(rd_kafka_last_error(), "open the topic", NULL, err);
    }
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(handle, 0, object, &metadata, timeout_ms);
    rd_kafka_topic_destroy(object);
    int32_t partitions = 0;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        error = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                         : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(metadata);
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || partitions == 0) {
        char tried[320];
        (void)snprintf(tried, sizeof tried, "ask the broker about topic %s", topic);
        return kafka_fail(error, tried, NULL, err);
    }
    char *cluster = rd_kafka_clusterid(handle, timeout_ms);
    if (cluster == NULL) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_KAFKA_UNREACHABLE,
                         "ask the broker for its cluster id: no answer in %d ms", timeout_ms);
    }
    (void)snprintf(ret_cluster_id, 64, "%s", cluster);
    rd_kafka_mem_free(handle, cluster);
    *ret_partitions = partitions;
    return SYNC_OK;
}

sync_status kafka_handle_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_handle,
                             struct sync_error *err)
{
    char text[KAFKA_ERROR_TEXT_BYTES];
    rd_kafka_t *handle = rd_kafka_new(type, conf, text, sizeof text);
    if (handle == NULL) {
        rd_kafka_conf_destroy(conf);
        bool kerberos = strstr(text, "kerberos") != NULL; /* what SASL takes when nothing is said */
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "make a Kafka client: %s%s", text,
                         kerberos ? "; set sasl.mechanism, for example SCRAM-SHA-512" : "");
    }
    (void)rd_kafka_set_log_queue(handle, NULL); /* to the main queue, which our polling serves */
    *ret_handle = handle;
    return SYNC_OK;
}

const char *sync_kafka_version(void)
{
    return rd_kafka_version_str();
}
