/* The rhythm of a job that pushes, and its connection. Not here: what is told. */
#include "push.h"

#include <runtime/clock.h>
#include <stdio.h>
#include <time.h>

sync_status simulator_push_open(struct simulator_push *push, const char *url,
                                const char *token_file, int calls_max, struct sync_error *err)
{
    char token[SYNC_SECRET_MAX];
    size_t size = strlen(url);
    size = size > 0 && url[size - 1] == '/' ? size - 1 : size;
    (void)snprintf(push->base, sizeof push->base, "%.*s", (int)size, url);
    sync_status status = sync_http_client_new(url, calls_max, &push->client, err);
    if (sync_is_ok(status) && token_file) {
        status = sync_secret_read("--push-token-file", token_file, token, sizeof token, err);
        if (sync_is_ok(status)) {
            (void)snprintf(push->authorization, sizeof push->authorization, "Bearer %s", token);
        }
    }
    return status;
}

void simulator_push_run(struct simulator *simulator, double seconds, bool (*round)(void *job),
                        void *job)
{
    int64_t next_us = sync_clock_monotonic_us();
    while (!atomic_load(&simulator->stopping)) {
        if (sync_clock_monotonic_us() < next_us) {
            nanosleep(&(struct timespec){.tv_nsec = 20 * 1000000L}, NULL);
            continue;
        }
        next_us += (int64_t)(seconds * 1e6);
        while (round(job) && !atomic_load(&simulator->stopping)) {
        }
        int64_t now_us = sync_clock_monotonic_us();
        next_us = next_us < now_us ? now_us : next_us;
    }
}
