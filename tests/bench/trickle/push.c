/* Acts of Altinn 2 as calls of its batch job to our receiver: one ARCHIVED of each message. */
#include "trickle.h"

#include <altinn_sync/correspondence_status.h>
#include <runtime/clock.h>
#include <runtime/http_client.h>
#include <runtime/time_text.h>
#include <stdio.h>
#include <stdlib.h>

#define CALLS_MAX  48 /* below the receiver's SYNC_HTTP_REQUESTS_MAX */
#define BODY_BYTES 512

struct push {
    struct trickle *trickle;
    struct sync_http_client *client;
    struct call {
        bool used;
        int64_t act;
        char body[BODY_BYTES];
    } calls[CALLS_MAX];
    char url[256];
};

static struct call *free_call(struct push *push)
{
    for (size_t i = 0; i < CALLS_MAX; i++) {
        if (!push->calls[i].used) {
            return &push->calls[i];
        }
    }
    return NULL;
}

static sync_status send_call(struct push *push, struct call *call, int64_t act,
                             struct sync_error *err)
{
    char message[SYNC_UUID_BUFFER], party[SYNC_UUID_BUFFER], time[SYNC_TIME_BUFFER];
    struct sync_uuid message_id = trickle_message(push->trickle->first + act);
    struct sync_uuid party_id = trickle_party(1);
    sync_uuid_format(&message_id, message);
    sync_uuid_format(&party_id, party);
    sync_time_format(trickle_due_us(push->trickle, act), 6, time);
    int size = snprintf(call->body, sizeof call->body,
                        "{\"correspondenceId\":\"%s\",\"syncedStatusEvents\":[{\"status\":%d,"
                        "\"statusText\":\"test\",\"statusChanged\":\"%s\",\"eventUserPartyUuid\":"
                        "\"%s\"}]}",
                        message, STATUS_ARCHIVED, time, party);
    SYNC_ASSERT(size > 0 && (size_t)size < sizeof call->body);
    call->used = true;
    call->act = act;
    struct sync_http_call request = {.url = push->url,
                                     .content_type = "application/json",
                                     .body = {(const uint8_t *)call->body, (size_t)size},
                                     .reuse = true,
                                     .tag = call};
    return sync_http_client_send(push->client, &request, err);
}

static sync_status take_answers(struct push *push, int timeout_ms, int64_t *answered,
                                struct sync_error *err)
{
    struct sync_http_answer_in answers[CALLS_MAX];
    size_t count = sync_http_client_wait(push->client, timeout_ms, answers, CALLS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct call *call = answers[i].tag;
        if (answers[i].failed || answers[i].code != 200) {
            return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_HTTP_UNREACHABLE,
                             "push act %lld: code %d %.100s", (long long)call->act, answers[i].code,
                             answers[i].text);
        }
        trickle_done(push->trickle, call->act);
        call->used = false;
        (*answered)++;
    }
    return SYNC_OK;
}

static sync_status push_all(struct push *push, struct sync_error *err)
{
    struct trickle *trickle = push->trickle;
    int64_t next = 0, answered = 0;
    sync_status status = SYNC_OK;
    while (answered < trickle->count && sync_is_ok(status)) {
        struct call *call = free_call(push);
        bool due = next < trickle->count && trickle_due_us(trickle, next) <= sync_clock_wall_us();
        if (call != NULL && due) {
            status = send_call(push, call, next++, err);
        }
        if (sync_is_ok(status)) {
            status = take_answers(push, call != NULL && due ? 0 : 1, &answered, err);
        }
    }
    return status;
}

sync_status trickle_push(struct trickle *trickle, struct sync_error *err)
{
    struct push *push = calloc(1, sizeof *push);
    SYNC_ASSERT(push != NULL);
    push->trickle = trickle;
    (void)snprintf(push->url, sizeof push->url,
                   "%s/correspondence/api/v1/migration/correspondence/syncStatusEvent",
                   trickle->url);
    sync_status status = sync_http_client_new(trickle->url, CALLS_MAX, &push->client, err);
    if (sync_is_ok(status)) {
        status = push_all(push, err);
        sync_http_client_free(&push->client);
    }
    free(push);
    return status;
}
