/*
 * Shows what acts on the real tables of Altinn 3, with its triggers, keys and cascades, become on
 * the topic: each test acts as its application does, then reads the log over a slot of its own
 * through the capture's reader, desk and events. Not here: Kafka, positions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../connectors/altinn3/authorization_ids.h"
#include "../../connectors/altinn3/capture_wire.h"
#include "../../connectors/altinn3/delegation_desk.h"
#include "own_database.h"

#define SLOT      "test_delegation"
#define ITEMS_MAX 600
#define LINE_SIZE 320

#define F         "f0000000-0000-7000-8000-000000000000" /* gives */
#define K         "70000000-0000-7000-8000-000000000000" /* receives */
#define G         "60000000-0000-7000-8000-000000000000" /* firm in the middle */
#define P         "50000000-0000-7000-8000-000000000000" /* a person who acts */
#define Y         "51000000-0000-7000-8000-000000000000" /* a system user who acts */

#define APP       "a0000000-0000-7000-8000-000000000001"
#define SCHEMA    "a0000000-0000-7000-8000-000000000002"
#define OLD       "a0000000-0000-7000-8000-000000000003" /* Altinn2Service */
#define PACKAGE   "b0000000-0000-7000-8000-000000000001"
#define HADM      "d9e05d40-9849-4982-bf04-aa03b19e4a66"
#define REGN      "c0000000-0000-7000-8000-000000000001"
#define MARK      "0000ffff-0000-7000-8000-000000000000"

#define END_USER  AUTHORIZATION_SYSTEM_END_USER_API
#define CLEAN_UP  AUTHORIZATION_SYSTEM_SINGLE_RIGHT_IMPORT

extern const struct capture_entity capture_delegation;

static struct capture_wire *wire;
static struct delegation_reader *reader;
static struct delegation_desk *desk;
static struct sync_config *config;
static struct pgoutput_message *message;
static struct row_plan plans[16];
static bool plan_known[16];
static size_t plan_count;
static struct capture_item items[ITEMS_MAX];
static struct delegation_row rows[ITEMS_MAX];
static struct desk_answer answers[ITEMS_MAX];
static size_t item_count;
static char lines[2 * ITEMS_MAX][LINE_SIZE];
static size_t line_count;

/* What everybody needs: parties, resources, roles, a package. */
static const char reference[] =
    "BEGIN;"
    "SELECT set_config('app.changed_by', '" P
    "', true), set_config('app.changed_by_system', '" CLEAN_UP
    "', true), set_config('app.change_operation_id', 'reference', true);"
    "INSERT INTO dbo.providertype (id, name) VALUES ('" MARK "', 'System');"
    "INSERT INTO dbo.provider (id, typeid, name) VALUES ('" AUTHORIZATION_PROVIDER_ALTINN2
    "', '" MARK "', 'A2'), ('" AUTHORIZATION_PROVIDER_ALTINN3 "', '" MARK "', 'A3');"
    "INSERT INTO dbo.entitytype (id, providerid, name) SELECT t.id::uuid, "
    "'" AUTHORIZATION_PROVIDER_ALTINN3 "', t.id FROM (VALUES ('" AUTHORIZATION_TYPE_PERSON
    "'), ('" AUTHORIZATION_TYPE_ORGANISATION "'), ('" AUTHORIZATION_TYPE_SYSTEM_USER
    "')) AS t (id);"
    "INSERT INTO dbo.entityvariant (id, typeid, name, description)"
    " SELECT id, id, 'v', '' FROM dbo.entitytype;"
    "INSERT INTO dbo.entity (id, typeid, variantid, name, refid) SELECT e.id::uuid, e.t::uuid,"
    " e.t::uuid, e.id, e.id FROM (VALUES ('" F "', '" AUTHORIZATION_TYPE_ORGANISATION "'), ('" K
    "', '" AUTHORIZATION_TYPE_PERSON "'), ('" G "', '" AUTHORIZATION_TYPE_ORGANISATION "'), ('" P
    "', '" AUTHORIZATION_TYPE_PERSON "'), ('" Y "', '" AUTHORIZATION_TYPE_SYSTEM_USER
    "')) AS e (id, t);"
    "INSERT INTO dbo.resourcetype (id, name) VALUES ('" APP "', 'AltinnApp'), ('" SCHEMA
    "', 'MaskinportenSchema'), ('" OLD "', 'Altinn2Service');"
    "INSERT INTO dbo.resource (id, typeid, providerid, refid, name, description) SELECT r.id::uuid,"
    " r.id::uuid, '" AUTHORIZATION_PROVIDER_ALTINN3 "', r.refid, '', '' FROM (VALUES ('" APP
    "', 'app_ttd_form'), ('" SCHEMA "', 'ttd-schema'), ('" OLD "', 'se_1_1')) AS r (id, refid);"
    "INSERT INTO dbo.role (id, providerid, code, name, urn, description) SELECT r.id::uuid,"
    " r.p::uuid, r.code, r.code, r.code, '' FROM (VALUES ('" AUTHORIZATION_ROLE_RIGHTHOLDER
    "', '" AUTHORIZATION_PROVIDER_ALTINN3 "', 'rettighetshaver'), ('" AUTHORIZATION_ROLE_SUPPLIER
    "', '" AUTHORIZATION_PROVIDER_ALTINN3
    "', 'supplier'), ('" AUTHORIZATION_ROLE_APP_CONTROLLED_RIGHTHOLDER
    "', '" AUTHORIZATION_PROVIDER_ALTINN3 "', 'appstyrt'), ('" AUTHORIZATION_ROLE_AGENT
    "', '" AUTHORIZATION_PROVIDER_ALTINN3 "', 'agent'), ('" HADM
    "', '" AUTHORIZATION_PROVIDER_ALTINN2 "', 'hadm'), ('" REGN
    "', '" AUTHORIZATION_PROVIDER_ALTINN3 "', 'regnskapsforer')) AS r (id, p, code);"
    "INSERT INTO dbo.areagroup (id, entitytypeid, name, description) VALUES ('" MARK
    "', '" AUTHORIZATION_TYPE_PERSON "', '', '');"
    "INSERT INTO dbo.area (id, groupid, name, description, urn) VALUES ('" MARK "', '" MARK
    "', '', '', '');"
    "INSERT INTO dbo.package (id, providerid, entitytypeid, areaid, urn, code, hasresources)"
    " VALUES ('" PACKAGE "', '" AUTHORIZATION_PROVIDER_ALTINN3 "', '" AUTHORIZATION_TYPE_PERSON
    "', '" MARK "', 'urn:altinn:accesspackage:skatt', 'skatt', true);"
    "COMMIT";

static int open_database(void **state)
{
    (void)state;
    own_start_home("capture_delegation", "authorization");
    config = calloc(1, sizeof *config);
    reader = calloc(1, sizeof *reader);
    desk = calloc(1, sizeof *desk);
    message = calloc(1, sizeof *message);
    assert_true(config && reader && desk && message);
    (void)strcpy(config->authorization_identity, AUTHORIZATION_IDENTITY);
    if (own.usable) {
        must(sync_db_script(own.db, reference, &own.err));
        own_script(SYNC_SOURCE_DIR "/connectors/altinn3/sql/delegation-publication.sql");
        delegation_desk_open(desk, config, own.db);
    }
    return 0;
}

static int close_database(void **state)
{
    (void)state;
    free(message);
    free(desk);
    free(reader);
    free(config);
    own_stop();
    return 0;
}

static int open_stream(void **state)
{
    struct capture_identity identity;
    (void)state;
    if (!own.usable) {
        return 0;
    }
    run_sql("SELECT pg_create_logical_replication_slot('" SLOT "', 'pgoutput')");
    must(capture_wire_open(own.dsn, "dsn", "test", &wire, &identity, &own.err));
    must(capture_wire_start(wire, SLOT, "altinn_sync_delegation", 0, &own.err));
    plan_count = item_count = line_count = 0;
    return 0;
}

static int close_stream(void **state)
{
    (void)state;
    if (own.usable) {
        capture_wire_close(&wire);
        run_sql("DO 'BEGIN FOR i IN 1..100 LOOP EXIT WHEN NOT EXISTS (SELECT FROM"
                " pg_replication_slots WHERE slot_name = ''" SLOT "'' AND active);"
                " PERFORM pg_sleep(0.05); END LOOP; END'");
        run_sql("SELECT pg_drop_replication_slot('" SLOT "')");
        run_sql("TRUNCATE dbo.assignment, dbo.assignmentresource, dbo.assignmentinstance,"
                " dbo.assignmentpackage, dbo.delegation, dbo.delegationpackage,"
                " dbo.delegationresource, dbo_history.auditassignment,"
                " dbo_history.auditassignmentresource, dbo_history.auditassignmentinstance,"
                " sync.policy_document CASCADE");
    }
    return 0;
}

/* One transaction, as the application writes it. */
static void act(const char *system, const char *by, const char *sql)
{
    char text[4096];
    int size = snprintf(
        text, sizeof text,
        "BEGIN; SELECT set_config('app.changed_by', '%s', true),"
        " set_config('app.changed_by_system', '%s', true),"
        " set_config('app.change_operation_id', 'op', true);"
        "CREATE TEMP TABLE session_audit_context ON COMMIT DROP AS SELECT '%s'::uuid AS changed_by,"
        " '%s'::uuid AS changed_by_system, 'op'::text AS change_operation_id; %s; COMMIT",
        by, system, by, system, sql);
    assert_in_range(size, 1, sizeof text - 1);
    must(sync_db_script(own.other, text, &own.err));
}

#define ASSIGN(id, role)                                                                           \
    "INSERT INTO dbo.assignment (id, fromid, toid, roleid, audit_validfrom) VALUES ('" id "', '" F \
    "', '" K "', '" role "', '2024-01-01 00:00:00Z');"
#define EDGE  "e0000000-0000-7000-8000-000000000001"
#define RIGHT "e1000000-0000-7000-8000-000000000001"
#define DOCUMENT(version, actions)                                                                 \
    "INSERT INTO sync.policy_document VALUES ('p', '" version "', '{" actions "}', NULL);"
#define GIVE(resource, version)                                                                    \
    "INSERT INTO dbo.assignmentresource (id, assignmentid, resourceid, policypath, policyversion)" \
    " VALUES ('" RIGHT "', '" EDGE "', '" resource "', 'p', '" version "');"
/* The application writes all four columns of the stamp. */
#define POINT(version)                                                                             \
    "UPDATE dbo.assignmentresource SET policyversion = '" version                                  \
    "', audit_changedby = current_setting('app.changed_by')::uuid,"                                \
    " audit_changedbysystem = current_setting('app.changed_by_system')::uuid,"                     \
    " audit_changeoperation = current_setting('app.change_operation_id'),"                         \
    " audit_validfrom = now() WHERE id = '" RIGHT "';"

/* Reading. */

static void take_relation(void)
{
    assert_in_range(plan_count, 0, 15);
    plans[plan_count].relation_id = message->relation_id;
    must(row_plan_make(&delegation_row_tables, message, &plan_known[plan_count], &plans[plan_count],
                       &own.err));
    assert_true(plan_known[plan_count]);
    plan_count++;
}

static const struct row_plan *plan_of(uint32_t relation_id)
{
    for (size_t i = plan_count; i-- > 0;) {
        if (plans[i].relation_id == relation_id) {
            return &plans[i];
        }
    }
    fail_msg("a row without its relation");
    return NULL;
}

/* False at the mark that ends the acts of a test. */
static bool take_row(uint64_t lsn)
{
    enum capture_fate fate = CAPTURE_FATE_OTHER;
    struct sync_uuid mark;
    assert_in_range(item_count, 0, ITEMS_MAX - 1);
    must(delegation_reader_read(reader, plan_of(message->relation_id), message, &fate,
                                &rows[item_count], &own.err));
    assert_true(sync_uuid_parse(sync_bytes_text(MARK), &mark));
    if (fate == CAPTURE_FATE_OTHER) {
        return true;
    }
    if (sync_uuid_compare(&rows[item_count].id, &mark) == 0) {
        return false;
    }
    memset(&answers[item_count], 0, sizeof answers[0]);
    items[item_count] = (struct capture_item){.row = &rows[item_count],
                                              .answer = &answers[item_count],
                                              .lsn = lsn,
                                              .sequence = (int64_t)lsn,
                                              .committed_us = 1};
    delegation_desk_learn(desk, &items[item_count]);
    item_count++;
    return true;
}

static bool take_chunk(struct sync_bytes chunk)
{
    struct pgoutput_frame frame;
    must(pgoutput_frame_read(chunk, &frame, &own.err));
    if (frame.type != PGOUTPUT_FRAME_DATA) {
        return true;
    }
    must(pgoutput_message_read(frame.body, message, &own.err));
    if (message->type == PGOUTPUT_BEGIN) {
        delegation_reader_begin(reader);
    } else if (message->type == PGOUTPUT_RELATION) {
        take_relation();
    } else if (message->type == PGOUTPUT_INSERT || message->type == PGOUTPUT_UPDATE) {
        return take_row(frame.lsn);
    }
    assert_true(message->type != PGOUTPUT_DELETE && message->type != PGOUTPUT_TRUNCATE);
    return true;
}

static void read_log(void)
{
    run_sql("BEGIN; SELECT set_config('app.changed_by', '" P
            "', true), set_config('app.changed_by_system', '" CLEAN_UP
            "', true), set_config('app.change_operation_id', 'op', true);"
            "INSERT INTO dbo.assignment (id, fromid, toid, roleid) VALUES ('" MARK "', '" P "', '" P
            "', '" REGN "'); COMMIT");
    bool going = true;
    for (int quiet = 0; going && quiet < 100;) {
        struct sync_bytes chunk;
        must(capture_wire_read(wire, 100, &chunk, &own.err));
        quiet = chunk.size == 0 ? quiet + 1 : 0;
        going = chunk.size == 0 || take_chunk(chunk);
    }
    assert_false(going);
}

/* Events as lines: op, kind, target, giver>receiver, instance, rights, by, origin. */

static void put(char *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(char *line, const char *format, ...)
{
    size_t used = strlen(line);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line + used, LINE_SIZE - used, format, args);
    va_end(args);
}

static void put_event(const struct delegation_change *change)
{
    static const char *const ops[] = {"GRANT", "REVOKE", "REVOKE_ALL"};
    static const char *const kinds[] = {"SINGLE", "INSTANCE", "PACKAGE", "ROLE", "CLIENT"};
    char *line = lines[line_count++];
    struct sync_texts left = change->rights;
    struct sync_bytes right;
    line[0] = '\0';
    put(line, "%s %s %.*s %02x>%02x", ops[change->op], kinds[change->kind],
        (int)change->target_id.size, (const char *)change->target_id.data,
        change->from.uuid.bytes[0], change->to.uuid.bytes[0]);
    if (change->facilitator.present) {
        put(line, "@%02x", change->facilitator.uuid.bytes[0]);
    }
    if (change->has_instance) {
        put(line, " %.*s%s", (int)change->instance.size, (const char *)change->instance.data,
            change->app_controlled ? "/app" : "");
    }
    while (sync_texts_next(&left, &right)) {
        put(line, " %.*s", (int)right.size, (const char *)right.data);
    }
    put(line, change->by == DELEGATION_HUMAN ? " HUMAN" : " MACHINE");
    if (change->has_origin) {
        put(line, " origin %.*s/%lld", (int)change->origin_stream.size,
            change->has_origin_stream ? (const char *)change->origin_stream.data : "",
            (long long)change->origin_seq);
    }
}

static void make_lines(void)
{
    static uint8_t memory[65536];
    for (size_t i = 0; i < item_count; i++) {
        assert_int_not_equal(items[i].verdict, CAPTURE_WAITING);
        for (unsigned part = 0; part < 2 && items[i].verdict == CAPTURE_READY; part++) {
            struct sync_arena arena;
            struct delegation_change change;
            bool present = false;
            sync_arena_init(&arena, memory, sizeof memory);
            must(delegation_event_make(&desk->known, &items[i], part, &arena, &present, &change,
                                       &own.err));
            if (present) {
                put_event(&change);
            }
        }
    }
}

static void assert_events(const char *const *wanted)
{
    read_log();
    must(delegation_desk_resolve(desk, items, item_count, &own.err));
    make_lines();
    size_t count = 0;
    for (; wanted[count] != NULL; count++) {
        if (count >= line_count) {
            fail_msg("missing: %s", wanted[count]);
        }
        assert_string_equal(lines[count], wanted[count]);
    }
    if (line_count > count) {
        fail_msg("too much: %s", lines[count]);
    }
}
#define EVENTS(...) assert_events((const char *const[]){__VA_ARGS__, NULL})

/* Tests. */

static void a_single_right_is_given_changed_and_taken(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P,
        DOCUMENT("1", "read,write") DOCUMENT("2", "read,sign")
            ASSIGN(EDGE, AUTHORIZATION_ROLE_RIGHTHOLDER) GIVE(APP, "1"));
    act(END_USER, P, POINT("2"));
    act(END_USER, P, "DELETE FROM dbo.assignmentresource WHERE id = '" RIGHT "'");
    EVENTS("GRANT SINGLE app_ttd_form f0>70 read write HUMAN",
           "GRANT SINGLE app_ttd_form f0>70 sign HUMAN",
           "REVOKE SINGLE app_ttd_form f0>70 write HUMAN",
           "REVOKE_ALL SINGLE app_ttd_form f0>70 HUMAN");
}

static void every_kind_of_delegation_is_published(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P,
        DOCUMENT("1", "read") ASSIGN(EDGE, AUTHORIZATION_ROLE_RIGHTHOLDER) ASSIGN(
            "e0000000-0000-7000-8000-000000000002",
            HADM) ASSIGN("e0000000-0000-7000-8000-000000000003",
                         AUTHORIZATION_ROLE_APP_CONTROLLED_RIGHTHOLDER)
            ASSIGN(
                "e0000000-0000-7000-8000-000000000004",
                AUTHORIZATION_ROLE_SUPPLIER) "INSERT INTO dbo.assignmentpackage (id, assignmentid, "
                                             "packageid) VALUES (gen_random_uuid(),"
                                             " '" EDGE "', '" PACKAGE "');"
                                             "INSERT INTO dbo.assignmentinstance (id, "
                                             "assignmentid, resourceid, instanceid, policypath,"
                                             " policyversion, delegationchangeid) VALUES "
                                             "(gen_random_uuid(), '" EDGE "', '" APP
                                             "', 'urn:i', 'p', '1', 0), (gen_random_uuid(), "
                                             "'e0000000-0000-7000-8000-000000000003', '" APP
                                             "', 'urn:i', 'p', '1', 0);"
                                             "INSERT INTO dbo.assignmentresource (id, "
                                             "assignmentid, resourceid, policypath,"
                                             " policyversion) VALUES (gen_random_uuid(), "
                                             "'e0000000-0000-7000-8000-000000000004', '" SCHEMA
                                             "', 'p', '1')");
    EVENTS("GRANT ROLE hadm f0>70 * HUMAN",
           "GRANT PACKAGE urn:altinn:accesspackage:skatt f0>70 * HUMAN",
           "GRANT INSTANCE app_ttd_form f0>70 urn:i read HUMAN",
           "GRANT INSTANCE app_ttd_form f0>70 urn:i/app read HUMAN",
           "GRANT SINGLE ttd-schema f0>70 read HUMAN");
}

#define CLIENT                                                                                     \
    "INSERT INTO dbo.assignment (id, fromid, toid, roleid) VALUES"                                 \
    " ('e0000000-0000-7000-8000-00000000000a', '" F "', '" G "', '" REGN "'),"                     \
    " ('e0000000-0000-7000-8000-00000000000b', '" G "', '" K "', '" AUTHORIZATION_ROLE_AGENT "');" \
    "INSERT INTO dbo.delegation (id, fromid, toid, facilitatorid) VALUES"                          \
    " ('e2000000-0000-7000-8000-000000000001', 'e0000000-0000-7000-8000-00000000000a',"            \
    " 'e0000000-0000-7000-8000-00000000000b', '" G "');"                                           \
    "INSERT INTO dbo.delegationpackage (id, delegationid, packageid) VALUES (gen_random_uuid(),"   \
    " 'e2000000-0000-7000-8000-000000000001', '" PACKAGE "');"

static void a_client_right_names_client_firm_and_agent(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P, CLIENT);
    act(END_USER, P, "DELETE FROM dbo.delegationpackage");
    EVENTS("GRANT CLIENT urn:altinn:accesspackage:skatt f0>70@60 * HUMAN",
           "REVOKE_ALL CLIENT urn:altinn:accesspackage:skatt f0>70@60 HUMAN");
}

/* Everything is gone from dbo when it is looked up; the parties stand in history. */
static void what_goes_with_its_parent_is_revoked_one_by_one(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P,
        DOCUMENT("1", "read") ASSIGN(EDGE, AUTHORIZATION_ROLE_RIGHTHOLDER)
            GIVE(APP, "1") "INSERT INTO dbo.assignmentpackage (id, assignmentid, packageid) VALUES "
                           "(gen_random_uuid(),"
                           " '" EDGE "', '" PACKAGE "');" CLIENT);
    act(CLEAN_UP, P,
        "DELETE FROM dbo.assignment WHERE id IN ('" EDGE
        "', 'e0000000-0000-7000-8000-00000000000b')");
    memset(desk->cache, 0, sizeof desk->cache); /* nothing was learnt */
    delegation_desk_open(desk, config, own.db);
    read_log();
    assert_true(item_count > 8);
    memset(desk->cache, 0, sizeof desk->cache);
    delegation_desk_open(desk, config, own.db);
    must(delegation_desk_resolve(desk, items, item_count, &own.err));
    make_lines();
    static const char *const wanted[] = {
        "GRANT SINGLE app_ttd_form f0>70 read HUMAN",
        "GRANT PACKAGE urn:altinn:accesspackage:skatt f0>70 * HUMAN",
        "GRANT CLIENT urn:altinn:accesspackage:skatt f0>70@60 * HUMAN",
        "REVOKE_ALL SINGLE app_ttd_form f0>70 MACHINE",
        "REVOKE_ALL PACKAGE urn:altinn:accesspackage:skatt f0>70 MACHINE",
        "REVOKE_ALL CLIENT urn:altinn:accesspackage:skatt f0>70@60 MACHINE",
    };
    assert_int_equal(line_count, 6);
    for (size_t i = 0; i < 6; i++) { /* the order of a cascade is the server's */
        bool found = false;
        for (size_t k = 0; k < 6; k++) {
            found = found || strcmp(lines[k], wanted[i]) == 0;
        }
        if (!found) {
            fail_msg("missing: %s", wanted[i]);
        }
    }
}

static void what_is_no_delegation_is_not_published(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P,
        DOCUMENT("1", "read") ASSIGN(EDGE, AUTHORIZATION_ROLE_RIGHTHOLDER)
            ASSIGN("e0000000-0000-7000-8000-000000000002", REGN) GIVE(OLD, "1"));
    act(END_USER, P, "DELETE FROM dbo.assignment");
    read_log();
    must(delegation_desk_resolve(desk, items, item_count, &own.err));
    make_lines();
    assert_int_equal(line_count, 0);
    size_t through = 0;
    for (size_t i = 0; i < item_count; i++) {
        through += items[i].reason != NULL && strcmp(items[i].reason, "written_through") == 0;
    }
    assert_int_equal(through, 2);
}

static void who_acted_is_told_by_system_and_performer(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P, ASSIGN(EDGE, HADM));
    act(END_USER, Y, "DELETE FROM dbo.assignment"); /* a system user through the people's API */
    act(END_USER, Y, ASSIGN(EDGE, HADM));
    act(CLEAN_UP, P, "DELETE FROM dbo.assignment");
    act(AUTHORIZATION_SYSTEM_A2_ROLE_IMPORT, P, ASSIGN(EDGE, HADM));
    act(END_USER, P, "DELETE FROM dbo.assignment"); /* DL-92: born */
    EVENTS("GRANT ROLE hadm f0>70 * HUMAN", "REVOKE_ALL ROLE hadm f0>70 MACHINE",
           "GRANT ROLE hadm f0>70 * MACHINE", "REVOKE_ALL ROLE hadm f0>70 MACHINE",
           "GRANT ROLE hadm f0>70 * MACHINE origin /0", "REVOKE_ALL ROLE hadm f0>70 HUMAN");
}

static void our_own_writes_carry_their_origin(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(AUTHORIZATION_IDENTITY, P,
        "SELECT set_config('app.change_operation_id', 'altinn-sync/A2/a2.role.1/77', true);"
        "UPDATE pg_temp.session_audit_context SET change_operation_id ="
        " 'altinn-sync/A2/a2.role.1/78';" ASSIGN(EDGE, HADM)
            DOCUMENT("1", "read") "DELETE FROM dbo.assignment");
    EVENTS("GRANT ROLE hadm f0>70 * MACHINE origin a2.role.1/77",
           "REVOKE_ALL ROLE hadm f0>70 MACHINE origin a2.role.1/78");
}

/* Trap 3: the row keeps the stamp of the writer before. */
static void an_update_that_leaves_our_stamp_is_not_ours(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(AUTHORIZATION_IDENTITY, P,
        "SELECT set_config('app.change_operation_id', 'altinn-sync/A2/a2.rule.1/5', "
        "true);" DOCUMENT("1", "read") DOCUMENT("2", "read,write")
            ASSIGN(EDGE, AUTHORIZATION_ROLE_RIGHTHOLDER) GIVE(APP, "1"));
    act(END_USER, P,
        "UPDATE dbo.assignmentresource SET policyversion = '2' WHERE id = '" RIGHT "'");
    EVENTS("GRANT SINGLE app_ttd_form f0>70 read MACHINE origin a2.rule.1/5",
           "GRANT SINGLE app_ttd_form f0>70 write MACHINE");
}

/* Trap 4: two changes of one row in one transaction, the second with a later stamp. */
static void changes_of_one_row_in_one_transaction_are_told_one_by_one(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P,
        DOCUMENT("1", "read") DOCUMENT("2", "write") DOCUMENT("3", "sign")
            ASSIGN(EDGE, AUTHORIZATION_ROLE_RIGHTHOLDER) GIVE(APP, "1"));
    act(END_USER, P,
        "UPDATE dbo.assignmentresource SET policyversion = '2', audit_validfrom = now() + interval"
        " '1 second', audit_changeoperation = 'a' WHERE id = '" RIGHT
        "'; UPDATE dbo.assignmentresource SET policyversion = '3', audit_validfrom = now() +"
        " interval '2 seconds', audit_changeoperation = 'b' WHERE id = '" RIGHT
        "'; DELETE FROM dbo.assignmentresource WHERE id = '" RIGHT "'");
    EVENTS(
        "GRANT SINGLE app_ttd_form f0>70 read HUMAN", "GRANT SINGLE app_ttd_form f0>70 write HUMAN",
        "REVOKE SINGLE app_ttd_form f0>70 read HUMAN", "GRANT SINGLE app_ttd_form f0>70 sign HUMAN",
        "REVOKE SINGLE app_ttd_form f0>70 write HUMAN",
        "REVOKE_ALL SINGLE app_ttd_form f0>70 HUMAN");
}

/* Trap 6: an update that changes nothing is history and log all the same. */
static void an_update_of_nothing_says_nothing(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P,
        DOCUMENT("1", "read") ASSIGN(EDGE, AUTHORIZATION_ROLE_RIGHTHOLDER) GIVE(APP, "1"));
    act(END_USER, P, POINT("1") "UPDATE dbo.assignment SET fromid = fromid");
    EVENTS("GRANT SINGLE app_ttd_form f0>70 read HUMAN");
}

static void many_rows_of_one_statement_are_all_told(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P,
        DOCUMENT("1", "read") DOCUMENT("2", "write") ASSIGN(
            EDGE,
            AUTHORIZATION_ROLE_RIGHTHOLDER) "INSERT INTO dbo.assignmentinstance (id, assignmentid, "
                                            "resourceid, instanceid, policypath,"
                                            " policyversion, delegationchangeid) SELECT "
                                            "gen_random_uuid(), '" EDGE "', '" APP
                                            "', 'urn:' || i, 'p', '1', 0 FROM generate_series(1, "
                                            "150) i");
    act(END_USER, P,
        "UPDATE dbo.assignmentinstance SET policyversion = '2',"
        " audit_changeoperation = 'second'");
    act(END_USER, P, "DELETE FROM dbo.assignment");
    read_log();
    must(delegation_desk_resolve(desk, items, item_count, &own.err));
    make_lines();
    size_t grants = 0, revokes = 0, ends = 0;
    for (size_t i = 0; i < line_count; i++) {
        grants += strncmp(lines[i], "GRANT ", 6) == 0;
        revokes += strncmp(lines[i], "REVOKE ", 7) == 0;
        ends += strncmp(lines[i], "REVOKE_ALL ", 11) == 0;
    }
    assert_int_equal(grants, 300);
    assert_int_equal(revokes, 150);
    assert_int_equal(ends, 150);
    for (size_t i = 1; i < item_count; i++) {
        assert_true(items[i].sequence >= items[i - 1].sequence); /* they come as they are logged */
    }
}

static void a_document_that_comes_late_is_waited_for(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P, ASSIGN(EDGE, AUTHORIZATION_ROLE_RIGHTHOLDER) GIVE(APP, "1"));
    read_log();
    must(delegation_desk_resolve(desk, items, item_count, &own.err));
    assert_int_equal(items[item_count - 1].verdict, CAPTURE_WAITING);
    assert_true(delegation_desk_order(desk, &items[item_count - 1]) != 0); /* its giver is known */
    run_sql(DOCUMENT("1", "read"));
    must(delegation_desk_resolve(desk, items, item_count, &own.err));
    make_lines();
    assert_int_equal(line_count, 1);
    assert_string_equal(lines[0], "GRANT SINGLE app_ttd_form f0>70 read HUMAN");
}

static void a_document_that_never_comes_gives_nothing(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P,
        DOCUMENT("1", "read") ASSIGN(EDGE, AUTHORIZATION_ROLE_RIGHTHOLDER) GIVE(APP, "1"));
    act(END_USER, P, POINT("lost"));
    read_log();
    must(delegation_desk_resolve(desk, items, item_count, &own.err));
    assert_int_equal(items[item_count - 1].verdict, CAPTURE_WAITING);
    delegation_desk_expire(desk, &items[item_count - 1]);
    make_lines();
    assert_int_equal(line_count, 2);
    assert_string_equal(lines[1], "REVOKE SINGLE app_ttd_form f0>70 read MACHINE");
}

/* More rows of one statement than the reader keeps: told by where the row points now. */
static void a_row_whose_change_was_not_kept_is_told_by_where_it_points_now(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    act(END_USER, P,
        DOCUMENT("1", "read") DOCUMENT("2", "write") ASSIGN(EDGE, AUTHORIZATION_ROLE_RIGHTHOLDER)
            GIVE(APP, "1"));
    act(END_USER, P, POINT("2"));
    read_log();
    rows[item_count - 1].now_unknown = true;
    memset(&rows[item_count - 1].now, 0, sizeof rows[0].now);
    must(delegation_desk_resolve(desk, items, item_count, &own.err));
    make_lines();
    assert_int_equal(line_count, 3);
    assert_string_equal(lines[1], "GRANT SINGLE app_ttd_form f0>70 write HUMAN");
    assert_string_equal(lines[2], "REVOKE SINGLE app_ttd_form f0>70 read HUMAN");
}

/* A slot whose table lacks a column, or a publication without a table, is seen before it starts. */
static void the_publication_that_is_shipped_is_the_one_that_is_checked(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct sync_params params;
    const struct sync_statement *statement = capture_delegation.publication_statement;
    static const char *const spoils[][2] = {
        {"DROP TABLE dbo.delegation", "ADD TABLE dbo.delegation (id, fromid, toid, facilitatorid,"
                                      " audit_changedby, audit_changedbysystem,"
                                      " audit_changeoperation, audit_validfrom)"},
        {"SET (publish = 'insert')", "SET (publish = 'insert, update')"},
        {"SET (publish = 'update')", "SET (publish = 'insert, update')"},
    };
    sync_params_init(&params, NULL);
    sync_params_text(&params, "altinn_sync_delegation");
    for (size_t i = 0; i <= 2 * sizeof spoils / sizeof spoils[0]; i++) {
        SYNC_RESULT result = {0};
        must(sync_db_exec(own.db, statement, &params, &result, &own.err));
        assert_int_equal(sync_result_bool(&result, 0, 0), i % 2 == 0);
        if (i < 2 * sizeof spoils / sizeof spoils[0]) {
            run_sql("ALTER PUBLICATION altinn_sync_delegation %s", spoils[i / 2][i % 2]);
        }
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_stream, close_stream)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_single_right_is_given_changed_and_taken),
        CASE(every_kind_of_delegation_is_published),
        CASE(a_client_right_names_client_firm_and_agent),
        CASE(what_goes_with_its_parent_is_revoked_one_by_one),
        CASE(what_is_no_delegation_is_not_published),
        CASE(who_acted_is_told_by_system_and_performer),
        CASE(our_own_writes_carry_their_origin),
        CASE(an_update_that_leaves_our_stamp_is_not_ours),
        CASE(changes_of_one_row_in_one_transaction_are_told_one_by_one),
        CASE(an_update_of_nothing_says_nothing),
        CASE(many_rows_of_one_statement_are_all_told),
        CASE(a_document_that_comes_late_is_waited_for),
        CASE(a_document_that_never_comes_gives_nothing),
        CASE(a_row_whose_change_was_not_kept_is_told_by_where_it_points_now),
        CASE(the_publication_that_is_shipped_is_the_one_that_is_checked),
    };
    return cmocka_run_group_tests(tests, open_database, close_database);
}
