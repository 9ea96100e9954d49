/* The model of two sides, two topics and the bridge. Not here: orders to try, the reference of the
 * end. */
#include "world_parts.h"

#include <stdio.h>

#define SECOND_US     1000000LL
#define APPENDED_US   ((WORLD_BASE_S + 100) * SECOND_US)
#define FLIPPED_US    ((WORLD_BASE_S + 150) * SECOND_US)
#define DECIDED_US    ((WORLD_BASE_S + 200) * SECOND_US)
#define EXPIRY_US     ((WORLD_BASE_S + 86400) * SECOND_US)
#define ECHO_WINDOW_S 2

enum { P, Q, S };

/* Neighbouring seconds and swapped parties, so that a shifted echo lands on the key of another
 * change. */
const struct world_change world_changes[WORLD_CHANGES] = {
    {"A2 READ P", true, {STATUS_READ, P, 1}},
    {"A2 CONFIRMED P", true, {STATUS_CONFIRMED, P, 3}},
    {"A2 ARCHIVED P", true, {STATUS_ARCHIVED, P, 1}},
    {"A2 SOFT_DELETED s1", true, {STATUS_SOFT_DELETED, P, 1}},
    {"A2 SOFT_DELETED s3", true, {STATUS_SOFT_DELETED, P, 3}},
    {"A2 RESTORED s2", true, {STATUS_RESTORED, P, 2}},
    {"A2 PURGED_BY_OWNER", true, {STATUS_PURGED_BY_OWNER, S, 2}},
    {"A3 READ P", false, {STATUS_READ, P, 1}},
    {"A3 READ Q", false, {STATUS_READ, Q, 2}},
    {"A3 CONFIRMED Q", false, {STATUS_CONFIRMED, Q, 2}},
    {"A3 SOFT_DELETED s2", false, {STATUS_SOFT_DELETED, P, 2}},
    {"A3 PURGED_BY_RECIPIENT", false, {STATUS_PURGED_BY_RECIPIENT, P, 3}},
};

static const struct sync_processor *const processor = &sync_processor_correspondence_status;
static const struct sync_uuid message_id = {{0x7c, 0x9e}};

bool world_broken(struct world_fault *fault, const char *what, const char *detail)
{
    (void)snprintf(fault->text, sizeof fault->text, "%s%s%.100s", what, detail[0] ? ": " : "",
                   detail);
    return false;
}

const char *world_change_name(int change)
{
    return world_changes[change].name;
}

const char *world_plant_name(enum world_plant plant)
{
    static const char *const names[WORLD_PLANTS] = {
        "none",
        "label from the last event",
        "purge forgotten by the store",
        "look-up that misses known facts",
        "tolerance instead of floor",
        "no expected echo",
        "queued taken as held",
        "done call forgotten",
        "dialog not skipped after a purge",
        "flip without telling the dialog",
        "held record lost",
    };
    return names[plant];
}

static bool key_equal(struct world_key a, struct world_key b)
{
    return a.kind == b.kind && a.party == b.party && a.second == b.second;
}

int world_key_find(const struct world_model *model, struct world_key key)
{
    for (size_t i = 0; i < model->key_count; i++) {
        if (key_equal(model->keys[i], key)) {
            return (int)i;
        }
    }
    return -1;
}

static int key_add(struct world_model *model, struct world_key key)
{
    int found = world_key_find(model, key);
    if (found >= 0) {
        return found;
    }
    SYNC_ASSERT(model->key_count < WORLD_KEYS_MAX);
    model->keys[model->key_count] = key;
    return (int)model->key_count++;
}

/* The key under which Altinn 2 reports a call that was made from this key. */
static struct world_key echo_of(enum world_echo echo, struct world_key key)
{
    bool shift = echo == WORLD_ECHO_SECOND || echo == WORLD_ECHO_BOTH || echo == WORLD_ECHO_ORIGIN;
    bool party = echo == WORLD_ECHO_PARTY || echo == WORLD_ECHO_BOTH || echo == WORLD_ECHO_ORIGIN;
    key.second += shift ? 1 : 0;
    if (party) {
        key.party = key.party == P ? Q : P;
        key.kind = key.kind == STATUS_PURGED_BY_RECIPIENT ? STATUS_PURGED_BY_OWNER : key.kind;
    }
    return key;
}

bool world_has_call(uint16_t set)
{
    for (int i = 0; i < WORLD_CHANGES; i++) {
        if ((set >> i & 1) != 0 && !world_changes[i].altinn2 &&
            status_call_name(world_changes[i].key.kind) != NULL) {
            return true;
        }
    }
    return false;
}

void world_model_init(struct world_model *model, uint16_t set, int extra, enum world_echo echo)
{
    *model = (struct world_model){.set = set, .extra = extra, .echo = echo};
    for (int i = 0; i < WORLD_CHANGES; i++) {
        model->change_key[i] = -1;
        if ((set >> i & 1) == 0) {
            continue;
        }
        model->change_key[i] = key_add(model, world_changes[i].key);
        if (!world_changes[i].altinn2 && status_call_name(world_changes[i].key.kind) != NULL) {
            (void)key_add(model, echo_of(echo, world_changes[i].key));
        }
    }
}

static struct sync_uuid party_of(int party)
{
    return (struct sync_uuid){{(uint8_t)(party + 1)}};
}

void world_init(const struct world_model *model, struct world *ret_world)
{
    *ret_world = (struct world){.extra_left = model->extra};
    bool visible = model->start == WORLD_VISIBLE;
    bool mapped = model->start != WORLD_UNMAPPED;
    ret_world->altinn3_visible = visible;
    ret_world->dialog_label = STATUS_LABEL_DEFAULT;
    ret_world->state = (struct status_state){
        .altinn2_id = 7001,
        .mapping = mapped ? STATUS_MAPPED : STATUS_UNKNOWN,
        .has_altinn3_id = mapped,
        .altinn3_id = message_id,
        .gate = visible ? STATUS_VISIBLE : STATUS_HIDDEN,
        .visible_at_us = STATUS_NEVER,
        .max_soft_deleted = STATUS_NEVER,
        .max_restored = STATUS_NEVER,
        .max_archived = STATUS_NEVER,
        .dlg_label = visible ? STATUS_LABEL_DEFAULT : STATUS_LABEL_UNKNOWN,
        .confirmation_needed = true,
        .a3_present = true,
        .init_us = (WORLD_BASE_S - 1000) * SECOND_US,
        .fact_count = model->key_count,
        .fact_capacity = model->key_count,
    };
    for (size_t i = 0; i < model->key_count; i++) {
        ret_world->facts[i] = (struct status_fact){.kind = model->keys[i].kind,
                                                   .party = party_of(model->keys[i].party),
                                                   .second = WORLD_BASE_S + model->keys[i].second,
                                                   .echo_until_us = STATUS_NEVER};
    }
}

/* The store: writes what a decision marked. */
static bool store(struct world_deciding *d)
{
    struct world *w = d->world;
    for (size_t i = 0; i < d->model->key_count; i++) {
        struct status_fact *fact = &w->facts[i];
        if (fact->write_row && fact->a3_row) {
            return world_broken(d->fault, "a row was written that Altinn 3 has", "");
        }
        for (size_t j = 0; fact->write_purge && j < d->model->key_count; j++) {
            if ((w->rows >> j & 1) != 0 && status_kind_is_purge(d->model->keys[j].kind)) {
                return world_broken(d->fault, "a message was purged twice", "");
            }
        }
        w->rows |= fact->write_row ? 1U << i : 0;
        fact->insert = fact->update = fact->write_row = fact->write_purge = false;
    }
    if (d->model->plant == WORLD_PLANT_PURGE_FORGOTTEN) {
        w->state.purged = false;
    }
    if (d->model->plant == WORLD_PLANT_LABEL_FROM_LAST_EVENT && d->key >= 0) {
        int32_t kind = d->model->keys[d->key].kind;
        w->state.max_restored = kind == STATUS_SOFT_DELETED ? STATUS_NEVER : w->state.max_restored;
        w->state.max_soft_deleted =
            kind == STATUS_RESTORED ? STATUS_NEVER : w->state.max_soft_deleted;
    }
    return true;
}

static struct status_change change_of(const struct world_deciding *d, bool altinn2)
{
    const struct world_key *key = &d->model->keys[d->key];
    return (struct status_change){
        .source = {altinn2 ? 0 : 1, sync_bytes_text("sim.1"), 1},
        .has_origin = d->echo && d->model->echo == WORLD_ECHO_ORIGIN,
        .origin = {altinn2 ? 1 : 0, sync_bytes_text("sim.1"), 1},
        .has_altinn2_id = true,
        .altinn2_id = 7001,
        .has_altinn3_id = !altinn2,
        .altinn3_id = message_id,
        .mode = STATUS_LIVE,
        .kind = key->kind,
        .occurred_at_us = (WORLD_BASE_S + key->second) * SECOND_US + (altinn2 ? 120000 : 480000),
        .party = party_of(key->party),
    };
}

/* Decides one record on the state as it is. */
static bool decide(struct world_deciding *d, bool altinn2, bool released,
                   struct sync_fold *ret_fold)
{
    const struct sync_route *route = &processor->routes[altinn2 ? 0 : 1];
    struct status_change change = change_of(d, altinn2);
    struct sync_context ctx = {.appended_us = APPENDED_US,
                               .decided_us = released ? DECIDED_US : APPENDED_US,
                               .topic_system = route->inputs[0].from,
                               .key = sync_bytes_text("7001"),
                               .released = released};
    struct sync_effects effects;
    struct sync_error err = {.text = ""};
    effects.count = 0;
    d->altinn2 = altinn2;
    d->was_purged = d->world->state.purged;
    if (processor->intake(route, &change, &ctx, ret_fold)) {
        return world_broken(d->fault, "the intake ended a good record", ret_fold->rule);
    }
    if (!sync_is_ok(
            processor->fold(route, &d->world->state, &change, &ctx, ret_fold, &effects, &err))) {
        return world_broken(d->fault, "the fold failed", err.text);
    }
    d->fault->rule = ret_fold->rule;
    return world_effects_take(d, &effects) && store(d);
}

/* Step 6 of a batch: what Altinn 3 has is imported. */
static bool import_rows(struct world_deciding *d, bool purges_only)
{
    struct sync_effects effects;
    struct sync_error err = {.text = ""};
    for (size_t i = 0; i < d->model->key_count; i++) {
        bool wanted = !purges_only || status_kind_is_purge(d->model->keys[i].kind);
        if (!wanted || (d->world->rows >> i & 1) == 0 || d->world->facts[i].known) {
            continue;
        }
        struct status_row row = {.kind = d->model->keys[i].kind,
                                 .party = party_of(d->model->keys[i].party),
                                 .occurred_at_us =
                                     (WORLD_BASE_S + d->model->keys[i].second) * SECOND_US};
        effects.count = 0;
        d->was_purged = d->world->state.purged;
        if (!sync_is_ok(status_import(&d->world->state, &row, DECIDED_US, &effects, &err))) {
            return world_broken(d->fault, "the import failed", err.text);
        }
        if (!world_effects_take(d, &effects) || !store(d)) {
            return false;
        }
    }
    return true;
}

static bool tell_difference(struct world_deciding *d)
{
    struct sync_effects effects;
    struct sync_error err = {.text = ""};
    effects.count = 0;
    d->was_purged = d->world->state.purged;
    if (!sync_is_ok(
            processor->difference(&processor->routes[0], &d->world->state, &effects, &err))) {
        return world_broken(d->fault, "the difference failed", err.text);
    }
    return world_effects_take(d, &effects);
}

/* CS-102: Altinn 3's own endpoint made the message visible. */
bool world_notice_flip(struct world_deciding *d)
{
    if (!d->world->altinn3_visible || d->world->state.gate == STATUS_VISIBLE) {
        return true;
    }
    if (!import_rows(d, false)) {
        return false;
    }
    status_flip(&d->world->state, FLIPPED_US);
    return d->model->plant == WORLD_PLANT_FLIP_UNTOLD || tell_difference(d);
}

/* Answers of the look-up; they stay as they are until the batch ends. */
static void look_up(const struct world_model *model, struct world *w)
{
    for (size_t i = 0; i < model->key_count; i++) {
        struct status_fact *fact = &w->facts[i];
        fact->a3_row = (w->rows >> i & 1) != 0;
        fact->echo_until_us = STATUS_NEVER;
        for (size_t j = 0; j < model->key_count; j++) {
            int64_t apart = model->keys[i].second - model->keys[j].second;
            bool near = apart >= -ECHO_WINDOW_S && apart <= ECHO_WINDOW_S;
            if ((w->expected >> j & 1) != 0 && near && model->keys[i].kind == model->keys[j].kind) {
                fact->echo_until_us = EXPIRY_US;
            }
            bool same = model->keys[i].kind == model->keys[j].kind &&
                        model->keys[i].party == model->keys[j].party;
            if (model->plant == WORLD_PLANT_TOLERANCE && same && apart >= -1 && apart <= 1) {
                fact->known = fact->known || w->facts[j].known;
            }
        }
        if (model->plant == WORLD_PLANT_STALE_LOOK_UP) {
            fact->known = false;
        }
    }
}

static bool batch_begin(struct world_deciding *d, enum world_topic topic)
{
    d->world->batch = topic;
    if (topic == WORLD_TOPIC_ALTINN3) {
        look_up(d->model, d->world);
        return true;
    }
    int key = d->key;
    d->key = -1;
    bool good = world_notice_flip(d) && import_rows(d, true);
    d->key = key;
    look_up(d->model, d->world);
    return good;
}

void world_batch_end(const struct world_model *model, struct world *w)
{
    w->batch = WORLD_NO_BATCH;
    w->batch_purge = false;
    for (size_t i = 0; i < model->key_count; i++) {
        w->facts[i].a3_row = false;
        w->facts[i].echo_until_us = STATUS_NEVER;
    }
}

/* A record in the open batch, or in a new one. A message that is not mapped holds it. */
static bool take_record(struct world_deciding *d, bool altinn2, int change)
{
    struct world *w = d->world;
    struct sync_fold fold;
    bool mapped = w->state.mapping == STATUS_MAPPED;
    if (mapped && w->batch == WORLD_NO_BATCH &&
        !batch_begin(d, altinn2 ? WORLD_TOPIC_ALTINN2 : WORLD_TOPIC_ALTINN3)) {
        return false;
    }
    if (altinn2 && status_kind_is_purge(d->model->keys[d->key].kind)) {
        w->batch_purge = w->batch != WORLD_NO_BATCH;
    }
    if (!decide(d, altinn2, false, &fold)) {
        return false;
    }
    if (fold.outcome == SYNC_OUTCOME_PARKED || (fold.outcome == SYNC_OUTCOME_HELD) == mapped) {
        return world_broken(d->fault, "an outcome that this world does not know", fold.rule);
    }
    if (!mapped) {
        int side = altinn2 ? 0 : 1;
        SYNC_ASSERT(w->held_count[side] < WORLD_HELD_MAX);
        w->held[side][w->held_count[side]++] = (uint8_t)change;
    }
    return true;
}

/* CS-18: mapping, import, release and the dialog in one transaction. */
static bool adopt(struct world_deciding *d)
{
    struct world *w = d->world;
    struct sync_fold fold;
    status_adopt(&w->state, &message_id, !w->altinn3_visible, DECIDED_US);
    if (!import_rows(d, false)) {
        return false;
    }
    look_up(d->model, w);
    for (int side = 0; side < 2; side++) {
        int lost = d->model->plant == WORLD_PLANT_HELD_LOST ? 1 : 0;
        for (int i = 0; i < w->held_count[side] - lost; i++) {
            d->key = d->model->change_key[w->held[side][i]];
            if (!decide(d, side == 0, true, &fold)) {
                return false;
            }
        }
        w->held_count[side] = 0;
    }
    d->key = -1;
    bool good = tell_difference(d);
    world_batch_end(d->model, w);
    return good;
}

/* A person acts in Altinn 3; the application keeps its own dialog. */
static void act(const struct world_model *model, struct world *w, int change)
{
    w->committed |= (uint16_t)(1U << change);
    w->rows |= 1U << model->change_key[change];
    bool purge = status_kind_is_purge(world_changes[change].key.kind);
    w->batch_purge = w->batch_purge || (purge && w->batch == WORLD_TOPIC_ALTINN2);
    if (w->altinn3_visible) {
        int32_t kind = world_changes[change].key.kind;
        w->dialog_deleted = w->dialog_deleted || purge;
        w->dialog_opened = w->dialog_opened || kind == STATUS_READ;
        w->dialog_confirmed = w->dialog_confirmed || kind == STATUS_CONFIRMED;
        w->dialog_label = kind == STATUS_SOFT_DELETED ? STATUS_LABEL_BIN : w->dialog_label;
    }
}

/* CS-51, then the expectation, then the request, which the bridge applies at once. */
static void call_send(const struct world_model *model, struct world *w, int n)
{
    const int32_t flags[] = {w->state.a2_read, w->state.a2_confirmed, w->state.a2_deleted};
    bool queued_is_held = model->plant == WORLD_PLANT_QUEUED_TAKEN_AS_HELD;
    if (flags[n] == STATUS_FLAG_HELD || w->state.a2_deleted == STATUS_FLAG_HELD || queued_is_held) {
        w->calls[n].state = WORLD_CALL_SKIPPED;
        return;
    }
    w->calls[n].state = WORLD_CALL_SENT;
    w->calls[n].echo_waiting = model->echo != WORLD_ECHO_NONE;
    if (n < 2 && model->plant != WORLD_PLANT_NO_EXPECTED_ECHO) {
        w->expected |= 1U << w->calls[n].key;
    }
}

/* CS-50. */
static void call_answer(const struct world_model *model, struct world *w, int n)
{
    w->calls[n].state = WORLD_CALL_DONE;
    w->facts[w->calls[n].key].in_a2 = true;
    int32_t *flag = status_flag_of(&w->state, model->keys[w->calls[n].key].kind);
    *flag = STATUS_FLAG_HELD;
    if (model->plant == WORLD_PLANT_DONE_FORGOTTEN) {
        *flag = STATUS_FLAG_NO;
        w->calls[n].state = WORLD_CALL_NONE;
        w->call_count = 0;
    }
}

static bool has_row(const struct world_model *model, const struct world *w, int32_t kind)
{
    bool there = false;
    for (size_t i = 0; i < model->key_count; i++) {
        there = there || ((w->rows >> i & 1) != 0 && model->keys[i].kind == kind);
    }
    return there;
}

static bool has_purge_row(const struct world_model *model, const struct world *w)
{
    return has_row(model, w, STATUS_PURGED_BY_RECIPIENT) ||
           has_row(model, w, STATUS_PURGED_BY_OWNER);
}

/*
 * The application's own endpoint makes a dialog from its rows, but none for a message that is
 * purged by then. Of the label it knows nothing: the worst that it can do.
 */
static void flip(const struct world_model *model, struct world *w)
{
    w->altinn3_visible = true;
    w->dialog_label = STATUS_LABEL_DEFAULT;
    w->dialog_deleted = has_purge_row(model, w);
    w->dialog_opened = has_row(model, w, STATUS_READ);
    w->dialog_confirmed = has_row(model, w, STATUS_CONFIRMED);
}

/* The sender of the dialog looks for a purge first and reads the derived label when it sends. */
bool world_dialog_send(const struct world_model *model, struct world *w, struct world_fault *fault)
{
    bool purged = has_purge_row(model, w);
    bool tell = w->waiting_opened || w->waiting_confirmed || w->waiting_label;
    w->dialog_opened = w->dialog_opened || (w->waiting_opened && !purged);
    w->dialog_confirmed = w->dialog_confirmed || (w->waiting_confirmed && !purged);
    w->waiting_opened = w->waiting_confirmed = false;
    if (tell && w->state.purged) {
        return world_broken(fault, "a dialog effect still waits after a purge", "");
    }
    if (w->waiting_label && !purged) {
        w->dialog_label = (int)status_label_of(&w->state);
    }
    w->waiting_label = false;
    w->dialog_deleted = w->dialog_deleted || w->waiting_deleted;
    w->waiting_deleted = false;
    return true;
}

static bool take_echo(struct world_deciding *d, int n)
{
    struct world *w = d->world;
    struct world_key key = echo_of(d->model->echo, d->model->keys[w->calls[n].key]);
    d->key = world_key_find(d->model, key);
    d->echo = true;
    w->extra_left -= w->calls[n].echo_waiting ? 0 : 1;
    w->calls[n].echo_waiting = false;
    w->calls[n].echo_seen = true;
    if (d->model->echo != WORLD_ECHO_ORIGIN) {
        w->reported |= 1U << d->key;
    }
    return take_record(d, true, -1);
}

bool world_take(const struct world_model *model, struct world *world, struct world_step step,
                struct world_fault *ret_fault)
{
    struct world_deciding d = {.model = model, .world = world, .fault = ret_fault, .key = -1};
    world->state.facts = world->facts;
    ret_fault->rule = "";
    switch ((enum world_op)step.op) {
    case WORLD_ACT:
        act(model, world, step.argument);
        return true;
    case WORLD_RECORD:
        world->extra_left -= world->delivered >> step.argument & 1;
        world->delivered |= (uint16_t)(1U << step.argument);
        d.key = model->change_key[step.argument];
        return take_record(&d, world_changes[step.argument].altinn2, step.argument);
    case WORLD_ECHOED:
        return take_echo(&d, step.argument);
    case WORLD_COMMIT:
        world_batch_end(model, world);
        return true;
    case WORLD_FLIP:
        flip(model, world);
        return true;
    case WORLD_ADOPT:
        return adopt(&d);
    case WORLD_SEND:
        call_send(model, world, step.argument);
        return true;
    case WORLD_ANSWER:
        call_answer(model, world, step.argument);
        return true;
    case WORLD_DIALOG:
        return world_dialog_send(model, world, ret_fault);
    }
    return world_broken(ret_fault, "a step that does not exist", "");
}

static size_t add(struct world_step *steps, size_t count, enum world_op op, int argument)
{
    SYNC_ASSERT(count < WORLD_STEPS_MAX);
    steps[count] = (struct world_step){(uint8_t)op, (uint8_t)argument};
    return count + 1;
}

static bool purge_is_free(const struct world *w, int32_t kind)
{
    return !w->batch_purge || !status_kind_is_purge(kind);
}

static size_t steps_records(const struct world_model *model, const struct world *w,
                            struct world_step *steps, size_t count)
{
    for (int i = 0; i < WORLD_CHANGES; i++) {
        enum world_topic topic =
            world_changes[i].altinn2 ? WORLD_TOPIC_ALTINN2 : WORLD_TOPIC_ALTINN3;
        bool there = world_changes[i].altinn2 || (w->committed >> i & 1) != 0;
        bool open = w->batch == WORLD_NO_BATCH || w->batch == topic;
        bool again = (w->delivered >> i & 1) != 0;
        if ((model->set >> i & 1) != 0 && there && open && (!again || w->extra_left > 0) &&
            purge_is_free(w, world_changes[i].key.kind)) {
            count = add(steps, count, WORLD_RECORD, i);
        }
    }
    for (int n = 0; n < 3 && w->batch != WORLD_TOPIC_ALTINN3; n++) {
        bool again = w->calls[n].echo_seen && w->extra_left > 0;
        if ((w->calls[n].echo_waiting || again) &&
            purge_is_free(w, model->keys[w->calls[n].key].kind)) {
            count = add(steps, count, WORLD_ECHOED, n);
        }
    }
    return count;
}

static size_t steps_senders(const struct world *w, struct world_step *steps, size_t count)
{
    for (int i = 0; i < w->call_count; i++) {
        int n = w->call_order[i];
        if (w->calls[n].state == WORLD_CALL_WAITING || w->calls[n].state == WORLD_CALL_SENT) {
            bool waiting = w->calls[n].state == WORLD_CALL_WAITING;
            count = add(steps, count, waiting ? WORLD_SEND : WORLD_ANSWER, n);
            break;
        }
    }
    /* When the others leave makes no difference; a label is what is derived when it leaves. */
    if (w->waiting_label) {
        count = add(steps, count, WORLD_DIALOG, 0);
    }
    return count;
}

size_t world_steps(const struct world_model *model, const struct world *world,
                   struct world_step ret_steps[WORLD_STEPS_MAX])
{
    size_t count = steps_records(model, world, ret_steps, 0);
    /* A batch on Altinn 3's own topic looks nothing up, so an act beside it is an act before or
     * after it. */
    for (int i = 0; i < WORLD_CHANGES && world->batch != WORLD_TOPIC_ALTINN3; i++) {
        bool to_come = !world_changes[i].altinn2 && (model->set >> i & 1) != 0 &&
                       (world->committed >> i & 1) == 0;
        if (to_come && purge_is_free(world, world_changes[i].key.kind)) {
            count = add(ret_steps, count, WORLD_ACT, i);
        }
    }
    if (world->batch != WORLD_NO_BATCH) {
        return add(ret_steps, count, WORLD_COMMIT, 0);
    }
    if (!world->altinn3_visible) {
        count = add(ret_steps, count, WORLD_FLIP, 0);
    }
    if (world->state.mapping != STATUS_MAPPED) {
        return add(ret_steps, count, WORLD_ADOPT, 0);
    }
    return steps_senders(world, ret_steps, count);
}

void world_copy(const struct world_model *model, const struct world *world, struct world *ret_copy)
{
    size_t used = offsetof(struct world, facts) + model->key_count * sizeof world->facts[0];
    memcpy(ret_copy, world, used);
}

bool world_is_end(const struct world_model *model, const struct world *world)
{
    if (world->delivered != model->set || world->batch != WORLD_NO_BATCH ||
        world->state.mapping != STATUS_MAPPED) {
        return false;
    }
    for (int n = 0; n < 3; n++) {
        enum world_call call = world->calls[n].state;
        if (call == WORLD_CALL_WAITING || call == WORLD_CALL_SENT || world->calls[n].echo_waiting) {
            return false;
        }
    }
    return true;
}

void world_describe(struct world_step step, char *ret_text, size_t capacity)
{
    static const char *const calls[] = {"read", "confirm", "delete"};
    switch ((enum world_op)step.op) {
    case WORLD_ACT:
        (void)snprintf(ret_text, capacity, "a person acts: %s", world_changes[step.argument].name);
        return;
    case WORLD_RECORD:
        (void)snprintf(ret_text, capacity, "record: %s", world_changes[step.argument].name);
        return;
    case WORLD_ECHOED:
        (void)snprintf(ret_text, capacity, "record: Altinn 2 reports our call %s",
                       calls[step.argument]);
        return;
    case WORLD_COMMIT:
        (void)snprintf(ret_text, capacity, "the batch commits");
        return;
    case WORLD_FLIP:
        (void)snprintf(ret_text, capacity, "Altinn 3 makes the message visible");
        return;
    case WORLD_ADOPT:
        (void)snprintf(ret_text, capacity, "the message is adopted, held records are released");
        return;
    case WORLD_SEND:
        (void)snprintf(ret_text, capacity, "the sender takes the call %s", calls[step.argument]);
        return;
    case WORLD_ANSWER:
        (void)snprintf(ret_text, capacity, "the bridge answers 200 to %s", calls[step.argument]);
        return;
    case WORLD_DIALOG:
        (void)snprintf(ret_text, capacity, "the dialog sender sends what waits");
        return;
    }
}
