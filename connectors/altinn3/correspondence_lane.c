/*
 * What the send thread asks about calls to the bridge of Altinn 2: are they
 * still needed, by which number does Altinn 2 know the party, and what the answers change in the
 * facts. The rules behind the answers stand in processors/. Not here: HTTP, the outbox.
 */
#include <altinn_sync/correspondence_status.h>
#include <core/limits.h>
#include <runtime/json.h>
#include <runtime/store.h>
#include <runtime/time_text.h>
#include <stdio.h>
#include <stdlib.h>

#define BRIDGE_PATH   "/storage/api/v1/sblbridge/synccorrespondenceevent"
#define MINIMUM_US    (-62135596800000000LL) /* 0001-01-01, the "minimum date" of Altinn 2 */
#define MINUTE_US     (60 * 1000000LL)
#define NUMBER_AGE_US (24 * 60 * MINUTE_US) /* CS-56: so long a number is looked up */

/* The order of the flag columns. */
enum call_flag { FLAG_READ, FLAG_CONFIRMED, FLAG_DELETED, FLAG_COUNT };

static const struct sync_statement lock_statement = {
    "lane_lock", "SELECT altinn2_id FROM sync.correspondence WHERE altinn2_id = ANY ($1)"
                 " ORDER BY altinn2_id FOR UPDATE"};

/* In a later statement than the lock: what was committed during its wait is seen. */
static const struct sync_statement look_statement = {
    "lane_read", "SELECT c.a2_read, c.a2_confirmed, c.a2_deleted, p.altinn2_party_id, m.\"PartyId\""
                 "  FROM unnest($1::int[], $2::uuid[]) WITH ORDINALITY AS d (id, party, n)"
                 "  LEFT JOIN LATERAL (SELECT * FROM sync.correspondence AS x"
                 "   WHERE x.altinn2_id = d.id OFFSET 0) AS c ON true"
                 "  LEFT JOIN LATERAL (SELECT x.altinn2_party_id FROM sync.party AS x"
                 "   WHERE x.party_uuid = d.party OFFSET 0) AS p ON true"
                 "  LEFT JOIN LATERAL (SELECT x.\"PartyId\""
                 "   FROM correspondence.\"Correspondences\" AS x"
                 "   WHERE x.\"Id\" = c.altinn3_id OFFSET 0) AS m ON true"
                 " ORDER BY d.n"};

/* CS-56: the earliest other fact of the kind whose party has a number. */
static const struct sync_statement other_statement = {
    "lane_other",
    "SELECT DISTINCT ON (d.n) d.n, f.party_uuid, f.second, f.occurred_at_us, p.altinn2_party_id"
    "  FROM unnest($1::int[], $2::int[]) WITH ORDINALITY AS d (id, kind, n)"
    "  CROSS JOIN LATERAL (SELECT * FROM sync.correspondence_fact AS x"
    "   WHERE x.altinn2_id = d.id AND x.kind = d.kind OFFSET 0) AS f"
    "  CROSS JOIN LATERAL (SELECT x.altinn2_party_id FROM sync.party AS x"
    "   WHERE x.party_uuid = f.party_uuid OFFSET 0) AS p"
    " WHERE NOT f.refused AND NOT f.in_a2 AND f.in_a3"
    "   AND f.party_uuid <> '00000000-0000-0000-0000-000000000000'"
    " ORDER BY d.n, f.second, f.party_uuid"};

static const struct sync_statement mark_statement = {
    "lane_mark_facts",
    "UPDATE sync.correspondence_fact AS f SET in_a2 = f.in_a2 OR d.done, refused = f.refused OR "
    "NOT d.done"
    "  FROM unnest($1::int[], $2::int[], $3::uuid[], $4::bigint[], $5::boolean[])"
    "       AS d (id, kind, party, second, done)"
    " WHERE f.altinn2_id = ANY ($1) AND f.altinn2_id = d.id AND f.kind = d.kind"
    "   AND f.party_uuid = d.party AND f.second = d.second"
    "   AND NOT CASE WHEN d.done THEN f.in_a2 ELSE f.refused END"};

static const struct sync_statement facts_statement = {
    "lane_facts",
    "SELECT f.altinn2_id, f.kind, f.party_uuid, f.second, f.occurred_at_us, f.in_a2, f.in_a3, "
    "f.refused,"
    "       p.altinn2_party_id"
    "  FROM sync.correspondence_fact AS f LEFT JOIN LATERAL (SELECT x.altinn2_party_id"
    "   FROM sync.party AS x WHERE x.party_uuid = f.party_uuid OFFSET 0) AS p ON true"
    " WHERE f.altinn2_id = ANY ($1) AND f.kind IN (4, 6, 7, 8)"};

/* Per flag: 2 raises, 0 lowers what is queued, 1 queues what is not held, -1 leaves alone. */
static const struct sync_statement flags_statement = {
    "lane_flags",
    "UPDATE sync.correspondence AS c SET"
    "  a2_read = CASE WHEN d.r = 2 THEN 2 WHEN d.r >= 0 AND c.a2_read <> 2 THEN d.r ELSE c.a2_read "
    "END,"
    "  a2_confirmed = CASE WHEN d.f = 2 THEN 2 WHEN d.f >= 0 AND c.a2_confirmed <> 2 THEN d.f ELSE "
    "c.a2_confirmed END,"
    "  a2_deleted = CASE WHEN d.p = 2 THEN 2 WHEN d.p >= 0 AND c.a2_deleted <> 2 THEN d.p ELSE "
    "c.a2_deleted END"
    "  FROM unnest($1::int[], $2::smallint[], $3::smallint[], $4::smallint[]) AS d (id, r, f, p)"
    " WHERE c.altinn2_id = d.id AND c.altinn2_id = ANY ($1)"};

static sync_status arena_full(struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                     "handle calls to Altinn 2: the arena is full");
}

/* Frozen bodies. */

static void free_json(struct sync_json **json)
{
    sync_json_free(json);
}

static int64_t number_of(const struct sync_json *root, const char *name)
{
    const struct sync_json *value = sync_json_get(root, name);
    return value && sync_json_type_of(value) == SYNC_JSON_INTEGER ? sync_json_integer(value) : 0;
}

/* The call that a body stands for. What cannot be read stays zero and fails the own check (CS-58).
 */
static struct status_call call_of(struct sync_bytes body)
{
    struct status_call call = {.kind = 0};
    __attribute__((cleanup(free_json))) struct sync_json *root = NULL;
    struct sync_error err = {0};
    if (!sync_is_ok(sync_json_parse(body, &root, &err)) ||
        sync_json_type_of(root) != SYNC_JSON_OBJECT) {
        return call;
    }
    const struct sync_json *party = sync_json_get(root, "party");
    const struct sync_json *party_id = sync_json_get(root, "party_id");
    bool read = party && sync_json_type_of(party) == SYNC_JSON_TEXT &&
                sync_uuid_parse(sync_json_text(party), &call.party);
    call.altinn2_id = read ? (int32_t)number_of(root, "altinn2_id") : 0;
    call.kind = (int32_t)number_of(root, "kind");
    call.second = number_of(root, "second");
    call.occurred_at_us = number_of(root, "occurred_at_us");
    call.has_party_id = party_id && sync_json_type_of(party_id) == SYNC_JSON_INTEGER;
    call.party_id = (int32_t)number_of(root, "party_id");
    return call;
}

/* The id of the message is the entity's key, also where the body cannot be read. */
static int32_t id_of(const struct sync_lane_effect *effect)
{
    return (int32_t)strtol(effect->entity.text, NULL, 10);
}

static enum call_flag flag_of(const char *name)
{
    if (strcmp(name, "a2/read") == 0) {
        return FLAG_READ;
    }
    return strcmp(name, "a2/confirm") == 0 ? FLAG_CONFIRMED : FLAG_DELETED;
}

static sync_status freeze(const struct status_call *call, struct sync_lane_effect *effect,
                          struct sync_arena *arena, struct sync_error *err)
{
    char text[SYNC_EFFECT_BODY_MAX];
    size_t size = status_call_format(call, text, sizeof text);
    SYNC_ASSERT(size > 0);
    effect->body = sync_arena_copy(arena, (struct sync_bytes){(const uint8_t *)text, size});
    effect->body_changed = true;
    return effect->body.data ? SYNC_OK : arena_full(err);
}

static sync_status put_lock(const struct sync_lane_effect *effects, size_t count,
                            struct sync_arena *arena, struct sync_params *params,
                            struct sync_error *err)
{
    int32_t *ids = sync_arena_take_array(arena, count, sizeof *ids);
    if (!ids) {
        return arena_full(err);
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = id_of(&effects[i]);
    }
    sync_params_init(params, arena);
    sync_params_int4_array(params, ids, NULL, count);
    return SYNC_OK;
}

/* Look -------------------------------------------------------------------------------------------
 */

/* CS-58, before any call is made. */
static bool is_sound(const struct status_call *call)
{
    const struct status_kind_info *kind = status_kind_find(call->kind);
    return call->altinn2_id > 0 && kind && kind->bridge_event &&
           (!call->has_party_id || call->party_id > 0) && call->occurred_at_us > MINIMUM_US;
}

/* CS-56: 1, 10, 30 minutes, then hourly; after 24 hours PARK. */
static void wait_for_number(struct sync_lane_effect *effect, int64_t now_us)
{
    int64_t age_us = now_us - effect->created_us;
    int64_t step_us = age_us < MINUTE_US        ? MINUTE_US
                      : age_us < 11 * MINUTE_US ? 10 * MINUTE_US
                      : age_us < 41 * MINUTE_US ? 30 * MINUTE_US
                                                : 60 * MINUTE_US;
    effect->rule = "CS-56";
    if (age_us >= NUMBER_AGE_US) {
        effect->verdict = SYNC_LANE_PARK;
        return;
    }
    effect->verdict = SYNC_LANE_LATER;
    effect->not_before_us = now_us + step_us;
    effect->behind = true; /* a purge must not wait for the number of a reader */
}

/* The verdict on one effect, unless its party has no number (*ret_nameless). */
static sync_status judge(struct sync_lane_effect *effect, struct status_call *call,
                         const struct sync_result *result, int row, struct sync_arena *arena,
                         bool *ret_nameless, struct sync_error *err)
{
    int32_t flags[FLAG_COUNT];
    for (int i = 0; i < FLAG_COUNT; i++) {
        flags[i] =
            sync_result_is_null(result, row, i) ? STATUS_FLAG_NO : sync_result_int4(result, row, i);
    }
    *ret_nameless = false;
    if (flags[flag_of(effect->name)] == STATUS_FLAG_HELD ||
        flags[FLAG_DELETED] == STATUS_FLAG_HELD) {
        effect->verdict = SYNC_LANE_SKIP;
        effect->rule = "CS-51";
        return SYNC_OK;
    }
    if (!is_sound(call)) {
        effect->verdict = SYNC_LANE_PARK;
        effect->rule = "CS-58";
        return SYNC_OK;
    }
    effect->verdict = SYNC_LANE_SEND;
    if (call->has_party_id) {
        return SYNC_OK;
    }
    bool is_delete = status_kind_is_purge(call->kind);
    bool has_number = !sync_result_is_null(result, row, 3);
    bool has_recipient =
        !sync_result_is_null(result, row, 4) && sync_result_int4(result, row, 4) > 0;
    if (has_number || (is_delete && has_recipient)) { /* delete does not say who deleted */
        call->has_party_id = true;
        call->party_id = sync_result_int4(result, row, has_number ? 3 : 4);
        return freeze(call, effect, arena, err);
    }
    *ret_nameless = true;
    return SYNC_OK;
}

/* Gives the calls whose party has no number to another fact of the kind whose party has one. */
static sync_status search_others(struct sync_db *db, struct sync_lane_effect **effects,
                                 struct status_call **calls, size_t count, struct sync_arena *arena,
                                 struct sync_error *err)
{
    int32_t *ids = sync_arena_take_array(arena, count + 1, sizeof *ids);
    int32_t *kinds = sync_arena_take_array(arena, count + 1, sizeof *kinds);
    if (!ids || !kinds) {
        return arena_full(err);
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = calls[i]->altinn2_id;
        kinds[i] = calls[i]->kind;
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, ids, NULL, count);
    sync_params_int4_array(&params, kinds, NULL, count);
    SYNC_RESULT result = {0};
    sync_status status =
        count == 0 ? SYNC_OK : sync_db_exec(db, &other_statement, &params, &result, err);
    for (int row = 0; row < result.rows && sync_is_ok(status); row++) {
        size_t index = (size_t)sync_result_int8(&result, row, 0) - 1;
        struct status_call *call = calls[index];
        call->party = sync_result_uuid(&result, row, 1);
        call->second = sync_result_int8(&result, row, 2);
        call->occurred_at_us = sync_result_int8(&result, row, 3);
        call->has_party_id = true;
        call->party_id = sync_result_int4(&result, row, 4);
        effects[index]->verdict = SYNC_LANE_SEND;
        effects[index]->behind = false;
        effects[index]->rule = NULL;
        status = freeze(call, effects[index], arena, err);
    }
    return status;
}

/* Read and confirm come back as records of Altinn 2; a delete ends as stale anyhow. */
static void expect_echo(struct sync_lane_effect *effect, const struct status_call *call)
{
    effect->echo_kind = status_kind_is_purge(call->kind) ? 0 : call->kind;
    effect->echo_second = call->second;
    effect->echo_party = call->party;
}

/* The lock, and the look-up behind it: one trip. */
static sync_status lock_and_read(struct sync_db *db, const struct status_call *calls,
                                 const struct sync_lane_effect *effects, size_t count,
                                 struct sync_arena *arena, struct sync_result *ret_result,
                                 struct sync_error *err)
{
    int32_t *ids = sync_arena_take_array(arena, count, sizeof *ids);
    struct sync_uuid *parties = sync_arena_take_array(arena, count, sizeof *parties);
    struct sync_params lock, read;
    if (!ids || !parties) {
        return arena_full(err);
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = id_of(&effects[i]);
        parties[i] = calls[i].party;
    }
    sync_status status = put_lock(effects, count, arena, &lock, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    sync_params_init(&read, arena);
    sync_params_int4_array(&read, ids, NULL, count);
    sync_params_uuid_array(&read, parties, NULL, count);
    struct sync_call trip[] = {{&lock_statement, &lock}, {&look_statement, &read}};
    struct sync_result results[2];
    status = sync_db_pipeline(db, trip, 2, results, err);
    if (sync_is_ok(status)) {
        sync_result_done(&results[0]);
        *ret_result = results[1];
    }
    return status;
}

static sync_status look(struct sync_db *db, struct sync_lane_effect *effects, size_t count,
                        int64_t now_us, struct sync_arena *arena, struct sync_error *err)
{
    struct status_call *calls = sync_arena_take_array(arena, count + 1, sizeof *calls);
    struct sync_lane_effect **searching =
        sync_arena_take_array(arena, count + 1, sizeof *searching);
    struct status_call **searched = sync_arena_take_array(arena, count + 1, sizeof *searched);
    if (!calls || !searching || !searched) {
        return arena_full(err);
    }
    for (size_t i = 0; i < count; i++) {
        calls[i] = call_of(effects[i].body);
    }
    SYNC_RESULT result = {0};
    sync_status status = lock_and_read(db, calls, effects, count, arena, &result, err);
    size_t search_count = 0;
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        bool nameless = false;
        status = judge(&effects[i], &calls[i], &result, (int)i, arena, &nameless, err);
        if (nameless) {
            wait_for_number(&effects[i], now_us);
        }
        if (nameless && !status_kind_is_purge(calls[i].kind)) {
            searching[search_count] = &effects[i];
            searched[search_count++] = &calls[i];
        }
    }
    status = sync_is_ok(status) ? search_others(db, searching, searched, search_count, arena, err)
                                : status;
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        expect_echo(&effects[i], &calls[i]);
    }
    return status;
}

/* Settle. */

/* Altinn 2 now holds the fact of a call that is done; that of a refused one is not sent again. */
static sync_status put_facts(const struct sync_lane_effect *effects,
                             const struct status_call *calls, size_t count,
                             struct sync_arena *arena, struct sync_params *params,
                             struct sync_error *err)
{
    int32_t *ids = sync_arena_take_array(arena, count + 1, sizeof *ids);
    int32_t *kinds = sync_arena_take_array(arena, count + 1, sizeof *kinds);
    struct sync_uuid *parties = sync_arena_take_array(arena, count + 1, sizeof *parties);
    int64_t *seconds = sync_arena_take_array(arena, count + 1, sizeof *seconds);
    bool *done = sync_arena_take_array(arena, count + 1, sizeof *done);
    if (!ids || !kinds || !parties || !seconds || !done) {
        return arena_full(err);
    }
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (effects[i].ended != SYNC_LANE_CLOSED) {
            done[used] = effects[i].ended == SYNC_LANE_DONE;
            ids[used] = calls[i].altinn2_id;
            kinds[used] = calls[i].kind;
            parties[used] = calls[i].party;
            seconds[used++] = calls[i].second;
        }
    }
    sync_params_init(params, arena);
    sync_params_int4_array(params, ids, NULL, used);
    sync_params_int4_array(params, kinds, NULL, used);
    sync_params_uuid_array(params, parties, NULL, used);
    sync_params_int8_array(params, seconds, NULL, used);
    sync_params_bool_array(params, done, NULL, used);
    return SYNC_OK;
}

/* A fact as the carry-on rule sees it, with what a call needs besides. */
static struct status_fact fact_of(const struct sync_result *result, int row)
{
    return (struct status_fact){
        .kind = sync_result_int4(result, row, 1),
        .party = sync_result_uuid(result, row, 2),
        .second = sync_result_int8(result, row, 3),
        .occurred_at_us = sync_result_int8(result, row, 4),
        .known =
            sync_result_bool(result, row, 6), /* only what Altinn 3 holds can be told to Altinn 2 */
        .in_a2 = sync_result_bool(result, row, 5),
        .in_a3 = sync_result_bool(result, row, 6),
        .refused = sync_result_bool(result, row, 7),
    };
}

/* After PARK: another fact of the kind carries the same effect on, if there is one. */
static sync_status carry_on(struct sync_lane_effect *effect, int32_t kind,
                            const struct sync_result *result, struct sync_arena *arena,
                            struct sync_error *err)
{
    size_t capacity = (size_t)result->rows + 1;
    struct status_fact *facts = sync_arena_take_array(arena, capacity, sizeof *facts);
    int *rows = sync_arena_take_array(arena, capacity, sizeof *rows);
    if (!facts || !rows) {
        return arena_full(err);
    }
    size_t count = 0;
    for (int row = 0; row < result->rows; row++) {
        if (sync_result_int4(result, row, 0) == id_of(effect)) {
            rows[count] = row;
            facts[count++] = fact_of(result, row);
        }
    }
    size_t chosen = status_carry_on(facts, count, kind);
    effect->carried_on = chosen != SIZE_MAX;
    if (!effect->carried_on) {
        return SYNC_OK;
    }
    bool has_number = !sync_result_is_null(result, rows[chosen], 8);
    struct status_call call = {
        .altinn2_id = id_of(effect),
        .kind = facts[chosen].kind,
        .party = facts[chosen].party,
        .second = facts[chosen].second,
        .occurred_at_us = facts[chosen].occurred_at_us,
        .has_party_id = has_number,
        .party_id = has_number ? sync_result_int4(result, rows[chosen], 8) : 0,
    };
    return freeze(&call, effect, arena, err);
}

static sync_status carry_all_on(struct sync_db *db, struct sync_lane_effect *effects,
                                const struct status_call *calls, size_t count,
                                struct sync_arena *arena, struct sync_error *err)
{
    int32_t *ids = sync_arena_take_array(arena, count + 1, sizeof *ids);
    if (!ids) {
        return arena_full(err);
    }
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (effects[i].ended == SYNC_LANE_REFUSED) {
            ids[used++] = id_of(&effects[i]);
        }
    }
    if (used == 0) {
        return SYNC_OK;
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, ids, NULL, used);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &facts_statement, &params, &result, err);
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        if (effects[i].ended == SYNC_LANE_REFUSED) {
            status = carry_on(&effects[i], calls[i].kind, &result, arena, err);
        }
    }
    return status;
}

/* One row per message: an update must not touch a row twice. */
struct flag_change {
    int32_t id;
    int16_t flags[FLAG_COUNT];
};

static size_t collect_changes(const struct sync_lane_effect *effects, size_t count,
                              struct flag_change *ret_changes)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (effects[i].ended == SYNC_LANE_REFUSED && effects[i].carried_on) {
            continue; /* stays queued */
        }
        size_t place = 0;
        while (place < used && ret_changes[place].id != id_of(&effects[i])) {
            place++;
        }
        if (place == used) {
            ret_changes[used++] = (struct flag_change){id_of(&effects[i]), {-1, -1, -1}};
        }
        bool done = effects[i].ended == SYNC_LANE_DONE;
        ret_changes[place].flags[flag_of(effects[i].name)] =
            done ? STATUS_FLAG_HELD : STATUS_FLAG_NO;
    }
    return used;
}

static sync_status put_flags(const struct flag_change *changes, size_t count,
                             struct sync_arena *arena, struct sync_params *params,
                             struct sync_error *err)
{
    int32_t *ids = sync_arena_take_array(arena, count + 1, sizeof *ids);
    int16_t *flags[FLAG_COUNT];
    bool full = !ids;
    for (int flag = 0; flag < FLAG_COUNT; flag++) {
        flags[flag] = sync_arena_take_array(arena, count + 1, sizeof *flags[flag]);
        full = full || !flags[flag];
    }
    if (full) {
        return arena_full(err);
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = changes[i].id;
        for (int flag = 0; flag < FLAG_COUNT; flag++) {
            flags[flag][i] = changes[i].flags[flag];
        }
    }
    sync_params_init(params, arena);
    sync_params_int4_array(params, ids, NULL, count);
    for (int flag = 0; flag < FLAG_COUNT; flag++) {
        sync_params_int2_array(params, flags[flag], NULL, count);
    }
    return SYNC_OK;
}

/* One trip where all calls went well; another fact is looked for between the two else. */
static sync_status settle(struct sync_db *db, struct sync_lane_effect *effects, size_t count,
                          int64_t now_us, struct sync_arena *arena, struct sync_error *err)
{
    (void)now_us;
    struct status_call *calls = sync_arena_take_array(arena, count + 1, sizeof *calls);
    struct flag_change *changes = sync_arena_take_array(arena, count + 1, sizeof *changes);
    if (!calls || !changes) {
        return arena_full(err);
    }
    for (size_t i = 0; i < count; i++) {
        calls[i] = call_of(effects[i].body);
        effects[i].carried_on = false;
    }
    struct sync_params lock, facts, flags;
    struct sync_call trip[] = {
        {&lock_statement, &lock}, {&mark_statement, &facts}, {&flags_statement, &flags}};
    bool refused = false;
    for (size_t i = 0; i < count; i++) {
        refused = refused || effects[i].ended == SYNC_LANE_REFUSED;
    }
    sync_status status = put_lock(effects, count, arena, &lock, err);
    status = sync_is_ok(status) ? put_facts(effects, calls, count, arena, &facts, err) : status;
    if (refused) {
        status = sync_is_ok(status) ? sync_db_pipeline(db, trip, 2, NULL, err) : status;
        status = sync_is_ok(status) ? carry_all_on(db, effects, calls, count, arena, err) : status;
    }
    size_t used = sync_is_ok(status) ? collect_changes(effects, count, changes) : 0;
    status = sync_is_ok(status) ? put_flags(changes, used, arena, &flags, err) : status;
    if (!sync_is_ok(status)) {
        return status;
    }
    return refused ? sync_db_pipeline(db, &trip[2], 1, NULL, err)
                   : sync_db_pipeline(db, trip, 3, NULL, err);
}

static sync_status reopened(struct sync_db *db, const struct sync_key *entities,
                            const char *const *names, size_t count, struct sync_arena *arena,
                            struct sync_error *err)
{
    struct flag_change *changes = sync_arena_take_array(arena, count + 1, sizeof *changes);
    struct sync_lane_effect *effects = sync_arena_take_array(arena, count + 1, sizeof *effects);
    if (!changes || !effects) {
        return arena_full(err);
    }
    for (size_t i = 0; i < count; i++) {
        effects[i].entity = entities[i];
        effects[i].name = names[i];
        effects[i].ended = SYNC_LANE_CLOSED;
    }
    size_t used = collect_changes(effects, count, changes);
    for (size_t i = 0; i < used; i++) {
        for (int flag = 0; flag < FLAG_COUNT; flag++) {
            int16_t *change = &changes[i].flags[flag];
            *change = *change == STATUS_FLAG_NO ? STATUS_FLAG_QUEUED : *change;
        }
    }
    struct sync_params lock, flags;
    struct sync_call trip[] = {{&lock_statement, &lock}, {&flags_statement, &flags}};
    sync_status status = put_lock(effects, count, arena, &lock, err);
    status = sync_is_ok(status) ? put_flags(changes, used, arena, &flags, err) : status;
    return sync_is_ok(status) ? sync_db_pipeline(db, trip, 2, NULL, err) : status;
}

/* Calls -------------------------------------------------------------------------------------------
 */

static sync_status request(const struct sync_config *config, const struct sync_lane_effect *effect,
                           struct sync_arena *arena, struct sync_lane_request *ret_request,
                           struct sync_error *err)
{
    (void)config;
    struct status_call call = call_of(effect->body);
    if (!is_sound(&call) || !call.has_party_id) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_FIELD_RANGE,
                         "make a call to Altinn 2: CS-58");
    }
    char text[256], time[SYNC_TIME_BUFFER];
    sync_time_format(call.occurred_at_us, 6, time);
    int size = snprintf(
        text, sizeof text,
        "{\"correspondenceId\":%d,\"partyId\":%d,\"eventTimestamp\":\"%s\",\"eventType\":\"%s\"}",
        (int)call.altinn2_id, (int)call.party_id, time, status_kind_find(call.kind)->bridge_event);
    SYNC_ASSERT(size > 0 && (size_t)size < sizeof text);
    struct sync_bytes body =
        sync_arena_copy(arena, (struct sync_bytes){(const uint8_t *)text, (size_t)size});
    if (!body.data) {
        return arena_full(err);
    }
    *ret_request = (struct sync_lane_request){.path = BRIDGE_PATH, .body = body};
    return SYNC_OK;
}

static enum sync_lane_answer answer(bool failed, int code, const char **ret_rule)
{
    switch (status_answer_of(failed, code, ret_rule)) {
    case STATUS_ANSWER_DONE:
        return SYNC_LANE_ANSWER_DONE;
    case STATUS_ANSWER_RETRY:
        return SYNC_LANE_ANSWER_RETRY;
    case STATUS_ANSWER_PARK:
        return SYNC_LANE_ANSWER_PARK;
    case STATUS_ANSWER_STOP:
        return SYNC_LANE_ANSWER_STOP;
    case STATUS_ANSWER_CLOSED:
        return SYNC_LANE_ANSWER_CLOSED;
    }
    SYNC_ASSERT(false);
    return SYNC_LANE_ANSWER_PARK;
}

extern const struct sync_lane_store sync_lane_store_correspondence;
const struct sync_lane_store sync_lane_store_correspondence = {
    .store = "correspondence",
    .target = "altinn2",
    .exhausted_rule = "CS-57",
    .answer = answer,
    .look = look,
    .settle = settle,
    .reopened = reopened,
    .request = request,
};
