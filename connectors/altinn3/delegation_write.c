/*
 * Rows of our own tables: refs, marks and history before Altinn 3 is written, keys and what waits
 * after it. One upsert per table, changed rows only; the locks of the keys make what was read
 * final. Not here: ledger (delegation_ledger.c), facts above both sides (delegation_scopes.c).
 */
#include "delegation_store.h"

static sync_status full(struct sync_error *err)
{
    return deleg_memory_full("rows to write", err);
}

/* Refs --------------------------------------------------------------------------------------- */

struct refs {
    int64_t *keys, *seqs, *op_times, *revoke_times, *human_times, *present_seqs, *echo_seqs;
    int64_t *role_keys;
    bool *no_seq, *no_op_time, *no_revoke, *no_human, *no_present_seq, *no_echo, *no_role, *no_op;
    bool *no_performer, *present;
    int16_t *sources, *ops;
    struct sync_uuid *performers;
    struct sync_bytes *rights, *refs, *a2_rights, *rules, *native_ids, *origins;
    size_t count;
};

static bool refs_take(struct sync_arena *arena, size_t n, struct refs *r)
{
    int64_t **numbers[] = {&r->keys,        &r->seqs,         &r->op_times,  &r->revoke_times,
                           &r->human_times, &r->present_seqs, &r->echo_seqs, &r->role_keys};
    bool **flags[] = {&r->no_seq,         &r->no_op_time, &r->no_revoke, &r->no_human,
                      &r->no_present_seq, &r->no_echo,    &r->no_role,   &r->no_op,
                      &r->no_performer,   &r->present};
    struct sync_bytes **texts[] = {&r->rights, &r->refs,       &r->a2_rights,
                                   &r->rules,  &r->native_ids, &r->origins};
    bool fits = true;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *numbers[i] = sync_arena_take_array(arena, n, sizeof **numbers[i]);
        fits = fits && *numbers[i] != NULL;
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        *flags[i] = sync_arena_take_array(arena, n, sizeof **flags[i]);
        fits = fits && *flags[i] != NULL;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = sync_arena_take_array(arena, n, sizeof **texts[i]);
        fits = fits && *texts[i] != NULL;
    }
    r->sources = sync_arena_take_array(arena, n, sizeof *r->sources);
    r->ops = sync_arena_take_array(arena, n, sizeof *r->ops);
    r->performers = sync_arena_take_array(arena, n, sizeof *r->performers);
    return fits && r->sources != NULL && r->ops != NULL && r->performers != NULL;
}

static void put_time(int64_t value, int64_t *to, bool *none)
{
    *none = value == DELEGATION_NEVER;
    *to = *none ? 0 : value;
}

static bool refs_add(struct sync_arena *arena, const struct deleg_slot *slot,
                     const struct delegation_ref *ref, struct refs *r)
{
    const struct delegation_key *key = deleg_key(slot);
    size_t at = r->count++;
    r->keys[at] = slot->key_id;
    r->rights[at] = deleg_right_name(key, ref->right);
    r->sources[at] = (int16_t)(ref->source + DELEG_SOURCE_OFFSET);
    r->refs[at] = sync_bytes_text(ref->ref);
    put_time(ref->seq, &r->seqs[at], &r->no_seq[at]);
    r->no_op[at] = ref->op == DELEGATION_OP_NONE;
    r->ops[at] = (int16_t)ref->op;
    put_time(ref->op_time, &r->op_times[at], &r->no_op_time[at]);
    put_time(ref->revoke_time, &r->revoke_times[at], &r->no_revoke[at]);
    put_time(ref->human_time, &r->human_times[at], &r->no_human[at]);
    r->present[at] = ref->present;
    put_time(ref->present_seq, &r->present_seqs[at], &r->no_present_seq[at]);
    put_time(ref->echo_seq, &r->echo_seqs[at], &r->no_echo[at]);
    r->no_role[at] = ref->lender < 0;
    r->role_keys[at] = ref->lender < 0 ? 0 : deleg_key_id(slot->giver, (size_t)ref->lender);
    r->performers[at] = ref->performer;
    r->no_performer[at] = sync_uuid_is_zero(&ref->performer);
    r->a2_rights[at] = sync_bytes_text(ref->a2_right);
    r->rules[at] = sync_bytes_text(ref->rule == NULL ? "" : ref->rule);
    r->native_ids[at] = sync_array_text_int8(arena, ref->native_ids, ref->native_count);
    r->origins[at] = sync_array_text_int8(arena, (const int64_t *)ref->origins, ref->origin_count);
    return r->native_ids[at].data != NULL && r->origins[at].data != NULL;
}

static const struct sync_statement refs_statement = {
    "delegation_write_refs",
    "INSERT INTO sync.deleg_ref (key_id, right_id, source, ref, seq, op, op_time, revoke_time,"
    "  human_time, present, present_seq, echo_seq, role_key_id, performer, a2_right, rule,"
    "  native_ids, echo_origins)"
    " SELECT n.key_id, n.right_id, n.source, n.ref, n.seq, n.op, n.op_time, n.revoke_time,"
    "  n.human_time, n.present, n.present_seq, n.echo_seq, n.role_key_id, n.performer, n.a2_right,"
    "  n.rule, n.native_ids::int8[], n.origins::int8[]"
    " FROM unnest($1::int8[], $2::text[], $3::int2[], $4::text[], $5::int8[], $6::int2[],"
    "  $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::bool[], $11::int8[],"
    "  $12::int8[], $13::int8[], $14::uuid[], $15::text[], $16::text[], $17::text[], $18::text[])"
    "  AS n (key_id, right_id, source, ref, seq, op, op_time, revoke_time, human_time, present,"
    "  present_seq, echo_seq, role_key_id, performer, a2_right, rule, native_ids, origins)"
    " ON CONFLICT (key_id, right_id, source, ref) DO UPDATE SET seq = excluded.seq,"
    "  op = excluded.op, op_time = excluded.op_time, revoke_time = excluded.revoke_time,"
    "  human_time = excluded.human_time, present = excluded.present,"
    "  present_seq = excluded.present_seq, echo_seq = excluded.echo_seq,"
    "  role_key_id = excluded.role_key_id, performer = excluded.performer,"
    "  a2_right = excluded.a2_right, rule = excluded.rule, native_ids = excluded.native_ids,"
    "  echo_origins = excluded.echo_origins"};

static void refs_params(const struct refs *r, struct sync_params *params)
{
    sync_params_int8_array(params, r->keys, NULL, r->count);
    sync_params_text_array(params, r->rights, r->count);
    sync_params_int2_array(params, r->sources, NULL, r->count);
    sync_params_text_array(params, r->refs, r->count);
    sync_params_int8_array(params, r->seqs, r->no_seq, r->count);
    sync_params_int2_array(params, r->ops, r->no_op, r->count);
    sync_params_time_array(params, r->op_times, r->no_op_time, r->count);
    sync_params_time_array(params, r->revoke_times, r->no_revoke, r->count);
    sync_params_time_array(params, r->human_times, r->no_human, r->count);
    sync_params_bool_array(params, r->present, NULL, r->count);
    sync_params_int8_array(params, r->present_seqs, r->no_present_seq, r->count);
    sync_params_int8_array(params, r->echo_seqs, r->no_echo, r->count);
    sync_params_int8_array(params, r->role_keys, r->no_role, r->count);
    sync_params_uuid_array(params, r->performers, r->no_performer, r->count);
    sync_params_text_array(params, r->a2_rights, r->count);
    sync_params_text_array(params, r->rules, r->count);
    sync_params_text_array(params, r->native_ids, r->count);
    sync_params_text_array(params, r->origins, r->count);
}

static size_t count_dirty_refs(const struct deleg_batch *all)
{
    size_t count = 0;
    for (size_t i = 0; i < all->slot_count; i++) {
        const struct delegation_key *key = deleg_key(&all->slots[i]);
        for (size_t k = 0; k < key->ref_count; k++) {
            count += key->refs[k].dirty ? 1 : 0;
        }
    }
    return count;
}

static sync_status write_refs(struct deleg_batch *all, struct deleg_asks *asks,
                              struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    size_t count = count_dirty_refs(all);
    struct refs *r = sync_arena_take(arena, sizeof *r);
    if (count == 0) {
        return SYNC_OK;
    }
    if (r == NULL || !refs_take(arena, count, r)) {
        return full(err);
    }
    for (size_t i = 0; i < all->slot_count; i++) {
        const struct delegation_key *key = deleg_key(&all->slots[i]);
        for (size_t k = 0; k < key->ref_count; k++) {
            if (key->refs[k].dirty && !refs_add(arena, &all->slots[i], &key->refs[k], r)) {
                return full(err);
            }
        }
    }
    refs_params(r, deleg_ask(all, asks, &refs_statement, NULL));
    return SYNC_OK;
}

/* Marks -------------------------------------------------------------------------------------- */

struct marks {
    int64_t *keys, *all_seqs, *all_times, *cut_times;
    bool *no_seq, *no_time, *no_cut;
    int16_t *sources;
    struct sync_bytes *rights, *rules;
    size_t count;
};

static bool marks_take(struct sync_arena *arena, size_t n, struct marks *ret_marks)
{
    *ret_marks = (struct marks){
        .keys = sync_arena_take_array(arena, n, sizeof(int64_t)),
        .all_seqs = sync_arena_take_array(arena, n, sizeof(int64_t)),
        .all_times = sync_arena_take_array(arena, n, sizeof(int64_t)),
        .cut_times = sync_arena_take_array(arena, n, sizeof(int64_t)),
        .no_seq = sync_arena_take_array(arena, n, sizeof(bool)),
        .no_time = sync_arena_take_array(arena, n, sizeof(bool)),
        .no_cut = sync_arena_take_array(arena, n, sizeof(bool)),
        .sources = sync_arena_take_array(arena, n, sizeof(int16_t)),
        .rights = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
        .rules = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
    };
    return ret_marks->keys != NULL && ret_marks->all_seqs != NULL && ret_marks->all_times != NULL &&
           ret_marks->cut_times != NULL && ret_marks->no_seq != NULL &&
           ret_marks->no_time != NULL && ret_marks->no_cut != NULL && ret_marks->sources != NULL &&
           ret_marks->rights != NULL && ret_marks->rules != NULL;
}

static void marks_add(const struct deleg_slot *slot, const struct delegation_mark *mark,
                      struct marks *m)
{
    size_t at = m->count++;
    m->keys[at] = slot->key_id;
    m->rights[at] = deleg_right_name(deleg_key(slot), mark->right);
    m->sources[at] = (int16_t)(mark->source + DELEG_SOURCE_OFFSET);
    put_time(mark->all_seq, &m->all_seqs[at], &m->no_seq[at]);
    put_time(mark->all_time, &m->all_times[at], &m->no_time[at]);
    put_time(mark->cut_time, &m->cut_times[at], &m->no_cut[at]);
    m->rules[at] = sync_bytes_text(mark->rule == NULL ? "" : mark->rule);
}

static sync_status write_marks(struct deleg_batch *all, struct deleg_asks *asks,
                               struct sync_error *err)
{
    static const struct sync_statement statement = {
        "delegation_write_marks",
        "INSERT INTO sync.deleg_mark (key_id, right_id, source, all_seq, all_time, cut_time, rule)"
        " SELECT n.* FROM unnest($1::int8[], $2::text[], $3::int2[], $4::int8[],"
        "  $5::timestamptz[], $6::timestamptz[], $7::text[]) AS n"
        " ON CONFLICT (key_id, right_id, source) DO UPDATE SET all_seq = excluded.all_seq,"
        "  all_time = excluded.all_time, cut_time = excluded.cut_time, rule = excluded.rule"};
    struct marks m;
    size_t count = 0;
    for (size_t i = 0; i < all->slot_count; i++) {
        count += deleg_key(&all->slots[i])->mark_count;
    }
    if (!marks_take(all->batch->arena, count + 1, &m)) {
        return full(err);
    }
    for (size_t i = 0; i < all->slot_count; i++) {
        const struct delegation_key *key = deleg_key(&all->slots[i]);
        for (size_t k = 0; k < key->mark_count; k++) {
            if (key->marks[k].dirty) {
                marks_add(&all->slots[i], &key->marks[k], &m);
            }
        }
    }
    if (m.count == 0) {
        return SYNC_OK;
    }
    struct sync_params *params = deleg_ask(all, asks, &statement, NULL);
    sync_params_int8_array(params, m.keys, NULL, m.count);
    sync_params_text_array(params, m.rights, m.count);
    sync_params_int2_array(params, m.sources, NULL, m.count);
    sync_params_int8_array(params, m.all_seqs, m.no_seq, m.count);
    sync_params_time_array(params, m.all_times, m.no_time, m.count);
    sync_params_time_array(params, m.cut_times, m.no_cut, m.count);
    sync_params_text_array(params, m.rules, m.count);
    return SYNC_OK;
}

/* History ------------------------------------------------------------------------------------ */

struct history {
    int64_t *keys, *versions, *seqs, *event_times;
    bool *no_event_time;
    int16_t *sources;
    struct sync_bytes *streams, *rules, *before, *after;
    size_t count;
};

static bool history_take(struct sync_arena *arena, size_t n, struct history *ret_history)
{
    *ret_history = (struct history){
        .keys = sync_arena_take_array(arena, n, sizeof(int64_t)),
        .versions = sync_arena_take_array(arena, n, sizeof(int64_t)),
        .seqs = sync_arena_take_array(arena, n, sizeof(int64_t)),
        .event_times = sync_arena_take_array(arena, n, sizeof(int64_t)),
        .no_event_time = sync_arena_take_array(arena, n, sizeof(bool)),
        .sources = sync_arena_take_array(arena, n, sizeof(int16_t)),
        .streams = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
        .rules = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
        .before = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
        .after = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
    };
    return ret_history->keys != NULL && ret_history->versions != NULL &&
           ret_history->seqs != NULL && ret_history->event_times != NULL &&
           ret_history->no_event_time != NULL && ret_history->sources != NULL &&
           ret_history->streams != NULL && ret_history->rules != NULL &&
           ret_history->before != NULL && ret_history->after != NULL;
}

static bool history_add(struct sync_arena *arena, const struct deleg_giver *giver,
                        const struct delegation_step *step, struct history *h)
{
    const struct delegation_key *key = &giver->state.keys[step->key];
    const struct delegation_cause *cause = &step->cause;
    size_t at = h->count++;
    h->keys[at] = deleg_key_id(giver, step->key);
    h->versions[at] = step->version;
    h->seqs[at] = cause->seq;
    put_time(cause->event_us, &h->event_times[at], &h->no_event_time[at]);
    h->sources[at] = cause->source == DELEGATION_SYS
                         ? DELEG_SYS
                         : (int16_t)((int)cause->source + DELEG_SOURCE_OFFSET);
    h->streams[at] = cause->stream.data == NULL ? sync_bytes_text("") : cause->stream;
    h->rules[at] = sync_bytes_text(cause->rule);
    h->before[at] = deleg_set_text(arena, key, step->before);
    h->after[at] = deleg_set_text(arena, key, step->after);
    return h->before[at].data != NULL && h->after[at].data != NULL;
}

static sync_status write_history(struct deleg_batch *all, struct deleg_asks *asks,
                                 struct sync_error *err)
{
    static const struct sync_statement statement = {
        "delegation_write_history",
        "INSERT INTO sync.history (key_id, version, seq, event_time, source, stream, rule, before,"
        "  after, applied_at)"
        " SELECT n.key_id, n.version, n.seq, n.event_time, n.source, n.stream, n.rule,"
        "  n.before::text[], n.after::text[], $10 FROM unnest($1::int8[], $2::int8[], $3::int8[],"
        "  $4::timestamptz[], $5::int2[], $6::text[], $7::text[], $8::text[], $9::text[])"
        "  AS n (key_id, version, seq, event_time, source, stream, rule, before, after)"};
    struct history h;
    size_t count = 0;
    for (size_t i = 0; i < all->giver_count; i++) {
        count += all->givers[i]->state.step_count;
    }
    if (count == 0) {
        return SYNC_OK;
    }
    if (!history_take(all->batch->arena, count, &h)) {
        return full(err);
    }
    for (size_t i = 0; i < all->giver_count; i++) {
        const struct deleg_giver *giver = all->givers[i];
        for (size_t k = 0; k < giver->state.step_count; k++) {
            if (!history_add(all->batch->arena, giver, &giver->state.steps[k], &h)) {
                return full(err);
            }
        }
    }
    struct sync_params *params = deleg_ask(all, asks, &statement, NULL);
    sync_params_int8_array(params, h.keys, NULL, count);
    sync_params_int8_array(params, h.versions, NULL, count);
    sync_params_int8_array(params, h.seqs, NULL, count);
    sync_params_time_array(params, h.event_times, h.no_event_time, count);
    sync_params_int2_array(params, h.sources, NULL, count);
    sync_params_text_array(params, h.streams, count);
    sync_params_text_array(params, h.rules, count);
    sync_params_text_array(params, h.before, count);
    sync_params_text_array(params, h.after, count);
    sync_params_time(params, all->batch->now_us);
    return SYNC_OK;
}

sync_status deleg_write_rows(struct deleg_batch *all, struct deleg_asks *asks,
                             struct sync_error *err)
{
    sync_status status = write_refs(all, asks, err);
    if (sync_is_ok(status)) {
        status = write_marks(all, asks, err);
    }
    return sync_is_ok(status) ? write_history(all, asks, err) : status;
}
