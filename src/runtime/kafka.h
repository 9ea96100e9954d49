/*
 * Kafka over librdkafka 2.0.2, whose header no other file of ours includes: a group consumer that
 * answers ASSIGN itself with an empty list and hands out events, a reader without a group, an
 * idempotent producer, topic creation.
 */
#ifndef SYNC_RUNTIME_KAFKA_H
#define SYNC_RUNTIME_KAFKA_H
#include "../core/limits.h"
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

struct sync_kafka_options {
    const char *bootstrap;
    const char *client_id;
    bool dev; /* --dev: CreateTime accepted, producers stamp the time of sending */
    const char *const
        *properties; /* name, value, …, NULL: pass-through; fixed settings are refused */
};
#define SYNC_KAFKA_PARTITIONS_MAX 256 /* of one topic; topics.yaml allows 48 */

/* A place is one partition of one topic that a consumer reads, as a number: below
 * SYNC_KAFKA_PARTITIONS_MAX those of its first topic, then those of the second, and so on. */
#define SYNC_KAFKA_PLACES_MAX (SYNC_ROUTE_INPUTS_MAX * SYNC_KAFKA_PARTITIONS_MAX)
static inline int32_t sync_kafka_place(size_t topic, int32_t partition)
{
    return (int32_t)topic * SYNC_KAFKA_PARTITIONS_MAX + partition;
}
static inline size_t sync_kafka_place_topic(int32_t place)
{
    return (size_t)(place / SYNC_KAFKA_PARTITIONS_MAX);
}
static inline int32_t sync_kafka_place_partition(int32_t place)
{
    return place % SYNC_KAFKA_PARTITIONS_MAX;
}

/* Consumer -------------------------------------------------------------------------------- */
struct sync_kafka_consumer;

enum sync_kafka_event_type {
    SYNC_KAFKA_NONE,
    SYNC_KAFKA_RECORD,
    SYNC_KAFKA_ASSIGN,          /* places given; already answered with an empty list */
    SYNC_KAFKA_REVOKE,          /* places taken (also "lost"); already answered */
    SYNC_KAFKA_RESET,           /* _AUTO_OFFSET_RESET of one place: ask for the marks */
    SYNC_KAFKA_PARTITION_ERROR, /* a batch the client cannot decode (codec, CRC): stop the place */
    SYNC_KAFKA_ERROR, /* err says: RETRY (transport) or FATAL (client fatal, authorisation, topic)
                       */
    SYNC_KAFKA_EOF,
};
struct sync_kafka_event {
    enum sync_kafka_event_type type;
    int32_t place;
    int32_t places[SYNC_KAFKA_PLACES_MAX]; /* ASSIGN, REVOKE */
    size_t place_count;
    int64_t offset;
    int64_t timestamp_ms;
    bool append_time;             /* timestamp is the broker's append time */
    struct sync_bytes key, value; /* key.data NULL = null; valid until sync_kafka_event_done */
    bool value_null;
    void *message; /* of the library */
    struct sync_error error;
};

/*
 * Makes a consumer of one to SYNC_ROUTE_INPUTS_MAX topics and joins the group.
 * Owns: sync_kafka_consumer_free.  Blocks: no.  Fails: FATAL config, with the setting that is
 * wrong.
 */
sync_status sync_kafka_consumer_new(const struct sync_kafka_options *options, const char *group,
                                    const char *const *topics, size_t topic_count,
                                    struct sync_kafka_consumer **ret_consumer,
                                    struct sync_error *err);
/* Leaves the group; at most timeout_ms, then gives up (the process exits anyhow). */
void sync_kafka_consumer_free(struct sync_kafka_consumer **consumer, int timeout_ms);
/* Waits at most timeout_ms for one event. */
void sync_kafka_poll(struct sync_kafka_consumer *consumer, int timeout_ms,
                     struct sync_kafka_event *ret_event);
void sync_kafka_event_done(struct sync_kafka_event *event);
/*
 * Adds to what is assigned: starts reading the places at the offsets. What was assigned before
 * goes on behind the last record handed out.
 */
struct sync_kafka_start {
    int64_t offset;
    int32_t place;
};
sync_status sync_kafka_assign(struct sync_kafka_consumer *c, const struct sync_kafka_start *starts,
                              size_t count, struct sync_error *err);
/* Takes one place out of the assignment (stopped). */
sync_status sync_kafka_unassign(struct sync_kafka_consumer *c, int32_t place,
                                struct sync_error *err);
sync_status sync_kafka_pause(struct sync_kafka_consumer *c, bool pause,
                             struct sync_error *err); /* all assigned */
/* Asynchronous hint; errors are ignored and counted. */
void sync_kafka_hint(struct sync_kafka_consumer *c, int32_t place, int64_t position);
/* How many hints the broker took and refused since start. */
void sync_kafka_hint_counts(const struct sync_kafka_consumer *c, uint64_t *ret_taken,
                            uint64_t *ret_refused);
/* Whether any broker was connected when the library last said so (every 10 s, with --dev every
 * second). */
bool sync_kafka_is_reachable(const struct sync_kafka_consumer *c);
/* Cached high mark, -1 when not known. Never asks the broker. */
int64_t sync_kafka_high_cached(struct sync_kafka_consumer *c, int32_t place);
/* Asks the broker; only while nothing is assigned, or after RESET. */
sync_status sync_kafka_marks(struct sync_kafka_consumer *c, int32_t place, int timeout_ms,
                             int64_t *ret_low, int64_t *ret_high, struct sync_error *err);
/* Cluster id and partition count of one of the topics. RETRY unreachable; FATAL topic_unknown,
 * topic_refused. */
sync_status sync_kafka_describe(struct sync_kafka_consumer *c, size_t topic, int timeout_ms,
                                char ret_cluster_id[static 64], int32_t *ret_partitions,
                                struct sync_error *err);

/* Producer -------------------------------------------------------------------------------- */
struct sync_kafka_producer;
/* Delivery of one record; called from sync_kafka_producer_poll on the caller's thread. */
typedef void sync_kafka_delivered(void *context, void *tag, bool stored,
                                  const struct sync_error *err);
struct sync_kafka_header {
    const char *name, *value;
};
/*
 * Makes an idempotent producer; delivered is called with context.
 * Owns: sync_kafka_producer_free.  Blocks: no.  Fails: FATAL config, with the setting that is
 * wrong.
 */
sync_status sync_kafka_producer_new(const struct sync_kafka_options *options,
                                    sync_kafka_delivered *delivered, void *context,
                                    struct sync_kafka_producer **ret_producer,
                                    struct sync_error *err);
void sync_kafka_producer_free(struct sync_kafka_producer **producer, int timeout_ms);
/* One record to produce; data NULL of key or value = null. tag comes back with the delivery. */
struct sync_kafka_record {
    const char *topic;
    bool to_partition; /* to this partition; else the one of the key */
    int32_t partition;
    struct sync_bytes key, value;
    const struct sync_kafka_header *headers;
    size_t header_count;
    void *tag;
};
/*
 * Hands a record over; everything in it is copied.
 * Fails: RETRY when the queue is full; PARK oversize; FATAL when the producer is (make a new one).
 */
sync_status sync_kafka_produce(struct sync_kafka_producer *p,
                               const struct sync_kafka_record *record, struct sync_error *err);
int sync_kafka_producer_poll(struct sync_kafka_producer *p, int timeout_ms); /* serves deliveries */
sync_status sync_kafka_producer_describe(struct sync_kafka_producer *p, const char *topic,
                                         int timeout_ms, char ret_cluster_id[static 64],
                                         int32_t *ret_partitions, struct sync_error *err);

/* Low and high mark of a partition. Asks the broker. */
sync_status sync_kafka_producer_marks(struct sync_kafka_producer *p, const char *topic,
                                      int32_t partition, int timeout_ms, int64_t *ret_low,
                                      int64_t *ret_high, struct sync_error *err);

/* Whether consumers and producers take these properties. Contacts nobody. Fails: FATAL config. */
sync_status sync_kafka_options_check(const struct sync_kafka_options *options,
                                     struct sync_error *err);
/*
 * The same of one property, whoever will use it. A property that only the Java client knows is
 * answered with what to write instead; the value of a secret is not repeated.
 * Blocks: no.  Fails: FATAL config.
 */
sync_status sync_kafka_property_check(const char *name, const char *value, bool secret,
                                      struct sync_error *err);

/* Admin -------------------------------------------------------------------------------- */
struct sync_kafka_topic {
    const char *name;
    int32_t partitions, replicas;
    const char *const *config; /* name, value, …, NULL */
};
/*
 * Looks at a cluster without joining, writing or creating anything. One thread.
 * Fails: FATAL config.
 */
struct sync_kafka_looker;
sync_status sync_kafka_looker_new(const struct sync_kafka_options *options,
                                  struct sync_kafka_looker **ret_looker, struct sync_error *err);
void sync_kafka_looker_free(struct sync_kafka_looker **looker);
/*
 * Cluster id, and the partitions of topics: 0 = there is no such topic, or we may not see it.
 * Blocks: at most twice timeout_ms.  Fails: RETRY unreachable.
 */
sync_status sync_kafka_look(struct sync_kafka_looker *looker, const char *const *names,
                            size_t count, int timeout_ms, char ret_cluster_id[static 64],
                            int32_t *ret_partitions, struct sync_error *err);
/* Offset behind the last record of each partition from 0 on. Blocks: at most timeout_ms. */
sync_status sync_kafka_ends(struct sync_kafka_looker *looker, const char *topic,
                            int32_t partition_count, int timeout_ms, int64_t *ret_ends,
                            struct sync_error *err);
/*
 * Fills the values of the named settings of a topic; "" where the broker shows none or does not
 * answer. Blocks: at most timeout_ms + 1 s.  Fails: RETRY unreachable; FATAL topic_refused without
 * the right.
 */
struct sync_kafka_setting {
    const char *name;
    char value[64];
};
sync_status sync_kafka_topic_settings(struct sync_kafka_looker *looker, const char *topic,
                                      struct sync_kafka_setting *settings, size_t count,
                                      int timeout_ms, struct sync_error *err);
/* Creates what is missing; ret_created counts. Existing topics are left alone. */
sync_status sync_kafka_create_topics(const struct sync_kafka_options *options,
                                     const struct sync_kafka_topic *topics, size_t count,
                                     size_t *ret_created, struct sync_error *err);
const char *sync_kafka_version(void);
#endif
