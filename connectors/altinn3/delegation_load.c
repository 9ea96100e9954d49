/*
 * Reading the tables in the order of their ids. All rows are read, the relations of the company
 * register too: to leave them out would make the time of a statement depend on how many lie
 * together; the desk lets them go.
 */
#include "delegation_load.h"

#include <stdio.h>

/* Columns: 0 is the chunk's own, then these. What a table lacks is null. */
enum column { ID = 1, FIRST, SECOND, THIRD, PATH, VERSION, INSTANCE, BY, SYSTEM, OPERATION, TIME };
#define STAMP                                                                                      \
    "a.audit_changedby, a.audit_changedbysystem, a.audit_changeoperation, a.audit_validfrom"
#define EDGE "a.id, a.fromid, a.toid, a.roleid, null::text, null::text, null::text, " STAMP
#define RIGHT                                                                                      \
    "a.id, a.assignmentid, a.resourceid, null::uuid, a.policypath, a.policyversion, null::text, "  \
    "" STAMP
#define INSTANCE_RIGHT                                                                             \
    "a.id, a.assignmentid, a.resourceid, null::uuid, a.policypath, a.policyversion, "              \
    "a.instanceid, " STAMP
#define PACKAGE                                                                                    \
    "a.id, a.assignmentid, a.packageid, null::uuid, null::text, null::text, null::text, " STAMP
#define CLIENT_PACKAGE                                                                             \
    "a.id, a.delegationid, a.packageid, null::uuid, null::text, null::text, null::text, " STAMP

/* A small table is counted; of a large one the last ANALYZE tells enough. */
#define ESTIMATE(table)                                                                            \
    "SELECT CASE WHEN c.reltuples < 100000 THEN (SELECT count(*) FROM dbo." table ")"              \
    " ELSE c.reltuples::int8 END FROM pg_class c WHERE c.oid = 'dbo." table "'::regclass"
#define CHUNK(table, columns)                                                                      \
    "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::int8, " columns " FROM dbo." table      \
    " a WHERE a.id > $1 ORDER BY a.id LIMIT $2::int4"
/* What is gone by now stands in history as it was. */
#define AGAIN(table, columns)                                                                      \
    "SELECT w.n, r.* FROM sync.backfill b CROSS JOIN unnest(b.chunk) WITH ORDINALITY AS w (id, n)" \
    " CROSS JOIN LATERAL (SELECT " columns " FROM dbo." table " a WHERE a.id = w.id UNION ALL"     \
    " SELECT h.* FROM (SELECT " columns " FROM dbo_history.audit" table " a WHERE a.id = w.id"     \
    " ORDER BY a.audit_validto DESC LIMIT 1) h LIMIT 1) r"                                         \
    " WHERE b.capture = $1 AND b.table_name = $2 ORDER BY w.n"

#define STATEMENTS(name, table, columns)                                                           \
    static const struct sync_statement name##_estimate = {"load_" table "_estimate",               \
                                                          ESTIMATE(table)};                        \
    static const struct sync_statement name##_chunk = {"load_" table "_chunk",                     \
                                                       CHUNK(table, columns)};                     \
    static const struct sync_statement name##_again = {"load_" table "_again",                     \
                                                       AGAIN(table, columns)}
STATEMENTS(edges, "assignment", EDGE);
STATEMENTS(rights, "assignmentresource", RIGHT);
STATEMENTS(instances, "assignmentinstance", INSTANCE_RIGHT);
STATEMENTS(packages, "assignmentpackage", PACKAGE);
STATEMENTS(clients, "delegationpackage", CLIENT_PACKAGE);

/* False when it is longer than fits; null gives "". */
static bool copy_text(const struct sync_result *result, int row, int column, char *ret_text,
                      size_t size)
{
    bool is_null = sync_result_is_null(result, row, column);
    struct sync_bytes text =
        is_null ? (struct sync_bytes){NULL, 0} : sync_result_bytes(result, row, column);
    bool fits = text.size < size;
    memset(ret_text, 0, size);
    if (fits && text.size > 0) {
        memcpy(ret_text, text.data, text.size);
    }
    return fits;
}

static struct sync_uuid uuid_at(const struct sync_result *result, int row, int column)
{
    struct sync_uuid none = {{0}};
    return sync_result_is_null(result, row, column) ? none : sync_result_uuid(result, row, column);
}

static void read_stamp(const struct sync_result *result, int row,
                       struct delegation_stamp *ret_stamp)
{
    ret_stamp->has_by = !sync_result_is_null(result, row, BY);
    ret_stamp->has_system = !sync_result_is_null(result, row, SYSTEM);
    ret_stamp->by = uuid_at(result, row, BY);
    ret_stamp->system = uuid_at(result, row, SYSTEM);
    ret_stamp->time_us = sync_result_time(result, row, TIME);
    (void)copy_text(result, row, OPERATION, ret_stamp->operation, sizeof ret_stamp->operation);
}

static void read_child(const struct sync_result *result, int row, enum delegation_row_kind kind,
                       struct delegation_row *ret_row)
{
    memset(ret_row, 0, sizeof *ret_row);
    ret_row->kind = kind;
    ret_row->id = uuid_at(result, row, ID);
    ret_row->place.parent = uuid_at(result, row, FIRST);
    ret_row->place.object = uuid_at(result, row, SECOND);
    bool fits =
        copy_text(result, row, INSTANCE, ret_row->place.instance, sizeof ret_row->place.instance);
    ret_row->place.is_cut = !fits;
    ret_row->now.present =
        !sync_result_is_null(result, row, PATH) && !sync_result_is_null(result, row, VERSION);
    bool path = copy_text(result, row, PATH, ret_row->now.path, sizeof ret_row->now.path);
    bool version =
        copy_text(result, row, VERSION, ret_row->now.version, sizeof ret_row->now.version);
    ret_row->now.is_cut = !path || !version;
    read_stamp(result, row, &ret_row->stamp);
}

static void read_edge(const struct sync_result *result, int row, void *ret_row)
{
    struct delegation_row *edge = ret_row;
    memset(edge, 0, sizeof *edge);
    edge->kind = DELEGATION_ROW_ASSIGNMENT;
    edge->id = uuid_at(result, row, ID);
    edge->place.from = uuid_at(result, row, FIRST);
    edge->place.to = uuid_at(result, row, SECOND);
    edge->place.object = uuid_at(result, row, THIRD);
    read_stamp(result, row, &edge->stamp);
}

static void read_right(const struct sync_result *result, int row, void *ret_row)
{
    read_child(result, row, DELEGATION_ROW_RESOURCE, ret_row);
}

static void read_instance(const struct sync_result *result, int row, void *ret_row)
{
    read_child(result, row, DELEGATION_ROW_INSTANCE, ret_row);
}

static void read_package(const struct sync_result *result, int row, void *ret_row)
{
    read_child(result, row, DELEGATION_ROW_PACKAGE, ret_row);
}

static void read_client(const struct sync_result *result, int row, void *ret_row)
{
    read_child(result, row, DELEGATION_ROW_CLIENT_PACKAGE, ret_row);
}

const struct capture_table delegation_load_tables[DELEGATION_LOAD_TABLES] = {
    {"dbo.assignment", &edges_estimate, &edges_chunk, &edges_again, read_edge},
    {"dbo.assignmentresource", &rights_estimate, &rights_chunk, &rights_again, read_right},
    {"dbo.assignmentinstance", &instances_estimate, &instances_chunk, &instances_again,
     read_instance},
    {"dbo.assignmentpackage", &packages_estimate, &packages_chunk, &packages_again, read_package},
    {"dbo.delegationpackage", &clients_estimate, &clients_chunk, &clients_again, read_client},
};

void delegation_load_target(const struct capture_item *item, struct capture_target *ret_target)
{
    const struct delegation_row *row = item->row;
    const struct delegation_answer *answer = item->answer;
    bool is_role = row->kind == DELEGATION_ROW_ASSIGNMENT;
    bool is_package =
        row->kind == DELEGATION_ROW_PACKAGE || row->kind == DELEGATION_ROW_CLIENT_PACKAGE;
    enum delegation_target_kind other =
        is_package ? DELEGATION_TARGET_PACKAGE : DELEGATION_TARGET_RESOURCE;
    ret_target->kind = (int16_t)(is_role ? DELEGATION_TARGET_ROLE : other);
    (void)snprintf(ret_target->id, sizeof ret_target->id, "%s",
                   is_role ? answer->edge.role : answer->object.id);
}
