/* Shared by the files of topics.yaml (topics*.c) and by nobody else. */
#ifndef SYNC_RUNTIME_TOPICS_LAYERS_H
#define SYNC_RUNTIME_TOPICS_LAYERS_H
#include "topics.h"
#include "yaml.h"

/* The files of one load, the first one lowest, and what was found wrong in them. */
struct sync_topics_layers {
    struct sync_yaml *files[SYNC_TOPICS_FILES_MAX];
    size_t count;
    struct sync_topic_errors *errors;
    enum sync_code code; /* of the first finding */
};

/* A value and the file it stands in; node NULL = it stands nowhere. */
struct sync_topics_value {
    const struct sync_yaml *yaml;
    const struct sync_yaml_node *node;
    size_t member; /* 0: the value itself; else the key of member - 1 of this map, for findings */
};

/* Notes a finding at a value, or at a key of a map. */
void sync_topics_note(struct sync_topics_layers *layers, struct sync_topics_value at,
                      enum sync_code code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* root.section.key of the last file that has it; section NULL = root.key. */
struct sync_topics_value sync_topics_global(const struct sync_topics_layers *layers,
                                            const char *section, const char *key);
/* Key of a topic in the last file that has it. */
struct sync_topics_value sync_topics_field(const struct sync_topics_layers *layers,
                                           const char *topic, const char *key);
/* Text of a value, fallback where it stands nowhere. */
const char *sync_topics_text(struct sync_topics_value value, const char *fallback);
/* Whole number of a value inside a range; notes a finding and returns fallback when it is none. */
int64_t sync_topics_number(struct sync_topics_layers *layers, struct sync_topics_value value,
                           int64_t min, int64_t max, int64_t fallback);

/* Unknown keys, wrong shapes and wrong words of all files (topics_shape.c). */
void sync_topics_check_shape(struct sync_topics_layers *layers);
/* True for a setting of a topic that brokers know. */
bool sync_topics_knows_setting(const char *name);
/* What the policies and the relations between topics refuse (topics_policy.c). */
void sync_topics_check_policies(struct sync_topics_layers *layers,
                                const struct sync_topics *topics);
#endif
