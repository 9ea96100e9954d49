/* Checks what is passed through to the Kafka client. Not here: whether a broker takes it. */
#include "kafka_client.h"

static sync_status check(const struct sync_kafka_options *options,
                         const struct kafka_setting *fixed, struct sync_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    sync_status status = kafka_conf_common(conf, options, err);
    if (sync_is_ok(status)) {
        status = kafka_conf_pass_through(conf, options->properties, fixed, err);
    }
    rd_kafka_conf_destroy(conf);
    return status;
}

sync_status sync_kafka_options_check(const struct sync_kafka_options *options,
                                     struct sync_error *err)
{
    sync_status status = check(options, kafka_consumer_fixed, err);
    return sync_is_ok(status) ? check(options, kafka_producer_fixed, err) : status;
}
