/* Calls to changes. Not here: what a change means (processors/delegation/). */
#include "call_events.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#define TEXTS_SLACK 32 /* of one list of texts: count, end and alignment */
#define TEXT_SLACK  24 /* of one text in it: its length, and its place in a list of items */

bool delegation_is_own(const struct delegation_own *own, const struct delegation_name *performer)
{
    bool user = performer->has_user_id && own->user_id != 0 && performer->user_id == own->user_id;
    bool party = performer->has_uuid && !sync_uuid_is_zero(&own->party) &&
                 sync_uuid_compare(&performer->uuid, &own->party) == 0;
    return user || party;
}

size_t delegation_events_size(const struct delegation_call *call)
{
    size_t lists = call->rule_count + 2;
    size_t texts = call->rule_count + call->message.action_count + 2;
    for (size_t i = 0; i < call->rule_count; i++) {
        texts += call->rules[i].rule_id_count;
    }
    return lists * TEXTS_SLACK + texts * (TEXT_SLACK + DELEGATION_RIGHT_SIZE);
}

size_t delegation_groups(const struct delegation_call *call, const struct delegation_own *own,
                         size_t *ret_group_of)
{
    size_t count = 0;
    for (size_t i = 0; i < call->rule_count; i++) {
        const struct delegation_rule *rule = &call->rules[i];
        ret_group_of[i] = count;
        for (size_t k = 0; k < i && ret_group_of[i] == count; k++) {
            const struct delegation_rule *other = &call->rules[k];
            if (strcmp(rule->resource, other->resource) == 0 &&
                delegation_name_equal(&rule->from, &other->from) &&
                delegation_name_equal(&rule->to, &other->to) &&
                delegation_is_own(own, &rule->performer) ==
                    delegation_is_own(own, &other->performer)) {
                ret_group_of[i] = ret_group_of[k];
            }
        }
        count += ret_group_of[i] == count;
    }
    return count;
}

struct sync_texts delegation_texts(struct sync_arena *arena, const struct sync_bytes *items,
                                   size_t count)
{
    struct sync_texts texts = {.count = 0};
    size_t size = TEXTS_SLACK;
    for (size_t i = 0; i < count; i++) {
        size += items[i].size + 5; /* a length of up to five bytes */
    }
    uint8_t *room = sync_arena_take(arena, size);
    bool made = room && sync_texts_make(items, count, room, size, &texts);
    SYNC_ASSERT(made); /* delegation_events_size() made room */
    return texts;
}

/* A person acts with his login; our own technical user is no person. */
static void set_performer(struct delegation_change *change, const struct delegation_name *performer,
                          const struct delegation_own *own)
{
    bool is_own = delegation_is_own(own, performer);
    bool user = performer->has_user_id || performer->has_uuid;
    change->performer = *performer;
    change->by = user && !is_own ? DELEGATION_HUMAN : DELEGATION_MACHINE;
    change->has_origin = is_own;
    change->origin_source = is_own ? DELEGATION_A3 : 0;
}

static struct delegation_change service_change(const struct delegation_rule *rule,
                                               enum delegation_op op,
                                               const struct delegation_own *own)
{
    struct delegation_change change = {
        .source = DELEGATION_A2,
        .weak = true,
        .kind = DELEGATION_SINGLE,
        .op = op,
        .from = rule->from,
        .to = rule->to,
        .has_target = true,
        .target_kind = DELEGATION_TARGET_RESOURCE,
        .has_target_id = true,
        .target_id = sync_bytes_text(rule->resource),
        .has_event_time = rule->has_time,
        .event_time_us = rule->time_us,
    };
    set_performer(&change, &rule->performer, own);
    return change;
}

static bool has_text(const struct sync_bytes *items, size_t count, struct sync_bytes text)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].size == text.size &&
            strncasecmp((const char *)items[i].data, (const char *)text.data, text.size) == 0) {
            return true;
        }
    }
    return false;
}

struct delegation_change delegation_event_of_group(const struct delegation_making *making,
                                                   size_t group, const size_t *group_of)
{
    const struct delegation_call *call = making->call;
    const struct delegation_rule *first = NULL;
    struct sync_bytes rights[DELEGATION_CALL_ITEMS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < call->rule_count; i++) {
        const struct delegation_rule *rule = &call->rules[i];
        if (group_of[i] != group) {
            continue;
        }
        first = first ? first : rule;
        if (!has_text(rights, count, rule->action)) {
            rights[count++] = rule->action;
        }
    }
    SYNC_ASSERT(first);
    struct delegation_change change = service_change(first, DELEGATION_GRANT, making->own);
    change.rights = delegation_texts(making->arena, rights, count);
    return change;
}

struct delegation_change delegation_event_of_element(const struct delegation_making *making,
                                                     size_t element,
                                                     const struct sync_bytes *rights,
                                                     size_t right_count)
{
    const struct delegation_rule *rule = &making->call->rules[element];
    bool all = making->call->sort == DELEGATION_CALL_CLEAR;
    enum delegation_op op = all ? DELEGATION_REVOKE_ALL : DELEGATION_REVOKE;
    SYNC_ASSERT(all == (right_count == 0)); /* nothing never means all */
    struct delegation_change change = service_change(rule, op, making->own);
    change.rights = delegation_texts(making->arena, rights, right_count);
    return change;
}

struct delegation_change delegation_event_of_message(const struct delegation_making *making)
{
    const struct delegation_message *message = &making->call->message;
    char ref[16];
    int size = snprintf(ref, sizeof ref, "%" PRId32, message->rule);
    struct sync_bytes name = {(const uint8_t *)ref, (size_t)size};
    struct delegation_change change = {
        .source = DELEGATION_A2,
        .weak = true,
        .kind = DELEGATION_INSTANCE,
        .op = making->call->sort == DELEGATION_CALL_MESSAGE ? DELEGATION_GRANT : DELEGATION_REVOKE,
        .from = message->from,
        .to = message->to,
        .has_target = true,
        .target_kind = DELEGATION_TARGET_RESOURCE,
        .has_target_id = true,
        .target_id = sync_bytes_text(message->resource),
        .has_instance = true,
        .instance = sync_bytes_text(message->instance),
        .has_event_time = true,
        .event_time_us = message->created_us,
        .rights = delegation_texts(making->arena, message->actions, message->action_count),
        .refs = delegation_texts(making->arena, &name, 1),
    };
    set_performer(&change, &message->performer, making->own);
    return change;
}
