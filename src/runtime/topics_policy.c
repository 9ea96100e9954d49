/*
 * What is refused about topics whose form is right: policies, relations between topics, consumers
 * and schemas that this program does not have. Not here: the form (topics_shape.c).
 */
#include "topics_layers.h"

#include "route.h"
#include "units.h"

#include <altinn_sync/processor.h>
#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct policies {
    int64_t min_replicas, min_insync_replicas, max_partitions;
    int64_t retention_least_ms, retention_most_ms;
    bool require_owner;
    struct sync_topics_value pattern;
    regex_t compiled;
    bool has_pattern;
};

/* What is checked and where it stands. */
struct checking {
    struct sync_topics_layers *layers;
    const struct sync_topics *topics;
    const struct sync_topic *topic;
    const struct policies *policies;
};

/* Place of a topic's key, or of its name where the key stands nowhere. */
static struct sync_topics_value place(const struct checking *c, const char *key)
{
    struct sync_topics_value at = sync_topics_field(c->layers, c->topic->name, key);
    return at.node != NULL ? at : sync_topics_field(c->layers, c->topic->name, "name");
}

/* Place of a broker setting: the topic's own, else its profile's, else the topic's name. */
static struct sync_topics_value setting_place(const struct checking *c, const char *name)
{
    struct sync_topics_value own = sync_topics_field(c->layers, c->topic->name, "config");
    if (own.node != NULL && sync_yaml_get(own.node, name) != NULL) {
        return (struct sync_topics_value){own.yaml, sync_yaml_get(own.node, name)};
    }
    struct sync_topics_value profile = sync_topics_field(c->layers, c->topic->name, "profile");
    for (size_t i = c->layers->count; profile.node != NULL && i-- > 0;) {
        const struct sync_yaml *yaml = c->layers->files[i];
        const struct sync_yaml_node *map = sync_yaml_get(sync_yaml_root(yaml), "profiles");
        map = sync_yaml_get(sync_yaml_get(map, sync_yaml_text(profile.node)), "config");
        if (sync_yaml_get(map, name) != NULL) {
            return (struct sync_topics_value){yaml, sync_yaml_get(map, name)};
        }
    }
    return place(c, "name");
}

static int64_t duration(struct sync_topics_layers *layers, struct sync_topics_value at,
                        int64_t fallback)
{
    int64_t ms = 0;
    if (at.node == NULL) {
        return fallback;
    }
    if (!sync_units_ms(sync_yaml_text(at.node), &ms) || ms <= 0) {
        sync_topics_note(layers, at, SYNC_CODE_CONFIG,
                         "\"%.40s\" is no duration; write for example P14D",
                         sync_yaml_text(at.node));
        return fallback;
    }
    return ms;
}

static void read_policies(struct sync_topics_layers *layers, struct policies *ret)
{
    struct sync_topics_layers *l = layers;
    ret->min_replicas =
        sync_topics_number(l, sync_topics_global(l, "policies", "minReplicas"), 1, 100, 1);
    ret->min_insync_replicas =
        sync_topics_number(l, sync_topics_global(l, "policies", "minInsyncReplicas"), 1, 100, 1);
    ret->max_partitions =
        sync_topics_number(l, sync_topics_global(l, "policies", "maxPartitions"), 1, 256, 256);
    ret->retention_least_ms =
        duration(l, sync_topics_global(l, "policies", "requireRetentionAtLeast"), 0);
    ret->retention_most_ms =
        duration(l, sync_topics_global(l, "policies", "requireRetentionAtMost"), INT64_MAX);
    const char *owner =
        sync_topics_text(sync_topics_global(l, "policies", "requireOwner"), "false");
    ret->require_owner = strcmp(owner, "true") == 0;
    ret->pattern = sync_topics_global(l, "policies", "namePattern");
    if (ret->pattern.node == NULL) {
        return;
    }
    int fault =
        regcomp(&ret->compiled, sync_yaml_text(ret->pattern.node), REG_EXTENDED | REG_NOSUB);
    ret->has_pattern = fault == 0;
    if (fault != 0) {
        char reason[100];
        (void)regerror(fault, &ret->compiled, reason, sizeof reason);
        sync_topics_note(l, ret->pattern, SYNC_CODE_CONFIG, "this is no regular expression: %s",
                         reason);
    }
}

static void check_name(const struct checking *c)
{
    if (c->policies->has_pattern &&
        regexec(&c->policies->compiled, c->topic->name, 0, NULL, 0) != 0) {
        sync_topics_note(c->layers, place(c, "name"), SYNC_CODE_CONFIG,
                         "the name does not match policies.namePattern %.100s",
                         sync_yaml_text(c->policies->pattern.node));
    }
    if (c->policies->require_owner && c->topic->owner[0] == '\0') {
        sync_topics_note(
            c->layers, place(c, "owner"), SYNC_CODE_CONFIG,
            "the topic has no owner, which policies.requireOwner asks for; write owner: TEAM");
    }
}

static void check_counts(const struct checking *c)
{
    const struct sync_topic *topic = c->topic;
    const char *insync = sync_topic_setting(topic, "min.insync.replicas");
    int64_t least = 1;
    if (topic->partitions == 0 || topic->replicas == 0) {
        sync_topics_note(c->layers, place(c, "name"), SYNC_CODE_CONFIG,
                         "the topic has no %s; write both, once for its life",
                         topic->partitions == 0 ? "partitions" : "replicas");
        return;
    }
    if (topic->partitions > c->policies->max_partitions) {
        sync_topics_note(c->layers, place(c, "partitions"), SYNC_CODE_CONFIG,
                         "%" PRId32 " partitions are more than policies.maxPartitions %" PRId64,
                         topic->partitions, c->policies->max_partitions);
    }
    if (topic->replicas < c->policies->min_replicas) {
        sync_topics_note(c->layers, place(c, "replicas"), SYNC_CODE_CONFIG,
                         "%" PRId32 " replicas are fewer than policies.minReplicas %" PRId64,
                         topic->replicas, c->policies->min_replicas);
    }
    if (insync != NULL && !sync_units_number(insync, &least)) {
        sync_topics_note(c->layers, setting_place(c, "min.insync.replicas"), SYNC_CODE_CONFIG,
                         "min.insync.replicas takes a number");
        return;
    }
    if (least < c->policies->min_insync_replicas) {
        sync_topics_note(c->layers, setting_place(c, "min.insync.replicas"), SYNC_CODE_CONFIG,
                         "min.insync.replicas %" PRId64
                         " is below policies.minInsyncReplicas %" PRId64,
                         least, c->policies->min_insync_replicas);
    }
    if (least > topic->replicas) {
        sync_topics_note(c->layers, setting_place(c, "min.insync.replicas"), SYNC_CODE_CONFIG,
                         "min.insync.replicas %" PRId64 " is above the %" PRId32
                         " replicas, so nothing could be written",
                         least, topic->replicas);
    }
}

static void check_retention(const struct checking *c)
{
    const char *text = sync_topic_setting(c->topic, "retention.ms");
    int64_t window_ms =
        duration(c->layers, sync_topics_field(c->layers, c->topic->name, "replayWindow"), 0);
    int64_t kept_ms = 0;
    struct sync_topics_value at = setting_place(c, "retention.ms");
    if (text == NULL || !sync_units_number(text, &kept_ms)) {
        sync_topics_note(c->layers, at, SYNC_CODE_CONFIG,
                         "the topic sets no retention.ms; write it into its profile");
        return;
    }
    kept_ms = kept_ms == -1 ? INT64_MAX : kept_ms;
    text = sync_yaml_text(at.node); /* as the file spells it */
    if (kept_ms < window_ms) {
        sync_topics_note(c->layers, at, SYNC_CODE_CONFIG,
                         "retention.ms %s is below the replayWindow %s of %.80s", text,
                         sync_topics_text(place(c, "replayWindow"), ""), c->topic->name);
    }
    if (kept_ms < c->policies->retention_least_ms) {
        sync_topics_note(c->layers, at, SYNC_CODE_CONFIG,
                         "retention.ms %s is below policies.requireRetentionAtLeast", text);
    }
    if (kept_ms > c->policies->retention_most_ms) {
        sync_topics_note(c->layers, at, SYNC_CODE_CONFIG,
                         "retention.ms %s is above policies.requireRetentionAtMost", text);
    }
}

/* What a consumer of ours relies on: every record is there, in order, with the broker's time. */
static void check_consumed(const struct checking *c)
{
    const char *cleanup = sync_topic_setting(c->topic, "cleanup.policy");
    const char *stamp = sync_topic_setting(c->topic, "message.timestamp.type");
    if (c->topic->consumer_count == 0) {
        return;
    }
    if (cleanup != NULL && strstr(cleanup, "compact") != NULL) {
        sync_topics_note(
            c->layers, setting_place(c, "cleanup.policy"), SYNC_CODE_CONFIG,
            "a topic with a consumer is never compacted, because records would be lost; "
            "write cleanup.policy: delete");
    }
    if (stamp == NULL || strcmp(stamp, "LogAppendTime") != 0) {
        sync_topics_note(c->layers, setting_place(c, "message.timestamp.type"), SYNC_CODE_CONFIG,
                         "a topic with a consumer needs the broker's clock; write "
                         "message.timestamp.type: LogAppendTime");
    }
}

static void check_co_partitions(const struct checking *c)
{
    struct sync_topics_value list = place(c, "coPartitionWith");
    for (size_t i = 0; i < c->topic->co_partition_count; i++) {
        struct sync_topics_value at = {list.yaml, sync_yaml_at(list.node, i, NULL)};
        const struct sync_topic *other = sync_topics_find(c->topics, c->topic->co_partition[i]);
        if (other == NULL) {
            sync_topics_note(c->layers, at, SYNC_CODE_CONFIG, "there is no topic \"%.100s\"",
                             c->topic->co_partition[i]);
        } else if (other->partitions != c->topic->partitions) {
            sync_topics_note(c->layers, at, SYNC_CODE_CONFIG,
                             "%.80s has %" PRId32 " partitions and this topic %" PRId32
                             "; co-partitioned topics have equally many",
                             other->name, other->partitions, c->topic->partitions);
        }
    }
}

static bool has_field(const struct sync_processor *processor, const char *path)
{
    for (size_t i = 0; i < processor->field_count; i++) {
        if (strcmp(processor->fields[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* One consumer against what its route reads. */
static void check_consumer(const struct checking *c, struct sync_topics_value at, const char *name)
{
    const struct sync_processor *processor = NULL;
    const struct sync_route *route = sync_route_find(name, &processor);
    if (route == NULL) {
        sync_topics_note(
            c->layers, at, SYNC_CODE_CONFIG,
            "there is no consumer \"%.60s\"; \"altinn-sync processors list\" shows all", name);
        return;
    }
    if (sync_route_input(route, c->topic->name) == NULL) {
        sync_topics_note(c->layers, at, SYNC_CODE_CONFIG, "%s does not read this topic but %s%s",
                         name, route->inputs[0].topic, route->input_count > 1 ? " and others" : "");
        return;
    }
    if (strcmp(processor->schema, c->topic->schema) != 0) {
        sync_topics_note(c->layers, place(c, "value"), SYNC_CODE_CONFIG,
                         "%s reads records of %s; write value: {schema: %s, …}", name,
                         processor->schema, processor->schema);
    }
    struct sync_error err = {0};
    if (!sync_is_ok(sync_route_check(route, c->topics, &err))) {
        sync_topics_note(c->layers, place(c, "coPartitionWith"), SYNC_CODE_CONFIG, "%s", err.text);
    }
    const char *field = c->topic->key_field;
    if (field[0] != '\0' && strcmp(field, "processor") != 0 && !has_field(processor, field)) {
        sync_topics_note(c->layers, place(c, "key"), SYNC_CODE_CONFIG,
                         "the records of %s have no field \"%.60s\" to make the key of", name,
                         field);
    }
}

static void check_consumers(const struct checking *c)
{
    struct sync_topics_value list = sync_topics_field(c->layers, c->topic->name, "consumers");
    if (c->topic->state == SYNC_TOPIC_PLANNED) {
        return;
    }
    if (list.node == NULL) {
        sync_topics_note(
            c->layers, place(c, "name"), SYNC_CODE_CONFIG,
            "the topic names no consumers; write consumers: [NAME], or [] when its reader "
            "comes later");
        return;
    }
    for (size_t i = 0; i < c->topic->consumer_count; i++) {
        struct sync_topics_value at = {list.yaml, sync_yaml_at(list.node, i, NULL)};
        check_consumer(c, at, c->topic->consumers[i]);
    }
}

/* Retention of the last file whose profile sets it, -1 when none does. */
static int64_t profile_retention(const struct sync_topics_layers *layers, const char *profile)
{
    for (size_t i = layers->count; i-- > 0;) {
        const struct sync_yaml_node *map =
            sync_yaml_get(sync_yaml_root(layers->files[i]), "profiles");
        map = sync_yaml_get(sync_yaml_get(map, profile), "config");
        const struct sync_yaml_node *node = sync_yaml_get(map, "retention.ms");
        int64_t ms = 0;
        if (node != NULL && (sync_units_number(sync_yaml_text(node), &ms) ||
                             sync_units_ms(sync_yaml_text(node), &ms))) {
            return ms;
        }
    }
    return -1;
}

static void check_dead_letters(const struct checking *c)
{
    struct sync_topics_value dlq = sync_topics_field(c->layers, c->topic->name, "dlq");
    const struct sync_yaml_node *publish =
        dlq.node != NULL ? sync_yaml_get(dlq.node, "publish") : NULL;
    const struct sync_yaml_node *profile =
        dlq.node != NULL ? sync_yaml_get(dlq.node, "profile") : NULL;
    if (publish != NULL && strcmp(sync_yaml_text(publish), "true") == 0) {
        sync_topics_note(
            c->layers, (struct sync_topics_value){dlq.yaml, publish}, SYNC_CODE_CONFIG,
            "this version keeps parked records in the database and publishes none; write "
            "publish: false");
    }
    const char *kept = sync_topic_setting(c->topic, "retention.ms");
    int64_t source_ms = 0,
            dead_ms = profile != NULL ? profile_retention(c->layers, sync_yaml_text(profile)) : 0;
    if (profile == NULL || kept == NULL || !sync_units_number(kept, &source_ms)) {
        return;
    }
    if (dead_ms < source_ms) {
        sync_topics_note(
            c->layers, (struct sync_topics_value){dlq.yaml, profile}, SYNC_CODE_CONFIG,
            "the profile \"%.40s\" of the dead letters keeps them for a shorter time than the "
            "topic keeps its records",
            sync_yaml_text(profile));
    }
}

void sync_topics_check_policies(struct sync_topics_layers *layers, const struct sync_topics *topics)
{
    struct policies policies = {0};
    read_policies(layers, &policies);
    for (size_t i = 0; i < topics->count; i++) {
        if (topics->items[i].state == SYNC_TOPIC_ABSENT) {
            continue;
        }
        struct checking c = {layers, topics, &topics->items[i], &policies};
        check_name(&c);
        check_counts(&c);
        check_retention(&c);
        check_consumed(&c);
        check_co_partitions(&c);
        check_consumers(&c);
        check_dead_letters(&c);
    }
    if (policies.has_pattern) {
        regfree(&policies.compiled);
    }
}
