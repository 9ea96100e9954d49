/*
 * The apply thread: one loop over its steps, the breaker, commands to the poll thread. It owns the
 * database connection and never touches the Kafka handle. Not here: the steps.
 */
#include "clock.h"
#include "consumer_parts.h"
#include "health.h"
#include "log.h"
#include "migrate.h"

#include <stdlib.h>

#define IDLE_MS         50 /* so often the clock's work is looked at while no record comes */
#define PROBE_FIRST_MS  1000
#define COMMAND_WAIT_MS 5

struct sync_place consumer_place(const struct consumer *c, int32_t place)
{
    return (struct sync_place){c->scope, c->route->inputs[sync_kafka_place_topic(place)].topic,
                               sync_kafka_place_partition(place)};
}

void consumer_places_params(const struct consumer *c, const int32_t *places, size_t count,
                            struct sync_params *params)
{
    struct sync_bytes *topics = sync_arena_take_array(params->arena, count, sizeof *topics);
    int32_t *partitions = sync_arena_take_array(params->arena, count, sizeof *partitions);
    SYNC_ASSERT(topics != NULL && partitions != NULL); /* the arena is far larger */
    for (size_t i = 0; i < count; i++) {
        struct sync_place at = consumer_place(c, places[i]);
        topics[i] = sync_bytes_text(at.topic);
        partitions[i] = at.partition;
    }
    sync_params_text_array(params, topics, count);
    sync_params_int4_array(params, partitions, NULL, count);
}

void consumer_command(struct consumer *c, const void *command, size_t size)
{
    while (!sync_ring_put(c->commands, command, size)) {
        if (atomic_load(&c->poll_ended)) {
            return;
        }
        (void)sync_wake_wait(&c->apply_wake, COMMAND_WAIT_MS);
    }
    sync_wake_raise(&c->poll_wake);
}

size_t consumer_reads_size(const struct consumer_reads *reads)
{
    return offsetof(struct consumer_reads, starts) + reads->count * sizeof reads->starts[0];
}

void consumer_read(struct consumer *c, int32_t place, int64_t offset)
{
    struct consumer_reads reads;
    reads.command = (struct consumer_command){COMMAND_READ, c->apply.generation, place, 0};
    reads.count = 1;
    reads.starts[0] = (struct sync_kafka_start){offset, place};
    consumer_command(c, &reads, consumer_reads_size(&reads));
}

void consumer_stop_partition(struct consumer *c, int32_t place, const struct sync_error *err)
{
    struct consumer_partition *p = &c->apply.places[place];
    if (p->state == PARTITION_STOPPED) {
        return;
    }
    p->state = PARTITION_STOPPED;
    sync_log_error(SYNC_ERROR, "partition stopped", err);
    struct consumer_command command = {COMMAND_DROP, c->apply.generation, place, 0};
    consumer_command(c, &command, sizeof command);
}

/* Lanes --------------------------------------------------------------------------------------- */

void consumer_tell_senders(struct consumer *c, size_t lane_effects)
{
    const struct sync_batch *batch = &c->apply.batch;
    for (size_t i = 0; i < c->sender_count && lane_effects > 0; i++) {
        if (batch->hint_count == lane_effects) {
            sync_sender_hint(c->senders[i], batch->hints, batch->hint_count);
        } else {
            sync_sender_wake(c->senders[i]);
        }
    }
}

/* Lanes are those of the first topic: its places are numbered as its partitions. */
static bool has_lanes(int32_t place)
{
    return sync_kafka_place_topic(place) == 0;
}

void consumer_own_lanes(struct consumer *c, int32_t place, int64_t epoch)
{
    for (size_t i = 0; has_lanes(place) && i < c->sender_count; i++) {
        sync_sender_own(c->senders[i], sync_kafka_place_partition(place), epoch);
    }
}

void consumer_disown_lanes(struct consumer *c, int32_t place)
{
    for (size_t i = 0; has_lanes(place) && i < c->sender_count; i++) {
        sync_sender_disown(c->senders[i], sync_kafka_place_partition(place));
    }
}

void consumer_disown_all(struct consumer *c)
{
    for (int32_t i = 0; i < c->place_end; i++) {
        if (c->apply.places[i].state == PARTITION_OWNED ||
            c->apply.places[i].state == PARTITION_STOPPED) {
            consumer_disown_lanes(c, i);
        }
    }
}

/* Trouble ------------------------------------------------------------------------------------- */

void consumer_reading(struct consumer *c)
{
    bool pause = c->apply.breaker.open || c->apply.paused;
    struct consumer_command command = {pause ? COMMAND_PAUSE : COMMAND_RESUME, 0, 0, 0};
    if (pause != c->apply.reading_paused) {
        c->apply.reading_paused = pause;
        consumer_command(c, &command, sizeof command);
    }
}

static void breaker_open(struct consumer *c, const struct sync_error *err, int64_t now_us)
{
    struct consumer_breaker *breaker = &c->apply.breaker;
    if (breaker->open) {
        return;
    }
    *breaker = (struct consumer_breaker){
        .open = true, .delay_ms = PROBE_FIRST_MS, .probe_at_us = now_us + PROBE_FIRST_MS * 1000};
    sync_log_error(SYNC_WARN, "waiting for the database", err);
    sync_health_set(SYNC_DEP_DATABASE, false);
    consumer_reading(c);
}

/* Nothing is asked of tables that this program does not know. */
static sync_status connect_checked(struct consumer *c, struct sync_error *err)
{
    sync_status status = sync_db_connect(c->apply.db, err);
    return sync_is_ok(status) ? sync_db_schema_check(c->apply.db, c->options->home.name, err)
                              : status;
}

/* A dependency that answers "no" ends the process; one that does not answer is waited for. */
static void breaker_probe(struct consumer *c, int64_t now_us)
{
    struct consumer_breaker *breaker = &c->apply.breaker;
    struct sync_error err = {0};
    if (!breaker->open || now_us < breaker->probe_at_us) {
        return;
    }
    if (sync_is_ok(connect_checked(c, &err))) {
        breaker->open = false;
        c->apply.retry_at_us = 0;
        c->apply.housekeeping_at_us = 0; /* days may have passed */
        sync_log(SYNC_INFO, "database is back");
        sync_health_set(SYNC_DEP_DATABASE, true);
        consumer_reading(c);
        return;
    }
    if (err.class == SYNC_CLASS_FATAL) {
        consumer_fail(c, &err);
        return;
    }
    sync_log_error(SYNC_WARN, "waiting for the database", &err);
    breaker->delay_ms =
        breaker->delay_ms * 2 < SYNC_BACKOFF_MAX_MS ? breaker->delay_ms * 2 : SYNC_BACKOFF_MAX_MS;
    breaker->probe_at_us = sync_clock_monotonic_us() + breaker->delay_ms * 1000;
}

void consumer_trouble(struct consumer *c, const struct sync_error *err, int64_t now_us)
{
    struct consumer_apply *a = &c->apply;
    if (err->class == SYNC_CLASS_FATAL) {
        consumer_fail(c, err);
        return;
    }
    if (!sync_db_is_connected(a->db) || err->code == SYNC_CODE_DB_UNREACHABLE) {
        breaker_open(c, err, now_us);
        return;
    }
    /* Everyday: we gave way to the application. Again and again it is not. */
    bool everyday = (err->code == SYNC_CODE_DB_CONFLICT || err->code == SYNC_CODE_TIMEOUT) &&
                    a->retry_delay_ms < SYNC_BACKOFF_MAX_MS;
    sync_log_error(everyday ? SYNC_DEBUG : SYNC_WARN, "again", err);
    int64_t delay_ms =
        a->retry_delay_ms < SYNC_BACKOFF_FIRST_MS ? SYNC_BACKOFF_FIRST_MS : a->retry_delay_ms;
    int64_t jitter_ms = delay_ms / 2 + (int64_t)rand_r(&a->seed) % (delay_ms / 2 + 1);
    a->retry_at_us = now_us + jitter_ms * 1000;
    a->retry_delay_ms = delay_ms * 2 < SYNC_BACKOFF_MAX_MS ? delay_ms * 2 : SYNC_BACKOFF_MAX_MS;
}

/* The loop ------------------------------------------------------------------------------------ */

/* Fenced, and the group gives us nothing for half a minute: a new process is better than an idle
 * one. */
static void watch_fenced(struct consumer *c, int64_t now_us)
{
    int64_t since_us = c->apply.fenced_at_us;
    if (since_us == 0 || now_us - since_us < (int64_t)SYNC_FENCED_WAIT_MS * 1000) {
        return;
    }
    struct sync_error err = {0};
    (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_FENCED,
                    "consume %s: another process owns its partitions and the group assigned none "
                    "for %d s; start this one again if it should help",
                    c->scope, SYNC_FENCED_WAIT_MS / 1000);
    consumer_fail(c, &err);
}

static void ask_sender(struct consumer *c, struct sync_sender *sender, int64_t now_us)
{
    for (int32_t i = sync_sender_fenced(sender); i >= 0; i = sync_sender_fenced(sender)) {
        if (c->apply.places[i].state == PARTITION_OWNED) {
            consumer_fence(c, i, c->apply.places[i].epoch, now_us);
        }
    }
    struct sync_error err = {0};
    if (sync_sender_failed(sender, &err)) {
        consumer_fail(c, &err);
    }
}

/* The doubt is settled before events are heard: what was lost meanwhile is still told apart. */
static bool turn(struct consumer *c)
{
    int64_t now_us = sync_clock_monotonic_us();
    sync_health_beat(SYNC_LOOP_APPLY);
    breaker_probe(c, now_us);
    consumer_settle_doubt(c, now_us);
    consumer_pause_look(c, now_us);
    consumer_yield_look(c, now_us);
    consumer_events(c, now_us);
    consumer_claims(c, now_us);
    for (size_t i = 0; i < c->sender_count; i++) {
        ask_sender(c, c->senders[i], now_us);
    }
    watch_fenced(c, now_us);
    consumer_sweep(c, now_us);
    consumer_hints(c, now_us, false);
    consumer_gauges(c, now_us);
    return consumer_next_batch(c, now_us);
}

void *consumer_apply_main(void *context)
{
    struct consumer *c = context;
    struct sync_error err = {0};
    if (!sync_is_ok(connect_checked(c, &err))) {
        consumer_trouble(c, &err, sync_clock_monotonic_us());
    } else {
        sync_health_set(SYNC_DEP_DATABASE, true);
    }
    while (!atomic_load(&c->stopping) && !atomic_load(&c->failed)) {
        if (!turn(c)) {
            (void)sync_wake_wait(&c->apply_wake, IDLE_MS);
        }
    }
    consumer_hints(c, sync_clock_monotonic_us(), true);
    atomic_store(&c->apply_ended, true);
    sync_wake_raise(&c->poll_wake);
    return NULL;
}
