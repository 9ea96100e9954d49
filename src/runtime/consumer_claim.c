/*
 * The apply thread's answer to assignments: what the poll thread tells, first starts, claims. Not
 * here: the statements (claim.c), applying.
 */
#include "clock.h"
#include "consumer_parts.h"
#include "health.h"
#include "log.h"

#include <stdlib.h>

#define CLAIM_RETRY_FIRST_MS 200

size_t consumer_assignment_size(const struct consumer_assignment *assignment)
{
    return offsetof(struct consumer_assignment, places) +
           assignment->count * sizeof assignment->places[0];
}

static struct consumer_partition *partition_of(struct consumer *c, int32_t place)
{
    SYNC_ASSERT(place >= 0 && place < c->place_end);
    return &c->apply.places[place];
}

/* Assignments --------------------------------------------------------------------------------- */

static void forget_all(struct consumer *c, uint32_t generation)
{
    consumer_disown_all(c);
    c->apply.generation = generation;
    for (int32_t i = 0; i < c->place_end; i++) {
        c->apply.places[i].state = PARTITION_NONE;
    }
    c->apply.claims_due = false;
}

static void partition_begin(struct consumer *c, int32_t place)
{
    struct consumer_partition *p = partition_of(c, place);
    *p = (struct consumer_partition){
        .state = PARTITION_NEW,
        .high = -1,
        .hinted = -1,
        .refused_offset = -1,
        .records_max = (size_t)c->config->batch_records_max,
    };
}

static void refuse_cluster(struct consumer *c, const char *cluster_id)
{
    struct sync_error err = {0};
    (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_CLUSTER,
                    "claim %s: the cluster is %s, topics.yaml names %s; correct "
                    "kafka.bootstrap_servers, or cluster.id in topics.yaml",
                    c->route->inputs[0].topic, cluster_id, c->options->topics->cluster_id);
    consumer_fail(c, &err);
}

/* Each topic must have the partitions that lanes are computed with. */
static bool check_assignment(struct consumer *c, const struct consumer_assignment *assignment)
{
    const struct sync_topics *topics = c->options->topics;
    if (topics->cluster_id[0] != '\0' && strcmp(topics->cluster_id, assignment->cluster_id) != 0) {
        refuse_cluster(c, assignment->cluster_id);
        return false;
    }
    for (size_t i = 0; i < c->route->input_count; i++) {
        const char *name = c->route->inputs[i].topic;
        const struct sync_topic *topic = sync_topics_find(topics, name);
        if (topic != NULL && topic->partitions != assignment->partitions_total[i]) {
            struct sync_error err = {0};
            (void)sync_fail(
                &err, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_REFUSED,
                "claim %s: it has %d partitions, topics.yaml says %d; correct topics.yaml, "
                "or make the topic anew before anything is in it",
                name, assignment->partitions_total[i], topic->partitions);
            consumer_fail(c, &err);
            return false;
        }
    }
    return true;
}

static void on_assigned(struct consumer *c, const struct consumer_assignment *assignment,
                        int64_t now_us)
{
    forget_all(c, assignment->event.generation);
    c->apply.fenced_at_us = 0;
    if (!check_assignment(c, assignment)) {
        return;
    }
    for (size_t i = 0; i < assignment->count; i++) {
        partition_begin(c, assignment->places[i]);
    }
    c->apply.assignment = (struct consumer_assignment){.count = assignment->count};
    memcpy(&c->apply.assignment, assignment, consumer_assignment_size(assignment));
    c->apply.comparing = true;
    c->apply.claims_due = true;
    c->apply.claim_at_us = now_us;
    c->apply.retry_delay_ms = CLAIM_RETRY_FIRST_MS;
}

/* Marks and resets ---------------------------------------------------------------------------- */

static void on_marks(struct consumer *c, const struct consumer_event *event)
{
    struct consumer_partition *p = partition_of(c, event->place);
    if (p->state == PARTITION_STARTING) {
        p->start = strcmp(c->config->consumer_start, "latest") == 0 ? event->high : event->low;
        p->state = PARTITION_CLAIMING;
        c->apply.claims_due = true;
        c->apply.claim_at_us = 0;
    }
}

/* The broker has no record where we asked: perhaps only the one just below us is gone. */
static void on_reset(struct consumer *c, const struct consumer_event *event)
{
    struct consumer_partition *p = partition_of(c, event->place);
    if (p->state != PARTITION_OWNED) {
        return;
    }
    if (event->low < 0) {
        consumer_read(c, event->place, p->check_tail ? p->position - 1 : p->position);
        return; /* the marks could not be asked for: the broker refuses again, then we know */
    }
    if (event->low <= p->position && p->position <= event->high) {
        bool only_tail = p->check_tail && event->low == p->position;
        if (only_tail || !p->check_tail) {
            p->check_tail = false;
            consumer_read(c, event->place, p->position);
            return;
        }
    }
    struct sync_error err = {0};
    struct sync_place at = consumer_place(c, event->place);
    (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_TRUNCATED_LOG,
                    "read %s:%d at %lld: the topic holds %lld to %lld; %s", at.topic, at.partition,
                    (long long)p->position, (long long)event->low, (long long)event->high,
                    event->low > p->position
                        ? "records were deleted before they were applied; see docs/operators.md"
                        : "the log was truncated; see docs/operators.md");
    consumer_stop_partition(c, event->place, &err);
}

static void on_partition_error(struct consumer *c, const struct consumer_event *event)
{
    struct sync_error err = {0};
    struct sync_place at = consumer_place(c, event->place);
    (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_KAFKA_REFUSED,
                    "read %s:%d at %lld: the client cannot unpack the batch; see docs/operators.md",
                    at.topic, at.partition, (long long)event->offset);
    if (partition_of(c, event->place)->state == PARTITION_OWNED) {
        consumer_stop_partition(c, event->place, &err);
    }
}

static void on_event(struct consumer *c, const struct consumer_event *event, int64_t now_us)
{
    if (event->type == EVENT_ASSIGNED) {
        on_assigned(c, (const struct consumer_assignment *)(const void *)event, now_us);
        return;
    }
    if (event->type == EVENT_REVOKED) {
        forget_all(c, event->generation);
        c->apply.comparing = false;
        return;
    }
    if (event->generation != c->apply.generation) {
        return;
    }
    switch (event->type) {
    case EVENT_MARKS:
        on_marks(c, event);
        break;
    case EVENT_RESET:
        on_reset(c, event);
        break;
    case EVENT_PARTITION_ERROR:
        on_partition_error(c, event);
        break;
    case EVENT_HIGH:
        partition_of(c, event->place)->high = event->high;
        break;
    case EVENT_ASSIGNED:
    case EVENT_REVOKED:
        break;
    }
}

void consumer_events(struct consumer *c, int64_t now_us)
{
    size_t size = 0;
    void *item = sync_ring_next(c->events, NULL, &size);
    for (; item != NULL; item = sync_ring_next(c->events, NULL, &size)) {
        on_event(c, item, now_us);
        sync_ring_release(c->events, item);
    }
}

/* Claims -------------------------------------------------------------------------------------- */

/* First start: only a place without an owner row asks the broker where it begins. */
static sync_status look_for_row(struct consumer *c, int32_t place, struct sync_error *err)
{
    struct consumer_partition *p = partition_of(c, place);
    struct sync_place at = consumer_place(c, place);
    bool exists = false;
    sync_status status = sync_claim_exists(c->apply.db, &at, &exists, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (exists) {
        p->start = 0; /* with a row it does not count */
        p->state = PARTITION_CLAIMING;
        return SYNC_OK;
    }
    p->state = PARTITION_STARTING;
    struct consumer_command command = {COMMAND_MARKS, c->apply.generation, place, 0};
    consumer_command(c, &command, sizeof command);
    return SYNC_OK;
}

static sync_status claim(struct consumer *c, int32_t place, struct consumer_reads *reads,
                         struct sync_error *err)
{
    struct consumer_partition *p = partition_of(c, place);
    struct sync_place at = consumer_place(c, place);
    struct sync_owner owner = {0};
    sync_status status = sync_claim_partition(c->apply.db, &at, p->start, c->holder, &owner, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    p->state = PARTITION_OWNED;
    p->epoch = owner.epoch;
    p->position = owner.position;
    p->check_tail = owner.has_tail;
    p->tail = owner.tail;
    reads->starts[reads->count++] =
        (struct sync_kafka_start){owner.has_tail ? owner.position - 1 : owner.position, place};
    consumer_own_lanes(c, place, owner.epoch);
    return SYNC_OK;
}

/* One pass over what is not owned yet. The first failure ends it; what was claimed is read. */
static sync_status claim_all(struct consumer *c, struct sync_error *err)
{
    struct consumer_reads reads;
    reads.command = (struct consumer_command){COMMAND_READ, c->apply.generation, 0, 0};
    reads.count = 0;
    sync_status status = SYNC_OK;
    struct sync_error first = {0};
    for (int32_t i = 0; i < c->place_end; i++) {
        struct consumer_partition *p = partition_of(c, i);
        struct sync_error own = {0};
        sync_status one = SYNC_OK;
        if (p->state == PARTITION_NEW) {
            one = look_for_row(c, i, &own);
        }
        if (sync_is_ok(one) && p->state == PARTITION_CLAIMING) {
            one = claim(c, i, &reads, &own);
        }
        if (!sync_is_ok(one) && sync_is_ok(status)) {
            status = one;
            first = own;
        }
        if (!sync_is_ok(one) && own.code != SYNC_CODE_DB_CONFLICT) {
            break; /* a lock that one zombie holds must not keep the other partitions waiting */
        }
        sync_health_beat(SYNC_LOOP_APPLY);
    }
    if (reads.count > 0) {
        consumer_command(c, &reads, consumer_reads_size(&reads));
    }
    if (!sync_is_ok(status)) {
        *err = first;
    }
    return status;
}

/* What the database knows of the topics of the assignment. */
static sync_status compare_topics(struct consumer *c, struct sync_error *err)
{
    const struct consumer_assignment *assignment = &c->apply.assignment;
    sync_status status = SYNC_OK;
    for (size_t i = 0; sync_is_ok(status) && i < c->route->input_count; i++) {
        status = sync_claim_topic(c->apply.db, c->route->inputs[i].topic, assignment->cluster_id,
                                  assignment->partitions_total[i], err);
    }
    return status;
}

void consumer_claims(struct consumer *c, int64_t now_us)
{
    struct consumer_apply *a = &c->apply;
    struct sync_error err = {0};
    sync_status status = SYNC_OK;
    if (!a->claims_due || a->breaker.open || now_us < a->claim_at_us) {
        return;
    }
    if (a->comparing) {
        status = compare_topics(c, &err);
        a->comparing = !sync_is_ok(status);
    }
    if (sync_is_ok(status)) {
        status = claim_all(c, &err);
    }
    if (sync_is_ok(status)) {
        a->claims_due = false;
        if (!a->started) {
            a->started = true;
            sync_health_started();
        }
        return;
    }
    a->claim_at_us = sync_clock_monotonic_us() + a->retry_delay_ms * 1000;
    a->retry_delay_ms =
        a->retry_delay_ms * 2 < SYNC_BACKOFF_MAX_MS ? a->retry_delay_ms * 2 : SYNC_BACKOFF_MAX_MS;
    consumer_trouble(c, &err, sync_clock_monotonic_us());
}
