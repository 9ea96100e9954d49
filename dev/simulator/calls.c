/* Calls kept between two threads, and the faults that hit them. Not here: what a call does. */
#include "calls.h"

#include <runtime/breaker.h>
#include <runtime/clock.h>
#include <stdio.h>
#include <stdlib.h>

#define TURN_MS 5 /* how exact a delay is */

sync_status simulator_calls_init(struct simulator_calls *calls, struct simulator *simulator,
                                 size_t item_size, uint64_t seed, struct sync_error *err)
{
    calls->items = calloc(SIMULATOR_CALLS_MAX, item_size);
    if (!calls->items) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "make the bridge: no memory");
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&calls->lock, NULL);
    pthread_cond_init(&calls->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    calls->simulator = simulator;
    calls->item_size = item_size;
    calls->random = seed ^ 0x627269646765ULL;
    return SYNC_OK;
}

void simulator_calls_done(struct simulator_calls *calls)
{
    pthread_cond_destroy(&calls->changed);
    pthread_mutex_destroy(&calls->lock);
    free(calls->items);
}

static struct simulator_call *item(const struct simulator_calls *calls, size_t index)
{
    return (struct simulator_call *)(void *)(calls->items + index * calls->item_size);
}

/* Listener. */

bool simulator_calls_keep(struct simulator_calls *calls, const struct simulator_call *call)
{
    struct simulator_call *place = NULL;
    pthread_mutex_lock(&calls->lock);
    for (size_t i = 0; i < SIMULATOR_CALLS_MAX && !place; i++) {
        place = item(calls, i)->request ? NULL : item(calls, i);
    }
    if (place) {
        memcpy(place, call, calls->item_size);
        pthread_cond_signal(&calls->changed);
    }
    pthread_mutex_unlock(&calls->lock);
    return place != NULL;
}

void simulator_calls_answer(struct simulator_calls *calls, struct sync_http_request *request,
                            int code, const char *text)
{
    atomic_fetch_add(&calls->codes[code], 1);
    sync_http_answer(request, code, text ? "application/json" : NULL,
                     sync_bytes_text(text ? text : ""), 0);
}

/* Thread. */

const char *simulator_calls_hit(struct simulator_calls *calls, const struct faults *faults,
                                struct simulator_call *call)
{
    const char *hit = NULL;
    int64_t now_us = sync_clock_monotonic_us();
    int64_t elapsed_ms = (now_us - calls->simulator->started_us) / 1000;
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->items[i];
        bool now = elapsed_ms >= fault->from_ms && elapsed_ms < fault->until_ms;
        if (!now || sync_random_next(&calls->random) % 1000 >= (uint64_t)fault->permille) {
            continue;
        }
        atomic_fetch_add(&calls->faults, 1);
        switch (fault->action) {
        case FAULT_ANSWER:
            call->code = fault->code;
            call->applied = 0;
            hit = "answer";
            break;
        case FAULT_LOSE_ANSWER:
            call->is_lost = true;
            hit = "lose-answer";
            break;
        case FAULT_APPLY_TWICE:
            call->applied = call->applied == 1 ? 2 : call->applied;
            hit = "apply-twice";
            break;
        case FAULT_REPEAT:
            call->is_repeated = true;
            break;
        case FAULT_DELAY:
            call->answer_at_us = now_us + fault->delay_ms * 1000LL;
            hit = hit ? hit : "delay";
            break;
        }
    }
    return hit;
}

static void finish(struct simulator_calls *calls, struct simulator_call *call)
{
    if (call->is_lost) {
        atomic_fetch_add(&calls->lost, 1);
        sync_http_drop(call->request);
    } else if (call->is_uncounted) {
        sync_http_answer(call->request, call->code, call->text ? "application/json" : NULL,
                         sync_bytes_text(call->text ? call->text : ""), 0);
    } else {
        simulator_calls_answer(calls, call->request, call->code, call->text);
    }
    free(call->text);
    pthread_mutex_lock(&calls->lock);
    call->request = NULL;
    call->text = NULL;
    pthread_mutex_unlock(&calls->lock);
}

static void wait_for_calls(struct simulator_calls *calls)
{
    int64_t until_us = sync_clock_monotonic_us() + TURN_MS * 1000;
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    pthread_mutex_lock(&calls->lock);
    (void)pthread_cond_timedwait(&calls->changed, &calls->lock, &until);
    pthread_mutex_unlock(&calls->lock);
}

/* What is with the thread: only it empties a place, so that a place it sees taken stays so. */
static bool is_taken(struct simulator_calls *calls, const struct simulator_call *call)
{
    pthread_mutex_lock(&calls->lock);
    bool taken = call->request != NULL;
    pthread_mutex_unlock(&calls->lock);
    return taken;
}

void simulator_calls_run(struct simulator_calls *calls,
                         void (*work)(void *context, struct simulator_call *call), void *context)
{
    while (!atomic_load(&calls->simulator->stopping)) {
        bool worked = false;
        for (size_t i = 0; i < SIMULATOR_CALLS_MAX; i++) {
            struct simulator_call *call = item(calls, i);
            if (!is_taken(calls, call)) {
                continue;
            }
            if (!call->is_decided) {
                work(context, call);
                call->is_decided = true;
                worked = true;
            }
            if (sync_clock_monotonic_us() >= call->answer_at_us) {
                finish(calls, call);
            }
        }
        if (!worked) {
            wait_for_calls(calls);
        }
    }
}

void simulator_calls_end(struct simulator_calls *calls)
{
    for (size_t i = 0; i < SIMULATOR_CALLS_MAX; i++) {
        struct simulator_call *call = item(calls, i);
        if (is_taken(calls, call)) {
            call->code = call->is_decided ? call->code : 503;
            finish(calls, call);
        }
    }
}

void simulator_calls_put(struct simulator_calls *calls, struct sync_json_writer *writer)
{
    sync_json_open(writer, "codes", '{');
    for (int code = 0; code < 600; code++) {
        long long count = atomic_load(&calls->codes[code]);
        char name[8];
        (void)snprintf(name, sizeof name, "%d", code);
        if (count > 0) {
            sync_json_put_integer(writer, name, count);
        }
    }
    sync_json_close(writer, '}');
}
