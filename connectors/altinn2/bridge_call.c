/* Calls the bridge. Not here: links, positions, orders. */
#include "bridge_call.h"

#include <core/limits.h>
#include <runtime/health.h>
#include <runtime/secret.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 200 /* the end of the process is noticed so soon */

struct bridge_caller {
    struct receiver_shell *shell;
    struct sync_http_client *client;
    char authorization[SYNC_SECRET_MAX + 8];
};

sync_status bridge_caller_new(struct receiver_shell *shell, struct bridge_caller **ret_caller,
                              struct sync_error *err)
{
    struct bridge_caller *caller = calloc(1, sizeof *caller);
    if (!caller) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "call the bridge: no memory");
    }
    caller->shell = shell;
    sync_status status =
        sync_http_client_new(shell->config->bridge_base_url, 1, &caller->client, err);
    if (!sync_is_ok(status)) {
        free(caller);
        return status;
    }
    *ret_caller = caller;
    return SYNC_OK;
}

void bridge_caller_free(struct bridge_caller **caller)
{
    if (*caller) {
        sync_http_client_free(&(*caller)->client);
        explicit_bzero((*caller)->authorization, sizeof(*caller)->authorization);
        free(*caller);
        *caller = NULL;
    }
}

/* Read for every call: a token is changed without a restart. */
static sync_status read_token(struct bridge_caller *caller, struct sync_error *err)
{
    char token[SYNC_SECRET_MAX];
    const char *file = caller->shell->config->bridge_token_file;
    caller->authorization[0] = '\0';
    if (file[0] == '\0') {
        return SYNC_OK;
    }
    sync_status status = sync_secret_read("bridge.token_file", file, token, sizeof token, err);
    if (sync_is_ok(status)) {
        (void)snprintf(caller->authorization, sizeof caller->authorization, "Bearer %s", token);
    }
    explicit_bzero(token, sizeof token);
    return sync_is_ok(status) ? status : (sync_status){SYNC_CLASS_PARK};
}

static sync_status exchange(struct bridge_caller *caller, const struct sync_http_call *request,
                            const char *what, struct sync_http_answer_in *ret_answer,
                            struct sync_error *err)
{
    struct sync_http_answer_in answer = {.failed = true};
    sync_status status = sync_http_client_send(caller->client, request, err);
    while (sync_is_ok(status) && sync_http_client_wait(caller->client, WAIT_MS, &answer, 1) == 0) {
        sync_health_beat(SYNC_LOOP_FEED);
        if (atomic_load(&caller->shell->ending)) {
            sync_http_client_abort(caller->client);
            return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_HTTP_UNREACHABLE,
                             "%s: the process ends", what);
        }
    }
    if (sync_is_ok(status) && answer.failed) {
        free(answer.body);
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_HTTP_UNREACHABLE, "%s: %s", what,
                         answer.text);
    }
    *ret_answer = answer;
    return status;
}

sync_status bridge_call(struct bridge_caller *caller, const struct bridge_request *request,
                        struct sync_http_answer_in *ret_answer, struct sync_error *err)
{
    sync_status status = read_token(caller, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_http_call call = {
        .method = request->body.data ? NULL : "GET",
        .url = request->url,
        .content_type = request->body.data ? "application/json" : NULL,
        .authorization = caller->authorization[0] ? caller->authorization : NULL,
        .body = request->body,
        .timeout_ms = (int)caller->shell->config->bridge_timeout_ms,
        .reuse = true, /* what is asked twice here is asked once */
        .keep_answer = true,
    };
    status = exchange(caller, &call, request->what, ret_answer, err);
    explicit_bzero(caller->authorization, sizeof caller->authorization);
    return status;
}

sync_status bridge_answer_judge(const struct sync_http_answer_in *answer, const char *what,
                                struct sync_error *err)
{
    bool gone = answer->code == 400 || answer->code == 404 || answer->code == 410;
    bool later =
        answer->code == 408 || answer->code == 425 || answer->code == 429 || answer->code >= 500;
    return sync_fail(err, later ? SYNC_CLASS_RETRY : SYNC_CLASS_PARK,
                     gone ? SYNC_CODE_NOT_FOUND : SYNC_CODE_HTTP_ANSWER,
                     "%s: the bridge answers %d", what, answer->code);
}
