/*
 * From a checked change to an event: aliases, parties, services, rights and refs (steps 2 to 5).
 * What lacks a counterpart is held or parked here, so that nothing unknown becomes access. Not
 * here: the ledger, the decision.
 */
#include "parts.h"

#include <inttypes.h>
#include <stdio.h>

#define FUTURE_MAX_US (5LL * 60 * 1000000) /* DL-16 */
#define ROW_REF       "row"

struct reading {
    const struct delegation_state *state;
    const struct delegation_change *change;
    struct delegation_event *event;
    struct sync_fold *fold;
    uint64_t unmapped;
};

/* DL-46: who a party is by now, whatever names it. */
struct sync_uuid delegation_alias_of(const struct delegation_state *state,
                                     const struct sync_uuid *id)
{
    struct sync_uuid found = *id;
    /* A chain of merges has no cycle, and no more links than there are aliases. */
    for (size_t turn = 0; turn < state->alias_count; turn++) {
        bool moved = false;
        for (size_t i = 0; i < state->alias_count && !moved; i++) {
            moved = sync_uuid_compare(&state->aliases[i].old_id, &found) == 0;
            found = moved ? state->aliases[i].new_id : found;
        }
        if (!moved) {
            break;
        }
    }
    return found;
}

static bool hold(struct reading *r, const char *kind, const char *id)
{
    *r->fold = delegation_by(DL_08);
    r->fold->missing_kind = kind;
    (void)snprintf(r->fold->missing_id, sizeof r->fold->missing_id, "%s", id);
    return false;
}

static bool hold_number(struct reading *r, const char *kind, int32_t number)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%" PRId32, number);
    return hold(r, kind, text);
}

static bool stop(struct reading *r, enum delegation_rule rule)
{
    *r->fold = delegation_by(rule);
    return false;
}

/* Parties. */

static const struct delegation_party *party_by(const struct delegation_state *state,
                                               int32_t party_id, int32_t user_id)
{
    for (size_t i = 0; i < state->party_count; i++) {
        const struct delegation_party *party = &state->parties[i];
        if ((party_id != 0 && party->party_id == party_id) ||
            (user_id != 0 && party->user_id == user_id)) {
            return party;
        }
    }
    return NULL;
}

static const struct delegation_party *party_of(const struct delegation_state *state,
                                               const struct sync_uuid *id)
{
    for (size_t i = 0; i < state->party_count; i++) {
        struct sync_uuid own = delegation_alias_of(state, &state->parties[i].uuid);
        if (sync_uuid_compare(&own, id) == 0) {
            return &state->parties[i];
        }
    }
    return NULL;
}

/* DL-04: a number of the name belongs to somebody else, or the party has another number. */
static bool number_contradicts(const struct reading *r, const struct sync_uuid *id,
                               const struct delegation_party *found, int32_t number, bool is_user)
{
    if (number == 0) {
        return false;
    }
    if (found != NULL) {
        struct sync_uuid own = delegation_alias_of(r->state, &found->uuid);
        return sync_uuid_compare(&own, id) != 0;
    }
    const struct delegation_party *party = party_of(r->state, id);
    int32_t known = party == NULL ? 0 : is_user ? party->user_id : party->party_id;
    return known != 0 && known != number;
}

/* One party as a uuid. False: held or parked. An absent one is the zero uuid. */
static bool read_party(struct reading *r, const struct delegation_name *name, const char *field,
                       struct sync_uuid *ret_id)
{
    int32_t party_id = name->has_party_id ? name->party_id : 0;
    int32_t user_id = name->has_user_id ? name->user_id : 0;
    const struct delegation_party *by_party = party_by(r->state, party_id, 0);
    const struct delegation_party *by_user = party_by(r->state, 0, user_id);
    struct sync_uuid id = {{0}};
    if (name->has_uuid && !sync_uuid_is_zero(&name->uuid)) {
        id = delegation_alias_of(r->state, &name->uuid);
    } else if (by_party != NULL || by_user != NULL) {
        id = delegation_alias_of(r->state, by_party != NULL ? &by_party->uuid : &by_user->uuid);
    } else if (party_id != 0) {
        return hold_number(r, "party_id", party_id);
    } else if (user_id != 0) {
        return hold_number(r, "user_id", user_id);
    }
    if (number_contradicts(r, &id, by_party, party_id, false) ||
        number_contradicts(r, &id, by_user, user_id, true)) {
        (void)delegation_park(r->fold, DL_04, SYNC_CODE_ID_CONFLICT, field,
                              "Two ids of one party name different parties.");
        return false;
    }
    *ret_id = id;
    return true;
}

static bool read_parties(struct reading *r)
{
    struct delegation_key_name *name = &r->event->name;
    return read_party(r, &r->change->from, "from", &name->from) &&
           read_party(r, &r->change->to, "to", &name->to) &&
           read_party(r, &r->change->facilitator, "facilitator", &name->facilitator);
}

/* DL-17: who acted is kept where it is known, and nothing waits for it. */
static void read_performer(struct reading *r)
{
    const struct delegation_name *name = &r->change->performer;
    const struct delegation_party *party = party_by(
        r->state, name->has_party_id ? name->party_id : 0, name->has_user_id ? name->user_id : 0);
    r->event->performer = (struct sync_uuid){{0}};
    if (name->has_uuid && !sync_uuid_is_zero(&name->uuid)) {
        r->event->performer = delegation_alias_of(r->state, &name->uuid);
    } else if (party != NULL) {
        r->event->performer = delegation_alias_of(r->state, &party->uuid);
    }
}

/* Target. */

static bool unfit(struct reading *r, const char *field, const char *reason)
{
    (void)delegation_park(r->fold, DL_02, SYNC_CODE_FIELD_RANGE, field, reason);
    return false;
}

static bool read_service(struct reading *r)
{
    const struct delegation_change *change = r->change;
    char code[33];
    if (change->edition < 0 || !delegation_text_take(change->service_code, code, sizeof code)) {
        return unfit(r, "target.service_code", "The service is empty, too long or has no edition.");
    }
    for (size_t i = 0; i < r->state->resource_count; i++) {
        const struct delegation_resource *resource = &r->state->resources[i];
        if (resource->has_service && resource->edition == change->edition &&
            strcmp(resource->service_code, code) == 0) {
            r->event->resource = resource;
            memcpy(r->event->name.target, resource->id, sizeof resource->id);
            return true;
        }
    }
    char id[48];
    (void)snprintf(id, sizeof id, "%s/%" PRId32, code, change->edition);
    return hold(r, "service", id);
}

/* A role comes as its bare code or as its URN; the key has the URN. */
static bool read_role(struct reading *r)
{
    char text[DELEGATION_TARGET_SIZE];
    if (!delegation_text_take(r->change->target_id, text, sizeof text)) {
        return unfit(r, "target.id", "The role is empty or too long.");
    }
    const char *code = delegation_role_of(text);
    code = code == NULL ? text : code;
    if (code[0] == '\0' || strlen(code) >= DELEGATION_ROLE_SIZE || delegation_text_has(code, ":") ||
        delegation_text_has(code, "@")) {
        return unfit(r, "target.id", "The role is no role code.");
    }
    memcpy(r->event->role, code, strlen(code) + 1);
    (void)snprintf(r->event->name.target, sizeof r->event->name.target, "urn:altinn:rolecode:%s",
                   r->event->role);
    return true;
}

static bool read_target(struct reading *r)
{
    struct delegation_key_name *name = &r->event->name;
    if (r->change->target_kind == DELEGATION_TARGET_SERVICE) {
        return read_service(r);
    }
    if (r->change->target_kind == DELEGATION_TARGET_ROLE) {
        return read_role(r);
    }
    if (!delegation_text_take(r->change->target_id, name->target, sizeof name->target)) {
        return unfit(r, "target.id", "The target is empty or longer than 128 bytes.");
    }
    if (r->change->target_kind == DELEGATION_TARGET_RESOURCE) {
        r->event->resource = delegation_resource_find(r->state, name->target);
    }
    if (name->kind == DELEGATION_INSTANCE) {
        name->variant = r->change->app_controlled ? 1 : 0;
        if (!delegation_text_take(r->change->instance, name->instance, sizeof name->instance)) {
            return unfit(r, "instance", "The instance is empty or longer than 200 bytes.");
        }
    }
    return true;
}

/* Policy of intake. */

static bool is_er_role(const struct delegation_tables *tables, const char *role)
{
    char wanted[DELEGATION_ROLE_SIZE + 2];
    (void)snprintf(wanted, sizeof wanted, " %s ", role);
    for (size_t i = 0; i < tables->role_count; i++) {
        if (delegation_text_has(tables->roles[i].er_roles, wanted)) {
            return true;
        }
    }
    return false;
}

static bool is_enterprise_user(const struct delegation_name *name)
{
    char type[32];
    return name->has_type && delegation_text_take(name->type, type, sizeof type) &&
           strcmp(type, "enterpriseidentified") == 0;
}

static bool read_policy(struct reading *r)
{
    const struct delegation_change *change = r->change;
    const struct delegation_resource *resource = r->event->resource;
    if (resource != NULL && resource->type == DELEGATION_RESOURCE_ALTINN2) {
        return stop(r, DL_10);
    }
    if (change->kind == DELEGATION_ROLE && is_enterprise_user(&change->to)) {
        return stop(r, DL_68);
    }
    if (change->kind == DELEGATION_ROLE && is_er_role(r->state->tables, r->event->role)) {
        return stop(r, DL_69);
    }
    if (r->event->stream == DELEGATION_STREAM_MESSAGE && resource != NULL &&
        resource->type != DELEGATION_RESOURCE_UNKNOWN &&
        resource->type != DELEGATION_RESOURCE_CORRESPONDENCE) {
        (void)delegation_park(r->fold, DL_52, SYNC_CODE_REFUSED, "target.id",
                              "The resource is no correspondence service.");
        return false;
    }
    return true;
}

/* DL-27: a row of an export without a time may be older than the freeze. */
static bool read_freeze(struct reading *r)
{
    const struct delegation_change *change = r->change;
    const struct delegation_resource *resource = r->event->resource;
    bool born_grant =
        change->source == DELEGATION_A2 && change->op == DELEGATION_GRANT && !change->has_origin;
    if (!born_grant || resource == NULL || resource->freeze_us == DELEGATION_NEVER ||
        (!change->has_event_time && change->has_snapshot_pos)) {
        return true;
    }
    int64_t time_us = change->has_event_time ? change->event_time_us : change->capture_time_us;
    return time_us <= resource->freeze_us || stop(r, DL_27);
}

/* DL-16, and t. A grant never counts from a time later than its capture. */
static bool read_time(struct reading *r)
{
    const struct delegation_change *change = r->change;
    int64_t event_us = change->has_event_time ? change->event_time_us : DELEGATION_NEVER;
    bool future = event_us != DELEGATION_NEVER && change->capture_time_us < event_us &&
                  event_us - change->capture_time_us > FUTURE_MAX_US;
    if (change->op == DELEGATION_GRANT) {
        if (future) {
            (void)delegation_park(r->fold, DL_16, SYNC_CODE_FUTURE_TIME, "event_time",
                                  "The grant is dated more than 5 minutes after its capture.");
            return false;
        }
        event_us = event_us > change->capture_time_us ? change->capture_time_us : event_us;
    } else if (future) {
        event_us = change->capture_time_us;
    }
    r->event->event_us = event_us;
    r->event->time_us = event_us == DELEGATION_NEVER ? change->capture_time_us : event_us;
    return true;
}

/* Rights and refs. */

static bool is_unstable(const struct reading *r)
{
    return r->event->stream <= DELEGATION_STREAM_CHANGE &&
           r->state->tables->unstable_refs[r->event->stream];
}

/* Altinn 2's names by the table, Altinn 3's as they are. */
static bool map_one(struct reading *r, enum delegation_class class, struct sync_bytes text,
                    size_t index)
{
    struct delegation_event *event = r->event;
    char name[DELEGATION_RIGHT_SIZE];
    if (!delegation_text_take(text, name, sizeof name)) {
        return false;
    }
    size_t at = event->right_count;
    if (event->source == DELEGATION_A2) {
        const struct delegation_right_row *row =
            delegation_map_right(r->state->tables, class, name);
        if (row == NULL) {
            r->unmapped |= delegation_bit((int)index);
            return true;
        }
        memcpy(event->a2_rights[at], name, sizeof name);
        memcpy(event->rights[at], row->action, sizeof row->action);
    } else {
        memcpy(event->rights[at], name, sizeof name);
        event->a2_rights[at][0] = '\0';
    }
    event->right_count++;
    return true;
}

static bool read_rights(struct reading *r)
{
    struct sync_texts left = r->change->rights;
    struct sync_bytes text;
    enum delegation_class class = delegation_class_of(&r->event->name, r->event->resource);
    for (size_t i = 0; sync_texts_next(&left, &text); i++) {
        if (!map_one(r, class, text, i)) {
            return unfit(r, "rights", "A right is empty or too long.");
        }
    }
    if (r->unmapped != 0 && r->event->right_count == 0) {
        (void)delegation_park(r->fold, DL_03, SYNC_CODE_KIND_UNKNOWN, "rights",
                              "No right of the event has a counterpart.");
        return false;
    }
    return true;
}

/* "<code>/<edition>/", or the resource's own id; the A2 right follows. */
static bool made_up_refs(struct reading *r)
{
    struct delegation_event *event = r->event;
    const struct delegation_resource *resource = event->resource;
    if (resource != NULL && resource->has_service) {
        (void)snprintf(event->ref_prefix, sizeof event->ref_prefix, "%s/%" PRId32 "/",
                       resource->service_code, resource->edition);
    } else if (resource != NULL || strncmp(event->name.target, "app_", 4) == 0) {
        (void)snprintf(event->ref_prefix, sizeof event->ref_prefix, "%s/", event->name.target);
    } else {
        /* DL-107: its service would change the refs, and a revoke would miss its grant. */
        return hold(r, "resource", event->name.target);
    }
    event->paired = true;
    event->ref_count = event->right_count;
    for (size_t i = 0; i < event->right_count; i++) {
        event->refs[i] = sync_bytes_text(event->a2_rights[i]);
    }
    return true;
}

static bool read_role_refs(struct reading *r)
{
    struct delegation_event *event = r->event;
    static const char star[] = "*";
    if (event->op == DELEGATION_REVOKE_ALL) {
        return true;
    }
    memcpy(event->rights[0], star, sizeof star);
    event->right_count = 1;
    if (event->source == DELEGATION_A3) {
        event->ref_count = event->op == DELEGATION_GRANT ? 1 : 0;
        event->refs[0] = sync_bytes_text(ROW_REF);
        return true;
    }
    if (event->name.kind != DELEGATION_ROLE) {
        return true;
    }
    event->ref_count = 1;
    event->refs[0] = sync_bytes_text(event->role);
    if (!sync_uuid_is_zero(&event->name.facilitator)) {
        char facilitator[SYNC_UUID_BUFFER];
        sync_uuid_format(&event->name.facilitator, facilitator);
        (void)snprintf(event->ref_prefix, sizeof event->ref_prefix, "%s@%s", event->role,
                       facilitator);
        event->refs[0] = (struct sync_bytes){NULL, 0};
    }
    return true;
}

static bool read_refs(struct reading *r)
{
    struct delegation_event *event = r->event;
    if (!delegation_has_actions(event->name.kind)) {
        return read_role_refs(r);
    }
    if (!read_rights(r)) {
        return false;
    }
    bool ends = event->op != DELEGATION_GRANT;
    if (event->source == DELEGATION_A3) {
        event->ref_count = ends ? 0 : 1;
        event->refs[0] = sync_bytes_text(ROW_REF);
        return true;
    }
    if (ends && is_unstable(r)) {
        event->op = event->right_count == 0 ? DELEGATION_REVOKE_ALL : event->op;
        return true; /* DL-18: the refs of a revoke name nothing */
    }
    if (event->stream == DELEGATION_STREAM_RULE) {
        return event->op == DELEGATION_REVOKE_ALL || made_up_refs(r);
    }
    struct sync_texts left = r->change->refs;
    while (sync_texts_next(&left, &event->refs[event->ref_count])) {
        event->ref_count++;
        if (event->ref_count == DELEGATION_REFS_MAX) {
            break;
        }
    }
    return true;
}

void delegation_event_ref(const struct delegation_event *event, size_t index,
                          char ret_ref[static DELEGATION_REF_SIZE])
{
    SYNC_ASSERT(index < event->ref_count);
    size_t size = strlen(event->ref_prefix);
    memcpy(ret_ref, event->ref_prefix, size + 1);
    if (event->refs[index].size > 0) {
        bool fits =
            delegation_text_take(event->refs[index], ret_ref + size, DELEGATION_REF_SIZE - size);
        SYNC_ASSERT(fits); /* a target and a right fit together; others were checked */
    }
}

/* DL-19: names one report of one of our writes; 0 when the source tells only that we wrote. */
static uint64_t origin_digest(const struct delegation_change *change)
{
    if (!change->has_origin || !change->has_origin_stream) {
        return 0;
    }
    uint64_t digest = 0xcbf29ce484222325ULL;
    uint8_t sort = change->op == DELEGATION_GRANT ? 1 : 0;
    digest = delegation_digest(digest, &sort, 1);
    digest = delegation_digest(digest, &change->origin_source, sizeof change->origin_source);
    digest = delegation_digest(digest, &change->origin_seq, sizeof change->origin_seq);
    digest = delegation_digest(digest, change->origin_stream.data, change->origin_stream.size);
    return digest == 0 ? 1 : digest;
}

static void read_head(struct reading *r)
{
    const struct delegation_change *change = r->change;
    struct delegation_event *event = r->event;
    event->source = (enum delegation_source)change->source;
    event->stream = delegation_stream_of(change->stream);
    event->op = (enum delegation_op)change->op;
    event->weak = change->weak;
    event->snapshot = change->has_snapshot_pos;
    event->human = change->by == DELEGATION_HUMAN;
    event->echo = change->has_origin;
    /* A row counts as of the position before its export was read: what live says later wins
     * (DL-14, DL-95).
     */
    event->order = change->has_snapshot_pos ? change->snapshot_pos : change->seq;
    event->has_native_id = change->has_native_id;
    event->native_id = change->native_id;
    event->origin = origin_digest(change);
    event->name.kind = (enum delegation_kind)change->kind;
}

bool delegation_read(const struct delegation_state *state, const struct delegation_change *change,
                     struct delegation_event *ret_event, uint64_t *ret_unmapped,
                     struct sync_fold *ret_fold)
{
    struct reading r = {.state = state, .change = change, .event = ret_event, .fold = ret_fold};
    memset(ret_event, 0, offsetof(struct delegation_event, rights));
    memset(&ret_event->name, 0, sizeof ret_event->name);
    ret_event->ref_prefix[0] = '\0';
    ret_event->role[0] = '\0';
    ret_event->resource = NULL;
    read_head(&r);
    read_performer(&r);
    bool ready = read_target(&r) && read_policy(&r) && read_freeze(&r) && read_time(&r) &&
                 read_parties(&r) && read_refs(&r);
    *ret_unmapped = r.unmapped;
    return ready;
}
