/*
 * Parents of rows that may be inserted are made, all parents are locked, and then, in later
 * statements, the rows are read as they stand. Parents are locked by ascending id, those of agents
 * last, because the clients of a firm share them. Not here: what follows.
 */
#include "delegation_project.h"

#include "authorization_ids.h"

/* Columns of the writes that a question is about. */
struct columns {
    int32_t *places;
    struct sync_uuid *ids, *from, *to, *roles, *targets, *clients, *relations, *rows, *performers;
    struct sync_bytes *instances, *operations;
    size_t count;
};

static bool columns_take(struct sync_arena *arena, size_t n, struct columns *c)
{
    struct sync_uuid **uuids[] = {&c->ids,     &c->from,      &c->to,   &c->roles,     &c->targets,
                                  &c->clients, &c->relations, &c->rows, &c->performers};
    bool fits = true;
    for (size_t i = 0; i < sizeof uuids / sizeof uuids[0]; i++) {
        *uuids[i] = sync_arena_take_array(arena, n, sizeof **uuids[i]);
        fits = fits && *uuids[i] != NULL;
    }
    c->places = sync_arena_take_array(arena, n, sizeof *c->places);
    c->instances = sync_arena_take_array(arena, n, sizeof *c->instances);
    c->operations = sync_arena_take_array(arena, n, sizeof *c->operations);
    c->count = 0;
    return fits && c->places != NULL && c->instances != NULL && c->operations != NULL;
}

static void columns_add(const struct deleg_writes *writes, size_t place, struct columns *c)
{
    const struct deleg_write *write = &writes->items[place];
    const struct delegation_key_name *name = &deleg_key(write->slot)->name;
    size_t at = c->count++;
    c->places[at] = (int32_t)place;
    c->ids[at] = write->assignment_id;
    c->from[at] = write->from;
    c->to[at] = write->to;
    c->roles[at] = write->role;
    c->targets[at] = write->slot->place.target;
    c->clients[at] = name->from;
    c->relations[at] = write->slot->place.relation;
    c->rows[at] = write->slot->row_id;
    c->instances[at] = sync_bytes_text(name->instance);
    c->performers[at] = write->performer;
    c->operations[at] = write->operation;
}

/* Parents ------------------------------------------------------------------------------------ */

/* The triggers read the settings on every row, also where all stamps are written out. */
static const struct sync_statement settings_statement = {
    "delegation_a3_settings", "SELECT set_config('app.changed_by', $1::text, true),"
                              " set_config('app.changed_by_system', $1::text, true),"
                              " set_config('app.change_operation_id', 'altinn-sync', true)"};
static const struct sync_statement make_parents = {
    "delegation_a3_make_parents",
    "INSERT INTO dbo.assignment (id, fromid, toid, roleid, audit_changedby, audit_changedbysystem,"
    "  audit_changeoperation, audit_validfrom)"
    " SELECT n.id, n.f, n.t, n.r, n.performer, $7, n.operation, now()"
    "  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[])"
    "  AS n (id, f, t, r, performer, operation)"
    "  WHERE NOT EXISTS (SELECT FROM dbo.assignment a WHERE a.fromid = n.f AND a.toid = n.t"
    "   AND a.roleid = n.r OFFSET 0)"
    "  ORDER BY n.r = '" AUTHORIZATION_ROLE_AGENT "'::uuid, n.f, n.t, n.r"
    " ON CONFLICT (fromid, toid, roleid) DO NOTHING"};
#define LOCK_PARENTS(agents)                                                                       \
    "SELECT a.id FROM dbo.assignment a WHERE a.id = ANY (ARRAY(SELECT p.id"                        \
    "  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS n (f, t, r) JOIN dbo.assignment p"       \
    "  ON p.fromid = n.f AND p.toid = n.t AND p.roleid = n.r WHERE n.r " agents                    \
    " '" AUTHORIZATION_ROLE_AGENT "'::uuid)) ORDER BY a.id FOR UPDATE"
static const struct sync_statement lock_parents = {"delegation_a3_lock_parents",
                                                   LOCK_PARENTS("<>")};
static const struct sync_statement lock_agents = {"delegation_a3_lock_agents", LOCK_PARENTS("=")};

/* A row that is inserted and was last seen absent: a parent that is missing has no child. */
static bool needs_parent(const struct deleg_write *write)
{
    return write->wanted != 0 && !write->slot->has_row && deleg_kind(write) != DELEGATION_ROLE;
}

static void lock_params(const struct columns *c, struct sync_params *params)
{
    sync_params_uuid_array(params, c->from, NULL, c->count);
    sync_params_uuid_array(params, c->to, NULL, c->count);
    sync_params_uuid_array(params, c->roles, NULL, c->count);
}

static sync_status lock_all(struct deleg_batch *all, struct deleg_writes *writes,
                            struct sync_error *err)
{
    struct deleg_asks *asks = NULL;
    struct columns parents, every;
    sync_status status = deleg_asks_new(all, &asks, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (!columns_take(all->batch->arena, writes->count, &parents) ||
        !columns_take(all->batch->arena, writes->count, &every)) {
        return deleg_memory_full("parents of rows", err);
    }
    for (size_t i = 0; i < writes->count; i++) {
        columns_add(writes, i, &every);
        if (needs_parent(&writes->items[i])) {
            columns_add(writes, i, &parents);
        }
    }
    struct sync_params *params = deleg_ask(all, asks, &settings_statement, NULL);
    sync_params_uuid(params, &all->context->identity);
    if (parents.count > 0) {
        params = deleg_ask(all, asks, &make_parents, NULL);
        sync_params_uuid_array(params, parents.ids, NULL, parents.count);
        lock_params(&parents, params);
        sync_params_uuid_array(params, parents.performers, NULL, parents.count);
        sync_params_text_array(params, parents.operations, parents.count);
        sync_params_uuid(params, &all->context->identity);
    }
    lock_params(&every, deleg_ask(all, asks, &lock_parents, NULL));
    lock_params(&every, deleg_ask(all, asks, &lock_agents, NULL));
    return deleg_asks_run(all, asks, err);
}

/* Rows --------------------------------------------------------------------------------------- */

/* Columns 1 to 3 are of the assignment, 4 to 6 of the row, 7 and 8 its document, 9 the clock, 10
 * whether a transaction wrote the row that began after ours, whatever time it wrote (DL-102). Ids
 * of transactions compare for two billion of them only, so the time must not be long ago. */
#define CLOCK_AND_ORDER(row)                                                                       \
    "clock_timestamp(), coalesce(age(" row ".xmin) < 0"                                            \
    " AND " row ".audit_validfrom > now() - interval '1 hour', false)"
#define ROW_ORDER        CLOCK_AND_ORDER("c")
#define ASSIGNMENT_ORDER CLOCK_AND_ORDER("a")
#define PARENT_JOIN                                                                                \
    " JOIN dbo.assignment a ON a.fromid = n.f AND a.toid = n.t"                                    \
    " AND a.roleid = n.r"
#define PARENT_COLUMNS "n.i, a.id, a.audit_validfrom, a.audit_changedbysystem"
static const struct sync_statement resource_rows = {
    "delegation_a3_resource_rows",
    "SELECT " PARENT_COLUMNS ", c.id, c.audit_validfrom, c.audit_changedbysystem, c.policypath,"
    "  c.policyversion, " ROW_ORDER
    " FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[])"
    "  AS n (i, f, t, r, target)" PARENT_JOIN
    " LEFT JOIN dbo.assignmentresource c ON c.assignmentid = a.id AND c.resourceid = n.target"};
static const struct sync_statement instance_rows = {
    "delegation_a3_instance_rows",
    "SELECT " PARENT_COLUMNS ", c.id, c.audit_validfrom, c.audit_changedbysystem, c.policypath,"
    "  c.policyversion, " ROW_ORDER
    " FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[])"
    "  AS n (i, f, t, r, target, instance)" PARENT_JOIN
    " LEFT JOIN dbo.assignmentinstance c ON c.assignmentid = a.id AND c.resourceid = n.target"
    "  AND c.instanceid = n.instance"};
static const struct sync_statement package_rows = {
    "delegation_a3_package_rows",
    "SELECT " PARENT_COLUMNS ", c.id, c.audit_validfrom, c.audit_changedbysystem, NULL::text,"
    "  NULL::text, " ROW_ORDER
    " FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[])"
    "  AS n (i, f, t, r, target)" PARENT_JOIN
    " LEFT JOIN dbo.assignmentpackage c ON c.assignmentid = a.id AND c.packageid = n.target"};
static const struct sync_statement role_rows = {
    "delegation_a3_role_rows",
    "SELECT " PARENT_COLUMNS ", a.id, a.audit_validfrom, a.audit_changedbysystem, NULL::text,"
    "  NULL::text, " ASSIGNMENT_ORDER
    " FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[]) AS n (i, f, t, r)" PARENT_JOIN};
/* The row may stand below another relation of the two than the one that we would use; the one that
 * was last seen is meant, if it is there. */
static const struct sync_statement client_rows = {
    "delegation_a3_client_rows",
    "SELECT DISTINCT ON (n.i) " PARENT_COLUMNS ", c.id, c.audit_validfrom, c.audit_changedbysystem,"
    "  NULL::text, NULL::text, " ROW_ORDER
    ", d.id, d.audit_validfrom, d.audit_changedbysystem, own.id"
    " FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[],"
    "  $7::uuid[], $8::uuid[]) AS n (i, f, t, r, target, client, relation, seen)" PARENT_JOIN
    " LEFT JOIN dbo.delegation own ON own.fromid = n.relation AND own.toid = a.id"
    "  AND own.facilitatorid = n.f"
    " LEFT JOIN (dbo.delegation d JOIN dbo.assignment e ON e.id = d.fromid"
    "   JOIN dbo.delegationpackage c ON c.delegationid = d.id)"
    "  ON d.toid = a.id AND d.facilitatorid = n.f AND e.fromid = n.client"
    "  AND c.packageid = n.target"
    " ORDER BY n.i, (c.id = n.seen) DESC NULLS LAST, c.id"};

static struct deleg_found found_read(const struct sync_result *result, int row, int column)
{
    return (struct deleg_found){.there = !sync_result_is_null(result, row, column),
                                .id = sync_result_uuid(result, row, column),
                                .valid_us = sync_result_time(result, row, column + 1),
                                .writer = sync_result_uuid(result, row, column + 2)};
}

/* Text of a row outlives the result. Null stays null. */
static bool text_read(struct deleg_batch *all, const struct sync_result *result, int row,
                      int column, struct sync_bytes *ret_text)
{
    if (sync_result_is_null(result, row, column)) {
        *ret_text = (struct sync_bytes){NULL, 0};
        return true;
    }
    *ret_text = sync_arena_copy(all->batch->arena, sync_result_bytes(result, row, column));
    return ret_text->data != NULL;
}

static sync_status read_rows(struct deleg_batch *all, const struct sync_result *result,
                             struct sync_error *err)
{
    struct deleg_writes *writes = all->writes;
    for (int row = 0; row < result->rows; row++) {
        struct deleg_write *write = &writes->items[sync_result_int4(result, row, 0)];
        write->assignment = found_read(result, row, 1);
        write->row = found_read(result, row, 4);
        if (!text_read(all, result, row, 7, &write->row_path) ||
            !text_read(all, result, row, 8, &write->row_version)) {
            return deleg_memory_full("rows of Altinn 3", err);
        }
        writes->clock_us = sync_result_time(result, row, 9);
        write->row_is_newer = sync_result_bool(result, row, 10);
        if (deleg_kind(write) != DELEGATION_CLIENT) {
            continue;
        }
        write->delegation = found_read(result, row, 11);
        write->has_delegation = !sync_result_is_null(result, row, 14);
        if (write->has_delegation) {
            write->delegation_id = sync_result_uuid(result, row, 14);
        }
    }
    return SYNC_OK;
}

static sync_status ask_kind(struct deleg_batch *all, struct deleg_writes *writes,
                            enum delegation_kind kind, struct deleg_asks *asks,
                            struct sync_error *err)
{
    static const struct sync_statement *const statements[] = {[DELEGATION_SINGLE] = &resource_rows,
                                                              [DELEGATION_INSTANCE] =
                                                                  &instance_rows,
                                                              [DELEGATION_PACKAGE] = &package_rows,
                                                              [DELEGATION_ROLE] = &role_rows,
                                                              [DELEGATION_CLIENT] = &client_rows};
    struct columns c;
    if (!columns_take(all->batch->arena, writes->count, &c)) {
        return deleg_memory_full("rows of Altinn 3", err);
    }
    for (size_t i = 0; i < writes->count; i++) {
        if (deleg_kind(&writes->items[i]) == kind) {
            columns_add(writes, i, &c);
        }
    }
    if (c.count == 0) {
        return SYNC_OK;
    }
    struct sync_params *params = deleg_ask(all, asks, statements[kind], read_rows);
    sync_params_int4_array(params, c.places, NULL, c.count);
    lock_params(&c, params);
    if (kind != DELEGATION_ROLE) {
        sync_params_uuid_array(params, c.targets, NULL, c.count);
    }
    if (kind == DELEGATION_INSTANCE) {
        sync_params_text_array(params, c.instances, c.count);
    }
    if (kind == DELEGATION_CLIENT) {
        sync_params_uuid_array(params, c.clients, NULL, c.count);
        sync_params_uuid_array(params, c.relations, NULL, c.count);
        sync_params_uuid_array(params, c.rows, NULL, c.count);
    }
    return SYNC_OK;
}

sync_status deleg_find_rows(struct deleg_batch *all, struct deleg_writes *writes,
                            struct sync_error *err)
{
    struct deleg_asks *asks = NULL;
    all->writes = writes;
    sync_status status = lock_all(all, writes, err);
    if (sync_is_ok(status)) {
        status = deleg_asks_new(all, &asks, err);
    }
    for (int kind = DELEGATION_SINGLE; kind <= DELEGATION_CLIENT && sync_is_ok(status); kind++) {
        status = ask_kind(all, writes, (enum delegation_kind)kind, asks, err);
    }
    return sync_is_ok(status) ? deleg_asks_run(all, asks, err) : status;
}
