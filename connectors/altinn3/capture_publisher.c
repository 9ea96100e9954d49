/* From events to acknowledged records to a stored position. */
#include "capture_publisher.h"

#include "capture_metrics.h"

#include <core/limits.h>
#include <runtime/clock.h>
#include <runtime/health.h>
#include <runtime/log.h>
#include <runtime/route.h>
#include <stdlib.h>

#define IDLE_MS          100
#define WAITING_MS       20        /* while changes wait for an id */
#define BUSY_MS          2         /* while reports are due */
#define SILENT_BROKER_US 5000000LL /* no report of a record under way */
#define ASK_TOPIC_MS     1000
#define ASK_QUIET_US     5000000LL  /* while no record is under way nothing else tells an outage */
#define STORE_US         500000LL   /* a position that has records behind it is stored so often */
#define STORE_IDLE_US    10000000LL /* else storing would make log that makes storing */
#define ASK_FIRST_US     5000LL /* a commit can be streamed before a query sees it: most often … */
#define ASK_AGAIN_US     1000000LL /* … only just; what stays away is asked for less and less */
#define RETRY_US         500000LL

/* Restart
 * -------------------------------------------------------------------------------------------- */

/* Asks the stream to begin again behind the confirmed prefix; what is under way here is forgotten.
 */
static void ask_restart(struct capture_publisher *publisher)
{
    publisher->is_reading = false;
    publisher->pending_count = 0;
    atomic_store(&publisher->stream->restart, true);
}

static void take_restart(struct capture_publisher *publisher)
{
    struct capture_stream *stream = publisher->stream;
    uint64_t confirmed_lsn = sync_prefix_confirmed(&publisher->prefix);
    uint64_t recorded_lsn = atomic_load(&stream->recorded_lsn);
    if (recorded_lsn > confirmed_lsn) { /* we begin, or another process streamed while we waited */
        confirmed_lsn = recorded_lsn;
        publisher->stored_lsn = confirmed_lsn;
    }
    atomic_store(&publisher->has_begun, true);
    publisher->sound_lsn = publisher->stored_lsn;
    atomic_store(&stream->confirmed_lsn, publisher->stored_lsn);
    sync_prefix_init(&publisher->prefix, publisher->units, CAPTURE_UNITS_MAX, confirmed_lsn);
    publisher->session++;
    publisher->pending_count = 0;
    publisher->is_open = false;
    publisher->is_reading = true;
    atomic_store(&stream->start_lsn, confirmed_lsn);
    atomic_fetch_add(&stream->restarts_taken, 1);
}

/* The connection is gone: most likely the whole server. The stream lets go, or the server waits for
 * it. */
static sync_status judge_database(struct capture_publisher *publisher, sync_status status,
                                  const struct sync_error *err)
{
    if (sync_is_ok(status)) {
        sync_health_set(SYNC_DEP_DATABASE, true);
        return status;
    }
    if (status.class != SYNC_CLASS_RETRY) {
        return (sync_status){SYNC_CLASS_FATAL};
    }
    sync_health_set(SYNC_DEP_DATABASE, false);
    sync_log_error(SYNC_WARN, "database_unreachable", err);
    publisher->retry_us = sync_clock_monotonic_us() + RETRY_US;
    if (!sync_db_is_connected(publisher->db)) {
        ask_restart(publisher);
    }
    return SYNC_OK;
}

/* Producer
 * ------------------------------------------------------------------------------------------- */

void *capture_tag(const struct capture_publisher *publisher, uint64_t ticket)
{
    return (void *)(uintptr_t)((uint64_t)(publisher->session & 0xffff) << 48 | ticket);
}

static void note_delivery(void *context, void *tag, bool stored, const struct sync_error *err)
{
    struct capture_publisher *publisher = context;
    uint64_t value = (uint64_t)(uintptr_t)tag;
    publisher->in_flight--;
    if (value >> 48 != (publisher->session & 0xffff)) {
        return; /* of a session that was given up: the record is sent again */
    }
    if (!stored) {
        publisher->has_failed = true;
        publisher->failure = *err;
        return;
    }
    uint64_t ticket = value & CAPTURE_TICK_TICKET;
    if (ticket == CAPTURE_TICK_TICKET) {
        return;
    }
    publisher->delivered++;
    capture_count_delivered();
    (void)sync_prefix_finish(&publisher->prefix, ticket);
}

static sync_status open_producer(struct capture_publisher *publisher, struct sync_error *err)
{
    const struct sync_config *config = publisher->config;
    struct sync_kafka_options options = {.bootstrap = config->kafka_bootstrap,
                                         .client_id = publisher->entity->name,
                                         .dev = config->dev,
                                         .properties = config->kafka_properties};
    return sync_kafka_producer_new(&options, note_delivery, publisher, &publisher->producer, err);
}

/*
 * A record was not stored, or nobody knows: a new producer, and the stream again from the confirmed
 * prefix with the same identities. Fails: FATAL when the broker refuses us.
 */
static sync_status replace_producer(struct capture_publisher *publisher,
                                    const struct sync_error *reason, struct sync_error *err)
{
    if (reason->code == SYNC_CODE_TOPIC_REFUSED || reason->code == SYNC_CODE_INTERNAL ||
        reason->code == SYNC_CODE_OVERSIZE) { /* a new one would not change it */
        *err = *reason;
        return (sync_status){SYNC_CLASS_FATAL};
    }
    sync_log_error(SYNC_WARN, "producer_replaced", reason);
    sync_health_set(SYNC_DEP_KAFKA, false);
    ask_restart(publisher);
    publisher->retry_us = sync_clock_monotonic_us() + RETRY_US;
    if (reason->code ==
        SYNC_CODE_TOPIC_UNKNOWN) { /* somebody deleted it: asked for again, not for ever */
        publisher->is_topic_known = false;
        publisher->asking_us = sync_clock_monotonic_us();
    }
    publisher->session++; /* reports that come while it is freed count no more */
    sync_kafka_producer_free(&publisher->producer, 0);
    publisher->in_flight = 0;
    publisher->has_failed = false;
    return open_producer(publisher, err);
}

/* Hands one part of an item over. Fails: RETRY memory_limit while the client's queue is full. */
static sync_status produce(struct capture_publisher *publisher, size_t at, struct sync_error *err)
{
    static uint8_t memory[CAPTURE_RECORD_BYTES]; /* of the one poll thread */
    struct sync_arena arena;
    struct capture_record record = {.present = false};
    struct capture_pending *pending = &publisher->pending[at];
    struct capture_letter letter = {.schema = publisher->schema,
                                    .stream = sync_bytes_text(publisher->stream->text),
                                    .arena = &arena};
    sync_arena_init(&arena, memory, sizeof memory);
    sync_status status = publisher->entity->make(publisher->desk, &publisher->items[at],
                                                 pending->parts_done, &letter, &record, err);
    if (!sync_is_ok(status)) { /* every value is of bounded size: a record always fits */
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL, "make a record: %s", err->text);
    }
    if (!record.present) {
        (void)sync_prefix_finish(&publisher->prefix, pending->ticket);
        return SYNC_OK;
    }
    struct sync_kafka_record out = {
        .topic = publisher->topic,
        .key = record.key,
        .value = record.value,
        .headers = record.headers,
        .header_count = record.header_count,
        .tag = capture_tag(publisher, pending->ticket),
    };
    status = sync_kafka_produce(publisher->producer, &out, err);
    publisher->in_flight += sync_is_ok(status);
    return status;
}

/* Pending changes
 * ------------------------------------------------------------------------------------ */

/* One look-up for all that wait. The time of what is not there runs from the first answer that said
 * so: an outage of the database is no answer. */
static sync_status resolve(struct capture_publisher *publisher, struct sync_error *err)
{
    const struct capture_entity *entity = publisher->entity;
    sync_status status =
        entity->resolve(publisher->desk, publisher->items, publisher->pending_count, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    int64_t now_us = sync_clock_monotonic_us(), youngest_us = 0;
    for (size_t i = 0; i < publisher->pending_count; i++) {
        struct capture_item *item = &publisher->items[i];
        struct capture_pending *pending = &publisher->pending[i];
        if (item->verdict != CAPTURE_WAITING) {
            continue;
        }
        pending->unknown_us = pending->unknown_us == 0 ? now_us : pending->unknown_us;
        youngest_us = pending->unknown_us > youngest_us ? pending->unknown_us : youngest_us;
        if (now_us - pending->unknown_us >= entity->wait_ms * 1000LL) {
            entity->expire(publisher->desk, item);
        }
    }
    /* Twice as long each time. */
    int64_t age_us = now_us - youngest_us;
    publisher->ask_pause_us = age_us < ASK_FIRST_US ? ASK_FIRST_US : age_us;
    publisher->ask_pause_us =
        publisher->ask_pause_us > ASK_AGAIN_US ? ASK_AGAIN_US : publisher->ask_pause_us;
    publisher->resolved_us = now_us;
    return SYNC_OK;
}

static sync_status hand_over_one(struct capture_publisher *publisher, size_t at,
                                 struct sync_error *err)
{
    const struct capture_item *item = &publisher->items[at];
    struct capture_pending *pending = &publisher->pending[at];
    if (item->verdict == CAPTURE_DROPPED && item->reason != NULL) {
        capture_count_dropped(item->reason);
    }
    for (; pending->parts_done < publisher->entity->parts; pending->parts_done++) {
        if (item->verdict == CAPTURE_DROPPED) {
            (void)sync_prefix_finish(&publisher->prefix, pending->ticket);
            continue;
        }
        sync_status status = produce(publisher, at, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

/* Orders that may not be handed over now, by their lowest bits: one too many only waits, too. */
struct held_orders {
    uint64_t bits[16];
    bool all;
};

static bool must_wait(const struct capture_publisher *publisher, size_t at,
                      struct held_orders *held)
{
    const struct capture_entity *entity = publisher->entity;
    const struct capture_item *item = &publisher->items[at];
    if (entity->order == NULL) {
        return item->verdict == CAPTURE_WAITING;
    }
    uint64_t order = entity->order(publisher->desk, item);
    uint64_t *word = &held->bits[order / 64 % 16], bit = 1ULL << order % 64;
    bool waits = item->verdict == CAPTURE_WAITING || held->all || (order != 0 && (*word & bit));
    if (waits && order == 0) {
        held->all = true;
    } else if (waits) {
        *word |= bit;
    }
    return waits;
}

static void keep(struct capture_publisher *publisher, size_t from, size_t to)
{
    struct capture_item item = publisher->items[to];
    publisher->items[to] = publisher->items[from];
    publisher->items[from] = item; /* its row is free for the next one */
    publisher->pending[to] = publisher->pending[from];
}

/*
 * Hands over in order what is answered; the rest stays, in order. A full queue of the client stops
 * here until reports come.
 */
static sync_status hand_over(struct capture_publisher *publisher, struct sync_error *err)
{
    struct held_orders held = {.all = false};
    size_t kept = 0;
    bool is_full = false;
    for (size_t i = 0; i < publisher->pending_count; i++) {
        if (!must_wait(publisher, i, &held) && !is_full) {
            sync_status status = hand_over_one(publisher, i, err);
            if (sync_is_ok(status)) {
                continue;
            }
            if (err->code != SYNC_CODE_MEMORY_LIMIT) {
                struct sync_error reason = *err;
                return replace_producer(publisher, &reason, err);
            }
            is_full = true;
        }
        keep(publisher, i, kept++);
    }
    publisher->pending_count = kept;
    return SYNC_OK;
}

static sync_status publish(struct capture_publisher *publisher, bool has_new,
                           struct sync_error *err)
{
    int64_t now_us = sync_clock_monotonic_us();
    if (publisher->pending_count == 0 || now_us < publisher->retry_us) {
        return SYNC_OK;
    }
    if (has_new || now_us - publisher->resolved_us > publisher->ask_pause_us) {
        sync_status status = judge_database(publisher, resolve(publisher, err), err);
        if (!sync_is_ok(status) || !publisher->is_reading || now_us < publisher->retry_us) {
            return status;
        }
    }
    return hand_over(publisher, err);
}

/* Events
 * --------------------------------------------------------------------------------------------- */

static void open_unit(struct capture_publisher *publisher, int64_t committed_us)
{
    if (publisher->is_open) {
        return;
    }
    bool begun = sync_prefix_begin(&publisher->prefix, &publisher->ticket);
    SYNC_ASSERT(begun); /* no more events are taken than there are units */
    publisher->committed_us[publisher->ticket % CAPTURE_UNITS_MAX] = committed_us;
    publisher->is_open = true;
}

/* The row changes hands: the event gets the free one of the item. */
static void add_pending(struct capture_publisher *publisher, struct capture_event *event)
{
    size_t at = publisher->pending_count++;
    struct capture_item *item = &publisher->items[at];
    void *row = item->row, *answer = item->answer;
    memset(answer, 0, publisher->entity->answer_size);
    *item = (struct capture_item){.row = event->row,
                                  .answer = answer,
                                  .lsn = event->lsn,
                                  .sequence = event->sequence,
                                  .committed_us = event->committed_us,
                                  .own_write = event->own_write};
    event->row = row;
    publisher->pending[at] = (struct capture_pending){.ticket = publisher->ticket};
    for (unsigned i = 0; i < publisher->entity->parts; i++) {
        sync_prefix_add(&publisher->prefix, publisher->ticket);
    }
    if (publisher->entity->learn != NULL) {
        publisher->entity->learn(publisher->desk, item);
    }
}

static void take_event(struct capture_publisher *publisher, struct capture_event *event)
{
    if (event->type == CAPTURE_RESTART) {
        take_restart(publisher);
        return;
    }
    if (!publisher->is_reading) {
        return; /* from before the restart that we asked for */
    }
    switch (event->type) {
    case CAPTURE_CHANGE:
        open_unit(publisher, event->committed_us);
        add_pending(publisher, event);
        return;
    case CAPTURE_COMMIT:
        open_unit(publisher, sync_clock_wall_us());
        sync_prefix_seal(&publisher->prefix, publisher->ticket, event->lsn);
        publisher->is_open = false;
        return;
    case CAPTURE_IDLE:
        (void)sync_prefix_advance(&publisher->prefix, event->lsn); /* not while a unit is open */
        publisher->is_asked = publisher->is_asked || event->urgent;
        return;
    case CAPTURE_RESTART:
        return;
    }
}

/* What comes before an expected RESTART needs none: nothing may stand between it and us. */
static size_t room(const struct capture_publisher *publisher)
{
    if (!publisher->is_reading) {
        return CAPTURE_ITEMS_MAX;
    }
    size_t units = CAPTURE_UNITS_MAX - sync_prefix_open_count(&publisher->prefix);
    size_t pending = CAPTURE_ITEMS_MAX - publisher->pending_count;
    return units < pending ? units : pending;
}

/* True when a change was among them. */
static bool take_events(struct capture_publisher *publisher, int timeout_ms)
{
    size_t count = capture_queue_take(&publisher->stream->queue, publisher->events, room(publisher),
                                      timeout_ms);
    bool has_new = false;
    for (size_t i = 0; i < count; i++) {
        take_event(publisher, &publisher->events[i]);
        has_new = has_new || publisher->events[i].type == CAPTURE_CHANGE;
    }
    return has_new;
}

/* Position
 * ------------------------------------------------------------------------------------------- */

static sync_status store_position(struct capture_publisher *publisher, struct sync_error *err)
{
    uint64_t confirmed_lsn = sync_prefix_confirmed(&publisher->prefix);
    sync_status status =
        capture_delivered_store(publisher->db, publisher->entity->name,
                                publisher->stream->source.generation, confirmed_lsn, err);
    if (sync_is_ok(status)) {
        publisher->stored_lsn = confirmed_lsn;
        publisher->stored_us = sync_clock_monotonic_us();
        publisher->delivered = 0;
        publisher->is_asked = false;
        /* Only now: the slot must never be ahead of what we would begin with. */
        atomic_store(&publisher->stream->confirmed_lsn, confirmed_lsn);
    }
    return status;
}

static bool is_store_due(const struct capture_publisher *publisher, int64_t now_us)
{
    int64_t since_us = now_us - publisher->stored_us;
    if (publisher->is_asked) {
        return true; /* also when nothing moved: a server that shuts down is noticed here */
    }
    if (sync_prefix_confirmed(&publisher->prefix) == publisher->stored_lsn) {
        return false;
    }
    return publisher->delivered > 0 ? since_us > STORE_US : since_us > STORE_IDLE_US;
}

static sync_status beat(struct capture_publisher *publisher, struct sync_error *err)
{
    struct capture_source source = publisher->stream->source;
    struct capture_slot slot;
    sync_status status = capture_heartbeat(publisher->db, err);
    publisher->heartbeat_us = sync_clock_monotonic_us();
    if (sync_is_ok(status)) {
        status = capture_slot_read(publisher->db, publisher->entity, &source, &slot, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    capture_set_retained(slot.retained_bytes);
    capture_set_gaps(slot.open_gaps);
    status = capture_publication_check(publisher->entity, &source, &slot, err);
    if (sync_is_ok(status)) {
        publisher->sound_lsn = publisher->stored_lsn;
        return status;
    }
    struct sync_error ignored;
    source.delivered_lsn = publisher->sound_lsn; /* the stream is silent about what it leaves out */
    (void)capture_gap_store(publisher->db, publisher->entity->name, &source, err->text, &ignored);
    return status;
}

static sync_status keep_position(struct capture_publisher *publisher, struct sync_error *err)
{
    int64_t now_us = sync_clock_monotonic_us();
    sync_status status = SYNC_OK;
    if (!publisher->is_reading || now_us < publisher->retry_us) {
        return SYNC_OK;
    }
    if (is_store_due(publisher, now_us)) {
        status = judge_database(publisher, store_position(publisher, err), err);
    }
    bool is_beat_due =
        now_us - publisher->heartbeat_us > publisher->config->capture_heartbeat_ms * 1000;
    if (sync_is_ok(status) && publisher->is_reading && is_beat_due) {
        status = judge_database(publisher, beat(publisher, err), err);
    }
    if (sync_is_ok(status) && publisher->is_reading && now_us >= publisher->retry_us) {
        status = judge_database(publisher, capture_ticks_turn(publisher, err), err);
    }
    return status;
}

/* Life
 * -----------------------------------------------------------------------------------------------
 */

/* Until the topic is known nothing is taken: a record for it could only fail. */
static sync_status ask_topic(struct capture_publisher *publisher, struct sync_error *err)
{
    char cluster_id[64];
    sync_status status =
        sync_kafka_producer_describe(publisher->producer, publisher->topic, ASK_TOPIC_MS,
                                     cluster_id, &publisher->partition_count, err);
    publisher->is_topic_known = sync_is_ok(status);
    sync_health_set(SYNC_DEP_KAFKA, sync_is_ok(status));
    if (sync_is_ok(status)) {
        return status;
    }
    if (err->code != SYNC_CODE_TOPIC_UNKNOWN) {
        publisher->asking_us = sync_clock_monotonic_us(); /* no answer is no answer about it */
    }
    int64_t waited_us = sync_clock_monotonic_us() - publisher->asking_us;
    bool is_late = waited_us > (int64_t)SYNC_TOPIC_UNKNOWN_MS * 1000;
    if (is_late) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_UNKNOWN,
                         "write %s: the broker has no such topic; run \"altinn-sync topics apply\"",
                         publisher->topic);
    }
    if (status.class == SYNC_CLASS_FATAL) {
        return status;
    }
    sync_log_error(SYNC_WARN, "kafka_unreachable", err);
    (void)sync_kafka_producer_poll(publisher->producer,
                                   ASK_TOPIC_MS); /* a wait that serves the client */
    return SYNC_OK;
}

/* A topic that is gone is told by the next record; here only whether somebody answers. */
static void ask_quiet(struct capture_publisher *publisher)
{
    char cluster_id[64];
    struct sync_error err = {0};
    sync_status status =
        sync_kafka_producer_describe(publisher->producer, publisher->topic, ASK_TOPIC_MS,
                                     cluster_id, &publisher->partition_count, &err);
    if (!sync_is_ok(status)) {
        sync_log_error(SYNC_WARN, "kafka_unreachable", &err);
    }
    sync_health_set(SYNC_DEP_KAFKA, sync_is_ok(status));
    publisher->asked_us = sync_clock_monotonic_us();
}

/* Reports that stay away for long mean an outage; the client itself says so only after two minutes.
 */
static void judge_broker(struct capture_publisher *publisher, bool has_news)
{
    int64_t now_us = sync_clock_monotonic_us();
    if (has_news || publisher->in_flight == 0) {
        publisher->reported_us = now_us;
    }
    if (has_news) {
        sync_health_set(SYNC_DEP_KAFKA, true);
        publisher->asked_us = now_us;
    }
    if (publisher->in_flight == 0 && now_us - publisher->asked_us > ASK_QUIET_US) {
        ask_quiet(publisher);
    }
    if (now_us - publisher->reported_us > SILENT_BROKER_US) {
        sync_health_set(SYNC_DEP_KAFKA, false);
    }
}

sync_status capture_publisher_turn(struct capture_publisher *publisher, struct sync_error *err)
{
    if (!publisher->is_topic_known) {
        return ask_topic(publisher, err);
    }
    int quiet_ms = publisher->pending_count > 0 ? WAITING_MS : IDLE_MS;
    int timeout_ms = publisher->in_flight > 0 ? BUSY_MS : quiet_ms;
    bool has_new = room(publisher) > 0 && take_events(publisher, timeout_ms);
    sync_status status = publish(publisher, has_new, err);
    if (sync_is_ok(status)) {
        size_t before = publisher->delivered;
        (void)sync_kafka_producer_poll(publisher->producer, has_new ? 0 : BUSY_MS); /* a count */
        judge_broker(publisher, publisher->delivered > before);
    }
    if (sync_is_ok(status) && publisher->has_failed) {
        struct sync_error reason = publisher->failure;
        status = replace_producer(publisher, &reason, err);
    }
    return sync_is_ok(status) ? keep_position(publisher, err) : status;
}

void capture_publisher_drain(struct capture_publisher *publisher, int timeout_ms)
{
    struct sync_error err;
    int64_t end_us = sync_clock_monotonic_us() + timeout_ms * 1000LL;
    while (publisher->in_flight > 0 && sync_clock_monotonic_us() < end_us) {
        sync_health_beat(SYNC_LOOP_POLL);
        (void)sync_kafka_producer_poll(publisher->producer, 50); /* a count */
    }
    if (atomic_load(&publisher->has_begun) &&
        sync_prefix_confirmed(&publisher->prefix) != publisher->stored_lsn) {
        (void)store_position(publisher,
                             &err); /* else the tail is read again, with the same identities */
    }
}

double capture_publisher_lag_seconds(const struct capture_publisher *publisher)
{
    if (sync_prefix_open_count(&publisher->prefix) == 0) {
        return 0;
    }
    int64_t since_us = publisher->committed_us[publisher->prefix.first % CAPTURE_UNITS_MAX];
    int64_t lag_us = sync_clock_wall_us() - since_us;
    return lag_us > 0 ? (double)lag_us / 1e6 : 0;
}

/* Rows of the items, behind them those of the events; answers of the items. */
static bool make_rows(struct capture_publisher *publisher)
{
    const struct capture_entity *entity = publisher->entity;
    publisher->rows = calloc(2 * CAPTURE_ITEMS_MAX, entity->row_size);
    publisher->answers = calloc(CAPTURE_ITEMS_MAX, entity->answer_size + 1);
    publisher->desk = calloc(1, entity->desk_size);
    if (!publisher->rows || !publisher->answers || !publisher->desk) {
        return false;
    }
    for (size_t i = 0; i < CAPTURE_ITEMS_MAX; i++) {
        publisher->items[i].row = publisher->rows + i * entity->row_size;
        publisher->items[i].answer = publisher->answers + i * entity->answer_size;
        publisher->events[i].row = publisher->rows + (CAPTURE_ITEMS_MAX + i) * entity->row_size;
    }
    return true;
}

sync_status capture_publisher_init(struct capture_publisher *publisher,
                                   const struct sync_config *config, struct capture_stream *stream,
                                   const struct sync_schema *schema, struct sync_error *err)
{
    const struct capture_entity *entity = stream->entity;
    publisher->entity = entity;
    publisher->config = config;
    publisher->stream = stream;
    publisher->schema = schema;
    publisher->asking_us = sync_clock_monotonic_us();
    publisher->topic = sync_route_topic_from(entity->processor, SYNC_SYSTEM_ALTINN3);
    SYNC_ASSERT(publisher->topic);
    if (!make_rows(publisher)) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the capture: no memory");
    }
    sync_prefix_init(&publisher->prefix, publisher->units, CAPTURE_UNITS_MAX, 0);
    const struct sync_db_options options = {
        .dsn = stream->home.dsn, .setting = stream->home.setting, .application = entity->name};
    sync_status status = sync_db_new(&options, &publisher->db, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    entity->open(publisher->desk, config, publisher->db);
    return open_producer(publisher, err);
}

void capture_publisher_done(struct capture_publisher *publisher)
{
    if (publisher->producer) {
        sync_kafka_producer_free(&publisher->producer, 0);
    }
    sync_db_free(&publisher->db);
    free(publisher->desk);
    free(publisher->answers);
    free(publisher->rows);
}
