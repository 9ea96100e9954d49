/*
 * DL-97: refs of Altinn 2 that an export lacks although it is whole. They are listed as drift;
 * where an operator orders it, each is revoked as of the position of the export, as by a machine: a
 * grant that came later stays, and nothing is cut. Not here: who orders (src/cli/drift.c), what a
 * revoke does (the rules).
 */
#include "delegation_store.h"

#include <stdlib.h>

#define BACKLOG "'altinn2.delegation-backlog.v1'"
#define RULE    "DL-97"

/*
 * The newest export of each resource of which every partition has decided as many rows as END
 * counts. Refs that were granted before it and were not in it; not those of a giver of whom a row
 * waits or is parked, for it may be the one that is missed, and not those that a revoke of
 * everything has ended.
 */
#define ABSENT                                                                                     \
    "WITH whole AS (SELECT DISTINCT ON (s.resource) s.resource, s.snapshot_id,"                    \
    "  min(s.snapshot_pos) AS pos FROM sync.snapshot s JOIN sync.topic t ON t.topic = s.topic"     \
    "  WHERE s.topic = " BACKLOG                                                                   \
    "  GROUP BY s.snapshot_id, s.resource, t.partitions HAVING count(*) = t.partitions"            \
    "  AND bool_and(s.counted IS NOT NULL AND s.decided = s.counted)"                              \
    "  ORDER BY s.resource, min(s.snapshot_pos) DESC NULLS LAST),"                                 \
    " granted AS (SELECT k.key_id, k.key_uuid, k.from_id, k.to_id, k.target, w.pos,"               \
    "  w.snapshot_id, r.ref, r.seq, r.right_id FROM whole w"                                       \
    "  JOIN sync.deleg_key k ON k.target = w.resource AND k.kind = 0"                              \
    "  JOIN sync.deleg_ref r ON r.key_id = k.key_id AND r.source = 2 AND r.op = 0),"               \
    " absent AS (SELECT g.key_id, g.key_uuid, g.from_id, g.to_id, g.target, g.pos, g.snapshot_id," \
    "  count(*) AS refs, string_agg(g.ref, ', ' ORDER BY g.ref) AS names FROM granted g"           \
    "  WHERE g.seq < g.pos AND NOT EXISTS (SELECT FROM sync.deleg_mark m"                          \
    "   WHERE m.key_id = g.key_id AND m.source = 2 AND m.right_id IN (g.right_id, '*')"            \
    "   AND m.all_seq >= g.seq)"                                                                   \
    "  AND NOT EXISTS (SELECT FROM (SELECT h.entity_key FROM sync.hold h WHERE h.topic = " BACKLOG \
    "   UNION ALL SELECT p.entity_key FROM sync.parked p WHERE p.topic = " BACKLOG                 \
    "   AND p.state = 0) AS waits WHERE waits.entity_key IN (g.from_id::text, 'p:' ||"             \
    "    (SELECT e.partyid FROM dbo.entity e WHERE e.id = g.from_id)))"                            \
    "  GROUP BY g.key_id, g.key_uuid, g.from_id, g.to_id, g.target, g.pos, g.snapshot_id)"

const struct sync_statement deleg_absent_list = {
    "drift_absent",
    ABSENT " SELECT a.key_uuid, NULL::timestamptz, a.from_id || '/' || a.to_id || '/' || a.target,"
           "  'not in the export at ' || a.pos || ': ' || a.names FROM absent a"
           " ORDER BY a.target, a.key_id LIMIT $1"};

/* An export that lacks more than 1 % of what a service has given is rather a wrong export. */
const struct sync_statement deleg_absent_release = {
    "drift_absent_release", ABSENT
    ", right_export AS (SELECT a.target FROM absent a GROUP BY a.target HAVING 100 * sum(a.refs) <="
    "  (SELECT count(*) FROM granted g WHERE g.target = a.target)),"
    " due AS (INSERT INTO sync.pending (key_id, dependency_kind, dependency_id, since)"
    "  SELECT a.key_id, '" DELEG_ABSENT "', 'a2.rule.' || s.generation || '/' || a.pos || '/' ||"
    "   (extract(epoch FROM e.started_at) * 1000000)::int8, now()"
    "  FROM absent a JOIN right_export USING (target) JOIN sync.export e USING (snapshot_id)"
    "  JOIN sync.source s ON s.name = 'altinn2-delegation' WHERE a.key_uuid = ANY ($1::uuid[])"
    "  ON CONFLICT DO NOTHING RETURNING key_id)"
    " SELECT a.key_uuid FROM absent a JOIN due USING (key_id)"};

/* The order that an operator left with the key: stream and position of the export, and when it
 * began. */
struct order {
    struct sync_bytes stream;
    int64_t position, time_us;
};

static bool order_of(const struct deleg_slot *slot, struct order *ret_order)
{
    for (const struct deleg_missing *at = slot->recorded; at != NULL; at = at->next) {
        const char *text = (const char *)at->id.data;
        const char *slash = strcmp(at->kind, DELEG_ABSENT) == 0 ? strchr(text, '/') : NULL;
        char *behind = NULL;
        if (slash == NULL) {
            continue;
        }
        ret_order->stream = (struct sync_bytes){at->id.data, (size_t)(slash - text)};
        ret_order->position = strtoll(slash + 1, &behind, 10);
        ret_order->time_us = *behind == '/' ? strtoll(behind + 1, NULL, 10) : 0;
        return true;
    }
    return false;
}

/* Altinn 2's names of the refs that the export lacks; each stands for one ref. */
static size_t rights_of(const struct delegation_key *key, int64_t position,
                        struct sync_bytes ret_rights[static DELEGATION_RIGHTS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < key->ref_count && count < DELEGATION_RIGHTS_MAX; i++) {
        const struct delegation_ref *ref = &key->refs[i];
        if (ref->source == DELEGATION_A2 && ref->op == DELEGATION_GRANT && ref->seq < position &&
            ref->a2_right[0] != '\0') {
            ret_rights[count++] = sync_bytes_text(ref->a2_right);
        }
    }
    return count;
}

static struct delegation_name party_name(const struct sync_uuid *id)
{
    return (struct delegation_name){.present = true, .has_uuid = true, .uuid = *id};
}

/* What was decided so carries the rule of the order. */
static void name_rule(struct delegation_state *state, struct delegation_key *key, size_t first_step,
                      int64_t position)
{
    for (size_t i = first_step; i < state->step_count; i++) {
        state->steps[i].cause.rule = RULE;
    }
    for (size_t i = 0; i < key->ref_count; i++) {
        struct delegation_ref *ref = &key->refs[i];
        ref->rule = ref->dirty && ref->seq == position ? RULE : ref->rule;
    }
    key->cause.rule = RULE;
}

sync_status deleg_revoke_absent(struct deleg_batch *all, struct deleg_slot *slot,
                                struct sync_effects *effects, struct sync_error *err)
{
    struct delegation_key *key = deleg_key(slot);
    struct delegation_state *state = &slot->giver->state;
    struct sync_bytes rights[DELEGATION_RIGHTS_MAX];
    struct delegation_change change = {.source = DELEGATION_A2,
                                       .weak = true,
                                       .kind = DELEGATION_SINGLE,
                                       .op = DELEGATION_REVOKE,
                                       .from = party_name(&key->name.from),
                                       .to = party_name(&key->name.to),
                                       .has_target = true,
                                       .has_target_id = true,
                                       .target_kind = DELEGATION_TARGET_RESOURCE,
                                       .target_id = sync_bytes_text(key->name.target),
                                       .by = DELEGATION_MACHINE};
    struct order order;
    if (!order_of(slot, &order)) {
        return SYNC_OK;
    }
    change.stream = order.stream;
    change.seq = order.position;
    change.capture_time_us = order.time_us; /* what was given since stands (DL-12) */
    size_t count = rights_of(key, change.seq, rights);
    size_t room = count * (DELEGATION_RIGHT_SIZE + 16) + 16;
    uint8_t *memory = sync_arena_take(all->batch->arena, room);
    if (memory == NULL || !sync_texts_make(rights, count, memory, room, &change.rights)) {
        return deleg_memory_full("refs that an export lacks", err);
    }
    if (count == 0) {
        return SYNC_OK; /* revoked or granted anew meanwhile */
    }
    const struct sync_context context = {.appended_us = all->batch->now_us,
                                         .decided_us = all->batch->now_us,
                                         .topic_system = SYNC_SYSTEM_ALTINN2};
    struct sync_fold fold = {.rule = NULL};
    size_t first_step = state->step_count;
    sync_status status = sync_processor_delegation.fold(all->batch->route, state, &change, &context,
                                                        &fold, effects, err);
    if (sync_is_ok(status) && fold.outcome == SYNC_OUTCOME_APPLIED) {
        name_rule(state, key, first_step, change.seq);
    }
    return status;
}
