/*
 * What the files of Kafka share: settings, the classes of errors, handles. The only header of ours
 * that includes rdkafka.h; only kafka.c and kafka_*.c may include it.
 */
#ifndef SYNC_RUNTIME_KAFKA_CLIENT_H
#define SYNC_RUNTIME_KAFKA_CLIENT_H
#include "kafka.h"

#include <librdkafka/rdkafka.h>

#define KAFKA_ERROR_TEXT_BYTES 512

struct kafka_setting {
    const char *name, *value;
};

/* Fixed settings, ended by a NULL name; value NULL = may not be set by an operator at all. */
extern const struct kafka_setting kafka_consumer_fixed[], kafka_producer_fixed[],
    kafka_admin_fixed[];

/* Address, client id, log call-back. Fails: FATAL config. */
sync_status kafka_conf_common(rd_kafka_conf_t *conf, const struct sync_kafka_options *options,
                              struct sync_error *err);
/* Sets every row that has a value. Fails: FATAL config. */
sync_status kafka_conf_list(rd_kafka_conf_t *conf, const struct kafka_setting *list,
                            struct sync_error *err);
sync_status kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                           struct sync_error *err);
sync_status kafka_conf_number(rd_kafka_conf_t *conf, const char *name, long value,
                              struct sync_error *err);
/* Whether an operator may set a property to this value. Fails: FATAL config, with what to do. */
sync_status kafka_fixed_check(const struct kafka_setting *fixed, const char *name,
                              const char *value, struct sync_error *err);
/*
 * What the operator passes through, last, so that it beats our defaults but never what is fixed.
 * Fails: FATAL config, with the name and what to do.
 */
sync_status kafka_conf_pass_through(rd_kafka_conf_t *conf, const char *const *properties,
                                    const struct kafka_setting *fixed, struct sync_error *err);

/*
 * Makes a handle whose log goes to the queue that we poll.
 * Owns: conf is used up in every case.  Fails: FATAL config.
 */
sync_status kafka_handle_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_handle,
                             struct sync_error *err);

/* Class and code by the library's error; "tried: text". text NULL = the library's own words. */
sync_status kafka_fail(rd_kafka_resp_err_t error, const char *tried, const char *text,
                       struct sync_error *err);

/* Low and high mark of a partition, as the broker says now. */
sync_status kafka_topic_marks(rd_kafka_t *handle, const char *topic, int32_t partition,
                              int timeout_ms, int64_t *ret_low, int64_t *ret_high,
                              struct sync_error *err);

/* Cluster id and partition count of a topic. Blocks: at most twice timeout_ms. */
sync_status kafka_topic_describe(rd_kafka_t *handle, const char *topic, int timeout_ms,
                                 char ret_cluster_id[static 64], int32_t *ret_partitions,
                                 struct sync_error *err);

/* The library's handle of a looker. Owns: the looker. */
rd_kafka_t *kafka_looker_handle(struct sync_kafka_looker *looker);

#endif
