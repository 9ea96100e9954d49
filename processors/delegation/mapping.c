/*
 * Rights, services and roles by the tables of the data files (section 8). Not here: reading the
 * files, what follows from a mapping.
 */
#include "parts.h"

/* Class of a resource of which only the id is known: the pattern of migrated messages. */
static bool is_correspondence_id(const char *id)
{
    return delegation_text_has(id, "-migratedcorrespondence-");
}

bool delegation_is_correspondence(const struct delegation_key_name *name,
                                  const struct delegation_resource *resource)
{
    return resource != NULL && resource->type != DELEGATION_RESOURCE_UNKNOWN
               ? resource->type == DELEGATION_RESOURCE_CORRESPONDENCE
               : is_correspondence_id(name->target);
}

enum delegation_class delegation_class_of(const struct delegation_key_name *name,
                                          const struct delegation_resource *resource)
{
    if (name->kind == DELEGATION_INSTANCE) {
        return DELEGATION_CLASS_MESSAGE;
    }
    return delegation_is_correspondence(name, resource) ? DELEGATION_CLASS_CORRESPONDENCE
                                                        : DELEGATION_CLASS_OTHER;
}

const struct delegation_right_row *delegation_map_right(const struct delegation_tables *tables,
                                                        enum delegation_class class,
                                                        const char *a2_right)
{
    for (size_t i = 0; i < tables->right_count; i++) {
        if (tables->rights[i].class == class && strcmp(tables->rights[i].a2_right, a2_right) == 0) {
            return &tables->rights[i];
        }
    }
    return NULL;
}

const struct delegation_right_row *delegation_map_action(const struct delegation_tables *tables,
                                                         enum delegation_class class,
                                                         const char *action)
{
    for (size_t i = 0; i < tables->right_count; i++) {
        const struct delegation_right_row *row = &tables->rights[i];
        if (row->class == class && row->set_in_a2 && strcmp(row->action, action) == 0) {
            return row;
        }
    }
    return NULL;
}

const struct delegation_resource *delegation_resource_find(const struct delegation_state *state,
                                                           const char *id)
{
    for (size_t i = 0; i < state->resource_count; i++) {
        if (strcmp(state->resources[i].id, id) == 0) {
            return &state->resources[i];
        }
    }
    return NULL;
}

bool delegation_is_client_role(const struct delegation_tables *tables, const char *role)
{
    for (size_t i = 0; i < tables->package_count; i++) {
        const struct delegation_package_row *row = &tables->packages[i];
        if (row->client_role[0] != '\0' && strcmp(row->role, role) == 0) {
            return true;
        }
    }
    return false;
}

/* Each role lends by a ref of its own, so a package of two roles ends with the last one (DL-63). A
 * role without a row lends nothing (DL-73). */
size_t delegation_borrowers(const struct delegation_tables *tables,
                            const struct delegation_event *event,
                            struct delegation_key_name *ret_names, size_t capacity)
{
    bool has_facilitator = !sync_uuid_is_zero(&event->name.facilitator);
    size_t count = 0;
    for (size_t i = 0; i < tables->package_count && count < capacity; i++) {
        const struct delegation_package_row *row = &tables->packages[i];
        bool is_client = row->client_role[0] != '\0';
        if (strcmp(row->role, event->role) != 0 || is_client != has_facilitator) {
            continue; /* DL-61 */
        }
        struct delegation_key_name *name = &ret_names[count++];
        *name = event->name;
        name->kind = is_client ? DELEGATION_CLIENT : DELEGATION_PACKAGE;
        memcpy(name->target, row->package, sizeof name->target);
    }
    return count;
}

/* Checks of the tables. */

static bool is_canonical(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((*at >= 'A' && *at <= 'Z') || *at == ' ') {
            return false;
        }
    }
    return text[0] != '\0';
}

static sync_status bad_row(struct sync_error *err, const char *file, size_t row, const char *what)
{
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "check %s, row %zu: %s", file,
                     row + 1, what);
}

static sync_status check_rights(const struct delegation_tables *tables, struct sync_error *err)
{
    for (size_t i = 0; i < tables->right_count; i++) {
        const struct delegation_right_row *row = &tables->rights[i];
        if (!is_canonical(row->a2_right) || !is_canonical(row->action)) {
            return bad_row(err, "rights.csv", i, "a right is empty or not in lower case");
        }
        if (delegation_map_right(tables, row->class, row->a2_right) != row) {
            return bad_row(err, "rights.csv", i, "the right stands twice in its class");
        }
        if (delegation_map_action(tables, row->class, row->action) == NULL) {
            return bad_row(err, "rights.csv", i, "no right of Altinn 2 is set for the action");
        }
    }
    return SYNC_OK;
}

static bool role_is_known(const struct delegation_tables *tables, const char *role)
{
    for (size_t i = 0; i < tables->role_count; i++) {
        if (strcmp(tables->roles[i].role, role) == 0) {
            return true;
        }
    }
    return false;
}

static bool package_stands_before(const struct delegation_tables *tables, size_t index)
{
    const struct delegation_package_row *row = &tables->packages[index];
    for (size_t i = 0; i < index; i++) {
        if (strcmp(tables->packages[i].role, row->role) == 0 &&
            strcmp(tables->packages[i].package, row->package) == 0) {
            return true;
        }
    }
    return false;
}

static size_t packages_of(const struct delegation_tables *tables, const char *role)
{
    size_t count = 0;
    for (size_t i = 0; i < tables->package_count; i++) {
        count += strcmp(tables->packages[i].role, role) == 0 ? 1 : 0;
    }
    return count;
}

static sync_status check_packages(const struct delegation_tables *tables, struct sync_error *err)
{
    for (size_t i = 0; i < tables->package_count; i++) {
        const struct delegation_package_row *row = &tables->packages[i];
        if (!is_canonical(row->role) || !is_canonical(row->package)) {
            return bad_row(err, "role-packages.csv", i, "a name is empty or not in lower case");
        }
        if (!role_is_known(tables, row->role)) {
            return bad_row(err, "role-packages.csv", i, "the role is not in a2-roles.csv");
        }
        if (package_stands_before(tables, i)) {
            return bad_row(err, "role-packages.csv", i, "the package stands twice for its role");
        }
        if (packages_of(tables, row->role) > DELEGATION_KEYS_MAX - 1) {
            return bad_row(err, "role-packages.csv", i, "the role has too many packages");
        }
    }
    return SYNC_OK;
}

sync_status delegation_tables_check(const struct delegation_tables *tables, struct sync_error *err)
{
    if (tables->right_count == 0 || tables->package_count == 0 || tables->role_count == 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                         "check the tables of delegations: one of them is empty");
    }
    if (tables->skew_us < 0 || tables->skew_us > 60 * 1000000LL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                         "check the tables of delegations: the skew is not 0 to 60 s");
    }
    for (size_t i = 0; i < tables->role_count; i++) {
        if (!is_canonical(tables->roles[i].role)) {
            return bad_row(err, "a2-roles.csv", i, "a role is empty or not in lower case");
        }
    }
    sync_status status = check_rights(tables, err);
    return sync_is_ok(status) ? check_packages(tables, err) : status;
}
