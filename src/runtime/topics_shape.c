/* The form of topics.yaml: which keys stand where and what words they take. Not here: policies. */
#include "topics_layers.h"

#include "suggest.h"

#include <stdio.h>
#include <string.h>

#define KEYS_MAX 40

enum shape_type {
    SHAPE_TEXT,
    SHAPE_MAP,
    SHAPE_LIST,
    SHAPE_CHOICE,
    SHAPE_SETTINGS,
    SHAPE_PROFILES,
    SHAPE_TOPICS
};

/* One key. inner: of MAP the keys below it; of CHOICE the words. */
struct shape {
    const char *key;
    enum shape_type type;
    const struct shape *inner;
    const char *const *words;
};

static const char *const kinds[] = {"TopicSet", NULL};
static const char *const versions[] = {"altinn-sync/v1", NULL};
static const char *const managers[] = {"self", "strimzi", "external", NULL};
static const char *const states[] = {"present", "planned", "deprecated", "absent", NULL};
static const char *const offset_forms[] = {"dense", "sparse", NULL};
static const char *const truths[] = {"true", "false", NULL};
static const char *const subjects[] = {"topic", "record", "topic-record", NULL};
static const char *const compatibilities[] = {"NONE",
                                              "BACKWARD",
                                              "BACKWARD_TRANSITIVE",
                                              "FORWARD",
                                              "FORWARD_TRANSITIVE",
                                              "FULL",
                                              "FULL_TRANSITIVE",
                                              NULL};

static const struct shape cluster[] = {{"id", SHAPE_TEXT, NULL, NULL}, {0}};
static const struct shape policies[] = {{"namePattern", SHAPE_TEXT, NULL, NULL},
                                        {"minReplicas", SHAPE_TEXT, NULL, NULL},
                                        {"minInsyncReplicas", SHAPE_TEXT, NULL, NULL},
                                        {"maxPartitions", SHAPE_TEXT, NULL, NULL},
                                        {"requireOwner", SHAPE_CHOICE, NULL, truths},
                                        {"requireRetentionAtLeast", SHAPE_TEXT, NULL, NULL},
                                        {"requireRetentionAtMost", SHAPE_TEXT, NULL, NULL},
                                        {0}};
static const struct shape profile[] = {{"config", SHAPE_SETTINGS, NULL, NULL}, {0}};
static const struct shape defaults[] = {
    {"partitions", SHAPE_TEXT, NULL, NULL}, {"replicas", SHAPE_TEXT, NULL, NULL}, {0}};
static const struct shape key[] = {{"text", SHAPE_TEXT, NULL, NULL},
                                   {"schema", SHAPE_TEXT, NULL, NULL},
                                   {"subject", SHAPE_CHOICE, NULL, subjects},
                                   {0}};
static const struct shape value[] = {{"schema", SHAPE_TEXT, NULL, NULL},
                                     {"subject", SHAPE_CHOICE, NULL, subjects},
                                     {"compatibility", SHAPE_CHOICE, NULL, compatibilities},
                                     {0}};
static const struct shape dlq[] = {{"publish", SHAPE_CHOICE, NULL, truths},
                                   {"profile", SHAPE_TEXT, NULL, NULL},
                                   {"partitions", SHAPE_TEXT, NULL, NULL},
                                   {0}};
static const struct shape topic[] = {{"name", SHAPE_TEXT, NULL, NULL},
                                     {"profile", SHAPE_TEXT, NULL, NULL},
                                     {"config", SHAPE_SETTINGS, NULL, NULL},
                                     {"partitions", SHAPE_TEXT, NULL, NULL},
                                     {"replicas", SHAPE_TEXT, NULL, NULL},
                                     {"owner", SHAPE_TEXT, NULL, NULL},
                                     {"description", SHAPE_TEXT, NULL, NULL},
                                     {"key", SHAPE_MAP, key, NULL},
                                     {"value", SHAPE_MAP, value, NULL},
                                     {"offsets", SHAPE_CHOICE, NULL, offset_forms},
                                     {"replayWindow", SHAPE_TEXT, NULL, NULL},
                                     {"coPartitionWith", SHAPE_LIST, NULL, NULL},
                                     {"producers", SHAPE_LIST, NULL, NULL},
                                     {"consumers", SHAPE_LIST, NULL, NULL},
                                     {"dlq", SHAPE_MAP, dlq, NULL},
                                     {"state", SHAPE_CHOICE, NULL, states},
                                     {0}};
static const struct shape root[] = {{"apiVersion", SHAPE_CHOICE, NULL, versions},
                                    {"kind", SHAPE_CHOICE, NULL, kinds},
                                    {"cluster", SHAPE_MAP, cluster, NULL},
                                    {"managedBy", SHAPE_CHOICE, NULL, managers},
                                    {"policies", SHAPE_MAP, policies, NULL},
                                    {"profiles", SHAPE_PROFILES, profile, NULL},
                                    {"defaults", SHAPE_MAP, defaults, NULL},
                                    {"topics", SHAPE_TOPICS, topic, NULL},
                                    {0}};

/* Settings of a topic that brokers know; a newer one is written with the prefix x-. */
static const char *const settings[] = {"cleanup.policy",
                                       "compression.gzip.level",
                                       "compression.lz4.level",
                                       "compression.type",
                                       "compression.zstd.level",
                                       "delete.retention.ms",
                                       "file.delete.delay.ms",
                                       "flush.messages",
                                       "flush.ms",
                                       "follower.replication.throttled.replicas",
                                       "index.interval.bytes",
                                       "leader.replication.throttled.replicas",
                                       "local.retention.bytes",
                                       "local.retention.ms",
                                       "max.compaction.lag.ms",
                                       "max.message.bytes",
                                       "message.downconversion.enable",
                                       "message.timestamp.after.max.ms",
                                       "message.timestamp.before.max.ms",
                                       "message.timestamp.difference.max.ms",
                                       "message.timestamp.type",
                                       "min.cleanable.dirty.ratio",
                                       "min.compaction.lag.ms",
                                       "min.insync.replicas",
                                       "preallocate",
                                       "remote.storage.enable",
                                       "retention.bytes",
                                       "retention.ms",
                                       "segment.bytes",
                                       "segment.index.bytes",
                                       "segment.jitter.ms",
                                       "segment.ms",
                                       "unclean.leader.election.enable"};
#define SETTING_COUNT (sizeof settings / sizeof settings[0])

bool sync_topics_knows_setting(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_map(struct sync_topics_layers *layers, struct sync_topics_value map,
                      const struct shape *shapes);

static struct sync_topics_value key_of(struct sync_topics_value map, size_t index)
{
    map.member = index + 1;
    return map;
}

static void note_unknown(struct sync_topics_layers *layers, struct sync_topics_value map,
                         size_t index, const char *const *names, size_t count)
{
    const char *word = NULL;
    (void)sync_yaml_at(map.node, index, &word);
    const char *near = sync_suggest(word, names, count);
    if (near != NULL) {
        sync_topics_note(layers, key_of(map, index), SYNC_CODE_UNKNOWN_KEY,
                         "unknown key \"%.60s\"; did you mean \"%s\"?", word, near);
        return;
    }
    char all[180];
    size_t used = 0;
    all[0] = '\0';
    for (size_t i = 0; i < count && used + strlen(names[i]) + 3 < sizeof all; i++) {
        used +=
            (size_t)snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    sync_topics_note(layers, key_of(map, index), SYNC_CODE_UNKNOWN_KEY,
                     "unknown key \"%.40s\"; here stand %s", word, all);
}

/* True when it is of that type; NULL is allowed where something may be left empty. */
static bool is_type(struct sync_topics_layers *layers, struct sync_topics_value at,
                    enum sync_yaml_type type, const char *wanted)
{
    if (sync_yaml_type_of(at.node) == type) {
        return true;
    }
    sync_topics_note(layers, at, SYNC_CODE_CONFIG, "this must be %s", wanted);
    return false;
}

static void check_choice(struct sync_topics_layers *layers, struct sync_topics_value at,
                         const char *const *words)
{
    char all[160];
    size_t used = 0;
    if (!is_type(layers, at, SYNC_YAML_SCALAR, "one word")) {
        return;
    }
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], sync_yaml_text(at.node)) == 0) {
            return;
        }
        used +=
            (size_t)snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    sync_topics_note(layers, at, SYNC_CODE_CONFIG, "\"%.40s\" is not known here; it takes %s",
                     sync_yaml_text(at.node), all);
}

static void check_list(struct sync_topics_layers *layers, struct sync_topics_value at)
{
    if (!is_type(layers, at, SYNC_YAML_LIST, "a list, such as [a, b] or []")) {
        return;
    }
    if (sync_yaml_count(at.node) > SYNC_TOPIC_LIST_MAX) {
        sync_topics_note(layers, at, SYNC_CODE_CONFIG, "a list has at most %d entries",
                         SYNC_TOPIC_LIST_MAX);
    }
    for (size_t i = 0; i < sync_yaml_count(at.node); i++) {
        struct sync_topics_value item = {at.yaml, sync_yaml_at(at.node, i, NULL)};
        (void)is_type(layers, item, SYNC_YAML_SCALAR, "a name");
    }
}

static void check_settings(struct sync_topics_layers *layers, struct sync_topics_value at)
{
    if (!is_type(layers, at, SYNC_YAML_MAP, "a map of broker settings")) {
        return;
    }
    for (size_t i = 0; i < sync_yaml_count(at.node); i++) {
        const char *name = NULL;
        struct sync_topics_value item = {at.yaml, sync_yaml_at(at.node, i, &name)};
        if (strncmp(name, "x-", 2) != 0 && !sync_topics_knows_setting(name)) {
            const char *near = sync_suggest(name, settings, SETTING_COUNT);
            sync_topics_note(layers, key_of(at, i), SYNC_CODE_UNKNOWN_KEY,
                             "\"%.60s\" is no broker setting known here; %s%s", name,
                             near != NULL ? "did you mean "
                                          : "write x- before it to send it as it is",
                             near != NULL ? near : "");
        }
        (void)is_type(layers, item, SYNC_YAML_SCALAR, "one value");
    }
}

static void check_profiles(struct sync_topics_layers *layers, struct sync_topics_value at,
                           const struct shape *inner)
{
    if (!is_type(layers, at, SYNC_YAML_MAP, "a map of profiles")) {
        return;
    }
    for (size_t i = 0; i < sync_yaml_count(at.node); i++) {
        check_map(layers, (struct sync_topics_value){at.yaml, sync_yaml_at(at.node, i, NULL), 0},
                  inner);
    }
}

static void check_topics(struct sync_topics_layers *layers, struct sync_topics_value at,
                         const struct shape *inner)
{
    if (!is_type(layers, at, SYNC_YAML_LIST, "a list of topics, each beginning with \"- name:\"")) {
        return;
    }
    for (size_t i = 0; i < sync_yaml_count(at.node); i++) {
        struct sync_topics_value item = {at.yaml, sync_yaml_at(at.node, i, NULL)};
        check_map(layers, item, inner);
        if (sync_yaml_type_of(item.node) == SYNC_YAML_MAP &&
            sync_yaml_get(item.node, "name") == NULL) {
            sync_topics_note(layers, item, SYNC_CODE_CONFIG,
                             "this topic has no name; write name: first");
        }
    }
}

static void check_value(struct sync_topics_layers *layers, struct sync_topics_value at,
                        const struct shape *shape)
{
    switch (shape->type) {
    case SHAPE_TEXT:
        (void)is_type(layers, at, SYNC_YAML_SCALAR, "one value; write \"\" for none");
        return;
    case SHAPE_MAP:
        check_map(layers, at, shape->inner);
        return;
    case SHAPE_LIST:
        check_list(layers, at);
        return;
    case SHAPE_CHOICE:
        check_choice(layers, at, shape->words);
        return;
    case SHAPE_SETTINGS:
        check_settings(layers, at);
        return;
    case SHAPE_PROFILES:
        check_profiles(layers, at, shape->inner);
        return;
    case SHAPE_TOPICS:
        check_topics(layers, at, shape->inner);
        return;
    }
}

/* The depth is that of the tables above. */
static void check_map(struct sync_topics_layers *layers, struct sync_topics_value map,
                      const struct shape *shapes)
{
    const char *names[KEYS_MAX];
    size_t count = 0;
    for (; shapes[count].key != NULL; count++) {
        names[count] = shapes[count].key;
    }
    if (!is_type(layers, map, SYNC_YAML_MAP, "a map of keys and values")) {
        return;
    }
    for (size_t i = 0; i < sync_yaml_count(map.node); i++) {
        const char *word = NULL;
        struct sync_topics_value at = {map.yaml, sync_yaml_at(map.node, i, &word)};
        size_t found = 0;
        while (found < count && strcmp(names[found], word) != 0) {
            found++;
        }
        if (found == count) {
            note_unknown(layers, map, i, names, count);
        } else {
            check_value(layers, at, &shapes[found]);
        }
    }
}

void sync_topics_check_shape(struct sync_topics_layers *layers)
{
    for (size_t i = 0; i < layers->count; i++) {
        struct sync_topics_value at = {layers->files[i], sync_yaml_root(layers->files[i])};
        check_map(layers, at, root);
    }
    struct sync_topics_value first = {layers->files[0], sync_yaml_root(layers->files[0])};
    static const char *const required[] = {"apiVersion", "kind", "topics"};
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        if (layers->errors->count == 0 && sync_yaml_get(first.node, required[i]) == NULL) {
            sync_topics_note(
                layers, first, SYNC_CODE_CONFIG, "the key \"%s\" is missing%s", required[i],
                strcmp(required[i], "kind") == 0         ? "; write kind: TopicSet"
                : strcmp(required[i], "apiVersion") == 0 ? "; write apiVersion: altinn-sync/v1"
                                                         : "");
        }
    }
}
