/*
 * Start and end of a consumer: makes its parts, runs its threads, hears signals. Not here: what the
 * threads do (consumer_poll.c, consumer_apply.c).
 */
#include "consumer.h"

#include "clock.h"
#include "consumer_parts.h"
#include "health.h"
#include "http_server.h"
#include "log.h"
#include "metrics.h"
#include "route.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SIGNAL_WAIT_MS   100
#define POLL_SILENCE_MS  30000 /* describe, marks and close have limits of a few seconds each */
#define APPLY_SILENCE_MS 60000 /* in doubt: lock 15 s + statement 20 s, behind one statement */
#define SEND_DRAIN_MS    5000
#define LIBRARY_BYTES    (24 * 1024 * 1024) /* code, stacks and small things, measured idle */

/* Parts --------------------------------------------------------------------------------------- */

void consumer_fail(struct consumer *c, const struct sync_error *err)
{
    if (atomic_flag_test_and_set(&c->failing)) {
        return; /* the first reason is the one that counts */
    }
    c->failure = *err;
    atomic_store(&c->failed, 1);
    sync_wake_raise(&c->apply_wake);
    sync_wake_raise(&c->poll_wake);
}

int64_t sync_consumer_memory_bytes(const struct sync_consumer_options *options)
{
    /* An answer that comes when the queue is nearly full, in the worst case all empty records. */
    const int64_t answer_records = SYNC_KAFKA_FETCH_BYTES / SYNC_KAFKA_RECORD_MIN;
    const int64_t queue = SYNC_KAFKA_QUEUED_KBYTES * 1024LL + 2 * SYNC_KAFKA_FETCH_BYTES +
                          (SYNC_KAFKA_QUEUED_RECORDS + answer_records) * SYNC_KAFKA_RECORD_COST;
    return options->config->ring_bytes_max + SYNC_RING_SLACK_BYTES + 2 * SYNC_CONTROL_RING_BYTES +
           SYNC_BATCH_ARENA_BYTES + queue + LIBRARY_BYTES;
}

static sync_status make_ring(size_t bytes, struct sync_wake *filled, struct sync_wake *drained,
                             struct sync_ring **ret_ring, struct sync_error *err)
{
    struct sync_ring_options options = {bytes, SYNC_RING_RECORDS_MAX, filled, drained};
    return sync_ring_new(&options, ret_ring, err);
}

static sync_status make_rings(struct consumer *c, struct sync_error *err)
{
    size_t records = (size_t)c->config->ring_bytes_max + SYNC_RING_SLACK_BYTES;
    sync_status status = sync_wake_init(&c->apply_wake, err);
    if (sync_is_ok(status)) {
        status = sync_wake_init(&c->poll_wake, err);
    }
    if (sync_is_ok(status)) {
        status = make_ring(records, &c->apply_wake, &c->poll_wake, &c->records, err);
    }
    if (sync_is_ok(status)) {
        status = make_ring(SYNC_CONTROL_RING_BYTES, &c->apply_wake, &c->poll_wake, &c->events, err);
    }
    if (sync_is_ok(status)) {
        status = make_ring(SYNC_CONTROL_RING_BYTES, NULL, &c->apply_wake, &c->commands, err);
    }
    return status;
}

/* Mapped, not allocated: what is not used is never touched. */
static sync_status make_memory(struct consumer *c, struct sync_error *err)
{
    void *memory = mmap(NULL, SYNC_BATCH_ARENA_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t count = (size_t)c->config->batch_records_max;
    c->apply.items = calloc(count, sizeof *c->apply.items);
    if (memory == MAP_FAILED || c->apply.items == NULL) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "make the batch arena: no memory");
    }
    sync_arena_init(&c->apply.arena, memory, SYNC_BATCH_ARENA_BYTES);
    return SYNC_OK;
}

static sync_status make_db(struct consumer *c, struct sync_error *err)
{
    char application[96];
    char prefix[96];
    (void)snprintf(application, sizeof application, "altinn-sync %s apply", c->scope);
    (void)snprintf(prefix, sizeof prefix, "sync:%s", c->scope);
    struct sync_db_options options = {
        .dsn = c->options->home.dsn,
        .setting = c->options->home.setting,
        .application = application,
        .origin_prefix = prefix,
        .origin_pool = (int)c->config->origin_pool,
    };
    return sync_db_new(&options, &c->apply.db, err);
}

static int decision_mode_of(const char *word)
{
    if (strcmp(word, "full") == 0) {
        return 2;
    }
    return strcmp(word, "sampled") == 0 ? 1 : 0;
}

static sync_status make_applier(struct consumer *c, struct sync_error *err)
{
    const struct sync_consumer_options *o = c->options;
    static struct sync_schema_set *set; /* lives as long as the decoder: until the process ends */
    struct sync_applier *applier = &c->apply.applier;
    *applier = (struct sync_applier){
        .db = c->apply.db,
        .processor = o->processor,
        .store = sync_store_find(o->processor->store),
        .route = o->route,
        .scope = c->scope,
        .topics = o->topics,
        .config = c->config,
        .decision_mode = decision_mode_of(c->config->decision_mode),
        .keep_parked_bytes = c->config->loopback && c->config->park_seal_key_file[0] == '\0',
    };
    SYNC_ASSERT(applier->store != NULL);
    sync_status status = sync_schema_set_new(c->config->schemas_dir, &set, err);
    if (sync_is_ok(status)) {
        status = sync_decoder_new(set, o->processor, &applier->decoder, err);
    }
    if (sync_is_ok(status) && applier->store->open != NULL) {
        /* lives until the process ends, as the decoder does */
        status = applier->store->open(c->config, &applier->store_context, err);
    }
    if (!applier->keep_parked_bytes) {
        sync_log(SYNC_WARN, "parked records keep no bytes: this version cannot seal them");
    }
    return status;
}

static int64_t retention_ms(const struct sync_topic *topic)
{
    for (size_t i = 0; topic != NULL && i < topic->config_count; i++) {
        if (strcmp(topic->config[i].name, "retention.ms") == 0) {
            return strtoll(topic->config[i].value, NULL, 10);
        }
    }
    return 0;
}

/* How long the topics of the entity keep records, and so expectations explain them. */
static int64_t retention_s(const struct sync_consumer_options *o)
{
    int64_t longest_ms = 0;
    for (size_t i = 0; i < o->processor->route_count; i++) {
        const struct sync_route *route = &o->processor->routes[i];
        for (size_t j = 0; j < route->input_count; j++) {
            int64_t ms = retention_ms(sync_topics_find(o->topics, route->inputs[j].topic));
            longest_ms = ms > longest_ms ? ms : longest_ms;
        }
    }
    return longest_ms / 1000;
}

static sync_status make_sender(struct consumer *c, const char *target, struct sync_error *err)
{
    const char *store = c->options->processor->store;
    char application[96];
    (void)snprintf(application, sizeof application, "altinn-sync %s send", c->scope);
    struct sync_sender_options options = {
        .dsn = c->options->home.dsn,
        .setting = c->options->home.setting,
        .application = application,
        .scope = c->scope,
        .topic = sync_route_lane_topic(c->route),
        .target = target,
        .lane = sync_lane_store_find(store, target),
        .config = c->config,
        .base_url = c->config->bridge_base_url,
        .token_file = c->config->bridge_token_file,
        .timeout_ms = (int)c->config->bridge_timeout_ms,
        .in_flight_max = (int)c->config->bridge_connections_max,
        .echo_expected_s = c->config->echo_expected_s,
        .seed = (uint64_t)sync_clock_wall_us(),
    };
    SYNC_ASSERT(options.lane != NULL && c->sender_count < SYNC_ROUTE_TARGETS_MAX);
    struct sync_sender *sender = NULL;
    sync_status status = sync_sender_new(&options, &sender, err);
    if (sync_is_ok(status)) {
        sync_sender_pause(sender, true); /* until the operator's switch is known */
        c->senders[c->sender_count++] = sender;
    }
    return status;
}

static sync_status make_senders(struct consumer *c, struct sync_error *err)
{
    const char *const *targets = c->route->targets;
    sync_status status = SYNC_OK;
    for (size_t i = 0; sync_is_ok(status) && targets != NULL && targets[i] != NULL; i++) {
        status = make_sender(c, targets[i], err);
    }
    return status;
}

static sync_status make_kafka(struct consumer *c, struct sync_error *err)
{
    const char *properties[2 * SYNC_CONFIG_PROPERTIES_MAX + 3];
    char session[32];
    char client[192];
    size_t count = 0;
    (void)snprintf(session, sizeof session, "%lld", (long long)c->config->session_timeout_ms);
    (void)snprintf(client, sizeof client, "%s@%.64s", c->scope, c->holder);
    properties[count++] = "session.timeout.ms";
    properties[count++] = session;
    for (size_t i = 0; c->config->kafka_properties[i] != NULL; i++) {
        properties[count++] = c->config->kafka_properties[i];
    }
    properties[count] = NULL;
    struct sync_kafka_options options = {
        .bootstrap = c->config->kafka_bootstrap,
        .client_id = client,
        .dev = c->config->dev,
        .properties = properties,
    };
    const char *topics[SYNC_ROUTE_INPUTS_MAX];
    for (size_t i = 0; i < c->route->input_count; i++) {
        topics[i] = c->route->inputs[i].topic;
    }
    return sync_kafka_consumer_new(&options, c->scope, topics, c->route->input_count, &c->kafka,
                                   err);
}

/* Host, process and start time; for people only. */
static void name_holder(struct consumer *c)
{
    char host[64] = "host";
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(c->holder, sizeof c->holder, "%s pid %d since %lld", host, (int)getpid(),
                   (long long)(sync_clock_wall_us() / 1000000));
}

static sync_status make_parts(struct consumer *c, struct sync_error *err)
{
    name_holder(c);
    sync_status status = make_rings(c, err);
    if (sync_is_ok(status)) {
        status = make_memory(c, err);
    }
    if (sync_is_ok(status)) {
        status = make_db(c, err);
    }
    if (sync_is_ok(status)) {
        status = make_applier(c, err);
    }
    if (sync_is_ok(status)) {
        status = make_senders(c, err);
    }
    if (sync_is_ok(status)) {
        status = make_kafka(c, err);
    }
    if (sync_is_ok(status)) {
        status = consumer_yield_make(c, err);
    }
    c->apply.housekeeping = (struct sync_housekeeping){
        .applier = &c->apply.applier,
        .arena = &c->apply.arena,
        .outbox_keep_days = c->config->outbox_keep_days,
        .decision_keep_days = c->config->decision_keep_days,
        .echo_keep_s = retention_s(c->options),
    };
    c->apply.seed = (unsigned)sync_clock_wall_us() ^ (unsigned)getpid();
    return status;
}

/* Running ------------------------------------------------------------------------------------- */

static enum sync_level level_of(const struct sync_config *config)
{
    enum sync_level level = SYNC_INFO;
    (void)sync_log_level_parse(config->log_level, &level); /* checked with the configuration */
    return level;
}

static void expect_health(const struct consumer *c)
{
    sync_health_expect(SYNC_LOOP_POLL, POLL_SILENCE_MS);
    sync_health_expect(SYNC_LOOP_APPLY, APPLY_SILENCE_MS);
    sync_health_need(SYNC_DEP_KAFKA);
    sync_health_need(SYNC_DEP_DATABASE);
    struct sync_metric *memory =
        sync_metric_new(SYNC_GAUGE, "memory_limit_worst_case_bytes",
                        "The most memory that this process can take, whatever arrives.", "");
    sync_metric_set(memory, (double)sync_consumer_memory_bytes(c->options), SYNC_LABELS(NULL));
}

/* Only the level of logging is taken; everything else needs a restart. */
static void on_hangup(struct consumer *c)
{
    static struct sync_config fresh; /* too large for the stack */
    struct sync_error err = {0};
    if (c->options->sources == NULL) {
        return;
    }
    if (!sync_is_ok(sync_config_load(c->options->sources, &fresh, &err))) {
        sync_log_error(SYNC_WARN, "settings not read again", &err);
        return;
    }
    sync_log_init(c->scope, level_of(&fresh));
    sync_log(SYNC_WARN, "log level read again; other settings need a restart",
             SYNC_LOG_TEXT("log_level", fresh.log_level));
    sync_config_done(&fresh);
}

static void block_signals(sigset_t *ret_set)
{
    sigemptyset(ret_set);
    sigaddset(ret_set, SIGTERM);
    sigaddset(ret_set, SIGINT);
    sigaddset(ret_set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, ret_set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* The next signal of the set, 0 when none came. */
static int next_signal(const sigset_t *set)
{
    struct timespec wait = {.tv_sec = 0, .tv_nsec = SIGNAL_WAIT_MS * 1000000L};
    int number = sigtimedwait(set, NULL, &wait);
    return number > 0 ? number : 0;
}

static void wait_for_end(struct consumer *c, const sigset_t *set)
{
    while (!atomic_load(&c->failed)) {
        int number = next_signal(set);
        if (number == SIGHUP) {
            on_hangup(c);
        } else if (number != 0) {
            sync_log(SYNC_INFO, "draining");
            return;
        }
    }
}

static void end_now(int number)
{
    (void)number;
    _exit(1); /* crash-only: a restart finds everything in the database */
}

/* From here on a second signal, or the limit, ends the process as it stands. */
static void limit_drain(const sigset_t *set)
{
    struct sigaction action = {.sa_handler = end_now};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, set, NULL);
    (void)alarm(SYNC_DRAIN_MS / 1000);
}

/* The apply thread ends behind its batch, then the calls in flight, then the group is left. */
static void drain(struct consumer *c, pthread_t threads[static 2])
{
    atomic_store(&c->stopping, true);
    sync_wake_raise(&c->apply_wake);
    sync_wake_raise(&c->poll_wake);
    (void)pthread_join(threads[0], NULL);
    for (size_t i = 0; i < c->sender_count; i++) {
        sync_sender_stop(c->senders[i], SEND_DRAIN_MS / (int)c->sender_count);
        sync_sender_free(&c->senders[i]);
    }
    atomic_store(&c->sender_ended, true);
    sync_wake_raise(&c->poll_wake);
    (void)pthread_join(threads[1], NULL);
    consumer_yield_stop(c);
}

static sync_status start_threads(struct consumer *c, pthread_t ret_threads[static 2],
                                 struct sync_error *err)
{
    for (size_t i = 0; i < c->sender_count; i++) {
        sync_status status = sync_sender_start(c->senders[i], err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    sync_status status = consumer_yield_start(c, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (pthread_create(&ret_threads[0], NULL, consumer_apply_main, c) != 0 ||
        pthread_create(&ret_threads[1], NULL, consumer_poll_main, c) != 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL, "start the threads: %s",
                         strerror(errno));
    }
    return SYNC_OK;
}

/* "a.v1,b.v1" */
static void list_topics(const struct consumer *c, char *ret_text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < c->route->input_count && used < size; i++) {
        used += (size_t)snprintf(ret_text + used, size - used, "%s%s", i > 0 ? "," : "",
                                 c->route->inputs[i].topic);
    }
}

static sync_status serve(struct consumer *c, const sigset_t *set, struct sync_error *err)
{
    struct sync_http_server *probes = NULL;
    pthread_t threads[2];
    sync_status status = sync_http_probes_new(c->config->http_listen, &probes, err);
    if (sync_is_ok(status)) {
        status = start_threads(c, threads, err);
    }
    if (!sync_is_ok(status)) {
        return status; /* the process exits: what was made so far ends with it */
    }
    char topics[256];
    list_topics(c, topics, sizeof topics);
    sync_log(SYNC_INFO, "ready", SYNC_LOG_TEXT("http", sync_http_server_address(probes)),
             SYNC_LOG_TEXT("consumer", c->scope), SYNC_LOG_TEXT("group", c->scope),
             SYNC_LOG_TEXT("topic", topics));
    wait_for_end(c, set);
    limit_drain(set);
    drain(c, threads);
    sync_db_free(&c->apply.db);
    sync_http_server_free(&probes);
    if (atomic_load(&c->failed)) {
        *err = c->failure;
        return (sync_status){SYNC_CLASS_FATAL};
    }
    sync_log(SYNC_INFO, "drained");
    return SYNC_OK;
}

sync_status sync_consumer_run(const struct sync_consumer_options *options, struct sync_error *err)
{
    static struct consumer consumer; /* one per process */
    struct consumer *c = &consumer;
    sigset_t set;
    block_signals(&set); /* before any library makes a thread */
    sync_log_init(options->route->name, level_of(options->config));
    c->options = options;
    c->config = options->config;
    c->scope = options->route->name;
    c->route = options->route;
    c->place_end = sync_kafka_place(c->route->input_count, 0);
    for (size_t i = 0; i < c->route->input_count; i++) {
        const struct sync_topic *topic =
            sync_topics_find(options->topics, c->route->inputs[i].topic);
        c->sparse[i] = topic != NULL && topic->sparse;
    }
    expect_health(c);
    sync_status status = make_parts(c, err);
    return sync_is_ok(status) ? serve(c, &set, err) : status;
}
