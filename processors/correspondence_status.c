/*
 * Status of a correspondence, both directions: rules CS-01…58 and their like, derived state,
 * descriptor. Pure: it decides on the state it is given. Not here: how records come, SQL, sending,
 * ageing of holds.
 */
#include <altinn_sync/correspondence_status.h>

#include <inttypes.h>
#include <stdio.h>

/* Numbers of the rules. The runtime's limits are not used: both directions share these for ever. */
#define SECOND_US            1000000LL
#define FUTURE_MAX_US        (5 * 60 * SECOND_US)          /* CS-07 */
#define ANCIENT_US           946684800000000LL             /* CS-08: 2000-01-01 */
#define SILENT_AGE_US        (7LL * 24 * 3600 * SECOND_US) /* CS-30 */
#define ALTINN2_FIRST_US     (10 * 60 * SECOND_US)         /* CS-19 */
#define HIDDEN_ACT_US        (60 * SECOND_US) /* 4.4: an act on the copy that was hidden */
#define HELD_PER_MESSAGE_MAX 10000            /* CS-17 */
#define STREAM_SIZE_MAX      64

/* Rules. */

#define APPLIED   SYNC_OUTCOME_APPLIED
#define DUPLICATE SYNC_OUTCOME_DUPLICATE
#define STALE     SYNC_OUTCOME_STALE
#define ECHO      SYNC_OUTCOME_ECHO
#define HELD      SYNC_OUTCOME_HELD
#define PARKED    SYNC_OUTCOME_PARKED

/* One row per rule: symbol, number, outcome, subject (NULL = a record), sentence. */
#define RULES(X)                                                                                   \
    X(CS_01, "01", PARKED, NULL,                                                                   \
      "A record that does not decode, misses a field or has one out of range is parked.")          \
    X(CS_02, "02", PARKED, NULL, "A kind that is not known is parked, never guessed.")             \
    X(CS_03, "03", PARKED, NULL,                                                                   \
      "An origin that is incomplete, or of the record's own system, is parked.")                   \
    X(CS_04, "04", ECHO, NULL, "A record caused by the system we would write to is our own echo.") \
    X(CS_05, "05", ECHO, NULL,                                                                     \
      "A record of a row that the sync wrote is an echo and a fault of its publisher.")            \
    X(CS_06, "06", STALE, NULL,                                                                    \
      "A passive kind is of no interest while it happens, and never from Altinn 3.")               \
    X(CS_07, "07", PARKED, NULL,                                                                   \
      "An event more than 5 minutes ahead of its append time is parked.")                          \
    X(CS_08, "08", PARKED, NULL, "An event before the year 2000 is parked.")                       \
    X(CS_10, "10", STALE, NULL,                                                                    \
      "A message of Altinn 3 without an Altinn 2 id has no counterpart.")                          \
    X(CS_11, "11", PARKED, NULL, "Two ids that contradict the mapping are parked.")                \
    X(CS_12, "12", STALE, NULL, "A message that will never be copied wants no changes.")           \
    X(CS_13, "13", HELD, NULL, "A message that is not migrated yet holds its changes.")            \
    X(CS_14, "14", HELD, NULL, "A message that nobody has named yet holds its changes.")           \
    X(CS_15, "15", PARKED, NULL,                                                                   \
      "What was held by CS-13 for too long is parked, and still released.")                        \
    X(CS_16, "16", PARKED, NULL,                                                                   \
      "What was held by CS-14 for too long is parked, and still released.")                        \
    X(CS_17, "17", PARKED, NULL,                                                                   \
      "Beyond 10,000 held changes of one message the next is parked, and still released.")         \
    X(CS_18, "18", APPLIED, "mapping",                                                             \
      "A new mapping releases what was held, in the transaction that creates it.")                 \
    X(CS_19, "19", APPLIED, "row", "A row that Altinn 3 already has is imported as a fact.")       \
    X(CS_20, "20", DUPLICATE, NULL, "The fact is already in the set.")                             \
    X(CS_21, "21", DUPLICATE, NULL, "Altinn 3 already has a row of this kind, party and second.")  \
    X(CS_22, "22", APPLIED, NULL, "A passive kind in history is stored and changes nothing else.") \
    X(CS_23, "23", STALE, NULL, "A further purge is kept in the set and has no effect.")           \
    X(CS_25, "25", APPLIED, NULL,                                                                  \
      "A purge of a message that is not visible purges it in silence.")                            \
    X(CS_26, "26", APPLIED, NULL,                                                                  \
      "A purge of a visible message deletes its dialog and tells the sender.")                     \
    X(CS_27, "27", APPLIED, NULL,                                                                  \
      "What happened to a purged message is history and never leaves.")                            \
    X(CS_28, "28", APPLIED, NULL,                                                                  \
      "What happened to a hidden message is stored and told by its dialog.")                       \
    X(CS_29, "29", APPLIED, NULL,                                                                  \
      "What looks like the echo of our own call is stored and tells no sender.")                   \
    X(CS_30, "30", APPLIED, NULL, "History, and what is older than 7 days, tells no sender.")      \
    X(CS_31, "31", APPLIED, NULL, "The first read opens the dialog and tells the sender.")         \
    X(CS_32, "32", APPLIED, NULL, "A further read tells the sender.")                              \
    X(CS_33, "33", APPLIED, NULL,                                                                  \
      "The first confirmation confirms the dialog and tells the sender.")                          \
    X(CS_34, "34", APPLIED, NULL, "A further confirmation tells the sender.")                      \
    X(CS_35, "35", APPLIED, NULL, "An act that changes the derived label sets the label.")         \
    X(CS_36, "36", APPLIED, NULL,                                                                  \
      "An act that leaves the derived label sets it only where it is not known.")                  \
    X(CS_40, "40", APPLIED, NULL,                                                                  \
      "Archive, delete and restore of Altinn 3 have no call to Altinn 2.")                         \
    X(CS_41, "41", APPLIED, NULL, "Altinn 2 holds the flag, or a call for it is on its way.")      \
    X(CS_42, "42", APPLIED, NULL, "The lane to Altinn 2 is closed: the call is kept, not sent.")   \
    X(CS_43, "43", APPLIED, NULL, "Altinn 2 is told by one call.")                                 \
    X(CS_50, "50", APPLIED, "effect", "Any 2xx ends the call: Altinn 2 holds the flag.")           \
    X(CS_51, "51", APPLIED, "effect", "A call whose flag Altinn 2 holds by now is skipped.")       \
    X(CS_52, "52", APPLIED, "effect", "No answer, 408, 429 and 5xx of the road are sent again.")   \
    X(CS_53, "53", APPLIED, "effect", "Any other answer parks the call.")                          \
    X(CS_54, "54", APPLIED, "effect", "401 and 403 stop the lane until its token is mended.")      \
    X(CS_55, "55", APPLIED, "effect", "410 closes the lane until an operator opens it.")           \
    X(CS_56, "56", APPLIED, "effect",                                                              \
      "Without a party number another fact carries the call, or the directory is asked again.")    \
    X(CS_57, "57", APPLIED, "effect",                                                              \
      "A call that failed 10 times while its lane works is parked.")                               \
    X(CS_58, "58", APPLIED, "effect", "A call that fails our own check is parked unsent.")         \
    X(CS_101, "101", APPLIED, NULL,                                                                \
      "A read or confirmation by nobody in Altinn 2 stays in Altinn 3.")                           \
    X(CS_102, "102", APPLIED, "gate",                                                              \
      "A message that Altinn 3 made visible by itself is visible, and its dialog is told.")        \
    X(CS_103, "103", STALE, NULL,                                                                  \
      "Altinn 3 no longer has the message: the fact is kept, no row is written.")                  \
    X(CS_104, "104", APPLIED, "row",                                                               \
      "A row imported before any capture was initialised has its call queued.")

#define RULE_SYMBOL(symbol, number, outcome, subject, sentence) symbol,
enum rule { RULES(RULE_SYMBOL) RULE_COUNT };
#define RULE_ROW(symbol, number, outcome, subject, sentence)                                       \
    {"CS-" number, outcome, sentence, subject},
static const struct sync_rule rules[] = {RULES(RULE_ROW)};
#undef RULE_SYMBOL
#undef RULE_ROW

static struct sync_fold by(enum rule rule)
{
    return (struct sync_fold){.outcome = rules[rule].outcome, .rule = rules[rule].id};
}

static bool park(struct sync_fold *ret_fold, enum rule rule, enum sync_code code, const char *field,
                 const char *reason)
{
    *ret_fold = by(rule);
    ret_fold->code = code;
    ret_fold->field = field;
    ret_fold->reason = reason;
    return true;
}

/* Kinds and derived state. */

const struct status_kind_info *status_kind_find(int32_t kind)
{
    static const struct status_kind_info kinds[] = {
        {STATUS_READ, "Read", 0, true, "read"},
        {STATUS_CONFIRMED, "Confirmed", 0, true, "confirm"},
        {STATUS_PURGED_BY_RECIPIENT, "PurgedByRecipient", 2, true, "delete"},
        {STATUS_PURGED_BY_OWNER, "PurgedByAltinn", 1, true, "delete"},
        {STATUS_ARCHIVED, "Archived", 0, true, NULL},
        {STATUS_SOFT_DELETED, "SoftDeletedByRecipient", 3, false, NULL},
        {STATUS_RESTORED, "RestoredByRecipient", 4, false, NULL},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].kind == kind) {
            return &kinds[i];
        }
    }
    return NULL;
}

const char *status_kind_name(int32_t kind)
{
    static const char *const passive[] = {
        [0] = "Initialized", [1] = "ReadyForPublish",
        [2] = "Published",   [3] = "Fetched",
        [5] = "Replied",     [10] = "Reserved",
        [11] = "Failed",     [12] = "AttachmentsDownloaded",
    };
    const struct status_kind_info *info = status_kind_find(kind);
    if (info != NULL) {
        return info->name;
    }
    bool inside = kind >= 0 && (size_t)kind < sizeof passive / sizeof passive[0];
    return inside ? passive[kind] : NULL;
}

bool status_kind_is_passive(int32_t kind)
{
    return status_kind_find(kind) == NULL && status_kind_name(kind) != NULL;
}

bool status_kind_is_purge(int32_t kind)
{
    return kind == STATUS_PURGED_BY_RECIPIENT || kind == STATUS_PURGED_BY_OWNER;
}

static bool is_label_kind(int32_t kind)
{
    return kind == STATUS_ARCHIVED || kind == STATUS_SOFT_DELETED || kind == STATUS_RESTORED;
}

enum status_label status_label_of(const struct status_state *state)
{
    if (state->purged) {
        return STATUS_LABEL_NONE;
    }
    if (state->max_soft_deleted > state->max_restored) {
        return STATUS_LABEL_BIN;
    }
    return state->archived ? STATUS_LABEL_ARCHIVE : STATUS_LABEL_DEFAULT;
}

int32_t *status_flag_of(struct status_state *state, int32_t kind)
{
    if (kind == STATUS_READ) {
        return &state->a2_read;
    }
    if (kind == STATUS_CONFIRMED) {
        return &state->a2_confirmed;
    }
    return status_kind_is_purge(kind) ? &state->a2_deleted : NULL;
}

enum sync_system status_system_of(const struct status_source *source)
{
    if (source->system == 0) {
        return SYNC_SYSTEM_ALTINN2;
    }
    return source->system == 1 ? SYNC_SYSTEM_ALTINN3 : SYNC_SYSTEM_NONE;
}

/* Purged and withdrawn messages are not visible in the sense of 4.3: P goes first. */
static bool is_visible(const struct status_state *state)
{
    return state->gate == STATUS_VISIBLE && !state->purged;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Facts. */

struct status_fact *status_fact_find(const struct status_state *state, int32_t kind,
                                     const struct sync_uuid *party, int64_t second)
{
    for (size_t i = 0; i < state->fact_count; i++) {
        struct status_fact *fact = &state->facts[i];
        if (fact->kind == kind && fact->second == second &&
            sync_uuid_compare(&fact->party, party) == 0) {
            return fact;
        }
    }
    return NULL;
}

/* The key's slot; a new one at the end when the store made none. NULL when there is no room. */
static struct status_fact *fact_slot(struct status_state *state, int32_t kind,
                                     const struct sync_uuid *party, int64_t second)
{
    struct status_fact *fact = status_fact_find(state, kind, party, second);
    if (fact != NULL || state->fact_count >= state->fact_capacity) {
        return fact;
    }
    fact = &state->facts[state->fact_count++];
    *fact = (struct status_fact){
        .kind = kind, .party = *party, .second = second, .echo_until_us = STATUS_NEVER};
    return fact;
}

static void fact_hold(struct status_fact *fact, bool *side)
{
    if (!*side) {
        *side = true;
        fact->update = fact->update || !fact->insert;
    }
}

static void flag_hold(struct status_state *state, int32_t kind)
{
    int32_t *flag = status_flag_of(state, kind);
    if (flag != NULL && *flag != STATUS_FLAG_HELD) {
        *flag = STATUS_FLAG_HELD;
        state->dirty = true;
    }
}

/* Puts a fact into the set: flags by OR, maxima by MAX, so that no order can matter. */
static void fact_store(struct status_state *state, struct status_fact *fact)
{
    SYNC_ASSERT(!fact->known && !fact->insert);
    fact->known = true;
    fact->insert = true;
    state->version++;
    state->dirty = true;
    state->read = state->read || fact->kind == STATUS_READ;
    state->confirmed = state->confirmed || fact->kind == STATUS_CONFIRMED;
    state->purged = state->purged || status_kind_is_purge(fact->kind);
    if (fact->kind == STATUS_ARCHIVED) {
        state->archived = true;
        state->max_archived = larger(state->max_archived, fact->second);
    } else if (fact->kind == STATUS_SOFT_DELETED) {
        state->max_soft_deleted = larger(state->max_soft_deleted, fact->second);
    } else if (fact->kind == STATUS_RESTORED) {
        state->max_restored = larger(state->max_restored, fact->second);
    }
}

/* Effects. */

static struct sync_effect *effect_add(struct sync_effects *effects,
                                      const struct status_state *state, const char *target)
{
    /* Flags keep each effect of a message single, so the bound cannot be reached from outside. */
    SYNC_ASSERT(effects->count < SYNC_FOLD_EFFECTS_MAX);
    struct sync_effect *effect = &effects->items[effects->count++];
    *effect = (struct sync_effect){.target = target, .namespace_id = state->altinn3_id};
    return effect;
}

static void effect_name(struct sync_effect *effect, const char *name)
{
    int size = snprintf(effect->name, sizeof effect->name, "%s", name);
    SYNC_ASSERT(size > 0 && (size_t)size < sizeof effect->name);
}

/* What a dialog or event effect is made from: version of the message, and the fact that is told. */
static void effect_content(struct sync_effect *effect, const struct status_state *state,
                           const struct status_fact *fact)
{
    int size;
    if (fact == NULL) {
        size = snprintf(effect->body, sizeof effect->body, "{\"version\":%" PRId64 "}",
                        state->version);
    } else {
        char party[SYNC_UUID_BUFFER];
        sync_uuid_format(&fact->party, party);
        size = snprintf(effect->body, sizeof effect->body,
                        "{\"version\":%" PRId64 ",\"kind\":%" PRId32 ",\"party\":\"%s\","
                        "\"second\":%" PRId64 ",\"occurred_at_us\":%" PRId64 "}",
                        state->version, fact->kind, party, fact->second, fact->occurred_at_us);
    }
    SYNC_ASSERT(size > 0 && (size_t)size < sizeof effect->body);
    effect->body_size = (size_t)size;
}

/* "dialog: x": told once, and then known as told. */
static void dialog_tell(struct sync_effects *effects, struct status_state *state, bool *told,
                        const char *name, const struct status_fact *fact)
{
    if (*told) {
        return;
    }
    *told = true;
    state->dirty = true;
    struct sync_effect *effect = effect_add(effects, state, "dialog");
    effect_name(effect, name);
    effect_content(effect, state, fact);
}

static void dialog_tell_opened(struct sync_effects *effects, struct status_state *state,
                               const struct status_fact *fact)
{
    dialog_tell(effects, state, &state->dlg_opened, "dialog/opened", fact);
}

static void dialog_tell_confirmed(struct sync_effects *effects, struct status_state *state,
                                  const struct status_fact *fact)
{
    if (state->confirmation_needed) {
        dialog_tell(effects, state, &state->dlg_confirmed, "dialog/confirmed", fact);
    }
}

static void dialog_tell_deleted(struct sync_effects *effects, struct status_state *state,
                                const struct status_fact *fact)
{
    dialog_tell(effects, state, &state->dlg_deleted, "dialog/delete", fact);
}

static void dialog_tell_label(struct sync_effects *effects, struct status_state *state,
                              const struct status_fact *fact)
{
    static const char prefix[] = "dialog/label/";
    int32_t label = (int32_t)status_label_of(state);
    if (state->dlg_label == label) {
        return;
    }
    state->dlg_label = label;
    state->dirty = true;
    struct sync_effect *effect = effect_add(effects, state, "dialog");
    char name[SYNC_EFFECT_NAME_MAX];
    (void)snprintf(name, sizeof name, "%s%" PRId64, prefix, state->version);
    effect_name(effect, name);
    effect_content(effect, state, fact);
    effect->single_prefix_size = sizeof prefix - 1;
}

/* "event: x": one Altinn Event per fact; of a purge one per message. */
static void event_tell(struct sync_effects *effects, const struct status_state *state,
                       const struct status_fact *fact)
{
    struct sync_effect *effect = effect_add(effects, state, "event");
    if (status_kind_is_purge(fact->kind)) {
        effect_name(effect, "event/purged");
    } else {
        char party[SYNC_UUID_BUFFER];
        sync_uuid_format(&fact->party, party);
        char name[SYNC_EFFECT_NAME_MAX];
        (void)snprintf(name, sizeof name, "event/%s/%s/%" PRId64,
                       fact->kind == STATUS_READ ? "read" : "confirmed", party, fact->second);
        effect_name(effect, name);
    }
    effect_content(effect, state, fact);
}

/* "Whenever a message becomes P": what its dialog was still to be told is skipped. */
static void dialog_skip(struct sync_effects *effects, const struct status_state *state)
{
    struct sync_effect *effect = effect_add(effects, state, "dialog");
    effect->withdraw = true;
    effect_name(effect, "dialog/delete"); /* the one that tells of the purge stays */
}

const char *status_call_name(int32_t kind)
{
    if (kind == STATUS_READ) {
        return "a2/read";
    }
    if (kind == STATUS_CONFIRMED) {
        return "a2/confirm";
    }
    return status_kind_is_purge(kind) ? "a2/delete" : NULL;
}

size_t status_call_format(const struct status_call *call, char *ret_text, size_t capacity)
{
    char party[SYNC_UUID_BUFFER];
    sync_uuid_format(&call->party, party);
    char number[16] = "null";
    if (call->has_party_id) {
        (void)snprintf(number, sizeof number, "%" PRId32, call->party_id);
    }
    int size =
        snprintf(ret_text, capacity,
                 "{\"altinn2_id\":%" PRId32 ",\"kind\":%" PRId32 ",\"party\":\"%s\","
                 "\"second\":%" PRId64 ",\"occurred_at_us\":%" PRId64 ",\"party_id\":%s}",
                 call->altinn2_id, call->kind, party, call->second, call->occurred_at_us, number);
    return size > 0 && (size_t)size < capacity ? (size_t)size : 0;
}

void status_blob_effect(const struct status_state *state, const struct sync_uuid *attachment,
                        struct sync_effect *ret_effect)
{
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(attachment, text);
    *ret_effect = (struct sync_effect){.target = "blob", .namespace_id = state->altinn3_id};
    (void)snprintf(ret_effect->name, sizeof ret_effect->name, "blob/purge/%s", text);
    int size = snprintf(ret_effect->body, sizeof ret_effect->body, "{\"attachment\":\"%s\"}", text);
    SYNC_ASSERT(size > 0 && (size_t)size < sizeof ret_effect->body);
    ret_effect->body_size = (size_t)size;
}

/* Calls to Altinn 2. */

/* CS-101, 41, 42, 43: decided by the flag, not by freshness or mode. */
static enum rule call_rule(struct status_state *state, const struct status_fact *fact)
{
    const int32_t *flag = status_flag_of(state, fact->kind);
    SYNC_ASSERT(flag != NULL);
    if (!status_kind_is_purge(fact->kind) && sync_uuid_is_zero(&fact->party)) {
        return CS_101;
    }
    if (*flag != STATUS_FLAG_NO || state->a2_deleted != STATUS_FLAG_NO) {
        return CS_41;
    }
    return state->bridge_closed ? CS_42 : CS_43;
}

/* party_id: the acting party's number, 0 = not known here; the sender then asks the directory. */
static enum rule call_queue(struct sync_effects *effects, struct status_state *state,
                            const struct status_fact *fact, int32_t party_id)
{
    enum rule rule = call_rule(state, fact);
    if (rule != CS_42 && rule != CS_43) {
        return rule;
    }
    /* A closed lane leaves the flag at no, so that every further fact comes here: the first one
     * stays. */
    for (size_t i = 0; i < effects->count; i++) {
        if (strcmp(effects->items[i].name, status_call_name(fact->kind)) == 0) {
            return rule;
        }
    }
    /* CS-56: a purge by nobody is called in the name of the recipient, for "delete" does not say
     * who. */
    if (sync_uuid_is_zero(&fact->party) && state->has_recipient_party) {
        party_id = state->recipient_party_id;
    }
    struct status_call call = {.altinn2_id = state->altinn2_id,
                               .kind = fact->kind,
                               .party = fact->party,
                               .second = fact->second,
                               .occurred_at_us = fact->occurred_at_us,
                               .has_party_id = party_id > 0,
                               .party_id = party_id};
    struct sync_effect *effect = effect_add(effects, state, "altinn2");
    effect_name(effect, status_call_name(fact->kind));
    effect->body_size = status_call_format(&call, effect->body, sizeof effect->body);
    SYNC_ASSERT(effect->body_size > 0);
    effect->closed = rule == CS_42;
    if (rule == CS_43) {
        *status_flag_of(state, fact->kind) = STATUS_FLAG_QUEUED;
        state->dirty = true;
    }
    return rule;
}

enum status_answer status_answer_of(bool transport_failed, int http_code, const char **ret_rule)
{
    static const int again[] = {408, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < sizeof again / sizeof again[0]; i++) {
        transport_failed = transport_failed || http_code == again[i];
    }
    if (transport_failed) {
        *ret_rule = rules[CS_52].id;
        return STATUS_ANSWER_RETRY;
    }
    if (http_code >= 200 && http_code <= 299) {
        *ret_rule = rules[CS_50].id;
        return STATUS_ANSWER_DONE;
    }
    if (http_code == 401 || http_code == 403) {
        *ret_rule = rules[CS_54].id;
        return STATUS_ANSWER_STOP;
    }
    if (http_code == 410) {
        *ret_rule = rules[CS_55].id;
        return STATUS_ANSWER_CLOSED;
    }
    *ret_rule = rules[CS_53].id;
    return STATUS_ANSWER_PARK;
}

/* Whether a is before b: second, then party. */
static bool is_earlier(const struct status_fact *a, const struct status_fact *b)
{
    if (a->second != b->second) {
        return a->second < b->second;
    }
    return sync_uuid_compare(&a->party, &b->party) < 0;
}

/* Whether two kinds are one for a dialog or a call: both purges are. */
static bool is_same_kind(int32_t a, int32_t b)
{
    return a == b || (status_kind_is_purge(a) && status_kind_is_purge(b));
}

size_t status_carry_on(const struct status_fact *facts, size_t count, int32_t kind)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct status_fact *fact = &facts[i];
        bool nobody = !status_kind_is_purge(kind) && sync_uuid_is_zero(&fact->party);
        if (!is_same_kind(fact->kind, kind) || !fact->known || fact->refused || fact->in_a2 ||
            nobody) {
            continue;
        }
        if (found == SIZE_MAX || is_earlier(fact, &facts[found])) {
            found = i;
        }
    }
    return found;
}

/* Mapping, import, gate. */

void status_adopt(struct status_state *state, const struct sync_uuid *altinn3_id, bool is_migrating,
                  int64_t now_us)
{
    (void)now_us;
    state->mapping = STATUS_MAPPED;
    state->has_altinn3_id = true;
    state->altinn3_id = *altinn3_id;
    state->gate = is_migrating ? STATUS_HIDDEN : STATUS_VISIBLE;
    state->dlg_label = STATUS_LABEL_UNKNOWN;
    state->dirty = true;
}

void status_flip(struct status_state *state, int64_t now_us)
{
    SYNC_ASSERT(state->mapping == STATUS_MAPPED);
    state->gate = STATUS_VISIBLE;
    state->visible_at_us = now_us;
    state->dlg_opened = false;
    state->dlg_confirmed = false;
    state->dlg_deleted = false;
    state->dlg_label = STATUS_LABEL_UNKNOWN;
    state->dirty = true;
}

/*
 * 4.4: Altinn 3 tells its own dialog of its own acts. Not so of an act on the copy that was still
 * hidden, which is told here; twice is harmless.
 */
static void dialog_follow(struct sync_effects *effects, struct status_state *state,
                          const struct status_fact *fact)
{
    if (state->gate != STATUS_VISIBLE || status_kind_find(fact->kind) == NULL) {
        return;
    }
    state->dirty = true;
    if (is_label_kind(fact->kind)) {
        state->dlg_label = STATUS_LABEL_UNKNOWN;
        return;
    }
    bool own = state->visible_at_us == STATUS_NEVER ||
               fact->occurred_at_us >= state->visible_at_us + HIDDEN_ACT_US;
    if (status_kind_is_purge(fact->kind)) {
        if (own) {
            state->dlg_deleted = true;
        }
        dialog_tell_deleted(effects, state, fact);
        return;
    }
    if (own || state->purged) {
        bool *told = fact->kind == STATUS_READ ? &state->dlg_opened : &state->dlg_confirmed;
        *told = true;
        return;
    }
    if (fact->kind == STATUS_READ) {
        dialog_tell_opened(effects, state, fact);
    } else {
        dialog_tell_confirmed(effects, state, fact);
    }
}

/* CS-19: what of an imported row follows from when and by whom it was written. */
static bool row_is_altinn2_first(const struct status_state *state, const struct status_row *row)
{
    bool older =
        state->init_us != STATUS_NEVER && row->occurred_at_us < state->init_us - ALTINN2_FIRST_US;
    return row->synced || row->with_message || older;
}

/* Rows dated before the slot are never published, nor is any row while there is no slot (CS-104).
 */
static bool row_is_never_published(const struct status_state *state, const struct status_row *row)
{
    return state->init_us == STATUS_NEVER || row->occurred_at_us < state->init_us;
}

sync_status status_import(struct status_state *state, const struct status_row *row, int64_t now_us,
                          struct sync_effects *ret_effects, struct sync_error *err)
{
    (void)now_us;
    if (status_kind_find(row->kind) == NULL) {
        return SYNC_OK;
    }
    struct status_fact *fact =
        fact_slot(state, row->kind, &row->party, sync_second_of(row->occurred_at_us));
    if (fact == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                         "import a row of message %" PRId32 ": the store gave no room for its fact",
                         state->altinn2_id);
    }
    fact->a3_row = true;
    if (fact->known) {
        fact_hold(fact, &fact->in_a3);
        return SYNC_OK;
    }
    bool was_purged = state->purged;
    fact->occurred_at_us = row->occurred_at_us;
    fact->mode = STATUS_HISTORY;
    fact->source_system = SYNC_SYSTEM_ALTINN3;
    fact->source_stream = sync_bytes_text("import");
    fact->source_sequence = 0;
    fact_store(state, fact);
    fact->in_a3 = true;
    if (state->purged && !was_purged) {
        dialog_skip(ret_effects, state);
    }
    dialog_follow(ret_effects, state, fact);
    if (row_is_altinn2_first(state, row)) {
        fact->in_a2 = true;
        flag_hold(state, fact->kind);
        return SYNC_OK;
    }
    bool wanted = status_kind_is_purge(fact->kind) || !state->purged;
    if (wanted && status_call_name(fact->kind) != NULL && row_is_never_published(state, row)) {
        (void)call_queue(ret_effects, state, fact, 0);
    }
    return SYNC_OK;
}

/* Intake: CS-01 … CS-08 and CS-10. */

static bool is_stream_in_range(struct sync_bytes stream)
{
    return stream.size > 0 && stream.size <= STREAM_SIZE_MAX;
}

static bool is_key_of(struct sync_bytes key, int32_t altinn2_id)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%" PRId32, altinn2_id);
    return sync_bytes_equal(key, sync_bytes_text(text));
}

/* CS-01: ids and the Kafka key. */
static bool intake_ids(const struct status_change *change, const struct sync_context *ctx,
                       struct sync_fold *ret_fold)
{
    if (change->has_altinn2_id && change->altinn2_id <= 0) {
        return park(ret_fold, CS_01, SYNC_CODE_FIELD_RANGE, "altinn2_id",
                    "The Altinn 2 id is not above 0.");
    }
    if (!change->has_altinn2_id && ctx->topic_system == SYNC_SYSTEM_ALTINN2) {
        return park(ret_fold, CS_01, SYNC_CODE_FIELD_MISSING, "altinn2_id",
                    "A record of Altinn 2 has no Altinn 2 id.");
    }
    if (!change->has_altinn3_id && ctx->topic_system == SYNC_SYSTEM_ALTINN3) {
        return park(ret_fold, CS_01, SYNC_CODE_FIELD_MISSING, "altinn3_id",
                    "A record of Altinn 3 has no Altinn 3 id.");
    }
    if (change->has_altinn2_id && !is_key_of(ctx->key, change->altinn2_id)) {
        return park(ret_fold, CS_01, SYNC_CODE_KEY_MISMATCH, "altinn2_id",
                    "The Kafka key is not the Altinn 2 id in decimal.");
    }
    return false;
}

/* CS-01: the other fields whose range the decoder does not know. */
static bool intake_range(const struct status_change *change, const struct sync_context *ctx,
                         struct sync_fold *ret_fold)
{
    if (status_system_of(&change->source) != ctx->topic_system) {
        return park(ret_fold, CS_01, SYNC_CODE_FIELD_RANGE, "source.system",
                    "The source is not the system that the topic stands for.");
    }
    if (!is_stream_in_range(change->source.stream)) {
        return park(ret_fold, CS_01, SYNC_CODE_FIELD_RANGE, "source.stream",
                    "The source stream is empty or longer than 64 bytes.");
    }
    if (change->has_origin && status_system_of(&change->origin) == SYNC_SYSTEM_NONE) {
        return park(ret_fold, CS_01, SYNC_CODE_FIELD_RANGE, "origin.system",
                    "The origin's system is not known.");
    }
    if (change->has_origin && change->origin.stream.size > STREAM_SIZE_MAX) {
        return park(ret_fold, CS_01, SYNC_CODE_FIELD_RANGE, "origin.stream",
                    "The origin stream is longer than 64 bytes.");
    }
    if (change->mode != STATUS_LIVE && change->mode != STATUS_HISTORY) {
        return park(ret_fold, CS_01, SYNC_CODE_FIELD_RANGE, "mode",
                    "The mode is neither LIVE nor HISTORY.");
    }
    return intake_ids(change, ctx, ret_fold);
}

/* CS-07, CS-08: the broker's clock judges, so that a replay decides alike. */
static bool intake_time(const struct status_change *change, const struct sync_context *ctx,
                        struct sync_fold *ret_fold)
{
    int64_t latest_us = INT64_MAX;
    if (ctx->appended_us < INT64_MAX - FUTURE_MAX_US) {
        latest_us = ctx->appended_us + FUTURE_MAX_US;
    }
    if (change->occurred_at_us > latest_us) {
        return park(ret_fold, CS_07, SYNC_CODE_FUTURE_TIME, "occurred_at_us",
                    "The event is dated more than 5 minutes after its append time.");
    }
    if (change->occurred_at_us < ANCIENT_US) {
        return park(ret_fold, CS_08, SYNC_CODE_ANCIENT_TIME, "occurred_at_us",
                    "The event is dated before the year 2000.");
    }
    return false;
}

static bool is_echo(const struct sync_route *route, const struct status_change *change)
{
    return change->has_origin && status_system_of(&change->origin) == route->to;
}

static bool intake(const struct sync_route *route, const void *input,
                   const struct sync_context *ctx, struct sync_fold *ret_fold)
{
    const struct status_change *change = input;
    if (intake_range(change, ctx, ret_fold)) {
        return true;
    }
    if (status_kind_name(change->kind) == NULL) {
        return park(ret_fold, CS_02, SYNC_CODE_KIND_UNKNOWN, "kind", "The kind is not known.");
    }
    if (change->has_origin && (change->origin.stream.size == 0 ||
                               status_system_of(&change->origin) == ctx->topic_system)) {
        return park(ret_fold, CS_03, SYNC_CODE_ORIGIN, "origin",
                    "The origin is incomplete or of the record's own system.");
    }
    if (is_echo(route, change)) {
        /* An echo from Altinn 2 says that Altinn 2 holds the flag; only the fold can set that. */
        if (ctx->topic_system == SYNC_SYSTEM_ALTINN2) {
            return false;
        }
        *ret_fold = by(CS_04);
        return true;
    }
    if (change->written_by_sync) {
        *ret_fold = by(CS_05);
        return true;
    }
    if (status_kind_is_passive(change->kind) &&
        (change->mode == STATUS_LIVE || ctx->topic_system == SYNC_SYSTEM_ALTINN3)) {
        *ret_fold = by(CS_06);
        return true;
    }
    /* Decided again: the fold asks CS-20 before the time (4.1). */
    if (!ctx->released && intake_time(change, ctx, ret_fold)) {
        return true;
    }
    if (!change->has_altinn2_id) {
        *ret_fold = by(CS_10);
        return true;
    }
    return false;
}

static void event(const void *input, struct sync_event *ret_event)
{
    const struct status_change *change = input;
    *ret_event = (struct sync_event){
        .system = status_system_of(&change->source),
        .stream = change->source.stream,
        .sequence = change->source.sequence,
        .captured_us = change->captured_at_us,
        .has_origin = change->has_origin,
        .leaked = change->written_by_sync,
    };
}

static sync_status key(const void *input, struct sync_key *ret_key, struct sync_error *err)
{
    const struct status_change *change = input;
    struct sync_key made = {.size = 0};
    if (change->has_altinn2_id) {
        if (change->altinn2_id <= 0) {
            return sync_fail_field(
                err, SYNC_CLASS_PARK, SYNC_CODE_FIELD_RANGE, "altinn2_id",
                "read the key of a status change: the Altinn 2 id is not above 0");
        }
        made.size = (size_t)snprintf(made.text, sizeof made.text, "%" PRId32, change->altinn2_id);
    } else if (change->has_altinn3_id) {
        sync_uuid_format(&change->altinn3_id, made.text);
        made.size = SYNC_UUID_TEXT;
    } else {
        return sync_fail_field(err, SYNC_CLASS_PARK, SYNC_CODE_FIELD_MISSING, "altinn2_id",
                               "read the key of a status change: it names no message");
    }
    *ret_key = made;
    return SYNC_OK;
}

/* Fold: one record on the state left by the one before it. */

/* What the parts of one decision share. */
struct deciding {
    struct status_state *state;
    const struct status_change *change;
    const struct sync_context *ctx;
    struct status_fact *fact; /* slot of the change's key */
    struct sync_effects *effects;
};

/* CS-11 … CS-17. */
static bool decide_mapping(struct status_state *state, const struct status_change *change,
                           struct sync_fold *ret_fold)
{
    if (state->has_altinn3_id && change->has_altinn3_id &&
        sync_uuid_compare(&state->altinn3_id, &change->altinn3_id) != 0) {
        return park(ret_fold, CS_11, SYNC_CODE_ID_CONFLICT, "altinn3_id",
                    "The Altinn 2 id is mapped to another Altinn 3 id.");
    }
    if (state->mapping == STATUS_MAPPED) {
        return false;
    }
    if (state->mapping == STATUS_EXCLUDED) {
        *ret_fold = by(CS_12);
        return true;
    }
    if (state->held_count >= HELD_PER_MESSAGE_MAX) {
        return park(ret_fold, CS_17, SYNC_CODE_HELD_TOO_MANY, NULL,
                    "Already 10,000 records are held for this message.");
    }
    state->held_count++;
    *ret_fold = by(state->mapping == STATUS_EXPECTED ? CS_13 : CS_14);
    return true;
}

/* The change's fact enters the set. */
static void decide_store(struct deciding *d)
{
    struct status_fact *fact = d->fact;
    bool was_purged = d->state->purged;
    fact->occurred_at_us = d->change->occurred_at_us;
    fact->mode = d->change->mode;
    fact->source_system = (int32_t)status_system_of(&d->change->source);
    fact->source_stream = d->change->source.stream;
    fact->source_sequence = d->change->source.sequence;
    fact->released = d->ctx->released;
    fact_store(d->state, fact);
    if (d->state->purged && !was_purged) {
        dialog_skip(d->effects, d->state);
    }
}

static void decide_row(struct deciding *d)
{
    d->fact->write_row = true;
    d->fact->in_a3 = true;
}

/* CS-30: nobody is told of what is history or long ago. */
static bool is_silent(const struct deciding *d)
{
    int64_t decided_us = d->ctx->released ? d->ctx->decided_us : d->ctx->appended_us;
    return d->change->mode == STATUS_HISTORY ||
           decided_us - d->change->occurred_at_us > SILENT_AGE_US;
}

/* CS-23, 25, 26. */
static enum rule decide_altinn2_purge(struct deciding *d)
{
    if (d->state->purged) {
        decide_store(d);
        return CS_23;
    }
    bool visible = is_visible(d->state);
    decide_store(d);
    decide_row(d);
    d->fact->write_purge = true;
    if (!visible) {
        return CS_25;
    }
    dialog_tell_deleted(d->effects, d->state, d->fact);
    if (!is_silent(d)) {
        event_tell(d->effects, d->state, d->fact);
    }
    return CS_26;
}

/* CS-35, 36: which of the two, and the label that follows. */
static enum rule decide_label(struct deciding *d, enum status_label before)
{
    bool changed = status_label_of(d->state) != before;
    if (changed || d->state->dlg_label == STATUS_LABEL_UNKNOWN) {
        dialog_tell_label(d->effects, d->state, d->fact);
    }
    return changed ? CS_35 : CS_36;
}

/* CS-29 … CS-36: a visible message. */
static enum rule decide_altinn2_visible(struct deciding *d)
{
    int32_t kind = d->change->kind;
    bool had = kind == STATUS_READ ? d->state->read : d->state->confirmed;
    enum status_label before = status_label_of(d->state);
    decide_store(d);
    decide_row(d);
    if (is_label_kind(kind)) {
        enum rule rule = decide_label(d, before);
        return is_silent(d) ? CS_30 : rule;
    }
    if (!had && kind == STATUS_READ) {
        dialog_tell_opened(d->effects, d->state, d->fact);
    } else if (!had) {
        dialog_tell_confirmed(d->effects, d->state, d->fact);
    }
    if (d->ctx->appended_us < d->fact->echo_until_us) {
        return CS_29;
    }
    if (is_silent(d)) {
        return CS_30;
    }
    event_tell(d->effects, d->state, d->fact);
    if (kind == STATUS_READ) {
        return had ? CS_32 : CS_31;
    }
    return had ? CS_34 : CS_33;
}

/* 4.3, CS-20 … CS-36 and CS-103, in the order listed. */
static enum rule decide_altinn2(struct deciding *d)
{
    int32_t kind = d->change->kind;
    /* Whatever the outcome: Altinn 2 holds this. */
    fact_hold(d->fact, &d->fact->in_a2);
    flag_hold(d->state, kind);
    if (d->fact->known) {
        return CS_20;
    }
    d->fact->update = false;
    if (d->fact->a3_row) {
        decide_store(d);
        d->fact->in_a3 = true;
        dialog_follow(d->effects, d->state, d->fact);
        if (is_visible(d->state) && is_label_kind(kind)) {
            dialog_tell_label(d->effects, d->state, d->fact);
        }
        return CS_21;
    }
    if (!d->state->a3_present) {
        decide_store(d);
        return CS_103;
    }
    if (status_kind_is_purge(kind)) {
        return decide_altinn2_purge(d);
    }
    if (is_visible(d->state) && !status_kind_is_passive(kind)) {
        return decide_altinn2_visible(d);
    }
    decide_store(d);
    decide_row(d);
    if (status_kind_is_passive(kind)) {
        return CS_22;
    }
    return d->state->purged ? CS_27 : CS_28;
}

static int32_t acting_party_id(const struct status_change *change)
{
    return change->has_altinn2_party ? change->altinn2_party_id : 0;
}

/* CS-20 and CS-23 also queue their call: the fact may have been imported, or the first call parked.
 */
static void decide_call_again(struct deciding *d)
{
    bool wanted = status_kind_is_purge(d->fact->kind) || !d->state->purged;
    if (wanted && !d->fact->refused && status_call_name(d->fact->kind) != NULL) {
        (void)call_queue(d->effects, d->state, d->fact, acting_party_id(d->change));
    }
}

/* 4.4, CS-20, 23, 27, 40 … 43 and CS-101. */
static enum rule decide_altinn3(struct deciding *d)
{
    int32_t kind = d->change->kind;
    bool was_purged = d->state->purged;
    fact_hold(d->fact, &d->fact->in_a3);
    d->fact->a3_row = true;
    if (d->fact->known) {
        decide_call_again(d);
        return CS_20;
    }
    d->fact->update = false;
    decide_store(d);
    dialog_follow(d->effects, d->state, d->fact);
    if (was_purged && status_kind_is_purge(kind)) {
        decide_call_again(d);
        return CS_23;
    }
    if (was_purged) {
        return CS_27;
    }
    if (is_label_kind(kind)) {
        if (is_visible(d->state)) {
            dialog_tell_label(d->effects, d->state, d->fact);
        }
        return CS_40;
    }
    return call_queue(d->effects, d->state, d->fact, acting_party_id(d->change));
}

/* CS-04: no fact is added, but what came back is known to be in Altinn 2. */
static void decide_echo(struct status_state *state, const struct status_change *change)
{
    if (state->mapping != STATUS_MAPPED) {
        return;
    }
    flag_hold(state, change->kind);
    struct status_fact *fact = status_fact_find(state, change->kind, &change->party,
                                                sync_second_of(change->occurred_at_us));
    if (fact != NULL && fact->known) {
        fact_hold(fact, &fact->in_a2);
    }
}

static sync_status fold(const struct sync_route *route, void *entity, const void *input,
                        const struct sync_context *ctx, struct sync_fold *ret_fold,
                        struct sync_effects *ret_effects, struct sync_error *err)
{
    struct status_state *state = entity;
    const struct status_change *change = input;
    if (is_echo(route, change)) {
        if (ctx->topic_system == SYNC_SYSTEM_ALTINN2) {
            decide_echo(state, change);
        }
        *ret_fold = by(CS_04);
        return SYNC_OK;
    }
    if (decide_mapping(state, change, ret_fold)) {
        return SYNC_OK;
    }
    int64_t second = sync_second_of(change->occurred_at_us);
    struct status_fact *fact = fact_slot(state, change->kind, &change->party, second);
    if (fact == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                         "decide a change of message %" PRId32
                         ": the store gave no room for its fact",
                         state->altinn2_id);
    }
    /* What waited in park for its time ends as a duplicate if its key came by another record. */
    if (!fact->known && intake_time(change, ctx, ret_fold)) {
        return SYNC_OK;
    }
    struct deciding d = {state, change, ctx, fact, ret_effects};
    *ret_fold =
        by(ctx->topic_system == SYNC_SYSTEM_ALTINN2 ? decide_altinn2(&d) : decide_altinn3(&d));
    return SYNC_OK;
}

/* Difference: adoption (CS-18) and a flip (CS-102). */

/* Earliest fact of a kind, which the dialog shows; NULL when the state has no slot of one. */
static const struct status_fact *fact_earliest(const struct status_state *state, int32_t kind)
{
    const struct status_fact *found = NULL;
    for (size_t i = 0; i < state->fact_count; i++) {
        const struct status_fact *fact = &state->facts[i];
        if (fact->known && is_same_kind(fact->kind, kind) &&
            (found == NULL || is_earlier(fact, found))) {
            found = fact;
        }
    }
    return found;
}

static sync_status difference(const struct sync_route *route, void *entity,
                              struct sync_effects *ret_effects, struct sync_error *err)
{
    (void)route;
    (void)err;
    struct status_state *state = entity;
    if (state->mapping != STATUS_MAPPED || state->gate != STATUS_VISIBLE) {
        return SYNC_OK;
    }
    if (state->purged) {
        dialog_tell_deleted(ret_effects, state, fact_earliest(state, STATUS_PURGED_BY_OWNER));
        return SYNC_OK;
    }
    if (state->read) {
        dialog_tell_opened(ret_effects, state, fact_earliest(state, STATUS_READ));
    }
    if (state->confirmed) {
        dialog_tell_confirmed(ret_effects, state, fact_earliest(state, STATUS_CONFIRMED));
    }
    dialog_tell_label(ret_effects, state, NULL);
    return SYNC_OK;
}

/* Descriptor. */

static const char *const systems[] = {"ALTINN2", "ALTINN3", NULL};
static const char *const modes[] = {"LIVE", "HISTORY", NULL};

#define AT(member) offsetof(struct status_change, member)

static const struct sync_field fields[] = {
    {"source.system", SYNC_FIELD_ENUM, AT(source.system), SYNC_FIELD_REQUIRED, systems, 0},
    {"source.stream", SYNC_FIELD_TEXT, AT(source.stream), SYNC_FIELD_REQUIRED, NULL,
     STREAM_SIZE_MAX},
    {"source.sequence", SYNC_FIELD_LONG, AT(source.sequence), SYNC_FIELD_REQUIRED, NULL, 0},
    {"origin", SYNC_FIELD_PRESENCE, AT(has_origin), SYNC_FIELD_REQUIRED, NULL, 0},
    {"origin.system", SYNC_FIELD_ENUM, AT(origin.system), SYNC_FIELD_REQUIRED, systems, 0},
    {"origin.stream", SYNC_FIELD_TEXT, AT(origin.stream), SYNC_FIELD_REQUIRED, NULL,
     STREAM_SIZE_MAX},
    {"origin.sequence", SYNC_FIELD_LONG, AT(origin.sequence), SYNC_FIELD_REQUIRED, NULL, 0},
    {"altinn2_id", SYNC_FIELD_INT, AT(altinn2_id), AT(has_altinn2_id), NULL, 0},
    {"altinn3_id", SYNC_FIELD_UUID, AT(altinn3_id), AT(has_altinn3_id), NULL, 0},
    {"mode", SYNC_FIELD_ENUM, AT(mode), SYNC_FIELD_REQUIRED, modes, 0},
    {"captured_at_us", SYNC_FIELD_LONG, AT(captured_at_us), SYNC_FIELD_REQUIRED, NULL, 0},
    {"written_by_sync", SYNC_FIELD_BOOL, AT(written_by_sync), SYNC_FIELD_REQUIRED, NULL, 0},
    {"kind", SYNC_FIELD_INT, AT(kind), SYNC_FIELD_REQUIRED, NULL, 0},
    {"occurred_at_us", SYNC_FIELD_LONG, AT(occurred_at_us), SYNC_FIELD_REQUIRED, NULL, 0},
    {"party_uuid", SYNC_FIELD_UUID, AT(party), SYNC_FIELD_REQUIRED, NULL, 0},
    {"user_uuid", SYNC_FIELD_UUID, AT(user), AT(has_user), NULL, 0},
    {"altinn2_party_id", SYNC_FIELD_INT, AT(altinn2_party_id), AT(has_altinn2_party), NULL, 0},
};

static const struct sync_input from_altinn2[] = {
    {"altinn2.correspondence-status.v1", SYNC_SYSTEM_ALTINN2}};
static const struct sync_input from_altinn3[] = {
    {"altinn3.correspondence-status.v1", SYNC_SYSTEM_ALTINN3}};
static const char *const bridge[] = {"altinn2", NULL};

static const struct sync_route routes[] = {
    {"status-to-altinn3", from_altinn2, 1, SYNC_SYSTEM_ALTINN3, NULL, NULL},
    {"status-to-altinn2", from_altinn3, 1, SYNC_SYSTEM_ALTINN2, bridge, NULL},
};

static const struct sync_option options[] = {
    {"held_expected_age_s",
     "How long a change may wait for a message that is known but not migrated.", 1,
     366LL * 24 * 3600, 30LL * 24 * 3600, "s"},
    {"held_unknown_age_s", "How long a change may wait for a message that nobody has named.", 1,
     366LL * 24 * 3600, 24LL * 3600, "s"},
};

static const struct sync_hold_limit hold_limits[] = {
    {"CS-13", "CS-15", "held_expected_age_s", SYNC_CODE_HELD_TOO_LONG,
     "The message was not migrated in the time that its changes may wait."},
    {"CS-14", "CS-16", "held_unknown_age_s", SYNC_CODE_HELD_TOO_LONG,
     "Nobody named the message in the time that its changes may wait."},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

const struct sync_processor sync_processor_correspondence_status = {
    .name = "correspondence-status",
    .purpose = "Keeps what happened to a message equal in Altinn 2 and Altinn 3.",
    .schema = "no.altinn.sync.StatusChange",
    .home = "correspondence",
    .fields = fields,
    .field_count = COUNT_OF(fields),
    .routes = routes,
    .route_count = COUNT_OF(routes),
    .rules = rules,
    .rule_count = RULE_COUNT,
    .options = options,
    .option_count = COUNT_OF(options),
    .store = "correspondence",
    .unreadable_rule = "CS-01",
    .hold_limits = hold_limits,
    .hold_limit_count = COUNT_OF(hold_limits),
    .any_order = true,
    .change_size = sizeof(struct status_change),
    .state_size = sizeof(struct status_state),
    .event = event,
    .key = key,
    .intake = intake,
    .fold = fold,
    .difference = difference,
};
