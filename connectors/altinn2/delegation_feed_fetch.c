/* Calls the role feed. Not here: links, positions. */
#include "delegation_feed_fetch.h"

#include <core/limits.h>
#include <runtime/health.h>
#include <runtime/http_client.h>
#include <runtime/secret.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 200 /* the end of the process is noticed so soon */

struct feed_fetch {
    struct receiver_shell *shell;
    const struct delegation_own *own;
    struct sync_http_client *client;
    int64_t retry_after_ms;
    char authorization[SYNC_SECRET_MAX + 8];
};

sync_status feed_fetch_new(struct receiver_shell *shell, const struct delegation_own *own,
                           struct feed_fetch **ret_fetch, struct sync_error *err)
{
    struct feed_fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "read the role feed: no memory");
    }
    fetch->shell = shell;
    fetch->own = own;
    sync_status status =
        sync_http_client_new(shell->config->bridge_base_url, 1, &fetch->client, err);
    if (!sync_is_ok(status)) {
        free(fetch);
        return status;
    }
    *ret_fetch = fetch;
    return SYNC_OK;
}

void feed_fetch_free(struct feed_fetch **fetch)
{
    if (*fetch) {
        sync_http_client_free(&(*fetch)->client);
        explicit_bzero((*fetch)->authorization, sizeof(*fetch)->authorization);
        free(*fetch);
        *fetch = NULL;
    }
}

int64_t feed_fetch_retry_after_ms(const struct feed_fetch *fetch)
{
    return fetch->retry_after_ms;
}

/* Read for every page: a token is changed without a restart. */
static sync_status read_token(struct feed_fetch *fetch, struct sync_error *err)
{
    char token[SYNC_SECRET_MAX];
    const char *file = fetch->shell->config->bridge_token_file;
    fetch->authorization[0] = '\0';
    if (file[0] == '\0') {
        return SYNC_OK;
    }
    sync_status status = sync_secret_read("bridge.token_file", file, token, sizeof token, err);
    if (sync_is_ok(status)) {
        (void)snprintf(fetch->authorization, sizeof fetch->authorization, "Bearer %s", token);
    }
    explicit_bzero(token, sizeof token);
    return sync_is_ok(status) ? status : (sync_status){SYNC_CLASS_PARK};
}

static sync_status call(struct feed_fetch *fetch, const char *link,
                        struct sync_http_answer_in *ret_answer, struct sync_error *err)
{
    struct sync_http_call request = {
        .method = "GET",
        .url = link,
        .authorization = fetch->authorization[0] ? fetch->authorization : NULL,
        .timeout_ms = (int)fetch->shell->config->bridge_timeout_ms,
        .reuse = true, /* reading twice is reading once */
        .keep_answer = true,
    };
    sync_status status = sync_http_client_send(fetch->client, &request, err);
    while (sync_is_ok(status) &&
           sync_http_client_wait(fetch->client, WAIT_MS, ret_answer, 1) == 0) {
        sync_health_beat(SYNC_LOOP_FEED);
        if (atomic_load(&fetch->shell->ending)) {
            sync_http_client_abort(fetch->client);
            status = sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_HTTP_UNREACHABLE,
                               "read the role feed: the process ends");
        }
    }
    return status;
}

/* An answer without a page. */
static sync_status judge_answer(const struct sync_http_answer_in *answer, struct sync_error *err)
{
    if (answer->failed) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_HTTP_UNREACHABLE,
                         "read the role feed: %s", answer->text);
    }
    if (answer->code == 200) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_OVERSIZE,
                         "read the role feed: a page is larger than %d bytes",
                         SYNC_HTTP_ANSWER_BYTES_MAX);
    }
    bool gone = answer->code == 400 || answer->code == 404 || answer->code == 410;
    bool later =
        answer->code == 408 || answer->code == 425 || answer->code == 429 || answer->code >= 500;
    return sync_fail(err, later ? SYNC_CLASS_RETRY : SYNC_CLASS_PARK,
                     gone ? SYNC_CODE_NOT_FOUND : SYNC_CODE_HTTP_ANSWER,
                     "read the role feed: the bridge answers %d", answer->code);
}

sync_status feed_fetch_page(struct feed_fetch *fetch, const char *link, struct feed_page **ret_page,
                            struct sync_error *err)
{
    struct sync_http_answer_in answer = {.failed = true};
    fetch->retry_after_ms = 0;
    sync_status status = read_token(fetch, err);
    if (sync_is_ok(status)) {
        status = call(fetch, link, &answer, err);
    }
    explicit_bzero(fetch->authorization, sizeof fetch->authorization);
    if (!sync_is_ok(status)) {
        return status;
    }
    fetch->retry_after_ms = answer.retry_after_s * 1000LL;
    if (answer.failed || answer.code != 200 || !answer.body) {
        status = judge_answer(&answer, err);
    } else {
        status = feed_page_parse(sync_bytes_text(answer.body), fetch->own, ret_page, err);
    }
    free(answer.body);
    return status;
}
