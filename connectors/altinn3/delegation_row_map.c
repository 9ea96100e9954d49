/* Rows of eleven tables to one struct. */
#include "delegation_row_map.h"

/* Columns by index; a table lacks those that it has no use for. */
enum column {
    ID,
    CHANGED_BY,
    CHANGED_BY_SYSTEM,
    CHANGE_OPERATION,
    VALID_FROM,
    COLUMN_5,
    COLUMN_6,
    COLUMN_7,
    COLUMN_8,
    COLUMN_9,
};
#define UUID(name)                                                                                 \
    {                                                                                              \
        name, ROW_UUID, false                                                                      \
    }
#define MAYBE_UUID(name)                                                                           \
    {                                                                                              \
        name, ROW_UUID, true                                                                       \
    }
#define TEXT(name)                                                                                 \
    {                                                                                              \
        name, ROW_TEXT, true                                                                       \
    }
#define TIME(name)                                                                                 \
    {                                                                                              \
        name, ROW_TIME, false                                                                      \
    }
#define STAMP                                                                                      \
    UUID("id"), MAYBE_UUID("audit_changedby"), MAYBE_UUID("audit_changedbysystem"),                \
        TEXT("audit_changeoperation"), TIME("audit_validfrom")
/* The last three say who deleted; they are null when the row was changed. */
#define END                                                                                        \
    TIME("audit_validto"), MAYBE_UUID("audit_deletedby"), MAYBE_UUID("audit_deletedbysystem"),     \
        TEXT("audit_deleteoperation")
#define ASSIGNMENT     UUID("fromid"), UUID("toid"), UUID("roleid")
#define POINTER        TEXT("policypath"), TEXT("policyversion")
#define RESOURCE       UUID("assignmentid"), UUID("resourceid"), POINTER
#define INSTANCE       RESOURCE, TEXT("instanceid")
#define PACKAGE        UUID("assignmentid"), UUID("packageid")
#define DELEGATION     UUID("fromid"), UUID("toid"), UUID("facilitatorid")
#define CLIENT_PACKAGE UUID("delegationid"), UUID("packageid")
static const struct row_column assignment[] = {STAMP, ASSIGNMENT};
static const struct row_column resource[] = {STAMP, RESOURCE};
static const struct row_column instance[] = {STAMP, INSTANCE};
static const struct row_column package[] = {STAMP, PACKAGE};
static const struct row_column delegation[] = {STAMP, DELEGATION};
static const struct row_column client_package[] = {STAMP, CLIENT_PACKAGE};
static const struct row_column old_assignment[] = {STAMP, ASSIGNMENT, END};
static const struct row_column old_resource[] = {STAMP, RESOURCE, END};
static const struct row_column old_instance[] = {STAMP, INSTANCE, END};
static const struct row_column old_package[] = {STAMP, PACKAGE, END};
static const struct row_column old_client_package[] = {STAMP, CLIENT_PACKAGE, END};

#define TABLE(schema, name, columns)                                                               \
    {                                                                                              \
        schema, name, columns, sizeof(columns) / sizeof((columns)[0])                              \
    }
static const struct row_table tables[] = {
    TABLE("dbo", "assignment", assignment),
    TABLE("dbo", "assignmentresource", resource),
    TABLE("dbo", "assignmentinstance", instance),
    TABLE("dbo", "assignmentpackage", package),
    TABLE("dbo", "delegation", delegation),
    TABLE("dbo", "delegationpackage", client_package),
    TABLE("dbo_history", "auditassignment", old_assignment),
    TABLE("dbo_history", "auditassignmentresource", old_resource),
    TABLE("dbo_history", "auditassignmentinstance", old_instance),
    TABLE("dbo_history", "auditassignmentpackage", old_package),
    TABLE("dbo_history", "auditdelegationpackage", old_client_package),
};
const struct row_tables delegation_row_tables = {
    tables, sizeof tables / sizeof tables[0], "connectors/altinn3/sql/delegation-publication.sql"};

/* By table. end: index of "audit_validto", 0 = the table is no history. */
static const struct {
    enum delegation_row_kind kind;
    size_t end;
} shapes[] = {
    {DELEGATION_ROW_ASSIGNMENT, 0},     {DELEGATION_ROW_RESOURCE, 0},
    {DELEGATION_ROW_INSTANCE, 0},       {DELEGATION_ROW_PACKAGE, 0},
    {DELEGATION_ROW_DELEGATION, 0},     {DELEGATION_ROW_CLIENT_PACKAGE, 0},
    {DELEGATION_ROW_ASSIGNMENT, 8},     {DELEGATION_ROW_RESOURCE, 9},
    {DELEGATION_ROW_INSTANCE, 10},      {DELEGATION_ROW_PACKAGE, 7},
    {DELEGATION_ROW_CLIENT_PACKAGE, 7},
};
_Static_assert(sizeof shapes / sizeof shapes[0] == sizeof tables / sizeof tables[0], "one each");

/* What is being read. */
struct source {
    const struct row_plan *plan;
    const struct pgoutput_tuple *row;
};

static struct sync_uuid uuid_at(const struct source *s, size_t column)
{
    return row_uuid(s->plan, s->row, column);
}

/* Text of a column; empty when it is null or longer than fits, which is told. */
static bool copy_text(const struct source *s, size_t column, char *ret_text, size_t size)
{
    struct sync_bytes text = row_text(s->plan, s->row, column);
    bool fits = text.size < size;
    memset(ret_text, 0, size);
    if (fits && text.size > 0) {
        memcpy(ret_text, text.data, text.size);
    }
    return fits;
}

static void read_place(const struct source *s, enum delegation_row_kind kind,
                       struct delegation_place *ret_place)
{
    struct delegation_place *place = ret_place;
    memset(place, 0, sizeof *place);
    if (kind == DELEGATION_ROW_ASSIGNMENT || kind == DELEGATION_ROW_DELEGATION) {
        place->from = uuid_at(s, COLUMN_5);
        place->to = uuid_at(s, COLUMN_6);
        place->object = uuid_at(s, COLUMN_7);
        return;
    }
    place->parent = uuid_at(s, COLUMN_5);
    place->object = uuid_at(s, COLUMN_6);
    if (kind == DELEGATION_ROW_INSTANCE) {
        place->is_cut = !copy_text(s, COLUMN_9, place->instance, sizeof place->instance);
    }
}

static bool has_pointer(enum delegation_row_kind kind)
{
    return kind == DELEGATION_ROW_RESOURCE || kind == DELEGATION_ROW_INSTANCE;
}

static void read_pointer(const struct source *s, enum delegation_row_kind kind,
                         struct delegation_pointer *ret_pointer)
{
    memset(ret_pointer, 0, sizeof *ret_pointer);
    if (has_pointer(kind)) {
        bool path = copy_text(s, COLUMN_7, ret_pointer->path, sizeof ret_pointer->path);
        bool version = copy_text(s, COLUMN_8, ret_pointer->version, sizeof ret_pointer->version);
        ret_pointer->is_cut = !path || !version;
        ret_pointer->present =
            !row_is_null(s->plan, s->row, COLUMN_7) && !row_is_null(s->plan, s->row, COLUMN_8);
    }
}

static void read_stamp(const struct source *s, size_t first, int64_t time_us,
                       struct delegation_stamp *ret_stamp)
{
    memset(ret_stamp, 0, sizeof *ret_stamp);
    ret_stamp->has_by = !row_is_null(s->plan, s->row, first);
    ret_stamp->has_system = !row_is_null(s->plan, s->row, first + 1);
    ret_stamp->by = uuid_at(s, first);
    ret_stamp->system = uuid_at(s, first + 1);
    ret_stamp->time_us = time_us;
    (void)copy_text(s, first + 2, ret_stamp->operation, sizeof ret_stamp->operation);
}

static void read_version(const struct source *s, enum delegation_row_kind kind,
                         struct delegation_row *ret_row)
{
    memset(ret_row, 0, sizeof *ret_row);
    ret_row->kind = kind;
    ret_row->id = uuid_at(s, ID);
    read_place(s, kind, &ret_row->place);
    read_pointer(s, kind, &ret_row->now);
    read_stamp(s, CHANGED_BY, row_time_us(s->plan, s->row, VALID_FROM), &ret_row->stamp);
}

/* Updates that wait. */

void delegation_reader_begin(void *reader)
{
    struct delegation_reader *r = reader;
    r->first = 0;
    r->count = 0;
    r->overflowed = false;
}

/* A large value that was not touched is not sent: history has it. */
static void remember_update(struct delegation_reader *reader, const struct source *s,
                            enum delegation_row_kind kind)
{
    if (reader->count == DELEGATION_UPDATES_MAX) {
        reader->overflowed = true;
        return;
    }
    struct delegation_update *update =
        &reader->updates[(reader->first + reader->count++) % DELEGATION_UPDATES_MAX];
    read_version(s, kind, &update->row);
    update->keeps_path = has_pointer(kind) && row_is_unchanged(s->plan, s->row, COLUMN_7);
    update->keeps_version = has_pointer(kind) && row_is_unchanged(s->plan, s->row, COLUMN_8);
}

static void fill_in(const struct delegation_update *update, const struct delegation_pointer *old,
                    struct delegation_pointer *ret_now)
{
    if (update->keeps_path) {
        memcpy(ret_now->path, old->path, sizeof old->path);
    }
    if (update->keeps_version) {
        memcpy(ret_now->version, old->version, sizeof old->version);
    }
    if (update->keeps_path || update->keeps_version) {
        ret_now->is_cut = ret_now->is_cut || old->is_cut;
    }
}

/* Triggers run in the order of the updates, so that the first one is nearly always it. */
static bool take_update(struct delegation_reader *reader, const struct delegation_row *old,
                        struct delegation_row *ret_row)
{
    for (size_t i = 0; i < reader->count; i++) {
        size_t at = (reader->first + i) % DELEGATION_UPDATES_MAX;
        if (sync_uuid_compare(&reader->updates[at].row.id, &old->id) != 0) {
            continue;
        }
        *ret_row = reader->updates[at].row;
        fill_in(&reader->updates[at], &old->now, &ret_row->now);
        if (i > 0) {
            reader->updates[at] = reader->updates[reader->first];
        }
        reader->first = (reader->first + 1) % DELEGATION_UPDATES_MAX;
        reader->count--;
        return true;
    }
    return false;
}

static bool is_same_place(const struct delegation_place *a, const struct delegation_place *b)
{
    return sync_uuid_compare(&a->parent, &b->parent) == 0 &&
           sync_uuid_compare(&a->object, &b->object) == 0 &&
           sync_uuid_compare(&a->from, &b->from) == 0 && sync_uuid_compare(&a->to, &b->to) == 0 &&
           strcmp(a->instance, b->instance) == 0;
}

static bool is_same_pointer(const struct delegation_pointer *a, const struct delegation_pointer *b)
{
    return a->present == b->present && strcmp(a->path, b->path) == 0 &&
           strcmp(a->version, b->version) == 0;
}

static bool is_same_stamp(const struct delegation_stamp *a, const struct delegation_stamp *b)
{
    return a->has_by == b->has_by && a->has_system == b->has_system &&
           sync_uuid_compare(&a->by, &b->by) == 0 &&
           sync_uuid_compare(&a->system, &b->system) == 0 && a->time_us == b->time_us &&
           strcmp(a->operation, b->operation) == 0;
}

/* History. */

/* Who deleted: any of the three says that somebody did. */
static bool is_deletion(const struct source *s, size_t end)
{
    return !row_is_null(s->plan, s->row, end + 1) || !row_is_null(s->plan, s->row, end + 2) ||
           !row_is_null(s->plan, s->row, end + 3);
}

static enum capture_fate read_change(struct delegation_reader *reader, const struct source *s,
                                     enum delegation_row_kind kind, struct delegation_row *ret_row)
{
    struct delegation_row old;
    read_version(s, kind, &old);
    if (take_update(reader, &old, ret_row)) {
        ret_row->now_unknown = false;
    } else if (reader->overflowed) {
        *ret_row = old;
        ret_row->now_unknown = true;
    } else {
        return CAPTURE_FATE_OTHER; /* nobody changed a row: somebody mends history */
    }
    ret_row->act = DELEGATION_ROW_CHANGED;
    ret_row->before = old.place;
    ret_row->old = old.now;
    ret_row->unstamped = is_same_stamp(&ret_row->stamp, &old.stamp);
    bool is_same = !ret_row->now_unknown && is_same_place(&ret_row->place, &ret_row->before) &&
                   is_same_pointer(&ret_row->now, &ret_row->old);
    return is_same ? CAPTURE_FATE_OTHER : CAPTURE_FATE_ROW;
}

static enum capture_fate read_history(struct delegation_reader *reader, const struct source *s,
                                      struct delegation_row *ret_row)
{
    enum delegation_row_kind kind = shapes[s->plan->table].kind;
    size_t end = shapes[s->plan->table].end;
    if (!is_deletion(s, end)) {
        return read_change(reader, s, kind, ret_row);
    }
    read_version(s, kind, ret_row);
    ret_row->act = DELEGATION_ROW_DELETED;
    read_stamp(s, end + 1, row_time_us(s->plan, s->row, end), &ret_row->stamp);
    return CAPTURE_FATE_ROW;
}

sync_status delegation_reader_read(void *reader, const struct row_plan *plan,
                                   const struct pgoutput_message *message,
                                   enum capture_fate *ret_fate, void *ret_row,
                                   struct sync_error *err)
{
    struct source s = {plan, &message->row};
    bool is_update = message->type == PGOUTPUT_UPDATE;
    *ret_fate = CAPTURE_FATE_OTHER;
    sync_status status = row_check(plan, s.row, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (shapes[plan->table].end > 0) {
        if (!is_update) { /* nobody changes history but to mend it */
            *ret_fate = read_history(reader, &s, ret_row);
        }
        return SYNC_OK;
    }
    if (is_update) {
        remember_update(reader, &s, shapes[plan->table].kind);
        return SYNC_OK;
    }
    read_version(&s, shapes[plan->table].kind, ret_row);
    *ret_fate = CAPTURE_FATE_ROW;
    return SYNC_OK;
}
