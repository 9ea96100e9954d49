/*
 * "load" of resources: which there are, what their policy offers, and how far each is in sync
 * (docs/load-format.md). A changed row has the keys of its resource recomputed by the sweep. Not
 * here: files and transactions (src/cli/load.c), what a phase means (rules).
 */
#include "../../src/runtime/json.h"
#include "../../src/runtime/loader.h"
#include "../../src/runtime/postgres_array.h"
#include "../../src/runtime/time_text.h"

#include <altinn_sync/delegation.h>
#include <stdlib.h>

#define TYPE_BYTES_MAX 64
#define CODE_BYTES_MAX 32

struct resource_line {
    struct sync_bytes id, type, code, actions; /* code, actions: data NULL = not given */
    bool has_edition, has_freeze;
    int32_t edition;
    int16_t phase;
    int64_t freeze_us;
};

/* Reading ------------------------------------------------------------------------------------ */

struct reader {
    const struct sync_json *json;
    struct sync_arena *arena;
    struct sync_error *err;
    bool unknown;
};

static sync_status wrong(struct reader *r, const char *field, const char *sentence)
{
    return sync_fail_field(r->err, SYNC_CLASS_PARK, SYNC_CODE_FIELD_RANGE, field, "%s", sentence);
}

static sync_status memory_full(struct reader *r)
{
    return sync_fail(r->err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                     "read a line: the arena is full");
}

static void check_name(const char *name, const struct sync_json *value, void *context)
{
    static const char *const names[] = {"type",           "id",      "resourceType", "serviceCode",
                                        "serviceEdition", "actions", "phase",        "freezeTime"};
    struct reader *r = context;
    (void)value;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            return;
        }
    }
    if (!r->unknown) {
        r->unknown = true;
        (void)wrong(r, name, "the name is not known");
    }
}

static bool is_given(const struct sync_json *value)
{
    return value != NULL && sync_json_type_of(value) != SYNC_JSON_NULL;
}

/* A text in canonical form (DL-05), or as it is. */
static sync_status read_text(struct reader *r, const char *name, size_t most, bool canonical,
                             struct sync_bytes *ret_text)
{
    char text[DELEGATION_TARGET_SIZE];
    const struct sync_json *value = sync_json_get(r->json, name);
    struct sync_bytes given = sync_json_text(value);
    if (sync_json_type_of(value) != SYNC_JSON_TEXT || given.size == 0 || given.size > most) {
        return wrong(r, name, "the value is no text, empty or too long");
    }
    if (canonical && !delegation_text_take(given, text, sizeof text)) {
        return wrong(r, name, "the value is blank");
    }
    *ret_text = sync_arena_copy(r->arena, canonical ? sync_bytes_text(text) : given);
    return ret_text->data == NULL ? memory_full(r) : SYNC_OK;
}

/* Code and edition of the service that the resource stands for come together, or not at all. */
static sync_status read_service(struct reader *r, struct resource_line *line)
{
    const struct sync_json *code = sync_json_get(r->json, "serviceCode");
    const struct sync_json *edition = sync_json_get(r->json, "serviceEdition");
    if (!is_given(code)) {
        return is_given(edition) ? wrong(r, "serviceEdition", "there is no serviceCode to it")
                                 : SYNC_OK;
    }
    int64_t number = sync_json_integer(edition);
    if (sync_json_type_of(edition) != SYNC_JSON_INTEGER || number < 0 || number > INT32_MAX) {
        return wrong(r, "serviceEdition", "the value is no number of an edition");
    }
    line->has_edition = true;
    line->edition = (int32_t)number;
    return read_text(r, "serviceCode", CODE_BYTES_MAX, true, &line->code);
}

static int compare_texts(const void *left, const void *right)
{
    const struct sync_bytes *a = left, *b = right;
    size_t size = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->data, b->data, size);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

/* Not given, or null: the policy is not known yet, and nothing is projected. */
static sync_status read_actions(struct reader *r, struct resource_line *line)
{
    const struct sync_json *list = sync_json_get(r->json, "actions");
    struct sync_bytes actions[DELEGATION_RIGHTS_MAX];
    size_t count = sync_json_count(list);
    if (!is_given(list)) {
        return SYNC_OK;
    }
    if (sync_json_type_of(list) != SYNC_JSON_ARRAY || count > DELEGATION_RIGHTS_MAX) {
        return wrong(r, "actions", "the value is no list of at most 64 actions");
    }
    for (size_t i = 0; i < count; i++) {
        char text[DELEGATION_RIGHT_SIZE];
        const struct sync_json *item = sync_json_at(list, i);
        if (sync_json_type_of(item) != SYNC_JSON_TEXT ||
            !delegation_text_take(sync_json_text(item), text, sizeof text)) {
            return wrong(r, "actions", "an action is no text, blank or longer than 64 bytes");
        }
        actions[i] = sync_arena_copy(r->arena, sync_bytes_text(text));
        if (actions[i].data == NULL) {
            return memory_full(r);
        }
    }
    qsort(actions, count, sizeof actions[0], compare_texts);
    line->actions = sync_array_text(r->arena, actions, count);
    return line->actions.data == NULL ? memory_full(r) : SYNC_OK;
}

static sync_status read_phase(struct reader *r, struct resource_line *line)
{
    static const char *const phases[] = {"off", "shadow", "sync", "frozen", "final"};
    struct sync_bytes text = sync_json_text(sync_json_get(r->json, "phase"));
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        if (sync_bytes_equal(text, sync_bytes_text(phases[i]))) {
            line->phase = (int16_t)i;
            return SYNC_OK;
        }
    }
    return wrong(r, "phase", "the value is none of off, shadow, sync, frozen, final");
}

static sync_status read_freeze(struct reader *r, struct resource_line *line)
{
    const struct sync_json *value = sync_json_get(r->json, "freezeTime");
    if (!is_given(value)) {
        return SYNC_OK;
    }
    line->has_freeze = true;
    return sync_time_parse(sync_json_text(value), &line->freeze_us)
               ? SYNC_OK
               : wrong(r, "freezeTime", "the value is no ISO 8601 time with an offset or Z");
}

static sync_status read_line(struct reader *r, struct resource_line *line)
{
    if (sync_json_type_of(r->json) != SYNC_JSON_OBJECT) {
        return wrong(r, "", "the line is no object");
    }
    sync_json_each(r->json, check_name, r);
    if (r->unknown) {
        return (sync_status){SYNC_CLASS_PARK}; /* check_name has said which */
    }
    struct sync_bytes type = sync_json_text(sync_json_get(r->json, "type"));
    if (!sync_bytes_equal(type, sync_bytes_text("resource"))) {
        return wrong(r, "type", "the value is not \"resource\"");
    }
    sync_status status = read_text(r, "id", DELEGATION_TARGET_SIZE - 1, true, &line->id);
    if (sync_is_ok(status)) {
        status = read_text(r, "resourceType", TYPE_BYTES_MAX, false, &line->type);
    }
    if (sync_is_ok(status)) {
        status = read_service(r, line);
    }
    if (sync_is_ok(status)) {
        status = read_actions(r, line);
    }
    if (sync_is_ok(status)) {
        status = read_phase(r, line);
    }
    return sync_is_ok(status) ? read_freeze(r, line) : status;
}

static sync_status parse(struct sync_bytes text, struct sync_arena *arena, void **ret_item,
                         struct sync_error *err)
{
    struct sync_json *json = NULL;
    sync_status status = sync_json_parse(text, &json, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct reader reader = {.json = json, .arena = arena, .err = err};
    struct resource_line *line = sync_arena_take(arena, sizeof *line);
    status = line == NULL ? memory_full(&reader) : read_line(&reader, line);
    sync_json_free(&json);
    if (sync_is_ok(status)) {
        *ret_item = line;
    }
    return status;
}

/* Writing ------------------------------------------------------------------------------------ */

struct columns {
    int32_t *places, *editions;
    struct sync_bytes *ids, *types, *codes, *actions;
    bool *no_edition, *no_freeze;
    int16_t *phases;
    int64_t *freezes;
    size_t count;
};

static bool columns_take(struct sync_arena *arena, size_t n, struct columns *ret_columns)
{
    *ret_columns = (struct columns){
        .places = sync_arena_take_array(arena, n, sizeof(int32_t)),
        .editions = sync_arena_take_array(arena, n, sizeof(int32_t)),
        .ids = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
        .types = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
        .codes = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
        .actions = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
        .no_edition = sync_arena_take_array(arena, n, sizeof(bool)),
        .no_freeze = sync_arena_take_array(arena, n, sizeof(bool)),
        .phases = sync_arena_take_array(arena, n, sizeof(int16_t)),
        .freezes = sync_arena_take_array(arena, n, sizeof(int64_t)),
    };
    return ret_columns->places != NULL && ret_columns->editions != NULL &&
           ret_columns->ids != NULL && ret_columns->types != NULL && ret_columns->codes != NULL &&
           ret_columns->actions != NULL && ret_columns->no_edition != NULL &&
           ret_columns->no_freeze != NULL && ret_columns->phases != NULL &&
           ret_columns->freezes != NULL;
}

/* One statement may not touch a row twice. */
static bool stands_twice(const struct columns *c, struct sync_bytes id)
{
    for (size_t i = 0; i < c->count; i++) {
        if (sync_bytes_equal(c->ids[i], id)) {
            return true;
        }
    }
    return false;
}

static void columns_fill(struct sync_load_line *lines, size_t count, struct columns *c)
{
    for (size_t i = 0; i < count; i++) {
        const struct resource_line *line = lines[i].item;
        if (lines[i].refused) {
            continue;
        }
        if (stands_twice(c, line->id)) {
            lines[i].refused = true;
            (void)sync_fail_field(&lines[i].error, SYNC_CLASS_PARK, SYNC_CODE_FIELD_RANGE, "id",
                                  "the resource stands twice within 500 lines");
            continue;
        }
        size_t at = c->count++;
        c->places[at] = (int32_t)i;
        c->ids[at] = line->id;
        c->types[at] = line->type;
        c->codes[at] = line->code;
        c->no_edition[at] = !line->has_edition;
        c->editions[at] = line->edition;
        c->actions[at] = line->actions;
        c->phases[at] = line->phase;
        c->no_freeze[at] = !line->has_freeze;
        c->freezes[at] = line->freeze_us;
    }
}

/* What was granted since would be ignored without anybody having been told (DL-27). */
static const struct sync_statement past_statement = {
    "load_resources_past",
    "SELECT n.i FROM unnest($1::int4[], $2::text[], $3::timestamptz[]) AS n (i, id, frozen_at)"
    " LEFT JOIN sync.resource_state r ON r.resource = n.id"
    " WHERE n.frozen_at < now() AND n.frozen_at IS DISTINCT FROM r.freeze_time"};
static const struct sync_statement write_statement = {
    "load_resources",
    "INSERT INTO sync.resource_state AS r (resource, type, service_code, edition, actions, phase,"
    "  freeze_time, sweep_state)"
    " SELECT n.id, n.type, n.code, n.edition, n.actions::text[], n.phase, n.frozen_at, 1"
    "  FROM unnest($1::text[], $2::text[], $3::text[], $4::int4[], $5::text[], $6::int2[],"
    "   $7::timestamptz[]) AS n (id, type, code, edition, actions, phase, frozen_at)"
    "  ORDER BY n.id COLLATE \"C\""
    " ON CONFLICT (resource) DO UPDATE SET type = excluded.type,"
    "  service_code = excluded.service_code, edition = excluded.edition,"
    "  actions = excluded.actions, phase = excluded.phase, freeze_time = excluded.freeze_time,"
    "  sweep_state = 1, sweep_key = 0"
    " WHERE (r.type, r.service_code, r.edition, r.actions, r.phase, r.freeze_time) IS DISTINCT FROM"
    "  (excluded.type, excluded.service_code, excluded.edition, excluded.actions, excluded.phase,"
    "   excluded.freeze_time)"
    " RETURNING r.resource"};

static sync_status refuse_past(struct sync_db *db, struct sync_load_line *lines, struct columns *c,
                               struct sync_arena *arena, struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, c->places, NULL, c->count);
    sync_params_text_array(&params, c->ids, c->count);
    sync_params_time_array(&params, c->freezes, c->no_freeze, c->count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &past_statement, &params, &result, err);
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        struct sync_load_line *line = &lines[sync_result_int4(&result, row, 0)];
        line->refused = true;
        (void)sync_fail_field(&line->error, SYNC_CLASS_PARK, SYNC_CODE_FIELD_RANGE, "freezeTime",
                              "a freeze does not begin in the past");
    }
    return status;
}

static sync_status write_rows(struct sync_db *db, struct sync_load_line *lines, struct columns *c,
                              struct sync_arena *arena, struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_text_array(&params, c->ids, c->count);
    sync_params_text_array(&params, c->types, c->count);
    sync_params_text_array(&params, c->codes, c->count);
    sync_params_int4_array(&params, c->editions, c->no_edition, c->count);
    sync_params_text_array(&params, c->actions, c->count);
    sync_params_int2_array(&params, c->phases, NULL, c->count);
    sync_params_time_array(&params, c->freezes, c->no_freeze, c->count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &write_statement, &params, &result, err);
    for (size_t i = 0; i < c->count; i++) {
        lines[c->places[i]].known = true;
    }
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        struct sync_bytes id = sync_result_bytes(&result, row, 0);
        for (size_t i = 0; i < c->count; i++) {
            if (sync_bytes_equal(c->ids[i], id)) {
                lines[c->places[i]].known = false;
            }
        }
    }
    return status;
}

static sync_status write_lines(struct sync_db *db, struct sync_load_line *lines, size_t count,
                               struct sync_arena *arena, struct sync_error *err)
{
    struct columns first, left;
    if (!columns_take(arena, count + 1, &first) || !columns_take(arena, count + 1, &left)) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "load resources: the arena is full");
    }
    columns_fill(lines, count, &first);
    sync_status status = first.count == 0 ? SYNC_OK : refuse_past(db, lines, &first, arena, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    columns_fill(lines, count, &left);
    return left.count == 0 ? SYNC_OK : write_rows(db, lines, &left, arena, err);
}

static const char *const types[] = {"resource", NULL};

const struct sync_loader sync_loader_delegation = {
    .name = "delegation",
    .types = types,
    .route = "delegation-to-altinn3",
    .parse = parse,
    .write = write_lines,
};
