/*
 * One event on one key (section 5), and the rule that decided (6.2). What it writes down depends on
 * the event's own stream only, so that the order in which two sources come does not matter: do not
 * "improve" it with the other side's state. Not here: reading an event, comparing with the sides.
 */
#include "parts.h"

struct deciding {
    const struct delegation_state *state;
    struct delegation_key *key;
    const struct delegation_event *event;
    int lender;
    int rights[DELEGATION_RIGHTS_MAX]; /* of the event, as indexes of the key */
    /* before the event */
    uint64_t own, other;
    bool touched_every; /* a revoke, mark or scope lies under "*" */
    uint64_t touched;   /* … or under the right */
    /* found while deciding */
    enum delegation_rule rule;
    bool any, full;
    bool moved, gone, cut_every;
    uint64_t fresh; /* rights of which some part was not stale */
    uint64_t late;  /* DL-108 */
    uint64_t reported, unreported;
};

static void note(struct deciding *d, enum delegation_rule rule)
{
    d->rule = d->any ? delegation_rule_shown(d->rule, rule) : rule;
    d->any = true;
}

static void touch_row(struct deciding *d, struct delegation_ref *row)
{
    row->dirty = true;
    row->rule = NULL; /* named when the event is decided */
    row->performer = d->event->performer;
    d->moved = true;
}

static void touch_mark(struct deciding *d, struct delegation_mark *mark)
{
    mark->dirty = true;
    mark->rule = NULL;
    d->moved = true;
}

/* The event's rule, for what it moved. */
static void name_moved(struct deciding *d)
{
    const char *rule = delegation_rule_id(d->rule);
    for (size_t i = 0; d->moved && i < d->key->ref_count; i++) {
        struct delegation_ref *row = &d->key->refs[i];
        row->rule = row->rule == NULL ? rule : row->rule;
    }
    for (size_t i = 0; d->moved && i < d->key->mark_count; i++) {
        struct delegation_mark *mark = &d->key->marks[i];
        mark->rule = mark->rule == NULL ? rule : mark->rule;
    }
}

/* Below the order of the event that asks: said, or only echoed. */
static bool is_known_below(const struct delegation_ref *row, int64_t order)
{
    return row->op == DELEGATION_OP_NONE ? row->present_seq < order : row->seq < order;
}

static int64_t row_seq(const struct delegation_ref *row)
{
    return row == NULL || row->op == DELEGATION_OP_NONE ? DELEGATION_NEVER : row->seq;
}

static void presence_set(struct delegation_ref *row, int64_t order)
{
    if (order > row->present_seq) {
        row->present = true;
        row->present_seq = order;
    }
}

static void presence_clear(struct delegation_ref *row, int64_t order)
{
    if (order >= row->present_seq) {
        row->present = false;
        row->present_seq = order;
    }
}

static void mark_cut(struct deciding *d, int right, int64_t time_us)
{
    struct delegation_mark *mark = delegation_mark_slot(d->key, right, d->event->source);
    if (mark == NULL) {
        d->full = true;
        return;
    }
    if (time_us > mark->cut_time) {
        mark->cut_time = time_us;
        touch_mark(d, mark);
    }
}

/* DL-39: what the side no longer shows under a right ends with it. */
static void end_unshown(struct deciding *d, int right, int64_t order, int64_t time_us)
{
    int source = (int)d->event->source;
    for (size_t i = 0; i < d->key->ref_count; i++) {
        struct delegation_ref *row = &d->key->refs[i];
        if (row->right != right || row->source != source || row->op != DELEGATION_GRANT ||
            row->seq >= order) {
            continue;
        }
        row->op = DELEGATION_REVOKE;
        row->seq = order;
        row->revoke_time = delegation_later(row->revoke_time, time_us);
        presence_clear(row, order);
        touch_row(d, row);
        d->gone = true;
    }
}

/* Grants. */

/* Latest revoke that a weak stream knows of for this ref: its own, of all its rights, of all refs.
 */
static int64_t latest_revoke(const struct deciding *d, int right, const struct delegation_ref *row,
                             const struct delegation_ref *wild)
{
    int source = (int)d->event->source;
    const struct delegation_mark *one = delegation_mark_find(d->key, right, source);
    const struct delegation_mark *all =
        delegation_mark_find(d->key, delegation_every(d->key), source);
    int64_t latest = row == NULL ? DELEGATION_NEVER : row->revoke_time;
    latest = delegation_later(latest, wild == NULL ? DELEGATION_NEVER : wild->revoke_time);
    latest = delegation_later(latest, one == NULL ? DELEGATION_NEVER : one->all_time);
    return delegation_later(latest, all == NULL ? DELEGATION_NEVER : all->all_time);
}

/* DL-57: the whole ref was revoked before this right of it was known. */
static void complete_revoke(struct deciding *d, int right, struct delegation_ref *row,
                            const struct delegation_ref *wild)
{
    row->op = DELEGATION_REVOKE;
    row->seq = wild->seq;
    row->revoke_time = delegation_later(row->revoke_time, wild->revoke_time);
    row->human_time = delegation_later(row->human_time, wild->human_time);
    presence_clear(row, wild->seq);
    touch_row(d, row);
    if (delegation_shows(d->key, right, row->source, wild->seq)) {
        return;
    }
    end_unshown(d, right, wild->seq, wild->revoke_time);
    if (wild->human_time != DELEGATION_NEVER) {
        mark_cut(d, right, wild->human_time);
    }
}

static void native_add(struct delegation_ref *row, int64_t native_id)
{
    for (size_t i = 0; i < row->native_count; i++) {
        if (row->native_ids[i] == native_id) {
            return;
        }
    }
    if (row->native_count == DELEGATION_NATIVE_IDS_MAX) {
        memmove(row->native_ids, row->native_ids + 1, sizeof row->native_ids - sizeof(int64_t));
        row->native_count--;
    }
    row->native_ids[row->native_count++] = native_id;
}

static void grant_write(struct deciding *d, struct delegation_ref *row, bool source_active,
                        const char *a2_right)
{
    const struct delegation_event *event = d->event;
    row->op_time =
        source_active ? delegation_later(row->op_time, event->event_us) : event->event_us;
    row->op = DELEGATION_GRANT;
    row->seq = event->order;
    row->lender = (int16_t)d->lender;
    if (event->has_native_id) {
        native_add(row, event->native_id);
    }
    if (a2_right[0] != '\0') {
        memcpy(row->a2_right, a2_right, strlen(a2_right) + 1);
    }
    presence_set(row, event->order);
    touch_row(d, row);
}

/* 6.2: why a grant that was taken is not active. */
static enum delegation_rule judge_inactive(const struct deciding *d,
                                           const struct delegation_ref *row)
{
    int64_t sys_us = delegation_sys_cut(d->state, d->key, row);
    if (sys_us != DELEGATION_NEVER && (sys_us == INT64_MAX || row->op_time <= sys_us)) {
        return DL_26;
    }
    int other = row->source == DELEGATION_A2 ? DELEGATION_A3 : DELEGATION_A2;
    int64_t cut_us = delegation_cut_by(d->key, row->right, other);
    if (cut_us != DELEGATION_NEVER && row->op_time <= cut_us + d->state->tables->skew_us) {
        return DL_25;
    }
    return DL_28;
}

static enum delegation_rule judge_grant(const struct deciding *d, const struct delegation_ref *row,
                                        bool was_active)
{
    if (!delegation_is_active(d->state, d->key, row)) {
        return judge_inactive(d, row);
    }
    uint64_t bit = delegation_bit(row->right);
    if (was_active) {
        return DL_21;
    }
    if ((d->own & bit) != 0) {
        return DL_22;
    }
    if ((d->other & bit) != 0) {
        return DL_23;
    }
    bool scope = delegation_sys_cut(d->state, d->key, row) != DELEGATION_NEVER;
    return scope || d->touched_every || (d->touched & bit) != 0 ? DL_24 : DL_20;
}

static void grant_one(struct deciding *d, size_t index, const char *ref)
{
    const struct delegation_event *event = d->event;
    int right = d->rights[index];
    int source = (int)event->source;
    int64_t dead = delegation_dead(d->key, right, source);
    const struct delegation_ref *found = delegation_ref_find(d->key, right, source, ref);
    int64_t seq = row_seq(found);
    /* Only numbers and times of it are used below: making a row may not move it. */
    const struct delegation_ref *wild = delegation_wild(d->key, source, ref);
    int64_t wild_seq = wild == NULL ? DELEGATION_NEVER : wild->seq;
    if (event->order <= delegation_later(seq, dead)) {
        note(d, DL_11);
        return;
    }
    struct delegation_ref *row = delegation_ref_slot(d->key, right, source, ref);
    if (row == NULL) {
        d->full = true;
        return;
    }
    if (event->order <= wild_seq) {
        complete_revoke(d, right, row, wild);
        note(d, DL_57);
        return;
    }
    int64_t latest = event->weak ? latest_revoke(d, right, row, wild) : DELEGATION_NEVER;
    if (latest != DELEGATION_NEVER && event->event_us <= latest) {
        presence_set(row, event->order);
        touch_row(d, row);
        note(d, DL_12);
        return;
    }
    bool source_active = row->op == DELEGATION_GRANT && seq > dead && seq > wild_seq;
    bool was_active = row->op == DELEGATION_GRANT && delegation_is_active(d->state, d->key, row);
    grant_write(d, row, source_active, event->a2_rights[index]);
    enum delegation_rule rule = judge_grant(d, row, was_active);
    row->rule = delegation_rule_id(rule);
    d->fresh |= delegation_bit(right);
    d->reported |= delegation_bit(right);
    note(d, rule);
}

/* Echoes (DL-06, DL-07, DL-19): presence, and nothing else. */

/* DL-19: whether this ref has had the report already; if not, it has now. */
static bool origin_repeats(struct delegation_ref *row, const struct delegation_event *event)
{
    if (!event->weak || event->origin == 0) {
        return false;
    }
    for (size_t i = 0; i < row->origin_count; i++) {
        if (row->origins[i] == event->origin) {
            return true;
        }
    }
    if (row->origin_count == DELEGATION_ORIGINS_MAX) {
        memmove(row->origins, row->origins + 1, sizeof row->origins - sizeof(uint64_t));
        row->origin_count--;
    }
    row->origins[row->origin_count++] = event->origin;
    return false;
}

static void echo_grant_one(struct deciding *d, size_t index, const char *ref)
{
    int64_t order = d->event->order;
    struct delegation_ref *row =
        delegation_ref_slot(d->key, d->rights[index], (int)d->event->source, ref);
    if (row == NULL) {
        d->full = true;
        return;
    }
    if (origin_repeats(row, d->event)) {
        note(d, DL_19);
        return;
    }
    row->lender = row->op == DELEGATION_OP_NONE ? (int16_t)d->lender : row->lender;
    row->echo_seq = delegation_later(row->echo_seq, order);
    if (order > row_seq(row)) {
        presence_set(row, order);
    }
    touch_row(d, row);
    note(d, DL_06);
}

static void echo_revoke_row(struct deciding *d, struct delegation_ref *row)
{
    int64_t order = d->event->order;
    if (row->right == DELEGATION_EVERY) {
        return;
    }
    if (origin_repeats(row, d->event)) {
        note(d, DL_19);
        return;
    }
    if (order > row_seq(row) && order > row->present_seq) {
        row->present = false;
        row->present_seq = order;
    }
    touch_row(d, row);
    note(d, DL_07);
}

static bool event_names_right(const struct deciding *d, const struct delegation_ref *row,
                              size_t ref_index)
{
    const struct delegation_event *event = d->event;
    if (event->right_count == 0) {
        return true;
    }
    for (size_t i = 0; i < event->right_count; i++) {
        if (d->rights[i] == row->right && (!event->paired || i == ref_index)) {
            return true;
        }
    }
    return false;
}

/* Whether an event without refs, or with them, means this row. */
static bool event_means(const struct deciding *d, const struct delegation_ref *row)
{
    const struct delegation_event *event = d->event;
    if (row->source != event->source) {
        return false;
    }
    if (event->ref_count == 0) {
        return event_names_right(d, row, 0);
    }
    char ref[DELEGATION_REF_SIZE];
    for (size_t i = 0; i < event->ref_count; i++) {
        delegation_event_ref(event, i, ref);
        if (strcmp(ref, row->ref) == 0 && event_names_right(d, row, i)) {
            return true;
        }
    }
    return false;
}

static void echo_revoke(struct deciding *d)
{
    for (size_t i = 0; i < d->key->ref_count; i++) {
        if (event_means(d, &d->key->refs[i])) {
            echo_revoke_row(d, &d->key->refs[i]);
        }
    }
    if (!d->any) {
        note(d, DL_07);
    }
}

/* DL-06: a row of an export whose newest grant was our own write. */
static bool is_own_export(const struct deciding *d, size_t index, const char *ref)
{
    const struct delegation_ref *row =
        delegation_ref_find(d->key, d->rights[index], (int)d->event->source, ref);
    return d->event->snapshot && row != NULL && row->echo_seq > row_seq(row);
}

static void decide_grant(struct deciding *d)
{
    const struct delegation_event *event = d->event;
    char ref[DELEGATION_REF_SIZE];
    for (size_t f = 0; f < event->ref_count && !d->full; f++) {
        delegation_event_ref(event, f, ref);
        for (size_t r = 0; r < event->right_count && !d->full; r++) {
            if (event->paired && r != f) {
                continue;
            }
            if (event->echo || is_own_export(d, r, ref)) {
                echo_grant_one(d, r, ref);
            } else {
                grant_one(d, r, ref);
            }
        }
    }
}

/* Revokes. */

/*
 * DL-108: a row of an export overtook a person's revoke that is older than the row. The row keeps
 * its grant, but the cut that the revoke makes is still due; when it comes again, the row knows its
 * time.
 */
static bool is_overtaken(const struct delegation_ref *row, const struct delegation_event *event,
                         int right)
{
    return row != NULL && right != DELEGATION_EVERY && event->human && event->order < row->seq &&
           event->time_us > row->human_time;
}

/* One ref of one right: what other refs hold stays (DL-54). An equal order ends as revoked
 * (DL-13). */
static void revoke_one(struct deciding *d, int right, const char *ref, int64_t wild_seq)
{
    const struct delegation_event *event = d->event;
    struct delegation_ref *row = delegation_ref_find(d->key, right, (int)event->source, ref);
    int64_t seq = row_seq(row);
    bool again = row != NULL && row->op == DELEGATION_REVOKE && event->order == seq;
    if (event->order < seq || event->order <= wild_seq || again) {
        if (is_overtaken(row, event, right)) {
            row->human_time = event->time_us;
            touch_row(d, row);
            d->late |= delegation_bit(right);
        }
        return; /* stale part */
    }
    row = delegation_ref_slot(d->key, right, (int)event->source, ref);
    if (row == NULL) {
        d->full = true;
        return;
    }
    row->seq = event->order;
    row->op = DELEGATION_REVOKE;
    row->revoke_time = delegation_later(row->revoke_time, event->time_us);
    if (event->human) {
        row->human_time = delegation_later(row->human_time, event->time_us);
    }
    presence_clear(row, event->order);
    touch_row(d, row);
    if (right != DELEGATION_EVERY) {
        d->fresh |= delegation_bit(right);
        d->unreported |= delegation_bit(right);
    }
}

/* Rights known under a ref, below this order. */
static uint64_t known_under(const struct deciding *d, const char *ref)
{
    uint64_t set = 0;
    for (size_t i = 0; i < d->key->ref_count; i++) {
        const struct delegation_ref *row = &d->key->refs[i];
        if (row->source == d->event->source && row->right != DELEGATION_EVERY &&
            is_known_below(row, d->event->order) && (ref == NULL || strcmp(ref, row->ref) == 0)) {
            set |= delegation_bit(row->right);
        }
    }
    return set;
}

/* Returns the rights meant by the event (S), and whether a named ref had no known right. */
static uint64_t revoke_refs(struct deciding *d, bool *ret_unknown)
{
    const struct delegation_event *event = d->event;
    uint64_t meant = 0;
    char ref[DELEGATION_REF_SIZE];
    for (size_t f = 0; f < event->ref_count && !d->full; f++) {
        delegation_event_ref(event, f, ref);
        const struct delegation_ref *wild = delegation_wild(d->key, (int)event->source, ref);
        int64_t wild_seq = wild == NULL ? DELEGATION_NEVER : wild->seq;
        for (size_t r = 0; r < event->right_count; r++) {
            if (!event->paired || r == f) {
                meant |= delegation_bit(d->rights[r]);
                revoke_one(d, d->rights[r], ref, wild_seq);
            }
        }
        if (event->right_count > 0) {
            continue;
        }
        uint64_t known = known_under(d, ref);
        *ret_unknown = *ret_unknown || known == 0;
        meant |= known;
        for (int right = 0; right < d->key->right_count; right++) {
            if ((known & delegation_bit(right)) != 0) {
                revoke_one(d, right, ref, wild_seq);
            }
        }
        revoke_one(d, DELEGATION_EVERY, ref, wild_seq);
    }
    return meant;
}

static void revoke_all_of(struct deciding *d, int right)
{
    const struct delegation_event *event = d->event;
    if (event->order <= delegation_dead(d->key, right, (int)event->source)) {
        return; /* stale part */
    }
    struct delegation_mark *mark = delegation_mark_slot(d->key, right, (int)event->source);
    if (mark == NULL) {
        d->full = true;
        return;
    }
    mark->all_seq = event->order;
    mark->all_time = delegation_later(mark->all_time, event->time_us);
    touch_mark(d, mark);
    uint64_t set = right == DELEGATION_EVERY ? UINT64_MAX : delegation_bit(right);
    d->fresh |= set;
    d->unreported |= set;
}

static uint64_t revoke_without_refs(struct deciding *d)
{
    const struct delegation_event *event = d->event;
    uint64_t meant = 0;
    if (event->right_count == 0) {
        meant = known_under(d, NULL);
        revoke_all_of(d, delegation_every(d->key));
        return meant;
    }
    for (size_t r = 0; r < event->right_count; r++) {
        meant |= delegation_bit(d->rights[r]);
        revoke_all_of(d, d->rights[r]);
    }
    return meant;
}

/* Gone and Cut, for what the side does not show any more below this order. A person's revoke that
 * names no right cuts the whole key, when its side shows nothing more under it (DL-55). */
static void revoke_follow(struct deciding *d, uint64_t meant, bool unknown)
{
    const struct delegation_event *event = d->event;
    int source = (int)event->source;
    bool shows_any = false;
    for (int right = 0; right < d->key->right_count; right++) {
        bool shows = delegation_shows(d->key, right, source, event->order);
        shows_any = shows_any || shows;
        if ((meant & delegation_bit(right)) == 0 || shows) {
            continue;
        }
        end_unshown(d, right, event->order, event->time_us);
        if (event->human) {
            mark_cut(d, right, event->time_us);
        }
    }
    if (event->human && event->right_count == 0 && (unknown || !shows_any)) {
        mark_cut(d, delegation_every(d->key), event->time_us);
        d->cut_every = true;
    }
}

/* 6.2: one reached right, whatever gave it: a package is judged as any right (DL-70). after_own,
 * after: rights active by the own side, and by anybody. */
static enum delegation_rule judge_revoke(const struct deciding *d, int right, uint64_t after_own,
                                         uint64_t after)
{
    uint64_t bit = delegation_bit(right);
    bool human = d->event->human;
    bool stays = (after & bit) != 0;
    if (((d->own | d->other) & bit) == 0) {
        return DL_30;
    }
    if ((after_own & bit) != 0) {
        return DL_31;
    }
    bool had_own = (d->own & bit) != 0;
    if (!had_own) {
        if (!human) {
            return DL_37;
        }
        return stays ? DL_38 : DL_36;
    }
    if ((d->other & bit) == 0) {
        return DL_35;
    }
    if (!human) {
        return DL_32;
    }
    return stays ? DL_34 : DL_33;
}

static uint64_t rights_in_use(const struct delegation_key *key)
{
    return key->right_count == DELEGATION_RIGHTS_MAX ? UINT64_MAX
                                                     : delegation_bit(key->right_count) - 1;
}

static void revoke_judge(struct deciding *d, uint64_t meant)
{
    const struct delegation_event *event = d->event;
    bool every = d->cut_every || (event->ref_count == 0 && event->right_count == 0);
    uint64_t reached = every ? rights_in_use(d->key) : meant;
    int source = (int)event->source;
    int other = source == DELEGATION_A2 ? DELEGATION_A3 : DELEGATION_A2;
    uint64_t after_own = delegation_active_of(d->state, d->key, source);
    uint64_t after = after_own | delegation_active_of(d->state, d->key, other);
    for (int right = 0; right < d->key->right_count; right++) {
        uint64_t bit = delegation_bit(right);
        if ((reached & bit) == 0) {
            continue;
        }
        bool fresh = (d->fresh & bit) != 0 || (every && (meant & bit) == 0);
        enum delegation_rule stale = (d->late & bit) != 0 ? DL_108 : DL_11;
        note(d, fresh ? judge_revoke(d, right, after_own, after) : stale);
    }
    if (!d->any) {
        note(d, DL_30);
    }
}

static void decide_revoke(struct deciding *d)
{
    bool unknown = false;
    uint64_t meant = d->event->ref_count > 0 ? revoke_refs(d, &unknown) : revoke_without_refs(d);
    if (d->full) {
        return;
    }
    if (!d->moved) {
        note(d, DL_11);
        return;
    }
    revoke_follow(d, meant, unknown);
    revoke_judge(d, meant);
}

/* What lay under the key before. */
static void look_back(struct deciding *d)
{
    const struct delegation_key *key = d->key;
    int source = (int)d->event->source;
    d->own = delegation_active_of(d->state, key, source);
    d->other = delegation_active_of(d->state, key,
                                    source == DELEGATION_A2 ? DELEGATION_A3 : DELEGATION_A2);
    for (size_t i = 0; i < key->ref_count; i++) {
        const struct delegation_ref *row = &key->refs[i];
        /* Its role has been decided just before: what it lent counted until then. */
        bool lent =
            d->lender >= 0 && row->lender == d->lender && delegation_stands(d->state, key, row);
        d->own |= lent ? delegation_bit(row->right) & key->effective : 0;
        bool revoked = row->revoke_time != DELEGATION_NEVER;
        d->touched_every = d->touched_every || (revoked && row->right == DELEGATION_EVERY);
        d->touched |= revoked && row->right >= 0 ? delegation_bit(row->right) : 0;
    }
    for (size_t i = 0; i < key->mark_count; i++) {
        int right = key->marks[i].right;
        d->touched_every = d->touched_every || right == DELEGATION_EVERY;
        d->touched |= right >= 0 ? delegation_bit(right) : 0;
    }
}

/* DL-105: more rights than a key may have; asked before anything moves. */
static bool has_room_for_rights(const struct delegation_key *key,
                                const struct delegation_event *event)
{
    size_t fresh = 0;
    for (size_t i = 0; i < event->right_count; i++) {
        fresh += delegation_right_find(key, event->rights[i]) == DELEGATION_NO_RIGHT ? 1 : 0;
    }
    return key->right_count + fresh <= DELEGATION_RIGHTS_MAX;
}

static sync_status no_room(struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                     "decide a delegation: the store gave no room for its rows");
}

sync_status delegation_decide(const struct delegation_state *state, struct delegation_key *key,
                              const struct delegation_event *event, int lender,
                              struct delegation_decision *ret_decision, struct sync_error *err)
{
    struct deciding d;
    memset(&d, 0, sizeof d);
    d.state = state;
    d.key = key;
    d.event = event;
    d.lender = lender;
    if (!has_room_for_rights(key, event)) {
        return sync_fail_field(err, SYNC_CLASS_PARK, SYNC_CODE_FIELD_RANGE, "rights",
                               "decide a delegation: its key would have more than %d rights",
                               DELEGATION_RIGHTS_MAX);
    }
    if (!delegation_has_actions(key->name.kind) && delegation_right_slot(key, "*") != 0) {
        return no_room(err);
    }
    for (size_t i = 0; i < event->right_count; i++) {
        d.rights[i] = delegation_right_slot(key, event->rights[i]);
        if (d.rights[i] == DELEGATION_NO_RIGHT) {
            return no_room(err);
        }
    }
    look_back(&d);
    if (event->op == DELEGATION_GRANT) {
        decide_grant(&d);
    } else if (event->echo) {
        echo_revoke(&d);
    } else {
        decide_revoke(&d);
    }
    if (d.full) {
        return no_room(err);
    }
    SYNC_ASSERT(d.any);
    name_moved(&d);
    key->dirty = key->dirty || d.moved;
    bool took = event->op == DELEGATION_GRANT ? d.fresh != 0 : d.moved;
    *ret_decision = (struct delegation_decision){.rule = d.rule,
                                                 .stale = !event->echo && !took,
                                                 .moved = d.moved,
                                                 .gone = d.gone,
                                                 .reported = d.reported,
                                                 .unreported = d.unreported};
    return SYNC_OK;
}
