/*
 * The push receiver. Listener: checks and parses a call, suspends it. Stream thread: looks ids up,
 * numbers the acts, makes records. Poll thread (the caller's): produces, takes delivery reports,
 * answers. They share the table of pushes (push.c) and nothing else. Not here: rules.
 */
#include "receiver.h"

#include "push.h"
#include "resolver.h"

#include <core/limits.h>
#include <runtime/clock.h>
#include <runtime/health.h>
#include <runtime/log.h>
#include <runtime/metrics.h>
#include <runtime/route.h>
#include <runtime/secret.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define SOURCE         "altinn2-status"
#define PATH_PREFIX    "/correspondence/api/v1/migration/correspondence/"
#define RECORD_BYTES   1536 /* arena for one record: struct, eight short headers, value */
#define FLYING_MAX     PUSHES_MAX
#define PROBE_EVERY_US (5 * 1000000LL) /* an idle dependency is asked so often */

struct receiver {
    const struct sync_config *config;
    const char *topic;
    struct sync_schema_set *schemas;
    const struct sync_schema *schema;
    struct resolver *resolver;
    struct sync_kafka_producer *producer;
    struct sync_http_server *listener, *probes;
    char token[SYNC_SECRET_MAX]; /* "" = none asked for */
    struct push_table pushes;
    pthread_t stream;
    atomic_bool stopping;    /* no new calls */
    atomic_bool stream_ends; /* the stream thread ends */
    atomic_bool broken;      /* fatal holds why */
    struct sync_error fatal; /* written before broken is set */
    bool topic_known;
    int64_t answered_us; /* when the broker last did not say that it has no such topic */
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
static void accept_push(struct receiver *receiver, struct sync_http_request *request)
{
    struct status_event *event = NULL;
    struct sync_error err = {0};
    sync_status status = status_event_parse(request->body, &event, &err);
    if (status.class == SYNC_CLASS_PARK) {
        push_reply(request, err.code == SYNC_CODE_OVERSIZE ? 413 : 400, err.field, err.text);
        return;
    }
    if (!sync_is_ok(status)) {
        push_reply(request, 503, NULL, err.text);
        return;
    }
    if (atomic_load(&receiver->stopping) || !push_table_add(&receiver->pushes, request, event)) {
        free(event);
        push_reply(request, 503, NULL, "no room for another call now; send it again");
    }
}

static void handle(struct sync_http_request *request, void *context)
{
    struct receiver *receiver = context;
    size_t prefix = sizeof PATH_PREFIX - 1;
    const char *call =
        strncmp(request->path, PATH_PREFIX, prefix) == 0 ? request->path + prefix : "";
    bool is_status = strcmp(call, "syncStatusEvent") == 0;
    bool is_later =
        strcmp(call, "syncForwardingEvent") == 0 || strcmp(call, "syncNotificationEvent") == 0;
    if (!is_authorised(receiver, request->authorization)) {
        push_reply(request, 401, NULL, "a valid bearer token is needed");
    } else if (!is_status && !is_later) {
        push_reply(request, 404, NULL, "no such call");
    } else if (strcmp(request->method, "POST") != 0) {
        push_reply(request, 405, NULL, "this call takes POST only");
    } else if (is_later) {
        push_reply(request, 501, NULL, "the consumer of this call does not exist yet");
    } else if (!is_json(request->content_type)) {
        push_reply(request, 415, NULL, "the body must be application/json");
    } else {
        accept_push(receiver, request);
    }
}

/* Stream thread. */

static void end_push(struct receiver *receiver, struct push *push, int code, const char *pointer,
                     const char *detail)
{
    push_answer(&receiver->pushes, push, code, pointer, detail);
    push_release(&receiver->pushes, push);
}

/* The id that the records carry, 0 when the push has been answered and ended. */
static int32_t choose_id(struct receiver *receiver, struct push *push, int32_t found)
{
    const struct status_event *event = push->event;
    if (event->has_altinn2_id && found != 0 && found != event->altinn2_id) {
        end_push(receiver, push, 400, "/altinn2CorrespondenceId",
                 "this message has another number in Altinn 3");
        return 0;
    }
    if (!event->has_altinn2_id && found == 0) {
        end_push(receiver, push, 404, NULL, "no message with this id and a number in Altinn 2");
        return 0;
    }
    return found != 0 ? found : event->altinn2_id;
}

static sync_status make_records(const struct receiver *receiver, struct push *push,
                                const struct resolver_run *run, struct sync_error *err)
{
    const struct status_event *event = push->event;
    size_t size = (event->count + 1) * RECORD_BYTES;
    push->memory = malloc(size);
    if (!push->memory) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "make records: no memory");
    }
    struct sync_arena arena;
    sync_arena_init(&arena, push->memory, size);
    push->records = sync_arena_take_array(&arena, event->count, sizeof *push->records);
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < event->count && sync_is_ok(status); i++) {
        const struct status_event_item *item = &event->items[i];
        struct status_change change = {
            .source = {.system = 0,
                       .stream = sync_bytes_text(run->stream),
                       .sequence = run->first + (int64_t)i},
            .has_altinn2_id = true,
            .altinn2_id = push->altinn2_id,
            .has_altinn3_id = true,
            .altinn3_id = event->altinn3_id,
            .mode = STATUS_LIVE,
            .captured_at_us = push->captured_at_us,
            .kind = item->kind,
            .occurred_at_us = item->occurred_at_us,
            .party = item->party,
            .has_user = item->has_user,
            .user = item->user,
        };
        status = status_record_make(receiver->schema, &change, &arena, &push->records[i], err);
    }
    return status;
}

/* Numbers and encodes what was resolved and hands it to the poll thread. */
static sync_status number_pushes(struct receiver *receiver, struct push **pushes, size_t count,
                                 struct sync_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += pushes[i]->event->count;
    }
    struct resolver_run run;
    sync_status status =
        count == 0 ? SYNC_OK : resolver_number(receiver->resolver, total, &run, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        size_t acts = pushes[i]->event->count;
        struct sync_error reason = {0};
        sync_status made = make_records(receiver, pushes[i], &run, &reason);
        run.first += (int64_t)acts;
        if (sync_is_ok(made)) {
            push_table_move(&receiver->pushes, pushes[i], PUSH_READY);
        } else {
            sync_log_error(SYNC_ERROR, "record_refused", &reason);
            end_push(receiver, pushes[i], made.class == SYNC_CLASS_RETRY ? 503 : 500, NULL,
                     "the records of this call could not be made");
        }
    }
    return SYNC_OK;
}

/* One round: answers everything in pushes, or hands it on. */
static sync_status resolve_pushes(struct receiver *receiver, struct push **pushes, size_t count,
                                  struct sync_error *err)
{
    struct sync_uuid ids[SYNC_HTTP_REQUESTS_MAX];
    int32_t found[SYNC_HTTP_REQUESTS_MAX];
    for (size_t i = 0; i < count; i++) {
        ids[i] = pushes[i]->event->altinn3_id;
    }
    sync_status status = resolver_find(receiver->resolver, ids, count, found, err);
    size_t kept = 0;
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        struct push *push = pushes[i];
        push->altinn2_id = choose_id(receiver, push, found[i]);
        if (push->altinn2_id != 0) {
            pushes[kept++] = push;
        }
    }
    size_t left = sync_is_ok(status) ? kept : count;
    if (sync_is_ok(status)) {
        status = number_pushes(receiver, pushes, kept, err);
    }
    for (size_t i = 0; i < left && !sync_is_ok(status); i++) {
        end_push(receiver, pushes[i], 503, NULL,
                 "the message cannot be looked up now; send it again");
    }
    return status;
}

/* A refusal by the database ends the process; an outage is told and waited for. */
static void judge_database(struct receiver *receiver, sync_status status,
                           const struct sync_error *err)
{
    sync_health_set(SYNC_DEP_DATABASE, sync_is_ok(status));
    if (status.class == SYNC_CLASS_FATAL && !atomic_load(&receiver->broken)) {
        receiver->fatal = *err;
        atomic_store(&receiver->broken, true);
    } else if (!sync_is_ok(status)) {
        sync_log_error(SYNC_WARN, "database_unreachable", err);
    }
}

static void *run_stream(void *context)
{
    struct receiver *receiver = context;
    int64_t asked_us = 0;
    while (!atomic_load(&receiver->stream_ends)) {
        sync_health_beat(SYNC_LOOP_STREAM);
        struct push *pushes[SYNC_HTTP_REQUESTS_MAX];
        size_t count = push_table_take(&receiver->pushes, PUSH_WAITING, PUSH_RESOLVING, pushes,
                                       SYNC_HTTP_REQUESTS_MAX, 500);
        int64_t now_us = sync_clock_monotonic_us();
        struct sync_error err = {0};
        if (count > 0) {
            judge_database(receiver, resolve_pushes(receiver, pushes, count, &err), &err);
            asked_us = now_us;
        } else if (now_us - asked_us > PROBE_EVERY_US) {
            judge_database(receiver, resolver_ping(receiver->resolver, &err), &err);
            asked_us = now_us;
        }
    }
    return NULL;
}

/* Poll thread. */

static void count_records(size_t count)
{
    static struct sync_metric *records;
    if (!records) {
        records =
            sync_metric_new(SYNC_COUNTER, "source_records_total",
                            "Records that the broker has acknowledged, by capture.", "source");
    }
    sync_metric_add(records, (double)count, SYNC_LABELS(SOURCE));
}

/* Answers as soon as the answer is certain; the place stays until the last report is in. */
static void settle_push(struct receiver *receiver, struct push *push)
{
    if (push->failed) {
        push_answer(&receiver->pushes, push, 503, NULL,
                    "the broker has not stored everything; send it again");
    } else if (push->outstanding == 0) {
        push_answer(&receiver->pushes, push, 200, NULL, NULL);
    }
    if (push->outstanding == 0) {
        receiver->in_flight--;
        push_release(&receiver->pushes, push);
    }
}

static void note_delivery(void *context, void *tag, bool stored, const struct sync_error *err)
{
    struct receiver *receiver = context;
    struct push *push = tag;
    SYNC_ASSERT(push->outstanding > 0);
    push->outstanding--;
    if (stored) {
        count_records(1);
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
                                         .client_id = SOURCE,
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
        struct push *push = &receiver->pushes.items[i];
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
    for (size_t i = 0; i < push->event->count && sync_is_ok(status); i++) {
        const struct status_record *record = &push->records[i];
        struct sync_kafka_record out = {
            .topic = receiver->topic,
            .key = record->key,
            .value = record->value,
            .headers = record->headers,
            .header_count = record->header_count,
            .tag = push,
        };
        status = sync_kafka_produce(receiver->producer, &out, err);
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

/* Asks for the topic until it is known, later only while the broker is silent. */
static sync_status ask_kafka(struct receiver *receiver, int64_t now_us, struct sync_error *err)
{
    if (receiver->in_flight > 0 ||
        now_us - receiver->asked_kafka_us < PROBE_EVERY_US / (receiver->topic_known ? 1 : 5)) {
        return SYNC_OK;
    }
    receiver->asked_kafka_us = now_us;
    char cluster_id[64];
    int32_t partitions = 0;
    sync_status status = sync_kafka_producer_describe(receiver->producer, receiver->topic, 1000,
                                                      cluster_id, &partitions, err);
    sync_health_set(SYNC_DEP_KAFKA, sync_is_ok(status));
    if (sync_is_ok(status)) {
        receiver->topic_known = true;
        receiver->answered_us = now_us;
        return SYNC_OK;
    }
    if (status.class == SYNC_CLASS_FATAL) {
        return status;
    }
    if (err->code != SYNC_CODE_TOPIC_UNKNOWN) {
        receiver->answered_us = now_us; /* no answer is no answer about the topic */
    }
    if (now_us - receiver->answered_us > (int64_t)SYNC_TOPIC_UNKNOWN_MS * 1000) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_TOPIC_UNKNOWN,
                         "write %s: the broker has no such topic; run \"altinn-sync topics apply\"",
                         receiver->topic);
    }
    sync_log_error(SYNC_WARN, "kafka_unreachable", err);
    return SYNC_OK;
}

/* One by one: a producer that has to be replaced ends all pushes that were taken. */
static sync_status produce_waiting(struct receiver *receiver, struct sync_error *err)
{
    sync_status status = SYNC_OK;
    int timeout_ms = receiver->in_flight > 0 ? 0 : 100;
    for (size_t i = 0; i < SYNC_HTTP_REQUESTS_MAX && sync_is_ok(status); i++) {
        struct push *push = NULL;
        if (push_table_take(&receiver->pushes, PUSH_READY, PUSH_FLYING, &push, 1, timeout_ms) ==
            0) {
            break;
        }
        if (receiver->topic_known) {
            status = produce_push(receiver, push, err);
        } else {
            end_push(receiver, push, 503, NULL, "the broker cannot be reached now; send it again");
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
    if (push_table_expire(&receiver->pushes, deadline_us) > 0) {
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
           push_table_open(&receiver->pushes) > 0 && sync_clock_monotonic_us() < limit_us) {
        status = turn(receiver, err);
    }
    if (atomic_load(&receiver->broken)) {
        *err = receiver->fatal;
        return (sync_status){SYNC_CLASS_FATAL};
    }
    return status;
}

/* Start and end. */

static sync_status find_topic(struct receiver *receiver, struct sync_error *err)
{
    const struct sync_processor *processor = &sync_processor_correspondence_status;
    receiver->topic = sync_route_topic_from(processor, SYNC_SYSTEM_ALTINN2);
    SYNC_ASSERT(receiver->topic);
    sync_status status =
        sync_schema_set_new(receiver->config->schemas_dir, &receiver->schemas, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    receiver->schema = sync_schema_set_find(receiver->schemas, processor->schema);
    if (!receiver->schema) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE,
                         "find schema %s below schemas.dir: it is not there", processor->schema);
    }
    return SYNC_OK;
}

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
    sync_status status = find_topic(receiver, err);
    if (sync_is_ok(status)) {
        status = read_token(receiver, err);
    }
    if (sync_is_ok(status)) {
        status = resolver_new(config->database_dsn, SOURCE, &receiver->resolver, err);
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
    push_table_close(&receiver->pushes);
    sync_http_server_free(&receiver->listener);
    push_table_done(&receiver->pushes);
    sync_http_server_free(&receiver->probes);
    resolver_free(&receiver->resolver);
    sync_schema_set_free(&receiver->schemas);
    explicit_bzero(receiver->token, sizeof receiver->token);
    free(receiver);
}

sync_status sync_receiver_run(const struct sync_config *config, struct sync_error *err)
{
    struct receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the receiver: no memory");
    }
    receiver->config = config;
    receiver->answered_us = sync_clock_monotonic_us();
    push_table_init(&receiver->pushes);
    struct sigaction action = {.sa_handler = note_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    start_health();
    sync_status status = open_receiver(receiver, err);
    if (sync_is_ok(status) && pthread_create(&receiver->stream, NULL, run_stream, receiver) != 0) {
        status = sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                           "start the stream thread: the system gives none");
    } else if (sync_is_ok(status)) {
        sync_log(SYNC_INFO, "ready",
                 SYNC_LOG_TEXT("listen", sync_http_server_address(receiver->listener)),
                 SYNC_LOG_TEXT("http", sync_http_server_address(receiver->probes)));
        status = run_turns(receiver, err);
        atomic_store(&receiver->stream_ends, true);
        pthread_join(receiver->stream, NULL);
    }
    close_receiver(receiver);
    return status;
}
