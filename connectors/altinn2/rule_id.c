/* Ids of rules, and back. Not here: what a rule says. */
#include "rule_id.h"

#include "fields.h"

#include <inttypes.h>
#include <runtime/id.h>
#include <stdio.h>

#define NAMES_MAX 3 /* ways to name a party: user, party id, uuid */
#define NAME_SIZE 40
#define TEXT_SIZE (DELEGATION_TARGET_SIZE + DELEGATION_RIGHT_SIZE + 2 * NAME_SIZE + 16)

/* 002b8d8e-6dce-5ff3-aef6-c1ccad164ddf */
static const struct sync_uuid rule_namespace = {{0x00, 0x2b, 0x8d, 0x8e, 0x6d, 0xce, 0x5f, 0xf3,
                                                 0xae, 0xf6, 0xc1, 0xcc, 0xad, 0x16, 0x4d, 0xdf}};

/* Every way to name a party, the one that counts first. */
static size_t names_of(const struct delegation_name *party, char ret_names[NAMES_MAX][NAME_SIZE])
{
    size_t count = 0;
    if (party->has_user_id) {
        (void)snprintf(ret_names[count++], NAME_SIZE, "u:%" PRId32, party->user_id);
    }
    if (party->has_party_id) {
        (void)snprintf(ret_names[count++], NAME_SIZE, "p:%" PRId32, party->party_id);
    }
    if (party->has_uuid) {
        sync_uuid_format(&party->uuid, ret_names[count++]);
    }
    return count;
}

static struct sync_uuid id_of(const char *from, const char *to, const char *resource,
                              const char *action)
{
    char text[TEXT_SIZE];
    int size = snprintf(text, sizeof text, "rule/%s|%s|%s|%s", from, to, resource, action);
    SYNC_ASSERT(size > 0 && (size_t)size < sizeof text);
    return sync_id_v5(&rule_namespace, (struct sync_bytes){(const uint8_t *)text, (size_t)size});
}

struct sync_uuid rule_id_make(const struct delegation_name *from, const struct delegation_name *to,
                              const char *resource, struct sync_bytes action)
{
    char froms[NAMES_MAX][NAME_SIZE] = {""}, tos[NAMES_MAX][NAME_SIZE] = {""};
    char name[DELEGATION_RIGHT_SIZE] = "";
    (void)names_of(from, froms);
    (void)names_of(to, tos);
    (void)fields_canonical(action, name, sizeof name);
    return id_of(froms[0], tos[0], resource, name);
}

static void match(const struct sync_uuid *made, int action, const struct sync_uuid *ids,
                  size_t count, int *actions)
{
    for (size_t i = 0; i < count; i++) {
        if (actions[i] < 0 && sync_uuid_compare(&ids[i], made) == 0) {
            actions[i] = action;
        }
    }
}

static size_t missing(const int *actions, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        left += actions[i] < 0;
    }
    return left;
}

size_t rule_id_find(const struct rule_id_search *search, const struct sync_uuid *ids, size_t count,
                    int *ret_actions)
{
    char froms[NAMES_MAX][NAME_SIZE], tos[NAMES_MAX][NAME_SIZE];
    size_t from_count = names_of(search->from, froms);
    size_t to_count = names_of(search->to, tos);
    for (size_t f = 0; f < from_count; f++) {
        for (size_t t = 0; t < to_count && missing(ret_actions, count) > 0; t++) {
            for (size_t a = 0; a < search->action_count; a++) {
                struct sync_uuid made =
                    id_of(froms[f], tos[t], search->resource, search->actions[a]);
                match(&made, (int)a, ids, count, ret_actions);
            }
        }
    }
    return missing(ret_actions, count);
}
