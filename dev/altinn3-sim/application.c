/* SQL of the simulated application. One statement is one transaction. */
#include "application.h"

#include "../population.h"

#include <altinn_sync/correspondence_status.h>
#include <runtime/id.h>

#define ARENA_BYTES 8192

static const char journal_sql[] =
    "CREATE SCHEMA IF NOT EXISTS altinn3sim;"
    "CREATE TABLE IF NOT EXISTS altinn3sim.act ("
    " act_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " altinn2_id int NOT NULL, altinn3_id uuid NOT NULL, kind int NOT NULL,"
    " occurred_at timestamptz NOT NULL, party_uuid uuid NOT NULL, doubled boolean NOT NULL,"
    " written_at timestamptz NOT NULL DEFAULT clock_timestamp());"
    "CREATE TABLE IF NOT EXISTS altinn3sim.inserted ("
    " altinn2_id int PRIMARY KEY, written_at timestamptz NOT NULL DEFAULT clock_timestamp());";

/* $1 message, $2 kind, $3 time, $4 party, $5 Altinn 2 id, $6 doubled, $7 id of the row, $8 its text
 */
#define TARGET                                                                                     \
    "WITH target AS (SELECT c.\"Id\" FROM correspondence.\"Correspondences\" c"                    \
    " WHERE c.\"Id\" = $1 AND NOT c.\"IsMigrating\" AND NOT EXISTS (SELECT"                        \
    " FROM correspondence.\"CorrespondenceStatuses\" s WHERE s.\"CorrespondenceId\" = c.\"Id\""    \
    " AND s.\"Status\" IN (7, 8))), "
#define STATUS_ROW(source)                                                                         \
    "row AS (INSERT INTO correspondence.\"CorrespondenceStatuses\" (\"Id\", \"CorrespondenceId\"," \
    " \"Status\", \"StatusText\", \"StatusChanged\", \"PartyUuid\", \"SyncedFromAltinn2\")"        \
    " SELECT $7, $1, $2, $8, $3, $4, NULL FROM " source                                            \
    " ON CONFLICT (\"CorrespondenceId\", \"Status\", \"StatusChanged\", \"PartyUuid\") DO NOTHING" \
    " RETURNING 1)"
#define EVENT_ROW(name, type, source)                                                              \
    name " AS (INSERT INTO correspondence.\"CorrespondenceDeleteEvents\" (\"Id\","                 \
         " \"CorrespondenceId\", \"EventType\", \"EventOccurred\", \"PartyUuid\","                 \
         " \"SyncedFromAltinn2\") SELECT gen_random_uuid(), $1, " type                             \
         ", $3, $4, NULL FROM " source                                                             \
         " ON CONFLICT (\"CorrespondenceId\", \"EventType\", \"EventOccurred\", \"PartyUuid\")"    \
         " DO NOTHING RETURNING 1)"
#define JOURNAL(source)                                                                            \
    " INSERT INTO altinn3sim.act (altinn2_id, altinn3_id, kind, occurred_at, party_uuid, doubled)" \
    " SELECT $5, $1, $2, $3, $4, $6 FROM " source

static const struct sync_statement status_statement = {"altinn3sim_status",
                                                       TARGET STATUS_ROW("target") JOURNAL("row")};

/* In the trash: the last soft delete is younger than the last restore. $7, $8 are not used: cast
 * away. */
#define IN_TRASH                                                                                   \
    "trash AS (SELECT t.\"Id\", coalesce(max(e.\"EventOccurred\") FILTER (WHERE e.\"EventType\" "  \
    "= 3)"                                                                                         \
    " > coalesce(max(e.\"EventOccurred\") FILTER (WHERE e.\"EventType\" = 4), '-infinity'), "      \
    "false)"                                                                                       \
    " AS inside FROM target t LEFT JOIN correspondence.\"CorrespondenceDeleteEvents\" e"           \
    " ON e.\"CorrespondenceId\" = t.\"Id\" GROUP BY t.\"Id\"), "
static const struct sync_statement soft_delete_statement = {
    "altinn3sim_soft_delete",
    TARGET IN_TRASH EVENT_ROW("row", "3",
                              "trash WHERE (NOT inside OR $6) AND $7::uuid IS NOT NULL"
                              " AND $8::text IS NOT NULL") JOURNAL("row")};
static const struct sync_statement restore_statement = {
    "altinn3sim_restore",
    TARGET IN_TRASH EVENT_ROW("row", "4",
                              "trash WHERE (inside OR $6) AND $7::uuid IS NOT NULL"
                              " AND $8::text IS NOT NULL") JOURNAL("row")};

/*
 * $9 the purge key. The key comes first; whoever loses it writes nothing. The rows read from it, so
 * that the server inserts it before them. A purge reaches hidden messages, too: the legacy
 * interface allows it.
 */
static const struct sync_statement purge_statement = {
    "altinn3sim_purge",
    "WITH key AS (INSERT INTO correspondence.\"IdempotencyKeys\" (\"Id\", \"CorrespondenceId\","
    " \"IdempotencyType\") SELECT $9, c.\"Id\", 5 FROM correspondence.\"Correspondences\" c"
    " WHERE c.\"Id\" = $1 ON CONFLICT (\"Id\") DO NOTHING RETURNING 1), " STATUS_ROW(
        "key") ", " EVENT_ROW("event", "CASE WHEN $2 = 7 THEN 2 ELSE 1 END", "key") JOURNAL("row")};

static const struct sync_statement insert_statement = {
    "altinn3sim_insert",
    "WITH message AS (INSERT INTO correspondence.\"Correspondences\" (\"Id\","
    " \"Altinn2CorrespondenceId\", \"ResourceId\", \"Recipient\", \"RecipientType\", \"Sender\","
    " \"ServiceOwnerId\", \"SendersReference\", \"PartyId\", \"Created\", \"RequestedPublishTime\","
    " \"Published\", \"IsMigrating\", \"PropertyList\")"
    " SELECT $1, $2, 'sim-resource', 'urn:altinn:party:uuid:' || $3::text, 'urn:altinn:party:uuid',"
    " '0192:991825827', '991825827', 'sim-' || $2::text, $4, $5, $5, $5, false, ''"
    " WHERE NOT EXISTS (SELECT FROM correspondence.\"Correspondences\""
    "  WHERE \"Altinn2CorrespondenceId\" = $2)"
    " ON CONFLICT (\"Id\") DO NOTHING RETURNING \"Id\"),"
    " content AS (INSERT INTO correspondence.\"CorrespondenceContents\" (\"Id\","
    " \"CorrespondenceId\", \"Language\", \"MessageTitle\", \"MessageSummary\", \"MessageBody\")"
    " SELECT gen_random_uuid(), \"Id\", 'nb', 'Simulert melding', 'Sammendrag', 'Innhold' FROM"
    " message),"
    " history AS (INSERT INTO correspondence.\"CorrespondenceStatuses\" (\"Id\","
    " \"CorrespondenceId\", \"Status\", \"StatusText\", \"StatusChanged\", \"PartyUuid\","
    " \"SyncedFromAltinn2\") SELECT gen_random_uuid(), m.\"Id\", h.status, h.text,"
    " $5 + h.status * interval '1 second', $3, NULL FROM message m, (VALUES (0, 'Initialized'),"
    " (1, 'ReadyForPublish'), (2, 'Published')) h (status, text))"
    " INSERT INTO altinn3sim.inserted (altinn2_id) SELECT $2 FROM message"
    " ON CONFLICT (altinn2_id) DO NOTHING"};

sync_status application_prepare(struct sync_db *db, struct sync_error *err)
{
    return sync_db_script(db, journal_sql, err);
}

static const struct sync_statement *statement_of(int32_t kind)
{
    if (status_kind_is_purge(kind)) {
        return &purge_statement;
    }
    if (kind == STATUS_SOFT_DELETED) {
        return &soft_delete_statement;
    }
    return kind == STATUS_RESTORED ? &restore_statement : &status_statement;
}

/* The application gives every row a random id; ours comes from the act, so that a run can be
 * repeated. */
static struct sync_uuid row_id(const struct application_act *act)
{
    char name[96];
    int size = snprintf(name, sizeof name, "row/%d/%d/%lld/%d", (int)act->altinn2_id,
                        (int)act->kind, (long long)act->occurred_at_us, act->doubled);
    return sync_id_v5(&act->party, (struct sync_bytes){(const uint8_t *)name, (size_t)size});
}

sync_status application_act(struct sync_db *db, const struct application_act *act, bool *ret_done,
                            struct sync_error *err)
{
    uint8_t memory[ARENA_BYTES];
    struct sync_arena arena;
    struct sync_params params;
    const struct status_kind_info *kind = status_kind_find(act->kind);
    struct sync_uuid id = row_id(act);
    struct sync_uuid key = sync_id_v5(&act->altinn3_id, sync_bytes_text("PurgeCorrespondence"));
    SYNC_ASSERT(kind);
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_uuid(&params, &act->altinn3_id);
    sync_params_int4(&params, act->kind);
    sync_params_time(&params, act->occurred_at_us);
    sync_params_uuid(&params, &act->party);
    sync_params_int4(&params, act->altinn2_id);
    sync_params_bool(&params, act->doubled);
    sync_params_uuid(&params, &id);
    sync_params_text(&params, kind->name);
    if (status_kind_is_purge(act->kind)) {
        sync_params_uuid(&params, &key);
    }
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, statement_of(act->kind), &params, &result, err);
    *ret_done = sync_is_ok(status) && result.affected == 1;
    return status;
}

sync_status application_insert_message(struct sync_db *db, int32_t altinn2_id, int64_t now_us,
                                       bool *ret_done, struct sync_error *err)
{
    uint8_t memory[ARENA_BYTES];
    struct sync_arena arena;
    struct sync_params params;
    struct sync_uuid id = population_message(altinn2_id);
    struct sync_uuid party = population_party(population_recipient(altinn2_id));
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_uuid(&params, &id);
    sync_params_int4(&params, altinn2_id);
    sync_params_uuid(&params, &party);
    sync_params_int4(&params, population_recipient(altinn2_id));
    sync_params_time(&params, now_us - 3600 * 1000000LL); /* created an hour ago in Altinn 2 */
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &insert_statement, &params, &result, err);
    *ret_done = sync_is_ok(status) && result.affected == 1;
    return status;
}
