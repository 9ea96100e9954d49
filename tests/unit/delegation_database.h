/*
 * A database of delegations for one test program: Altinn 3's tables with the parties, resources,
 * packages and roles of the small world (tests/support/delegation_world.h), and changes applied
 * through the runtime's own batch. Needs SYNC_TEST_DSN. Not here: what is expected.
 */
#ifndef SYNC_TESTS_DELEGATION_DATABASE_H
#define SYNC_TESTS_DELEGATION_DATABASE_H
#include "../../connectors/altinn3/authorization_ids.h"
#include "../../connectors/altinn3/delegation_store.h"
#include "../../connectors/delegation_record.h"
#include "../../src/core/limits.h"
#include "../../src/runtime/apply.h"
#include "../../src/runtime/claim.h"
#include "../../src/runtime/config.h"
#include "../support/delegation_world.h"

#include "own_database.h"

#define SYS_PARTITION    0
#define A2_TOPIC         "altinn2.delegation.v1"
#define A3_TOPIC         "altinn3.delegation.v1"
#define A2_BACKLOG_TOPIC "altinn2.delegation-backlog.v1"
#define A3_BACKLOG_TOPIC "altinn3.delegation-backlog.v1"
#define SYS_TOPIC        "sync.delegation-sys.v1"
#define MESSAGES_TARGET  "messages"
#define SERVICE_TARGET   "skd-migratedcorrespondence-5190-2"

extern const struct sync_store sync_store_delegation;

static const struct sync_processor *const deleg_processor = &sync_processor_delegation;

static struct {
    struct sync_schema_set *schemas;
    struct sync_decoder *decoder;
    struct sync_topics *topics;
    struct sync_config config;
    struct delegation_tables tables;
    struct deleg_context context;
    uint8_t *batch_memory, *record_memory;
    struct sync_arena arena, records_arena;
    int64_t offset;
    struct sync_record records[SYNC_BATCH_RECORDS_MAX];
    struct sync_batch batch; /* the last one; its memory lives until the next */
    int64_t base_us;         /* second 0 of the small world: today, so that the ledger keeps it */
} base;

static const struct sync_uuid world_us = {{0x6d, 0x3f, 0x8a, 0x52}}; /* our identity */

static inline const char *id_text(const struct sync_uuid *id)
{
    static char texts[16][SYNC_UUID_BUFFER];
    static int next;
    char *text = texts[next++ % 16];
    sync_uuid_format(id, text);
    return text;
}

/* Altinn 3's own data -------------------------------------------------------------------------- */

#define STAMP  ", audit_validfrom"
#define STAMPS ", now() - interval '1 year'"

static inline void insert_entity(const struct sync_uuid *id, const char *type, int party_id,
                                 int user_id)
{
    run_sql("INSERT INTO dbo.entity (id, typeid, variantid, name, refid, partyid, userid" STAMP
            ") VALUES ('%s', '%s', '00000000-0000-7000-8000-0000000000a1', 'x', '%s',"
            " nullif(%d, 0), nullif(%d, 0)" STAMPS ")",
            id_text(id), type, id_text(id), party_id, user_id);
}

static inline void insert_role(const char *id, const char *code)
{
    run_sql("INSERT INTO dbo.role (id, providerid, code, name, urn, description" STAMP
            ") VALUES ('%s', '" AUTHORIZATION_PROVIDER_ALTINN2 "', '%s', '%s',"
            " 'urn:altinn:rolecode:%s', ''" STAMPS ")",
            id, code, code, code);
}

static inline void insert_package(const char *id, const char *urn)
{
    run_sql("INSERT INTO dbo.package (id, providerid, entitytypeid, areaid, urn, code, name,"
            " hasresources" STAMP ") VALUES ('%s', '" AUTHORIZATION_PROVIDER_ALTINN3
            "', '" AUTHORIZATION_TYPE_ORGANISATION
            "', '00000000-0000-7000-8000-0000000000b2', '%s', '%s', '%s', false" STAMPS ")",
            id, urn, urn, urn);
}

static inline void insert_a3_resource(const char *refid, const char *type)
{
    run_sql("INSERT INTO dbo.resource (id, typeid, providerid, refid, name, description" STAMP
            ") SELECT md5('%s')::uuid, t.id, '" AUTHORIZATION_PROVIDER_ALTINN3
            "', '%s', '%s', ''" STAMPS " FROM dbo.resourcetype t WHERE t.name = '%s'",
            refid, refid, refid, type);
}

static inline void insert_resource(const char *id, const char *type, const char *service)
{
    insert_a3_resource(id, type);
    run_sql(
        "INSERT INTO sync.resource_state (resource, type, service_code, edition, actions, phase)"
        " VALUES ('%s', '%s', %s, '{read,write,sign,subscribe}', 2)",
        id, type, service);
}

static inline void insert_reference_data(void)
{
    run_sql("SET app.changed_by = '%s'; SET app.changed_by_system = '%s';"
            " SET app.change_operation_id = 'test'",
            id_text(&world_us), id_text(&world_us));
    run_sql("INSERT INTO dbo.providertype (id, name" STAMP
            ") VALUES ('00000000-0000-7000-8000-0000000000c1', 'system'" STAMPS ");"
            "INSERT INTO dbo.provider (id, typeid, name" STAMP
            ") VALUES ('" AUTHORIZATION_PROVIDER_ALTINN2
            "', '00000000-0000-7000-8000-0000000000c1', 'Altinn 2'" STAMPS
            "), ('" AUTHORIZATION_PROVIDER_ALTINN3
            "', '00000000-0000-7000-8000-0000000000c1', 'Altinn 3'" STAMPS ");");
    run_sql("INSERT INTO dbo.entitytype (id, providerid, name" STAMP
            ") VALUES ('" AUTHORIZATION_TYPE_PERSON "', '" AUTHORIZATION_PROVIDER_ALTINN3
            "', 'Person'" STAMPS "), ('" AUTHORIZATION_TYPE_ORGANISATION
            "', '" AUTHORIZATION_PROVIDER_ALTINN3 "', 'Organisasjon'" STAMPS ");"
            "INSERT INTO dbo.entityvariant (id, typeid, name, description" STAMP
            ") VALUES ('00000000-0000-7000-8000-0000000000a1', '" AUTHORIZATION_TYPE_ORGANISATION
            "', 'AS', ''" STAMPS ")");
    run_sql("INSERT INTO dbo.areagroup (id, entitytypeid, name, description" STAMP
            ") VALUES ('00000000-0000-7000-8000-0000000000b1', '" AUTHORIZATION_TYPE_ORGANISATION
            "', 'g', ''" STAMPS ");"
            "INSERT INTO dbo.area (id, groupid, name, description, urn" STAMP
            ") VALUES ('00000000-0000-7000-8000-0000000000b2',"
            " '00000000-0000-7000-8000-0000000000b1', 'a', '', 'urn:a'" STAMPS ");"
            "INSERT INTO dbo.resourcetype (id, name" STAMP ") SELECT md5(t)::uuid, t" STAMPS
            " FROM unnest(ARRAY['CorrespondenceService', 'AltinnApp', 'MaskinportenSchema']) AS t");
}

static inline void insert_world(void)
{
    insert_reference_data();
    insert_entity(&world_us, AUTHORIZATION_TYPE_ORGANISATION, 0, 0);
    insert_entity(&world_f, AUTHORIZATION_TYPE_ORGANISATION, 500, 0);
    insert_entity(&world_k, AUTHORIZATION_TYPE_PERSON, 700, 701);
    insert_entity(&world_g, AUTHORIZATION_TYPE_ORGANISATION, 600, 0);
    insert_role(AUTHORIZATION_ROLE_RIGHTHOLDER, "rettighetshaver");
    insert_role(AUTHORIZATION_ROLE_APP_CONTROLLED_RIGHTHOLDER, "appstyrt-rettighetshaver");
    insert_role(AUTHORIZATION_ROLE_SUPPLIER, "supplier");
    insert_role(AUTHORIZATION_ROLE_AGENT, "agent");
    insert_role("00000000-0000-7000-8000-0000000000d1", "regnskapsforer");
    for (size_t i = 0; i < world_tables.role_count; i++) {
        insert_role(id_text(&world_roles[i].id), world_roles[i].role);
    }
    for (size_t i = 0; i < world_tables.package_count - 1; i++) { /* the last one stands twice */
        char id[SYNC_UUID_BUFFER];
        (void)snprintf(id, sizeof id, "00000000-0000-7000-8000-00000000e0%02d", (int)i);
        insert_package(id, world_packages[i].package);
    }
    insert_resource(SERVICE_TARGET, "CorrespondenceService", "'5190', 2");
    insert_resource("app_skd_mva", "AltinnApp", "NULL, NULL");
    insert_resource(MESSAGES_TARGET, "CorrespondenceService", "NULL, NULL");
}

/* The company register says that the client has the firm, and the role brings the package. */
static inline void insert_relation(const struct sync_uuid *client, const struct sync_uuid *firm)
{
    run_sql("INSERT INTO dbo.rolepackage (id, roleid, packageid, canassign" STAMP
            ") SELECT gen_random_uuid(), '00000000-0000-7000-8000-0000000000d1', p.id, true" STAMPS
            " FROM dbo.package p WHERE p.urn = 'urn:altinn:accesspackage:med'"
            " ON CONFLICT DO NOTHING;"
            "INSERT INTO dbo.assignment (id, fromid, toid, roleid" STAMP
            ") VALUES (gen_random_uuid(), '%s', '%s', '00000000-0000-7000-8000-0000000000d1'" STAMPS
            ")",
            id_text(client), id_text(firm));
}

/* What tests leave behind: everything of ours, and edges. */
static inline void clear_world(void)
{
    run_sql("DO $$ DECLARE t text; BEGIN SET LOCAL session_replication_role = replica;"
            " FOREACH t IN ARRAY ARRAY['sync.deleg_key', 'sync.deleg_ref', 'sync.deleg_mark',"
            " 'sync.sys_scope', 'sync.alias', 'sync.policy_document', 'sync.snapshot',"
            " 'sync.grant_after_freeze', 'sync.stream_pos', 'sync.pending', 'sync.history', "
            "'sync.seen', 'sync.hold',"
            " 'sync.parked', 'sync.outbox', 'sync.outcome_count', 'sync.source', 'dbo.assignment',"
            " 'dbo.assignmentresource', 'dbo.assignmentinstance', 'dbo.assignmentpackage',"
            " 'dbo.delegation', 'dbo.delegationpackage', 'dbo_history.auditassignment',"
            " 'dbo_history.auditassignmentresource', 'dbo_history.auditassignmentinstance',"
            " 'dbo_history.auditassignmentpackage', 'dbo_history.auditdelegation',"
            " 'dbo_history.auditdelegationpackage'] LOOP"
            " EXECUTE 'DELETE FROM ' || t; END LOOP; END $$;"
            "UPDATE sync.resource_state SET phase = 2, sweep_state = 0, freeze_time = NULL,"
            " actions = '{read,write,sign,subscribe}'");
}

/* Start and stop ------------------------------------------------------------------------------- */

static inline int deleg_start(const char *name)
{
    const char *paths[] = {SYNC_SOURCE_DIR "/topics.yaml"};
    own_start_home(name, "authorization");
    if (!own.usable) {
        return 0;
    }
    must(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &base.schemas, &own.err));
    must(sync_decoder_new(base.schemas, deleg_processor, &base.decoder, &own.err));
    must(sync_topics_load(paths, 1, &base.topics, NULL, &own.err));
    base.batch_memory = malloc(SYNC_BATCH_ARENA_BYTES);
    base.record_memory = malloc(SYNC_BATCH_ARENA_BYTES);
    assert_true(base.batch_memory != NULL && base.record_memory != NULL);
    sync_arena_init(&base.arena, base.batch_memory, SYNC_BATCH_ARENA_BYTES);
    sync_arena_init(&base.records_arena, base.record_memory, SYNC_BATCH_ARENA_BYTES);
    base.tables = world_tables;
    base.context = (struct deleg_context){.tables = &base.tables, .identity = world_us};
    (void)snprintf(base.config.bridge_base_url, sizeof base.config.bridge_base_url,
                   "http://127.0.0.1:1");
    insert_world();
    base.base_us = ask("SELECT (extract(epoch FROM date_trunc('hour', now())) * 1000000)::int8") -
                   7200 * SECOND;
    return 0;
}

static inline int deleg_stop(void)
{
    sync_decoder_free(&base.decoder);
    sync_schema_set_free(&base.schemas);
    free(base.topics);
    free(base.batch_memory);
    free(base.record_memory);
    own_stop();
    return 0;
}

/* Changes ------------------------------------------------------------------------------------- */

/* Changes come by the backlog routes from here on, or by the live ones. */
static bool by_backlog;

static inline const char *topic_of(const struct delegation_change *change)
{
    if (by_backlog) {
        return change->source == DELEGATION_A3 ? A3_BACKLOG_TOPIC : A2_BACKLOG_TOPIC;
    }
    return change->source == DELEGATION_SYS  ? SYS_TOPIC
           : change->source == DELEGATION_A3 ? A3_TOPIC
                                             : A2_TOPIC;
}

static inline const struct sync_route *route_of(const struct delegation_change *change)
{
    int live = change->source == DELEGATION_A3 ? 1 : 0;
    return &deleg_processor->routes[by_backlog ? live + 2 : live];
}

/* Moves a change of the small world to today. */
static inline struct delegation_change today(struct delegation_change change)
{
    change.capture_time_us += base.base_us;
    change.event_time_us += change.has_event_time ? base.base_us : 0;
    return change;
}

static inline void make_record(const struct delegation_change *change,
                               struct sync_record *ret_record)
{
    const struct sync_schema *schema = sync_schema_set_find(base.schemas, deleg_processor->schema);
    struct delegation_record record;
    must(delegation_record_make(schema, change, &base.records_arena, &record, &own.err));
    *ret_record = (struct sync_record){.offset = base.offset++,
                                       .timestamp_ms = change->capture_time_us / 1000 + 1,
                                       .key = record.key,
                                       .value = record.value};
}

static inline struct sync_applier applier_of(const struct sync_route *route)
{
    return (struct sync_applier){.db = own.db,
                                 .processor = deleg_processor,
                                 .store = &sync_store_delegation,
                                 .store_context = &base.context,
                                 .route = route,
                                 .scope = route->name,
                                 .topics = base.topics,
                                 .config = &base.config,
                                 .decoder = base.decoder,
                                 .keep_parked_bytes = true};
}

/* One transaction, as the consumer makes it but for the gate. */
static inline sync_status run_batch(struct sync_applier *applier, const struct sync_key *extra,
                                    size_t extra_count)
{
    const struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_ALTINN3_MS};
    size_t lane_effects = 0;
    sync_status status = sync_txn_begin(own.db, &limits, &base.batch.now_us, &own.err);
    if (sync_is_ok(status)) {
        status =
            sync_apply_batch(applier, &base.batch, extra, extra_count, &lane_effects, &own.err);
    }
    if (!sync_is_ok(status)) {
        sync_txn_rollback(own.db);
        return status;
    }
    return sync_txn_commit(own.db, &own.err);
}

/* Changes of one topic in one batch. */
static inline sync_status try_batch(const struct delegation_change *changes, size_t count)
{
    const struct sync_route *route = route_of(&changes[0]);
    struct sync_applier applier = applier_of(route);
    sync_arena_reset(&base.arena, 0);
    sync_arena_reset(&base.records_arena, 0);
    for (size_t i = 0; i < count; i++) {
        make_record(&changes[i], &base.records[i]);
    }
    base.batch = (struct sync_batch){.processor = deleg_processor,
                                     .route = route,
                                     .scope = route->name,
                                     .topic = topic_of(&changes[0]),
                                     .partition = SYS_PARTITION,
                                     .arena = &base.arena,
                                     .records = base.records,
                                     .record_count = count};
    sync_apply_intake(&applier, &base.batch);
    return run_batch(&applier, NULL, 0);
}

static inline void apply_batch(const struct delegation_change *changes, size_t count)
{
    must(try_batch(changes, count));
}

/* One change of the small world, moved to today, in a batch of its own. */
static inline const char *apply_one(struct delegation_change change)
{
    change = today(change);
    apply_batch(&change, 1);
    return base.records[0].fold.rule;
}

/* Sweeps until nothing is due. */
static inline void sweep_all(void)
{
    const struct sync_route *route = &deleg_processor->routes[0];
    struct sync_applier applier = applier_of(route);
    const struct sync_place place = {route->name, SYS_TOPIC, SYS_PARTITION};
    const struct sync_key nobody = {.size = 0};
    for (int turn = 0; turn < 1000; turn++) {
        bool due = false;
        sync_arena_reset(&base.arena, 0);
        run_sql("UPDATE sync.sys_scope SET sweep_after = now() WHERE sweep_state > 0;"
                "UPDATE sync.alias SET sweep_after = now() WHERE sweep_state > 0");
        must(sync_store_delegation.due(own.db, &place, &base.arena, &due, &own.err));
        if (!due) {
            return;
        }
        sync_arena_reset(&base.arena, 0);
        base.batch = (struct sync_batch){.processor = deleg_processor,
                                         .route = route,
                                         .scope = route->name,
                                         .topic = SYS_TOPIC,
                                         .partition = SYS_PARTITION,
                                         .arena = &base.arena,
                                         .sweep = true};
        must(run_batch(&applier, &nobody, 1));
    }
    fail_msg("the sweeps never end");
}

/* Adopts what is held for a Kafka key. */
static inline void release(const char *key_text)
{
    const struct sync_route *route = &deleg_processor->routes[0];
    struct sync_applier applier = applier_of(route);
    struct sync_key key = {.size = strlen(key_text)};
    memcpy(key.text, key_text, key.size + 1);
    sync_arena_reset(&base.arena, 0);
    base.batch = (struct sync_batch){.processor = deleg_processor,
                                     .route = route,
                                     .scope = route->name,
                                     .topic = A2_TOPIC,
                                     .arena = &base.arena};
    must(run_batch(&applier, &key, 1));
}

/* Statements of another system in Altinn 3, in a transaction of its own that is stamped with it. */
static inline void as_system(const char *system, const char *sql)
{
    run_sql("BEGIN; SET LOCAL search_path = sync, public; SET LOCAL app.changed_by = '%s';"
            " SET LOCAL app.changed_by_system = '%s'; SET LOCAL app.change_operation_id = 'op';"
            " %s; COMMIT",
            id_text(&world_g), system, sql);
}

/* Answers ------------------------------------------------------------------------------------- */

/* Text that a query gives, "" for null; of the last call. */
static inline const char *ask_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline const char *ask_text(const char *format, ...)
{
    static char answer[8192];
    static const struct sync_statement make = {
        "make_say", "CREATE OR REPLACE FUNCTION public.say(sql text) RETURNS text LANGUAGE plpgsql"
                    " AS 'DECLARE t text; BEGIN EXECUTE sql INTO t; RETURN t; END'"};
    static const struct sync_statement statement = {"say", "SELECT public.say($1)"};
    static bool made;
    char sql[4096];
    uint8_t memory[64];
    struct sync_arena arena;
    struct sync_params params;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    if (!made) {
        must(sync_db_exec(own.other, &make, NULL, NULL, &own.err));
        made = true;
    }
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, sql);
    SYNC_RESULT result = {0};
    must(sync_db_exec(own.other, &statement, &params, &result, &own.err));
    struct sync_bytes text = sync_result_bytes(&result, 0, 0);
    (void)snprintf(answer, sizeof answer, "%.*s", (int)text.size,
                   text.size == 0 ? "" : (const char *)text.data);
    return answer;
}

/* Effective set of the only key of a kind. */
static inline const char *effective_of(int kind)
{
    return ask_text("SELECT array_to_string(effective, ',') FROM sync.deleg_key WHERE kind = %d",
                    kind);
}

#endif
