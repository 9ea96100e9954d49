/* Calls that go out: the job of Altinn 2 that tells what is not told yet, every few seconds. */
#ifndef SIMULATOR_PUSH_H
#define SIMULATOR_PUSH_H
#include "simulator.h"

#include <runtime/http_client.h>
#include <runtime/secret.h>

struct simulator_push {
    struct sync_http_client *client;
    char base[1024]; /* the URL without a slash at its end */
    char authorization[SYNC_SECRET_MAX + 8];
};

/* token_file NULL = no token. Owns: the caller frees the client. Fails: FATAL. */
sync_status simulator_push_open(struct simulator_push *push, const char *url,
                                const char *token_file, int calls_max, struct sync_error *err);

/* Calls round again and again: at once while it says true, else every so many seconds, until the
 * simulator stops. */
void simulator_push_run(struct simulator *simulator, double seconds, bool (*round)(void *job),
                        void *job);
#endif
