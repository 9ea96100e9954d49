/*
 * The send thread: looks, takes, calls, finishes, in this order in each turn. Other threads only
 * leave notes (own, disown, wake, stop) under a lock. SQL stands in sender_lane.c, HTTP in
 * http_client.c, when a failing target is called in breaker.c; what an answer means says the
 * entity's lane store.
 */
#include "sender.h"

#include "../core/limits.h"
#include "../core/utf8.h"
#include "breaker.h"
#include "clock.h"
#include "health.h"
#include "http_client.h"
#include "log.h"
#include "metrics.h"
#include "secret.h"
#include "sender_due.h"
#include "words.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define IDLE_LOOK_US   (1000 * 1000LL)   /* intents of other processes are found by a look */
#define STATS_EVERY_US (5000 * 1000LL)   /* gauges: counting reads every open row */
#define STATS_REST     100               /* and at most one part in so many of the thread's time */
#define STOP_PROBE_US  (60 * 1000000LL)  /* a stopped lane tries a newly read token so often */
#define ARENA_BYTES    (8 * 1024 * 1024) /* one round of SYNC_LANE_KEYS_MAX effects */
#define FAILING_MAX    1024              /* keys whose failures are counted */
/* While more is due, done marks may wait for others, to share a commit. What is lost with the
 * process is sent again, as after any crash before its mark. */
#define FINISH_COUNT (SYNC_LANE_KEYS_MAX / 2)
#define FINISH_US    (20 * 1000LL)
#define URL_MAX      1280
#define BODY_MAX     4096 /* a request is a handful of numbers */

/* One effect that was taken: queued for a line, called, or answered and not yet written. */
struct flight {
    bool used;
    struct sync_lane_item item;
    char body[BODY_MAX]; /* of the effect */
    char name[SYNC_EFFECT_NAME_MAX];
    char url[URL_MAX], request[BODY_MAX], id[SYNC_UUID_BUFFER];
    const char *method; /* static; NULL = POST */
    size_t request_size;
    int64_t started_us;
    char problem[128];
};

/* A key that failed: how often and since when. */
struct failing {
    struct sync_uuid effect_id;
    struct sync_key_failures count;
};

struct sender_metrics {
    struct sync_metric *effects, *requests, *duration, *lane_state, *pending, *outbox_pending,
        *oldest, *retries, *breaker;
};

struct sync_sender {
    struct sync_lane lane;
    char *scope, *topic, *target, *base_url, *token_file;
    char token[SYNC_SECRET_MAX + 8]; /* "Bearer …" or "" */
    int timeout_ms;
    size_t in_flight_max;
    const struct sync_config *config; /* for the lane's requests; may be NULL */
    struct sync_http_client *client;
    struct sender_metrics metrics;
    /* notes of other threads, under the lock */
    pthread_mutex_t lock;
    struct sync_lane_partition owned[SYNC_SENDER_PARTITIONS_MAX];
    size_t owned_count;
    struct sync_due_key hints[SYNC_DUE_HINTS_MAX];
    size_t hint_count;
    bool woken, stopping, pausing;
    int drain_ms;
    int32_t fenced[SYNC_SENDER_PARTITIONS_MAX];
    size_t fenced_count;
    bool failed;
    struct sync_error failure;
    struct sync_sender_counters counters;
    /* the thread's own */
    pthread_t thread;
    bool started, paused;
    struct sync_lane_partition partitions[SYNC_SENDER_PARTITIONS_MAX];
    struct sync_lane_partitions mine;
    struct flight flights[SYNC_LANE_KEYS_MAX];
    size_t flying, calling;                    /* taken; of these with a line */
    struct flight *queued[SYNC_LANE_KEYS_MAX]; /* taken, waiting for a line, in order */
    size_t queued_count;
    size_t answered, ahead; /* since the last take; how many more to take than there are lines */
    struct sync_lane_item ended[SYNC_LANE_KEYS_MAX]; /* answered, not yet written */
    struct flight *ended_flights[SYNC_LANE_KEYS_MAX];
    size_t ended_count;
    int64_t ended_us; /* when the first of them was answered */
    bool ended_badly; /* one of them is not just done */
    struct sync_due due;
    struct sync_breaker breaker;
    struct failing failing[FAILING_MAX];
    uint64_t seed;
    enum sync_target_state target_state;
    int64_t stop_probe_us; /* stopped: when the next call may try */
    bool token_renewed;    /* the one new token was tried */
    int64_t token_read_us;
    int64_t lane_success_us; /* when any call was last answered for good */
    bool look_wanted;        /* something may be due */
    bool is_cut_short;       /* the last take found as many as there was room for */
    int64_t next_look_us, next_stats_us, database_wait_until_us;
    int database_failures;
    struct sync_arena arena, request_arena;
    uint8_t request_memory[2 * BODY_MAX];
    uint8_t memory[ARENA_BYTES];
};

/* Making ------------------------------------------------------------------------------------------
 */

static sync_status read_token(struct sync_sender *sender, struct sync_error *err)
{
    char text[SYNC_SECRET_MAX];
    if (sender->token_file[0] == '\0') {
        return SYNC_OK;
    }
    sync_status status =
        sync_secret_read("bridge.token_file", sender->token_file, text, sizeof text, err);
    if (sync_is_ok(status)) {
        snprintf(sender->token, sizeof sender->token, "Bearer %s", text);
    }
    explicit_bzero(text, sizeof text);
    return status;
}

static void declare_metrics(struct sender_metrics *metrics)
{
    metrics->effects = sync_metric_new(SYNC_COUNTER, "effects_total", "Effects by how they ended.",
                                       "consumer,target,kind,outcome");
    metrics->requests =
        sync_metric_new(SYNC_COUNTER, "http_client_requests_total", "Calls to an outside target.",
                        "system,operation,code_class");
    metrics->duration =
        sync_metric_new(SYNC_HISTOGRAM, "http_client_duration_seconds",
                        "How long calls to an outside target took.", "system,operation,code_class");
    metrics->lane_state =
        sync_metric_new(SYNC_GAUGE, "lane_state",
                        "State of a target's lanes, 1 for the one that holds.", "target,state");
    metrics->pending = sync_metric_new(SYNC_GAUGE, "lane_effects_pending",
                                       "Effects that wait or are sent in our lanes.", "target");
    metrics->outbox_pending =
        sync_metric_new(SYNC_GAUGE, "outbox_pending", "Effects that wait or are sent.", "target");
    metrics->oldest = sync_metric_new(SYNC_GAUGE, "outbox_oldest_age_seconds",
                                      "Age of the oldest effect that waits or is sent.", "target");
    metrics->retries = sync_metric_new(SYNC_COUNTER, "retries_total", "Repeats after a failure.",
                                       "consumer,dependency");
    metrics->breaker = sync_metric_new(SYNC_GAUGE, "breaker_state", "1 while a breaker is open.",
                                       "consumer,dependency");
}

static bool copy_options(struct sync_sender *sender, const struct sync_sender_options *options)
{
    sender->scope = strdup(options->scope);
    sender->topic = strdup(options->topic);
    sender->target = strdup(options->target);
    sender->base_url = strdup(options->base_url);
    sender->token_file = strdup(options->token_file ? options->token_file : "");
    size_t max =
        options->in_flight_max > 0 ? (size_t)options->in_flight_max : SYNC_LANE_IN_FLIGHT_MAX;
    sender->in_flight_max = max > SYNC_LANE_KEYS_MAX ? SYNC_LANE_KEYS_MAX : max;
    sender->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : SYNC_BRIDGE_TOTAL_MS;
    sender->seed = options->seed;
    sender->config = options->config;
    sender->lane_success_us = INT64_MIN;
    pthread_mutex_init(&sender->lock, NULL);
    sync_breaker_init(&sender->breaker);
    sync_arena_init(&sender->arena, sender->memory, sizeof sender->memory);
    sync_arena_init(&sender->request_arena, sender->request_memory, sizeof sender->request_memory);
    sender->mine.items = sender->partitions;
    sender->lane = (struct sync_lane){.store = options->lane,
                                      .scope = sender->scope,
                                      .topic = sender->topic,
                                      .target = sender->target,
                                      .echo_expected_s = options->echo_expected_s > 0
                                                             ? options->echo_expected_s
                                                             : SYNC_ECHO_EXPECTED_S,
                                      .arena = &sender->arena};
    return sender->scope && sender->topic && sender->target && sender->base_url &&
           sender->token_file;
}

sync_status sync_sender_new(const struct sync_sender_options *options,
                            struct sync_sender **ret_sender, struct sync_error *err)
{
    struct sync_sender *sender = calloc(1, sizeof *sender);
    if (!sender || !copy_options(sender, options)) {
        sync_sender_free(&sender);
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT, "make a sender: no memory");
    }
    size_t end = strlen(sender->base_url);
    while (end > 0 && sender->base_url[end - 1] == '/') {
        sender->base_url[--end] = '\0';
    }
    declare_metrics(&sender->metrics);
    struct sync_db_options db = {
        .dsn = options->dsn, .setting = options->setting, .application = options->application};
    sync_status status = sync_db_new(&db, &sender->lane.db, err);
    if (sync_is_ok(status)) {
        status = sync_http_client_new(sender->base_url, (int)sender->in_flight_max, &sender->client,
                                      err);
    }
    if (sync_is_ok(status)) {
        status = read_token(sender, err);
    }
    if (!sync_is_ok(status)) {
        sync_sender_free(&sender);
        return status;
    }
    *ret_sender = sender;
    return SYNC_OK;
}

void sync_sender_free(struct sync_sender **sender)
{
    if (!*sender) {
        return;
    }
    struct sync_sender *it = *sender;
    sync_sender_stop(it, 0);
    sync_http_client_free(&it->client);
    sync_db_free(&it->lane.db);
    pthread_mutex_destroy(&it->lock);
    free(it->scope);
    free(it->topic);
    free(it->target);
    free(it->base_url);
    free(it->token_file);
    explicit_bzero(it->token, sizeof it->token);
    free(it);
    *sender = NULL;
}

/* Notes of other threads. */

void sync_sender_wake(struct sync_sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    sender->woken = true;
    pthread_mutex_unlock(&sender->lock);
    sync_http_client_wake(sender->client);
}

void sync_sender_hint(struct sync_sender *sender, const struct sync_lane_hint *hints, size_t count)
{
    bool mine = false;
    pthread_mutex_lock(&sender->lock);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(hints[i].target, sender->target) != 0) {
            continue;
        }
        mine = true;
        bool told =
            hints[i].due && sender->hint_count < SYNC_DUE_HINTS_MAX &&
            sync_due_key_of(hints[i].partition, hints[i].key, &sender->hints[sender->hint_count]);
        sender->hint_count += told;
        sender->woken = sender->woken || !told; /* the look finds it, or says when it is due */
    }
    pthread_mutex_unlock(&sender->lock);
    if (mine) {
        sync_http_client_wake(sender->client);
    }
}

void sync_sender_own(struct sync_sender *sender, int32_t partition, int64_t epoch)
{
    sync_sender_disown(sender, partition);
    pthread_mutex_lock(&sender->lock);
    SYNC_ASSERT(sender->owned_count < SYNC_SENDER_PARTITIONS_MAX);
    sender->owned[sender->owned_count++] =
        (struct sync_lane_partition){.partition = partition, .epoch = epoch};
    size_t kept = 0; /* a fence of the epoch before says nothing about this one */
    for (size_t i = 0; i < sender->fenced_count; i++) {
        if (sender->fenced[i] != partition) {
            sender->fenced[kept++] = sender->fenced[i];
        }
    }
    sender->fenced_count = kept;
    pthread_mutex_unlock(&sender->lock);
    sync_sender_wake(sender);
}

void sync_sender_disown(struct sync_sender *sender, int32_t partition)
{
    pthread_mutex_lock(&sender->lock);
    for (size_t i = 0; i < sender->owned_count; i++) {
        if (sender->owned[i].partition == partition) {
            sender->owned[i] = sender->owned[--sender->owned_count];
            break;
        }
    }
    pthread_mutex_unlock(&sender->lock);
}

void sync_sender_pause(struct sync_sender *sender, bool paused)
{
    pthread_mutex_lock(&sender->lock);
    bool changed = sender->pausing != paused;
    sender->pausing = paused;
    pthread_mutex_unlock(&sender->lock);
    if (changed) {
        sync_sender_wake(sender);
    }
}

int32_t sync_sender_fenced(struct sync_sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    int32_t partition = sender->fenced_count > 0 ? sender->fenced[--sender->fenced_count] : -1;
    pthread_mutex_unlock(&sender->lock);
    return partition;
}

bool sync_sender_failed(struct sync_sender *sender, struct sync_error *ret_error)
{
    pthread_mutex_lock(&sender->lock);
    bool failed = sender->failed;
    if (failed) {
        *ret_error = sender->failure;
    }
    pthread_mutex_unlock(&sender->lock);
    return failed;
}

void sync_sender_counters(struct sync_sender *sender, struct sync_sender_counters *ret_counters)
{
    pthread_mutex_lock(&sender->lock);
    *ret_counters = sender->counters;
    pthread_mutex_unlock(&sender->lock);
}

static bool is_mine(const struct sync_sender *sender, int32_t partition)
{
    bool mine = false;
    for (size_t i = 0; i < sender->mine.count; i++) {
        mine = mine || sender->mine.items[i].partition == partition;
    }
    return mine;
}

static void add_due(struct sync_sender *sender, const struct sync_due_key *key)
{
    bool added = sync_due_add(&sender->due, key);
    sender->look_wanted = sender->look_wanted || !added; /* the look finds it again */
}

/*
 * Takes the notes over. Returns whether somebody woke us. While a look is wanted no hint counts:
 * with hints the list would never be empty, and what had none would wait until the flood ends. The
 * look finds both, the longest due first.
 */
static bool take_notes(struct sync_sender *sender, bool *ret_stopping)
{
    pthread_mutex_lock(&sender->lock);
    bool woken = sender->woken;
    sender->woken = false;
    *ret_stopping = sender->stopping;
    sender->paused = sender->pausing;
    memcpy(sender->partitions, sender->owned, sender->owned_count * sizeof sender->owned[0]);
    sender->mine.count = sender->owned_count;
    for (size_t i = 0; i < sender->hint_count && !woken && !sender->look_wanted; i++) {
        if (is_mine(sender, sender->hints[i].partition)) {
            add_due(sender, &sender->hints[i]);
        }
    }
    sender->hint_count = 0;
    sender->counters.in_flight = (int64_t)sender->flying;
    pthread_mutex_unlock(&sender->lock);
    return woken;
}

/* Partitions that the gate refused leave the set, and the consumer is told. */
static void drop_fenced(struct sync_sender *sender)
{
    for (size_t i = 0; i < sender->mine.count; i++) {
        const struct sync_lane_partition *found = &sender->mine.items[i];
        if (!found->fenced) {
            continue;
        }
        pthread_mutex_lock(&sender->lock);
        for (size_t j = 0; j < sender->owned_count; j++) {
            if (sender->owned[j].partition == found->partition &&
                sender->owned[j].epoch == found->epoch) {
                sender->owned[j] = sender->owned[--sender->owned_count];
                sender->fenced[sender->fenced_count % SYNC_SENDER_PARTITIONS_MAX] =
                    found->partition;
                sender->fenced_count += sender->fenced_count < SYNC_SENDER_PARTITIONS_MAX;
                sender->counters.fenced++;
                break;
            }
        }
        pthread_mutex_unlock(&sender->lock);
        sync_log(SYNC_WARN, "lane_fenced", SYNC_LOG_TEXT("topic", sender->topic),
                 SYNC_LOG_NUMBER("partition", found->partition));
    }
}

/* Database ----------------------------------------------------------------------------------------
 */

/* Notes how a transaction went. True when it went well. */
static bool judge_database(struct sync_sender *sender, sync_status status,
                           const struct sync_error *err)
{
    drop_fenced(sender);
    if (sync_is_ok(status)) {
        sender->database_failures = 0;
        return true;
    }
    sender->database_failures++;
    sender->database_wait_until_us =
        sync_clock_monotonic_us() + sync_backoff_us(sender->database_failures, &sender->seed);
    sync_log_error(status.class == SYNC_CLASS_FATAL ? SYNC_ERROR : SYNC_WARN, "lane_database", err);
    sync_metric_add(sender->metrics.retries, 1, SYNC_LABELS(sender->scope, "database"));
    if (status.class == SYNC_CLASS_FATAL) {
        pthread_mutex_lock(&sender->lock);
        sender->failure = sender->failed ? sender->failure : *err;
        sender->failed = true;
        pthread_mutex_unlock(&sender->lock);
    }
    return false;
}

/* Keys that must not be taken: in flight, or answered and not yet written. */
static size_t busy_keys(const struct sync_sender *sender, struct sync_bytes *ret_keys)
{
    size_t count = 0;
    for (size_t i = 0; i < SYNC_LANE_KEYS_MAX; i++) {
        const struct flight *flight = &sender->flights[i];
        if (flight->used) {
            const struct sync_key *key = &flight->item.effect.entity;
            ret_keys[count++] = (struct sync_bytes){(const uint8_t *)key->text, key->size};
        }
    }
    return count;
}

/* Answers -----------------------------------------------------------------------------------------
 */

static struct failing *failing_of(struct sync_sender *sender, const struct sync_uuid *id,
                                  bool create)
{
    struct failing *free_place = NULL;
    for (size_t i = 0; i < FAILING_MAX; i++) {
        struct failing *place = &sender->failing[i];
        if (sync_uuid_compare(&place->effect_id, id) == 0) {
            return place;
        }
        if (!free_place && sync_uuid_is_zero(&place->effect_id)) {
            free_place = place;
        }
    }
    if (create && free_place) {
        *free_place = (struct failing){.effect_id = *id};
        return free_place;
    }
    return NULL;
}

static void forget_failing(struct sync_sender *sender, const struct sync_uuid *id)
{
    struct failing *place = failing_of(sender, id, false);
    if (place) {
        *place = (struct failing){.count = {.failures = 0}};
    }
}

/* The same again later, unless only this key fails, for too long. */
static void plan_retry(struct sync_sender *sender, struct sync_lane_item *item, int retry_after_s)
{
    int64_t now_us = sync_clock_monotonic_us();
    struct failing *failing = failing_of(sender, &item->effect.effect_id, true);
    struct sync_key_failures first = {.failures = 0}; /* no place left: as if it were the first */
    struct sync_key_failures *count = failing ? &failing->count : &first;
    if (sync_key_failures_add(count, sender->lane_success_us, now_us)) {
        item->effect.ended = SYNC_LANE_REFUSED;
        item->effect.rule = sender->lane.store->exhausted_rule;
        return;
    }
    int64_t wait_us = sync_backoff_us(count->failures, &sender->seed);
    int64_t asked_us = retry_after_s * 1000000LL;
    item->again = true;
    item->wait_us = asked_us > wait_us ? asked_us : wait_us;
}

/* One new token at once; then the lane waits. The effect waits with it. */
static void plan_stop(struct sync_sender *sender, struct flight *flight)
{
    flight->item.again = true;
    flight->item.wait_us = 0;
    if (flight->started_us < sender->token_read_us) { /* it left with the token before */
        return;
    }
    struct sync_error err = {0};
    bool renewable = sender->token_file[0] != '\0' && !sender->token_renewed;
    if (renewable && sync_is_ok(read_token(sender, &err))) {
        sender->token_renewed = true;
        sender->token_read_us = sync_clock_monotonic_us();
        return;
    }
    sender->stop_probe_us = sync_clock_monotonic_us() + STOP_PROBE_US;
    sender->token_renewed = false;
    if (sender->target_state != SYNC_TARGET_OPEN) {
        return;
    }
    sender->target_state = SYNC_TARGET_STOPPED;
    sync_log(SYNC_ERROR, "lane_stopped", SYNC_LOG_TEXT("target", sender->target),
             SYNC_LOG_TEXT("rule", flight->item.effect.rule),
             SYNC_LOG_NUMBER("code", flight->item.code));
}

static const char *code_class(const struct sync_http_answer_in *answer)
{
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    if (answer->failed) {
        return answer->sent ? "unknown" : "unreachable";
    }
    return answer->code >= 100 && answer->code < 600 ? classes[answer->code / 100 - 1] : "other";
}

/*
 * What an answer says about the lane as a whole. A key that fails again says nothing new: one that
 * always fails would keep the breaker open on a quiet lane, and no other key would ever be called.
 */
static void judge_lane(struct sync_sender *sender, const struct flight *flight,
                       enum sync_lane_answer class, const struct sync_http_answer_in *answer)
{
    bool was_open = sender->breaker.open;
    int64_t now_us = sync_clock_monotonic_us();
    if (class == SYNC_LANE_ANSWER_RETRY) {
        bool unreachable = answer->failed && !answer->sent;
        bool known = failing_of(sender, &flight->item.effect.effect_id, false) != NULL;
        if (was_open || unreachable || !known || answer->retry_after_s > 0) {
            sync_breaker_failure(&sender->breaker, unreachable, answer->retry_after_s * 1000LL,
                                 now_us);
        }
        sync_metric_add(sender->metrics.retries, 1, SYNC_LABELS(sender->scope, "bridge"));
    } else {
        sender->lane_success_us = now_us;
        sync_breaker_success(&sender->breaker);
    }
    sync_health_set(SYNC_DEP_BRIDGE, !sender->breaker.open);
    if (was_open != sender->breaker.open) {
        sync_log(SYNC_WARN, sender->breaker.open ? "breaker_open" : "breaker_closed",
                 SYNC_LOG_TEXT("target", sender->target), SYNC_LOG_NUMBER("code", answer->code),
                 SYNC_LOG_TEXT("error", answer->failed ? answer->text : ""));
    }
    sync_metric_set(sender->metrics.breaker, sender->breaker.open,
                    SYNC_LABELS(sender->scope, "bridge"));
}

/* Answered, to be written by the next finish. */
static void add_ended(struct sync_sender *sender, struct flight *flight)
{
    const struct sync_lane_item *item = &flight->item;
    if (sender->ended_count == 0) {
        sender->ended_us = sync_clock_monotonic_us();
        sender->ended_badly = false;
    }
    sender->ended_badly =
        sender->ended_badly || item->again || item->effect.ended != SYNC_LANE_DONE;
    sender->ended[sender->ended_count] = *item;
    sender->ended_flights[sender->ended_count++] = flight;
}

/* Decides what an answered call ends as. */
static void judge_answer(struct sync_sender *sender, const struct sync_http_answer_in *answer)
{
    struct flight *flight = answer->tag;
    struct sync_lane_item *item = &flight->item;
    const char *rule = NULL;
    sender->calling--;
    sender->answered++;
    enum sync_lane_answer class = sender->lane.store->answer(answer->failed, answer->code, &rule);
    char operation[SYNC_EFFECT_NAME_MAX];
    sync_lane_operation(flight->name, operation);
    const char *labels[] = {sender->target, operation, code_class(answer), NULL};
    sync_metric_add(sender->metrics.requests, 1, labels);
    sync_metric_observe(sender->metrics.duration,
                        (double)(sync_clock_monotonic_us() - flight->started_us) / 1e6, labels);
    item->code = answer->failed ? 0 : answer->code;
    item->effect.rule = rule;
    if (answer->failed) {
        snprintf(flight->problem, sizeof flight->problem, "%s: %.100s", rule, answer->text);
    } else {
        snprintf(flight->problem, sizeof flight->problem, "%s: answered %d", rule, answer->code);
    }
    sync_utf8_mend(flight->problem); /* it is stored */
    item->problem = class == SYNC_LANE_ANSWER_DONE ? NULL : flight->problem;
    item->again = false;
    judge_lane(sender, flight, class, answer);
    switch (class) {
    case SYNC_LANE_ANSWER_DONE:
        item->effect.ended = SYNC_LANE_DONE;
        sender->token_renewed = false;
        break;
    case SYNC_LANE_ANSWER_RETRY:
        plan_retry(sender, item, answer->retry_after_s);
        break;
    case SYNC_LANE_ANSWER_PARK:
        item->effect.ended = SYNC_LANE_REFUSED;
        break;
    case SYNC_LANE_ANSWER_STOP:
        plan_stop(sender, flight);
        break;
    case SYNC_LANE_ANSWER_CLOSED:
        item->effect.ended = SYNC_LANE_CLOSED;
        sender->target_state = SYNC_TARGET_CLOSED; /* from here on nothing leaves any more */
        break;
    }
    add_ended(sender, flight);
}

static void count_end(struct sync_sender *sender, const struct sync_lane_item *item,
                      const char *outcome)
{
    char operation[SYNC_EFFECT_NAME_MAX];
    sync_lane_operation(item->effect.name, operation);
    sync_metric_add(sender->metrics.effects, 1,
                    SYNC_LABELS(sender->scope, sender->target, operation, outcome));
}

/* After the commit: what an operator must see is logged, with the rule and without the message. */
static void tell_end(struct sync_sender *sender, const struct sync_lane_item *item)
{
    if (item->untried) {
        return;
    }
    int64_t *counter = &sender->counters.retried;
    if (!item->again) {
        switch (item->effect.ended) {
        case SYNC_LANE_DONE:
            counter = &sender->counters.done;
            count_end(sender, item, "done");
            break;
        case SYNC_LANE_REFUSED:
            counter = &sender->counters.parked;
            count_end(sender, item, item->effect.carried_on ? "carried_on" : "parked");
            sync_log(SYNC_ERROR, "effect_parked", SYNC_LOG_TEXT("target", sender->target),
                     SYNC_LOG_TEXT("effect", item->effect.name),
                     SYNC_LOG_TEXT("rule", item->effect.rule), SYNC_LOG_NUMBER("code", item->code));
            break;
        case SYNC_LANE_CLOSED:
            counter = &sender->counters.closed;
            count_end(sender, item, "closed");
            sync_log(SYNC_ERROR, "lane_closed", SYNC_LOG_TEXT("target", sender->target),
                     SYNC_LOG_TEXT("rule", item->effect.rule));
            break;
        }
        forget_failing(sender, &item->effect.effect_id);
    }
    pthread_mutex_lock(&sender->lock);
    (*counter)++;
    sender->counters.unknown += item->code == 0;
    pthread_mutex_unlock(&sender->lock);
}

/* Writes the answers. They stay until they are written. */
static void finish_round(struct sync_sender *sender)
{
    struct sync_error err = {0};
    sync_status status =
        sync_lane_finish(&sender->lane, &sender->mine, sender->ended, sender->ended_count, &err);
    if (!judge_database(sender, status, &err)) {
        return;
    }
    int64_t now_us = sync_clock_monotonic_us();
    for (size_t i = 0; i < sender->ended_count; i++) {
        const struct sync_lane_item *item = &sender->ended[i];
        tell_end(sender, item);
        sender->ended_flights[i]->used = false;
        sender->flying--;
        if (item->more) {
            add_due(sender, &(struct sync_due_key){item->partition, item->effect.entity});
        }
        if (item->again && sender->next_look_us > now_us + item->wait_us) {
            sender->next_look_us = now_us + item->wait_us;
        }
    }
    sender->ended_count = 0;
}

static void tell_state(const struct sync_sender *sender)
{
    sync_log(SYNC_WARN, "lane_state", SYNC_LOG_TEXT("target", sender->target),
             SYNC_LOG_TEXT("state", sync_target_word(sender->target_state)));
}

/* The row of the target: stopped is written once, and taken back when a call goes through again. */
static void write_target(struct sync_sender *sender, enum sync_target_state state,
                         const char *reason)
{
    struct sync_error err = {0};
    (void)judge_database(sender, sync_lane_set_target(&sender->lane, state, reason, &err), &err);
}

/* Calls -------------------------------------------------------------------------------------------
 */

static struct flight *free_flight(struct sync_sender *sender)
{
    for (size_t i = 0; i < SYNC_LANE_KEYS_MAX; i++) {
        if (!sender->flights[i].used) {
            return &sender->flights[i];
        }
    }
    return NULL;
}

/* Everything a call needs is copied: the arena belongs to the next round. */
static sync_status fill_flight(struct sync_sender *sender, const struct sync_lane_item *item,
                               struct flight *flight, struct sync_error *err)
{
    struct sync_lane_request made = {.path = NULL};
    sync_arena_reset(&sender->request_arena, 0);
    sync_status status = sender->lane.store->request(sender->config, &item->effect,
                                                     &sender->request_arena, &made, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_bytes body = made.body;
    int url_size = snprintf(flight->url, sizeof flight->url, "%s%s%s", sender->base_url,
                            made.path[0] == '/' ? "" : "/", made.path);
    flight->method = made.method;
    if (body.size > sizeof flight->request || item->effect.body.size > sizeof flight->body ||
        url_size < 0 || (size_t)url_size >= sizeof flight->url) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_LENGTH, "make a call: it is too long");
    }
    memcpy(flight->request, body.size == 0 ? (const uint8_t *)"" : body.data, body.size);
    memcpy(flight->body, item->effect.body.data, item->effect.body.size);
    sync_uuid_format(&item->effect.effect_id, flight->id);
    flight->item.effect.body =
        (struct sync_bytes){(const uint8_t *)flight->body, item->effect.body.size};
    flight->request_size = body.size;
    return SYNC_OK;
}

/* A call that cannot be made is judged like an answer that never came. */
static void fail_flight(struct sync_sender *sender, struct flight *flight,
                        const struct sync_error *err)
{
    sync_log_error(SYNC_ERROR, "call_not_made", err);
    flight->item.effect.body = (struct sync_bytes){NULL, 0};
    flight->item.effect.body_changed = false;
    flight->item.again = true;
    flight->item.wait_us = SYNC_BACKOFF_MAX_MS * 1000LL;
    add_ended(sender, flight);
}

/* Taken: it waits for a line. */
static void queue_flight(struct sync_sender *sender, const struct sync_lane_item *item)
{
    struct flight *flight = free_flight(sender);
    SYNC_ASSERT(flight);
    struct sync_error err = {0};
    flight->used = true;
    flight->item = *item;
    snprintf(flight->name, sizeof flight->name, "%s", item->effect.name);
    flight->item.effect.name = flight->name;
    sender->flying++;
    if (sync_is_ok(fill_flight(sender, item, flight, &err))) {
        sender->queued[sender->queued_count++] = flight;
    } else {
        fail_flight(sender, flight, &err);
    }
}

static void call(struct sync_sender *sender, struct flight *flight)
{
    struct sync_error err = {0};
    struct sync_http_call request = {
        .method = flight->method,
        .url = flight->url,
        .content_type = "application/json",
        .idempotency_key = flight->id,
        .authorization = sender->token[0] ? sender->token : NULL,
        .body = {(const uint8_t *)flight->request, flight->request_size},
        .timeout_ms = sender->timeout_ms,
        .reuse = true, /* the class of these calls is monotone: a silent repeat does no harm */
        .tag = flight,
    };
    flight->started_us = sync_clock_monotonic_us();
    sync_status status = sync_http_client_send(sender->client, &request, &err);
    pthread_mutex_lock(&sender->lock);
    sender->counters.calls++;
    pthread_mutex_unlock(&sender->lock);
    if (sync_is_ok(status)) {
        sender->calling++;
    } else {
        fail_flight(sender, flight, &err);
    }
}

/* How many calls may be under way. */
static size_t lines_allowed(const struct sync_sender *sender, int64_t now_us)
{
    size_t allowed = sync_breaker_allowed(&sender->breaker, sender->in_flight_max, now_us);
    if (sender->paused) {
        return 0;
    }
    switch (sender->target_state) {
    case SYNC_TARGET_CLOSED:
        return 0;
    case SYNC_TARGET_STOPPED:
        return now_us < sender->stop_probe_us || allowed == 0 ? 0 : 1;
    case SYNC_TARGET_OPEN:
        return allowed;
    }
    return allowed;
}

/*
 * How many effects may be taken now. More than there are lines only while answers come faster than
 * takes: then a line would be idle during each transaction.
 */
static size_t room(const struct sync_sender *sender, int64_t now_us)
{
    size_t wanted = lines_allowed(sender, now_us);
    size_t places = SYNC_LANE_KEYS_MAX - sender->flying;
    size_t taken = sender->calling + sender->queued_count;
    wanted += wanted == sender->in_flight_max ? sender->ahead : 0;
    wanted = wanted > taken ? wanted - taken : 0;
    return wanted < places ? wanted : places;
}

/* Gives lines to what waits for one. What may not leave now goes back to its lane. */
static void start_calls(struct sync_sender *sender, bool stopping)
{
    int64_t now_us = sync_clock_monotonic_us();
    size_t allowed = stopping ? 0 : lines_allowed(sender, now_us), next = 0;
    for (; next < sender->queued_count && sender->calling < allowed; next++) {
        call(sender, sender->queued[next]);
    }
    for (; allowed == 0 && next < sender->queued_count; next++) {
        struct flight *flight = sender->queued[next];
        flight->item.untried = flight->item.again = true;
        flight->item.wait_us = 0;
        add_ended(sender, flight);
    }
    sender->queued_count -= next;
    memmove(sender->queued, &sender->queued[next], sender->queued_count * sizeof *sender->queued);
}

static void tell_verdict(struct sync_sender *sender, const struct sync_lane_item *item)
{
    int64_t *counter = NULL;
    if (item->effect.verdict == SYNC_LANE_SKIP) {
        counter = &sender->counters.skipped;
        count_end(sender, item, "skipped");
    } else if (item->effect.verdict == SYNC_LANE_PARK) {
        counter = &sender->counters.parked;
        count_end(sender, item, item->effect.carried_on ? "carried_on" : "parked");
        sync_log(SYNC_ERROR, "effect_parked", SYNC_LOG_TEXT("target", sender->target),
                 SYNC_LOG_TEXT("effect", item->effect.name),
                 SYNC_LOG_TEXT("rule", item->effect.rule));
    }
    if (counter) {
        pthread_mutex_lock(&sender->lock);
        (*counter)++;
        pthread_mutex_unlock(&sender->lock);
    }
}

/* One take of up to max of the keys that are due. Returns whether another may follow at once. */
static bool take_round(struct sync_sender *sender, size_t max)
{
    struct sync_bytes busy[SYNC_LANE_KEYS_MAX];
    struct sync_lane_key keys[SYNC_LANE_KEYS_MAX];
    /* Any key may be the probe, else one bad key would be each of them. */
    uint64_t random = sender->breaker.open ? sync_random_next(&sender->seed) : 0;
    size_t busy_count = busy_keys(sender, busy), passed = 0;
    size_t count = sync_due_choose(&sender->due, busy, busy_count, max, random, keys, &passed);
    struct sync_lane_taken taken = {.count = 0, .target = sender->target_state};
    struct sync_error err = {0};
    bool probe = sender->target_state == SYNC_TARGET_STOPPED;
    if (count > 0) {
        sync_status status =
            sync_lane_take(&sender->lane, &sender->mine, keys, count, probe, &taken, &err);
        if (!judge_database(sender, status, &err)) {
            return false;
        }
    }
    sync_due_pass(&sender->due, passed);
    sender->target_state = taken.target;
    for (size_t i = 0; i < taken.count; i++) {
        if (taken.items[i].effect.verdict == SYNC_LANE_SEND) {
            queue_flight(sender, &taken.items[i]);
        } else {
            tell_verdict(sender, &taken.items[i]);
        }
    }
    size_t most = SYNC_LANE_KEYS_MAX - sender->in_flight_max;
    sender->ahead = sender->answered < most ? sender->answered : most;
    sender->answered = 0;
    start_calls(sender, false);
    return true;
}

/* Turns -------------------------------------------------------------------------------------------
 */

static void look(struct sync_sender *sender, int64_t now_us)
{
    struct sync_bytes busy[SYNC_LANE_KEYS_MAX];
    struct sync_lane_view view = {.key_count = 0};
    struct sync_error err = {0};
    size_t busy_count = busy_keys(sender, busy);
    sender->next_look_us = now_us + IDLE_LOOK_US;
    sender->look_wanted = false;
    sync_status status =
        sync_lane_look(&sender->lane, &sender->mine, busy, busy_count, &view, &err);
    if (!judge_database(sender, status, &err)) {
        return;
    }
    sender->target_state = view.target;
    sync_due_clear(&sender->due);
    sender->look_wanted = view.key_count == SYNC_LANE_VIEW_KEYS_MAX; /* there are more */
    for (size_t i = 0; i < view.key_count; i++) {
        struct sync_due_key key;
        if (sync_due_key_of(view.keys[i].partition, view.keys[i].key, &key)) {
            add_due(sender, &key);
        }
    }
    if (view.next_due_us != INT64_MAX && view.next_due_us - view.now_us < IDLE_LOOK_US) {
        sender->next_look_us =
            now_us + (view.next_due_us > view.now_us ? view.next_due_us - view.now_us : 0);
    }
}

static void show_state(struct sync_sender *sender, int64_t now_us)
{
    for (int i = 0; i < 3; i++) {
        sync_metric_set(sender->metrics.lane_state, (int)sender->target_state == i,
                        SYNC_LABELS(sender->target, sync_target_word(i)));
    }
    if (now_us < sender->next_stats_us) {
        return;
    }
    int64_t pending = 0, oldest_us = INT64_MAX;
    struct sync_error err = {0};
    sync_status status =
        sync_lane_pending(&sender->lane, &sender->mine, &pending, &oldest_us, &err);
    int64_t took_us = sync_clock_monotonic_us() - now_us;
    int64_t rest_us = took_us * STATS_REST;
    sender->next_stats_us = now_us + (rest_us > STATS_EVERY_US ? rest_us : STATS_EVERY_US);
    if (!judge_database(sender, status, &err)) {
        return;
    }
    double age_s = oldest_us == INT64_MAX ? 0 : (double)(sync_clock_wall_us() - oldest_us) / 1e6;
    sync_metric_set(sender->metrics.pending, (double)pending, SYNC_LABELS(sender->target));
    sync_metric_set(sender->metrics.outbox_pending, (double)pending, SYNC_LABELS(sender->target));
    sync_metric_set(sender->metrics.oldest, age_s > 0 ? age_s : 0, SYNC_LABELS(sender->target));
}

/* Everything that waits ends closed. */
static void close_round(struct sync_sender *sender)
{
    struct sync_bytes busy[SYNC_LANE_KEYS_MAX];
    size_t busy_count = busy_keys(sender, busy);
    size_t closed = 0;
    struct sync_error err = {0};
    sync_status status =
        sync_lane_close(&sender->lane, &sender->mine, busy, busy_count, &closed, &err);
    if (!judge_database(sender, status, &err) || closed == 0) {
        return;
    }
    pthread_mutex_lock(&sender->lock);
    sender->counters.closed += (int64_t)closed;
    pthread_mutex_unlock(&sender->lock);
    sync_metric_add(sender->metrics.effects, (double)closed,
                    SYNC_LABELS(sender->scope, sender->target, "any", "closed"));
    sender->look_wanted = true; /* there may be more */
}

/* What was found is used up: only then another look says more. A target that is not open is looked
 * at often. */
static bool is_drained(const struct sync_sender *sender)
{
    return sync_due_left(&sender->due) == 0 || sender->target_state != SYNC_TARGET_OPEN;
}

/* Looks and takes while there is room. */
static void send_turn(struct sync_sender *sender, int64_t now_us)
{
    enum sync_target_state before = sender->target_state;
    if (sender->mine.count == 0 || now_us < sender->database_wait_until_us) {
        return;
    }
    if (sender->paused) {
        sync_due_clear(&sender->due);
        sender->look_wanted = true; /* when it goes on */
        show_state(sender, now_us);
        return;
    }
    sender->look_wanted = sender->look_wanted || now_us >= sender->next_look_us;
    if (is_drained(sender) && sender->look_wanted) {
        look(sender, now_us);
    }
    if (sender->target_state == SYNC_TARGET_CLOSED) {
        sync_due_clear(&sender->due);
        close_round(sender);
    }
    size_t max = room(sender, now_us);
    while (max > 0 && sync_due_left(&sender->due) > 0 && take_round(sender, max)) {
        if (sync_due_left(&sender->due) == 0 && sender->look_wanted) {
            look(sender, now_us);
        }
        max = room(sender, now_us);
    }
    if (before != sender->target_state) {
        tell_state(sender);
    }
    show_state(sender, now_us);
}

/* Marks wait only while there is other work, and never one that changes how the lane stands. */
static bool is_finish_due(const struct sync_sender *sender, bool stopping, int64_t now_us)
{
    if (sender->ended_count == 0 || now_us < sender->database_wait_until_us) {
        return false;
    }
    bool idle = is_drained(sender) && sender->flying == sender->ended_count;
    return idle || stopping || sender->ended_badly || sender->mine.count == 0 ||
           sender->ended_count >= FINISH_COUNT || sender->flying == SYNC_LANE_KEYS_MAX ||
           now_us - sender->ended_us >= FINISH_US;
}

/* How long nothing can happen but an answer or a note. */
static int wait_ms(const struct sync_sender *sender, int64_t now_us)
{
    int64_t until_us = now_us + IDLE_LOOK_US;
    int64_t next_us = until_us;
    if (is_drained(sender)) {
        next_us = sender->look_wanted ? now_us : sender->next_look_us;
    } else if (room(sender, now_us) > 0) {
        next_us = now_us;
    } else if (sender->breaker.probe_at_us > now_us) {
        next_us = sender->breaker.probe_at_us;
    }
    next_us = sender->mine.count == 0 || sender->paused ? until_us : next_us;
    if (sender->ended_count > 0 && sender->ended_us + FINISH_US < next_us) {
        next_us = sender->ended_us + FINISH_US;
    }
    next_us = next_us < sender->database_wait_until_us ? sender->database_wait_until_us : next_us;
    until_us = next_us < until_us ? next_us : until_us;
    return until_us > now_us ? (int)((until_us - now_us + 999) / 1000) : 0;
}

static void receive(struct sync_sender *sender, bool stopping, int timeout_ms)
{
    struct sync_http_answer_in answers[SYNC_LANE_KEYS_MAX];
    enum sync_target_state before = sender->target_state;
    size_t count = sync_http_client_wait(sender->client, timeout_ms, answers,
                                         SYNC_LANE_KEYS_MAX - sender->ended_count);
    for (size_t i = 0; i < count; i++) {
        judge_answer(sender, &answers[i]);
        bool through = !answers[i].failed && answers[i].code >= 200 && answers[i].code <= 299;
        if (before == SYNC_TARGET_STOPPED && through && sender->target_state == before) {
            sender->target_state = SYNC_TARGET_OPEN;
        }
    }
    start_calls(sender, stopping);
    if (is_finish_due(sender, stopping, sync_clock_monotonic_us())) {
        finish_round(sender);
    }
    if (before != sender->target_state && sender->target_state == SYNC_TARGET_STOPPED) {
        write_target(sender, SYNC_TARGET_STOPPED, "the target refuses our token");
    } else if (before == SYNC_TARGET_STOPPED && sender->target_state == SYNC_TARGET_OPEN) {
        write_target(sender, SYNC_TARGET_OPEN, "the target takes our token again");
        tell_state(sender);
    }
}

static void *run(void *context)
{
    struct sync_sender *sender = context;
    bool stopping = false;
    int64_t limit_us = INT64_MAX;
    while (!stopping || (sender->flying > 0 && sync_clock_monotonic_us() < limit_us)) {
        sync_health_beat(SYNC_LOOP_SEND);
        bool was_stopping = stopping;
        sender->look_wanted = take_notes(sender, &stopping) || sender->look_wanted;
        int64_t now_us = sync_clock_monotonic_us();
        if (stopping && !was_stopping) {
            limit_us = now_us + sender->drain_ms * 1000LL;
        }
        if (!stopping) {
            send_turn(sender, now_us);
        }
        receive(sender, stopping, stopping ? 50 : wait_ms(sender, sync_clock_monotonic_us()));
    }
    sync_http_client_abort(
        sender->client); /* cut calls stay "sent" and are decided again by their class */
    sync_db_disconnect(sender->lane.db);
    return NULL;
}

sync_status sync_sender_start(struct sync_sender *sender, struct sync_error *err)
{
    sync_health_expect(SYNC_LOOP_SEND, 30000); /* one transaction may take its time-outs */
    sync_health_need(SYNC_DEP_BRIDGE);
    sync_health_set(SYNC_DEP_BRIDGE, true); /* until a call says otherwise */
    if (pthread_create(&sender->thread, NULL, run, sender) != 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                         "start the send thread: the system gives none");
    }
    sender->started = true;
    return SYNC_OK;
}

void sync_sender_stop(struct sync_sender *sender, int drain_ms)
{
    if (!sender->started) {
        return;
    }
    pthread_mutex_lock(&sender->lock);
    sender->stopping = true;
    sender->drain_ms = drain_ms;
    pthread_mutex_unlock(&sender->lock);
    sync_http_client_wake(sender->client);
    pthread_join(sender->thread, NULL);
    sender->started = false;
}
