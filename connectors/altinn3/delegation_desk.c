/*
 * Look-ups of delegations. A row needs things one behind the other (package of a client:
 * delegation, its assignments, their parties), so a look-up is a few round trips; what an
 * assignment of the log told is not asked for at all.
 */
#include "delegation_desk.h"

#include "authorization_ids.h"

#include <runtime/log.h>
#include <stdio.h>

/* Values of the caches. */
struct desk_client {
    struct sync_uuid from, to, facilitator;
};
struct desk_edge {
    struct sync_uuid from, to, role;
};
struct desk_role {
    enum delegation_container container;
    char code[DELEGATION_ROLE_SIZE];
};
union desk_value {
    struct desk_edge edge;
    struct desk_client client;
    struct desk_role role;
    struct delegation_object object;
    bool is_no_user;
    struct delegation_pointer pointer;
};

/* $1 ids; n is the place of an id. A row that is gone stands in history. */
#define ASKED "FROM unnest($1::uuid[]) WITH ORDINALITY AS w (id, n) "
#define NOW_OR_THEN(columns, table)                                                                \
    "CROSS JOIN LATERAL (SELECT " columns " FROM dbo." table " a WHERE a.id = w.id"                \
    " UNION ALL SELECT " columns " FROM dbo_history.audit" table                                   \
    " a WHERE a.id = w.id LIMIT 1) r "

static const struct sync_statement statements[DESK_TABLE_COUNT] = {
    [DESK_EDGES] = {"delegation_desk_edges",
                    "SELECT w.n, r.fromid, r.toid, r.roleid " ASKED NOW_OR_THEN(
                        "a.fromid, a.toid, a.roleid", "assignment")},
    [DESK_CLIENTS] = {"delegation_desk_clients",
                      "SELECT w.n, r.fromid, r.toid, r.facilitatorid " ASKED NOW_OR_THEN(
                          "a.fromid, a.toid, a.facilitatorid", "delegation")},
    [DESK_ROLES] = {"delegation_desk_roles",
                    "SELECT w.n, r.code, r.providerid = '" AUTHORIZATION_PROVIDER_ALTINN2
                    "' " ASKED NOW_OR_THEN("a.code, a.providerid", "role")},
    [DESK_RESOURCES] = {"delegation_desk_resources",
                        "SELECT w.n, r.refid, t.name " ASKED NOW_OR_THEN(
                            "a.refid, a.typeid",
                            "resource") "JOIN dbo.resourcetype t ON t.id = r.typeid"},
    [DESK_PACKAGES] = {"delegation_desk_packages",
                       "SELECT w.n, r.urn, '' " ASKED NOW_OR_THEN("a.urn", "package")},
    [DESK_PERFORMERS] = {"delegation_desk_performers",
                         "SELECT w.n, e.id IS NOT NULL, e.id IS NOT NULL AND e.typeid NOT IN"
                         " ('" AUTHORIZATION_TYPE_PERSON "', '" AUTHORIZATION_TYPE_SELF_IDENTIFIED
                         "', '" AUTHORIZATION_TYPE_ENTERPRISE_USER "') " ASKED
                         "LEFT JOIN dbo.entity e ON e.id = w.id"},
    [DESK_POINTERS] = {"delegation_desk_pointers",
                       "SELECT w.n, r.policypath, r.policyversion " ASKED
                       "CROSS JOIN LATERAL (SELECT a.policypath, a.policyversion"
                       " FROM dbo.assignmentresource a WHERE a.id = w.id UNION ALL"
                       " SELECT a.policypath, a.policyversion FROM dbo.assignmentinstance a"
                       " WHERE a.id = w.id LIMIT 1) r"},
};
static const struct sync_statement documents_statement = {
    "delegation_desk_documents",
    "SELECT w.n, array_to_string(d.actions, E'\\n')"
    " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (path, version, n)"
    " JOIN sync.policy_document d ON d.path = w.path AND d.version = w.version"};

/* Caches. Direct-mapped; an entry whose id is zero is free. Acts come in clusters of one giver. */

struct desk_slot {
    struct sync_uuid id;
    union desk_value value; /* as much of it as its table needs */
};
#define SLOT_BYTES(member)                                                                         \
    ((offsetof(struct desk_slot, value) + sizeof(((union desk_value *)NULL)->member) + 7) / 8 * 8)
static const struct {
    size_t entries, bytes, offset;
} caches[] = {
    [DESK_EDGES] = {32768, SLOT_BYTES(edge), 0},
    [DESK_CLIENTS] = {8192, SLOT_BYTES(client), 2 * 1024 * 1024},
    [DESK_ROLES] = {512, SLOT_BYTES(role), 2560 * 1024},
    [DESK_RESOURCES] = {8192, SLOT_BYTES(object), 2592 * 1024},
    [DESK_PACKAGES] = {1024, SLOT_BYTES(object), 3808 * 1024},
    [DESK_PERFORMERS] = {32768, SLOT_BYTES(is_no_user), 3968 * 1024},
};

/* Spreads ids that differ in few bits, as those of one import do. */
static uint64_t mix(const struct sync_uuid *id)
{
    uint64_t halves[2];
    memcpy(halves, id->bytes, sizeof halves);
    uint64_t z = halves[0] ^ (halves[1] * 0x9e3779b97f4a7c15ULL);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static size_t entry_of(enum desk_table table, const struct sync_uuid *id)
{
    return (size_t)(mix(id) % caches[table].entries);
}

static struct desk_slot *slot_at(struct delegation_desk *desk, enum desk_table table, size_t entry)
{
    size_t offset = caches[table].offset + entry * caches[table].bytes;
    SYNC_ASSERT(offset + caches[table].bytes <= sizeof desk->cache);
    return (struct desk_slot *)(void *)(desk->cache + offset);
}

static void ask_for(struct delegation_desk *desk, enum desk_table table, const struct sync_uuid *id)
{
    size_t count = desk->ask_counts[table];
    bool is_last = count > 0 && sync_uuid_compare(&desk->asks[table][count - 1], id) == 0;
    if (!is_last && count < DESK_ASKS_MAX) {
        desk->asks[table][desk->ask_counts[table]++] = *id;
    }
}

/* Value of an id, or NULL: then it is asked for. */
static const union desk_value *find(struct delegation_desk *desk, enum desk_table table,
                                    const struct sync_uuid *id)
{
    struct desk_slot *slot = slot_at(desk, table, entry_of(table, id));
    if (sync_uuid_compare(&slot->id, id) == 0) {
        return &slot->value;
    }
    ask_for(desk, table, id);
    return NULL;
}

static struct desk_slot *claim_slot(struct delegation_desk *desk, enum desk_table table,
                                    const struct sync_uuid *id)
{
    struct desk_slot *slot = slot_at(desk, table, entry_of(table, id));
    slot->id = *id;
    return slot;
}

/* Roles. */

static struct desk_role role_of(struct sync_bytes code, bool is_altinn2)
{
    struct desk_role role = {.container = DELEGATION_CONTAINER_OTHER};
    if (is_altinn2 && code.size > 0 && code.size < sizeof role.code) {
        role.container = DELEGATION_CONTAINER_ROLE;
        memcpy(role.code, code.data, code.size);
    }
    return role;
}

/* The containers are known without asking. */
static void know_containers(struct delegation_desk *desk)
{
    static const struct {
        const char *id;
        enum delegation_container container;
    } rows[] = {
        {AUTHORIZATION_ROLE_RIGHTHOLDER, DELEGATION_CONTAINER_RIGHTHOLDER},
        {AUTHORIZATION_ROLE_APP_CONTROLLED_RIGHTHOLDER, DELEGATION_CONTAINER_APP},
        {AUTHORIZATION_ROLE_SUPPLIER, DELEGATION_CONTAINER_SUPPLIER},
        {AUTHORIZATION_ROLE_AGENT, DELEGATION_CONTAINER_OTHER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sync_uuid id = {{0}};
        bool good = sync_uuid_parse(sync_bytes_text(rows[i].id), &id);
        SYNC_ASSERT(good);
        claim_slot(desk, DESK_ROLES, &id)->value.role =
            (struct desk_role){.container = rows[i].container};
    }
}

void delegation_desk_open(void *context, const struct sync_config *config, struct sync_db *db)
{
    struct delegation_desk *desk = context;
    desk->db = db;
    bool good = delegation_known_init(&desk->known, config->authorization_identity);
    SYNC_ASSERT(good); /* checked with the configuration */
    know_containers(desk);
}

/* What the log tells needs no question, and no snapshot that trails it. */
void delegation_desk_learn(void *context, const struct capture_item *item)
{
    struct delegation_desk *desk = context;
    const struct delegation_row *row = item->row;
    const struct delegation_place *place = &row->place;
    if (row->kind == DELEGATION_ROW_ASSIGNMENT) {
        claim_slot(desk, DESK_EDGES, &row->id)->value.edge =
            (struct desk_edge){place->from, place->to, place->object};
    } else if (row->kind == DELEGATION_ROW_DELEGATION) {
        claim_slot(desk, DESK_CLIENTS, &row->id)->value.client =
            (struct desk_client){place->from, place->to, place->object};
    }
}

/* What a row needs. Each part is kept once it is found: two ids of one row may share an entry. */

static bool find_role(struct delegation_desk *desk, const struct sync_uuid *id,
                      struct delegation_edge *ret_edge)
{
    const union desk_value *value = find(desk, DESK_ROLES, id);
    if (value == NULL) {
        return false;
    }
    ret_edge->container = value->role.container;
    memcpy(ret_edge->role, value->role.code, sizeof ret_edge->role);
    return true;
}

static bool find_client(struct delegation_desk *desk, const struct sync_uuid *id,
                        struct desk_ends *ends, struct delegation_edge *ret_edge)
{
    const union desk_value *value = find(desk, DESK_CLIENTS, id);
    if (value == NULL) {
        return false;
    }
    const struct desk_client client = value->client;
    const struct sync_uuid *assignments[] = {&client.from, &client.to};
    for (int i = 0; i < 2; i++) {
        const union desk_value *edge =
            ends->known[i] ? NULL : find(desk, DESK_EDGES, assignments[i]);
        if (edge != NULL) {
            ends->parties[i] = i == 0 ? edge->edge.from : edge->edge.to;
            ends->known[i] = true;
        }
    }
    ret_edge->from = ends->parties[0];
    ret_edge->to = ends->parties[1];
    ret_edge->facilitator = client.facilitator;
    return ends->known[0] && ends->known[1];
}

static bool find_edge(struct delegation_desk *desk, enum delegation_row_kind kind,
                      const struct delegation_place *place, struct desk_ends *ends,
                      struct delegation_edge *ret_edge)
{
    if (kind == DELEGATION_ROW_CLIENT_PACKAGE) {
        return find_client(desk, &place->parent, ends, ret_edge);
    }
    struct desk_edge edge = {place->from, place->to, place->object};
    if (kind != DELEGATION_ROW_ASSIGNMENT) {
        const union desk_value *value = find(desk, DESK_EDGES, &place->parent);
        if (value == NULL) {
            return false;
        }
        edge = value->edge;
    }
    ret_edge->from = edge.from;
    ret_edge->to = edge.to;
    return find_role(desk, &edge.role, ret_edge);
}

static bool find_object(struct delegation_desk *desk, enum delegation_row_kind kind,
                        const struct sync_uuid *id, struct delegation_object *ret_object)
{
    bool is_package = kind == DELEGATION_ROW_PACKAGE || kind == DELEGATION_ROW_CLIENT_PACKAGE;
    if (kind == DELEGATION_ROW_ASSIGNMENT) {
        return true; /* its role is all */
    }
    const union desk_value *value = find(desk, is_package ? DESK_PACKAGES : DESK_RESOURCES, id);
    if (value != NULL) {
        *ret_object = value->object;
    }
    return value != NULL;
}

static bool has_documents(const struct delegation_row *row)
{
    return row->kind == DELEGATION_ROW_RESOURCE || row->kind == DELEGATION_ROW_INSTANCE;
}

/* Only through the systems of people does it matter who the performer is. */
static bool needs_performer(const struct delegation_desk *desk, const struct delegation_row *row)
{
    for (size_t i = 0; row->stamp.has_by && row->stamp.has_system && i < 3; i++) {
        if (sync_uuid_compare(&row->stamp.system, &desk->known.people[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void want_document(struct delegation_desk *desk, const struct delegation_pointer *pointer,
                          struct delegation_actions *actions, bool *found)
{
    if (!*found && (!pointer->present || pointer->is_cut)) {
        actions->missing = pointer->is_cut;
        *found = true; /* a row without a document gives nothing */
    }
    if (!*found && desk->document_count < DESK_DOCUMENTS_MAX) {
        desk->documents[desk->document_count++] = (struct desk_document){pointer, actions, found};
    }
}

static void want_actions(struct delegation_desk *desk, struct delegation_row *row,
                         struct desk_answer *answer)
{
    bool gives = has_documents(row) && row->act != DELEGATION_ROW_DELETED;
    bool gave = has_documents(row) && row->act == DELEGATION_ROW_CHANGED;
    answer->has_pointer = answer->has_pointer || !gives || !row->now_unknown;
    if (!answer->has_pointer) {
        ask_for(desk, DESK_POINTERS, &row->id);
    } else if (gives) {
        want_document(desk, &row->now, &answer->answer.now, &answer->has_now);
    }
    if (gave) {
        want_document(desk, &row->old, &answer->answer.old, &answer->has_old);
    }
    answer->has_now = answer->has_now || !gives;
    answer->has_old = answer->has_old || !gave;
}

static bool is_complete(const struct desk_answer *answer)
{
    return answer->has_edge && answer->has_edge_before && answer->has_object &&
           answer->has_object_before && answer->has_now && answer->has_old && answer->has_performer;
}

/* Takes what is known, and asks for the rest. */
static void look(struct delegation_desk *desk, struct capture_item *item)
{
    struct delegation_row *row = item->row;
    struct desk_answer *answer = item->answer;
    struct delegation_answer *found = &answer->answer;
    bool changed = row->act == DELEGATION_ROW_CHANGED;
    answer->has_edge =
        answer->has_edge || find_edge(desk, row->kind, &row->place, &answer->ends, &found->edge);
    answer->has_object =
        answer->has_object || find_object(desk, row->kind, &row->place.object, &found->object);
    answer->has_edge_before =
        answer->has_edge_before || !changed ||
        find_edge(desk, row->kind, &row->before, &answer->ends_before, &found->edge_before);
    answer->has_object_before =
        answer->has_object_before || !changed ||
        find_object(desk, row->kind, &row->before.object, &found->object_before);
    answer->has_performer = answer->has_performer || !needs_performer(desk, row);
    const union desk_value *performer =
        answer->has_performer ? NULL : find(desk, DESK_PERFORMERS, &row->stamp.by);
    if (performer != NULL) {
        found->performer_is_no_user = performer->is_no_user;
        answer->has_performer = true;
    }
    want_actions(desk, row, answer);
}

static void judge(struct capture_item *item)
{
    const struct desk_answer *answer = item->answer;
    bool counts = delegation_row_counts(item->row, &answer->answer, &item->reason);
    item->verdict = counts ? CAPTURE_READY : CAPTURE_DROPPED;
}

/* What is nobody's delegation is let go before anything more is asked for. */
static bool is_other(const struct capture_item *item)
{
    const struct delegation_row *row = item->row;
    const struct desk_answer *answer = item->answer;
    bool role = row->kind == DELEGATION_ROW_ASSIGNMENT && answer->has_edge &&
                answer->answer.edge.container != DELEGATION_CONTAINER_ROLE &&
                row->act != DELEGATION_ROW_CHANGED;
    return role || row->kind == DELEGATION_ROW_DELEGATION;
}

/* Answers. */

static void copy_bytes(struct sync_bytes text, char *ret_text, size_t size)
{
    memset(ret_text, 0, size);
    if (text.size < size && text.size > 0) { /* longer: no name that anybody has */
        memcpy(ret_text, text.data, text.size);
    }
}

static enum delegation_object_type type_of(struct sync_bytes name)
{
    if (sync_bytes_equal(name, sync_bytes_text("MaskinportenSchema"))) {
        return DELEGATION_OBJECT_SCHEMA;
    }
    return sync_bytes_equal(name, sync_bytes_text("Altinn2Service")) ? DELEGATION_OBJECT_ALTINN2
                                                                     : DELEGATION_OBJECT_PLAIN;
}

static void read_value(enum desk_table table, const struct sync_result *result, int row,
                       union desk_value *ret_value)
{
    if (table == DESK_EDGES || table == DESK_CLIENTS) { /* the same three ids in a row */
        ret_value->edge =
            (struct desk_edge){sync_result_uuid(result, row, 1), sync_result_uuid(result, row, 2),
                               sync_result_uuid(result, row, 3)};
    } else if (table == DESK_ROLES) {
        ret_value->role =
            role_of(sync_result_bytes(result, row, 1), sync_result_bool(result, row, 2));
    } else if (table == DESK_PERFORMERS) {
        ret_value->is_no_user = sync_result_bool(result, row, 2);
    } else {
        copy_bytes(sync_result_bytes(result, row, 1), ret_value->object.id,
                   sizeof ret_value->object.id);
        ret_value->object.type = type_of(sync_result_bytes(result, row, 2));
    }
}

/* The pointer that a row has now goes to every item that asked for it. */
static void take_pointer(const struct delegation_desk *desk, const struct sync_result *result,
                         int row, struct capture_item *items, size_t count)
{
    const struct sync_uuid *id = &desk->asks[DESK_POINTERS][sync_result_int8(result, row, 0) - 1];
    for (size_t i = 0; i < count; i++) {
        struct delegation_row *own = items[i].row;
        struct desk_answer *answer = items[i].answer;
        if (items[i].verdict != CAPTURE_WAITING || !own->now_unknown || answer->has_pointer ||
            sync_uuid_compare(&own->id, id) != 0) {
            continue;
        }
        struct sync_bytes path = sync_result_bytes(result, row, 1);
        struct sync_bytes version = sync_result_bytes(result, row, 2);
        copy_bytes(path, own->now.path, sizeof own->now.path);
        copy_bytes(version, own->now.version, sizeof own->now.version);
        own->now.present =
            !sync_result_is_null(result, row, 1) && !sync_result_is_null(result, row, 2);
        own->now.is_cut =
            path.size >= sizeof own->now.path || version.size >= sizeof own->now.version;
        answer->has_pointer = true;
    }
}

static void take_values(struct delegation_desk *desk, enum desk_table table,
                        const struct sync_result *result)
{
    for (int row = 0; row < result->rows; row++) {
        const struct sync_uuid *id = &desk->asks[table][sync_result_int8(result, row, 0) - 1];
        struct desk_slot *slot = claim_slot(desk, table, id);
        read_value(table, result, row, &slot->value);
        if (table == DESK_PERFORMERS && !sync_result_bool(result, row, 1)) {
            desk->unknown[desk->unknown_count++ % DESK_ASKS_MAX] = entry_of(table, id);
        }
    }
}

static void take_documents(struct delegation_desk *desk, const struct sync_result *result)
{
    for (int row = 0; row < result->rows; row++) {
        struct desk_document *document = &desk->documents[sync_result_int8(result, row, 0) - 1];
        struct sync_bytes names = sync_result_bytes(result, row, 1);
        copy_bytes(names, document->actions->names, sizeof document->actions->names);
        document->actions->missing = names.size >= sizeof document->actions->names;
        *document->found = true;
    }
}

/* Questions. */

struct questions {
    struct sync_call calls[DESK_TABLE_COUNT + 1];
    struct sync_params params[DESK_TABLE_COUNT + 1];
    struct sync_result results[DESK_TABLE_COUNT + 1];
    int tables[DESK_TABLE_COUNT + 1]; /* DESK_TABLE_COUNT = documents */
    size_t count;
};

static struct sync_params *add_question(struct questions *q, int table,
                                        const struct sync_statement *statement,
                                        struct sync_arena *arena)
{
    size_t at = q->count++;
    sync_params_init(&q->params[at], arena);
    q->tables[at] = table;
    q->calls[at] = (struct sync_call){statement, &q->params[at]};
    return &q->params[at];
}

static void ask_documents(struct delegation_desk *desk, struct questions *q,
                          struct sync_arena *arena)
{
    struct sync_bytes paths[DESK_DOCUMENTS_MAX], versions[DESK_DOCUMENTS_MAX];
    for (size_t i = 0; i < desk->document_count; i++) {
        paths[i] = sync_bytes_text(desk->documents[i].pointer->path);
        versions[i] = sync_bytes_text(desk->documents[i].pointer->version);
    }
    struct sync_params *params = add_question(q, DESK_TABLE_COUNT, &documents_statement, arena);
    sync_params_text_array(params, paths, desk->document_count);
    sync_params_text_array(params, versions, desk->document_count);
}

static void ask_all(struct delegation_desk *desk, struct questions *q)
{
    struct sync_arena arena;
    sync_arena_init(&arena, desk->memory, sizeof desk->memory);
    for (int table = 0; table < DESK_TABLE_COUNT; table++) {
        if (desk->ask_counts[table] > 0) {
            sync_params_uuid_array(add_question(q, table, &statements[table], &arena),
                                   desk->asks[table], NULL, desk->ask_counts[table]);
        }
    }
    if (desk->document_count > 0) {
        ask_documents(desk, q, &arena);
    }
}

/* One round trip. ret_answers is how many things were found; 0 when nothing was missing. */
static sync_status ask(struct delegation_desk *desk, struct capture_item *items, size_t count,
                       int *ret_answers, struct sync_error *err)
{
    struct questions q = {.count = 0};
    ask_all(desk, &q);
    *ret_answers = 0;
    if (q.count == 0) {
        return SYNC_OK;
    }
    sync_status status = sync_db_pipeline(desk->db, q.calls, q.count, q.results, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "look up what delegations name");
    }
    for (size_t i = 0; i < q.count; i++) {
        *ret_answers += q.results[i].rows;
        if (q.tables[i] == DESK_TABLE_COUNT) {
            take_documents(desk, &q.results[i]);
        } else if (q.tables[i] == DESK_POINTERS) {
            for (int row = 0; row < q.results[i].rows; row++) {
                take_pointer(desk, &q.results[i], row, items, count);
            }
        } else {
            take_values(desk, (enum desk_table)q.tables[i], &q.results[i]);
        }
        sync_result_done(&q.results[i]);
    }
    return SYNC_OK;
}

static void look_at_all(struct delegation_desk *desk, struct capture_item *items, size_t count)
{
    memset(desk->ask_counts, 0, sizeof desk->ask_counts);
    desk->document_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].verdict != CAPTURE_WAITING) {
            continue;
        }
        look(desk, &items[i]);
        if (is_other(&items[i])) {
            items[i].verdict = CAPTURE_DROPPED;
        } else if (is_complete(items[i].answer)) {
            judge(&items[i]);
        }
    }
}

/* A performer whom nobody knows may be entered in the next moment. */
static void forget_unknown(struct delegation_desk *desk)
{
    size_t count = desk->unknown_count < DESK_ASKS_MAX ? desk->unknown_count : DESK_ASKS_MAX;
    for (size_t i = 0; i < count; i++) {
        slot_at(desk, DESK_PERFORMERS, desk->unknown[i])->id = (struct sync_uuid){{0}};
    }
    desk->unknown_count = 0;
}

/*
 * Asks until nothing more is found. Each round brings at least one row further: of the ids that
 * share an entry the last one stays there until its row has taken it.
 */
sync_status delegation_desk_resolve(void *context, struct capture_item *items, size_t count,
                                    struct sync_error *err)
{
    struct delegation_desk *desk = context;
    sync_status status = SYNC_OK;
    int answers = 1;
    while (answers > 0 && sync_is_ok(status)) {
        look_at_all(desk, items, count);
        status = ask(desk, items, count, &answers, err);
    }
    forget_unknown(desk);
    return status;
}

/*
 * A document that is not there gives nothing, so the row gives nothing. What a row names is there
 * by Altinn 3's own keys: without it the event has no key, and only a person can tell.
 */
void delegation_desk_expire(void *context, struct capture_item *item)
{
    struct desk_answer *answer = item->answer;
    char id[SYNC_UUID_BUFFER];
    (void)context;
    sync_uuid_format(&((const struct delegation_row *)item->row)->id, id);
    if (!answer->has_edge || !answer->has_edge_before || !answer->has_object ||
        !answer->has_object_before || !answer->has_performer) {
        sync_log(SYNC_ERROR, "delegation_unresolved", SYNC_LOG_TEXT("row", id));
        item->verdict = CAPTURE_DROPPED;
        item->reason = "unresolved";
        return;
    }
    sync_log(SYNC_ERROR, "policy_document_missing", SYNC_LOG_TEXT("row", id));
    answer->answer.now.missing = answer->answer.now.missing || !answer->has_now;
    answer->answer.old.missing = answer->answer.old.missing || !answer->has_old;
    answer->has_now = answer->has_old = true;
    judge(item);
}

uint64_t delegation_desk_order(void *context, const struct capture_item *item)
{
    const struct desk_answer *answer = item->answer;
    (void)context;
    return answer->has_edge ? mix(&answer->answer.edge.from) | 1 : 0;
}
