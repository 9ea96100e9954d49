/*
 * Lays the files of topics.yaml over each other and normalises the result. Not here: the form
 * (topics_shape.c), what is refused (topics_policy.c), the broker.
 */
#include "topics_layers.h"

#include "units.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note(struct sync_topics_layers *layers, const struct sync_yaml *yaml,
                 const int place[2], enum sync_code code, const char *text)
{
    struct sync_topic_errors *errors = layers->errors;
    if (errors->count == 0) {
        layers->code = code;
    }
    if (errors->count == SYNC_TOPIC_ERRORS_MAX) {
        return;
    }
    const char *name = sync_yaml_name(yaml);
    size_t size = strlen(name);
    size_t i = errors->count++;
    errors->items[i].line = place[0];
    errors->items[i].column = place[1];
    (void)snprintf(errors->items[i].where, sizeof errors->items[i].where, "%s:%d:%d",
                   size > 120 ? name + size - 120 : name, place[0], place[1]);
    (void)snprintf(errors->items[i].text, sizeof errors->items[i].text, "%s", text);
    sync_yaml_excerpt(yaml, place[0], errors->items[i].excerpt, sizeof errors->items[i].excerpt);
    for (size_t j = 0; j < i; j++) { /* a fault of a profile is found once per topic */
        if (strcmp(errors->items[j].where, errors->items[i].where) == 0 &&
            strcmp(errors->items[j].text, errors->items[i].text) == 0) {
            errors->count--;
            return;
        }
    }
}

void sync_topics_note(struct sync_topics_layers *layers, struct sync_topics_value at,
                      enum sync_code code, const char *format, ...)
{
    char text[256];
    int place[2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (at.member > 0) {
        sync_yaml_where_key(at.node, at.member - 1, &place[0], &place[1]);
    } else {
        sync_yaml_where(at.node, &place[0], &place[1]);
    }
    note(layers, at.yaml, place, code, text);
}

struct sync_topics_value sync_topics_global(const struct sync_topics_layers *layers,
                                            const char *section, const char *key)
{
    for (size_t i = layers->count; i-- > 0;) {
        const struct sync_yaml_node *map = sync_yaml_root(layers->files[i]);
        map = section != NULL ? sync_yaml_get(map, section) : map;
        const struct sync_yaml_node *node = sync_yaml_get(map, key);
        if (node != NULL) {
            return (struct sync_topics_value){layers->files[i], node};
        }
    }
    return (struct sync_topics_value){0};
}

/* The entry of a topic in one file, NULL when the file has none. */
static const struct sync_yaml_node *entry_of(const struct sync_yaml *yaml, const char *topic)
{
    const struct sync_yaml_node *list = sync_yaml_get(sync_yaml_root(yaml), "topics");
    for (size_t i = 0; list != NULL && i < sync_yaml_count(list); i++) {
        const struct sync_yaml_node *entry = sync_yaml_at(list, i, NULL);
        const struct sync_yaml_node *name = sync_yaml_get(entry, "name");
        if (name != NULL && strcmp(sync_yaml_text(name), topic) == 0) {
            return entry;
        }
    }
    return NULL;
}

struct sync_topics_value sync_topics_field(const struct sync_topics_layers *layers,
                                           const char *topic, const char *key)
{
    for (size_t i = layers->count; i-- > 0;) {
        const struct sync_yaml_node *node = sync_yaml_get(entry_of(layers->files[i], topic), key);
        if (node != NULL) {
            return (struct sync_topics_value){layers->files[i], node};
        }
    }
    return (struct sync_topics_value){0};
}

const char *sync_topics_text(struct sync_topics_value value, const char *fallback)
{
    return value.node != NULL ? sync_yaml_text(value.node) : fallback;
}

int64_t sync_topics_number(struct sync_topics_layers *layers, struct sync_topics_value value,
                           int64_t min, int64_t max, int64_t fallback)
{
    int64_t number = 0;
    if (value.node == NULL) {
        return fallback;
    }
    if (!sync_units_number(sync_yaml_text(value.node), &number) || number < min || number > max) {
        sync_topics_note(layers, value, SYNC_CODE_CONFIG,
                         "\"%.40s\" does not fit; it takes a number from %" PRId64 " to %" PRId64,
                         sync_yaml_text(value.node), min, max);
        return fallback;
    }
    return number;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), tail = strlen(end);
    return size >= tail && strcmp(text + size - tail, end) == 0;
}

/* "P30D" -> "2592000000" for *.ms, "1MiB" -> "1048576" for *.bytes; the rest as it stands. */
static bool normalise(const char *name, const char *value, char *ret_value, size_t size)
{
    int64_t number = 0;
    bool is_time = ends_with(name, ".ms"), is_size = ends_with(name, ".bytes");
    if (!is_time && !is_size) {
        return (size_t)snprintf(ret_value, size, "%s", value) < size;
    }
    bool good = sync_units_number(value, &number) ||
                (is_time ? sync_units_ms(value, &number) : sync_units_bytes(value, &number));
    (void)snprintf(ret_value, size, "%" PRId64, number);
    return good && number >= -1;
}

static void set_setting(struct sync_topics_layers *layers, struct sync_topic *topic,
                        struct sync_topics_value at, const char *name)
{
    const char *bare = strncmp(name, "x-", 2) == 0 ? name + 2 : name;
    char value[sizeof topic->config[0].value];
    if (strlen(bare) >= sizeof topic->config[0].name ||
        !normalise(bare, sync_yaml_text(at.node), value, sizeof value)) {
        sync_topics_note(layers, at, SYNC_CODE_CONFIG, "\"%.40s\" does not fit %.60s; it takes %s",
                         sync_yaml_text(at.node), bare,
                         ends_with(bare, ".ms")      ? "milliseconds or a duration such as P14D"
                         : ends_with(bare, ".bytes") ? "bytes or a size such as 1MiB"
                                                     : "at most 63 characters");
        return;
    }
    size_t i = 0;
    while (i < topic->config_count && strcmp(topic->config[i].name, bare) != 0) {
        i++;
    }
    if (i == SYNC_TOPIC_CONFIG_MAX) {
        sync_topics_note(layers, at, SYNC_CODE_CONFIG, "a topic takes at most %d broker settings",
                         SYNC_TOPIC_CONFIG_MAX);
        return;
    }
    topic->config_count += i == topic->config_count;
    (void)snprintf(topic->config[i].name, sizeof topic->config[i].name, "%s", bare);
    (void)snprintf(topic->config[i].value, sizeof topic->config[i].value, "%s", value);
}

static void set_settings(struct sync_topics_layers *layers, struct sync_topic *topic,
                         const struct sync_yaml *yaml, const struct sync_yaml_node *map)
{
    for (size_t i = 0; map != NULL && i < sync_yaml_count(map); i++) {
        const char *name = NULL;
        struct sync_topics_value at = {yaml, sync_yaml_at(map, i, &name)};
        set_setting(layers, topic, at, name);
    }
}

/* Profile of all files, then the topic's own settings of all files. */
static void resolve_settings(struct sync_topics_layers *layers, struct sync_topic *topic)
{
    struct sync_topics_value profile = sync_topics_field(layers, topic->name, "profile");
    bool found = profile.node == NULL;
    for (size_t i = 0; profile.node != NULL && i < layers->count; i++) {
        const struct sync_yaml_node *map =
            sync_yaml_get(sync_yaml_root(layers->files[i]), "profiles");
        map = sync_yaml_get(map, sync_yaml_text(profile.node));
        found = found || map != NULL;
        set_settings(layers, topic, layers->files[i], sync_yaml_get(map, "config"));
    }
    if (!found) {
        sync_topics_note(layers, profile, SYNC_CODE_CONFIG,
                         "there is no profile \"%.40s\"; define it below profiles",
                         sync_yaml_text(profile.node));
    }
    for (size_t i = 0; i < layers->count; i++) {
        const struct sync_yaml_node *entry = entry_of(layers->files[i], topic->name);
        set_settings(layers, topic, layers->files[i], sync_yaml_get(entry, "config"));
    }
}

static void copy_text(struct sync_topics_layers *layers, struct sync_topics_value at,
                      char *ret_text, size_t size)
{
    if (at.node == NULL) {
        return;
    }
    if (strlen(sync_yaml_text(at.node)) >= size) {
        sync_topics_note(layers, at, SYNC_CODE_CONFIG, "this is longer than %zu characters",
                         size - 1);
        return;
    }
    (void)snprintf(ret_text, size, "%s", sync_yaml_text(at.node));
}

static size_t copy_list(struct sync_topics_layers *layers, struct sync_topics_value at,
                        char *ret_items, size_t size)
{
    size_t count = at.node != NULL ? sync_yaml_count(at.node) : 0;
    for (size_t i = 0; i < count; i++) {
        struct sync_topics_value item = {at.yaml, sync_yaml_at(at.node, i, NULL)};
        copy_text(layers, item, ret_items + i * size, size);
    }
    return count;
}

static enum sync_topic_state state_of(const char *word)
{
    static const char *const words[] = {"present", "planned", "deprecated", "absent"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(words[i], word) == 0) {
            return (enum sync_topic_state)i;
        }
    }
    return SYNC_TOPIC_PRESENT;
}

static const struct sync_yaml_node *inner(struct sync_topics_value at, const char *key)
{
    return at.node != NULL ? sync_yaml_get(at.node, key) : NULL;
}

/* The name is set. "defaults" of any file overrides what topics say: one line fits a small stack.
 */
static void resolve(struct sync_topics_layers *layers, struct sync_topic *topic)
{
    struct sync_topics_value partitions = sync_topics_global(layers, "defaults", "partitions");
    struct sync_topics_value replicas = sync_topics_global(layers, "defaults", "replicas");
    struct sync_topics_value key = sync_topics_field(layers, topic->name, "key");
    struct sync_topics_value value = sync_topics_field(layers, topic->name, "value");
    if (partitions.node == NULL) {
        partitions = sync_topics_field(layers, topic->name, "partitions");
    }
    if (replicas.node == NULL) {
        replicas = sync_topics_field(layers, topic->name, "replicas");
    }
    topic->partitions = (int32_t)sync_topics_number(layers, partitions, 1, 10000, 0);
    topic->replicas = (int32_t)sync_topics_number(layers, replicas, 1, 100, 0);
    copy_text(layers, (struct sync_topics_value){key.yaml, inner(key, "text")}, topic->key_field,
              sizeof topic->key_field);
    copy_text(layers, (struct sync_topics_value){value.yaml, inner(value, "schema")}, topic->schema,
              sizeof topic->schema);
    copy_text(layers, sync_topics_field(layers, topic->name, "owner"), topic->owner,
              sizeof topic->owner);
    const char *name = topic->name;
    topic->sparse = strcmp(sync_topics_text(sync_topics_field(layers, name, "offsets"), "dense"),
                           "sparse") == 0;
    topic->state = state_of(sync_topics_text(sync_topics_field(layers, name, "state"), "present"));
    topic->producer_count = copy_list(layers, sync_topics_field(layers, name, "producers"),
                                      topic->producers[0], sizeof topic->producers[0]);
    topic->consumer_count = copy_list(layers, sync_topics_field(layers, name, "consumers"),
                                      topic->consumers[0], sizeof topic->consumers[0]);
    topic->co_partition_count =
        copy_list(layers, sync_topics_field(layers, name, "coPartitionWith"),
                  topic->co_partition[0], sizeof topic->co_partition[0]);
    resolve_settings(layers, topic);
}

/* Takes one entry of a file's list: a new topic, or one that an earlier file has. */
static void take_entry(struct sync_topics_layers *layers, struct sync_topics *topics, size_t file,
                       const struct sync_yaml_node *entry)
{
    struct sync_topics_value name = {layers->files[file], sync_yaml_get(entry, "name")};
    const char *text = sync_yaml_text(name.node);
    if (entry_of(layers->files[file], text) != entry) {
        sync_topics_note(layers, name, SYNC_CODE_CONFIG,
                         "the topic \"%.100s\" stands twice; remove one", text);
        return;
    }
    if (sync_topics_find(topics, text) != NULL) {
        return;
    }
    if (topics->count == SYNC_TOPICS_MAX || text[0] == '\0' ||
        strlen(text) >= sizeof topics->items[0].name) {
        sync_topics_note(layers, name, SYNC_CODE_CONFIG, "%s",
                         topics->count == SYNC_TOPICS_MAX ? "this is one topic too many"
                                                          : "a name has 1 to 127 characters");
        return;
    }
    struct sync_topic *topic = &topics->items[topics->count++];
    (void)snprintf(topic->name, sizeof topic->name, "%s", text);
}

static void take_topics(struct sync_topics_layers *layers, struct sync_topics *topics)
{
    for (size_t file = 0; file < layers->count; file++) {
        const struct sync_yaml_node *list =
            sync_yaml_get(sync_yaml_root(layers->files[file]), "topics");
        for (size_t i = 0; list != NULL && i < sync_yaml_count(list); i++) {
            take_entry(layers, topics, file, sync_yaml_at(list, i, NULL));
        }
    }
    for (size_t i = 0; i < topics->count; i++) {
        resolve(layers, &topics->items[i]);
    }
    copy_text(layers, sync_topics_global(layers, "cluster", "id"), topics->cluster_id,
              sizeof topics->cluster_id);
    (void)snprintf(topics->managed_by, sizeof topics->managed_by, "%s",
                   sync_topics_text(sync_topics_global(layers, NULL, "managedBy"), "self"));
}

static sync_status load_files(struct sync_topics_layers *layers, const char *const *paths,
                              size_t count, struct sync_error *err)
{
    SYNC_ASSERT(count > 0);
    if (count > SYNC_TOPICS_FILES_MAX) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                         "read %s: at most %d files of topics are laid over each other", paths[0],
                         SYNC_TOPICS_FILES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        sync_status status = sync_yaml_load(paths[i], &layers->files[i], err);
        if (!sync_is_ok(status)) {
            return status;
        }
        layers->count++;
    }
    return SYNC_OK;
}

/* The shape first: what stands at the wrong place cannot be resolved. */
static void check(struct sync_topics_layers *layers, struct sync_topics *topics)
{
    sync_topics_check_shape(layers);
    if (layers->errors->count == 0) {
        take_topics(layers, topics);
    }
    if (layers->errors->count == 0) {
        sync_topics_check_policies(layers, topics);
    }
}

static sync_status first_error(const struct sync_topics_layers *layers, struct sync_error *err)
{
    const struct sync_topic_errors *errors = layers->errors;
    if (errors->count == 0) {
        return SYNC_OK;
    }
    char more[80] = "";
    if (errors->count > 1) {
        (void)snprintf(more, sizeof more, " (and %zu more, see altinn-sync topics validate)",
                       errors->count - 1);
    }
    return sync_fail(err, SYNC_CLASS_FATAL, layers->code, "%s: %s%s", errors->items[0].where,
                     errors->items[0].text, more);
}

sync_status sync_topics_load(const char *const *paths, size_t path_count,
                             struct sync_topics **ret_topics, struct sync_topic_errors *ret_errors,
                             struct sync_error *err)
{
    struct sync_topic_errors *own = ret_errors != NULL ? NULL : calloc(1, sizeof *own);
    struct sync_topics_layers layers = {.errors = ret_errors != NULL ? ret_errors : own};
    struct sync_topics *topics = NULL; /* large: made only for files that can be read */
    SYNC_ASSERT(layers.errors != NULL);
    layers.errors->count = 0;
    sync_status status = load_files(&layers, paths, path_count, err);
    if (sync_is_ok(status)) {
        topics = calloc(1, sizeof *topics);
        SYNC_ASSERT(topics != NULL);
        check(&layers, topics);
        status = first_error(&layers, err);
    }
    for (size_t i = 0; i < layers.count; i++) {
        sync_yaml_free(&layers.files[i]);
    }
    free(own);
    if (!sync_is_ok(status)) {
        free(topics);
        return status;
    }
    *ret_topics = topics;
    return SYNC_OK;
}

const struct sync_topic *sync_topics_find(const struct sync_topics *topics, const char *name)
{
    for (size_t i = 0; i < topics->count; i++) {
        if (strcmp(topics->items[i].name, name) == 0) {
            return &topics->items[i];
        }
    }
    return NULL;
}

static bool names(const struct sync_topic *topic, const char *other)
{
    for (size_t i = 0; i < topic->co_partition_count; i++) {
        if (strcmp(topic->co_partition[i], other) == 0) {
            return true;
        }
    }
    return false;
}

bool sync_topics_co_partitioned(const struct sync_topic *a, const struct sync_topic *b)
{
    return a->partitions == b->partitions && (names(a, b->name) || names(b, a->name));
}

const char *sync_topic_setting(const struct sync_topic *topic, const char *name)
{
    for (size_t i = 0; i < topic->config_count; i++) {
        if (strcmp(topic->config[i].name, name) == 0) {
            return topic->config[i].value;
        }
    }
    return NULL;
}
