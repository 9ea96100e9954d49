/* The table of what a receiver has in hand, and the answers. Not here: who decides which answer. */
#include "push.h"

#include <errno.h>
#include <runtime/clock.h>
#include <runtime/json.h>
#include <runtime/metrics.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RETRY_AFTER_S 1 /* the caller's job runs every few minutes: as soon as it likes */

void push_table_init(struct push_table *table)
{
    memset(table, 0, sizeof *table);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&table->lock, NULL);
    pthread_cond_init(&table->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void push_table_close(struct push_table *table)
{
    pthread_mutex_lock(&table->lock);
    table->closed = true;
    pthread_mutex_unlock(&table->lock);
    for (size_t i = 0; i < PUSHES_MAX; i++) {
        if (table->items[i].stage != PUSH_FREE) {
            push_answer(table, &table->items[i], 503, NULL, "the receiver is stopping");
            push_release(table, &table->items[i]);
        }
    }
}

void push_table_done(struct push_table *table)
{
    pthread_cond_destroy(&table->changed);
    pthread_mutex_destroy(&table->lock);
}

/* A fresh place, NULL when closed or full. Under the lock. */
static struct push *take_place(struct push_table *table, enum push_stage stage)
{
    struct push *place = NULL;
    for (size_t i = 0; i < PUSHES_MAX && !place && !table->closed; i++) {
        place = table->items[i].stage == PUSH_FREE ? &table->items[i] : NULL;
    }
    if (place) {
        *place = (struct push){
            .stage = stage,
            .number = table->next_number++,
            .received_us = sync_clock_monotonic_us(),
            .captured_at_us = sync_clock_wall_us(),
            .code = 200,
        };
    }
    return place;
}

bool push_table_add(struct push_table *table, struct sync_http_request *request, void *content)
{
    pthread_mutex_lock(&table->lock);
    struct push *place = take_place(table, PUSH_WAITING);
    if (place) {
        place->request = request;
        place->content = content;
        pthread_cond_broadcast(&table->changed);
    }
    pthread_mutex_unlock(&table->lock);
    return place != NULL;
}

struct push *push_table_reserve(struct push_table *table, enum push_outcome *outcome)
{
    pthread_mutex_lock(&table->lock);
    struct push *place = take_place(table, PUSH_RESOLVING);
    if (place) {
        place->outcome = outcome;
        *outcome = PUSH_PENDING;
    }
    pthread_mutex_unlock(&table->lock);
    return place;
}

/* The earliest push of a stage, NULL when there is none. Under the lock. */
static struct push *earliest(struct push_table *table, enum push_stage stage)
{
    struct push *found = NULL;
    for (size_t i = 0; i < PUSHES_MAX; i++) {
        struct push *push = &table->items[i];
        if (push->stage == stage && (!found || push->number < found->number)) {
            found = push;
        }
    }
    return found;
}

int64_t push_table_taken_us(struct push_table *table)
{
    pthread_mutex_lock(&table->lock);
    const struct push *waiting = earliest(table, PUSH_WAITING);
    int64_t at_us = waiting ? waiting->captured_at_us : sync_clock_wall_us();
    pthread_mutex_unlock(&table->lock);
    return at_us;
}

static struct timespec after(int timeout_ms)
{
    int64_t until_us = sync_clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    return (struct timespec){.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
}

enum push_outcome push_table_await(struct push_table *table, const enum push_outcome *outcome,
                                   int timeout_ms)
{
    struct timespec until = after(timeout_ms);
    int waited = 0;
    pthread_mutex_lock(&table->lock);
    while (timeout_ms > 0 && waited != ETIMEDOUT && *outcome == PUSH_PENDING) {
        waited = pthread_cond_timedwait(&table->changed, &table->lock, &until);
    }
    enum push_outcome known = *outcome;
    pthread_mutex_unlock(&table->lock);
    return known;
}

void push_table_wait(struct push_table *table, enum push_stage one, enum push_stage other,
                     int timeout_ms)
{
    struct timespec until = after(timeout_ms);
    int waited = 0;
    pthread_mutex_lock(&table->lock);
    while (waited != ETIMEDOUT && !earliest(table, one) && !earliest(table, other)) {
        waited = pthread_cond_timedwait(&table->changed, &table->lock, &until);
    }
    pthread_mutex_unlock(&table->lock);
}

size_t push_table_take(struct push_table *table, enum push_stage from, enum push_stage to,
                       struct push **ret_pushes, size_t max, int timeout_ms)
{
    struct timespec until = after(timeout_ms);
    pthread_mutex_lock(&table->lock);
    int waited = 0;
    while (timeout_ms > 0 && waited != ETIMEDOUT && !earliest(table, from)) {
        waited = pthread_cond_timedwait(&table->changed, &table->lock, &until);
    }
    size_t count = 0;
    for (struct push *push; count < max && (push = earliest(table, from)); count++) {
        push->stage = to;
        ret_pushes[count] = push;
    }
    pthread_mutex_unlock(&table->lock);
    return count;
}

void push_table_move(struct push_table *table, struct push *push, enum push_stage stage)
{
    pthread_mutex_lock(&table->lock);
    push->stage = stage;
    pthread_cond_broadcast(&table->changed);
    pthread_mutex_unlock(&table->lock);
}

bool push_table_holds(struct push_table *table, const struct push *push, int64_t number,
                      enum push_stage stage)
{
    pthread_mutex_lock(&table->lock);
    bool holds = push->number == number && push->stage == stage;
    pthread_mutex_unlock(&table->lock);
    return holds;
}

static const char *title_of(int code)
{
    switch (code) {
    case 400:
        return "Bad request";
    case 401:
        return "Unauthorized";
    case 404:
        return "Not found";
    case 405:
        return "Method not allowed";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 413:
        return "Content too large";
    case 415:
        return "Unsupported media type";
    case 501:
        return "Not implemented";
    case 503:
        return "Service unavailable";
    default:
        return "Internal server error";
    }
}

static void count_answer(int code)
{
    static struct sync_metric *answers;
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&once);
    if (!answers) {
        answers = sync_metric_new(
            SYNC_COUNTER, "receiver_requests_total",
            "Calls of Altinn 2's batch job by the code they were answered with.", "code");
    }
    pthread_mutex_unlock(&once);
    char text[8];
    snprintf(text, sizeof text, "%d", code);
    sync_metric_add(answers, 1, SYNC_LABELS(text));
}

void push_reply(struct sync_http_request *request, int code, const char *pointer,
                const char *detail)
{
    count_answer(code);
    if (!detail) {
        sync_http_answer(request, code, NULL, (struct sync_bytes){NULL, 0}, 0);
        return;
    }
    struct sync_json_writer writer;
    sync_json_writer_init(&writer);
    sync_json_open(&writer, NULL, '{');
    sync_json_put_text(&writer, "type", "about:blank");
    sync_json_put_text(&writer, "title", title_of(code));
    sync_json_put_integer(&writer, "status", code);
    sync_json_put_text(&writer, "detail", detail);
    if (pointer) {
        sync_json_put_text(&writer, "pointer", pointer);
    }
    sync_json_close(&writer, '}');
    char *text = sync_json_writer_take(&writer);
    sync_http_answer(request, code, "application/problem+json", sync_bytes_text(text ? text : ""),
                     code == 503 ? RETRY_AFTER_S : 0);
    free(text);
}

/* The request of a place, which is then answered; NULL when it is already. */
static struct sync_http_request *take_request(struct push_table *table, struct push *push)
{
    pthread_mutex_lock(&table->lock);
    struct sync_http_request *request = push->request;
    push->request = NULL;
    pthread_mutex_unlock(&table->lock);
    return request;
}

void push_answer(struct push_table *table, struct push *push, int code, const char *pointer,
                 const char *detail)
{
    struct sync_http_request *request = take_request(table, push);
    if (request) {
        push_reply(request, code, pointer, detail);
    }
}

void push_answer_stored(struct push_table *table, struct push *push)
{
    struct sync_http_request *request = take_request(table, push);
    if (request && !push->body) {
        push_reply(request, push->code, NULL, NULL);
    } else if (request) {
        count_answer(push->code);
        sync_http_answer(request, push->code, "application/json", sync_bytes_text(push->body), 0);
    }
}

void push_release(struct push_table *table, struct push *push)
{
    free(push->content);
    free(push->memory);
    free(push->body);
    push->content = NULL;
    push->memory = NULL;
    push->body = NULL;
    pthread_mutex_lock(&table->lock);
    if (push->outcome) {
        *push->outcome = push->stored ? PUSH_DONE : PUSH_FAILED;
        push->outcome = NULL;
    }
    push->stage = PUSH_FREE;
    pthread_cond_broadcast(&table->changed);
    pthread_mutex_unlock(&table->lock);
}

void push_end(struct push_table *table, struct push *push, int code, const char *pointer,
              const char *detail)
{
    push_answer(table, push, code, pointer, detail);
    push_release(table, push);
}

size_t push_table_expire(struct push_table *table, int64_t deadline_us)
{
    size_t count = 0;
    for (size_t i = 0; i < PUSHES_MAX; i++) {
        struct push *push = &table->items[i];
        pthread_mutex_lock(&table->lock);
        struct sync_http_request *late = NULL;
        if (push->stage != PUSH_FREE && push->received_us < deadline_us) {
            late = push->request; /* taken at once: the place may get another call meanwhile */
            push->request = NULL;
        }
        pthread_mutex_unlock(&table->lock);
        if (late) {
            push_reply(late, 503, NULL, "not stored in time; send the same again");
            count++;
        }
    }
    return count;
}

size_t push_table_open(struct push_table *table)
{
    size_t count = 0;
    pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < PUSHES_MAX; i++) {
        count += table->items[i].stage != PUSH_FREE && table->items[i].request;
    }
    pthread_mutex_unlock(&table->lock);
    return count;
}
