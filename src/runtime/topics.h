/* topics.yaml and its overlays: loaded, checked, normalised. Not here: talking to a broker (topics
 * apply). */
#ifndef SYNC_RUNTIME_TOPICS_H
#define SYNC_RUNTIME_TOPICS_H
#include <altinn_sync/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYNC_TOPICS_MAX       64
#define SYNC_TOPICS_FILES_MAX 8
#define SYNC_TOPIC_CONFIG_MAX 24
#define SYNC_TOPIC_LIST_MAX   8
enum sync_topic_state {
    SYNC_TOPIC_PRESENT,
    SYNC_TOPIC_PLANNED,
    SYNC_TOPIC_DEPRECATED,
    SYNC_TOPIC_ABSENT
};
struct sync_topic {
    char name[128];
    int32_t partitions, replicas;
    char key_field[64]; /* key: {text: …} */
    char schema[160];
    char owner[64];
    bool sparse;
    enum sync_topic_state state;
    struct {
        char name[64], value[64];
    } config[SYNC_TOPIC_CONFIG_MAX]; /* normalised: ms and bytes as numbers */
    size_t config_count;
    char producers[SYNC_TOPIC_LIST_MAX][64], consumers[SYNC_TOPIC_LIST_MAX][64],
        co_partition[SYNC_TOPIC_LIST_MAX][128];
    size_t producer_count, consumer_count, co_partition_count;
};
struct sync_topics {
    char cluster_id[64];
    char managed_by[16];
    struct sync_topic items[SYNC_TOPICS_MAX];
    size_t count;
};
#define SYNC_TOPIC_ERRORS_MAX 64
struct sync_topic_errors {
    struct {
        char where[160]; /* "topics.yaml:12:5" */
        char text[256], excerpt[160];
        int line, column; /* from 1; excerpt is that line */
    } items[SYNC_TOPIC_ERRORS_MAX];
    size_t count; /* may be SYNC_TOPIC_ERRORS_MAX when there are more */
};
/*
 * Reads files in order (later wins) and checks them; all findings go to ret_errors (may be NULL),
 * the first into err. Owns: the caller frees ret_topics with free(). Fails: FATAL file, syntax,
 * unknown_key or config; the text names file:line:column and the mend.
 */
sync_status sync_topics_load(const char *const *paths, size_t path_count,
                             struct sync_topics **ret_topics, struct sync_topic_errors *ret_errors,
                             struct sync_error *err);
const struct sync_topic *sync_topics_find(const struct sync_topics *topics, const char *name);
/* Value of a broker setting, NULL when the topic does not set it. */
const char *sync_topic_setting(const struct sync_topic *topic, const char *name);
/* Whether the file says that partitions with equal numbers of the two hold the same keys. */
bool sync_topics_co_partitioned(const struct sync_topic *a, const struct sync_topic *b);
#endif
