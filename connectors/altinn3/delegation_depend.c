/*
 * What the row of a key in Altinn 3 hangs on: resource, role, package, client relation; and what is
 * recorded as waited for. Reference data there is read only. Not here: writing rows
 * (delegation_project.c), waiting (delegation_sweep.c).
 */
#include "delegation_depend.h"

#include "authorization_ids.h"

#include <stdio.h>

static const struct sync_statement resources_statement = {
    "delegation_a3_resources",
    "SELECT r.refid, r.id, t.name FROM dbo.resource r JOIN dbo.resourcetype t ON t.id = r.typeid"
    " WHERE r.refid = ANY ($1::text[])"};
static const struct sync_statement packages_statement = {
    "delegation_a3_packages",
    "SELECT p.urn, p.id FROM dbo.package p WHERE p.urn = ANY ($1::text[])"};
/* By the id of a2-roles.csv; a role that is not in it by its URN. */
static const struct sync_statement roles_statement = {
    "delegation_a3_roles", "SELECT r.urn, r.id FROM dbo.role r WHERE r.id = ANY ($1::uuid[])"
                           " UNION SELECT r.urn, r.id FROM dbo.role r"
                           " WHERE r.urn = ANY ($2::text[])"};
/* The relation carries the package: for all organisation forms, or for the client's. */
static const struct sync_statement relations_statement = {
    "delegation_a3_relations",
    "SELECT DISTINCT ON (n.i) n.i, a.id, rp.id"
    " FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::text[], $5::text[])"
    "  AS n (i, client, firm, package, role)"
    " JOIN dbo.package p ON p.urn = n.package"
    " JOIN dbo.assignment a ON a.fromid = n.client AND a.toid = n.firm"
    " JOIN dbo.role r ON r.id = a.roleid AND (n.role = '' OR r.code = n.role)"
    " JOIN dbo.rolepackage rp ON rp.roleid = a.roleid AND rp.packageid = p.id"
    " WHERE rp.entityvariantid IS NULL OR rp.entityvariantid ="
    "  (SELECT e.variantid FROM dbo.entity e WHERE e.id = n.client)"
    " ORDER BY n.i, a.id, rp.entityvariantid NULLS LAST"};
static const struct sync_statement pending_statement = {
    "delegation_pending", "SELECT w.key_id, w.dependency_kind, w.dependency_id FROM sync.pending w"
                          " WHERE w.key_id = ANY ($1::int8[])"};

/* Reading ------------------------------------------------------------------------------------ */

static bool is_target(const struct deleg_slot *slot, struct sync_bytes text)
{
    return sync_bytes_equal(sync_bytes_text(deleg_key(slot)->name.target), text);
}

static sync_status read_resources(struct deleg_batch *all, const struct sync_result *result,
                                  struct sync_error *err)
{
    (void)err;
    for (int row = 0; row < result->rows; row++) {
        struct sync_bytes id = sync_result_bytes(result, row, 0);
        for (size_t i = 0; i < all->slot_count; i++) {
            struct deleg_slot *slot = &all->slots[i];
            if (deleg_key(slot)->name.kind <= DELEGATION_INSTANCE && is_target(slot, id)) {
                slot->place.target = sync_result_uuid(result, row, 1);
                slot->place.schema = sync_bytes_equal(sync_result_bytes(result, row, 2),
                                                      sync_bytes_text("MaskinportenSchema"));
            }
        }
    }
    return SYNC_OK;
}

static sync_status read_packages(struct deleg_batch *all, const struct sync_result *result,
                                 struct sync_error *err)
{
    (void)err;
    for (int row = 0; row < result->rows; row++) {
        struct sync_bytes urn = sync_result_bytes(result, row, 0);
        for (size_t i = 0; i < all->slot_count; i++) {
            struct deleg_slot *slot = &all->slots[i];
            enum delegation_kind kind = deleg_key(slot)->name.kind;
            if ((kind == DELEGATION_PACKAGE || kind == DELEGATION_CLIENT) && is_target(slot, urn)) {
                slot->place.target = sync_result_uuid(result, row, 1);
            }
        }
    }
    return SYNC_OK;
}

/* Bare code behind "urn:altinn:rolecode:". */
static const char *role_code(const char *urn)
{
    const char *at = strrchr(urn, ':');
    return at == NULL ? urn : at + 1;
}

static const struct delegation_role_row *role_row(const struct deleg_batch *all, const char *urn)
{
    const struct delegation_tables *tables = all->context->tables;
    for (size_t i = 0; i < tables->role_count; i++) {
        if (strcmp(tables->roles[i].role, role_code(urn)) == 0) {
            return &tables->roles[i];
        }
    }
    return NULL;
}

static sync_status read_roles(struct deleg_batch *all, const struct sync_result *result,
                              struct sync_error *err)
{
    (void)err;
    for (int row = 0; row < result->rows; row++) {
        struct sync_bytes urn = sync_result_bytes(result, row, 0);
        struct sync_uuid id = sync_result_uuid(result, row, 1);
        for (size_t i = 0; i < all->slot_count; i++) {
            struct deleg_slot *slot = &all->slots[i];
            if (deleg_key(slot)->name.kind != DELEGATION_ROLE) {
                continue;
            }
            const struct delegation_role_row *known = role_row(all, deleg_key(slot)->name.target);
            if (known != NULL ? sync_uuid_compare(&known->id, &id) == 0 : is_target(slot, urn)) {
                slot->place.role = id;
            }
        }
    }
    return SYNC_OK;
}

static sync_status read_relations(struct deleg_batch *all, const struct sync_result *result,
                                  struct sync_error *err)
{
    (void)err;
    for (int row = 0; row < result->rows; row++) {
        struct deleg_slot *slot = &all->slots[sync_result_int4(result, row, 0)];
        slot->place.relation = sync_result_uuid(result, row, 1);
        slot->place.role_package = sync_result_uuid(result, row, 2);
    }
    return SYNC_OK;
}

static sync_status read_pending(struct deleg_batch *all, const struct sync_result *result,
                                struct sync_error *err)
{
    for (int row = 0; row < result->rows; row++) {
        struct deleg_slot *slot = deleg_slot_find(all, sync_result_int8(result, row, 0));
        struct sync_bytes kind =
            sync_arena_copy(all->batch->arena, sync_result_bytes(result, row, 1));
        struct sync_bytes id =
            sync_arena_copy(all->batch->arena, sync_result_bytes(result, row, 2));
        struct deleg_missing *missing = sync_arena_take(all->batch->arena, sizeof *missing);
        if (kind.data == NULL || id.data == NULL || missing == NULL) {
            return deleg_memory_full("what waits", err);
        }
        *missing = (struct deleg_missing){
            .next = slot->recorded, .kind = (const char *)kind.data, .id = id};
        slot->recorded = missing;
        deleg_key(slot)->pending = true;
    }
    return SYNC_OK;
}

/* Asking ------------------------------------------------------------------------------------- */

/* ER role that carries a package to a client's agent; "" = no row of the table names it. */
const char *deleg_client_role(const struct deleg_batch *all, const char *package)
{
    const struct delegation_tables *tables = all->context->tables;
    for (size_t i = 0; i < tables->package_count; i++) {
        if (tables->packages[i].client_role[0] != '\0' &&
            strcmp(tables->packages[i].package, package) == 0) {
            return tables->packages[i].client_role;
        }
    }
    return "";
}

struct columns {
    struct sync_bytes *resources, *packages, *urns;
    struct sync_uuid *roles;
    size_t resource_count, package_count, urn_count, role_count;
    int32_t *places;
    struct sync_uuid *clients, *firms;
    struct sync_bytes *client_packages, *client_roles;
    size_t client_count;
};

static bool columns_take(struct sync_arena *arena, size_t count, struct columns *ret_columns)
{
    *ret_columns = (struct columns){
        .resources = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .packages = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .urns = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .roles = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .places = sync_arena_take_array(arena, count, sizeof(int32_t)),
        .clients = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .firms = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .client_packages = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .client_roles = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
    };
    return ret_columns->resources != NULL && ret_columns->packages != NULL &&
           ret_columns->urns != NULL && ret_columns->roles != NULL && ret_columns->places != NULL &&
           ret_columns->clients != NULL && ret_columns->firms != NULL &&
           ret_columns->client_packages != NULL && ret_columns->client_roles != NULL;
}

/* A few targets stand for many keys: one of each is enough. */
static void add_distinct(struct sync_bytes *list, size_t *count, const char *text)
{
    for (size_t i = 0; i < *count; i++) {
        if (sync_bytes_equal(list[i], sync_bytes_text(text))) {
            return;
        }
    }
    list[(*count)++] = sync_bytes_text(text);
}

static void add_role(const struct deleg_batch *all, struct columns *columns, const char *urn)
{
    const struct delegation_role_row *known = role_row(all, urn);
    if (known == NULL) {
        add_distinct(columns->urns, &columns->urn_count, urn);
    } else {
        columns->roles[columns->role_count++] = known->id;
    }
}

static void add_client(const struct deleg_batch *all, size_t slot, struct columns *columns)
{
    const struct delegation_key_name *name = &deleg_key(&all->slots[slot])->name;
    size_t at = columns->client_count++;
    columns->places[at] = (int32_t)slot;
    columns->clients[at] = name->from;
    columns->firms[at] = name->facilitator;
    columns->client_packages[at] = sync_bytes_text(name->target);
    columns->client_roles[at] = sync_bytes_text(deleg_client_role(all, name->target));
}

/* What a row needs: a resource, a role (DL-74), a package, a client's relation (DL-65). A message
 * is not asked for: its rights stand before it comes (DL-53). */
static void columns_fill(const struct deleg_batch *all, struct columns *columns)
{
    for (size_t i = 0; i < all->slot_count; i++) {
        const struct delegation_key_name *name = &deleg_key(&all->slots[i])->name;
        switch (name->kind) {
        case DELEGATION_SINGLE:
        case DELEGATION_INSTANCE:
            add_distinct(columns->resources, &columns->resource_count, name->target);
            break;
        case DELEGATION_ROLE:
            add_role(all, columns, name->target);
            break;
        case DELEGATION_CLIENT:
            add_client(all, i, columns);
            add_distinct(columns->packages, &columns->package_count, name->target);
            break;
        case DELEGATION_PACKAGE:
            add_distinct(columns->packages, &columns->package_count, name->target);
            break;
        case DELEGATION_SCOPE:
        case DELEGATION_CONTROL:
            SYNC_ASSERT(false); /* the table's check */
        }
    }
}

sync_status deleg_ask_places(struct deleg_batch *all, struct deleg_asks *asks,
                             struct sync_error *err)
{
    struct columns columns;
    if (!columns_take(all->batch->arena, all->slot_count + 1, &columns)) {
        return deleg_memory_full("what keys hang on", err);
    }
    columns_fill(all, &columns);
    if (columns.resource_count > 0) {
        struct sync_params *params = deleg_ask(all, asks, &resources_statement, read_resources);
        sync_params_text_array(params, columns.resources, columns.resource_count);
    }
    if (columns.package_count > 0) {
        struct sync_params *params = deleg_ask(all, asks, &packages_statement, read_packages);
        sync_params_text_array(params, columns.packages, columns.package_count);
    }
    if (columns.role_count + columns.urn_count > 0) {
        struct sync_params *params = deleg_ask(all, asks, &roles_statement, read_roles);
        sync_params_uuid_array(params, columns.roles, NULL, columns.role_count);
        sync_params_text_array(params, columns.urns, columns.urn_count);
    }
    if (columns.client_count > 0) {
        struct sync_params *params = deleg_ask(all, asks, &relations_statement, read_relations);
        sync_params_int4_array(params, columns.places, NULL, columns.client_count);
        sync_params_uuid_array(params, columns.clients, NULL, columns.client_count);
        sync_params_uuid_array(params, columns.firms, NULL, columns.client_count);
        sync_params_text_array(params, columns.client_packages, columns.client_count);
        sync_params_text_array(params, columns.client_roles, columns.client_count);
    }
    struct sync_params *params = deleg_ask(all, asks, &pending_statement, read_pending);
    sync_params_int8_array(params, all->key_ids, NULL, all->slot_count);
    return SYNC_OK;
}

/* What is missing ---------------------------------------------------------------------------- */

sync_status deleg_miss(struct deleg_batch *all, struct deleg_slot *slot, const char *kind,
                       struct sync_bytes id, struct sync_error *err)
{
    struct deleg_missing *missing = sync_arena_take(all->batch->arena, sizeof *missing);
    struct sync_bytes kept = sync_arena_copy(all->batch->arena, id);
    if (missing == NULL || kept.data == NULL) {
        return deleg_memory_full("what is missing", err);
    }
    *missing = (struct deleg_missing){.next = slot->missing, .kind = kind, .id = kept};
    slot->missing = missing;
    return SYNC_OK;
}

static sync_status miss_party(struct deleg_batch *all, struct deleg_slot *slot,
                              const struct sync_uuid *id, struct sync_error *err)
{
    char text[SYNC_UUID_BUFFER];
    if (delegation_party_find(&slot->giver->state, id) != NULL) {
        return SYNC_OK;
    }
    sync_uuid_format(id, text);
    return deleg_miss(all, slot, "party", sync_bytes_text(text), err);
}

static sync_status miss_relation(struct deleg_batch *all, struct deleg_slot *slot,
                                 struct sync_error *err)
{
    const struct delegation_key_name *name = &deleg_key(slot)->name;
    char client[SYNC_UUID_BUFFER], firm[SYNC_UUID_BUFFER];
    char text[2 * SYNC_UUID_BUFFER + 34];
    sync_uuid_format(&name->from, client);
    sync_uuid_format(&name->facilitator, firm);
    (void)snprintf(text, sizeof text, "%s/%s/%s", client, firm,
                   deleg_client_role(all, name->target));
    return deleg_miss(all, slot, "relation", sync_bytes_text(text), err);
}

static sync_status miss_target(struct deleg_batch *all, struct deleg_slot *slot,
                               struct sync_error *err)
{
    static const char *const kinds[] = {[DELEGATION_SINGLE] = "resource",
                                        [DELEGATION_INSTANCE] = "resource",
                                        [DELEGATION_PACKAGE] = "package",
                                        [DELEGATION_ROLE] = "role",
                                        [DELEGATION_CLIENT] = "package"};
    const struct delegation_key_name *name = &deleg_key(slot)->name;
    const struct sync_uuid *target =
        name->kind == DELEGATION_ROLE ? &slot->place.role : &slot->place.target;
    if (!sync_uuid_is_zero(target)) {
        return SYNC_OK;
    }
    return deleg_miss(all, slot, kinds[name->kind], sync_bytes_text(name->target), err);
}

sync_status deleg_find_missing(struct deleg_batch *all, struct deleg_slot *slot,
                               struct sync_error *err)
{
    struct delegation_key *key = deleg_key(slot);
    const struct delegation_party *from =
        delegation_party_find(&slot->giver->state, &key->name.from);
    key->from_type = from == NULL ? DELEGATION_TYPE_UNKNOWN : from->type;
    sync_status status = miss_party(all, slot, &key->name.from, err);
    if (sync_is_ok(status)) {
        status = miss_party(all, slot, &key->name.to, err);
    }
    if (sync_is_ok(status)) {
        status = miss_target(all, slot, err);
    }
    if (sync_is_ok(status) && key->name.kind == DELEGATION_CLIENT &&
        sync_uuid_is_zero(&slot->place.relation)) {
        status = miss_relation(all, slot, err);
    }
    key->depends_missing = slot->missing != NULL;
    return status;
}

/* Container roles (10.1). */
struct sync_uuid deleg_container_role(const struct deleg_slot *slot)
{
    const struct delegation_key_name *name = &deleg_key(slot)->name;
    const char *text = AUTHORIZATION_ROLE_RIGHTHOLDER;
    struct sync_uuid id;
    if (name->kind == DELEGATION_ROLE) {
        return slot->place.role;
    }
    if (name->kind == DELEGATION_SINGLE && slot->place.schema) {
        text = AUTHORIZATION_ROLE_SUPPLIER;
    } else if (name->kind == DELEGATION_INSTANCE && name->variant == 1) {
        text = AUTHORIZATION_ROLE_APP_CONTROLLED_RIGHTHOLDER;
    } else if (name->kind == DELEGATION_CLIENT) {
        text = AUTHORIZATION_ROLE_AGENT;
    }
    bool is_id = sync_uuid_parse(sync_bytes_text(text), &id);
    SYNC_ASSERT(is_id);
    return id;
}
