/* Broker, cluster and topics as "doctor" sees them. */
#include "doctor.h"

#include "../runtime/kafka.h"
#include "../runtime/topics.h"

#include <stdlib.h>
#include <string.h>

#define SETTINGS_MS_MAX 3000 /* the broker has just answered another question */
#define APPLY_FIX       "run \"altinn-sync topics apply\""

/* Settings that the guarantees lean on; others may differ for good reasons. */
static const struct sync_kafka_setting needed_settings[] = {
    {.name = "cleanup.policy"},    {.name = "message.timestamp.type"},
    {.name = "max.message.bytes"}, {.name = "min.insync.replicas"},
    {.name = "compression.type"},  {.name = "retention.ms"},
};
#define NEEDED_COUNT (sizeof needed_settings / sizeof needed_settings[0])

static sync_status load_topics(const struct doctor *doctor, struct sync_topics **ret_topics,
                               struct sync_error *err)
{
    const struct sync_config *config = &doctor->cli->config;
    const char *paths[] = {config->topics_file, config->topics_overlay};
    size_t count = config->topics_overlay[0] == '\0' ? 1 : 2;
    return sync_topics_load(paths, count, ret_topics, NULL, err);
}

static bool is_wanted(const struct sync_topic *topic)
{
    return topic->state == SYNC_TOPIC_PRESENT || topic->state == SYNC_TOPIC_DEPRECATED;
}

/* Values of a topic; all empty when this broker shows none. */
static sync_status ask_settings(struct doctor *doctor, struct sync_kafka_looker *looker,
                                const char *topic, struct sync_kafka_setting *found,
                                struct sync_error *err)
{
    int timeout_ms = doctor->cli->timeout_ms;
    timeout_ms = timeout_ms < SETTINGS_MS_MAX ? timeout_ms : SETTINGS_MS_MAX;
    memcpy(found, needed_settings, sizeof needed_settings);
    if (doctor->settings_hidden) {
        return SYNC_OK;
    }
    sync_status status =
        sync_kafka_topic_settings(looker, topic, found, NEEDED_COUNT, timeout_ms, err);
    doctor->settings_hidden = sync_is_ok(status) && found[0].value[0] == '\0';
    return status;
}

/* What the topic has against what topics.yaml says, setting by setting. */
static void check_settings(struct doctor *doctor, struct sync_kafka_looker *looker,
                           const struct sync_topic *topic)
{
    struct sync_kafka_setting found[NEEDED_COUNT];
    struct sync_error err = {0};
    if (!sync_is_ok(ask_settings(doctor, looker, topic->name, found, &err))) {
        doctor_finding(doctor, topic->name,
                       "grant DescribeConfigs on the topic to see its settings", "%s", err.text);
        return;
    }
    bool equal = true;
    for (size_t i = 0; i < NEEDED_COUNT; i++) {
        const char *wanted = sync_topic_setting(topic, found[i].name);
        if (wanted != NULL && found[i].value[0] != '\0' && strcmp(wanted, found[i].value) != 0) {
            equal = false;
            doctor_finding(doctor, topic->name, "set it on the topic with kafka-configs",
                           "%s is %s, topics.yaml says %s", found[i].name, found[i].value, wanted);
        }
    }
    if (equal) {
        doctor_good(doctor, topic->name, "%d partitions, settings %s", (int)topic->partitions,
                    doctor->settings_hidden ? "not shown by this broker" : "as in topics.yaml");
    }
}

static void check_topic(struct doctor *doctor, struct sync_kafka_looker *looker,
                        const struct sync_topic *topic, int32_t partitions)
{
    if (partitions == 0) {
        doctor_finding(doctor, topic->name, APPLY_FIX ", or grant Describe on it",
                       "there is no such topic, or we may not see it");
        return;
    }
    if (partitions != topic->partitions) {
        doctor_finding(doctor, topic->name,
                       "a keyed topic keeps its partitions: correct topics.yaml, or make a new "
                       "version of the topic",
                       "%d partitions, topics.yaml says %d", (int)partitions,
                       (int)topic->partitions);
        return;
    }
    check_settings(doctor, looker, topic);
}

static void check_cluster(struct doctor *doctor, const struct sync_topics *topics)
{
    if (topics->cluster_id[0] != '\0' && strcmp(topics->cluster_id, doctor->cluster_id) != 0) {
        doctor_finding(
            doctor, "cluster", "correct kafka.bootstrap_servers, or cluster.id in topics.yaml",
            "this is cluster %s, topics.yaml expects %s", doctor->cluster_id, topics->cluster_id);
        return;
    }
    doctor_good(doctor, "cluster", "%s reached over librdkafka %s", doctor->cluster_id,
                sync_kafka_version());
}

static void check_topics(struct doctor *doctor, struct sync_kafka_looker *looker,
                         const struct sync_topics *topics)
{
    const char *names[SYNC_TOPICS_MAX];
    int32_t partitions[SYNC_TOPICS_MAX];
    struct sync_error err = {0};
    for (size_t i = 0; i < topics->count; i++) {
        names[i] = topics->items[i].name;
    }
    sync_status status = sync_kafka_look(looker, names, topics->count, doctor->cli->timeout_ms,
                                         doctor->cluster_id, partitions, &err);
    if (!sync_is_ok(status)) {
        doctor->cluster_id[0] = '\0';
        doctor_finding(doctor, "broker",
                       "check kafka.bootstrap_servers, the network and kafka.properties", "%s",
                       err.text);
        return;
    }
    check_cluster(doctor, topics);
    for (size_t i = 0; i < topics->count; i++) {
        if (is_wanted(&topics->items[i])) {
            check_topic(doctor, looker, &topics->items[i], partitions[i]);
        }
    }
}

void doctor_kafka(struct doctor *doctor)
{
    const struct sync_config *config = &doctor->cli->config;
    const struct sync_kafka_options options = {.bootstrap = config->kafka_bootstrap,
                                               .client_id = "altinn-sync-doctor",
                                               .dev = config->dev,
                                               .properties = config->kafka_properties};
    struct sync_topics *topics = NULL;
    struct sync_kafka_looker *looker = NULL;
    struct sync_error err = {0};
    sync_status status = load_topics(doctor, &topics, &err);
    if (!sync_is_ok(status)) {
        doctor_finding(doctor, "topics.yaml", "run \"altinn-sync topics validate\"", "%s",
                       err.text);
        return;
    }
    status = sync_kafka_looker_new(&options, &looker, &err);
    if (sync_is_ok(status)) {
        check_topics(doctor, looker, topics);
    } else {
        doctor_finding(doctor, "client", "correct kafka.properties", "%s", err.text);
    }
    sync_kafka_looker_free(&looker);
    free(topics);
}
