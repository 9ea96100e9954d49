#!/usr/bin/python3
"""The judge of delegations is judged: a small equal world is planted by hand, then one defect at a time; each must be seen, and by its
name. No process of altinn-sync runs; the database is thrown away.
"""
import json
import time
import uuid

import delegation_checker
from delegation_acts import BRIDGE, CLEAN_UP, ENDUSER_API, JOB
from delegation_checker import IDENTITY, key_uuid
from delegation_world import DelegationWorld
from harness import check, run

F, K, L = 50001, 50004, 50006
SERVICE, MESSAGES, MESSAGE = "ttd-service-5103", "ttd-migratedcorrespondence-5100-2", "urn:altinn:correspondence-id:" + "7" * 8 + "-7777-4777-8777-" + "7" * 12
HADM = "d9e05d40-9849-4982-bf04-aa03b19e4a66"
TAX_ROLE, TAX_PACKAGE = "f4df0522-3034-405b-a9e5-83f971737033", "6b4c19ff-250a-4625-a4f7-d9684db537f4"
T = time.time() - 1000
TABLES = ("dbo_history.auditassignment", "dbo_history.auditassignmentresource", "dbo_history.auditassignmentinstance",
          "dbo_history.auditassignmentpackage",
          "altinn2delegations.held", "altinn2delegations.change", "altinn2delegations.report", "altinn2delegations.event",
          "altinn2delegations.call", "sync.outbox", "sync.history", "sync.deleg_key", "sync.policy_document",
          "sync.outcome_count", "sync.partition_owner")
the_world = None


def world_of(stack):
    global the_world
    if the_world is None:
        the_world = DelegationWorld(stack, parties=40, resources=5, keys=10)
        the_world.migrate()
        the_world.fill()
        the_world.start_altinn2()
        stack.processes["altinn2-delegation-sim"].stop()  # its tables are there
    return the_world


def key_of(world, kind, receiver, target, instance=""):
    return kind, world.altinn3.party[F], world.altinn3.party[receiver], target, instance


def plant(stack):
    """One right born in Altinn 2, one message born in Altinn 3, one role; all three stand on both sides."""
    world = world_of(stack)
    a2, a3 = world.altinn2, world.altinn3
    with stack.connect_authorization() as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no history of tidying up
        cursor.execute("DELETE FROM dbo.assignment WHERE roleid NOT IN (SELECT id FROM dbo.role WHERE code = 'regnskapsforer')")
        for table in ("dbo.assignmentresource", "dbo.assignmentinstance", "dbo.assignmentpackage", *TABLES):
            cursor.execute(f"DELETE FROM {table}")
    a2.give(F, K, SERVICE, ["write"], T)
    a3.set_actions(F, K, SERVICE, {"write"}, T + 1, system=IDENTITY)
    a3.set_actions(F, K, MESSAGES, {"read"}, T + 2, instance=MESSAGE)
    a2.give_message(F, K, MESSAGES, MESSAGE, ["read"], T + 3, actor=BRIDGE)
    a2.give_role(F, L, "HADM", T)
    a3.transaction(F, IDENTITY, lambda cursor, stamp: a3.assignment(cursor, F, L, HADM))
    stack.query_authorization("UPDATE altinn2delegations.report SET pushed_at = at")
    stack.query_authorization("""INSERT INTO sync.partition_owner (scope, topic, partition, epoch, position, first_position, holder, claimed_at)
                                 VALUES ('s', 't', 0, 1, 12, 2, 'test', now())""")
    stack.query_authorization("INSERT INTO sync.outcome_count VALUES ('s', 't', 0, 0, 7), ('s', 't', 0, 1, 3)")
    return world


def seen(stack, with_endpoint=True):
    result = delegation_checker.judge(stack, the_world.population["resource"], with_endpoint)
    return sorted(name for name, count in result.counts.items() if count), result


def must_see(stack, *names, with_endpoint=True):
    got, result = seen(stack, with_endpoint)
    check(got == sorted(names), f"wanted {sorted(names)}, seen {got}: {result.witnesses}")


def equal_sides_have_no_difference(stack):
    plant(stack)
    must_see(stack)
    must_see(stack, with_endpoint=False)


def a_right_that_one_side_lost_is_seen(stack):
    world = plant(stack)
    world.altinn3.set_actions(F, K, SERVICE, set(), None, system=IDENTITY)
    must_see(stack, "rights differ", "lost")
    world = plant(stack)
    stack.query_authorization("DELETE FROM altinn2delegations.held WHERE kind = 1")
    must_see(stack, "rights differ")
    world = plant(stack)
    world.altinn3.remove_role(F, L, HADM, system=IDENTITY)
    must_see(stack, "rights differ", "lost")


def a_right_too_many_is_seen(stack):
    world = plant(stack)
    world.altinn3.set_actions(F, K, SERVICE, {"write", "sign"}, time.time() + 1, system=IDENTITY)
    must_see(stack, "rights differ", "resurrected")


def an_action_that_only_one_side_knows_is_no_difference(stack):
    world = plant(stack)
    world.altinn3.set_actions(F, K, SERVICE, {"write", "instantiate"}, T + 5, system=ENDUSER_API)
    must_see(stack)


def what_a_user_took_back_in_altinn2_must_not_show(stack):
    world = plant(stack)
    world.altinn2.take(F, K, SERVICE, ["write"], T + 10)
    world.altinn2.give(F, K, SERVICE, ["write"], T + 11, actor=BRIDGE)
    must_see(stack, "resurrected")
    world.altinn2.give(F, K, SERVICE, ["write"], T + 20)
    must_see(stack)


def what_a_user_took_away_in_altinn3_must_not_show(stack):
    world = plant(stack)
    world.altinn3.set_actions(F, K, SERVICE, set(), None)
    world.altinn3.set_actions(F, K, SERVICE, {"write"}, time.time(), system=IDENTITY)
    must_see(stack, "resurrected")
    world.altinn2.give(F, K, SERVICE, ["write"], time.time() + 60)
    must_see(stack)


def what_a_job_took_away_may_come_back(stack):
    world = plant(stack)
    world.altinn3.set_actions(F, K, SERVICE, set(), None, system=CLEAN_UP)
    world.altinn3.set_actions(F, K, SERVICE, {"write"}, time.time(), system=IDENTITY)
    must_see(stack)
    world.altinn2.take_role(F, L, "HADM", T + 10, actor=JOB)
    world.altinn2.give_role(F, L, "HADM", T + 11)
    must_see(stack)


def a_grant_that_stands_must_show(stack):
    world = plant(stack)
    world.altinn2.give(F, K, SERVICE, ["sign"], T + 30)
    stack.query_authorization("DELETE FROM altinn2delegations.held WHERE name = 'sign'")
    must_see(stack, "lost")


def a_grant_that_its_side_no_longer_showed_ends_with_the_last_one(stack):
    """DL-39: the sync replaced a person's rule in Altinn 2 by one of its own, and a person takes that away."""
    world, other = plant(stack), MESSAGE.replace("7", "8")
    a2, a3 = world.altinn2, world.altinn3
    rule = a2.give_message(F, K, MESSAGES, other, ["read"], T)
    a3.set_actions(F, K, MESSAGES, {"read"}, T + 1, instance=other, system=IDENTITY)
    a2.take_message(F, K, MESSAGES, other, rule, T + 5, actor=BRIDGE)
    rule = a2.give_message(F, K, MESSAGES, other, ["read"], T + 5, actor=BRIDGE)
    must_see(stack)
    a2.take_message(F, K, MESSAGES, other, rule, T + 10)
    must_see(stack, "resurrected", "rights differ")
    a3.set_actions(F, K, MESSAGES, set(), None, instance=other, system=IDENTITY)
    must_see(stack)


def a_rule_that_a_command_removed_stands_when_another_rule_is_taken(stack):
    """A revoke of one rule on a message names that rule's rights only: DL-39 ends nothing else of its side."""
    world, other = plant(stack), MESSAGE.replace("7", "8")
    a2, a3 = world.altinn2, world.altinn3
    removed = a2.give_message(F, K, MESSAGES, other, ["sign", "write"], T)
    taken = a2.give_message(F, K, MESSAGES, other, ["read"], T + 1)
    a2.take_message(F, K, MESSAGES, other, removed, T + 5, actor=BRIDGE)
    a2.take_message(F, K, MESSAGES, other, taken, T + 10)
    a2.give_message(F, K, MESSAGES, other, ["sign", "write"], T + 11, actor=BRIDGE)
    a3.set_actions(F, K, MESSAGES, {"sign", "write"}, T + 11, instance=other, system=IDENTITY)
    must_see(stack)


def a_grant_that_altinn3_no_longer_showed_ends_with_its_row(stack):
    world, other = plant(stack), MESSAGE.replace("7", "8")
    world.altinn3.set_actions(F, K, MESSAGES, {"read", "sign"}, T, instance=other)
    world.altinn3.set_actions(F, K, MESSAGES, {"sign"}, None, instance=other, system=IDENTITY)
    world.altinn3.set_actions(F, K, MESSAGES, set(), None, instance=other, system=CLEAN_UP)
    must_see(stack)


def who_takes_the_tax_package_takes_its_role(stack):
    """DL-71: the sync ends the role on both sides, and nothing is lost."""
    world = plant(stack)
    a2, a3 = world.altinn2, world.altinn3
    a2.give_role(F, K, "A0282", T)
    a3.transaction(F, IDENTITY, lambda cursor, stamp: a3.assignment(cursor, F, K, TAX_ROLE))
    a3.set_package(F, K, TAX_PACKAGE, True, T + 1, system=IDENTITY)
    must_see(stack)
    a3.set_package(F, K, TAX_PACKAGE, False, None)
    must_see(stack, "resurrected")
    a2.take_role(F, K, "A0282", time.time(), actor=BRIDGE)
    a3.remove_role(F, K, TAX_ROLE, system=IDENTITY)
    must_see(stack)


def a_row_without_its_document_is_seen(stack):
    plant(stack)
    stack.query_authorization("DELETE FROM sync.policy_document WHERE instance IS NOT NULL")
    got, _ = seen(stack)
    check("row of Altinn 3 without its document" in got, f"seen {got}")


def history_that_runs_backwards_is_seen(stack):
    world = plant(stack)
    world.altinn3.set_actions(F, K, SERVICE, {"write"}, T + 2, system=IDENTITY)
    must_see(stack, "history that overlaps")
    stack.query_authorization("UPDATE dbo_history.auditassignmentresource SET audit_validto = audit_validfrom + interval '1 second'")
    must_see(stack)


def a_deletion_of_altinn3_that_waited_for_another_is_not_ours(stack):
    """Ours from 5 to 10 s; an act of Altinn 3 ends it, stamped 9 s, and a deletion that began before that and waited ends the act's."""
    world = plant(stack)
    world.altinn3.set_actions(F, K, SERVICE, {"write"}, T + 2, system=IDENTITY)
    stack.query_authorization("UPDATE dbo_history.auditassignmentresource SET audit_validto = audit_validfrom + interval '1 second'")
    stack.query_authorization("""
        INSERT INTO dbo_history.auditassignmentresource (id, audit_validfrom, audit_validto, audit_changedby, audit_changedbysystem,
            audit_changeoperation, audit_deletedby, audit_deletedbysystem, audit_deleteoperation, assignmentid, resourceid, policypath,
            policyversion, delegationchangeid)
        SELECT '0f8fad5b-d9cb-469f-a165-708677289501', h.audit_validfrom + n.begun, h.audit_validfrom + n.ended, h.audit_changedby,
               n.writer::uuid, 'x', CASE WHEN n.gone THEN h.audit_changedby END,
               CASE WHEN n.gone THEN n.writer::uuid END, CASE WHEN n.gone THEN 'x' END, h.assignmentid, h.resourceid,
               h.policypath, h.policyversion, h.delegationchangeid
          FROM dbo_history.auditassignmentresource h,
               (VALUES (interval '5 s', interval '10 s', %s, false), ('9 s', '9.9 s', %s, true)) AS n (begun, ended, writer, gone)""",
                              IDENTITY, CLEAN_UP)
    must_see(stack)
    stack.query_authorization("""UPDATE dbo_history.auditassignmentresource SET audit_validfrom = audit_validfrom - interval '5 s'
                                  WHERE audit_deleteoperation IS NOT NULL""")
    must_see(stack, "history that overlaps")


def call(stack, key, version, rights, seconds_ago=0):
    stack.query_authorization("""INSERT INTO altinn2delegations.call (at, path, key_id, version, rights, code, applied, newer, changes)
        VALUES (now() - %s * interval '1 second', 'command', %s, %s, %s, 200, 1, true, 1)""", seconds_ago, key, version, rights)


def calls_out_of_order_are_seen(stack):
    plant(stack)
    key = str(uuid.uuid4())
    for version in (3, 4, 4):
        call(stack, key, version, [])
    must_see(stack)
    call(stack, key, 3, [])
    must_see(stack, "version after a higher one")


def a_call_that_gives_after_the_end_is_seen(stack):
    world = plant(stack)
    key = key_uuid(key_of(world, "single", K, SERVICE))
    number = stack.query_authorization("""INSERT INTO sync.deleg_key (key_uuid, from_id, to_id, facilitator, kind, variant, target, instance)
        VALUES (%s, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 0, 0, 'x', '') RETURNING key_id""", key)[0][0]
    stack.query_authorization("""INSERT INTO sync.history (key_id, version, seq, applied_at, source, stream, rule, before, after)
        VALUES (%s, 8, 1, now() - interval '1 minute', 3, 'a3.change.1', 'DL-36', ARRAY['write'], '{}')""", number)
    call(stack, key, 7, ["write"], seconds_ago=120)
    must_see(stack)
    call(stack, key, 7, ["write"], seconds_ago=10)
    must_see(stack, "given after the end was decided")


def without_a_route_exactly_the_waiting_commands_differ(stack):
    world = plant(stack)
    key = key_uuid(key_of(world, "instance", K, MESSAGES, MESSAGE))
    stack.query_authorization("DELETE FROM altinn2delegations.held WHERE kind = 1")
    must_see(stack, "differs, and nothing says so", with_endpoint=False)
    stack.query_authorization("""INSERT INTO sync.outbox (effect_id, name, target, scope, topic, partition, entity_key, state, not_before, body,
        created_at) VALUES (gen_random_uuid(), 'altinn2/1', 'altinn2', 's', 't', 0, %s, 6, now(), %s, now())""", key,
                              json.dumps({"key": key}).encode())
    must_see(stack, with_endpoint=False)
    world.altinn2.give_message(F, K, MESSAGES, MESSAGE, ["read"], T + 3, actor=BRIDGE)
    must_see(stack, "said to differ, and does not", with_endpoint=False)


def a_record_without_an_outcome_is_seen(stack):
    plant(stack)
    stack.query_authorization("UPDATE sync.outcome_count SET n = n - 1 WHERE outcome = 1")
    must_see(stack, "record without exactly one outcome")


if __name__ == "__main__":
    run([equal_sides_have_no_difference, a_right_that_one_side_lost_is_seen, a_right_too_many_is_seen,
         an_action_that_only_one_side_knows_is_no_difference, what_a_user_took_back_in_altinn2_must_not_show,
         what_a_user_took_away_in_altinn3_must_not_show, what_a_job_took_away_may_come_back, a_grant_that_stands_must_show,
         a_grant_that_its_side_no_longer_showed_ends_with_the_last_one,
         a_rule_that_a_command_removed_stands_when_another_rule_is_taken, a_grant_that_altinn3_no_longer_showed_ends_with_its_row,
         who_takes_the_tax_package_takes_its_role, a_row_without_its_document_is_seen, history_that_runs_backwards_is_seen,
         a_deletion_of_altinn3_that_waited_for_another_is_not_ours, calls_out_of_order_are_seen, a_call_that_gives_after_the_end_is_seen,
         without_a_route_exactly_the_waiting_commands_differ, a_record_without_an_outcome_is_seen], "delegation-checker", broker="none")
