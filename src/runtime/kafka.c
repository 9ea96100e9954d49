/*
 * The group consumer over librdkafka 2.0.2. Nothing happens in the library's callbacks but noting:
 * the caller's loop acts. Not here: positions, claims, what a record means.
 */
#include "kafka.h"

#include "../core/limits.h"
#include "clock.h"
#include "kafka_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* With the statistics every 10 s: told within half a minute. */
#define SILENT_BROKER_US 12000000LL

static const struct kafka_setting consumer_defaults[] = {
    {"statistics.interval.ms", "10000"},
    {"heartbeat.interval.ms", "2000"},
    {NULL, NULL},
};
static const struct {
    const char *name;
    long value;
} consumer_bounds[] = {
    {"session.timeout.ms", SYNC_KAFKA_SESSION_MS},
    {"max.poll.interval.ms", SYNC_KAFKA_MAX_POLL_MS},
    {"queued.max.messages.kbytes", SYNC_KAFKA_QUEUED_KBYTES},
    {"queued.min.messages", SYNC_KAFKA_QUEUED_RECORDS},
    {"fetch.message.max.bytes", SYNC_RECORD_BYTES_MAX},
    {"fetch.max.bytes", SYNC_KAFKA_FETCH_BYTES},
    {"receive.message.max.bytes", SYNC_KAFKA_RECEIVE_BYTES},
};
/* A fetch of the embedded broker is not woken by a produce; its group coordinator needs fast beats.
 */
static const struct kafka_setting consumer_dev_defaults[] = {
    {"statistics.interval.ms", "1000"},
    {"heartbeat.interval.ms", "500"},
    {"fetch.wait.max.ms", "10"},
    {"fetch.error.backoff.ms", "10"},
    {NULL, NULL},
};

/* A batch that the client cannot unpack: no record of it will ever be handed over. */
static bool is_partition_error(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR__BAD_MSG || error == RD_KAFKA_RESP_ERR__BAD_COMPRESSION ||
           error == RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED || error == RD_KAFKA_RESP_ERR_INVALID_MSG;
}

struct place {
    bool assigned, paused; /* paused: by us, and not yet resumed; survives a revoke */
    int64_t next;          /* behind the last record handed out */
};

struct sync_kafka_consumer {
    rd_kafka_t *handle;
    const char *topics[SYNC_ROUTE_INPUTS_MAX];
    size_t topic_count;
    int32_t place_end; /* behind the last place of the topics */
    struct place places[SYNC_KAFKA_PLACES_MAX];
    bool pausing;           /* everything assigned is to be paused */
    int64_t assigned_at_us; /* monotonic time of the last call to rd_kafka_assign */
    bool reachable;
    uint64_t hints_taken, hints_refused;
    /* noted by callbacks until the next return of sync_kafka_poll */
    enum sync_kafka_event_type noted; /* ASSIGN, REVOKE or NONE */
    int32_t noted_places[SYNC_KAFKA_PLACES_MAX];
    size_t noted_count;
    struct sync_error noted_error; /* class OK = none */
};

static int32_t place_of(const struct sync_kafka_consumer *c, const char *topic, int32_t partition)
{
    size_t i = 0;
    while (i < c->topic_count && strcmp(c->topics[i], topic) != 0) {
        i++;
    }
    SYNC_ASSERT(i < c->topic_count && partition >= 0 && partition < SYNC_KAFKA_PARTITIONS_MAX);
    return sync_kafka_place(i, partition);
}

static const char *topic_of(const struct sync_kafka_consumer *c, int32_t place)
{
    SYNC_ASSERT(place >= 0 && place < c->place_end);
    return c->topics[sync_kafka_place_topic(place)];
}

/*
 * Sets the whole assignment. The client aborts the process when a partition is removed a second
 * time before its first stop is done (librdkafka #5573), so two calls are kept apart: the stop
 * takes its main thread microseconds.
 */
static rd_kafka_resp_err_t assign_apart(struct sync_kafka_consumer *c,
                                        const rd_kafka_topic_partition_list_t *list)
{
    int64_t rest_us =
        c->assigned_at_us + SYNC_KAFKA_ASSIGN_APART_MS * 1000 - sync_clock_monotonic_us();
    if (c->assigned_at_us != 0 && rest_us > 0) {
        struct timespec rest = {0, rest_us * 1000};
        (void)nanosleep(&rest, NULL); /* woken early by a signal: only the race is less unlikely */
    }
    rd_kafka_resp_err_t error = rd_kafka_assign(c->handle, list);
    c->assigned_at_us = sync_clock_monotonic_us();
    return error;
}

/*
 * Answers at once, so that the group never waits for a database. ASSIGN gets an empty list: after
 * NULL the member is told of no further rebalance.
 */
static void on_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t error,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct sync_kafka_consumer *c = opaque;
    bool given = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    c->noted = given ? SYNC_KAFKA_ASSIGN : SYNC_KAFKA_REVOKE;
    c->noted_count = 0;
    for (int i = 0; i < list->cnt && c->noted_count < SYNC_KAFKA_PLACES_MAX; i++) {
        c->noted_places[c->noted_count++] =
            place_of(c, list->elems[i].topic, list->elems[i].partition);
    }
    for (int32_t i = 0; i < c->place_end; i++) {
        c->places[i].assigned = false;
    }
    rd_kafka_resp_err_t answer;
    if (given) {
        rd_kafka_topic_partition_list_t *empty = rd_kafka_topic_partition_list_new(1);
        answer = assign_apart(c, empty);
        rd_kafka_topic_partition_list_destroy(empty);
    } else {
        answer = assign_apart(c, NULL);
    }
    if (answer != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)kafka_fail(answer, "answer a rebalance", NULL, &c->noted_error);
    }
    rd_kafka_yield(handle);
}

static void on_error(rd_kafka_t *handle, int error, const char *reason, void *opaque)
{
    struct sync_kafka_consumer *c = opaque;
    char text[KAFKA_ERROR_TEXT_BYTES];
    (void)snprintf(text, sizeof text, "%s", reason);
    if (error == RD_KAFKA_RESP_ERR__FATAL) {
        (void)rd_kafka_fatal_error(handle, text, sizeof text);
    }
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        c->reachable = false;
    }
    if (c->noted_error.class != SYNC_CLASS_FATAL) {
        (void)kafka_fail((rd_kafka_resp_err_t)error, "read from Kafka", text, &c->noted_error);
    }
    rd_kafka_yield(handle);
}

static void on_commit(rd_kafka_t *handle, rd_kafka_resp_err_t error,
                      rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct sync_kafka_consumer *c = opaque;
    (void)handle;
    (void)list;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        c->hints_taken++;
    } else {
        c->hints_refused++;
    }
}

/* A broker that hangs keeps its connections "UP" for a minute, but is not heard. A member of a
 * group hears of its broker every three seconds, whether records come or not. */
static bool is_heard(const char *json)
{
    static const char up[] = "\"state\":\"UP\"", silence[] = "\"rxidle\":";
    for (const char *at = strstr(json, up); at != NULL; at = strstr(at + 1, up)) {
        const char *idle = strstr(at, silence); /* of the same broker: it stands behind its state */
        if (idle == NULL || strtoll(idle + sizeof silence - 1, NULL, 10) < SILENT_BROKER_US) {
            return true;
        }
    }
    return false;
}

static int on_statistics(rd_kafka_t *handle, char *json, size_t size, void *opaque)
{
    struct sync_kafka_consumer *c = opaque;
    (void)handle;
    (void)size;
    c->reachable = is_heard(json);
    return 0; /* the library frees the text */
}

static sync_status consumer_conf(const struct sync_kafka_options *options, const char *group,
                                 rd_kafka_conf_t *conf, struct sync_error *err)
{
    sync_status status = kafka_conf_common(conf, options, err);
    if (sync_is_ok(status)) {
        status = kafka_conf_set(conf, "group.id", group, err);
    }
    if (sync_is_ok(status)) {
        status = kafka_conf_list(conf, consumer_defaults, err);
    }
    if (sync_is_ok(status) && options->dev) {
        status = kafka_conf_list(conf, consumer_dev_defaults, err);
    }
    for (size_t i = 0; sync_is_ok(status) && i < sizeof consumer_bounds / sizeof *consumer_bounds;
         i++) {
        status = kafka_conf_number(conf, consumer_bounds[i].name, consumer_bounds[i].value, err);
    }
    if (sync_is_ok(status) && rd_kafka_version() >= 0x02020000) {
        status = kafka_conf_set(conf, "fetch.queue.backoff.ms", "10", err);
    }
    if (sync_is_ok(status)) {
        status = kafka_conf_list(conf, kafka_consumer_fixed, err);
    }
    if (sync_is_ok(status)) {
        status = kafka_conf_pass_through(conf, options->properties, kafka_consumer_fixed, err);
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    rd_kafka_conf_set_stats_cb(conf, on_statistics);
    return status;
}

static sync_status subscribe(struct sync_kafka_consumer *c, struct sync_error *err)
{
    (void)rd_kafka_poll_set_consumer(c->handle);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)c->topic_count);
    for (size_t i = 0; i < c->topic_count; i++) {
        (void)rd_kafka_topic_partition_list_add(list, c->topics[i], RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_resp_err_t error = rd_kafka_subscribe(c->handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? SYNC_OK
                                               : kafka_fail(error, "join the group", NULL, err);
}

sync_status sync_kafka_consumer_new(const struct sync_kafka_options *options, const char *group,
                                    const char *const *topics, size_t topic_count,
                                    struct sync_kafka_consumer **ret_consumer,
                                    struct sync_error *err)
{
    SYNC_ASSERT(topic_count > 0 && topic_count <= SYNC_ROUTE_INPUTS_MAX);
    struct sync_kafka_consumer *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "make a Kafka consumer: no memory");
    }
    memcpy(c->topics, topics, topic_count * sizeof *topics);
    c->topic_count = topic_count;
    c->place_end = sync_kafka_place(topic_count, 0);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, c);
    sync_status status = consumer_conf(options, group, conf, err);
    if (!sync_is_ok(status)) {
        rd_kafka_conf_destroy(conf);
    } else {
        status = kafka_handle_new(RD_KAFKA_CONSUMER, conf, &c->handle, err);
    }
    if (sync_is_ok(status)) {
        status = subscribe(c, err);
    }
    if (!sync_is_ok(status)) {
        sync_kafka_consumer_free(&c, 0);
        return status;
    }
    *ret_consumer = c;
    return SYNC_OK;
}

void sync_kafka_consumer_free(struct sync_kafka_consumer **consumer, int timeout_ms)
{
    struct sync_kafka_consumer *c = *consumer;
    *consumer = NULL;
    if (c == NULL) {
        return;
    }
    if (c->handle != NULL) {
        rd_kafka_queue_t *queue = rd_kafka_queue_new(c->handle);
        rd_kafka_error_t *error = rd_kafka_consumer_close_queue(c->handle, queue);
        int64_t until_us = sync_clock_monotonic_us() + (int64_t)timeout_ms * 1000;
        while (error == NULL && !rd_kafka_consumer_closed(c->handle) &&
               sync_clock_monotonic_us() < until_us) {
            rd_kafka_message_t *message =
                rd_kafka_consume_queue(queue, 20); /* fetched records too */
            if (message != NULL) {
                rd_kafka_message_destroy(message);
            }
        }
        if (error != NULL || !rd_kafka_consumer_closed(c->handle)) {
            return; /* closing may hang in this library: the process exits anyhow */
        }
        rd_kafka_queue_destroy(queue);
        rd_kafka_destroy_flags(c->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    free(c);
}

static bool take_noted(struct sync_kafka_consumer *c, struct sync_kafka_event *ret_event)
{
    if (c->noted != SYNC_KAFKA_NONE) {
        ret_event->type = c->noted;
        ret_event->place_count = c->noted_count;
        memcpy(ret_event->places, c->noted_places, c->noted_count * sizeof(int32_t));
        c->noted = SYNC_KAFKA_NONE;
        return true;
    }
    if (c->noted_error.class != SYNC_CLASS_OK) {
        ret_event->type = SYNC_KAFKA_ERROR;
        ret_event->error = c->noted_error;
        c->noted_error = (struct sync_error){0};
        return true;
    }
    return false;
}

static void event_of_error(const rd_kafka_message_t *message, struct sync_kafka_event *ret_event)
{
    (void)kafka_fail(message->err, "read from Kafka", rd_kafka_message_errstr(message),
                     &ret_event->error);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        ret_event->type = SYNC_KAFKA_EOF;
    } else if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        ret_event->type = SYNC_KAFKA_RESET;
    } else if (is_partition_error(message->err)) {
        ret_event->type = SYNC_KAFKA_PARTITION_ERROR;
    } else {
        ret_event->type = SYNC_KAFKA_ERROR;
    }
}

static void event_of_record(struct sync_kafka_consumer *c, const rd_kafka_message_t *message,
                            struct sync_kafka_event *ret_event)
{
    rd_kafka_timestamp_type_t type;
    ret_event->type = SYNC_KAFKA_RECORD;
    ret_event->timestamp_ms = rd_kafka_message_timestamp(message, &type);
    ret_event->append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
    ret_event->key = (struct sync_bytes){message->key, message->key_len};
    ret_event->value = (struct sync_bytes){message->payload, message->len};
    ret_event->value_null = message->payload == NULL;
    c->places[ret_event->place].next = message->offset + 1;
    c->reachable = true;
}

void sync_kafka_poll(struct sync_kafka_consumer *c, int timeout_ms,
                     struct sync_kafka_event *ret_event)
{
    ret_event->type = SYNC_KAFKA_NONE;
    ret_event->message = NULL;
    if (take_noted(c, ret_event)) {
        return;
    }
    rd_kafka_message_t *message = rd_kafka_consumer_poll(c->handle, timeout_ms);
    if (message == NULL) {
        (void)take_noted(c, ret_event);
        return;
    }
    ret_event->message = message;
    ret_event->offset = message->offset;
    ret_event->place = message->rkt != NULL && message->partition >= 0
                           ? place_of(c, rd_kafka_topic_name(message->rkt), message->partition)
                           : 0; /* an error of the whole client, or of a topic */
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        event_of_error(message, ret_event);
        return;
    }
    event_of_record(c, message, ret_event);
}

void sync_kafka_event_done(struct sync_kafka_event *event)
{
    if (event->message != NULL) {
        rd_kafka_message_destroy(event->message);
        event->message = NULL;
    }
}

/* List of the places for which want is true. */
static rd_kafka_topic_partition_list_t *place_list(const struct sync_kafka_consumer *c,
                                                   bool (*want)(const struct sync_kafka_consumer *c,
                                                                const struct place *p))
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(c->place_end);
    for (int32_t i = 0; i < c->place_end; i++) {
        if (want(c, &c->places[i])) {
            rd_kafka_topic_partition_list_add(list, topic_of(c, i), sync_kafka_place_partition(i))
                ->offset = c->places[i].next;
        }
    }
    return list;
}

static bool want_assigned(const struct sync_kafka_consumer *c, const struct place *p)
{
    (void)c;
    return p->assigned;
}

static bool want_pause(const struct sync_kafka_consumer *c, const struct place *p)
{
    return c->pausing && p->assigned;
}

static bool want_resume(const struct sync_kafka_consumer *c, const struct place *p)
{
    return !c->pausing && p->assigned && p->paused;
}

/* Brings pauses in line with what is wanted; only partitions that we paused are resumed. */
static sync_status pauses_follow(struct sync_kafka_consumer *c, struct sync_error *err)
{
    rd_kafka_topic_partition_list_t *list = place_list(c, c->pausing ? want_pause : want_resume);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (list->cnt > 0) {
        error = c->pausing ? rd_kafka_pause_partitions(c->handle, list)
                           : rd_kafka_resume_partitions(c->handle, list);
    }
    for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *each = &list->elems[i];
        c->places[place_of(c, each->topic, each->partition)].paused = c->pausing;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR
               ? SYNC_OK
               : kafka_fail(error, c->pausing ? "pause partitions" : "resume partitions", NULL,
                            err);
}

/* The eager protocol knows only whole assignments: everything is set again, each at its own offset.
 */
static sync_status assignment_set(struct sync_kafka_consumer *c, struct sync_error *err)
{
    rd_kafka_topic_partition_list_t *list = place_list(c, want_assigned);
    rd_kafka_resp_err_t error = assign_apart(c, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(error, "assign partitions", NULL, err);
    }
    return pauses_follow(c, err);
}

sync_status sync_kafka_assign(struct sync_kafka_consumer *c, const struct sync_kafka_start *starts,
                              size_t count, struct sync_error *err)
{
    for (size_t i = 0; i < count; i++) {
        SYNC_ASSERT(starts[i].place >= 0 && starts[i].place < c->place_end);
        c->places[starts[i].place].assigned = true;
        c->places[starts[i].place].next = starts[i].offset;
    }
    return assignment_set(c, err);
}

sync_status sync_kafka_unassign(struct sync_kafka_consumer *c, int32_t place,
                                struct sync_error *err)
{
    SYNC_ASSERT(place >= 0 && place < c->place_end);
    if (!c->places[place].assigned) {
        return SYNC_OK;
    }
    c->places[place].assigned = false;
    return assignment_set(c, err);
}

sync_status sync_kafka_pause(struct sync_kafka_consumer *c, bool pause, struct sync_error *err)
{
    c->pausing = pause;
    return pauses_follow(c, err);
}

void sync_kafka_hint(struct sync_kafka_consumer *c, int32_t place, int64_t position)
{
    if (c->noted != SYNC_KAFKA_NONE || !c->places[place].assigned) {
        return; /* never during a rebalance: a commit there can lose the assignment */
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic_of(c, place), sync_kafka_place_partition(place))
        ->offset = position;
    if (rd_kafka_commit(c->handle, list, 1) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        c->hints_refused++;
    }
    rd_kafka_topic_partition_list_destroy(list);
}

void sync_kafka_hint_counts(const struct sync_kafka_consumer *c, uint64_t *ret_taken,
                            uint64_t *ret_refused)
{
    *ret_taken = c->hints_taken;
    *ret_refused = c->hints_refused;
}

bool sync_kafka_is_reachable(const struct sync_kafka_consumer *c)
{
    return c->reachable;
}

int64_t sync_kafka_high_cached(struct sync_kafka_consumer *c, int32_t place)
{
    int64_t low = -1;
    int64_t high = -1;
    rd_kafka_resp_err_t error = rd_kafka_get_watermark_offsets(
        c->handle, topic_of(c, place), sync_kafka_place_partition(place), &low, &high);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : -1;
}

sync_status sync_kafka_marks(struct sync_kafka_consumer *c, int32_t place, int timeout_ms,
                             int64_t *ret_low, int64_t *ret_high, struct sync_error *err)
{
    return kafka_topic_marks(c->handle, topic_of(c, place), sync_kafka_place_partition(place),
                             timeout_ms, ret_low, ret_high, err);
}

sync_status sync_kafka_describe(struct sync_kafka_consumer *c, size_t topic, int timeout_ms,
                                char ret_cluster_id[static 64], int32_t *ret_partitions,
                                struct sync_error *err)
{
    SYNC_ASSERT(topic < c->topic_count);
    sync_status status = kafka_topic_describe(c->handle, c->topics[topic], timeout_ms,
                                              ret_cluster_id, ret_partitions, err);
    c->reachable = c->reachable || sync_is_ok(status); /* the next statistics may be seconds away */
    return status;
}
