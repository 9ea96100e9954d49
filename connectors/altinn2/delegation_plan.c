/*
 * Plans of calls: ids of rules are looked up, groups made, answers prepared; then records. Not
 * here: numbers, exports, who is answered when.
 */
#include "delegation_plan.h"

#include "../delegation_record.h"
#include "delegation_answer.h"
#include "fields.h"
#include "rule_id.h"

#include <core/limits.h>
#include <runtime/log.h>
#include <runtime/metrics.h>
#include <stdio.h>
#include <stdlib.h>

#define FOUND_MAX 64 /* actions of one element that are told: as many as a policy can have */

/* What one element of deleterules ends. */
struct delegation_found {
    struct sync_bytes *actions;
    size_t count;
};

static const struct sync_statement policy_statement = {
    "delegation_policy", "SELECT unnest(actions) FROM sync.resource_state WHERE resource = $1"};

/* Names that a right of this resource may have: those of the table, and those of its policy. */
struct names {
    char all[DELEGATION_NAMES_MAX + DELEGATION_RIGHTS_MAX][DELEGATION_RIGHT_SIZE];
    size_t count;
};

static sync_status add_policy(struct delegation_capture *capture, const char *resource,
                              struct names *names, struct sync_error *err)
{
    struct sync_params params = resolver_params(capture->resolver);
    sync_params_text(&params, resource);
    SYNC_RESULT result = {0};
    sync_status status = resolver_exec(capture->resolver, &policy_statement, &params, &result, err);
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        char *name = names->all[names->count];
        bool room = names->count < sizeof names->all / sizeof names->all[0];
        if (room &&
            fields_canonical(sync_result_bytes(&result, row, 0), name, DELEGATION_RIGHT_SIZE)) {
            names->count++;
        }
    }
    return status;
}

static void count_unknown(size_t count)
{
    static struct sync_metric *unknown;
    if (!unknown) {
        unknown = sync_metric_new(SYNC_COUNTER, "receiver_unknown_rules_total",
                                  "Ids of rules to be deleted that stand for no right.", "");
    }
    sync_metric_add(unknown, (double)count, NULL);
    sync_log(SYNC_ERROR, "rules_unknown", SYNC_LOG_NUMBER("count", (int64_t)count));
}

/* Which action each id of an element stands for: first the cheap names, then all that is known. */
static sync_status search_ids(struct delegation_capture *capture,
                              const struct delegation_rule *rule, struct names *names, int *actions,
                              struct sync_error *err)
{
    struct delegation_name from = rule->from, to = rule->to;
    memcpy(names->all, capture->names, sizeof capture->names);
    names->count = capture->name_count;
    struct rule_id_search search = {&from, &to, rule->resource, names->all, names->count};
    if (rule_id_find(&search, rule->rule_ids, rule->rule_id_count, actions) == 0) {
        return SYNC_OK;
    }
    sync_status status = add_policy(capture, rule->resource, names, err);
    if (sync_is_ok(status)) {
        status = delegation_parties_complete(capture->resolver, &from, err);
    }
    if (sync_is_ok(status)) {
        status = delegation_parties_complete(capture->resolver, &to, err);
    }
    if (sync_is_ok(status)) {
        search.action_count = names->count;
        (void)rule_id_find(&search, rule->rule_ids, rule->rule_id_count, actions);
    }
    return status;
}

static bool has_action(const struct delegation_found *found, const char *name)
{
    for (size_t i = 0; i < found->count; i++) {
        if (sync_bytes_equal(found->actions[i], sync_bytes_text(name))) {
            return true;
        }
    }
    return false;
}

/* The actions of one element, into the arena. Adds the rules that the answer names. */
static sync_status find_actions(struct delegation_capture *capture, struct delegation_plan *plan,
                                size_t element, struct delegation_answer_rule *rules,
                                size_t *rule_count, struct sync_error *err)
{
    const struct delegation_rule *rule = &plan->call->rules[element];
    struct delegation_found *found = &plan->found[element];
    static struct names names; /* stream thread only */
    int actions[DELEGATION_CALL_IDS_MAX];
    size_t unknown = 0;
    memset(actions, -1, sizeof actions);
    sync_status status = search_ids(capture, rule, &names, actions, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    found->actions =
        sync_arena_take_array(&plan->arena, rule->rule_id_count, sizeof *found->actions);
    SYNC_ASSERT(found->actions);
    for (size_t i = 0; i < rule->rule_id_count; i++) {
        const char *name = actions[i] < 0 ? NULL : names.all[actions[i]];
        if (!name) {
            unknown++;
            continue;
        }
        if (!has_action(found, name) && found->count < FOUND_MAX) {
            found->actions[found->count] = sync_arena_copy(&plan->arena, sync_bytes_text(name));
            SYNC_ASSERT(found->actions[found->count].data);
            rules[(*rule_count)++] = (struct delegation_answer_rule){
                rule, found->actions[found->count], rule->rule_ids[i]};
            found->count++;
        }
    }
    if (unknown > 0) {
        count_unknown(unknown);
        plan->push->code = 206;
    }
    return SYNC_OK;
}

/* Plans: what a call becomes. */

size_t delegation_plan_size(const struct delegation_call *call)
{
    size_t events = call->rule_count + 1;
    return 2 * delegation_events_size(call) +
           events * (DELEGATION_RECORD_BYTES + sizeof(struct sync_kafka_record) + 128);
}

/* Kept until the records are produced. */
static sync_status take_memory(struct delegation_plan *plan, struct sync_error *err)
{
    size_t size = delegation_plan_size(plan->call);
    plan->push->memory = malloc(size);
    if (!plan->push->memory) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "make records: no memory");
    }
    sync_arena_init(&plan->arena, plan->push->memory, size);
    return SYNC_OK;
}

static sync_status set_body(struct delegation_plan *plan, struct delegation_answer_rule *rules,
                            size_t count, struct sync_error *err)
{
    bool created = plan->call->sort == DELEGATION_CALL_ADD;
    plan->push->body = delegation_answer_rules(rules, count, created);
    return plan->push->body ? SYNC_OK
                            : sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                                        "answer a call: no memory");
}

static void free_rules(struct delegation_answer_rule **rules)
{
    free(*rules);
}
#define ANSWER_RULES __attribute__((cleanup(free_rules))) struct delegation_answer_rule

static sync_status plan_add(const struct delegation_capture *capture, struct delegation_plan *plan,
                            struct sync_error *err)
{
    const struct delegation_call *call = plan->call;
    ANSWER_RULES *rules = calloc(call->rule_count, sizeof *rules);
    plan->group_of = sync_arena_take_array(&plan->arena, call->rule_count, sizeof *plan->group_of);
    SYNC_ASSERT(plan->group_of);
    if (!rules) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "make records: no memory");
    }
    for (size_t i = 0; i < call->rule_count; i++) {
        const struct delegation_rule *rule = &call->rules[i];
        rules[i] = (struct delegation_answer_rule){
            rule, rule->action, rule_id_make(&rule->from, &rule->to, rule->resource, rule->action)};
    }
    plan->events = delegation_groups(call, &capture->own, plan->group_of);
    plan->push->code = 201;
    return set_body(plan, rules, call->rule_count, err);
}

static sync_status plan_delete(struct delegation_capture *capture, struct delegation_plan *plan,
                               struct sync_error *err)
{
    const struct delegation_call *call = plan->call;
    size_t ids = 0, named = 0;
    for (size_t i = 0; i < call->rule_count; i++) {
        ids += call->rules[i].rule_id_count;
    }
    ANSWER_RULES *rules = calloc(ids, sizeof *rules);
    plan->found =
        sync_arena_take_array(&plan->arena, call->rule_count, sizeof(struct delegation_found));
    plan->element_of =
        sync_arena_take_array(&plan->arena, call->rule_count, sizeof *plan->element_of);
    SYNC_ASSERT(plan->found && plan->element_of);
    if (!rules) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "make records: no memory");
    }
    for (size_t i = 0; i < call->rule_count; i++) {
        sync_status status = find_actions(capture, plan, i, rules, &named, err);
        if (!sync_is_ok(status)) {
            return status;
        }
        if (plan->found[i].count > 0) {
            plan->element_of[plan->events++] = i;
        }
    }
    return set_body(plan, rules, named, err);
}

sync_status delegation_plan_make(struct delegation_capture *capture, struct push *push,
                                 struct delegation_plan *plan, struct sync_error *err)
{
    *plan = (struct delegation_plan){.push = push, .call = push->content};
    sync_status status = take_memory(plan, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    switch (plan->call->sort) {
    case DELEGATION_CALL_ADD:
        return plan_add(capture, plan, err);
    case DELEGATION_CALL_DELETE:
        return plan_delete(capture, plan, err);
    case DELEGATION_CALL_CLEAR:
        plan->events = plan->call->rule_count;
        return set_body(plan, NULL, 0, err);
    case DELEGATION_CALL_MESSAGE:
        plan->events = 1;
        plan->push->code = 201;
        return SYNC_OK;
    case DELEGATION_CALL_UNMESSAGE:
        plan->events = 1;
        plan->push->code = 204;
        return SYNC_OK;
    case DELEGATION_CALL_EXPORT_BEGIN:
    case DELEGATION_CALL_EXPORT_END:
        break; /* not a call that makes events */
    }
    SYNC_ASSERT(false);
    return SYNC_OK;
}

/* Records. */

struct delegation_change delegation_plan_change(const struct delegation_capture *capture,
                                                struct delegation_plan *plan, size_t event)
{
    const struct delegation_call *call = plan->call;
    struct delegation_making making = {call, &capture->own, &plan->arena};
    struct delegation_change change;
    if (call->sort == DELEGATION_CALL_ADD) {
        change = delegation_event_of_group(&making, event, plan->group_of);
    } else if (call->sort == DELEGATION_CALL_DELETE) {
        size_t element = plan->element_of[event];
        const struct delegation_found *found = &plan->found[element];
        change = delegation_event_of_element(&making, element, found->actions, found->count);
    } else if (call->sort == DELEGATION_CALL_CLEAR) {
        change = delegation_event_of_element(&making, event, NULL, 0);
    } else {
        change = delegation_event_of_message(&making);
    }
    change.seq = plan->numbers ? plan->numbers[event] : plan->first + (int64_t)event;
    change.capture_time_us = plan->push->captured_at_us;
    if (call->place.is_export) {
        change.has_snapshot_id = change.has_snapshot_pos = true;
        change.snapshot_id = call->place.snapshot_id;
        change.snapshot_pos = call->place.snapshot_pos;
    }
    return change;
}

void delegation_stream_text(const char *name, int32_t generation,
                            char ret_text[static DELEGATION_STREAM_BYTES])
{
    (void)snprintf(ret_text, DELEGATION_STREAM_BYTES, "%s.%d", name, (int)generation);
}

sync_status delegation_plan_records(const struct delegation_capture *capture,
                                    struct delegation_plan *plan, int32_t generation,
                                    struct sync_error *err)
{
    char stream[DELEGATION_STREAM_BYTES];
    const struct delegation_call *call = plan->call;
    struct push *push = plan->push;
    bool message = call->sort == DELEGATION_CALL_MESSAGE || call->sort == DELEGATION_CALL_UNMESSAGE;
    const struct receiver_topic *topic =
        &capture->shell->topics[call->place.is_export ? DELEGATION_BACKLOG : DELEGATION_LIVE];
    delegation_stream_text(message ? "a2.message" : "a2.rule", generation, stream);
    push->records = sync_arena_take_array(&plan->arena, plan->events, sizeof *push->records);
    SYNC_ASSERT(push->records);
    push->record_count = plan->events;
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < plan->events && sync_is_ok(status); i++) {
        struct delegation_change change = delegation_plan_change(capture, plan, i);
        struct delegation_record *record = sync_arena_take(&plan->arena, sizeof *record);
        SYNC_ASSERT(record);
        change.stream = sync_bytes_text(stream);
        status = delegation_record_make(capture->schema, &change, &plan->arena, record, err);
        push->records[i] = (struct sync_kafka_record){.topic = topic->name,
                                                      .key = record->key,
                                                      .value = record->value,
                                                      .headers = record->headers,
                                                      .header_count = record->header_count};
    }
    return status;
}
