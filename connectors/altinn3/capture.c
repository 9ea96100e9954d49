/*
 * Life of the capture of Altinn 3: settings, threads, signals, end. The caller's thread is the poll
 * thread. Not here: the log (capture_stream.c), records and positions (capture_publisher.c).
 */
#include "capture.h"

#include "capture_backfill.h"
#include "capture_metrics.h"
#include "capture_publisher.h"

#include <runtime/clock.h>
#include <runtime/health.h>
#include <runtime/http_server.h>
#include <runtime/log.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define DRAIN_MS          10000
#define POLL_SILENCE_MS   30000 /* one look-up and one store may take their time-outs */
#define STREAM_SILENCE_MS 60000 /* connecting tries every host, and checks the slot */
#define FIGURES_US        1000000LL
#define AGE_BUDGET_S      60.0 /* the promised convergence */

struct capture {
    struct sync_schema_set *schemas;
    struct sync_http_server *probes;
    struct capture_stream stream;
    struct capture_publisher publisher;
    struct capture_backfill *backfill; /* NULL: the entity has none */
    int64_t figures_us;
};

static volatile sig_atomic_t asked_to_stop;

static void note_signal(int number)
{
    (void)number;
    if (asked_to_stop) {
        _exit(1); /* a second one means now */
    }
    asked_to_stop = 1;
}

static void take_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal};
    (void)sigaction(SIGTERM, &action, NULL); /* fails for unknown numbers only */
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void start_health(void)
{
    sync_health_expect(SYNC_LOOP_POLL, POLL_SILENCE_MS);
    sync_health_expect(SYNC_LOOP_STREAM, STREAM_SILENCE_MS);
    sync_health_need(SYNC_DEP_KAFKA);
    sync_health_need(SYNC_DEP_DATABASE);
}

static sync_status open_capture(struct capture *capture, const struct capture_entity *entity,
                                const struct sync_config *config, struct sync_error *err)
{
    sync_status status = sync_schema_set_new(config->schemas_dir, &capture->schemas, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    const char *name = entity->processor->schema;
    const struct sync_schema *schema = sync_schema_set_find(capture->schemas, name);
    if (!schema) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE,
                         "find schema %s below schemas.dir: it is not there", name);
    }
    status = capture_stream_init(&capture->stream, entity, config, err);
    if (sync_is_ok(status)) {
        status = capture_publisher_init(&capture->publisher, config, &capture->stream, schema, err);
    }
    if (sync_is_ok(status) && entity->load != NULL) {
        status = capture_backfill_new(entity, config, schema, &capture->publisher.has_begun,
                                      &capture->backfill, err);
    }
    if (sync_is_ok(status)) {
        status = sync_http_probes_new(config->http_listen, &capture->probes, err);
    }
    return status;
}

static void show_figures(struct capture *capture)
{
    int64_t now_us = sync_clock_monotonic_us();
    if (now_us - capture->figures_us > FIGURES_US) {
        double lag_seconds = capture_publisher_lag_seconds(&capture->publisher);
        capture->figures_us = now_us;
        capture_set_lag(lag_seconds);
        sync_health_oldest_age(lag_seconds, AGE_BUDGET_S);
    }
}

static sync_status run_turns(struct capture *capture, struct sync_error *err)
{
    sync_status status = SYNC_OK;
    while (!asked_to_stop && !atomic_load(&capture->stream.broken) && sync_is_ok(status)) {
        sync_health_beat(SYNC_LOOP_POLL);
        status = capture_publisher_turn(&capture->publisher, err);
        show_figures(capture);
    }
    if (sync_is_ok(status)) {
        capture_publisher_drain(&capture->publisher, DRAIN_MS);
    }
    return status;
}

static sync_status run_threads(struct capture *capture, struct sync_error *err)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, capture_stream_run, &capture->stream) != 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                         "start the stream thread: the system gives none");
    }
    sync_log(SYNC_INFO, "ready", SYNC_LOG_TEXT("http", sync_http_server_address(capture->probes)));
    sync_status status =
        capture->backfill != NULL ? capture_backfill_start(capture->backfill, err) : SYNC_OK;
    if (sync_is_ok(status)) {
        status = run_turns(capture, err);
    }
    if (capture->backfill != NULL) {
        capture_backfill_stop(capture->backfill);
    }
    atomic_store(&capture->stream.ends, true); /* its last word tells the slot what was drained */
    (void)pthread_join(thread, NULL);
    if (sync_is_ok(status) && atomic_load(&capture->stream.broken)) {
        *err = capture->stream.fatal;
        return (sync_status){SYNC_CLASS_FATAL};
    }
    return status;
}

sync_status sync_capture_altinn3_run(const struct capture_entity *entity,
                                     const struct sync_config *config, struct sync_error *err)
{
    struct capture *capture = calloc(1, sizeof *capture);
    if (!capture) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the capture: no memory");
    }
    capture_metrics_init(entity->name);
    start_health();
    take_signals();
    sync_status status = open_capture(capture, entity, config, err);
    if (sync_is_ok(status)) {
        status = run_threads(capture, err);
    }
    sync_http_server_free(&capture->probes);
    capture_backfill_free(&capture->backfill);
    capture_publisher_done(&capture->publisher);
    if (capture->stream.config) {
        capture_stream_done(&capture->stream);
    }
    sync_schema_set_free(&capture->schemas);
    free(capture);
    return status;
}
