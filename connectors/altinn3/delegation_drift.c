/*
 * What of delegations a person should look at: sets that a side does not show, by class and rule.
 * Statements only; who counts and prints them is the runtime's and the command line's business. Not
 * here: commands without a route (DL-88), which "lanes list" has.
 */
#include "delegation_store.h"

/* How a key is named to people; its uuid is what "drift release" takes. */
#define NAMED(giver, receiver, target, instance)                                                   \
    giver " || '/' || " receiver " || '/' || " target " || CASE " instance                         \
          " WHEN '' THEN '' ELSE '/' || " instance " END"
#define NAME       NAMED("k.from_id", "k.to_id", "k.target", "k.instance")
#define COUNT_MOST " LIMIT 100000) AS d" /* a gauge needs to know no more */

/* A day is far more than any dependency that comes by itself takes. A resource that is off waits
 * for a decision of its owner, not for us. */
#define PENDING                                                                                    \
    "FROM sync.pending p WHERE p.since < now() - interval '24 hours'"                              \
    " AND p.dependency_kind <> 'phase'"
static const struct sync_statement pending_count = {
    "drift_pending_count", "SELECT count(*) FROM (SELECT " PENDING COUNT_MOST};
static const struct sync_statement pending_list = {
    "drift_pending",
    "SELECT k.key_uuid, p.since, " NAME ", p.dependency_kind || ' ' || p.dependency_id"
    " FROM (SELECT p.* " PENDING " ORDER BY p.since LIMIT $1) AS p"
    " JOIN sync.deleg_key k USING (key_id) ORDER BY p.since, k.key_uuid"};

#define LEFT                                                                                       \
    "FROM sync.deleg_key k WHERE k.left_set IS NOT NULL AND k.left_at < now() - interval '24 "     \
    "hours'"
static const struct sync_statement echo_count = {"drift_echo_count",
                                                 "SELECT count(*) FROM (SELECT " LEFT COUNT_MOST};
static const struct sync_statement echo_list = {
    "drift_echo", "SELECT k.key_uuid, k.left_at, " NAME ", 'version ' || k.left_version || ' set '"
                  " || k.left_set::text " LEFT " ORDER BY k.left_at, k.key_uuid LIMIT $1"};

#define PARKED(side) "FROM sync.deleg_key k WHERE k.restore_parked_" side
static const struct sync_statement parked_a2_count = {
    "drift_restore_a2_count", "SELECT count(*) FROM (SELECT " PARKED("a2") COUNT_MOST};
static const struct sync_statement parked_a3_count = {
    "drift_restore_a3_count", "SELECT count(*) FROM (SELECT " PARKED("a3") COUNT_MOST};
#define PARKED_LIST(side)                                                                          \
    "SELECT k.key_uuid, k.restores_" side "[1], " NAME                                             \
    ", 'effective ' || k.effective::text " PARKED(side) " ORDER BY 2, 1 LIMIT $1"
static const struct sync_statement parked_a2_list = {"drift_restore_a2", PARKED_LIST("a2")};
static const struct sync_statement parked_a3_list = {"drift_restore_a3", PARKED_LIST("a3")};

/*
 * The count of losses begins anew, and the key waits for nothing: the next sweep compares it with
 * both sides. Locked in the order of every other transaction; what a batch holds is waited for.
 */
static const struct sync_statement parked_release = {
    "drift_restore_release",
    "WITH locked AS MATERIALIZED (SELECT k.key_id FROM sync.deleg_key k"
    "  WHERE k.key_uuid = ANY ($1::uuid[]) AND (k.restore_parked_a2 OR k.restore_parked_a3)"
    "  ORDER BY k.key_id FOR UPDATE),"
    " released AS (UPDATE sync.deleg_key k SET restore_parked_a2 = false,"
    "  restore_parked_a3 = false, restores_a2 = '{}', restores_a3 = '{}'"
    "  FROM locked WHERE k.key_id = locked.key_id RETURNING k.key_id, k.key_uuid),"
    " due AS (INSERT INTO sync.pending (key_id, dependency_kind, dependency_id, since)"
    "  SELECT key_id, 'release', '', now() FROM released ON CONFLICT DO NOTHING)"
    " SELECT key_uuid FROM released"};

#define REFUSED "FROM sync.deleg_key k WHERE k.refused <> '{}'"
static const struct sync_statement refused_count = {
    "drift_refused_count", "SELECT count(*) FROM (SELECT " REFUSED COUNT_MOST};
static const struct sync_statement refused_list = {
    "drift_refused", "SELECT k.key_uuid, NULL::timestamptz, " NAME ", 'not offered '"
                     " || k.refused::text " REFUSED " ORDER BY k.key_id LIMIT $1"};

/* The giver is the Kafka key of what waits: a uuid, or the number of a party. Whom or what the
 * revoke means is what nobody knows, so each right that the giver has given may be meant. */
#define WAITING                                                                                    \
    "FROM (SELECT h.since, h.missing_kind, h.missing_id, h.topic, h.partition, h.record_offset,"   \
    "  CASE WHEN h.entity_key LIKE 'p:%' THEN (SELECT e.id FROM dbo.entity e"                      \
    "   WHERE e.partyid = substr(h.entity_key, 3)::int) ELSE h.entity_key::uuid END AS giver"      \
    "  FROM sync.hold h WHERE h.urgent) AS w"                                                      \
    " JOIN sync.deleg_key k ON k.from_id = w.giver AND k.effective <> '{}'"
static const struct sync_statement waiting_count = {
    "drift_waiting_count", "SELECT count(*) FROM (SELECT " WAITING COUNT_MOST};
static const struct sync_statement waiting_list = {
    "drift_waiting",
    "SELECT k.key_uuid, w.since, " NAME ", k.effective::text || ', revoke waits for '"
    " || w.missing_kind || ' ' || w.missing_id || ': ' || w.topic || ' ' || w.partition || ' '"
    " || w.record_offset " WAITING " ORDER BY w.since, w.record_offset, k.key_uuid LIMIT $1"};

#define FROZEN "FROM sync.grant_after_freeze g"
static const struct sync_statement frozen_count = {
    "drift_frozen_count", "SELECT count(*) FROM (SELECT " FROZEN COUNT_MOST};
static const struct sync_statement frozen_list = {
    "drift_frozen",
    "SELECT g.id, g.granted_at, " NAMED(
        "g.giver", "g.receiver", "g.resource",
        "g.instance") ", g.rights::text || ': ' || g.topic || ' ' || g.partition || ' ' || "
                      "g.record_offset " FROZEN " ORDER BY g.granted_at, g.id LIMIT $1"};
static const struct sync_statement frozen_release = {
    "drift_frozen_release",
    "DELETE FROM sync.grant_after_freeze g WHERE g.id = ANY ($1::uuid[]) RETURNING g.id"};

#define RESTORE "Give back what was lost?"

const struct sync_drift deleg_drift[] = {
    {"pending", "DL-80", SYNC_SYSTEM_ALTINN3,
     "Decided for more than a day, and not written to Altinn 3: something is not there.",
     &pending_count, &pending_list, NULL},
    {"echo_missing", "DL-86", SYNC_SYSTEM_ALTINN2,
     "A command that Altinn 2 took a day ago, and has not reported since.", &echo_count, &echo_list,
     NULL},
    {"restore_parked", "DL-85", SYNC_SYSTEM_ALTINN2,
     "A side lost four times in a day what is effective, and gets nothing back.", &parked_a2_count,
     &parked_a2_list, &parked_release, RESTORE},
    {"restore_parked", "DL-85", SYNC_SYSTEM_ALTINN3,
     "A side lost four times in a day what is effective, and gets nothing back.", &parked_a3_count,
     &parked_a3_list, &parked_release, RESTORE},
    {"action_refused", "DL-84", SYNC_SYSTEM_ALTINN3,
     "Effective, but the policy of the resource does not offer the action.", &refused_count,
     &refused_list, NULL},
    {"revoke_held", "DL-08", SYNC_SYSTEM_ALTINN3,
     "Effective, while a revoke by the same giver waits for an id that nobody has named.",
     &waiting_count, &waiting_list, NULL, NULL},
    {"after_freeze", "DL-27", SYNC_SYSTEM_ALTINN3,
     "Granted in Altinn 2 after the freeze of the resource, and ignored.", &frozen_count,
     &frozen_list, &frozen_release, "Forget them? No access changes."},
    {"absent", "DL-97", SYNC_SYSTEM_ALTINN3,
     "Granted before a whole export of Altinn 2, and not in it: the grant may have ended unseen.",
     NULL, &deleg_absent_list, &deleg_absent_release, "Revoke them, as a machine would?"},
    {.class = NULL},
};
