/* Serves /metrics and the probes of this process. Not here: what they say (metrics.c, health.c). */
#include "../core/limits.h"
#include "health.h"
#include "http_server.h"
#include "kafka.h"
#include "log.h"
#include "metrics.h"
#include "postgres.h"

#include <stdlib.h>

#define PROBE_CONNECTIONS_MAX 10
#define PROBE_REQUEST_MS_MAX  2000
#define PROBE_HEAD_BYTES_MAX  4096
#define PROBE_TEXT_BYTES_MAX  4096

static void answer_text(struct sync_http_request *request, int code, const char *text)
{
    sync_http_answer(request, code, "text/plain; charset=utf-8", sync_bytes_text(text), 0);
}

static void answer_metrics(struct sync_http_request *request)
{
    size_t size;
    char *page = sync_metrics_render(&size);
    sync_http_answer(request, 200, "text/plain; version=0.0.4; charset=utf-8",
                     (struct sync_bytes){(const uint8_t *)page, size}, 0);
    free(page);
}

static void handle_probe(struct sync_http_request *request, void *context)
{
    char text[PROBE_TEXT_BYTES_MAX];
    (void)context;
    sync_log_flush(); /* a probe comes every few seconds: counts of repeats do not wait for the next
                         line */
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        answer_text(request, 405, "Only GET.\n");
        return;
    }
    if (strcmp(request->path, "/metrics") == 0) {
        answer_metrics(request);
        return;
    }
    const char *name = request->path[0] == '/' ? request->path + 1 : "";
    int code =
        sync_health_probe(name, sync_http_request_has(request, "verbose"), text, sizeof text);
    answer_text(request, code,
                code == 404 ? "Paths: /metrics /livez /readyz /startupz /healthz\n" : text);
}

static void declare_build(void)
{
    struct sync_metric *build = sync_metric_new(
        SYNC_GAUGE, "build_info", "What runs here; always 1.", "version,librdkafka,libpq");
    sync_metric_set(build, 1,
                    SYNC_LABELS(SYNC_VERSION, sync_kafka_version(), sync_db_library_version()));
}

sync_status sync_http_probes_new(const char *listen, struct sync_http_server **ret_server,
                                 struct sync_error *err)
{
    struct sync_http_server_options options = {
        .listen = listen,
        .body_bytes_max = 0,
        .connections_max = PROBE_CONNECTIONS_MAX,
        .request_ms_max = PROBE_REQUEST_MS_MAX,
        .head_bytes_max = PROBE_HEAD_BYTES_MAX,
        .handler = handle_probe,
    };
    declare_build();
    sync_status status = sync_http_server_new(&options, ret_server, err);
    return sync_is_ok(status) ? status : sync_wrap(err, "http.listen");
}
