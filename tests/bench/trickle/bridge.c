/*
 * A bridge that answers at once and notes when it was called. It does nothing else, so that what is
 * measured is not the simulator's own queue.
 */
#include "trickle.h"

#include <inttypes.h>
#include <runtime/clock.h>
#include <runtime/http_server.h>
#include <runtime/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define BODY_BYTES_MAX  4096
#define CONNECTIONS_MAX 64

struct bridge {
    int64_t first, count;
    struct note {
        int64_t at_us;
        int64_t calls;
    } * notes;
};

static void handle(struct sync_http_request *request, void *context)
{
    struct bridge *bridge = context;
    int64_t now_us = sync_clock_wall_us();
    struct sync_json *root = NULL;
    struct sync_error err = {0};
    int64_t act = -1;
    if (sync_is_ok(sync_json_parse(request->body, &root, &err))) {
        const struct sync_json *id = sync_json_get(root, "correspondenceId");
        act = id != NULL ? sync_json_integer(id) - bridge->first : -1;
    }
    sync_json_free(&root);
    if (act >= 0 && act < bridge->count) {
        bridge->notes[act].at_us =
            bridge->notes[act].calls == 0 ? now_us : bridge->notes[act].at_us;
        bridge->notes[act].calls++;
    }
    sync_http_answer(request, act >= 0 && act < bridge->count ? 200 : 404, NULL,
                     (struct sync_bytes){NULL, 0}, 0);
}

sync_status trickle_bridge(struct trickle *trickle, struct sync_error *err)
{
    struct bridge bridge = {.first = trickle->first, .count = trickle->count};
    bridge.notes = calloc((size_t)bridge.count, sizeof *bridge.notes);
    SYNC_ASSERT(bridge.notes != NULL);
    struct sync_http_server_options options = {.listen = trickle->listen,
                                               .body_bytes_max = BODY_BYTES_MAX,
                                               .connections_max = CONNECTIONS_MAX,
                                               .handler = handle,
                                               .context = &bridge};
    struct sync_http_server *server = NULL;
    sigset_t set;
    int number = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* before the server makes its thread */
    sync_status status = sync_http_server_new(&options, &server, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    (void)printf("{\"msg\":\"ready\"}\n");
    (void)fflush(stdout);
    (void)sigwait(&set, &number);
    sync_http_server_free(&server);
    for (int64_t act = 0; act < bridge.count; act++) {
        (void)printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", bridge.first + act,
                     bridge.notes[act].at_us, bridge.notes[act].calls);
    }
    free(bridge.notes);
    return SYNC_OK;
}
