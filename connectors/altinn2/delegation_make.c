/*
 * The stream thread's work on calls about delegations: givers are looked up, events numbered,
 * repeats left out, everything answered or handed on. Not here: what a call becomes
 * (delegation_plan.c), exports (delegation_make_export.c).
 */
#include "delegation_plan.h"

#include "delegation_make_export.h"

#include <core/limits.h>
#include <runtime/log.h>
#include <stdlib.h>

/* Uuids of the givers of all calls, by one query. */
static sync_status resolve_givers(struct delegation_capture *capture, struct push **pushes,
                                  size_t count, struct sync_error *err)
{
    size_t total = 0, used = 0;
    for (size_t i = 0; i < count; i++) {
        total += ((const struct delegation_call *)pushes[i]->content)->rule_count;
    }
    struct delegation_name **givers = malloc((total + 1) * sizeof *givers);
    if (!givers) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "read calls: no memory");
    }
    for (size_t i = 0; i < count; i++) {
        struct delegation_call *call = pushes[i]->content;
        for (size_t k = 0; k < call->rule_count; k++) {
            givers[used++] = &call->rules[k].from;
        }
    }
    sync_status status =
        delegation_parties_resolve(&capture->parties, capture->resolver, givers, used, err);
    free(givers);
    return status;
}

static bool is_control(const struct delegation_call *call)
{
    return call->place.is_export || call->sort == DELEGATION_CALL_EXPORT_BEGIN ||
           call->sort == DELEGATION_CALL_EXPORT_END;
}

/* Nothing is to be published: a repeat, or a deletion of what nobody knows. */
static void end_answered(const struct delegation_capture *capture, struct push *push)
{
    push_answer_stored(&capture->shell->pushes, push);
    push_release(&capture->shell->pushes, push);
}

static void hand_on(struct delegation_capture *capture, struct delegation_plan *plan,
                    int32_t generation)
{
    struct sync_error reason = {0};
    struct push *push = plan->push;
    sync_status status = delegation_plan_records(capture, plan, generation, &reason);
    if (sync_is_ok(status)) {
        push_table_move(&capture->shell->pushes, push, PUSH_READY);
        return;
    }
    sync_log_error(SYNC_ERROR, "record_refused", &reason);
    push_end(&capture->shell->pushes, push, status.class == SYNC_CLASS_RETRY ? 503 : 500, NULL,
             "the records of this call could not be made");
}

/* Numbers what is left and hands it on, in order of arrival. */
static sync_status number_plans(struct delegation_capture *capture, struct delegation_plan *plans,
                                size_t count, struct sync_error *err)
{
    size_t total = 0;
    struct resolver_run run;
    for (size_t i = 0; i < count; i++) {
        total += plans[i].events;
    }
    sync_status status =
        count == 0 ? SYNC_OK : resolver_number(capture->resolver, total, &run, err);
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        plans[i].first = run.first;
        plans[i].push->confirm = plans[i].call->dated;
        run.first += (int64_t)plans[i].events;
        hand_on(capture, &plans[i], run.generation);
    }
    return status;
}

sync_status delegation_make(void *part, struct push **pushes, size_t count, struct sync_error *err)
{
    struct delegation_capture *capture = part;
    struct delegation_plan plans[SYNC_HTTP_REQUESTS_MAX];
    size_t planned = 0;
    sync_status status = resolve_givers(capture, pushes, count, err);
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        struct delegation_call *call = pushes[i]->content;
        if (is_control(call)) {
            status = delegation_make_export(capture, pushes[i], err);
            continue;
        }
        struct delegation_plan *plan = &plans[planned];
        status = delegation_plan_make(capture, pushes[i], plan, err);
        if (!sync_is_ok(status)) {
            break;
        }
        if (plan->events == 0 || delegation_repeats_has(&capture->repeats, call)) {
            end_answered(capture, pushes[i]);
        } else {
            planned++;
        }
    }
    return sync_is_ok(status) ? number_plans(capture, plans, planned, err) : status;
}

sync_status delegation_confirm(void *part, struct push **pushes, size_t count,
                               struct sync_error *err)
{
    struct delegation_capture *capture = part;
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < count; i++) {
        const struct delegation_call *call = pushes[i]->content;
        if (!call->place.is_export) {
            delegation_repeats_add(&capture->repeats, call);
            end_answered(capture, pushes[i]);
        } else if (sync_is_ok(status)) {
            status = delegation_confirm_export(capture, pushes[i], err);
        }
    }
    return status;
}
