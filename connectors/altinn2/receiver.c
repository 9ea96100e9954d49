/*
 * The push receiver. Listener: checks and parses a call, suspends it. Stream thread: lets the
 * capture look up, number and make records. Poll thread (the caller's): produces, takes delivery
 * reports, answers. They share the table of pushes (push.c) and nothing else. Not here: which calls
 * there are and what they say.
 */
#include "receiver_parts.h"

#include <core/limits.h>
#include <runtime/clock.h>
#include <runtime/health.h>
#include <runtime/log.h>
#include <runtime/metrics.h>
#include <runtime/secret.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define PROBE_EVERY_US (5 * 1000000LL) /* an idle dependency is asked so often */
#define TAKE_MS        500             /* the stream thread waits for a call so long */

struct receiver {
    const struct receiver_capture *capture;
    const struct sync_config *config;
    struct receiver_shell shell;
    void *part; /* of the capture */
    struct sync_kafka_producer *producer;
    struct sync_http_server *listener, *probes;
    char token[SYNC_SECRET_MAX]; /* "" = none asked for */
    pthread_t stream, own;
    bool has_own;         /* the capture's own thread runs */
    atomic_bool stopping; /* no new calls */
    atomic_bool broken;   /* fatal holds why */
    pthread_mutex_t fatal_lock;
    struct sync_error fatal; /* written before broken is set */
    size_t asked_topic;
    int64_t answered_us[RECEIVER_TOPICS_MAX]; /* when the broker last did not say that it has no
                                                 such topic */
    int64_t asked_kafka_us;
    size_t in_flight; /* of the producer: pushes with reports due */
};

static volatile sig_atomic_t asked_to_stop;

static void note_signal(int number)
{
    (void)number;
    if (asked_to_stop) {
        _Exit(1); /* a second one means now */
    }
    asked_to_stop = 1;
}

/* Listener. */

/* Takes the same time for every wrong token of one size. */
static bool is_authorised(const struct receiver *receiver, const char *header)
{
    static const char scheme[] = "Bearer ";
    if (receiver->token[0] == '\0') {
        return true;
    }
    if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *given = header + sizeof scheme - 1;
    size_t size = strlen(receiver->token);
    if (strlen(given) != size) {
        return false;
    }
    unsigned char difference = 0;
    for (size_t i = 0; i < size; i++) {
        difference |= (unsigned char)(given[i] ^ receiver->token[i]);
    }
    return difference == 0;
}

static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";
    size_t size = sizeof json - 1;
    return content_type && strncasecmp(content_type, json, size) == 0 &&
           (content_type[size] == '\0' || content_type[size] == ';' || content_type[size] == ' ');
}

/* Parses the body here, so that nothing of the request is needed after its answer. */
static void accept_push(struct receiver *receiver, struct sync_http_request *request,
                        const struct receiver_call *call, const struct receiver_place *place)
{
    void *content = NULL;
    struct sync_error err = {0};
    sync_status status = call->parse(request->body, place, &content, &err);
    if (status.class == SYNC_CLASS_PARK) {
        push_reply(request, err.code == SYNC_CODE_OVERSIZE ? 413 : 400, err.field, err.text);
        return;
    }
    if (!sync_is_ok(status)) {
        push_reply(request, 503, NULL, err.text);
        return;
    }
    if (atomic_load(&receiver->stopping) ||
        !push_table_add(&receiver->shell.pushes, request, content)) {
        free(content);
        push_reply(request, 503, NULL, "no room for another call now; send it again");
    }
}

static const struct receiver_call *find_call(const struct receiver *receiver, const char *path,
                                             struct receiver_place *ret_place)
{
    const struct receiver_capture *capture = receiver->capture;
    const char *name = capture->locate ? capture->locate(receiver->part, path, ret_place) : path;
    for (size_t i = 0; i < capture->call_count; i++) {
        if (strcmp(capture->calls[i].path, name) == 0) {
            return &capture->calls[i];
        }
    }
    return NULL;
}

static void handle(struct sync_http_request *request, void *context)
{
    struct receiver *receiver = context;
    struct receiver_place place = {.is_export = false};
    if (!is_authorised(receiver, request->authorization)) {
        push_reply(request, 401, NULL, "a valid bearer token is needed");
        return;
    }
    const struct receiver_call *call = find_call(receiver, request->path, &place);
    if (!call) {
        push_reply(request, 404, NULL, "no such call");
    } else if (strcmp(request->method, "POST") != 0) {
        push_reply(request, 405, NULL, "this call takes POST only");
    } else if (!call->parse) {
        push_reply(request, 501, NULL, "the consumer of this call does not exist yet");
    } else if (!is_json(request->content_type)) {
        push_reply(request, 415, NULL, "the body must be application/json");
    } else {
        accept_push(receiver, request, call, &place);
    }
}

/* Stream thread. */

void receiver_judge_database(struct receiver_shell *shell, sync_status status,
                             const struct sync_error *err)
{
    struct receiver *receiver =
        (struct receiver *)(void *)((char *)shell - offsetof(struct receiver, shell));
    sync_health_set(SYNC_DEP_DATABASE, sync_is_ok(status));
    if (status.class == SYNC_CLASS_FATAL) {
        pthread_mutex_lock(&receiver->fatal_lock);
        if (!atomic_load(&receiver->broken)) {
            receiver->fatal = *err;
            atomic_store(&receiver->broken, true);
        }
        pthread_mutex_unlock(&receiver->fatal_lock);
    } else if (!sync_is_ok(status)) {
        sync_log_error(SYNC_WARN, "database_unreachable", err);
    }
}

/* What the capture does with pushes of a stage. */
typedef sync_status receiver_step(void *part, struct push **pushes, size_t count,
                                  struct sync_error *err);

/* One round: everything in this stage is answered, or handed on. Returns whether there was any. */
static bool run_step(struct receiver *receiver, enum push_stage stage, receiver_step *step)
{
    struct push *pushes[SYNC_HTTP_REQUESTS_MAX];
    int64_t numbers[SYNC_HTTP_REQUESTS_MAX];
    struct sync_error err = {0};
    size_t count = push_table_take(&receiver->shell.pushes, stage, PUSH_RESOLVING, pushes,
                                   SYNC_HTTP_REQUESTS_MAX, 0);
    if (count == 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        numbers[i] = pushes[i]->number;
    }
    sync_status status = step(receiver->part, pushes, count, &err);
    for (size_t i = 0; i < count && !sync_is_ok(status); i++) {
        /* What was handed on or freed has another stage, or its place another push. */
        if (push_table_holds(&receiver->shell.pushes, pushes[i], numbers[i], PUSH_RESOLVING)) {
            push_end(&receiver->shell.pushes, pushes[i], 503, NULL,
                     "the database cannot be asked now; send it again");
        }
    }
    receiver_judge_database(&receiver->shell, status, &err);
    return true;
}

static void *run_stream(void *context)
{
    struct receiver *receiver = context;
    const struct receiver_capture *capture = receiver->capture;
    int64_t asked_us = 0;
    while (!atomic_load(&receiver->shell.ending)) {
        sync_health_beat(SYNC_LOOP_STREAM);
        push_table_wait(&receiver->shell.pushes, PUSH_WAITING, PUSH_STORED, TAKE_MS);
        bool worked = run_step(receiver, PUSH_WAITING, capture->make);
        if (capture->confirm) {
            worked = run_step(receiver, PUSH_STORED, capture->confirm) || worked;
        }
        int64_t now_us = sync_clock_monotonic_us();
        struct sync_error err = {0};
        if (!worked && now_us - asked_us > PROBE_EVERY_US) {
            receiver_judge_database(&receiver->shell, capture->ping(receiver->part, &err), &err);
            worked = true;
        }
        asked_us = worked ? now_us : asked_us;
        sync_status status = capture->idle ? capture->idle(receiver->part, now_us, &err) : SYNC_OK;
        if (!sync_is_ok(status)) {
            receiver_judge_database(&receiver->shell, status, &err);
        }
    }
    return NULL;
}

static void *run_own(void *context)
{
    struct receiver *receiver = context;
    receiver->capture->run(receiver->part);
    return NULL;
}

/* Poll thread. */

static void count_records(const struct receiver *receiver, size_t count)
{
    static struct sync_metric *records;
    if (!records) {
        records =
            sync_metric_new(SYNC_COUNTER, "source_records_total",
                            "Records that the broker has acknowledged, by capture.", "source");
    }
    sync_metric_add(records, (double)count, SYNC_LABELS(receiver->capture->name));
}

/* Answers as soon as the answer is certain; the place stays until the last report is in. */
static void settle_push(struct receiver *receiver, struct push *push)
{
    push->stored = push->outstanding == 0 && !push->failed;
    if (push->failed) {
        push_answer(&receiver->shell.pushes, push, 503, NULL,
                    "the broker has not stored everything; send it again");
    } else if (push->outstanding == 0 && push->confirm) {
        receiver->in_flight--;
        push_table_move(&receiver->shell.pushes, push, PUSH_STORED);
        return;
    } else if (push->outstanding == 0) {
        push_answer_stored(&receiver->shell.pushes, push);
    }
    if (push->outstanding == 0) {
        receiver->in_flight--;
        push_release(&receiver->shell.pushes, push);
    }
}

static void note_delivery(void *context, void *tag, bool stored, const struct sync_error *err)
{
    struct receiver *receiver = context;
    struct push *push = tag;
    SYNC_ASSERT(push->outstanding > 0);
    push->outstanding--;
    if (stored) {
        count_records(receiver, 1);
    } else {
        push->failed = true;
        sync_log_error(SYNC_WARN, "record_not_stored", err);
    }
    sync_health_set(SYNC_DEP_KAFKA, stored);
    settle_push(receiver, push);
}

static sync_status open_producer(struct receiver *receiver, struct sync_error *err)
{
    const struct sync_config *config = receiver->config;
    struct sync_kafka_options options = {.bootstrap = config->kafka_bootstrap,
                                         .client_id = receiver->capture->name,
                                         .dev = config->dev,
                                         .properties = config->kafka_properties};
    return sync_kafka_producer_new(&options, note_delivery, receiver, &receiver->producer, err);
}

/* The producer is past use. Its reports will not come any more: whoever waits must send again. */
static sync_status replace_producer(struct receiver *receiver, const struct sync_error *reason,
                                    struct sync_error *err)
{
    sync_log_error(SYNC_ERROR, "producer_replaced", reason);
    sync_kafka_producer_free(&receiver->producer, 0);
    for (size_t i = 0; i < PUSHES_MAX; i++) {
        struct push *push = &receiver->shell.pushes.items[i];
        if (push->stage == PUSH_FLYING) { /* only this thread moves to or from this stage */
            push->failed = true;
            push->outstanding = 0;
            settle_push(receiver, push);
        }
    }
    return open_producer(receiver, err);
}

static sync_status produce_push(struct receiver *receiver, struct push *push,
                                struct sync_error *err)
{
    sync_status status = SYNC_OK;
    receiver->in_flight++;
    push->outstanding = 1; /* ours, so that no report ends the place while we still produce */
    for (size_t i = 0; i < push->record_count && sync_is_ok(status); i++) {
        struct sync_kafka_record *record = &push->records[i];
        record->tag = push;
        status = sync_kafka_produce(receiver->producer, record, err);
        push->outstanding += sync_is_ok(status);
    }
    free(push->memory);
    push->memory = NULL;
    push->failed = push->failed || !sync_is_ok(status);
    push->outstanding--;
    settle_push(receiver, push);
    if (status.class != SYNC_CLASS_FATAL) {
        return SYNC_OK; /* a full queue: the push was answered 503 */
    }
    struct sync_error reason = *err;
    return replace_producer(receiver, &reason, err);
}

static bool topics_known(const struct receiver *receiver)
{
    for (size_t i = 0; i < receiver->shell.topic_count; i++) {
        if (atomic_load(&receiver->shell.topics[i].partitions) == 0) {
            return false;
        }
    }
    return true;
}

/* The broker has no such topic, or does not answer. */
static sync_status miss_topic(struct receiver *receiver, size_t index, int64_t now_us,
                              struct sync_error *err)
{
    if (err->code != SYNC_CODE_TOPIC_UNKNOWN) {
        receiver->answered_us[index] = now_us; /* no answer is no answer about the topic */
    }
    if (now_us - receiver->answered_us[index] > (int64_t)SYNC_TOPIC_UNKNOWN_MS * 1000) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_UNKNOWN,
                         "write %s: the broker has no such topic; run \"altinn-sync topics apply\"",
                         receiver->shell.topics[index].name);
    }
    sync_log_error(SYNC_WARN, "kafka_unreachable", err);
    return SYNC_OK;
}

/* Asks for one topic after the other until all are known, later only while the broker is silent. */
static sync_status ask_kafka(struct receiver *receiver, int64_t now_us, struct sync_error *err)
{
    if (receiver->in_flight > 0 ||
        now_us - receiver->asked_kafka_us < PROBE_EVERY_US / (topics_known(receiver) ? 1 : 5)) {
        return SYNC_OK;
    }
    receiver->asked_kafka_us = now_us;
    receiver->asked_topic = (receiver->asked_topic + 1) % receiver->shell.topic_count;
    size_t index = receiver->asked_topic;
    struct receiver_topic *topic = &receiver->shell.topics[index];
    char cluster_id[64];
    int32_t partitions = 0;
    sync_status status = sync_kafka_producer_describe(receiver->producer, topic->name, 1000,
                                                      cluster_id, &partitions, err);
    sync_health_set(SYNC_DEP_KAFKA, sync_is_ok(status));
    if (sync_is_ok(status)) {
        if (atomic_exchange(&topic->partitions, partitions) == 0 && !topics_known(receiver)) {
            receiver->asked_kafka_us = 0; /* the next one at once */
        }
        receiver->answered_us[index] = now_us;
        return SYNC_OK;
    }
    return status.class == SYNC_CLASS_FATAL ? status : miss_topic(receiver, index, now_us, err);
}

/* One by one: a producer that has to be replaced ends all pushes that were taken. */
static sync_status produce_waiting(struct receiver *receiver, struct sync_error *err)
{
    sync_status status = SYNC_OK;
    int timeout_ms = receiver->in_flight > 0 ? 0 : 100;
    for (size_t i = 0; i < SYNC_HTTP_REQUESTS_MAX && sync_is_ok(status); i++) {
        struct push *push = NULL;
        if (push_table_take(&receiver->shell.pushes, PUSH_READY, PUSH_FLYING, &push, 1,
                            timeout_ms) == 0) {
            break;
        }
        if (topics_known(receiver)) {
            status = produce_push(receiver, push, err);
        } else {
            push_end(&receiver->shell.pushes, push, 503, NULL,
                     "the broker cannot be reached now; send it again");
        }
        timeout_ms = 0;
    }
    return status;
}

static sync_status turn(struct receiver *receiver, struct sync_error *err)
{
    sync_health_beat(SYNC_LOOP_POLL);
    sync_status status = ask_kafka(receiver, sync_clock_monotonic_us(), err);
    if (sync_is_ok(status)) {
        status = produce_waiting(receiver, err);
    }
    if (sync_is_ok(status) && receiver->in_flight > 0) {
        sync_kafka_producer_poll(receiver->producer, 5);
    }
    int64_t deadline_us = sync_clock_monotonic_us() - SYNC_RECEIVER_ANSWER_MS * 1000LL;
    if (push_table_expire(&receiver->shell.pushes, deadline_us) > 0) {
        sync_health_set(SYNC_DEP_KAFKA, false);
    }
    return status;
}

static sync_status run_turns(struct receiver *receiver, struct sync_error *err)
{
    sync_status status = SYNC_OK;
    while (!asked_to_stop && !atomic_load(&receiver->broken) && sync_is_ok(status)) {
        status = turn(receiver, err);
    }
    atomic_store(&receiver->stopping, true);
    int64_t limit_us = sync_clock_monotonic_us() + SYNC_RECEIVER_ANSWER_MS * 1000LL;
    while (sync_is_ok(status) && !atomic_load(&receiver->broken) &&
           push_table_open(&receiver->shell.pushes) > 0 && sync_clock_monotonic_us() < limit_us) {
        status = turn(receiver, err);
    }
    if (atomic_load(&receiver->broken)) {
        *err = receiver->fatal;
        return (sync_status){SYNC_CLASS_FATAL};
    }
    return status;
}

/* Start and end. */

/* Without a token only the own machine may push. */
static sync_status read_token(struct receiver *receiver, struct sync_error *err)
{
    const struct sync_config *config = receiver->config;
    if (config->capture_token_file[0] != '\0') {
        return sync_secret_read("capture.token_file", config->capture_token_file, receiver->token,
                                sizeof receiver->token, err);
    }
    char host[SYNC_CONFIG_TEXT_MAX];
    const char *listen = config->capture_listen;
    const char *colon = strrchr(listen, ':');
    size_t size = colon ? (size_t)(colon - listen) : strlen(listen);
    bool bracketed = size > 1 && listen[0] == '[' && listen[size - 1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? size - 2 : size),
             bracketed ? listen + 1 : listen);
    if (!sync_config_is_loopback(host)) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE,
                         "listen for pushes: capture.token_file must be set, because "
                         "capture.listen is not a loopback address");
    }
    return SYNC_OK;
}

static sync_status open_receiver(struct receiver *receiver, struct sync_error *err)
{
    const struct sync_config *config = receiver->config;
    sync_status status = sync_schema_set_new(config->schemas_dir, &receiver->shell.schemas, err);
    if (sync_is_ok(status)) {
        status = read_token(receiver, err);
    }
    if (sync_is_ok(status)) {
        status = receiver->capture->open(&receiver->shell, &receiver->part, err);
    }
    if (sync_is_ok(status)) {
        status = open_producer(receiver, err);
    }
    if (sync_is_ok(status)) {
        status = sync_http_probes_new(config->http_listen, &receiver->probes, err);
    }
    if (sync_is_ok(status)) {
        struct sync_http_server_options options = {.listen = config->capture_listen,
                                                   .body_bytes_max = SYNC_HTTP_BODY_BYTES_MAX,
                                                   .connections_max = SYNC_HTTP_REQUESTS_MAX,
                                                   .handler = handle,
                                                   .context = receiver};
        status = sync_http_server_new(&options, &receiver->listener, err);
    }
    return status;
}

static void start_health(void)
{
    sync_health_expect(SYNC_LOOP_POLL, 15000);
    sync_health_expect(SYNC_LOOP_STREAM,
                       30000); /* one connect and one look-up may take their time-outs */
    sync_health_need(SYNC_DEP_KAFKA);
    sync_health_need(SYNC_DEP_DATABASE);
    sync_health_started();
}

/* The producer first: its last reports still settle pushes. The listener carries the last answers.
 */
static void close_receiver(struct receiver *receiver)
{
    if (receiver->producer) {
        sync_kafka_producer_free(&receiver->producer, 1000);
    }
    push_table_close(&receiver->shell.pushes);
    sync_http_server_free(&receiver->listener);
    if (receiver->part) {
        receiver->capture->close(&receiver->part);
    }
    push_table_done(&receiver->shell.pushes);
    sync_http_server_free(&receiver->probes);
    sync_schema_set_free(&receiver->shell.schemas);
    pthread_mutex_destroy(&receiver->fatal_lock);
    explicit_bzero(receiver->token, sizeof receiver->token);
    free(receiver);
}

/* With the other threads of the process; they have ended when it returns. */
static sync_status run_threads(struct receiver *receiver, struct sync_error *err)
{
    if (pthread_create(&receiver->stream, NULL, run_stream, receiver) != 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                         "start the stream thread: the system gives none");
    }
    sync_status status = SYNC_OK;
    if (receiver->capture->run) {
        receiver->has_own = pthread_create(&receiver->own, NULL, run_own, receiver) == 0;
        status = receiver->has_own ? SYNC_OK
                                   : sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                                               "start the reading thread: the system gives none");
    }
    if (sync_is_ok(status)) {
        sync_log(SYNC_INFO, "ready",
                 SYNC_LOG_TEXT("listen", sync_http_server_address(receiver->listener)),
                 SYNC_LOG_TEXT("http", sync_http_server_address(receiver->probes)));
        status = run_turns(receiver, err);
    }
    atomic_store(&receiver->shell.ending, true);
    pthread_join(receiver->stream, NULL);
    if (receiver->has_own) {
        pthread_join(receiver->own, NULL);
    }
    return status;
}

sync_status receiver_run(const struct receiver_capture *capture, const struct sync_config *config,
                         struct sync_error *err)
{
    struct receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the receiver: no memory");
    }
    receiver->capture = capture;
    receiver->config = config;
    receiver->shell.name = capture->name;
    receiver->shell.config = config;
    for (size_t i = 0; i < RECEIVER_TOPICS_MAX; i++) {
        receiver->answered_us[i] = sync_clock_monotonic_us();
    }
    pthread_mutex_init(&receiver->fatal_lock, NULL);
    push_table_init(&receiver->shell.pushes);
    struct sigaction action = {.sa_handler = note_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    start_health();
    sync_status status = open_receiver(receiver, err);
    if (sync_is_ok(status)) {
        status = run_threads(receiver, err);
    }
    close_receiver(receiver);
    return status;
}
