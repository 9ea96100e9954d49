/*
 * Reads the calls of Altinn 2 about delegations. A call that is wrong in one place is refused as a
 * whole: Altinn 2 sends it again, and half of it would be taken twice. Not here: meaning.
 */
#include "delegation_call.h"

#include "fields.h"

#include <core/arena.h>
#include <runtime/digest.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define TEXTS_PER_ITEM 4  /* copied of one item */
#define TEXT_SLACK     32 /* of one text: its NUL, and alignment */
#define ATTRIBUTES_MAX 16 /* of one resource or receiver */
#define AT_SIZE        48

/* A call under construction: everything lies in its one block. */
struct building {
    struct delegation_call *call;
    struct sync_arena arena;
    struct sync_bytes body;
    const struct sync_json *root;
    struct sync_error *err;
};

static void free_json(struct sync_json **json)
{
    sync_json_free(json);
}

static sync_status refuse(struct sync_error *err, enum sync_code code, const char *pointer,
                          const char *reason)
{
    return sync_fail_field(err, SYNC_CLASS_PARK, code, pointer, "%s", reason);
}

/* Makes the block: room for items, for text of the body, and for ids. */
static sync_status begin(struct building *b, enum delegation_call_sort sort, size_t items,
                         size_t body_size, size_t ids)
{
    size_t item_size = sizeof(struct delegation_rule) + TEXTS_PER_ITEM * TEXT_SLACK;
    size_t size = body_size + items * item_size + ids * sizeof(struct sync_uuid) + 1024;
    uint8_t *block = calloc(1, sizeof *b->call + size);
    if (!block) {
        return sync_fail(b->err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "read a call: no memory");
    }
    b->call = (struct delegation_call *)(void *)block;
    b->call->sort = sort;
    sync_arena_init(&b->arena, block + sizeof *b->call, size);
    return SYNC_OK;
}

static bool is_dated(const struct delegation_call *call)
{
    bool dated = call->sort == DELEGATION_CALL_MESSAGE || call->sort == DELEGATION_CALL_UNMESSAGE ||
                 call->sort == DELEGATION_CALL_ADD;
    for (size_t i = 0; i < call->rule_count && dated; i++) {
        dated = call->rules[i].has_time;
    }
    return dated;
}

static sync_status finish(struct building *b, sync_status status,
                          const struct receiver_place *place, void **ret_content)
{
    if (!sync_is_ok(status)) {
        free(b->call);
        return status;
    }
    b->call->place = *place;
    b->call->dated = is_dated(b->call);
    sync_digest_sha256(b->body, b->call->digest);
    *ret_content = b->call;
    return SYNC_OK;
}

static struct sync_bytes keep(struct building *b, struct sync_bytes text)
{
    struct sync_bytes copy = sync_arena_copy(&b->arena, text);
    SYNC_ASSERT(copy.data); /* begin() made room for every text of the body */
    return copy;
}

/* Attributes: lists of {id, value}. */

struct attribute {
    struct sync_bytes id;
    const struct sync_json *value;
};

static size_t read_attributes(struct fields *of, const char *name, struct attribute *ret_list)
{
    const struct sync_json *list = fields_get(of, name);
    size_t count = sync_json_count(list);
    fields_need(of, name);
    if (sync_json_type_of(list) != SYNC_JSON_ARRAY || count == 0 || count > ATTRIBUTES_MAX) {
        fields_refuse(of, name, SYNC_CODE_ITEM_COUNT,
                      "a list of 1 to 16 pairs of id and value must stand here");
        return 0;
    }
    for (size_t i = 0; i < count && sync_is_ok(of->status); i++) {
        char at[FIELDS_POINTER_SIZE + 40];
        (void)snprintf(at, sizeof at, "%s/%s/%zu", of->at, name, i);
        struct fields pair = fields_of(sync_json_at(list, i), at, of->err);
        fields_need(&pair, "id");
        fields_need(&pair, "value");
        ret_list[i] = (struct attribute){fields_text(&pair, "id", DELEGATION_INSTANCE_SIZE),
                                         fields_get(&pair, "value")};
        of->status = pair.status;
    }
    return sync_is_ok(of->status) ? count : 0;
}

static bool is_attribute(const struct attribute *attribute, const char *id)
{
    return attribute->id.size == strlen(id) &&
           strncasecmp((const char *)attribute->id.data, id, attribute->id.size) == 0;
}

static bool is_party_uuid(const struct attribute *attribute)
{
    static const char *const ids[] = {"urn:altinn:party:uuid", "urn:altinn:person:uuid",
                                      "urn:altinn:organization:uuid", "urn:altinn:systemuser:uuid",
                                      "urn:altinn:enterpriseuser:uuid"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (is_attribute(attribute, ids[i])) {
            return true;
        }
    }
    return false;
}

/* One number of the receiver; a second, other one contradicts. */
static void take_number(struct fields *of, const struct attribute *attribute, bool *has,
                        int32_t *number)
{
    int64_t read = 0;
    bool good = fields_read_number(attribute->value, &read) && read >= 0 && read <= INT32_MAX;
    if (!good || (*has && *number != read)) {
        fields_refuse(of, "coveredBy", SYNC_CODE_FIELD_RANGE,
                      "a number from 0 to 2147483647 must stand here, once");
        return;
    }
    *has = read != 0;
    *number = (int32_t)read;
}

static struct delegation_name read_receiver(struct fields *of)
{
    struct attribute list[ATTRIBUTES_MAX];
    struct delegation_name to = {.present = true};
    size_t count = read_attributes(of, "coveredBy", list);
    for (size_t i = 0; i < count; i++) {
        if (is_attribute(&list[i], "urn:altinn:userid")) {
            take_number(of, &list[i], &to.has_user_id, &to.user_id);
        } else if (is_attribute(&list[i], "urn:altinn:partyid")) {
            take_number(of, &list[i], &to.has_party_id, &to.party_id);
        } else if (is_party_uuid(&list[i])) {
            if (!fields_read_uuid(sync_json_text(list[i].value), &to.uuid)) {
                fields_refuse(of, "coveredBy", SYNC_CODE_UUID,
                              "this is not a UUID of 36 characters");
            }
            to.has_uuid = !sync_uuid_is_zero(&to.uuid);
        }
    }
    if (!to.has_user_id && !to.has_party_id && !to.has_uuid) {
        fields_refuse(of, "coveredBy", SYNC_CODE_FIELD_MISSING,
                      "no user, party or UUID is named here");
    }
    return to;
}

/* "app_<org>_<app>", or the id of the registry. */
static void read_resource(struct fields *of, struct delegation_rule *rule)
{
    struct attribute list[ATTRIBUTES_MAX];
    char *ret_id = rule->resource;
    char org[DELEGATION_TARGET_SIZE] = "", app[DELEGATION_TARGET_SIZE] = "";
    char id[DELEGATION_TARGET_SIZE] = "";
    size_t count = read_attributes(of, "resource", list);
    bool fits = true;
    for (size_t i = 0; i < count; i++) {
        struct sync_bytes value = sync_json_text(list[i].value);
        if (is_attribute(&list[i], "urn:altinn:org")) {
            fits = fits && fields_canonical(value, org, sizeof org);
        } else if (is_attribute(&list[i], "urn:altinn:app")) {
            fits = fits && fields_canonical(value, app, sizeof app);
        } else if (is_attribute(&list[i], "urn:altinn:resource") ||
                   is_attribute(&list[i], "urn:altinn:resourceregistry")) {
            fits = fits && fields_canonical(value, id, sizeof id);
        }
    }
    int size = id[0] ? snprintf(ret_id, DELEGATION_TARGET_SIZE, "%s", id)
                     : snprintf(ret_id, DELEGATION_TARGET_SIZE, "app_%s_%s", org, app);
    bool named = id[0] || (org[0] && app[0]);
    rule->org_size = id[0] ? 0 : strlen(org);
    if (!fits || !named || size < 0 || size >= DELEGATION_TARGET_SIZE) {
        fields_refuse(of, "resource", SYNC_CODE_FIELD_MISSING,
                      "a resource of at most 128 bytes, or org and app, must be named here");
    }
}

/* Parties. */

static void take_id(int32_t number, bool *ret_has, int32_t *ret_number)
{
    *ret_has = number != 0;
    *ret_number = number;
}

static struct delegation_name read_giver(struct building *b, struct fields *of)
{
    struct delegation_name from = {.present = true};
    take_id(fields_int(of, "offeredByPartyId"), &from.has_party_id, &from.party_id);
    from.has_uuid = fields_uuid(of, "offeredByPartyUuid", &from.uuid);
    const struct sync_json *type = fields_get(of, "offeredByPartyType");
    if (sync_json_type_of(type) == SYNC_JSON_TEXT) { /* a number says nothing to us */
        struct sync_bytes text = fields_text(of, "offeredByPartyType", DELEGATION_TYPE_SIZE_MAX);
        from.has_type = text.size > 0;
        from.type = from.has_type && sync_is_ok(of->status) ? keep(b, text) : text;
    }
    if (!from.has_party_id && !from.has_uuid) {
        fields_refuse(of, "offeredByPartyId", SYNC_CODE_FIELD_MISSING,
                      "the giving party is missing");
    }
    return from;
}

bool delegation_name_equal(const struct delegation_name *a, const struct delegation_name *b)
{
    return a->has_uuid == b->has_uuid && a->has_party_id == b->has_party_id &&
           a->has_user_id == b->has_user_id &&
           (!a->has_uuid || sync_uuid_compare(&a->uuid, &b->uuid) == 0) &&
           (!a->has_party_id || a->party_id == b->party_id) &&
           (!a->has_user_id || a->user_id == b->user_id);
}

/* Calls of the service level. */

static sync_status read_add_rule(struct building *b, const struct sync_json *item, const char *at,
                                 struct delegation_rule *rule)
{
    struct fields fields = fields_of(item, at, b->err);
    struct delegation_name *performer = &rule->performer;
    take_id(fields_int(&fields, "delegatedByUserId"), &performer->has_user_id, &performer->user_id);
    take_id(fields_int(&fields, "delegatedByPartyId"), &performer->has_party_id,
            &performer->party_id);
    performer->present = performer->has_user_id || performer->has_party_id;
    rule->has_time = fields_time(&fields, "delegatedDateTime", false, &rule->time_us);
    rule->from = read_giver(b, &fields);
    rule->to = read_receiver(&fields);
    read_resource(&fields, rule);
    if (!sync_is_ok(fields.status)) {
        return fields.status;
    }
    char below[FIELDS_POINTER_SIZE + 40];
    (void)snprintf(below, sizeof below, "%s/action", at);
    struct fields action = fields_of(fields_get(&fields, "action"), below, b->err);
    fields_need(&action, "value");
    struct sync_bytes name = fields_text(&action, "value", DELEGATION_RIGHT_SIZE - 1);
    if (name.size == 0) {
        fields_refuse(&action, "value", SYNC_CODE_FIELD_MISSING, "the action is missing");
    }
    if (sync_is_ok(action.status)) {
        rule->action = keep(b, name);
    }
    return action.status;
}

static void read_rule_ids(struct building *b, struct fields *of, struct delegation_rule *rule)
{
    const struct sync_json *list = fields_get(of, "ruleIds");
    size_t count = sync_json_count(list);
    if (sync_json_type_of(list) != SYNC_JSON_ARRAY || count == 0 ||
        count > DELEGATION_CALL_IDS_MAX) {
        fields_refuse(of, "ruleIds", SYNC_CODE_ITEM_COUNT, "1 to 256 ids of rules must stand here");
        return;
    }
    rule->rule_ids = sync_arena_take_array(&b->arena, count, sizeof *rule->rule_ids);
    SYNC_ASSERT(rule->rule_ids); /* begin() made room for every id */
    for (size_t i = 0; i < count; i++) {
        if (!fields_read_uuid(sync_json_text(sync_json_at(list, i)), &rule->rule_ids[i])) {
            fields_refuse(of, "ruleIds", SYNC_CODE_UUID, "this is not a UUID of 36 characters");
            return;
        }
    }
    rule->rule_id_count = count;
}

static sync_status read_delete_rule(struct building *b, const struct sync_json *item,
                                    const char *at, struct delegation_rule *rule)
{
    struct fields fields = fields_of(item, at, b->err);
    char below[FIELDS_POINTER_SIZE + 40];
    rule->performer.present = true;
    take_id(fields_int(&fields, "deletedByUserId"), &rule->performer.has_user_id,
            &rule->performer.user_id);
    if (!rule->performer.has_user_id) {
        fields_refuse(&fields, "deletedByUserId", SYNC_CODE_FIELD_MISSING,
                      "the user who deletes is missing");
    }
    if (b->call->sort == DELEGATION_CALL_DELETE) {
        read_rule_ids(b, &fields, rule);
    }
    if (!sync_is_ok(fields.status)) {
        return fields.status;
    }
    (void)snprintf(below, sizeof below, "%s/policyMatch", at);
    struct fields match = fields_of(fields_get(&fields, "policyMatch"), below, b->err);
    rule->from = read_giver(b, &match);
    rule->to = read_receiver(&match);
    read_resource(&match, rule);
    return match.status;
}

/* Two elements for one policy would race each other. */
static sync_status check_policies(const struct delegation_call *call, struct sync_error *err)
{
    char at[AT_SIZE];
    for (size_t i = 1; i < call->rule_count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct delegation_rule *a = &call->rules[i], *b = &call->rules[k];
            if (delegation_name_equal(&a->from, &b->from) &&
                delegation_name_equal(&a->to, &b->to) && strcmp(a->resource, b->resource) == 0) {
                (void)snprintf(at, sizeof at, "/%zu/policyMatch", i);
                return refuse(err, SYNC_CODE_ID_CONFLICT, at,
                              "an earlier element names the same policy");
            }
        }
    }
    return SYNC_OK;
}

static sync_status read_rules(struct building *b)
{
    sync_status status = SYNC_OK;
    size_t count = sync_json_count(b->root);
    b->call->rules = sync_arena_take_array(&b->arena, count, sizeof *b->call->rules);
    SYNC_ASSERT(b->call->rules);
    b->call->rule_count = count;
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        char at[AT_SIZE];
        (void)snprintf(at, sizeof at, "/%zu", i);
        const struct sync_json *item = sync_json_at(b->root, i);
        status = b->call->sort == DELEGATION_CALL_ADD
                     ? read_add_rule(b, item, at, &b->call->rules[i])
                     : read_delete_rule(b, item, at, &b->call->rules[i]);
    }
    if (sync_is_ok(status) && b->call->sort != DELEGATION_CALL_ADD) {
        status = check_policies(b->call, b->err);
    }
    return status;
}

/* How many ids of rules the elements hold, for the size of the block. */
static size_t count_ids(const struct sync_json *root)
{
    size_t count = 0;
    for (size_t i = 0; i < sync_json_count(root); i++) {
        struct sync_error ignored;
        struct fields element = fields_of(sync_json_at(root, i), "", &ignored);
        count += sync_json_count(fields_get(&element, "ruleIds"));
    }
    return count;
}

static sync_status parse_rules(struct sync_bytes body, enum delegation_call_sort sort,
                               const struct receiver_place *place, void **ret_content,
                               struct sync_error *err)
{
    __attribute__((cleanup(free_json))) struct sync_json *root = NULL;
    struct building b = {.body = body, .err = err};
    sync_status status = sync_json_parse(body, &root, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    size_t count = sync_json_count(root);
    if (sync_json_type_of(root) != SYNC_JSON_ARRAY || count == 0) {
        return refuse(err, SYNC_CODE_ITEM_COUNT, "", "the body must be a list that is not empty");
    }
    if (count > DELEGATION_CALL_ITEMS_MAX) {
        return refuse(err, SYNC_CODE_OVERSIZE, "", "more than 512 elements in one call");
    }
    if (place->is_export && sort != DELEGATION_CALL_ADD) {
        return refuse(err, SYNC_CODE_REFUSED, "", "an export has grants only");
    }
    b.root = root;
    status = begin(&b, sort, count, body.size, count_ids(root));
    if (sync_is_ok(status)) {
        status = finish(&b, read_rules(&b), place, ret_content);
    }
    return status;
}

sync_status delegation_call_parse_add(struct sync_bytes body, const struct receiver_place *place,
                                      void **ret_content, struct sync_error *err)
{
    return parse_rules(body, DELEGATION_CALL_ADD, place, ret_content, err);
}

sync_status delegation_call_parse_delete(struct sync_bytes body, const struct receiver_place *place,
                                         void **ret_content, struct sync_error *err)
{
    return parse_rules(body, DELEGATION_CALL_DELETE, place, ret_content, err);
}

sync_status delegation_call_parse_clear(struct sync_bytes body, const struct receiver_place *place,
                                        void **ret_content, struct sync_error *err)
{
    return parse_rules(body, DELEGATION_CALL_CLEAR, place, ret_content, err);
}

/* Calls of the message level. */

/* A grant under another spelling would be stored and give nothing, so the URN is made canonical. */
static void read_instance(struct fields *fields, char ret_urn[static DELEGATION_INSTANCE_SIZE])
{
    static const char urn[] = "urn:altinn:correspondence-id:";
    char text[DELEGATION_INSTANCE_SIZE];
    struct sync_uuid id;
    struct sync_bytes given = fields_text(fields, "instanceid", sizeof text - 1);
    bool good = fields_canonical(given, text, sizeof text);
    bool has_urn = good && strncmp(text, urn, sizeof urn - 1) == 0;
    const char *bare = has_urn ? text + sizeof urn - 1 : text;
    if (good && fields_read_uuid(sync_bytes_text(bare), &id)) {
        char canonical[SYNC_UUID_BUFFER];
        sync_uuid_format(&id, canonical);
        (void)snprintf(ret_urn, DELEGATION_INSTANCE_SIZE, "%s%s", urn, canonical);
    } else if (good && !has_urn && strncmp(text, "urn:altinn:", 11) == 0) {
        (void)snprintf(ret_urn, DELEGATION_INSTANCE_SIZE, "%s", text);
    } else {
        fields_refuse(fields, "instanceid", SYNC_CODE_FIELD_MISSING,
                      "a UUID or an URN of Altinn must stand here");
    }
}

static struct delegation_name read_uuid_name(struct fields *fields, const char *name, bool needed)
{
    struct delegation_name party = {.present = true};
    party.has_uuid = fields_uuid(fields, name, &party.uuid);
    party.present = party.has_uuid;
    if (needed && !party.has_uuid) {
        fields_refuse(fields, name, SYNC_CODE_FIELD_MISSING, "the UUID of a party is missing");
    }
    return party;
}

static void read_actions(struct building *b, struct fields *fields)
{
    struct delegation_message *message = &b->call->message;
    const struct sync_json *list = fields_get(fields, "actions");
    size_t count = sync_json_count(list);
    if (sync_json_type_of(list) != SYNC_JSON_ARRAY || count == 0 ||
        count > DELEGATION_CALL_IDS_MAX) {
        fields_refuse(fields, "actions", SYNC_CODE_ITEM_COUNT, "1 to 256 actions must stand here");
        return;
    }
    message->actions = sync_arena_take_array(&b->arena, count, sizeof *message->actions);
    SYNC_ASSERT(message->actions);
    for (size_t i = 0; i < count; i++) {
        struct sync_bytes action = fields_trim(sync_json_text(sync_json_at(list, i)));
        if (action.size == 0 || action.size >= DELEGATION_RIGHT_SIZE) {
            fields_refuse(fields, "actions", SYNC_CODE_LENGTH,
                          "an action is a text of 1 to 64 bytes");
            return;
        }
        message->actions[i] = keep(b, action);
    }
    message->action_count = count;
}

static sync_status read_message(struct building *b)
{
    struct delegation_message *message = &b->call->message;
    struct fields fields = fields_of(b->root, "", b->err);
    message->rule = fields_int(&fields, "authorizationruleid");
    if (message->rule == 0) {
        fields_refuse(&fields, "authorizationruleid", SYNC_CODE_FIELD_MISSING,
                      "the id of the rule is missing");
    }
    fields_need(&fields, "created");
    (void)fields_time(&fields, "created", true, &message->created_us);
    message->from = read_uuid_name(&fields, "fromuuid", true);
    message->to = read_uuid_name(&fields, "touuid", true);
    message->performer = read_uuid_name(&fields, "performedby", false);
    struct sync_bytes resource = fields_text(&fields, "resourceid", DELEGATION_TARGET_SIZE - 1);
    if (!fields_canonical(resource, message->resource, sizeof message->resource)) {
        fields_refuse(&fields, "resourceid", SYNC_CODE_FIELD_MISSING, "the resource is missing");
    }
    read_instance(&fields, message->instance);
    if (b->call->sort == DELEGATION_CALL_MESSAGE) {
        read_actions(b, &fields);
    }
    return fields.status;
}

/* Calls whose body is one object. */
static sync_status parse_object(struct sync_bytes body, enum delegation_call_sort sort,
                                sync_status (*read)(struct building *b),
                                const struct receiver_place *place, void **ret_content,
                                struct sync_error *err)
{
    __attribute__((cleanup(free_json))) struct sync_json *root = NULL;
    struct building b = {.body = body, .err = err};
    sync_status status = sync_json_parse(body, &root, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    b.root = root;
    struct fields fields = fields_of(root, "", err);
    size_t actions = sync_json_count(fields_get(&fields, "actions"));
    actions = actions > DELEGATION_CALL_IDS_MAX ? 0 : actions; /* too many are not copied */
    status = begin(&b, sort, actions + 1, body.size, 0);
    if (sync_is_ok(status)) {
        status = finish(&b, read(&b), place, ret_content);
    }
    return status;
}

sync_status delegation_call_parse_message(struct sync_bytes body,
                                          const struct receiver_place *place, void **ret_content,
                                          struct sync_error *err)
{
    return parse_object(body, DELEGATION_CALL_MESSAGE, read_message, place, ret_content, err);
}

sync_status delegation_call_parse_unmessage(struct sync_bytes body,
                                            const struct receiver_place *place, void **ret_content,
                                            struct sync_error *err)
{
    return parse_object(body, DELEGATION_CALL_UNMESSAGE, read_message, place, ret_content, err);
}

/* Begin and end of an export. */

static sync_status read_begin(struct building *b)
{
    return fields_of(b->root, "", b->err).status;
}

static sync_status read_end(struct building *b)
{
    struct fields fields = fields_of(b->root, "", b->err);
    struct sync_bytes resource = fields_text(&fields, "resource", DELEGATION_TARGET_SIZE - 1);
    if (!fields_canonical(resource, b->call->resource, sizeof b->call->resource)) {
        fields_refuse(&fields, "resource", SYNC_CODE_FIELD_MISSING, "the resource is missing");
    }
    fields_need(&fields, "count");
    b->call->export_rows = fields_long(&fields, "count");
    if (b->call->export_rows < 0) {
        fields_refuse(&fields, "count", SYNC_CODE_FIELD_RANGE, "a count is not below 0");
    }
    return fields.status;
}

sync_status delegation_call_parse_begin(struct sync_bytes body, const struct receiver_place *place,
                                        void **ret_content, struct sync_error *err)
{
    return parse_object(body, DELEGATION_CALL_EXPORT_BEGIN, read_begin, place, ret_content, err);
}

sync_status delegation_call_parse_end(struct sync_bytes body, const struct receiver_place *place,
                                      void **ret_content, struct sync_error *err)
{
    return parse_object(body, DELEGATION_CALL_EXPORT_END, read_end, place, ret_content, err);
}
