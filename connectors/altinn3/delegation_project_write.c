/*
 * Documents, rows and parents of Altinn 3 in two round trips: what is inserted, updated and
 * removed, each row on its condition; then parents that are left without a child, if we made them
 * (DL-81). All four stamps are written out everywhere. Not here: judging.
 */
#include "delegation_project.h"

#include "authorization_ids.h"

/* Columns of one statement. */
struct columns {
    struct sync_uuid *ids, *parents, *targets, *role_packages, *performers, *from, *to, *roles;
    struct sync_bytes *instances, *paths, *versions, *operations;
    int16_t *variants;
    int64_t *seen;
    size_t count;
};

static bool columns_take(struct sync_arena *arena, size_t n, struct columns *c)
{
    struct sync_uuid **uuids[] = {&c->ids,        &c->parents, &c->targets, &c->role_packages,
                                  &c->performers, &c->from,    &c->to,      &c->roles};
    struct sync_bytes **texts[] = {&c->instances, &c->paths, &c->versions, &c->operations};
    bool fits = true;
    for (size_t i = 0; i < sizeof uuids / sizeof uuids[0]; i++) {
        *uuids[i] = sync_arena_take_array(arena, n, sizeof **uuids[i]);
        fits = fits && *uuids[i] != NULL;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = sync_arena_take_array(arena, n, sizeof **texts[i]);
        fits = fits && *texts[i] != NULL;
    }
    c->variants = sync_arena_take_array(arena, n, sizeof *c->variants);
    c->seen = sync_arena_take_array(arena, n, sizeof *c->seen);
    c->count = 0;
    return fits && c->variants != NULL && c->seen != NULL;
}

static void columns_add(const struct deleg_write *write, struct columns *c)
{
    size_t at = c->count++;
    bool insert = write->act == DELEG_INSERT;
    c->ids[at] = insert ? write->id : write->row.id;
    c->parents[at] =
        deleg_kind(write) == DELEGATION_CLIENT ? write->delegation_id : write->assignment.id;
    c->targets[at] = write->slot->place.target;
    c->role_packages[at] = write->slot->place.role_package;
    c->performers[at] = write->performer;
    c->from[at] = write->from;
    c->to[at] = write->to;
    c->roles[at] = write->role;
    c->instances[at] = sync_bytes_text(deleg_key(write->slot)->name.instance);
    c->variants[at] = (int16_t)deleg_key(write->slot)->name.variant;
    c->paths[at] = write->path;
    c->versions[at] = write->version;
    c->operations[at] = write->operation;
    c->seen[at] = write->row.valid_us;
}

/* Writes of one kind and act; false: the arena is full. */
static bool select_writes(struct deleg_batch *all, const struct deleg_writes *writes,
                          enum delegation_kind kind, enum deleg_act act, struct columns *c)
{
    if (!columns_take(all->batch->arena, writes->count, c)) {
        return false;
    }
    for (size_t i = 0; i < writes->count; i++) {
        if (deleg_kind(&writes->items[i]) == kind && writes->items[i].act == act) {
            columns_add(&writes->items[i], c);
        }
    }
    return true;
}

/* Rows come back in about the order in which they were sent. */
static void mark_through(struct deleg_writes *writes, const struct sync_uuid *id, size_t *at)
{
    for (size_t i = 0; i < writes->count; i++) {
        struct deleg_write *write = &writes->items[(*at + i) % writes->count];
        const struct sync_uuid *own = write->act == DELEG_INSERT ? &write->id : &write->row.id;
        bool writes_row =
            write->act == DELEG_INSERT || write->act == DELEG_UPDATE || write->act == DELEG_REMOVE;
        if (writes_row && sync_uuid_compare(own, id) == 0) {
            write->through = true;
            *at = (*at + i + 1) % writes->count;
            return;
        }
    }
}

static sync_status read_ids(struct deleg_batch *all, const struct sync_result *result,
                            struct sync_error *err)
{
    size_t at = 0;
    (void)err;
    for (int row = 0; row < result->rows; row++) {
        struct sync_uuid id = sync_result_uuid(result, row, 0);
        mark_through(all->writes, &id, &at);
    }
    all->batch->rows_written += result->rows;
    return SYNC_OK;
}

/* Documents ---------------------------------------------------------------------------------- */

static sync_status put_documents(struct deleg_batch *all, struct deleg_writes *writes,
                                 struct deleg_asks *asks, struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    struct deleg_policy *documents =
        sync_arena_take_array(arena, writes->count + 1, sizeof *documents);
    size_t count = 0;
    if (documents == NULL) {
        return deleg_memory_full("policy documents", err);
    }
    for (size_t i = 0; i < writes->count; i++) {
        const struct deleg_write *write = &writes->items[i];
        const struct delegation_key *key = deleg_key(write->slot);
        bool writes_row = write->act == DELEG_INSERT || write->act == DELEG_UPDATE;
        if (!writes_row || deleg_kind(write) > DELEGATION_INSTANCE) {
            continue;
        }
        bool instance = key->name.kind == DELEGATION_INSTANCE;
        documents[count] =
            (struct deleg_policy){.slot = write->slot,
                                  .path = write->path,
                                  .instance = instance ? sync_bytes_text(key->name.instance)
                                                       : (struct sync_bytes){NULL, 0},
                                  .actions = deleg_set_text(arena, key, write->wanted)};
        if (documents[count++].actions.data == NULL) {
            return deleg_memory_full("policy documents", err);
        }
    }
    sync_status status = deleg_policy_table.put(all, documents, count, asks, err);
    for (size_t i = 0, at = 0; i < writes->count && sync_is_ok(status) && at < count; i++) {
        if (writes->items[i].slot == documents[at].slot) {
            writes->items[i].version = documents[at++].version;
        }
    }
    return status;
}

/* Inserts ------------------------------------------------------------------------------------ */

#define STAMPS     "audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom"
#define STAMPED(n) "n.performer, $" #n ", n.operation, now()"

/* The last three parameters of every insert. */
static void stamps(const struct deleg_batch *all, const struct columns *c,
                   struct sync_params *params)
{
    sync_params_uuid_array(params, c->performers, NULL, c->count);
    sync_params_text_array(params, c->operations, c->count);
    sync_params_uuid(params, &all->context->identity);
}

static sync_status insert_resources(struct deleg_batch *all, const struct columns *c,
                                    struct deleg_asks *asks)
{
    static const struct sync_statement statement = {
        "delegation_a3_insert_resources",
        "INSERT INTO dbo.assignmentresource (id, assignmentid, resourceid, policypath,"
        "  policyversion, delegationchangeid, " STAMPS ")"
        " SELECT n.id, n.parent, n.target, n.path, n.version, 0, " STAMPED(
            8) "  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], "
               "$6::uuid[],"
               "   $7::text[]) AS n (id, parent, target, path, version, performer, operation)"
               "  ORDER BY n.parent, n.target ON CONFLICT (assignmentid, resourceid) DO NOTHING"
               " RETURNING id"};
    struct sync_params *params = deleg_ask(all, asks, &statement, read_ids);
    sync_params_uuid_array(params, c->ids, NULL, c->count);
    sync_params_uuid_array(params, c->parents, NULL, c->count);
    sync_params_uuid_array(params, c->targets, NULL, c->count);
    sync_params_text_array(params, c->paths, c->count);
    sync_params_text_array(params, c->versions, c->count);
    stamps(all, c, params);
    return SYNC_OK;
}

static sync_status insert_instances(struct deleg_batch *all, const struct columns *c,
                                    struct deleg_asks *asks)
{
    static const struct sync_statement statement = {
        "delegation_a3_insert_instances",
        "INSERT INTO dbo.assignmentinstance (id, assignmentid, resourceid, instanceid,"
        "  instancesourcetypeid, policypath, policyversion, delegationchangeid, " STAMPS ")"
        " SELECT n.id, n.parent, n.target, n.instance, CASE n.variant WHEN 1"
        "   THEN '" AUTHORIZATION_INSTANCE_BY_APP "'::uuid"
        "   ELSE '" AUTHORIZATION_INSTANCE_BY_USER "'::uuid END, n.path, n.version, 0,"
        "  " STAMPED(
            10) "  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::int2[], "
                "$6::text[],"
                "   $7::text[], $8::uuid[], $9::text[])"
                "  AS n (id, parent, target, instance, variant, path, version, performer, "
                "operation)"
                "  ORDER BY n.parent, n.target, n.instance COLLATE \"C\""
                " ON CONFLICT (assignmentid, resourceid, instanceid) DO NOTHING RETURNING id"};
    struct sync_params *params = deleg_ask(all, asks, &statement, read_ids);
    sync_params_uuid_array(params, c->ids, NULL, c->count);
    sync_params_uuid_array(params, c->parents, NULL, c->count);
    sync_params_uuid_array(params, c->targets, NULL, c->count);
    sync_params_text_array(params, c->instances, c->count);
    sync_params_int2_array(params, c->variants, NULL, c->count);
    sync_params_text_array(params, c->paths, c->count);
    sync_params_text_array(params, c->versions, c->count);
    stamps(all, c, params);
    return SYNC_OK;
}

static sync_status insert_packages(struct deleg_batch *all, const struct columns *c,
                                   struct deleg_asks *asks)
{
    static const struct sync_statement statement = {
        "delegation_a3_insert_packages",
        "INSERT INTO dbo.assignmentpackage (id, assignmentid, packageid, " STAMPS ")"
        " SELECT n.id, n.parent, n.target, " STAMPED(
            6) "  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[])"
               "  AS n (id, parent, target, performer, operation) ORDER BY n.parent, n.target"
               " ON CONFLICT (assignmentid, packageid) DO NOTHING RETURNING id"};
    struct sync_params *params = deleg_ask(all, asks, &statement, read_ids);
    sync_params_uuid_array(params, c->ids, NULL, c->count);
    sync_params_uuid_array(params, c->parents, NULL, c->count);
    sync_params_uuid_array(params, c->targets, NULL, c->count);
    stamps(all, c, params);
    return SYNC_OK;
}

static sync_status insert_roles(struct deleg_batch *all, const struct columns *c,
                                struct deleg_asks *asks)
{
    static const struct sync_statement statement = {
        "delegation_a3_insert_roles",
        "INSERT INTO dbo.assignment (id, fromid, toid, roleid, " STAMPS ")"
        " SELECT n.id, n.f, n.t, n.r, " STAMPED(
            7) "  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], "
               "$6::text[])"
               "  AS n (id, f, t, r, performer, operation) ORDER BY n.f, n.t, n.r"
               " ON CONFLICT (fromid, toid, roleid) DO NOTHING RETURNING id"};
    struct sync_params *params = deleg_ask(all, asks, &statement, read_ids);
    sync_params_uuid_array(params, c->ids, NULL, c->count);
    sync_params_uuid_array(params, c->from, NULL, c->count);
    sync_params_uuid_array(params, c->to, NULL, c->count);
    sync_params_uuid_array(params, c->roles, NULL, c->count);
    stamps(all, c, params);
    return SYNC_OK;
}

/* The delegation of a client and an agent, where the pair has none of this relation yet. */
static sync_status insert_delegations(struct deleg_batch *all, const struct deleg_writes *writes,
                                      struct deleg_asks *asks, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "delegation_a3_insert_delegations",
        "INSERT INTO dbo.delegation (id, fromid, toid, facilitatorid, " STAMPS ")"
        " SELECT n.id, n.relation, n.agent, n.firm, " STAMPED(
            7) "  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], "
               "$6::text[])"
               "  AS n (id, relation, agent, firm, performer, operation) ORDER BY n.relation, "
               "n.agent"
               " ON CONFLICT (fromid, toid, facilitatorid) DO NOTHING"};
    struct columns c;
    if (!columns_take(all->batch->arena, writes->count, &c)) {
        return deleg_memory_full("client delegations", err);
    }
    for (size_t i = 0; i < writes->count; i++) {
        const struct deleg_write *write = &writes->items[i];
        if (deleg_kind(write) == DELEGATION_CLIENT && write->act == DELEG_INSERT &&
            !write->has_delegation) {
            columns_add(write, &c);
            c.targets[c.count - 1] = write->slot->place.relation;
            c.roles[c.count - 1] = write->assignment.id;
        }
    }
    if (c.count > 0) {
        struct sync_params *params = deleg_ask(all, asks, &statement, NULL);
        sync_params_uuid_array(params, c.parents, NULL, c.count);
        sync_params_uuid_array(params, c.targets, NULL, c.count);
        sync_params_uuid_array(params, c.roles, NULL, c.count);
        sync_params_uuid_array(params, c.from, NULL, c.count);
        stamps(all, &c, params);
    }
    return SYNC_OK;
}

static sync_status insert_clients(struct deleg_batch *all, const struct columns *c,
                                  struct deleg_asks *asks)
{
    static const struct sync_statement statement = {
        "delegation_a3_insert_clients",
        "INSERT INTO dbo.delegationpackage (id, delegationid, packageid, rolepackageid, " STAMPS ")"
        " SELECT n.id, n.parent, n.target, n.role_package, " STAMPED(
            7) "  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], "
               "$6::text[])"
               "  AS n (id, parent, target, role_package, performer, operation)"
               "  ORDER BY n.parent, n.target"
               " ON CONFLICT (delegationid, packageid) DO NOTHING RETURNING id"};
    struct sync_params *params = deleg_ask(all, asks, &statement, read_ids);
    sync_params_uuid_array(params, c->ids, NULL, c->count);
    sync_params_uuid_array(params, c->parents, NULL, c->count);
    sync_params_uuid_array(params, c->targets, NULL, c->count);
    sync_params_uuid_array(params, c->role_packages, NULL, c->count);
    stamps(all, c, params);
    return SYNC_OK;
}

/* Two keys of one pair in one batch share the delegation that is made. */
static void share_delegations(struct deleg_writes *writes)
{
    for (size_t i = 0; i < writes->count; i++) {
        struct deleg_write *write = &writes->items[i];
        for (size_t k = 0; k < i && deleg_kind(write) == DELEGATION_CLIENT; k++) {
            const struct deleg_write *other = &writes->items[k];
            if (deleg_kind(other) == DELEGATION_CLIENT && !write->has_delegation &&
                sync_uuid_compare(&other->slot->place.relation, &write->slot->place.relation) ==
                    0 &&
                sync_uuid_compare(&other->assignment.id, &write->assignment.id) == 0) {
                write->delegation_id = other->delegation_id;
                break;
            }
        }
    }
}

static sync_status insert_rows(struct deleg_batch *all, struct deleg_writes *writes,
                               struct deleg_asks *asks, struct sync_error *err)
{
    static sync_status (*const inserts[])(struct deleg_batch * all, const struct columns *c,
                                          struct deleg_asks *asks) = {
        [DELEGATION_SINGLE] = insert_resources,
        [DELEGATION_INSTANCE] = insert_instances,
        [DELEGATION_PACKAGE] = insert_packages,
        [DELEGATION_ROLE] = insert_roles,
        [DELEGATION_CLIENT] = insert_clients};
    struct columns c;
    share_delegations(writes);
    sync_status status = insert_delegations(all, writes, asks, err);
    for (int kind = DELEGATION_SINGLE; kind <= DELEGATION_CLIENT && sync_is_ok(status); kind++) {
        if (!select_writes(all, writes, (enum delegation_kind)kind, DELEG_INSERT, &c)) {
            return deleg_memory_full("rows to insert", err);
        }
        if (c.count > 0) {
            status = inserts[kind](all, &c, asks);
        }
    }
    return status;
}

/* Updates ------------------------------------------------------------------------------------ */

#define UPDATE_ROWS(table)                                                                         \
    "UPDATE dbo." table " c SET policypath = n.path, policyversion = n.version,"                   \
    "  audit_changedby = n.performer, audit_changedbysystem = $7,"                                 \
    "  audit_changeoperation = n.operation, audit_validfrom = now()"                               \
    " FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[], $6::text[])"  \
    "  AS n (id, seen, path, version, performer, operation)"                                       \
    " WHERE c.id = n.id AND c.audit_validfrom = n.seen RETURNING c.id"

static sync_status update_rows(struct deleg_batch *all, struct deleg_writes *writes,
                               struct deleg_asks *asks, struct sync_error *err)
{
    static const struct sync_statement statements[] = {
        [DELEGATION_SINGLE] = {"delegation_a3_update_resources", UPDATE_ROWS("assignmentresource")},
        [DELEGATION_INSTANCE] = {"delegation_a3_update_instances",
                                 UPDATE_ROWS("assignmentinstance")}};
    struct columns c;
    for (int kind = DELEGATION_SINGLE; kind <= DELEGATION_INSTANCE; kind++) {
        if (!select_writes(all, writes, (enum delegation_kind)kind, DELEG_UPDATE, &c)) {
            return deleg_memory_full("rows to update", err);
        }
        if (c.count == 0) {
            continue;
        }
        struct sync_params *params = deleg_ask(all, asks, &statements[kind], read_ids);
        sync_params_uuid_array(params, c.ids, NULL, c.count);
        sync_params_time_array(params, c.seen, NULL, c.count);
        sync_params_text_array(params, c.paths, c.count);
        sync_params_text_array(params, c.versions, c.count);
        stamps(all, &c, params);
    }
    return SYNC_OK;
}

/* Removals ----------------------------------------------------------------------------------- */

static const struct sync_statement remove_statement = {
    "delegation_a3_remove", "SELECT sync.remove_rows($1, $2, $3, $4, $5, $6, $7)"};

static void remove_ask(struct deleg_batch *all, const char *table, bool parents,
                       const struct columns *c, struct deleg_asks *asks)
{
    struct sync_params *params = deleg_ask(all, asks, &remove_statement, parents ? NULL : read_ids);
    sync_params_text(params, table);
    sync_params_bool(params, parents);
    sync_params_uuid_array(params, c->ids, NULL, c->count);
    sync_params_time_array(params, c->seen, NULL, c->count);
    stamps(all, c, params);
}

static sync_status remove_rows(struct deleg_batch *all, struct deleg_writes *writes,
                               struct deleg_asks *asks, struct sync_error *err)
{
    static const char *const tables[] = {[DELEGATION_SINGLE] = "assignmentresource",
                                         [DELEGATION_INSTANCE] = "assignmentinstance",
                                         [DELEGATION_PACKAGE] = "assignmentpackage",
                                         [DELEGATION_ROLE] = "assignment",
                                         [DELEGATION_CLIENT] = "delegationpackage"};
    struct columns c;
    for (int kind = DELEGATION_SINGLE; kind <= DELEGATION_CLIENT; kind++) {
        if (!select_writes(all, writes, (enum delegation_kind)kind, DELEG_REMOVE, &c)) {
            return deleg_memory_full("rows to remove", err);
        }
        if (c.count > 0) {
            remove_ask(all, tables[kind], false, &c, asks);
        }
    }
    return SYNC_OK;
}

/* Parents ------------------------------------------------------------------------------------ */

static void parent_add(const struct deleg_batch *all, const struct deleg_write *write,
                       const struct deleg_found *parent, struct columns *c)
{
    if (!parent->there || sync_uuid_compare(&parent->writer, &all->context->identity) != 0) {
        return;
    }
    for (size_t i = 0; i < c->count; i++) {
        if (sync_uuid_compare(&c->ids[i], &parent->id) == 0) {
            return;
        }
    }
    size_t at = c->count++;
    c->ids[at] = parent->id;
    c->seen[at] = parent->valid_us;
    c->performers[at] = write->performer;
    c->operations[at] = write->operation;
}

/* In the order of removal: what stands below goes first, and assignments of agents last. */
static sync_status remove_parents(struct deleg_batch *all, struct deleg_writes *writes,
                                  struct deleg_asks *asks, struct sync_error *err)
{
    struct columns delegations, assignments, agents;
    struct sync_arena *arena = all->batch->arena;
    if (!columns_take(arena, writes->count, &delegations) ||
        !columns_take(arena, writes->count, &assignments) ||
        !columns_take(arena, writes->count, &agents)) {
        return deleg_memory_full("parents to remove", err);
    }
    for (size_t i = 0; i < writes->count; i++) {
        const struct deleg_write *write = &writes->items[i];
        bool client = deleg_kind(write) == DELEGATION_CLIENT;
        if (write->act != DELEG_REMOVE || !write->through || deleg_kind(write) == DELEGATION_ROLE) {
            continue;
        }
        if (client) {
            parent_add(all, write, &write->delegation, &delegations);
        }
        parent_add(all, write, &write->assignment, client ? &agents : &assignments);
    }
    if (delegations.count > 0) {
        remove_ask(all, "delegation", true, &delegations, asks);
    }
    if (assignments.count > 0) {
        remove_ask(all, "assignment", true, &assignments, asks);
    }
    if (agents.count > 0) {
        remove_ask(all, "assignment", true, &agents, asks);
    }
    return deleg_asks_run(all, asks, err);
}

sync_status deleg_write_a3(struct deleg_batch *all, struct deleg_writes *writes,
                           struct sync_error *err)
{
    struct deleg_asks *asks = NULL;
    for (size_t i = 0; i < writes->count; i++) {
        writes->items[i].through = writes->items[i].act == DELEG_NOTHING;
    }
    sync_status status = deleg_asks_new(all, &asks, err);
    if (sync_is_ok(status)) {
        status = put_documents(all, writes, asks, err);
    }
    if (sync_is_ok(status)) {
        status = remove_rows(all, writes, asks, err);
    }
    if (sync_is_ok(status)) {
        status = update_rows(all, writes, asks, err);
    }
    if (sync_is_ok(status)) {
        status = insert_rows(all, writes, asks, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_asks_run(all, asks, err);
    }
    return sync_is_ok(status) ? remove_parents(all, writes, asks, err) : status;
}
