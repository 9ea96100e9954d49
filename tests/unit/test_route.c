/* What a route says about itself, and which topics.yaml it may run with. No server takes part. */
#include "runtime/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct sync_input two[] = {{"a.v1", SYNC_SYSTEM_ALTINN2}, {"b.v1", SYNC_SYSTEM_SYS}};
static const char *const targets[] = {"near", "far", NULL};
static const struct sync_route routes[] = {
    {"silent", two, 1, SYNC_SYSTEM_ALTINN3, NULL, "both"},
    {"both", two, 2, SYNC_SYSTEM_ALTINN3, targets, NULL},
};
static const struct sync_processor processor = {.name = "test", .routes = routes, .route_count = 2};

static struct sync_topics *topics;
static struct sync_error err;

static struct sync_topic *add_topic(const char *name, int32_t partitions)
{
    struct sync_topic *topic = &topics->items[topics->count++];
    (void)snprintf(topic->name, sizeof topic->name, "%s", name);
    topic->partitions = partitions;
    return topic;
}

static void join(struct sync_topic *topic, const char *other)
{
    (void)snprintf(topic->co_partition[topic->co_partition_count++], sizeof topic->co_partition[0],
                   "%s", other);
}

static int set_up(void **state)
{
    (void)state;
    topics = calloc(1, sizeof *topics);
    err = (struct sync_error){0};
    return topics == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    free(topics);
    return 0;
}

static void an_input_is_found_by_its_topic(void **state)
{
    (void)state;
    assert_ptr_equal(sync_route_input(&routes[1], "b.v1"), &two[1]);
    assert_int_equal(sync_route_input(&routes[1], "b.v1")->from, SYNC_SYSTEM_SYS);
    assert_null(sync_route_input(&routes[1], "c.v1"));
    assert_null(sync_route_input(&routes[0], "b.v1"));
}

static void a_target_belongs_to_the_route_that_names_it(void **state)
{
    (void)state;
    assert_ptr_equal(sync_route_to(&processor, "far"), &routes[1]);
    assert_null(sync_route_to(&processor, "elsewhere"));
    assert_true(sync_route_sends(&routes[1], "near"));
    assert_false(sync_route_sends(&routes[0], "near"));
}

static void the_scope_of_a_replay_is_that_of_its_route(void **state)
{
    (void)state;
    assert_ptr_equal(sync_route_of_scope(&processor, "both#7"), &routes[1]);
    assert_ptr_equal(sync_route_of_scope(&processor, "both"), &routes[1]);
    assert_null(sync_route_of_scope(&processor, "bot"));
    assert_null(sync_route_of_scope(&processor, "both2"));
}

/* The backlog's topic stands for the same side; what is captured live goes to the other one. */
static void the_live_topic_of_a_side_is_not_that_of_the_backlog(void **state)
{
    (void)state;
    static const struct sync_input backlog[] = {{"old.v1", SYNC_SYSTEM_ALTINN2}};
    static const struct sync_route both[] = {
        {"backlog", backlog, 1, SYNC_SYSTEM_ALTINN3, NULL, "live"},
        {"live", two, 2, SYNC_SYSTEM_ALTINN3, NULL, NULL}};
    const struct sync_processor entity = {.routes = both, .route_count = 2};
    assert_string_equal(sync_route_topic_from(&entity, SYNC_SYSTEM_ALTINN2), "a.v1");
    assert_string_equal(sync_route_topic_from(&entity, SYNC_SYSTEM_SYS), "b.v1");
    assert_null(sync_route_topic_from(&entity, SYNC_SYSTEM_ALTINN3));
}

static void topics_that_are_said_to_be_co_partitioned_are_taken(void **state)
{
    (void)state;
    (void)add_topic("a.v1", 4);
    join(add_topic("b.v1", 4), "a.v1"); /* one of the two says it */
    assert_true(sync_is_ok(sync_route_check(&routes[1], topics, &err)));
}

static void a_topic_that_the_file_does_not_name_is_refused(void **state)
{
    (void)state;
    join(add_topic("a.v1", 4), "b.v1");
    assert_int_equal(sync_route_check(&routes[1], topics, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_CONFIG);
    assert_non_null(strstr(err.text, "does not name b.v1"));
}

static void topics_that_nobody_joins_are_refused(void **state)
{
    (void)state;
    (void)add_topic("a.v1", 4);
    (void)add_topic("b.v1", 4);
    assert_int_equal(sync_route_check(&routes[1], topics, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_CONFIG);
    assert_non_null(strstr(err.text, "coPartitionWith"));
    assert_true(sync_is_ok(sync_route_check(&routes[0], topics, &err)));
}

static void joined_topics_with_other_partitions_are_refused(void **state)
{
    (void)state;
    join(add_topic("a.v1", 4), "b.v1");
    (void)add_topic("b.v1", 5);
    assert_int_equal(sync_route_check(&routes[1], topics, &err).class, SYNC_CLASS_FATAL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_input_is_found_by_its_topic),
        CASE(a_target_belongs_to_the_route_that_names_it),
        CASE(the_scope_of_a_replay_is_that_of_its_route),
        CASE(the_live_topic_of_a_side_is_not_that_of_the_backlog),
        CASE(topics_that_are_said_to_be_co_partitioned_are_taken),
        CASE(a_topic_that_the_file_does_not_name_is_refused),
        CASE(topics_that_nobody_joins_are_refused),
        CASE(joined_topics_with_other_partitions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
