/*
 * What can be said of a change without asking the store: DL-02, DL-15, DL-105. Contradictions are
 * parked, never resolved. Not here: ids, mapping, time (read.c).
 */
#include "parts.h"

#define STREAMS DELEGATION_STREAM_UNKNOWN

struct stream_rule {
    const char *name;
    enum delegation_source source;
    bool weak;
    uint8_t kinds; /* bits by enum delegation_kind */
};

#define KIND(kind) (1U << (kind))
static const struct stream_rule streams[STREAMS] = {
    [DELEGATION_STREAM_RULE] = {"a2.rule", DELEGATION_A2, true, KIND(DELEGATION_SINGLE)},
    [DELEGATION_STREAM_MESSAGE] = {"a2.message", DELEGATION_A2, true, KIND(DELEGATION_INSTANCE)},
    [DELEGATION_STREAM_ROLE] = {"a2.role", DELEGATION_A2, false, KIND(DELEGATION_ROLE)},
    [DELEGATION_STREAM_CHANGE] = {"a3.change", DELEGATION_A3, false,
                                  KIND(DELEGATION_SINGLE) | KIND(DELEGATION_INSTANCE) |
                                      KIND(DELEGATION_PACKAGE) | KIND(DELEGATION_ROLE) |
                                      KIND(DELEGATION_CLIENT)},
    [DELEGATION_STREAM_REGISTER] = {"sys.register", DELEGATION_SYS, false, KIND(DELEGATION_SCOPE)},
    [DELEGATION_STREAM_STORE] = {"sys.message", DELEGATION_SYS, false, KIND(DELEGATION_SCOPE)},
};

/* "<name>.<generation>": at least one digit, and nothing else behind the last dot. */
enum delegation_stream delegation_stream_of(struct sync_bytes stream)
{
    for (int i = 0; i < STREAMS; i++) {
        size_t size = strlen(streams[i].name);
        if (stream.size < size + 2 || stream.size >= DELEGATION_STREAM_SIZE ||
            memcmp(stream.data, streams[i].name, size) != 0 || stream.data[size] != '.') {
            continue;
        }
        size_t at = size + 1;
        while (at < stream.size && stream.data[at] >= '0' && stream.data[at] <= '9') {
            at++;
        }
        if (at == stream.size) {
            return (enum delegation_stream)i;
        }
    }
    return DELEGATION_STREAM_UNKNOWN;
}

static bool bad(struct sync_fold *ret_fold, const char *field, const char *reason)
{
    return delegation_park(ret_fold, DL_02, SYNC_CODE_FIELD_RANGE, field, reason);
}

static bool missing(struct sync_fold *ret_fold, const char *field, const char *reason)
{
    return delegation_park(ret_fold, DL_02, SYNC_CODE_FIELD_MISSING, field, reason);
}

static bool check_stream(const struct delegation_change *change, const struct sync_context *ctx,
                         struct sync_fold *ret_fold)
{
    static const enum sync_system systems[] = {SYNC_SYSTEM_ALTINN2, SYNC_SYSTEM_ALTINN3,
                                               SYNC_SYSTEM_SYS};
    enum delegation_stream stream = delegation_stream_of(change->stream);
    if (stream == DELEGATION_STREAM_UNKNOWN) {
        return bad(ret_fold, "stream", "The stream is not known.");
    }
    if (change->source != (int32_t)streams[stream].source) {
        return bad(ret_fold, "source", "The source is not the one of the stream.");
    }
    if (ctx->topic_system != systems[streams[stream].source]) {
        return bad(ret_fold, "source", "The source is not the one that the topic stands for.");
    }
    if (change->weak != streams[stream].weak) {
        return bad(ret_fold, "weak", "The strength is not the one of the stream.");
    }
    bool control = change->kind == DELEGATION_CONTROL;
    if (change->kind < 0 || change->kind > DELEGATION_CONTROL ||
        (!control && (streams[stream].kinds & KIND(change->kind)) == 0)) {
        return bad(ret_fold, "kind", "The stream has no such kind.");
    }
    return false;
}

static bool op_fits(const struct delegation_change *change)
{
    switch ((enum delegation_op)change->op) {
    case DELEGATION_GRANT:
    case DELEGATION_REVOKE:
        return change->kind < DELEGATION_SCOPE;
    case DELEGATION_REVOKE_ALL:
        return change->kind <= DELEGATION_SCOPE;
    case DELEGATION_LIFT:
    case DELEGATION_MERGE:
        return change->kind == DELEGATION_SCOPE;
    case DELEGATION_TICK:
    case DELEGATION_END:
        return change->kind == DELEGATION_CONTROL;
    case DELEGATION_OP_NONE:
        break;
    }
    return false;
}

static bool is_time(int64_t time_us)
{
    return time_us > INT64_MIN && time_us < INT64_MAX - 60 * 1000000LL;
}

static bool check_numbers(const struct delegation_change *change, struct sync_fold *ret_fold)
{
    if (!op_fits(change)) {
        return bad(ret_fold, "op", "The op is not one of the kind.");
    }
    if (change->seq < 0 || change->seq == INT64_MAX) {
        return bad(ret_fold, "seq", "The sequence is below 0, or the largest number.");
    }
    if (change->has_snapshot_id != change->has_snapshot_pos && change->op != DELEGATION_END) {
        return bad(ret_fold, "snapshot_pos", "A snapshot has an id and a position, or neither.");
    }
    if (change->has_snapshot_pos &&
        (change->snapshot_pos < 0 || change->snapshot_pos == INT64_MAX)) {
        return bad(ret_fold, "snapshot_pos", "The position is below 0, or the largest number.");
    }
    if (change->has_snapshot_pos && change->op != DELEGATION_GRANT &&
        change->op != DELEGATION_END) {
        return bad(ret_fold, "op", "A row of a snapshot is a grant.");
    }
    if (change->has_origin_stream != change->has_origin_seq ||
        (change->has_origin_stream && !change->has_origin)) {
        return bad(ret_fold, "origin_stream", "The origin is incomplete.");
    }
    if (!is_time(change->capture_time_us) ||
        (change->has_event_time && !is_time(change->event_time_us))) {
        return bad(ret_fold, "event_time", "A time is not a time.");
    }
    if (change->by != DELEGATION_HUMAN && change->by != DELEGATION_MACHINE) {
        return bad(ret_fold, "by", "The actor is neither a person nor a machine.");
    }
    return false;
}

/* Zero counts as absent (DL-05). */
static bool has_id(const struct delegation_name *name)
{
    return name->present && ((name->has_uuid && !sync_uuid_is_zero(&name->uuid)) ||
                             (name->has_party_id && name->party_id != 0) ||
                             (name->has_user_id && name->user_id != 0));
}

static bool is_same(const struct delegation_name *a, const struct delegation_name *b)
{
    bool uuid = a->has_uuid && b->has_uuid && !sync_uuid_is_zero(&a->uuid) &&
                sync_uuid_compare(&a->uuid, &b->uuid) == 0;
    bool party =
        a->has_party_id && b->has_party_id && a->party_id != 0 && a->party_id == b->party_id;
    return uuid || party;
}

static bool is_negative(const struct delegation_name *name)
{
    return (name->has_party_id && name->party_id < 0) || (name->has_user_id && name->user_id < 0);
}

/* What kind of login Altinn 2 gives a role to; a kind that is not known may be no person's. */
static bool check_user_type(const struct delegation_change *change, struct sync_fold *ret_fold)
{
    static const char *const known[] = {"none", "ssnidentified",        "selfidentified", "psan",
                                        "psa",  "enterpriseidentified", "agencyuser"};
    char type[32];
    if (delegation_stream_of(change->stream) != DELEGATION_STREAM_ROLE || !change->to.has_type) {
        return false;
    }
    bool fits = delegation_text_take(change->to.type, type, sizeof type);
    for (size_t i = 0; fits && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(type, known[i]) == 0) {
            return false;
        }
    }
    return bad(ret_fold, "to.type", "The type of the receiving user is not known.");
}

static bool check_parties(const struct delegation_change *change, struct sync_fold *ret_fold)
{
    if (is_negative(&change->from) || is_negative(&change->to) ||
        is_negative(&change->facilitator)) {
        return bad(ret_fold, "from", "A number of a party is below 0.");
    }
    bool has_key = has_id(&change->from) &&
                   ((change->from.has_uuid && !sync_uuid_is_zero(&change->from.uuid)) ||
                    change->from.party_id != 0);
    if (!has_key) {
        return missing(ret_fold, "from", "The giving party has no uuid and no party id.");
    }
    if (!has_id(&change->to)) {
        return delegation_park(ret_fold, DL_15, SYNC_CODE_FIELD_MISSING, "to",
                               "The recipient has no id of any sort.");
    }
    if (is_same(&change->from, &change->to)) {
        return bad(ret_fold, "to", "The giving party is the receiving party.");
    }
    bool needs = change->kind == DELEGATION_CLIENT;
    bool may = needs || (change->kind == DELEGATION_ROLE && change->source == DELEGATION_A2);
    if (has_id(&change->facilitator) ? !may : needs) {
        return bad(ret_fold, "facilitator", "The facilitator does not fit the kind.");
    }
    return false;
}

static bool check_target(const struct delegation_change *change, struct sync_fold *ret_fold)
{
    static const uint8_t fits[] = {
        [DELEGATION_SINGLE] = KIND(DELEGATION_TARGET_SERVICE) | KIND(DELEGATION_TARGET_RESOURCE),
        [DELEGATION_INSTANCE] = KIND(DELEGATION_TARGET_RESOURCE),
        [DELEGATION_PACKAGE] = KIND(DELEGATION_TARGET_PACKAGE),
        [DELEGATION_ROLE] = KIND(DELEGATION_TARGET_ROLE),
        [DELEGATION_CLIENT] = KIND(DELEGATION_TARGET_PACKAGE),
    };
    if (!change->has_target || change->target_kind < 0 ||
        change->target_kind > DELEGATION_TARGET_ROLE ||
        (fits[change->kind] & KIND(change->target_kind)) == 0) {
        return bad(ret_fold, "target", "The target is missing or does not fit the kind.");
    }
    bool service = change->target_kind == DELEGATION_TARGET_SERVICE;
    bool whole = change->has_service_code && change->has_edition;
    if (service ? !whole : !change->has_target_id) {
        return missing(ret_fold, "target.id", "The target names nothing.");
    }
    if (change->has_instance != (change->kind == DELEGATION_INSTANCE)) {
        return bad(ret_fold, "instance", "The instance does not fit the kind.");
    }
    if (change->app_controlled && change->kind != DELEGATION_INSTANCE) {
        return bad(ret_fold, "app_controlled", "Only an instance is controlled by an app.");
    }
    return false;
}

/* Whether the list holds this text in canonical form, or one that does not fit. */
static bool texts_have(struct sync_texts texts, const char *wanted, size_t capacity,
                       bool *ret_unfit)
{
    char text[DELEGATION_REF_SIZE];
    struct sync_bytes item;
    bool found = false;
    while (sync_texts_next(&texts, &item)) {
        bool fits = delegation_text_take(item, text, capacity);
        *ret_unfit = *ret_unfit || !fits;
        found = found || (fits && strcmp(text, wanted) == 0);
    }
    return found;
}

/* Whether the source names refs itself: only rules of messages do; "row" is a constant. */
static bool check_refs(const struct delegation_change *change, struct sync_fold *ret_fold)
{
    enum delegation_stream stream = delegation_stream_of(change->stream);
    bool unfit = false;
    bool row = texts_have(change->refs, "row", DELEGATION_REF_SIZE, &unfit);
    if (unfit) {
        return bad(ret_fold, "refs", "A ref is empty or longer than 200 bytes.");
    }
    if (stream == DELEGATION_STREAM_MESSAGE) {
        bool all = change->op == DELEGATION_REVOKE_ALL;
        return change->refs.count == 0 && !all &&
               missing(ret_fold, "refs", "The event of a message names no rule.");
    }
    bool constant = stream == DELEGATION_STREAM_CHANGE && change->refs.count == 1 && row;
    return change->refs.count > 0 && !constant &&
           bad(ret_fold, "refs", "The stream names no refs.");
}

static bool check_rights(const struct delegation_change *change, struct sync_fold *ret_fold)
{
    bool actions = delegation_has_actions((enum delegation_kind)change->kind);
    bool unfit = false;
    bool star = texts_have(change->rights, "*", DELEGATION_RIGHT_SIZE, &unfit);
    bool all = change->op == DELEGATION_REVOKE_ALL;
    if (unfit) {
        return bad(ret_fold, "rights", "A right is empty or longer than 64 bytes.");
    }
    if (actions ? star : change->rights.count > 1 || (change->rights.count == 1 && !star)) {
        return bad(ret_fold, "rights", "The right does not fit the kind.");
    }
    if (all && change->rights.count + change->refs.count > 0) {
        return bad(ret_fold, "rights", "A revoke of all names rights or refs.");
    }
    if (change->op == DELEGATION_GRANT && change->rights.count == 0) {
        return missing(ret_fold, "rights", "A grant names no right.");
    }
    bool names_itself = change->kind == DELEGATION_ROLE && change->source == DELEGATION_A2;
    bool by_ref = delegation_stream_of(change->stream) == DELEGATION_STREAM_MESSAGE;
    if (change->op == DELEGATION_REVOKE && change->rights.count == 0 && !names_itself && !by_ref) {
        return missing(ret_fold, "rights", "A revoke names nothing, and nothing never means all.");
    }
    return false;
}

static bool check_scope(const struct delegation_change *change, struct sync_fold *ret_fold)
{
    static const size_t ids[] = {[DELEGATION_SCOPE_PARTY] = 1,
                                 [DELEGATION_SCOPE_RELATION] = 2,
                                 [DELEGATION_SCOPE_INSTANCE] = 1};
    if (!change->has_scope || change->scope_kind < 0 ||
        change->scope_kind > DELEGATION_SCOPE_INSTANCE) {
        return missing(ret_fold, "scope", "The scope is missing.");
    }
    bool merge = change->op == DELEGATION_MERGE;
    if (merge && change->scope_kind != DELEGATION_SCOPE_PARTY) {
        return bad(ret_fold, "scope.kind", "Only parties merge.");
    }
    if (change->scope_ids.count != (merge ? 2 : ids[change->scope_kind])) {
        return bad(ret_fold, "scope.ids", "The number of ids does not fit the scope.");
    }
    if (change->has_er_role != (change->scope_kind == DELEGATION_SCOPE_RELATION)) {
        return bad(ret_fold, "scope.er_role", "The company role does not fit the scope.");
    }
    if (change->rights.count + change->refs.count > 0 || change->has_origin) {
        return bad(ret_fold, "rights", "A fact above both sides names no rights, refs or origin.");
    }
    bool store = delegation_stream_of(change->stream) == DELEGATION_STREAM_STORE;
    return store != (change->scope_kind == DELEGATION_SCOPE_INSTANCE) &&
           bad(ret_fold, "scope.kind", "The stream has no such scope.");
}

static bool check_sizes(const struct delegation_change *change, struct sync_fold *ret_fold)
{
    if (change->rights.count > DELEGATION_RIGHTS_MAX) {
        return delegation_park(ret_fold, DL_105, SYNC_CODE_FIELD_RANGE, "rights",
                               "The event names more than 64 rights.");
    }
    if (change->refs.count > DELEGATION_REFS_MAX) {
        return delegation_park(ret_fold, DL_105, SYNC_CODE_FIELD_RANGE, "refs",
                               "The event names more than 256 refs.");
    }
    return false;
}

static bool check_key(const struct delegation_change *change, const struct sync_context *ctx,
                      struct sync_fold *ret_fold)
{
    struct sync_key made;
    struct sync_error err;
    if (change->kind == DELEGATION_CONTROL) {
        return false;
    }
    if (!sync_is_ok(sync_processor_delegation.key(change, &made, &err))) {
        return bad(ret_fold, "from", "The event has no key.");
    }
    struct sync_bytes key = {(const uint8_t *)made.text, made.size};
    return !sync_bytes_equal(ctx->key, key) &&
           delegation_park(ret_fold, DL_02, SYNC_CODE_KEY_MISMATCH, "from",
                           "The Kafka key is not the one of the giving party.");
}

bool delegation_check(const struct delegation_change *change, const struct sync_context *ctx,
                      struct sync_fold *ret_fold)
{
    if (check_stream(change, ctx, ret_fold) || check_numbers(change, ret_fold) ||
        check_sizes(change, ret_fold)) {
        return true;
    }
    if (change->kind == DELEGATION_CONTROL) {
        return false;
    }
    if (change->kind == DELEGATION_SCOPE) {
        return check_scope(change, ret_fold) || check_key(change, ctx, ret_fold);
    }
    return check_parties(change, ret_fold) || check_user_type(change, ret_fold) ||
           check_target(change, ret_fold) || check_refs(change, ret_fold) ||
           check_rights(change, ret_fold) || check_key(change, ctx, ret_fold);
}
