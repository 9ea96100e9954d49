/*
 * The poll thread: owns the Kafka handle, fills the ring of records, answers rebalances, carries
 * out what the apply thread commands. It never touches a database. Not here: decisions about
 * partitions.
 */
#include "clock.h"
#include "consumer_parts.h"
#include "health.h"
#include "log.h"
#include "metrics.h"

#define POLL_MS          100 /* so often control messages are looked at while nothing comes */
#define POLL_BUSY_MS     5   /* while claims are on their way */
#define DESCRIBE_MS      2000
#define MARKS_MS         2000
#define FULL_RING_MAX_US 1000000 /* a full ring is not polled for, at most this long at a time */
#define CLOSE_MS         5000

/* The poll thread's own state. */
struct poll {
    struct consumer *c;
    uint32_t generation;
    bool paused;
    bool reading[CONSUMER_PLACES_MAX];
    int64_t next[CONSUMER_PLACES_MAX]; /* behind the last record that came */
    bool describing;                   /* an assignment whose topic is still to be asked about */
    struct consumer_assignment assignment;
    bool asking[CONSUMER_PLACES_MAX]; /* marks still to be asked for */
    bool asks;                        /* any of them: one look a record, not one a place */
    bool holding;                     /* event holds a record that found no room */
    struct sync_kafka_event event;
    int64_t full_since_us, unknown_since_us, moved_at_us, second_at_us, busy_until_us;
    struct sync_metric *rebalances, *hints, *assigned;
    uint64_t hints_taken, hints_refused;
};

static void fail(struct poll *p, const struct sync_error *err)
{
    consumer_fail(p->c, err);
}

static void send_event(struct poll *p, const void *event, size_t size)
{
    while (!sync_ring_put(p->c->events, event, size)) {
        if (atomic_load(&p->c->apply_ended)) {
            return;
        }
        (void)sync_wake_wait(&p->c->poll_wake, POLL_BUSY_MS);
        sync_health_beat(SYNC_LOOP_POLL);
    }
}

/* Commands ------------------------------------------------------------------------------------ */

static void on_reads(struct poll *p, const struct consumer_reads *reads)
{
    struct sync_error err = {0};
    for (size_t i = 0; i < reads->count; i++) {
        p->reading[reads->starts[i].place] = true;
        p->next[reads->starts[i].place] = reads->starts[i].offset;
    }
    p->moved_at_us = sync_clock_monotonic_us();
    if (!sync_is_ok(sync_kafka_assign(p->c->kafka, reads->starts, reads->count, &err))) {
        sync_log_error(SYNC_WARN, "assign", &err);
    }
}

static void on_command(struct poll *p, const struct consumer_command *command)
{
    struct sync_error err = {0};
    sync_status status = SYNC_OK;
    bool pauses = command->type == COMMAND_PAUSE || command->type == COMMAND_RESUME;
    if (!pauses && command->generation != p->generation) {
        return; /* of an assignment that is gone: the client would take it without complaint */
    }
    switch (command->type) {
    case COMMAND_READ:
        on_reads(p, (const struct consumer_reads *)(const void *)command);
        break;
    case COMMAND_MARKS:
        p->asking[command->place] = true;
        p->asks = true;
        break;
    case COMMAND_DROP:
        p->reading[command->place] = false;
        status = sync_kafka_unassign(p->c->kafka, command->place, &err);
        break;
    case COMMAND_HINT:
        sync_kafka_hint(p->c->kafka, command->place, command->offset);
        break;
    case COMMAND_PAUSE:
    case COMMAND_RESUME:
        p->paused = command->type == COMMAND_PAUSE;
        p->moved_at_us = sync_clock_monotonic_us();
        status = sync_kafka_pause(p->c->kafka, p->paused, &err);
        break;
    }
    if (!sync_is_ok(status)) {
        sync_log_error(SYNC_WARN, "kafka command", &err);
    }
}

static void take_commands(struct poll *p)
{
    size_t size = 0;
    void *item = sync_ring_next(p->c->commands, NULL, &size);
    for (; item != NULL; item = sync_ring_next(p->c->commands, NULL, &size)) {
        on_command(p, item);
        sync_ring_release(p->c->commands, item);
    }
}

/* Assignments and marks ----------------------------------------------------------------------- */

static void forget(struct poll *p)
{
    p->generation++;
    p->describing = false;
    memset(p->reading, 0, sizeof p->reading);
    memset(p->asking, 0, sizeof p->asking);
    if (p->holding) {
        p->holding = false; /* of a partition that is no longer ours */
        sync_kafka_event_done(&p->event);
    }
}

static void on_assign(struct poll *p, const struct sync_kafka_event *event)
{
    struct consumer_assignment *assignment = &p->assignment;
    forget(p);
    assignment->event =
        (struct consumer_event){.type = EVENT_ASSIGNED, .generation = p->generation};
    assignment->count = event->place_count;
    memcpy(assignment->places, event->places, event->place_count * sizeof event->places[0]);
    p->describing = true;
    p->busy_until_us = sync_clock_monotonic_us() + FULL_RING_MAX_US;
    sync_metric_add(p->rebalances, 1, SYNC_LABELS(p->c->scope));
    sync_metric_set(p->assigned, (double)event->place_count, SYNC_LABELS(p->c->scope));
}

static void on_revoke(struct poll *p)
{
    forget(p);
    struct consumer_event event = {.type = EVENT_REVOKED, .generation = p->generation};
    send_event(p, &event, sizeof event);
    sync_metric_set(p->assigned, 0, SYNC_LABELS(p->c->scope));
}

/* A topic that does not exist may be made after us; after a minute it is a mistake. The client says
 * so once only, so the end of the minute is seen by each_second. */
static void on_unknown(struct poll *p, int64_t now_us)
{
    if (p->unknown_since_us == 0) {
        p->unknown_since_us = now_us;
    }
}

/* Asks about every topic; ret_topic: the one that failed. */
static sync_status describe_topics(struct poll *p, struct consumer_assignment *ret_assignment,
                                   const char **ret_topic, struct sync_error *err)
{
    const struct sync_route *route = p->c->route;
    sync_status status = SYNC_OK;
    for (size_t i = 0; sync_is_ok(status) && i < route->input_count; i++) {
        *ret_topic = route->inputs[i].topic;
        status = sync_kafka_describe(p->c->kafka, i, DESCRIBE_MS, ret_assignment->cluster_id,
                                     &ret_assignment->partitions_total[i], err);
    }
    return status;
}

/* Asked for once more at the end: it may be there, with all its partitions at other members. */
static void check_unknown(struct poll *p, int64_t now_us)
{
    const char *topic = "";
    struct sync_error err = {0};
    if (p->unknown_since_us == 0 ||
        now_us - p->unknown_since_us < (int64_t)SYNC_TOPIC_UNKNOWN_MS * 1000) {
        return;
    }
    if (sync_is_ok(describe_topics(p, &p->assignment, &topic, &err))) {
        p->unknown_since_us = 0;
        return;
    }
    if (err.code == SYNC_CODE_TOPIC_UNKNOWN) {
        (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_UNKNOWN,
                        "read %s: the broker has no such topic; run \"altinn-sync topics apply\"",
                        topic);
        fail(p, &err);
    }
}

static void on_error(struct poll *p, const struct sync_error *err)
{
    sync_health_set(SYNC_DEP_KAFKA, false);
    if (err->class == SYNC_CLASS_FATAL) {
        fail(p, err);
        return;
    }
    sync_log_error(SYNC_WARN, "kafka", err);
    if (err->code == SYNC_CODE_TOPIC_UNKNOWN) {
        on_unknown(p, sync_clock_monotonic_us());
    }
}

/*
 * The claim compares cluster and topics with what the database knows; they are asked for here. One
 * of several topics may be missing though the group gave us partitions of the others.
 */
static void describe(struct poll *p)
{
    const char *topic = "";
    struct sync_error err = {0};
    sync_status status = describe_topics(p, &p->assignment, &topic, &err);
    if (!sync_is_ok(status)) {
        err.class = err.code == SYNC_CODE_TOPIC_UNKNOWN ? SYNC_CLASS_RETRY : err.class;
        on_error(p, &err);
        return;
    }
    p->unknown_since_us = 0;
    p->describing = false;
    sync_health_set(SYNC_DEP_KAFKA, true);
    send_event(p, &p->assignment, consumer_assignment_size(&p->assignment));
}

static void ask_marks(struct poll *p)
{
    if (!p->asks) {
        return;
    }
    for (int32_t i = 0; i < p->c->place_end; i++) {
        struct consumer_event event = {
            .type = EVENT_MARKS, .generation = p->generation, .place = i};
        struct sync_error err = {0};
        if (!p->asking[i]) {
            continue;
        }
        if (!sync_is_ok(
                sync_kafka_marks(p->c->kafka, i, MARKS_MS, &event.low, &event.high, &err))) {
            on_error(p, &err);
            return; /* again at the next turn */
        }
        p->asking[i] = false;
        send_event(p, &event, sizeof event);
    }
    p->asks = false;
}

/* Records ------------------------------------------------------------------------------------- */

/* False when there is no room. */
static bool put_record(struct poll *p, const struct sync_kafka_event *event)
{
    struct consumer_record record = {
        .generation = p->generation,
        .place = event->place,
        .offset = event->offset,
        .timestamp_ms = event->timestamp_ms,
        .append_time = event->append_time,
        .key_null = event->key.data == NULL,
        .value_null = event->value_null,
        .key_size = (uint32_t)event->key.size,
        .value_size = (uint32_t)event->value.size,
    };
    uint8_t *memory =
        sync_ring_reserve(p->c->records, sizeof record + event->key.size + event->value.size);
    if (memory == NULL) {
        return false;
    }
    memcpy(memory, &record, sizeof record);
    if (event->key.size > 0) {
        memcpy(memory + sizeof record, event->key.data, event->key.size);
    }
    if (event->value.size > 0) {
        memcpy(memory + sizeof record + event->key.size, event->value.data, event->value.size);
    }
    sync_ring_commit(p->c->records);
    p->next[event->place] = event->offset + 1;
    return true;
}

static bool check_time(struct poll *p, const struct sync_kafka_event *event)
{
    if (event->append_time || p->c->config->dev) {
        return true;
    }
    struct sync_error err = {0};
    (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_REFUSED,
                    "read %s: its records carry the time of the producer; set "
                    "message.timestamp.type=LogAppendTime on the topic",
                    consumer_place(p->c, event->place).topic);
    fail(p, &err);
    return false;
}

static void on_record(struct poll *p)
{
    p->moved_at_us = sync_clock_monotonic_us();
    if (!p->reading[p->event.place] || !check_time(p, &p->event)) {
        sync_kafka_event_done(&p->event);
        return;
    }
    p->holding = !put_record(p, &p->event);
    if (!p->holding) {
        sync_kafka_event_done(&p->event);
    }
}

static void on_reset(struct poll *p, const struct sync_kafka_event *event)
{
    struct consumer_event answer = {.type = EVENT_RESET,
                                    .generation = p->generation,
                                    .place = event->place,
                                    .offset = event->offset};
    struct sync_error err = {0};
    if (!p->reading[event->place]) {
        return;
    }
    p->reading[event->place] = false;
    if (!sync_is_ok(sync_kafka_marks(p->c->kafka, event->place, MARKS_MS, &answer.low, &answer.high,
                                     &err))) {
        on_error(p, &err);
        answer.low = answer.high = -1; /* the apply thread has it read again */
    }
    send_event(p, &answer, sizeof answer);
}

static void on_partition_error(struct poll *p, const struct sync_kafka_event *event)
{
    struct consumer_event answer = {.type = EVENT_PARTITION_ERROR,
                                    .generation = p->generation,
                                    .place = event->place,
                                    .offset = event->offset};
    if (p->reading[event->place]) {
        sync_log_error(SYNC_ERROR, "kafka batch", &event->error);
        send_event(p, &answer, sizeof answer);
    }
}

static void poll_once(struct poll *p, int timeout_ms)
{
    sync_kafka_poll(p->c->kafka, timeout_ms, &p->event);
    switch (p->event.type) {
    case SYNC_KAFKA_RECORD:
        on_record(p);
        return; /* the record may be held */
    case SYNC_KAFKA_ASSIGN:
        on_assign(p, &p->event);
        break;
    case SYNC_KAFKA_REVOKE:
        on_revoke(p);
        break;
    case SYNC_KAFKA_RESET:
        on_reset(p, &p->event);
        break;
    case SYNC_KAFKA_PARTITION_ERROR:
        on_partition_error(p, &p->event);
        break;
    case SYNC_KAFKA_ERROR:
        on_error(p, &p->event.error);
        break;
    case SYNC_KAFKA_EOF:
    case SYNC_KAFKA_NONE:
        break;
    }
    sync_kafka_event_done(&p->event);
}

/* Once a second ------------------------------------------------------------------------------- */

/* Lag, no pause of ours, room in the ring, the broker there, and no record for a minute: the client
 * has stalled. */
static void watch(struct poll *p, bool lagging, int64_t now_us)
{
    bool excused = p->paused || p->holding || p->full_since_us != 0 || !lagging ||
                   !sync_kafka_is_reachable(p->c->kafka);
    if (excused) {
        p->moved_at_us = now_us;
    }
    if (now_us - p->moved_at_us >= (int64_t)SYNC_WATCHDOG_MS * 1000) {
        struct sync_error err = {0};
        (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_TIMEOUT,
                        "read %s: records are there, but the client gave none for %d s",
                        p->c->scope, SYNC_WATCHDOG_MS / 1000);
        fail(p, &err);
    }
}

static void each_second(struct poll *p, int64_t now_us)
{
    bool lagging = false;
    if (now_us < p->second_at_us) {
        return;
    }
    p->second_at_us = now_us + 1000000;
    for (int32_t i = 0; i < p->c->place_end; i++) {
        if (!p->reading[i]) {
            continue;
        }
        struct consumer_event event = {.type = EVENT_HIGH,
                                       .generation = p->generation,
                                       .place = i,
                                       .high = sync_kafka_high_cached(p->c->kafka, i)};
        lagging = lagging || event.high > p->next[i];
        (void)sync_ring_put(p->c->events, &event, sizeof event); /* the next second has it too */
    }
    watch(p, lagging, now_us);
    check_unknown(p, now_us);
    sync_health_set(SYNC_DEP_KAFKA, sync_kafka_is_reachable(p->c->kafka));
    uint64_t taken = 0;
    uint64_t refused = 0;
    sync_kafka_hint_counts(p->c->kafka, &taken, &refused);
    sync_metric_add(p->hints, (double)(taken - p->hints_taken), SYNC_LABELS(p->c->scope, "taken"));
    sync_metric_add(p->hints, (double)(refused - p->hints_refused),
                    SYNC_LABELS(p->c->scope, "refused"));
    p->hints_taken = taken;
    p->hints_refused = refused;
}

/* The loop ------------------------------------------------------------------------------------ */

/*
 * A full ring is not polled for: pausing costs a second on this library, waiting costs nothing.
 * Once a second it is polled all the same, because rebalances are told by the same call.
 */
static bool may_poll(struct poll *p, int64_t now_us)
{
    if (p->holding && put_record(p, &p->event)) {
        p->holding = false;
        sync_kafka_event_done(&p->event);
    }
    bool full = sync_ring_bytes(p->c->records) >= (size_t)p->c->config->ring_bytes_max;
    if (!p->holding && !full) {
        p->full_since_us = 0;
        return true;
    }
    if (p->full_since_us == 0) {
        p->full_since_us = now_us;
    }
    if (p->holding || now_us - p->full_since_us < FULL_RING_MAX_US) {
        return false;
    }
    p->full_since_us = now_us;
    return true;
}

static void turn(struct poll *p)
{
    int64_t now_us = sync_clock_monotonic_us();
    sync_health_beat(SYNC_LOOP_POLL);
    take_commands(p);
    if (p->describing) {
        describe(p);
    }
    ask_marks(p);
    each_second(p, now_us);
    if (!may_poll(p, now_us)) {
        (void)sync_wake_wait(&p->c->poll_wake, POLL_MS);
        return;
    }
    poll_once(p, now_us < p->busy_until_us || p->describing ? POLL_BUSY_MS : POLL_MS);
}

/* The last positions are told to the group, then it is left, so that the others take over at once.
 */
static void close_down(struct poll *p)
{
    while (!atomic_load(&p->c->apply_ended) || !atomic_load(&p->c->sender_ended)) {
        take_commands(p);
        sync_health_beat(SYNC_LOOP_POLL);
        (void)sync_wake_wait(&p->c->poll_wake, POLL_MS);
    }
    take_commands(p);
    if (p->holding) {
        sync_kafka_event_done(&p->event);
    }
    sync_kafka_consumer_free(&p->c->kafka, CLOSE_MS);
}

void *consumer_poll_main(void *context)
{
    static struct poll state;
    struct poll *p = &state;
    p->c = context;
    p->moved_at_us = sync_clock_monotonic_us();
    p->rebalances = sync_metric_new(SYNC_COUNTER, "rebalances_total",
                                    "Assignments that the group gave.", "consumer");
    p->hints = sync_metric_new(SYNC_COUNTER, "offset_hints_total", "Positions told to the group.",
                               "consumer,result");
    p->assigned = sync_metric_new(SYNC_GAUGE, "assigned_partitions",
                                  "Partitions that the group gave to this process.", "consumer");
    while (!atomic_load(&p->c->stopping) && !atomic_load(&p->c->failed)) {
        turn(p);
    }
    close_down(p);
    atomic_store(&p->c->poll_ended, true);
    return NULL;
}
