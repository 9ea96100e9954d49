/*
 * What the send thread asks about commands to Altinn 2 (10.2), one per key, of class monotone: may
 * this version still leave, by which numbers does Altinn 2 know the key, and what a refusal leaves
 * behind. A command may leave only under the key's lock, while it is the newest; from then on its
 * set counts as held until it is seen. Not here: when a command is made (rules), HTTP.
 */
#include <altinn_sync/delegation.h>
#include <inttypes.h>
#include <runtime/config.h>
#include <runtime/json.h>
#include <runtime/store.h>
#include <stdio.h>
#include <stdlib.h>

static const struct sync_statement lock_statement = {
    "delegation_lane_lock", "SELECT k.key_uuid FROM sync.deleg_key k"
                            " WHERE k.key_uuid = ANY ($1::uuid[]) ORDER BY k.key_id FOR UPDATE"};

/* In a later statement than the lock. Altinn 2 knows a giver by its party number, and a receiver by
 * that or by the number of a login. */
static const struct sync_statement read_statement = {
    "delegation_lane_read",
    "SELECT (n.i - 1)::int4, k.kind, f.partyid, t.partyid, t.userid, k.target, r.service_code,"
    "  r.edition, k.instance, k.open_version, k.left_version"
    " FROM unnest($1::uuid[]) WITH ORDINALITY AS n (id, i)"
    " JOIN sync.deleg_key k ON k.key_uuid = n.id"
    " LEFT JOIN dbo.entity f ON f.id = k.from_id LEFT JOIN dbo.entity t ON t.id = k.to_id"
    " LEFT JOIN sync.resource_state r ON r.resource = k.target AND k.kind <= 1"};

/* From now on the command may take effect at any moment. */
static const struct sync_statement take_statement = {
    "delegation_lane_take",
    "UPDATE sync.deleg_key k SET left_before = k.left_set, left_set = k.open_set,"
    "  left_version = k.open_version, left_at = $3, open_set = NULL, open_version = NULL"
    " FROM unnest($1::uuid[], $2::int8[]) AS n (id, version)"
    " WHERE k.key_uuid = n.id AND k.open_version = n.version"};

/* Refused without a doubt: what was held before is held, and the command waits unless a newer one
 * does. */
static const struct sync_statement refuse_statement = {
    "delegation_lane_refuse",
    "UPDATE sync.deleg_key k SET open_set = coalesce(k.open_set, k.left_set),"
    "  open_version = coalesce(k.open_version, k.left_version), left_set = k.left_before,"
    "  left_version = NULL, left_before = NULL,"
    "  left_at = CASE WHEN k.left_before IS NULL THEN NULL ELSE k.left_at END"
    " FROM unnest($1::uuid[], $2::int8[]) AS n (id, version)"
    " WHERE k.key_uuid = n.id AND k.left_version = n.version"};

static sync_status arena_full(struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                     "handle commands to Altinn 2: the arena is full");
}

static void free_json(struct sync_json **json)
{
    sync_json_free(json);
}
#define JSON __attribute__((cleanup(free_json))) struct sync_json *

/* A body as the rules made it, or as it was completed; NULL: it is none. */
static struct sync_json *body_parse(struct sync_bytes body)
{
    struct sync_json *root = NULL;
    struct sync_error err = {0};
    bool whole = sync_is_ok(sync_json_parse(body, &root, &err)) &&
                 sync_json_type_of(root) == SYNC_JSON_OBJECT;
    if (!whole) {
        sync_json_free(&root);
    }
    return root;
}

static int64_t version_of(struct sync_bytes body)
{
    JSON root = body_parse(body);
    return root == NULL ? -1 : sync_json_integer(sync_json_get(root, "version"));
}

/* The lane's key is the uuid of the command's key. */
static sync_status take_ids(const struct sync_lane_effect *effects, size_t count,
                            struct sync_arena *arena, struct sync_uuid **ret_ids,
                            struct sync_error *err)
{
    struct sync_uuid *ids = sync_arena_take_array(arena, count + 1, sizeof *ids);
    if (ids == NULL) {
        return arena_full(err);
    }
    for (size_t i = 0; i < count; i++) {
        struct sync_bytes text = {(const uint8_t *)effects[i].entity.text, effects[i].entity.size};
        (void)sync_uuid_parse(text, &ids[i]); /* else it names no key, and nothing is found */
    }
    *ret_ids = ids;
    return SYNC_OK;
}

static sync_status lock_keys(struct sync_db *db, const struct sync_uuid *ids, size_t count,
                             struct sync_arena *arena, struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_uuid_array(&params, ids, NULL, count);
    return sync_db_exec(db, &lock_statement, &params, NULL, err);
}

/* Completing --------------------------------------------------------------------------------- */

enum column {
    PLACE,
    KIND,
    FROM_PARTY,
    TO_PARTY,
    TO_USER,
    TARGET,
    SERVICE_CODE,
    EDITION,
    INSTANCE,
    OPEN_VERSION,
    LEFT_VERSION
};

static void put_number(struct sync_json_writer *w, const char *name,
                       const struct sync_result *result, int row, enum column column)
{
    if (sync_result_is_null(result, row, column)) {
        sync_json_put_text(w, name, NULL);
    } else {
        sync_json_put_integer(w, name, sync_result_int4(result, row, column));
    }
}

/* Text of a column, which is short; null is null, and so is what the key has not (''). */
static void put_column(struct sync_json_writer *w, const char *name,
                       const struct sync_result *result, int row, enum column column)
{
    char text[DELEGATION_INSTANCE_SIZE];
    struct sync_bytes value = sync_result_bytes(result, row, column);
    (void)snprintf(text, sizeof text, "%.*s", (int)value.size,
                   value.size == 0 ? "" : (const char *)value.data);
    sync_json_put_text(w, name, value.size == 0 ? NULL : text);
}

/* Bare code of a role; null of other kinds. */
static void put_role(struct sync_json_writer *w, const struct sync_result *result, int row,
                     bool role)
{
    char text[DELEGATION_TARGET_SIZE];
    struct sync_bytes target = sync_result_bytes(result, row, TARGET);
    (void)snprintf(text, sizeof text, "%.*s", (int)target.size, (const char *)target.data);
    const char *code = strrchr(text, ':');
    sync_json_put_text(w, "role", role ? (code == NULL ? text : code + 1) : NULL);
}

static void put_key(struct sync_json_writer *w, const struct sync_lane_effect *effect,
                    const struct sync_result *result, int row)
{
    static const char *const kinds[] = {"single", "instance", "package", "role", "client"};
    enum delegation_kind kind = (enum delegation_kind)sync_result_int4(result, row, KIND);
    sync_json_open(w, "key", '{');
    sync_json_put_text(w, "id", effect->entity.text);
    sync_json_put_text(w, "kind", kinds[kind]);
    put_number(w, "fromPartyId", result, row, FROM_PARTY);
    put_number(w, "toPartyId", result, row, TO_PARTY);
    put_number(w, "toUserId", result, row, TO_USER);
    if (kind <= DELEGATION_INSTANCE) {
        put_column(w, "resource", result, row, TARGET);
    } else {
        sync_json_put_text(w, "resource", NULL);
    }
    put_column(w, "serviceCode", result, row, SERVICE_CODE);
    put_number(w, "serviceEdition", result, row, EDITION);
    put_column(w, "instance", result, row, INSTANCE);
    put_role(w, result, row, kind == DELEGATION_ROLE);
    sync_json_put_text(w, "facilitatorPartyId", NULL); /* a role key has none */
    sync_json_close(w, '}');
}

static const char *text_of(const struct sync_json *root, const char *name)
{
    struct sync_bytes text = sync_json_text(sync_json_get(root, name));
    return text.data == NULL ? "" : (const char *)text.data;
}

/* The command as it is sent, by every attempt alike. */
static sync_status complete(struct sync_lane_effect *effect, const struct sync_result *result,
                            int row, struct sync_arena *arena, struct sync_error *err)
{
    JSON root = body_parse(effect->body);
    const struct sync_json *rights = sync_json_get(root, "rights");
    struct sync_json_writer w;
    if (sync_json_type_of(sync_json_get(root, "key")) == SYNC_JSON_OBJECT) {
        return SYNC_OK; /* it has left before */
    }
    sync_json_writer_init(&w);
    sync_json_open(&w, NULL, '{');
    put_key(&w, effect, result, row);
    sync_json_put_integer(&w, "version", sync_json_integer(sync_json_get(root, "version")));
    sync_json_open(&w, "rights", '[');
    for (size_t i = 0; i < sync_json_count(rights); i++) {
        sync_json_put_text(&w, NULL, (const char *)sync_json_text(sync_json_at(rights, i)).data);
    }
    sync_json_close(&w, ']');
    sync_json_put_text(&w, "cause", text_of(root, "cause"));
    sync_json_put_text(&w, "origin", text_of(root, "origin"));
    sync_json_close(&w, '}');
    char *text = sync_json_writer_take(&w);
    if (text == NULL) {
        return arena_full(err);
    }
    effect->body = sync_arena_copy(arena, sync_bytes_text(text));
    effect->body_changed = true;
    free(text);
    return effect->body.data == NULL ? arena_full(err) : SYNC_OK;
}

/* Look --------------------------------------------------------------------------------------- */

/* Commands that leave for the first time. */
struct takes {
    struct sync_uuid *ids;
    int64_t *versions;
    size_t count;
    struct sync_arena *arena;
};

static bool is_version(const struct sync_result *result, int row, enum column column,
                       int64_t version)
{
    return !sync_result_is_null(result, row, column) &&
           sync_result_int8(result, row, column) == version;
}

/* DL-101: it is the newest and still wanted, or it has left and nothing newer waits. */
static sync_status judge(struct sync_lane_effect *effect, const struct sync_uuid *id,
                         const struct sync_result *result, int row, struct takes *takes,
                         struct sync_error *err)
{
    int64_t version = version_of(effect->body);
    bool waits = is_version(result, row, OPEN_VERSION, version);
    bool left = is_version(result, row, LEFT_VERSION, version) &&
                sync_result_is_null(result, row, OPEN_VERSION);
    bool nameless =
        sync_result_is_null(result, row, FROM_PARTY) ||
        (sync_result_is_null(result, row, TO_PARTY) && sync_result_is_null(result, row, TO_USER));
    effect->verdict = SYNC_LANE_SKIP;
    effect->rule = "DL-90";
    if (!waits && !left) {
        return SYNC_OK;
    }
    if (nameless) {
        effect->rule = "DL-89";
        return SYNC_OK;
    }
    effect->verdict = SYNC_LANE_SEND;
    effect->rule = "DL-86";
    if (waits) {
        takes->ids[takes->count] = *id;
        takes->versions[takes->count++] = version;
    }
    return complete(effect, result, row, takes->arena, err);
}

static sync_status take(struct sync_db *db, const struct takes *takes, int64_t now_us,
                        struct sync_error *err)
{
    struct sync_params params;
    if (takes->count == 0) {
        return SYNC_OK;
    }
    sync_params_init(&params, takes->arena);
    sync_params_uuid_array(&params, takes->ids, NULL, takes->count);
    sync_params_int8_array(&params, takes->versions, NULL, takes->count);
    sync_params_time(&params, now_us);
    return sync_db_exec(db, &take_statement, &params, NULL, err);
}

static sync_status read_keys(struct sync_db *db, const struct sync_uuid *ids, size_t count,
                             struct sync_arena *arena, struct sync_result *ret_result,
                             struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_uuid_array(&params, ids, NULL, count);
    return sync_db_exec(db, &read_statement, &params, ret_result, err);
}

static sync_status look(struct sync_db *db, struct sync_lane_effect *effects, size_t count,
                        int64_t now_us, struct sync_arena *arena, struct sync_error *err)
{
    struct sync_uuid *ids = NULL;
    struct takes takes = {
        .ids = sync_arena_take_array(arena, count + 1, sizeof(struct sync_uuid)),
        .versions = sync_arena_take_array(arena, count + 1, sizeof(int64_t)),
        .arena = arena,
    };
    if (takes.ids == NULL || takes.versions == NULL) {
        return arena_full(err);
    }
    SYNC_RESULT result = {0};
    sync_status status = take_ids(effects, count, arena, &ids, err);
    if (sync_is_ok(status)) {
        status = lock_keys(db, ids, count, arena, err);
    }
    if (sync_is_ok(status)) {
        status = read_keys(db, ids, count, arena, &result, err);
    }
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        effects[i].verdict = SYNC_LANE_SKIP; /* of a key that is not there */
        effects[i].rule = "DL-90";
    }
    for (int row = 0; row < result.rows && sync_is_ok(status); row++) {
        int32_t i = sync_result_int4(&result, row, PLACE);
        status = judge(&effects[i], &ids[i], &result, row, &takes, err);
    }
    return sync_is_ok(status) ? take(db, &takes, now_us, err) : status;
}

/* Settle ------------------------------------------------------------------------------------- */

/* What is done stays held until it is seen. After more than one attempt nobody knows. */
static bool is_refused(const struct sync_lane_effect *effect)
{
    return effect->ended != SYNC_LANE_DONE && effect->attempt <= 1;
}

static sync_status settle(struct sync_db *db, struct sync_lane_effect *effects, size_t count,
                          int64_t now_us, struct sync_arena *arena, struct sync_error *err)
{
    struct sync_uuid *ids = NULL;
    int64_t *versions = sync_arena_take_array(arena, count + 1, sizeof *versions);
    size_t used = 0;
    (void)now_us;
    if (versions == NULL) {
        return arena_full(err);
    }
    sync_status status = take_ids(effects, count, arena, &ids, err);
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        if (is_refused(&effects[i])) {
            ids[used] = ids[i];
            versions[used++] = version_of(effects[i].body);
        }
    }
    if (!sync_is_ok(status) || used == 0) {
        return status;
    }
    status = lock_keys(db, ids, used, arena, err);
    if (sync_is_ok(status)) {
        struct sync_params params;
        sync_params_init(&params, arena);
        sync_params_uuid_array(&params, ids, NULL, used);
        sync_params_int8_array(&params, versions, NULL, used);
        status = sync_db_exec(db, &refuse_statement, &params, NULL, err);
    }
    return status;
}

static sync_status request(const struct sync_config *config, const struct sync_lane_effect *effect,
                           struct sync_arena *arena, struct sync_lane_request *ret_request,
                           struct sync_error *err)
{
    if (config == NULL || config->bridge_delegation_command_path[0] == '\0') {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_CONFIG,
                         "send a command to Altinn 2: bridge.delegation_command_path is not set");
    }
    struct sync_bytes body = sync_arena_copy(arena, effect->body);
    if (body.data == NULL) {
        return arena_full(err);
    }
    *ret_request =
        (struct sync_lane_request){.path = config->bridge_delegation_command_path, .body = body};
    return SYNC_OK;
}

/* 404 and 409 are refusals of this command; the same request may go again while it is
 * the newest. */
static enum sync_lane_answer answer(bool failed, int code, const char **ret_rule)
{
    *ret_rule = "DL-86";
    if (failed || code == 408 || code == 425 || code == 429 || code >= 500) {
        return SYNC_LANE_ANSWER_RETRY;
    }
    if (code >= 200 && code < 300) {
        return SYNC_LANE_ANSWER_DONE;
    }
    if (code == 401 || code == 403) {
        return SYNC_LANE_ANSWER_STOP;
    }
    return code == 410 ? SYNC_LANE_ANSWER_CLOSED : SYNC_LANE_ANSWER_PARK;
}

/* Without it commands are kept as no_route: counted and shown, never sent (DL-88). */
static bool reachable(const struct sync_config *config)
{
    return config != NULL && config->bridge_base_url[0] != '\0' &&
           config->bridge_delegation_command_path[0] != '\0';
}

const struct sync_lane_store sync_lane_store_delegation = {
    .store = "delegation",
    .target = "altinn2",
    .reachable = reachable,
    .exhausted_rule = "DL-86",
    .answer = answer,
    .look = look,
    .settle = settle,
    .request = request,
};
