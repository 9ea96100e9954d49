/* Judges an end, and packs a state. Not here: the reference itself (oracle.c). */
#include "world_parts.h"

#include "oracle.h"

static size_t acts_of(const struct world_model *model, const struct world *w,
                      struct oracle_act *acts)
{
    for (size_t i = 0; i < model->key_count; i++) {
        acts[i] = (struct oracle_act){.kind = model->keys[i].kind,
                                      .second = (long)model->keys[i].second,
                                      .in_altinn2 = (w->reported >> i & 1) != 0,
                                      .row = (w->rows >> i & 1) != 0};
        for (int c = 0; c < WORLD_CHANGES; c++) {
            acts[i].in_altinn2 =
                acts[i].in_altinn2 || (world_changes[c].altinn2 && model->change_key[c] == (int)i);
        }
    }
    return model->key_count;
}

/* The set holds what happened and what Altinn 2 reported, no less and no more. */
static bool check_set(const struct world_model *model, const struct world *w,
                      struct world_fault *fault)
{
    struct oracle_act acts[WORLD_KEYS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < model->key_count; i++) {
        bool happened = (w->reported >> i & 1) != 0;
        for (int c = 0; c < WORLD_CHANGES; c++) {
            happened = happened || model->change_key[c] == (int)i;
        }
        if (happened != w->facts[i].known) {
            return world_broken(fault, happened ? "a fact was lost" : "a fact was made up", "");
        }
        if (happened) {
            acts[count++] = (struct oracle_act){.kind = model->keys[i].kind,
                                                .second = (long)model->keys[i].second};
        }
    }
    struct oracle_state want = oracle_fold(acts, count);
    static const char labels[] = {[STATUS_LABEL_NONE] = '-',
                                  [STATUS_LABEL_DEFAULT] = 'D',
                                  [STATUS_LABEL_BIN] = 'B',
                                  [STATUS_LABEL_ARCHIVE] = 'A'};
    const struct status_state *have = &w->state;
    if (have->read != want.read || have->confirmed != want.confirmed ||
        have->archived != want.archived || have->purged != want.purged ||
        labels[status_label_of(have)] != want.label) {
        return world_broken(fault, "the derived state is not that of the set", "");
    }
    return true;
}

/* Whatever the outcome: Altinn 2 is known to hold what it reported. */
static bool check_held(const struct world_model *model, struct world *w, struct world_fault *fault)
{
    for (int c = 0; c < WORLD_CHANGES; c++) {
        if (model->change_key[c] < 0 || !world_changes[c].altinn2) {
            continue;
        }
        const int32_t *flag = status_flag_of(&w->state, world_changes[c].key.kind);
        if (!w->facts[model->change_key[c]].in_a2 || (flag != NULL && *flag != STATUS_FLAG_HELD)) {
            return world_broken(fault, "what Altinn 2 reported is not known to be there",
                                world_changes[c].name);
        }
    }
    return true;
}

static bool check_dialog(const struct world *w, struct world_fault *fault)
{
    if (w->state.gate != STATUS_VISIBLE) {
        return true;
    }
    if (w->state.purged) {
        return w->dialog_deleted ||
               world_broken(fault, "D3: the dialog of a purged message lives", "");
    }
    if ((w->state.read && !w->dialog_opened) || (w->state.confirmed && !w->dialog_confirmed)) {
        return world_broken(fault, "D3: the dialog was not told of a read or a confirmation", "");
    }
    if (w->dialog_label != (int)status_label_of(&w->state)) {
        return world_broken(fault, "D3: the dialog does not show the derived label", "");
    }
    return true;
}

/* A second run of the same input changes nothing. */
static bool check_replay(const struct world_model *model, struct world *w,
                         struct world_fault *fault)
{
    struct world before = *w;
    struct world_fault ignored;
    uint8_t bytes[2][WORLD_PACKED_MAX];
    w->extra_left = before.extra_left = 0;
    for (int side = 0; side < 2; side++) {
        for (int c = 0; c < WORLD_CHANGES; c++) {
            if ((model->set >> c & 1) == 0 || world_changes[c].altinn2 != (side == 0)) {
                continue;
            }
            w->extra_left = 1;
            if (!world_take(model, w, (struct world_step){WORLD_RECORD, (uint8_t)c}, &ignored)) {
                return world_broken(fault, "in the second run", ignored.text);
            }
        }
        world_batch_end(model, w);
    }
    size_t size = world_pack(&before, bytes[0]);
    (void)world_pack(w, bytes[1]);
    return memcmp(bytes[0], bytes[1], size) == 0 ||
           world_broken(fault, "a second run of the same input changes something", "");
}

bool world_check_end(const struct world_model *model, struct world *world, size_t *ret_one_way,
                     struct world_fault *ret_fault)
{
    struct world_deciding d = {.model = model, .world = world, .fault = ret_fault, .key = -1};
    world->state.facts = world->facts;
    /* The next record of the message, whatever it is, brings the gate in line. */
    if (!world_notice_flip(&d) || !world_dialog_send(model, world, ret_fault)) {
        return false;
    }
    if (!check_set(model, world, ret_fault) || !check_held(model, world, ret_fault) ||
        !check_dialog(world, ret_fault)) {
        return false;
    }
    struct oracle_act acts[WORLD_KEYS_MAX];
    size_t count = acts_of(model, world, acts);
    struct oracle_calls calls = {.read = world->calls[0].state == WORLD_CALL_DONE,
                                 .confirmed = world->calls[1].state == WORLD_CALL_DONE,
                                 .deleted = world->calls[2].state == WORLD_CALL_DONE};
    const char *drift = oracle_drift(acts, count, &calls, ret_one_way);
    if (drift != NULL) {
        return world_broken(ret_fault, drift, "");
    }
    return check_replay(model, world, ret_fault);
}

uint64_t world_end_digest(const struct world_model *model, const struct world *world)
{
    uint64_t known = 0;
    for (int c = 0; c < WORLD_CHANGES; c++) {
        int key = model->change_key[c];
        known |= key >= 0 && world->facts[key].known ? (uint64_t)1 << key : 0;
    }
    const struct status_state *state = &world->state;
    uint64_t flags = (uint64_t)state->read | (uint64_t)state->confirmed << 1 |
                     (uint64_t)state->archived << 2 | (uint64_t)state->purged << 3 |
                     (uint64_t)status_label_of(state) << 4 | (uint64_t)state->gate << 8;
    return known | flags << 32;
}

static uint8_t *put(uint8_t *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        *out++ = (uint8_t)(value >> (8 * i));
    }
    return out;
}

static uint8_t *pack_state(const struct status_state *state, uint8_t *out)
{
    int64_t soft =
        state->max_soft_deleted == STATUS_NEVER ? 0 : state->max_soft_deleted - WORLD_BASE_S;
    int64_t restored = state->max_restored == STATUS_NEVER ? 0 : state->max_restored - WORLD_BASE_S;
    out = put(out,
              (uint64_t)(state->mapping | state->gate << 2 | state->a2_read << 4 |
                         state->a2_confirmed << 6),
              1);
    out = put(out,
              (uint64_t)(state->a2_deleted | state->dlg_label << 2 | state->dlg_opened << 5 |
                         state->dlg_confirmed << 6 | state->dlg_deleted << 7),
              1);
    out = put(
        out,
        (uint64_t)(state->read | state->confirmed << 1 | state->archived << 2 | state->purged << 3),
        1);
    return put(out, (uint64_t)(soft | restored << 4), 1);
}

static uint8_t *pack_facts(const struct world *w, uint8_t *out)
{
    uint32_t known = 0;
    uint32_t in_a2 = 0;
    uint32_t in_a3 = 0;
    uint32_t a3_row = 0;
    uint32_t expected = 0;
    for (size_t i = 0; i < w->state.fact_count; i++) {
        known |= (uint32_t)w->facts[i].known << i;
        in_a2 |= (uint32_t)w->facts[i].in_a2 << i;
        in_a3 |= (uint32_t)w->facts[i].in_a3 << i;
        a3_row |= (uint32_t)w->facts[i].a3_row << i;
        expected |= (uint32_t)(w->facts[i].echo_until_us != STATUS_NEVER) << i;
    }
    out = put(put(put(out, known, 3), in_a2, 3), in_a3, 3);
    return w->batch == WORLD_NO_BATCH ? out : put(put(out, a3_row, 3), expected, 3);
}

size_t world_pack(const struct world *world, uint8_t ret_bytes[WORLD_PACKED_MAX])
{
    const struct world *w = world;
    uint8_t *out = ret_bytes;
    out = put(
        out, (uint64_t)w->batch | (uint64_t)w->batch_purge << 2 | (uint64_t)w->altinn3_visible << 3,
        1);
    out = pack_facts(w, pack_state(&w->state, out));
    out = put(put(put(put(out, w->rows, 3), w->reported, 3), w->events, 3), w->expected, 3);
    out = put(put(put(out, w->committed, 2), w->delivered, 2), (uint64_t)w->extra_left, 1);
    for (int n = 0; n < 3; n++) {
        out = put(out,
                  (uint64_t)w->calls[n].state | (uint64_t)w->calls[n].echo_waiting << 3 |
                      (uint64_t)w->calls[n].echo_seen << 4,
                  1);
        out = put(out, (uint64_t)w->calls[n].key, 1);
    }
    for (int i = 0; i < w->call_count; i++) {
        out = put(out, (uint64_t)w->call_order[i], 1);
    }
    out = put(out,
              (uint64_t)w->event_purged | (uint64_t)w->waiting_opened << 1 |
                  (uint64_t)w->waiting_confirmed << 2 | (uint64_t)w->waiting_label << 3 |
                  (uint64_t)w->waiting_deleted << 4 | (uint64_t)w->told_opened << 5 |
                  (uint64_t)w->told_confirmed << 6 | (uint64_t)w->told_deleted << 7,
              1);
    out = put(out,
              (uint64_t)w->dialog_deleted | (uint64_t)w->dialog_opened << 1 |
                  (uint64_t)w->dialog_confirmed << 2 | (uint64_t)w->dialog_label << 3,
              1);
    for (int side = 0; side < 2; side++) {
        out = put(out, (uint64_t)w->held_count[side], 1);
        for (int i = 0; i < w->held_count[side]; i++) {
            out = put(out, w->held[side][i], 1);
        }
    }
    return (size_t)(out - ret_bytes);
}
