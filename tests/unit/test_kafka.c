/*
 * Settings of the Kafka clients: what is fixed cannot be changed, and the sentence says so. No
 * broker is asked: a refused configuration makes no client.
 */
#include "runtime/kafka.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static sync_status make_consumer(const char *name, const char *value, struct sync_error *err)
{
    const char *const properties[] = {name, value, NULL};
    struct sync_kafka_options options = {
        .bootstrap = "127.0.0.1:9", .client_id = "test", .properties = properties};
    struct sync_kafka_consumer *consumer = NULL;
    sync_status status =
        sync_kafka_consumer_new(&options, "g", (const char *const[]){"t"}, 1, &consumer, err);
    if (sync_is_ok(status)) {
        sync_kafka_consumer_free(&consumer, 1000);
    }
    return status;
}

static void assert_consumer_refuses(const char *name, const char *value)
{
    struct sync_error err = {0};
    assert_int_equal(make_consumer(name, value, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_CONFIG);
    assert_non_null(strstr(err.text, name));
}

static void settings_that_protect_positions_are_fixed(void **state)
{
    (void)state;
    assert_consumer_refuses("enable.auto.commit", "true");
    assert_consumer_refuses("enable.auto.offset.store", "true");
    assert_consumer_refuses("auto.offset.reset", "earliest");
    assert_consumer_refuses("isolation.level", "read_uncommitted");
    assert_consumer_refuses("check.crcs", "false");
    assert_consumer_refuses("partition.assignment.strategy", "cooperative-sticky");
    assert_consumer_refuses("allow.auto.create.topics", "true");
}

static void settings_with_an_option_of_their_own_are_refused(void **state)
{
    (void)state;
    assert_consumer_refuses("bootstrap.servers", "127.0.0.1:1");
    assert_consumer_refuses("group.id", "mine");
}

static void an_unknown_setting_is_refused_by_name(void **state)
{
    (void)state;
    assert_consumer_refuses("sesion.timeout.ms", "6000");
}

static void a_value_out_of_range_is_refused_by_name(void **state)
{
    (void)state;
    assert_consumer_refuses("fetch.wait.max.ms", "-5");
}

static void a_fixed_setting_may_be_repeated_as_it_is(void **state)
{
    (void)state;
    struct sync_error err = {0};
    assert_true(sync_is_ok(make_consumer("check.crcs", "true", &err)));
}

static void a_setting_that_is_not_fixed_is_passed_through(void **state)
{
    (void)state;
    struct sync_error err = {0};
    assert_true(sync_is_ok(make_consumer("fetch.wait.max.ms", "7", &err)));
}

static void on_delivered(void *context, void *tag, bool stored, const struct sync_error *err)
{
    (void)context;
    (void)tag;
    (void)stored;
    (void)err;
}

static void assert_producer_refuses(const char *name, const char *value)
{
    const char *const properties[] = {name, value, NULL};
    struct sync_kafka_options options = {
        .bootstrap = "127.0.0.1:9", .client_id = "test", .properties = properties};
    struct sync_kafka_producer *producer = NULL;
    struct sync_error err = {0};
    sync_status status = sync_kafka_producer_new(&options, on_delivered, NULL, &producer, &err);
    assert_int_equal(status.class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_CONFIG);
    assert_non_null(strstr(err.text, name));
    assert_null(producer);
}

/* Acknowledged means stored by all; lanes and sources compute the same partition. */
static void settings_that_protect_records_are_fixed(void **state)
{
    (void)state;
    assert_producer_refuses("acks", "1");
    assert_producer_refuses("request.required.acks", "0");
    assert_producer_refuses("enable.idempotence", "false");
    assert_producer_refuses("partitioner", "consistent_random");
    assert_producer_refuses("compression.type", "gzip");
    assert_producer_refuses("transactional.id", "x");
}

/* Nothing listens: the question ends at its limit and says what was tried. */
static void an_unreachable_broker_is_a_retry(void **state)
{
    (void)state;
    struct sync_kafka_options options = {.bootstrap = "127.0.0.1:9", .client_id = "test"};
    struct sync_kafka_producer *producer = NULL;
    struct sync_error err = {0};
    char cluster[64];
    int32_t partitions = 0;
    assert_true(sync_is_ok(sync_kafka_producer_new(&options, on_delivered, NULL, &producer, &err)));
    sync_status status =
        sync_kafka_producer_describe(producer, "t", 200, cluster, &partitions, &err);
    assert_int_equal(status.class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_KAFKA_UNREACHABLE);
    assert_non_null(strstr(err.text, "topic t"));
    sync_kafka_producer_free(&producer, 0);
    assert_null(producer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_protect_positions_are_fixed),
        cmocka_unit_test(settings_with_an_option_of_their_own_are_refused),
        cmocka_unit_test(an_unknown_setting_is_refused_by_name),
        cmocka_unit_test(a_value_out_of_range_is_refused_by_name),
        cmocka_unit_test(a_fixed_setting_may_be_repeated_as_it_is),
        cmocka_unit_test(a_setting_that_is_not_fixed_is_passed_through),
        cmocka_unit_test(settings_that_protect_records_are_fixed),
        cmocka_unit_test(an_unreachable_broker_is_a_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
