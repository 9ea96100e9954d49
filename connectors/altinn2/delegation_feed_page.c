/* Reads pages of the role feed. Not here: what a role means (processors/delegation/). */
#include "delegation_feed_page.h"

#include "fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define ROLE_SIZE_MAX 64 /* longer than any code: the rules park what is no code */
#define NEXT_SIZE_MAX 4096
#define TEXT_SLACK    32
#define TEXTS_OF_ITEM 2

/* Numbers of the enumerations of Altinn 2 are places in these lists. */
static const char *const actions[] = {"NotSet", "Delegate", "Revoke",
                                      "DelegationSchemeCascadingDelete"};
enum { ACTION_NOT_SET, ACTION_DELEGATE, ACTION_REVOKE, ACTION_CASCADE };
static const char *const user_types[] = {
    "None", "SSNIdentified", "SelfIdentified", "EnterpriseIdentified", "AgencyUser", "PSAN", "PSA"};

struct reading {
    struct feed_page *page;
    struct sync_arena arena;
    const struct delegation_own *own;
    struct sync_error *err;
};

static void free_json(struct sync_json **json)
{
    sync_json_free(json);
}

static struct sync_bytes keep(struct reading *r, struct sync_bytes text)
{
    struct sync_bytes copy = sync_arena_copy(&r->arena, text);
    SYNC_ASSERT(copy.data); /* the block has room for every text of the body */
    return copy;
}

/* Place in a list, by name in any case or by number; -1 = none. */
static int place_of(const struct sync_json *value, const char *const *names, size_t count)
{
    int64_t number = 0;
    if (fields_read_number(value, &number)) {
        return number >= 0 && number < (int64_t)count ? (int)number : -1;
    }
    struct sync_bytes text = fields_trim(sync_json_text(value));
    for (size_t i = 0; i < count; i++) {
        if (text.size == strlen(names[i]) &&
            strncasecmp((const char *)text.data, names[i], text.size) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* A type that is not known is passed on as it stands: the rules park it. */
/* The beginning of a text, whole characters only. */
static struct sync_bytes cut(struct sync_bytes text, size_t size_max)
{
    if (text.size > size_max) {
        text.size = size_max;
        while (text.size > 0 && (text.data[text.size] & 0xC0) == 0x80) {
            text.size--;
        }
    }
    return text;
}

static void read_type(struct reading *r, const struct fields *fields, struct delegation_name *to)
{
    const struct sync_json *value = fields_get(fields, "toUserType");
    char number[24];
    int64_t read = 0;
    if (!value) {
        return;
    }
    int known = place_of(value, user_types, sizeof user_types / sizeof user_types[0]);
    struct sync_bytes text = fields_trim(sync_json_text(value));
    if (known >= 0) {
        text = sync_bytes_text(user_types[known]);
    } else if (sync_json_type_of(value) == SYNC_JSON_INTEGER && fields_read_number(value, &read)) {
        (void)snprintf(number, sizeof number, "%" PRId64, read);
        text = sync_bytes_text(number);
    }
    text = cut(text, DELEGATION_TYPE_SIZE_MAX);
    to->has_type = true;
    to->type = known >= 0 ? text : keep(r, text.size > 0 ? text : sync_bytes_text("?"));
}

static struct delegation_name read_party(struct fields *fields, const char *party, const char *user,
                                         const char *uuid)
{
    struct delegation_name name = {.present = false};
    name.party_id = party ? fields_int(fields, party) : 0;
    name.user_id = user ? fields_int(fields, user) : 0;
    name.has_party_id = name.party_id != 0;
    name.has_user_id = name.user_id != 0;
    name.has_uuid = fields_uuid(fields, uuid, &name.uuid);
    name.present = name.has_party_id || name.has_user_id || name.has_uuid;
    return name;
}

/* A person acts with a login, by a plain act; a cascade is a clean-up. */
static void set_actor(struct reading *r, int action, struct delegation_change *change)
{
    bool is_own = delegation_is_own(r->own, &change->performer);
    bool plain = action == ACTION_DELEGATE || action == ACTION_REVOKE;
    change->has_origin = is_own;
    change->origin_source = is_own ? DELEGATION_A3 : 0;
    change->by =
        change->performer.present && plain && !is_own ? DELEGATION_HUMAN : DELEGATION_MACHINE;
}

static void read_role(struct reading *r, struct fields *fields, struct delegation_change *change)
{
    struct sync_bytes role = fields_text(fields, "roleTypeCode", ROLE_SIZE_MAX);
    change->has_target = true;
    change->target_kind = DELEGATION_TARGET_ROLE;
    change->has_target_id = role.size > 0;
    if (role.size > 0) {
        change->target_id = keep(r, role);
    }
}

/* LIFT is no op of a role: the rules park it as DL-02. A stand-in that could be decided would be a
 * guess (DL-62). */
static int32_t op_of(int action)
{
    static const enum delegation_op ops[] = {[ACTION_NOT_SET] = DELEGATION_LIFT,
                                             [ACTION_DELEGATE] = DELEGATION_GRANT,
                                             [ACTION_REVOKE] = DELEGATION_REVOKE,
                                             [ACTION_CASCADE] = DELEGATION_REVOKE};
    return (int32_t)(action < 0 ? DELEGATION_LIFT : ops[action]);
}

static void read_change(struct reading *r, struct fields *fields, struct feed_item *item)
{
    static const struct sync_bytes star = {(const uint8_t *)"*", 1};
    struct delegation_change *change = &item->change;
    const struct sync_json *value = fields_get(fields, "delegationAction");
    int action = place_of(value, actions, sizeof actions / sizeof actions[0]);
    change->source = DELEGATION_A2;
    change->kind = DELEGATION_ROLE;
    change->from = read_party(fields, "fromPartyId", NULL, "fromPartyUuid");
    change->to = read_party(fields, "toPartyId", "toUserId", "toUserPartyUuid");
    change->performer = read_party(fields, NULL, "performedByUserId", "performedByUserUuid");
    change->facilitator = read_party(fields, "performedByPartyId", NULL, "performedByPartyUuid");
    change->from.present = true; /* what lacks them is parked by name */
    change->to.present = true;
    read_type(r, fields, &change->to);
    read_role(r, fields, change);
    change->has_event_time =
        fields_time(fields, "delegationChangeDateTime", false, &change->event_time_us);
    change->native_id = fields_long(fields, "roleDelegationId");
    change->has_native_id = fields_get(fields, "roleDelegationId") != NULL;
    set_actor(r, action, change);
    item->unknown = op_of(action) == DELEGATION_LIFT || !sync_is_ok(fields->status);
    change->op = item->unknown ? DELEGATION_LIFT : op_of(action);
    if (change->op == DELEGATION_GRANT) {
        change->rights = delegation_texts(&r->arena, &star, 1);
    }
}

static sync_status read_item(struct reading *r, const struct sync_json *json, size_t index)
{
    char at[FIELDS_POINTER_SIZE];
    struct feed_item *item = &r->page->items[index];
    (void)snprintf(at, sizeof at, "/data/%zu", index);
    struct fields fields = fields_of(json, at, r->err);
    fields_need(&fields, "altinnRoleDelegationEventId");
    item->id = fields_long(&fields, "altinnRoleDelegationEventId");
    if (item->id <= 0 || item->id == INT64_MAX) {
        fields_refuse(&fields, "altinnRoleDelegationEventId", SYNC_CODE_FIELD_RANGE,
                      "an event has a number above 0");
    }
    if (!sync_is_ok(fields.status)) {
        return fields.status;
    }
    read_change(r, &fields, item);
    r->page->unknown_count += item->unknown;
    r->page->has_newest = r->page->has_newest && item->change.has_event_time;
    if (item->change.has_event_time && item->change.event_time_us > r->page->newest_us) {
        r->page->newest_us = item->change.event_time_us;
    }
    return SYNC_OK;
}

/* stats and links. */
static sync_status read_envelope(struct reading *r, const struct sync_json *root)
{
    struct fields envelope = fields_of(root, "", r->err);
    const struct sync_json *stats = fields_get(&envelope, "stats");
    const struct sync_json *links = fields_get(&envelope, "links");
    if (sync_is_ok(envelope.status) && stats) {
        struct fields fields = fields_of(stats, "/stats", r->err);
        r->page->sequence_max = fields_long(&fields, "sequenceMax");
        envelope.status = fields.status;
    }
    if (sync_is_ok(envelope.status) && links) {
        struct fields fields = fields_of(links, "/links", r->err);
        struct sync_bytes next = fields_text(&fields, "next", NEXT_SIZE_MAX);
        r->page->next = sync_is_ok(fields.status) && next.size > 0 ? keep(r, next) : next;
        envelope.status = fields.status;
    }
    return envelope.status;
}

static sync_status count_items(const struct sync_json *root, size_t *ret_count,
                               const struct sync_json **ret_data, struct sync_error *err)
{
    struct fields envelope = fields_of(root, "", err);
    const struct sync_json *data = fields_get(&envelope, "data");
    size_t count = sync_json_count(data);
    if (sync_is_ok(envelope.status) && sync_json_type_of(data) != SYNC_JSON_ARRAY) {
        fields_refuse(&envelope, "data", SYNC_CODE_FIELD_MISSING, "the list of events is missing");
    }
    if (count > FEED_PAGE_ITEMS_MAX) {
        fields_refuse(&envelope, "data", SYNC_CODE_OVERSIZE, "more events than a page can have");
    }
    *ret_count = count;
    *ret_data = data;
    return envelope.status;
}

sync_status feed_page_parse(struct sync_bytes body, const struct delegation_own *own,
                            struct feed_page **ret_page, struct sync_error *err)
{
    __attribute__((cleanup(free_json))) struct sync_json *root = NULL;
    const struct sync_json *data = NULL;
    size_t count = 0;
    sync_status status = sync_json_parse(body, &root, err);
    status = sync_is_ok(status) ? count_items(root, &count, &data, err) : status;
    if (!sync_is_ok(status)) {
        return status;
    }
    size_t of_item = sizeof(struct feed_item) + (TEXTS_OF_ITEM + 2) * TEXT_SLACK;
    size_t size = (count + 1) * of_item + body.size + 256;
    uint8_t *block = calloc(1, sizeof(struct feed_page) + size);
    if (!block) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "read a page: no memory");
    }
    struct reading r = {.page = (struct feed_page *)(void *)block, .own = own, .err = err};
    sync_arena_init(&r.arena, block + sizeof(struct feed_page), size);
    r.page->items = sync_arena_take_array(&r.arena, count + 1, sizeof *r.page->items);
    SYNC_ASSERT(r.page->items);
    r.page->count = count;
    r.page->has_newest = count > 0;
    r.page->newest_us = INT64_MIN;
    status = read_envelope(&r, root);
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        status = read_item(&r, sync_json_at(data, i), i);
    }
    if (!sync_is_ok(status)) {
        free(block);
        return status;
    }
    *ret_page = r.page;
    return SYNC_OK;
}
