#!/usr/bin/python3
"""The loop with the roles of examples/sql: every process does its work with the rights it has, and what it must not do is denied.
On the embedded broker: what is shown is the database's side."""
import json
import os
import time

import psycopg2

from harness import (CONFIRMED, PURGED_BY_OWNER, READ, Bridge, a3_id, a3_rows, act3, check, insert_message, insert_party, login, party, push,
                     run, wait_until)
from world import World

P = party(1)
FORBIDDEN = {
    "altinn-sync-status-to-altinn3": [
        'SELECT "MessageBody" FROM correspondence."CorrespondenceContents"',
        'SELECT "Recipient" FROM correspondence."Correspondences"',
        'DELETE FROM correspondence."CorrespondenceStatuses"',
        'UPDATE correspondence."CorrespondenceStatuses" SET "StatusText" = NULL',
        'UPDATE correspondence."Correspondences" SET "IsMigrating" = false',
        'INSERT INTO correspondence."Correspondences" ("Id") VALUES (gen_random_uuid())',
        "DELETE FROM sync.correspondence_fact",
        "DELETE FROM sync.partition_owner",
        "DELETE FROM sync.parked",
        "UPDATE sync.source SET generation = 9",
        "DELETE FROM sync.pause",
        "INSERT INTO sync.audit (at, actor, action, subject) VALUES (now(), 'x', 'x', 'x')",
        "UPDATE sync.schema_version SET name = 'x'",
        "CREATE TABLE sync.mine (id int)",
        "CREATE SCHEMA mine",
        "SELECT pg_replication_origin_create('sync:mine')",
        "SELECT pg_replication_origin_drop('sync:status-to-altinn3:4')",
    ],
    "altinn-sync-altinn3-status": [
        "SELECT pg_replication_origin_session_setup('sync:status-to-altinn3:4')",
        'SELECT "PartyUuid" FROM correspondence."CorrespondenceStatuses"',
        "UPDATE sync.partition_owner SET position = 0",
        "SELECT record FROM sync.hold",
    ],
    "altinn-sync-altinn2-status": [
        "SELECT pg_replication_origin_session_setup('sync:status-to-altinn3:4')",
        "INSERT INTO sync.correspondence (altinn2_id) VALUES (1)",
        "SELECT record FROM sync.parked",
    ],
    "altinn-sync-viewer": [
        "SELECT record FROM sync.hold",
        "SELECT record FROM sync.parked",
        "SELECT body FROM sync.outbox",
        "UPDATE sync.target SET state = 0",
        "INSERT INTO sync.pause VALUES ('status-to-altinn3', 'x', 'x', now())",
        'SELECT "Id" FROM correspondence."Correspondences"',
    ],
    "altinn-sync-operator": [
        "SELECT record FROM sync.parked",
        "SELECT body FROM sync.outbox",
        "UPDATE sync.outbox SET body = ''",
        "UPDATE sync.partition_owner SET position = 0",
        "UPDATE sync.correspondence SET altinn3_id = NULL",
        "DELETE FROM sync.outbox",
        "SELECT reason FROM sync.audit",
        "TRUNCATE sync.pause",
    ],
    "altinn-sync-load": [
        'SELECT "MessageBody" FROM correspondence."CorrespondenceContents"',
        'DELETE FROM correspondence."Correspondences"',
        "CREATE TABLE sync.mine (id int)",
    ],
}


def config_of(stack, role):
    with open(stack.config, encoding="utf-8") as handle:
        sections = json.load(handle)
    sections["database"]["dsn"] = login(stack.dsn, role)
    path = os.path.join(stack.directory, f"{role}.yaml")
    with open(path, "w", encoding="utf-8") as handle:
        json.dump(sections, handle)
    os.chmod(path, 0o644)
    return path


def name_the_ids(path):
    """Gives each message of a file the id under which push() speaks of it."""
    with open(path, encoding="utf-8") as handle:
        lines = [json.loads(line) for line in handle]
    with open(path, "w", encoding="utf-8") as handle:
        for line in lines:
            handle.write(json.dumps({**line, "altinn3Id": a3_id(line["altinn2Id"])} if line["type"] == "message" else line) + "\n")
    return path


def the_migration_role_makes_schema_and_origins_without_being_a_superuser(stack):
    stack.query("DROP SCHEMA IF EXISTS sync CASCADE")
    stack.query("SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin")
    stack.sql_file("examples/sql/roles.sql")
    config = config_of(stack, "altinn-sync-migration")
    done = stack.verb("db", "migrate", config=config)
    check("applied" in done.stdout and " 0 migrations" not in done.stdout, done.stdout)
    check(stack.verb("db", "status", config=config).returncode == 0, "nothing is left to migrate")
    stack.sql_file("examples/sql/grants.sql")
    stack.sql_file("examples/sql/grants.sql")  # may be repeated


def every_process_works_with_its_own_role(stack):
    stack.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    stack.verb("capture", "init", "altinn3-status", config=config_of(stack, "altinn-sync-altinn3-status"))
    world = World(stack, visible=20, hidden=5, late=5, inserted=1, never=1)
    path = world.make_file("messages.jsonl", "--parties", "--messages", world.span((world.first, world.hidden[1])),
                           "--hidden", world.span(world.hidden))
    stack.verb("load", path, config=config_of(stack, "altinn-sync-load"))
    for name, verb in (("altinn2-status", "capture"), ("altinn3-status", "capture"),
                       ("status-to-altinn3", "run"), ("status-to-altinn2", "run")):
        stack.sync_process(name, verb, config=config_of(stack, f"altinn-sync-{name}")).start()
    with Bridge(stack) as bridge:
        insert_party(stack, 1)
        second = int(time.time()) - 100
        for message in (3001, 3002):
            insert_message(stack, message)
        check(push(stack, 3001, [(READ, P, second), (CONFIRMED, P, second + 1), (PURGED_BY_OWNER, P, second + 2)],
                   extension=True) == 200, "the push was taken")
        act3(stack, 3002, READ, P, second)
        wait_until("Altinn 3 has the three facts of Altinn 2", lambda: [r[0] for r in a3_rows(stack, 3001)] == [4, 6, 8], 60)
        wait_until("Altinn 2 was told of the read", lambda: bridge.of(3002) == ["read"], 60)
        push(stack, world.late[0], [(READ, P, second)], extension=True)
        wait_until("the fact of a message that is not there is held", lambda: stack.one("SELECT count(*) FROM sync.hold") == 1, 60)
        late = name_the_ids(world.make_file("late.jsonl", "--messages", world.span(world.late)))
        stack.verb("load", late, config=config_of(stack, "altinn-sync-load"))
        check(stack.one("SELECT count(*) FROM sync.hold") == 0, "load decided it")
    parked = stack.query("SELECT scope, rule, code, field, reason FROM sync.parked")
    check(not parked, f"nothing was parked: {parked}")


def an_operator_opens_a_closed_lane_with_a_role_of_its_own(stack):
    """The send thread may be faster than the look at the row: then the effect is done already."""
    stack.query("INSERT INTO sync.target VALUES ('altinn2', 2, 'test', 'test', now()) ON CONFLICT (target) DO UPDATE SET state = 2")
    effect = stack.one("SELECT effect_id FROM sync.outbox WHERE target = 'altinn2' AND state = 2 LIMIT 1")
    stack.query("UPDATE sync.outbox SET state = 5 WHERE effect_id = %s", effect)
    config = config_of(stack, "altinn-sync-operator")
    done = stack.verb("lanes", "open", "altinn2", "--reason", "test", "--yes", config=config)
    check("1 effects wait again" in done.stdout + done.stderr, done.stdout + done.stderr)
    check(stack.one("SELECT state FROM sync.target WHERE target = 'altinn2'") == 0, "the lane is open")
    check(stack.one("SELECT state FROM sync.outbox WHERE effect_id = %s", effect) in (0, 1, 2, 3), "the effect goes again")
    check(stack.one("SELECT count(*) FROM sync.audit WHERE action = 'lanes open'") == 1, "the reason is kept")
    for verb in ("pause", "resume"):
        stack.verb(verb, "status-to-altinn2", "--reason", "test", "--yes", config=config)
        check(stack.one("SELECT count(*) FROM sync.audit WHERE action = %s", verb) == 1, "the reason is kept")
    stack.verb("status", config=config)


def what_a_role_must_not_do_is_denied(stack):
    for role, statements in FORBIDDEN.items():
        connection = psycopg2.connect(login(stack.dsn, role))
        connection.autocommit = True
        for statement in statements:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(statement)
            except psycopg2.errors.InsufficientPrivilege:
                continue
            check(False, f"{role} may: {statement}")
        connection.close()


def doctor_names_what_a_role_lacks(stack):
    good = stack.verb("doctor", config=config_of(stack, "altinn-sync-status-to-altinn3"), check=False)
    check(good.returncode == 0, good.stdout)
    stack.query("REVOKE DELETE ON sync.hold FROM altinn_sync_consumer")
    stack.query('REVOKE INSERT ("StatusText") ON correspondence."CorrespondenceStatuses" FROM altinn_sync_consumer')
    bad = stack.verb("doctor", config=config_of(stack, "altinn-sync-status-to-altinn3"), check=False)
    stack.sql_file("examples/sql/grants.sql")
    check(bad.returncode == 3, "findings exit 3")
    check("DELETE ON sync.hold" in bad.stdout, bad.stdout)
    check("INSERT (StatusText) ON correspondence.CorrespondenceStatuses" in bad.stdout, bad.stdout)
    lines = json.loads(stack.verb("-o", "json", "doctor", config=config_of(stack, "altinn-sync-viewer"), check=False).stdout)
    check(all(line["fix"] for line in lines if line["result"] == "FINDING"), "each finding has its mend")


if __name__ == "__main__":
    run([the_migration_role_makes_schema_and_origins_without_being_a_superuser, every_process_works_with_its_own_role,
         an_operator_opens_a_closed_lane_with_a_role_of_its_own, what_a_role_must_not_do_is_denied,
         doctor_names_what_a_role_lacks], "roles", broker="embedded")
