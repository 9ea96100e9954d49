/*
 * Shows what topics.yaml means once it is read, how files lie over each other, and that everything
 * the form and the policies refuse is found with its place. How: the shipped files, and copies of
 * them with one change.
 */
#include "runtime/topics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BASE SYNC_SOURCE_DIR "/topics.yaml"
#define DEV  SYNC_SOURCE_DIR "/topics.dev.yaml"

static char directory[64], path[128], overlay[128];
static struct sync_topic_errors errors; /* large */
static struct sync_error err;

static int make_directory(void **state)
{
    (void)state;
    (void)strcpy(directory, "test_topics_XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    (void)snprintf(path, sizeof path, "%s/t.yaml", directory);
    (void)snprintf(overlay, sizeof overlay, "%s/o.yaml", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(overlay);
    return rmdir(directory);
}

static void write_text(const char *to, const char *text)
{
    FILE *file = fopen(to, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static char *read_base(void)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(BASE, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) > 0);
    (void)fclose(file);
    return text;
}

/* The shipped file with every occurrence (or the first one) of a text replaced. */
static void write_changed(const char *from, const char *to, bool all)
{
    char *text = read_base();
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    char *at = text;
    int count = 0;
    for (char *found = strstr(at, from); found != NULL && (all || count == 0);
         found = strstr(at, from)) {
        (void)fwrite(at, 1, (size_t)(found - at), file);
        (void)fputs(to, file);
        at = found + strlen(from);
        count++;
    }
    (void)fputs(at, file);
    assert_int_equal(fclose(file), 0);
    free(text);
    assert_true(count > 0);
}

static struct sync_topics *load(const char *const *paths, size_t count)
{
    struct sync_topics *topics = NULL;
    if (!sync_is_ok(sync_topics_load(paths, count, &topics, &errors, &err))) {
        fail_msg("%s", err.text);
    }
    return topics;
}

static void expect(const char *expected, enum sync_code code)
{
    struct sync_topics *topics = NULL;
    const char *paths[] = {path};
    memset(&err, 0, sizeof err);
    sync_status status = sync_topics_load(paths, 1, &topics, &errors, &err);
    assert_int_equal(status.class, SYNC_CLASS_FATAL);
    assert_null(topics);
    assert_int_equal(err.code, code);
    for (size_t i = 0; i < errors.count; i++) {
        if (strstr(errors.items[i].text, expected) != NULL) {
            assert_non_null(strstr(errors.items[i].where, "t.yaml:"));
            assert_true(errors.items[i].line > 0 && errors.items[i].column > 0);
            return;
        }
    }
    fail_msg("expected \"%s\", got %zu findings, the first \"%s\"", expected, errors.count,
             err.text);
}

/* One change of the shipped file is refused with this text. */
static void refused(const char *from, const char *to, const char *expected)
{
    write_changed(from, to, false);
    expect(expected, SYNC_CODE_CONFIG);
}

static void refused_everywhere(const char *from, const char *to, const char *expected)
{
    write_changed(from, to, true);
    expect(expected, SYNC_CODE_CONFIG);
}

static void the_shipped_files_are_valid_and_normalised(void **state)
{
    (void)state;
    struct sync_topics *topics = load((const char *const[]){BASE}, 1);
    assert_int_equal(topics->count, 8);
    assert_string_equal(topics->managed_by, "self");
    assert_string_equal(topics->cluster_id, "");
    const struct sync_topic *topic = sync_topics_find(topics, "altinn2.correspondence-status.v1");
    assert_non_null(topic);
    assert_int_equal(topic->partitions, 48);
    assert_int_equal(topic->replicas, 3);
    assert_string_equal(topic->key_field, "altinn2_id");
    assert_string_equal(topic->schema, "no.altinn.sync.StatusChange");
    assert_string_equal(topic->owner, "team-sync");
    assert_false(topic->sparse);
    assert_int_equal(topic->state, SYNC_TOPIC_PRESENT);
    assert_string_equal(sync_topic_setting(topic, "retention.ms"), "2592000000");
    assert_string_equal(sync_topic_setting(topic, "max.message.bytes"), "1048576");
    assert_string_equal(sync_topic_setting(topic, "message.timestamp.type"), "LogAppendTime");
    assert_null(sync_topic_setting(topic, "segment.ms"));
    assert_string_equal(topic->consumers[0], "status-to-altinn3");
    assert_string_equal(topic->producers[0], "altinn2-status");
    assert_string_equal(topic->co_partition[0], "altinn3.correspondence-status.v1");
    assert_null(sync_topics_find(topics, "nothing"));
    free(topics);
}

static void the_dev_overlay_makes_every_topic_small(void **state)
{
    (void)state;
    struct sync_topics *topics = load((const char *const[]){BASE, DEV}, 2);
    for (size_t i = 0; i < topics->count; i++) {
        assert_int_equal(topics->items[i].partitions, 4);
        assert_int_equal(topics->items[i].replicas, 1);
        assert_string_equal(sync_topic_setting(&topics->items[i], "min.insync.replicas"), "1");
        assert_string_equal(sync_topic_setting(&topics->items[i], "retention.ms"), "2592000000");
    }
    free(topics);
}

static void a_later_file_changes_one_topic_by_name(void **state)
{
    (void)state;
    write_text(overlay, "managedBy: strimzi\ncluster: {id: abc}\ntopics:\n"
                        "  - name: altinn2.correspondence-status.v1\n"
                        "    owner: other\n    config: {retention.ms: P20D, x-new.setting: v}\n");
    struct sync_topics *topics = load((const char *const[]){BASE, overlay}, 2);
    assert_int_equal(topics->count, 8);
    assert_string_equal(topics->managed_by, "strimzi");
    assert_string_equal(topics->cluster_id, "abc");
    const struct sync_topic *changed = sync_topics_find(topics, "altinn2.correspondence-status.v1");
    const struct sync_topic *same = sync_topics_find(topics, "altinn3.correspondence-status.v1");
    assert_string_equal(changed->owner, "other");
    assert_int_equal(changed->partitions, 48);
    assert_string_equal(sync_topic_setting(changed, "retention.ms"), "1728000000");
    assert_string_equal(sync_topic_setting(changed, "new.setting"), "v"); /* x- is for us only */
    assert_string_equal(sync_topic_setting(same, "retention.ms"), "2592000000");
    free(topics);
}

static void unknown_keys_are_found_all_at_once_with_places(void **state)
{
    (void)state;
    write_text(
        path,
        "apiVersion: altinn-sync/v1\nkind: TopicSet\npolices: {}\nprofiles:\n"
        "  a: {config: {retention.mz: P1D, foo: 1}}\ntopics:\n  - name: x\n    partitons: 4\n");
    expect("unknown key \"polices\"; did you mean \"policies\"?", SYNC_CODE_UNKNOWN_KEY);
    assert_int_equal(errors.count, 4);
    assert_non_null(strstr(errors.items[0].where, "t.yaml:3:1"));
    assert_string_equal(errors.items[0].excerpt, "polices: {}");
    assert_non_null(strstr(errors.items[1].text, "did you mean retention.ms"));
    assert_non_null(strstr(errors.items[1].where, "t.yaml:5:16"));
    assert_non_null(strstr(errors.items[2].text, "write x- before it"));
    assert_non_null(strstr(errors.items[3].text, "did you mean \"partitions\"?"));
    assert_non_null(strstr(err.text, "and 3 more"));
}

static void keys_of_every_level_are_checked(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"cluster: {id:", "cluster: {name:"}, {"minReplicas:", "leastReplicas:"},
        {"key: {text:", "key: {txt:"},        {"compatibility:", "compat:"},
        {"dlq: {publish:", "dlq: {send:"},    {"    config:\n", "    configs:\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_changed(cases[i][0], cases[i][1], false);
        expect("unknown key", SYNC_CODE_UNKNOWN_KEY);
    }
}

static void words_that_are_not_known_are_refused(void **state)
{
    (void)state;
    refused("altinn-sync/v1", "altinn-sync/v2", "it takes altinn-sync/v1");
    refused("kind: TopicSet", "kind: Topics", "it takes TopicSet");
    refused("managedBy: self", "managedBy: me", "self, strimzi, external");
    refused("state: present", "state: there", "present, planned, deprecated, absent");
    refused("offsets: dense", "offsets: some", "dense, sparse");
    refused("publish: false", "publish: no", "true, false");
    refused("subject: topic", "subject: x", "topic, record, topic-record");
    refused("FULL_TRANSITIVE", "ALL", "FULL_TRANSITIVE");
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    refused("consumers: [status-to-altinn3]", "consumers: status-to-altinn3", "must be a list");
    refused("consumers: [status-to-altinn3]", "consumers: [[a]]", "must be a name");
    refused("consumers: [status-to-altinn3]", "consumers: [a,b,c,d,e,f,g,h,i]", "at most 8");
    refused("partitions: 48 ", "partitions: [48] ", "one value");
    refused("cluster: {id: \"\"}", "cluster: x", "a map of keys");
    refused("partitions: 48 ", "partitions: many ", "it takes a number from 1 to 10000");
    refused("partitions: 48 ", "partitions: 0 ", "it takes a number from 1 to 10000");
    write_text(path, "[]");
    expect("a map of keys", SYNC_CODE_CONFIG);
    write_text(path, "");
    expect("a map of keys", SYNC_CODE_CONFIG);
    write_text(path, "kind: TopicSet\ntopics: []\n");
    expect("\"apiVersion\" is missing", SYNC_CODE_CONFIG);
    write_text(path, "apiVersion: altinn-sync/v1\nkind: TopicSet\n");
    expect("\"topics\" is missing", SYNC_CODE_CONFIG);
    write_text(path, "apiVersion: altinn-sync/v1\nkind: TopicSet\ntopics: [{partitions: 1}]\n");
    expect("has no name", SYNC_CODE_CONFIG);
}

static void names_must_be_unique_and_match_the_policy(void **state)
{
    (void)state;
    refused("name: altinn3.", "name: altinn2.", "stands twice");
    refused("name: altinn3.", "name: Altinn3.", "does not match policies.namePattern");
    refused("name: altinn3.correspondence-status.v1", "name: altinn3.correspondence-status",
            "namePattern");
    refused("namePattern: '^(", "namePattern: '^((", "no regular expression");
    refused("    owner: team-sync\n", "", "has no owner");
}

static void counts_are_held_against_the_policies(void **state)
{
    (void)state;
    refused_everywhere("partitions: 48", "partitions: 49", "more than policies.maxPartitions 48");
    refused("replicas: 3", "replicas: 2", "fewer than policies.minReplicas 3");
    refused("min.insync.replicas: 2 ", "min.insync.replicas: 1 ",
            "below policies.minInsyncReplicas 2");
    refused("min.insync.replicas: 2 ", "min.insync.replicas: 4 ", "nothing could be written");
    refused("min.insync.replicas: 2 ", "min.insync.replicas: x ", "takes a number");
    refused("    partitions: 48 ", "    #", "has no partitions");
    refused("    replicas: 3", "    #", "has no replicas");
}

static void co_partitioned_topics_have_equally_many_partitions(void **state)
{
    (void)state;
    refused("partitions: 48 ", "partitions: 24 ", "equally many");
    refused("coPartitionWith: [altinn3.", "coPartitionWith: [altinn9.",
            "there is no topic \"altinn9.");
}

static void retention_keeps_the_promise_and_the_ceiling(void **state)
{
    (void)state;
    refused("retention.ms: P30D", "retention.ms: P10D", "below the replayWindow P14D");
    refused("retention.ms: P30D", "retention.ms: P10D", "below policies.requireRetentionAtLeast");
    refused("retention.ms: P30D", "retention.ms: P91D", "above policies.requireRetentionAtMost");
    refused("retention.ms: P30D", "retention.ms: -1", "above policies.requireRetentionAtMost");
    refused("      retention.ms: P30D\n", "", "sets no retention.ms");
    refused("retention.ms: P30D", "retention.ms: month", "it takes milliseconds or a duration");
    refused("max.message.bytes: 1MiB", "max.message.bytes: 1MB", "a size such as 1MiB");
    refused("replayWindow: P14D", "replayWindow: 14", "is no duration");
}

static void what_a_consumer_relies_on_is_required(void **state)
{
    (void)state;
    refused("cleanup.policy: delete", "cleanup.policy: compact", "never compacted");
    refused("cleanup.policy: delete", "cleanup.policy: 'compact,delete'", "never compacted");
    refused("LogAppendTime", "CreateTime", "needs the broker's clock");
    refused("      message.timestamp.type: LogAppendTime", "      #", "needs the broker's clock");
}

static void consumers_schemas_and_keys_must_exist(void **state)
{
    (void)state;
    refused("consumers: [status-to-altinn3]", "consumers: [nobody]",
            "there is no consumer \"nobody\"");
    refused("consumers: [status-to-altinn3]", "consumers: [status-to-altinn2]",
            "does not read this topic");
    refused("no.altinn.sync.StatusChange", "no.altinn.sync.Other",
            "reads records of no.altinn.sync.StatusChange");
    refused("text: altinn2_id", "text: altinn9_id", "have no field \"altinn9_id\"");
    refused("    consumers: [status-to-altinn3]\n", "", "names no consumers");
    refused("profile: changes\n", "profile: other\n", "there is no profile \"other\"");
}

static void a_reader_that_comes_later_is_allowed_when_said(void **state)
{
    (void)state;
    write_changed("consumers: [status-to-altinn3]", "consumers: []", false);
    struct sync_topics *topics = load((const char *const[]){path}, 1);
    assert_int_equal(topics->items[0].consumer_count, 0);
    free(topics);
    char *text = read_base();
    write_changed("    consumers: [status-to-altinn3]\n    dlq: {publish: false, profile: changes, "
                  "partitions: same}\n"
                  "    state: present\n",
                  "    state: planned\n", false);
    topics = load((const char *const[]){path}, 1);
    assert_int_equal(topics->items[0].state, SYNC_TOPIC_PLANNED);
    free(topics);
    free(text);
}

static void dead_letters_are_not_published_and_outlive_their_source(void **state)
{
    (void)state;
    refused("publish: false", "publish: true", "write publish: false");
    refused("publish: false, profile: changes", "publish: false, profile: none",
            "for a shorter time");
}

static void a_fault_of_a_profile_is_told_once(void **state)
{
    (void)state;
    refused("cleanup.policy: delete", "cleanup.policy: compact", "never compacted");
    assert_int_equal(errors.count, 1); /* two topics have the profile */
}

static void files_that_cannot_be_read_or_parsed_say_so(void **state)
{
    (void)state;
    struct sync_topics *topics = NULL;
    const char *missing[] = {"/nonexistent.yaml"};
    assert_int_equal(sync_topics_load(missing, 1, &topics, NULL, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_FILE);
    write_text(path, "a: [");
    const char *broken[] = {BASE, path};
    assert_int_equal(sync_topics_load(broken, 2, &topics, NULL, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_SYNTAX);
    const char *many[] = {BASE, BASE, BASE, BASE, BASE, BASE, BASE, BASE, BASE};
    assert_int_equal(sync_topics_load(many, 9, &topics, NULL, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_CONFIG);
}

static void more_findings_than_room_are_counted_out(void **state)
{
    (void)state;
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 200; i++) {
        (void)fprintf(file, "zzzzzzzzzzzzzzz%d: 1\n", i);
    }
    (void)fclose(file);
    expect("unknown key", SYNC_CODE_UNKNOWN_KEY);
    assert_int_equal(errors.count, SYNC_TOPIC_ERRORS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_files_are_valid_and_normalised),
        cmocka_unit_test(the_dev_overlay_makes_every_topic_small),
        cmocka_unit_test(a_later_file_changes_one_topic_by_name),
        cmocka_unit_test(unknown_keys_are_found_all_at_once_with_places),
        cmocka_unit_test(keys_of_every_level_are_checked),
        cmocka_unit_test(words_that_are_not_known_are_refused),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(names_must_be_unique_and_match_the_policy),
        cmocka_unit_test(counts_are_held_against_the_policies),
        cmocka_unit_test(co_partitioned_topics_have_equally_many_partitions),
        cmocka_unit_test(retention_keeps_the_promise_and_the_ceiling),
        cmocka_unit_test(what_a_consumer_relies_on_is_required),
        cmocka_unit_test(consumers_schemas_and_keys_must_exist),
        cmocka_unit_test(a_reader_that_comes_later_is_allowed_when_said),
        cmocka_unit_test(dead_letters_are_not_published_and_outlive_their_source),
        cmocka_unit_test(a_fault_of_a_profile_is_told_once),
        cmocka_unit_test(files_that_cannot_be_read_or_parsed_say_so),
        cmocka_unit_test(more_findings_than_room_are_counted_out),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
