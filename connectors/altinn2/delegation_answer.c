/* Answers as JSON, in the form of the rules that came in. */
#include "delegation_answer.h"

#include <inttypes.h>
#include <runtime/json.h>
#include <stdio.h>

static void put_pair(struct sync_json_writer *w, const char *id, const char *value)
{
    sync_json_open(w, NULL, '{');
    sync_json_put_text(w, "id", id);
    sync_json_put_text(w, "value", value);
    sync_json_close(w, '}');
}

static void put_number_pair(struct sync_json_writer *w, const char *id, int32_t number)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%" PRId32, number);
    put_pair(w, id, text);
}

static void put_receiver(struct sync_json_writer *w, const struct delegation_name *to)
{
    char uuid[SYNC_UUID_BUFFER];
    sync_json_open(w, "coveredBy", '[');
    if (to->has_user_id) {
        put_number_pair(w, "urn:altinn:userid", to->user_id);
    }
    if (to->has_party_id) {
        put_number_pair(w, "urn:altinn:partyid", to->party_id);
    }
    if (to->has_uuid) {
        sync_uuid_format(&to->uuid, uuid);
        put_pair(w, "urn:altinn:party:uuid", uuid);
    }
    sync_json_close(w, ']');
}

static void put_resource(struct sync_json_writer *w, const struct delegation_rule *rule)
{
    char org[DELEGATION_TARGET_SIZE];
    sync_json_open(w, "resource", '[');
    if (rule->org_size > 0) { /* app_<org>_<app> */
        (void)snprintf(org, sizeof org, "%.*s", (int)rule->org_size, rule->resource + 4);
        put_pair(w, "urn:altinn:org", org);
        put_pair(w, "urn:altinn:app", rule->resource + 5 + rule->org_size);
    } else {
        put_pair(w, "urn:altinn:resource", rule->resource);
    }
    sync_json_close(w, ']');
}

static void put_giver(struct sync_json_writer *w, const struct delegation_rule *rule)
{
    char uuid[SYNC_UUID_BUFFER];
    if (rule->performer.has_user_id) {
        sync_json_put_integer(w, "delegatedByUserId", rule->performer.user_id);
    }
    if (rule->performer.has_party_id) {
        sync_json_put_integer(w, "delegatedByPartyId", rule->performer.party_id);
    }
    sync_json_put_integer(w, "offeredByPartyId", rule->from.party_id);
    if (rule->from.has_uuid) {
        sync_uuid_format(&rule->from.uuid, uuid);
        sync_json_put_text(w, "offeredByPartyUuid", uuid);
    }
}

static void put_rule(struct sync_json_writer *w, const struct delegation_answer_rule *item,
                     bool created)
{
    char id[SYNC_UUID_BUFFER], action[DELEGATION_RIGHT_SIZE];
    sync_uuid_format(&item->id, id);
    (void)snprintf(action, sizeof action, "%.*s", (int)item->action.size,
                   (const char *)item->action.data);
    sync_json_open(w, NULL, '{');
    sync_json_put_text(w, "ruleId", id);
    if (created) {
        sync_json_put_bool(w, "createdSuccessfully", true);
    }
    put_giver(w, item->rule);
    put_receiver(w, &item->rule->to);
    put_resource(w, item->rule);
    sync_json_open(w, "action", '{');
    sync_json_put_text(w, "id", "urn:oasis:names:tc:xacml:1.0:action:action-id");
    sync_json_put_text(w, "value", action);
    sync_json_close(w, '}');
    sync_json_close(w, '}');
}

char *delegation_answer_rules(const struct delegation_answer_rule *rules, size_t count,
                              bool created)
{
    struct sync_json_writer w;
    sync_json_writer_init(&w);
    sync_json_open(&w, NULL, '[');
    for (size_t i = 0; i < count; i++) {
        put_rule(&w, &rules[i], created);
    }
    sync_json_close(&w, ']');
    return sync_json_writer_take(&w);
}

char *delegation_answer_number(const char *name, int64_t number)
{
    struct sync_json_writer w;
    sync_json_writer_init(&w);
    sync_json_open(&w, NULL, '{');
    sync_json_put_integer(&w, name, number);
    sync_json_close(&w, '}');
    return sync_json_writer_take(&w);
}
