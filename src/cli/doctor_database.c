/* Database, schema, rights, origins, slot, server settings and clock as "doctor" sees them. */
#include "doctor.h"

#include "../../connectors/altinn3/capture_source.h"
#include "../core/limits.h"
#include "../runtime/clock.h"
#include "../runtime/migrate.h"
#include "../runtime/store.h"
#include <altinn_sync/correspondence_status.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MISSING_MAX 64
#define SKEW_MAX_US 2000000 /* an echo is recognised within 2 s */
#define GRANTS      "examples/sql/grants.sql, or authorization-grants.sql in that home"
#define GRANTS_FIX  "run " GRANTS ", after \"altinn-sync db migrate\""

static const struct sync_statement doctor_server = {
    "doctor_server",
    "SELECT current_setting('server_version'), current_setting('wal_level'),"
    " current_setting('max_replication_slots')::int4,"
    " ((SELECT count(*) FROM pg_replication_slots)"
    "  + (SELECT count(*) FROM pg_replication_origin))::int4,"
    " extract(epoch FROM current_setting('deadlock_timeout')::interval * 1000)::int4,"
    " current_setting('max_wal_senders')::int4, current_user::text"};
static const struct sync_statement doctor_clock = {"doctor_clock", "SELECT clock_timestamp()"};
static const struct sync_statement doctor_origins = {
    "doctor_origins",
    "SELECT f.name FROM (VALUES ('pg_replication_origin_session_setup(text)'),"
    " ('pg_replication_origin_session_reset()'),"
    " ('pg_replication_origin_xact_setup(pg_lsn, timestamptz)')) AS f (name)"
    " WHERE NOT has_function_privilege(('pg_catalog.' || f.name)::regprocedure, 'EXECUTE')"};
static const struct sync_statement doctor_cluster = {
    "doctor_cluster", "SELECT topic FROM sync.topic WHERE cluster_id <> $1 ORDER BY topic LIMIT 1"};

/* One statement that fails is one finding; the others are still asked. */
static bool ask(struct doctor *doctor, struct sync_db *db, const struct sync_statement *statement,
                struct sync_result *ret_result)
{
    struct sync_error err = {0};
    if (sync_is_ok(sync_db_exec(db, statement, NULL, ret_result, &err))) {
        return true;
    }
    doctor_finding(doctor, statement->name, GRANTS_FIX, "%s", err.text);
    return false;
}

static void check_slots_and_origins(struct doctor *doctor, int32_t limit, int32_t used)
{
    if (used > limit) {
        doctor_finding(doctor, "max_replication_slots",
                       "raise it in postgresql.conf and restart PostgreSQL",
                       "%d slots and origins, max_replication_slots is %d", used, limit);
        return;
    }
    doctor_good(doctor, "max_replication_slots", "%d slots and origins of at most %d", used, limit);
}

static void check_server(struct doctor *doctor, struct sync_db *db)
{
    SYNC_RESULT r = {0};
    if (!ask(doctor, db, &doctor_server, &r)) {
        return;
    }
    struct sync_bytes version = sync_result_bytes(&r, 0, 0);
    struct sync_bytes level = sync_result_bytes(&r, 0, 1);
    struct sync_bytes role = sync_result_bytes(&r, 0, 6);
    doctor_good(doctor, "connection", "PostgreSQL %.*s as role %.*s", (int)version.size,
                (const char *)version.data, (int)role.size, (const char *)role.data);
    if (sync_bytes_equal(level, sync_bytes_text("logical"))) {
        doctor_good(doctor, "wal_level", "logical");
    } else {
        doctor_finding(doctor, "wal_level",
                       "set wal_level = logical in postgresql.conf and restart PostgreSQL",
                       "%.*s, so no change of Altinn 3 can be captured", (int)level.size,
                       (const char *)level.data);
    }
    check_slots_and_origins(doctor, sync_result_int4(&r, 0, 2), sync_result_int4(&r, 0, 3));
    int32_t deadlock_ms = sync_result_int4(&r, 0, 4);
    if (deadlock_ms < SYNC_DB_WAIT_ALTINN3_MS) {
        doctor_finding(doctor, "deadlock_timeout",
                       "set deadlock_timeout = 1s or more, so that we give way before it",
                       "%d ms, and we may hold a lock of Altinn 3 for %d ms", deadlock_ms,
                       SYNC_DB_WAIT_ALTINN3_MS);
    } else {
        doctor_good(doctor, "deadlock_timeout", "%d ms", deadlock_ms);
    }
    if (sync_result_int4(&r, 0, 5) < 1) {
        doctor_finding(doctor, "max_wal_senders",
                       "raise it in postgresql.conf and restart PostgreSQL", "0");
    }
}

/* The round trip bounds what may be said: half of it is not skew. */
static void check_clock(struct doctor *doctor, struct sync_db *db)
{
    SYNC_RESULT r = {0};
    int64_t before_us = sync_clock_wall_us();
    if (!ask(doctor, db, &doctor_clock, &r)) {
        return;
    }
    int64_t after_us = sync_clock_wall_us();
    int64_t skew_us = sync_result_time(&r, 0, 0) - (before_us + (after_us - before_us) / 2);
    int64_t sure_us = llabs(skew_us) - (after_us - before_us) / 2;
    if (sure_us > SKEW_MAX_US) {
        doctor_finding(doctor, "clock", "synchronise both clocks (chrony, NTP)",
                       "the server's clock is %.1f s %s of ours", (double)llabs(skew_us) / 1e6,
                       skew_us > 0 ? "ahead" : "behind");
        return;
    }
    doctor_good(doctor, "clock", "%.3f s apart", (double)llabs(skew_us) / 1e6);
}

/* False when the tables are not there, so that nothing can be asked of them. */
static bool check_schema(struct doctor *doctor, struct sync_db *db, const char *home)
{
    struct sync_error err = {0};
    if (sync_is_ok(sync_db_schema_check(db, home, &err))) {
        doctor_good(doctor, "schema", "every migration of this version is applied");
        return true;
    }
    doctor_finding(doctor, "schema", "run \"altinn-sync db migrate\", then " GRANTS, "%s",
                   err.text);
    return false;
}

static void check_rights(struct doctor *doctor, struct sync_db *db, const char *check,
                         const struct sync_right *rights)
{
    static char missing[MISSING_MAX][SYNC_RIGHT_TEXT];
    size_t count = 0;
    struct sync_error err = {0};
    if (!sync_is_ok(sync_rights_missing(db, rights, missing, MISSING_MAX, &count, &err))) {
        doctor_finding(doctor, check, GRANTS_FIX, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        doctor_finding(doctor, check, GRANTS_FIX, "the role lacks %s", missing[i]);
    }
    if (count == 0) {
        doctor_good(doctor, check, "the role may do what a consumer does");
    }
}

static void check_all_rights(struct doctor *doctor, struct sync_db *db, const char *home)
{
    check_rights(doctor, db, "rights", sync_rights_common);
    for (size_t i = 0; sync_processors[i] != NULL; i++) {
        const struct sync_store *store = sync_store_find(sync_processors[i]->store);
        bool here = strcmp(sync_processors[i]->home, home) == 0;
        if (here && store != NULL && store->rights != NULL) {
            check_rights(doctor, db, sync_processors[i]->name, store->rights);
        }
    }
}

static void check_origins(struct doctor *doctor, struct sync_db *db, const char *home)
{
    int missing = 0, pool = (int)doctor->cli->config.origin_pool;
    struct sync_error err = {0};
    SYNC_RESULT r = {0};
    sync_status status = sync_db_migrate_origins(db, home, pool, true, &missing, &err);
    if (!sync_is_ok(status) || missing > 0) {
        doctor_finding(doctor, "origins", "run \"altinn-sync db migrate\"",
                       "%d of the origins of a pool of %d are missing %s", missing, pool, err.text);
    } else {
        doctor_good(doctor, "origins", "every route has its pool of %d", pool);
    }
    if (!ask(doctor, db, &doctor_origins, &r)) {
        return;
    }
    for (int i = 0; i < r.rows; i++) {
        struct sync_bytes name = sync_result_bytes(&r, i, 0);
        doctor_finding(doctor, "origins",
                       "grant EXECUTE on it to the role (examples/sql/roles.sql)",
                       "the role may not call %.*s", (int)name.size, (const char *)name.data);
    }
}

static void check_slot(struct doctor *doctor, const struct capture_entity *entity,
                       struct sync_db *db)
{
    struct capture_source source = {0};
    struct capture_slot slot = {0};
    struct sync_error err = {0};
    char check[64], init[96], publish[160];
    (void)snprintf(check, sizeof check, "slot of %s", entity->name);
    (void)snprintf(init, sizeof init, "run \"altinn-sync capture init %s\"", entity->name);
    (void)snprintf(publish, sizeof publish, "let the owner of the tables run %s",
                   entity->tables->publication_file);
    sync_status status = capture_source_read(db, entity->name, &source, &err);
    if (sync_is_ok(status) && source.found) {
        status = capture_slot_read(db, entity, &source, &slot, &err);
    }
    if (!sync_is_ok(status)) {
        doctor_finding(doctor, check, GRANTS_FIX, "%s", err.text);
        return;
    }
    if (!source.found) {
        doctor_finding(doctor, check, init, "capture init was never run");
    } else if (!slot.found) {
        doctor_finding(doctor, check, init, "slot %s is gone", source.slot);
    } else if (strcmp(slot.wal_status, "lost") == 0) {
        doctor_finding(doctor, check, init, "slot %s lost its log", source.slot);
    } else if (slot.open_gaps > 0) {
        doctor_finding(doctor, check, "see \"altinn-sync capture status\"", "%" PRId64 " open gaps",
                       slot.open_gaps);
    } else if (!slot.publication_found) {
        doctor_finding(doctor, check, publish, "publication %s lacks a table", source.publication);
    } else {
        doctor_good(doctor, check, "%s, %s, %.1f MiB of log kept", source.slot,
                    slot.active ? "read" : "nobody reads it",
                    (double)slot.retained_bytes / 1048576);
    }
}

static void check_cluster(struct doctor *doctor, struct sync_db *db)
{
    struct sync_arena none;
    struct sync_params params;
    struct sync_error err = {0};
    SYNC_RESULT r = {0};
    if (doctor->cluster_id[0] == '\0') {
        return; /* the broker did not answer: that is its own finding */
    }
    sync_arena_init(&none, NULL, 0);
    sync_params_init(&params, &none);
    sync_params_text(&params, doctor->cluster_id);
    if (!sync_is_ok(sync_db_exec(db, &doctor_cluster, &params, &r, &err))) {
        doctor_finding(doctor, "cluster", GRANTS_FIX, "%s", err.text);
        return;
    }
    if (r.rows == 0) {
        doctor_good(doctor, "cluster", "positions belong to this Kafka cluster");
        return;
    }
    struct sync_bytes topic = sync_result_bytes(&r, 0, 0);
    doctor_finding(doctor, "cluster",
                   "correct kafka.bootstrap_servers or the DSN: the two do not belong together",
                   "the position of %.*s was taken on another Kafka cluster", (int)topic.size,
                   (const char *)topic.data);
}

void doctor_database(struct doctor *doctor, const struct sync_home *home)
{
    struct sync_db *db = NULL;
    struct sync_error err = {0};
    sync_status status = homes_open(home, "altinn-sync-doctor", &db, &err);
    if (sync_is_ok(status)) {
        status = sync_db_connect(db, &err);
    }
    if (!sync_is_ok(status)) {
        char fix[96];
        (void)snprintf(fix, sizeof fix, "check %s, the server and the network", home->setting);
        doctor_finding(doctor, "connection", fix, "%s", err.text);
        sync_db_free(&db);
        return;
    }
    check_server(doctor, db);
    check_clock(doctor, db);
    check_origins(doctor, db, home->name);
    if (check_schema(doctor, db, home->name)) {
        check_all_rights(doctor, db, home->name);
        for (size_t i = 0; capture_entities[i] != NULL; i++) {
            if (strcmp(capture_entities[i]->processor->home, home->name) == 0) {
                check_slot(doctor, capture_entities[i], db);
            }
        }
        check_cluster(doctor, db);
    }
    sync_db_free(&db);
}
