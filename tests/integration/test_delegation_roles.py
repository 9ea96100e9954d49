#!/usr/bin/python3
"""The home authorization with the roles of examples/sql: what we do there works with the rights it has, and what it must not do is denied.
On the embedded broker: what is shown is the database's side."""
import json
import os
import time
import uuid

import psycopg2

from delegation_world import DelegationWorld
from harness import check, login, run, wait_until

CAPTURE = "altinn3-delegation"
FIRST = 50001  # the first party
FORBIDDEN = {
    "altinn-sync-altinn3-delegation": [
        "SELECT name FROM dbo.entity",
        "SELECT personidentifier FROM dbo.entity",
        "DELETE FROM dbo.assignment",
        "UPDATE dbo.assignmentresource SET policypath = ''",
        "INSERT INTO sync.policy_document VALUES ('x', 'x', '{}', NULL)",
        "INSERT INTO sync.backfill (capture, table_name, state) VALUES ('x', 'x', 'planned')",
        "DELETE FROM sync.backfill_sent",
        "SELECT effective FROM sync.deleg_key",
        "UPDATE sync.partition_owner SET position = 0",
        "SELECT pg_replication_origin_session_setup('sync:delegation-to-altinn3:1')",
    ],
    "altinn-sync-altinn2-delegation": [
        "SELECT name FROM dbo.entity",
        "SELECT effective FROM sync.deleg_key",
        "SELECT id FROM dbo.assignment",
        "DELETE FROM sync.export",
        "DELETE FROM sync.source_gap",
        "UPDATE sync.source_gap SET closed_at = now()",
        "UPDATE sync.parked SET state = 1",
        "UPDATE sync.stream_pos SET pos = 0",
        "SELECT pg_replication_origin_session_setup('sync:delegation-to-altinn3:1')",
    ],
    "altinn-sync-delegation-to-altinn3": [
        "DELETE FROM dbo.entity",
        "UPDATE dbo.entity SET name = 'x'",
        "INSERT INTO dbo.role (id) VALUES (gen_random_uuid())",
        "DELETE FROM dbo_history.auditassignment",
        "UPDATE sync.policy_document SET actions = '{}'",
        "DELETE FROM sync.deleg_key",
        "DELETE FROM sync.history",
        "INSERT INTO sync.resource_state (resource, type, phase) VALUES ('x', 'x', 2)",
        "UPDATE sync.backfill SET state = 'done'",
        "DELETE FROM sync.pause",
        "CREATE TABLE sync.mine (id int)",
    ],
    "altinn-sync-load": [
        "DELETE FROM sync.resource_state",
        "INSERT INTO dbo.resource (id) VALUES (gen_random_uuid())",
    ],
    "altinn-sync-viewer": [
        "SELECT record FROM sync.hold",
        "SELECT body FROM sync.outbox",
        "SELECT id FROM dbo.assignment",
        "UPDATE sync.backfill SET state = 'paused'",
        "SELECT a2_right FROM sync.deleg_ref",
        "SELECT name FROM dbo.entity",
        "DELETE FROM sync.pending",
    ],
    "altinn-sync-operator": [
        "SELECT record FROM sync.parked",
        "SELECT id FROM dbo.assignment",
        "UPDATE sync.partition_owner SET position = 0",
        "SELECT n FROM sync.backfill_sent",
        "UPDATE sync.resource_state SET phase = 2",
        "UPDATE sync.deleg_key SET effective = '{}'",
        "DELETE FROM sync.pending",
    ],
}


def config_of(stack, role):
    """The only home that it names is authorization."""
    with open(stack.world.config, encoding="utf-8") as handle:
        sections = json.load(handle)
    sections["database"] = {**sections["database"], "dsn": "", "authorization_dsn": login(stack.authorization_dsn, role)}
    return stack.world.write(role, sections)


def the_migration_role_makes_schema_and_origins_without_being_a_superuser(stack):
    stack.world = DelegationWorld(stack, parties=20, resources=5, keys=10)
    stack.sql_file("examples/sql/roles.sql", "authorization")
    done = stack.verb("db", "migrate", config=config_of(stack, "altinn-sync-migration"))
    check("applied" in done.stdout and " 0 migrations" not in done.stdout, done.stdout)
    for _ in range(2):  # may be repeated
        stack.sql_file("examples/sql/authorization-grants.sql", "authorization")


def a_capture_works_with_a_role_of_its_own(stack):
    world = stack.world
    world.fill()
    stack.sql_file("connectors/altinn3/sql/delegation-publication.sql", "authorization")
    stack.verb("capture", "init", CAPTURE, config=config_of(stack, "altinn-sync-altinn3-delegation"))
    stack.sync_process(CAPTURE, "capture", config=config_of(stack, "altinn-sync-altinn3-delegation")).start()
    resource = next(r["id"] for r in world.population["resource"] if r["serviceCode"] and "read" in r["actions"])
    package = stack.query_authorization("SELECT id::text FROM dbo.package LIMIT 1")[0][0]
    act = world.altinn3
    act.set_actions(FIRST, FIRST + 1, resource, {"read"}, time.time())
    act.set_package(FIRST, FIRST + 1, package, True, time.time())
    act.set_actions(FIRST, FIRST + 2, resource, {"read"}, time.time())
    act.set_actions(FIRST, FIRST + 2, resource, set(), time.time())
    end = stack.query_authorization("SELECT pg_current_wal_lsn()::text")[0][0]
    act.set_package(FIRST, FIRST + 1, package, False, time.time())
    wait_until("the capture has delivered what is written", lambda: stack.query_authorization(
        "SELECT delivered_lsn > %s::pg_lsn FROM sync.source WHERE name = %s", end, CAPTURE)[0][0], 60)


def an_operator_orders_a_load_and_a_viewer_watches_it(stack):
    operator, viewer = config_of(stack, "altinn-sync-operator"), config_of(stack, "altinn-sync-viewer")

    def order(*words):
        return stack.verb("--yes", "capture", "backfill", CAPTURE, *words, config=operator)

    for time_of_load in (1, 2):
        order("start", "--reason", f"test {time_of_load}", "--rate", "1")
        order("pause", "--reason", "test")
        order("resume", "--reason", "test", "--rate", "10000")
        wait_until("the load is done", lambda: stack.query_authorization(
            "SELECT count(*) FROM sync.backfill WHERE state <> 'done'")[0][0] == 0, 60)
    check("done" in stack.verb("capture", "backfill", CAPTURE, "status", config=viewer).stdout, "a viewer sees it")
    order("start", "--reason", "test 3", "--rate", "1")
    order("cancel", "--reason", "test")
    stack.world.load()
    for word in ("start", "pause", "resume", "cancel"):  # what Altinn 2 is to export
        stack.verb("--yes", "capture", "backfill", "altinn2-delegation", word, "--reason", "test", config=operator)
    check("cancelled" in stack.verb("capture", "backfill", "altinn2-delegation", "status", config=viewer, check=False).stdout, "seen, too")
    check(stack.query_authorization("SELECT count(*) FROM sync.audit")[0][0] == 12, "every reason is kept")


def an_operator_releases_what_a_viewer_sees_as_drift(stack):
    operator, viewer = config_of(stack, "altinn-sync-operator"), config_of(stack, "altinn-sync-viewer")
    key = str(uuid.uuid4())

    def listed():
        return json.loads(stack.verb("-o", "json", "drift", "list", config=viewer, check=False).stdout)

    def release(wanted, name="restore_parked"):
        return stack.verb("--yes", "drift", "release", name, wanted, "--reason", "the job is off", config=operator,
                          check=False).returncode

    check(listed() == [], "nothing differs yet")
    stack.query_authorization("""INSERT INTO sync.deleg_key (key_uuid, from_id, to_id, facilitator, kind, variant, target, instance,
                                     restore_parked_a3, restores_a3)
                                 VALUES (%s, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 0, 0, 'app_ttd_form', '', true,
                                     ARRAY[now() - interval '1 h', now(), now()])""", key)
    rows = listed()
    check([(row["class"], row["rule"], row["side"], row["key"]) for row in rows] == [("restore_parked", "DL-85", "Altinn 3", key)], rows)
    check(stack.verb("drift", "list", config=viewer, check=False).returncode == 3, "differences exit 3")
    check(stack.verb("--yes", "drift", "release", "restore_parked", key, "--reason", "x", config=viewer, check=False).returncode == 1,
          "a viewer releases nothing")
    check(release(str(uuid.uuid4())) == 6, "a key that nobody knows")
    check(release(key) == 0 and release(key) == 6 and listed() == [], "released once")
    check(stack.query_authorization("SELECT count(*) FROM sync.pending WHERE dependency_kind = 'release'")[0][0] == 1, "a sweep is due")
    check(stack.query_authorization("SELECT detail ->> 'keys' FROM sync.audit WHERE action = 'drift release'") == [(f'["{key}"]',)],
          "who released what is kept")
    stack.query_authorization("""INSERT INTO sync.grant_after_freeze VALUES ('a2.rule.1', gen_random_uuid(), 1, %s, 'p:500', 'u:7',
                                     'app_ttd_form', '', '{read}', now(), 'altinn2.delegation.v1', 3, 42)""", key)
    check([(row["class"], row["what"]) for row in listed()] == [("after_freeze", "{read}: altinn2.delegation.v1 3 42")], listed())
    check(release(key, "after_freeze") == 0 and listed() == [], "let go")


def what_a_role_must_not_do_is_denied(stack):
    for role, statements in FORBIDDEN.items():
        connection = psycopg2.connect(login(stack.authorization_dsn, role))
        connection.autocommit = True
        for statement in statements:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(statement)
            except psycopg2.errors.InsufficientPrivilege:
                continue
            check(False, f"{role} may: {statement}")
        connection.close()


if __name__ == "__main__":
    run([the_migration_role_makes_schema_and_origins_without_being_a_superuser, a_capture_works_with_a_role_of_its_own,
         an_operator_orders_a_load_and_a_viewer_watches_it, an_operator_releases_what_a_viewer_sees_as_drift,
         what_a_role_must_not_do_is_denied], "delegation-roles", broker="embedded")
