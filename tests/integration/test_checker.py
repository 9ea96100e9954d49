#!/usr/bin/python3
"""The judge is judged: a small equal world is planted by hand, then one difference at a time; each must be seen, and by its name.

No process of altinn-sync runs; the database is thrown away.
"""
import checker
from harness import (ARCHIVED, CONFIRMED, PURGED_BY_OWNER, PURGED_BY_RECIPIENT, READ, RESTORED, SOFT_DELETED, a3_id, act3, check,
                     insert_message, party, run)

P, Q = party(1), party(2)
AT = 1750000000
READ_HERE, CONFIRMED_THERE, PURGED, TRASHED, UNTOUCHED = 1, 2, 3, 4, 5
STATUSES = 'correspondence."CorrespondenceStatuses"'
EVENTS = 'correspondence."CorrespondenceDeleteEvents"'
world = {}


def written_by_sync(stack, message, kind, who, at):
    act3(stack, message, kind, who, at)
    stack.query(f'UPDATE {STATUSES} SET "SyncedFromAltinn2" = now() WHERE "CorrespondenceId" = %s AND "PartyUuid" = %s', a3_id(message), who)
    stack.query(f'UPDATE {EVENTS} SET "SyncedFromAltinn2" = now() WHERE "CorrespondenceId" = %s AND "PartyUuid" = %s', a3_id(message), who)


def plant(stack):
    """Both sides equal: acts of Altinn 2 that the sync wrote, one act of Altinn 3 that reached Altinn 2's flag."""
    for table in (STATUSES, EVENTS, 'correspondence."IdempotencyKeys"', "sync.outcome_count", "sync.partition_owner"):
        stack.query(f"DELETE FROM {table}")
    stack.query('DELETE FROM correspondence."CorrespondenceContents"')
    stack.query('DELETE FROM correspondence."Correspondences"')
    for message in range(1, 6):
        insert_message(stack, message)
    written_by_sync(stack, READ_HERE, READ, P, AT)
    written_by_sync(stack, READ_HERE, ARCHIVED, P, AT + 1)
    act3(stack, CONFIRMED_THERE, CONFIRMED, P, AT + 2)
    written_by_sync(stack, PURGED, PURGED_BY_RECIPIENT, P, AT + 3)
    written_by_sync(stack, TRASHED, SOFT_DELETED, P, AT + 4)
    stack.query("""INSERT INTO sync.partition_owner (scope, topic, partition, epoch, position, first_position, holder, claimed_at)
                   VALUES ('s', 't', 0, 1, 12, 2, 'test', now())""")
    stack.query("INSERT INTO sync.outcome_count VALUES ('s', 't', 0, 0, 7), ('s', 't', 0, 1, 3)")
    world["acts2"] = {(READ_HERE, READ, P, AT), (READ_HERE, ARCHIVED, P, AT + 1), (PURGED, PURGED_BY_RECIPIENT, P, AT + 3),
                      (TRASHED, SOFT_DELETED, P, AT + 4)}
    world["flags2"] = {READ_HERE: (True, False, False), CONFIRMED_THERE: (False, True, False), PURGED: (False, False, True),
                       TRASHED: (False, False, False), UNTOUCHED: (False, False, False)}


def seen(stack):
    """The names of what the checker reports."""
    result = checker.drift(stack, world["acts2"], world["flags2"], set(range(1, 6)))
    return sorted(name for name, count in result.counts.items() if count)


def equal_sides_have_no_difference(stack):
    plant(stack)
    check(seen(stack) == [], f"equal: {seen(stack)}")


def must_see(stack, *names):
    got = seen(stack)
    check(got == sorted(names), f"wanted {sorted(names)}, seen {got}")
    plant(stack)


LOST = "D1 fact of Altinn 2 without its row in Altinn 3"
DOUBLED = "one fact, two rows by the sync"
INVENTED = "row by the sync without an act of anybody"
UNCOUNTED = "record without exactly one outcome"


def a_lost_fact_is_seen(stack):
    plant(stack)
    stack.query(f'DELETE FROM {STATUSES} WHERE "Status" = 9')
    must_see(stack, LOST)
    stack.query(f"DELETE FROM {EVENTS} WHERE \"EventType\" = 3")
    must_see(stack, LOST)
    stack.query(f'DELETE FROM {STATUSES} WHERE "Status" = 4')
    must_see(stack, LOST, "D2 read differs")


def a_fact_of_another_second_or_party_is_seen(stack):
    plant(stack)
    stack.query(f"""UPDATE {STATUSES} SET "StatusChanged" = "StatusChanged" + interval '1 second' WHERE "Status" = 9""")
    must_see(stack, LOST, INVENTED)
    stack.query(f'UPDATE {STATUSES} SET "PartyUuid" = %s WHERE "Status" = 9', Q)
    must_see(stack, LOST, INVENTED)


def a_doubled_row_is_seen(stack):
    plant(stack)
    written_by_sync(stack, READ_HERE, READ, P, AT + 0.5)
    must_see(stack, DOUBLED)
    written_by_sync(stack, TRASHED, SOFT_DELETED, P, AT + 4.5)
    must_see(stack, DOUBLED)


def a_second_purge_is_seen(stack):
    plant(stack)
    act3(stack, TRASHED, PURGED_BY_OWNER, Q, AT + 20)
    world["flags2"][TRASHED] = (False, False, True)
    stack.query(f"""INSERT INTO {STATUSES} SELECT gen_random_uuid(), "CorrespondenceId", 8, 'twice', "StatusChanged" + interval '9 s',
                    "PartyUuid", NULL FROM {STATUSES} WHERE "Status" = 8""")
    must_see(stack, "purged twice in Altinn 3")


def an_invented_row_is_seen(stack):
    plant(stack)
    written_by_sync(stack, UNTOUCHED, RESTORED, P, AT + 9)
    must_see(stack, INVENTED)


def an_echo_of_our_own_call_is_no_difference(stack):
    plant(stack)
    written_by_sync(stack, CONFIRMED_THERE, CONFIRMED, Q, AT + 30)
    check(seen(stack) == [], f"an echo: {seen(stack)}")
    written_by_sync(stack, CONFIRMED_THERE, ARCHIVED, Q, AT + 31)
    must_see(stack, INVENTED)


def a_wrong_flag_is_seen(stack):
    plant(stack)
    for message, flags, name in ((READ_HERE, (False, False, False), "D2 read differs"), (UNTOUCHED, (True, False, False), "D2 read differs"),
                                 (CONFIRMED_THERE, (False, False, False), "D2 confirmed differs"),
                                 (UNTOUCHED, (False, True, False), "D2 confirmed differs"),
                                 (PURGED, (False, False, False), "D2 purged differs"),
                                 (UNTOUCHED, (False, False, True), "D2 purged differs")):
        world["flags2"][message] = flags
        must_see(stack, name)


def a_message_that_came_back_is_seen(stack):
    plant(stack)
    stack.query(f'DELETE FROM {STATUSES} WHERE "Status" IN (7, 8)')
    must_see(stack, LOST, "D2 purged differs")


def a_key_of_an_aborted_purge_is_counted_and_no_difference(stack):
    plant(stack)
    check(checker.orphan_keys(stack) == 0, "the purge that is there has its row")
    stack.query("""INSERT INTO correspondence."IdempotencyKeys" ("Id", "CorrespondenceId", "IdempotencyType")
                   VALUES (gen_random_uuid(), %s, 5)""", a3_id(UNTOUCHED))
    check(seen(stack) == [] and checker.orphan_keys(stack) == 1, f"an orphan: {seen(stack)}")


def a_record_with_no_outcome_or_two_is_seen(stack):
    plant(stack)
    for change in ("UPDATE sync.outcome_count SET n = n - 1 WHERE outcome = 0", "UPDATE sync.outcome_count SET n = n + 1 WHERE outcome = 1",
                   "DELETE FROM sync.outcome_count", "UPDATE sync.partition_owner SET position = position + 1"):
        stack.query(change)
        must_see(stack, UNCOUNTED)


run([equal_sides_have_no_difference, a_lost_fact_is_seen, a_fact_of_another_second_or_party_is_seen, a_doubled_row_is_seen,
     a_second_purge_is_seen, an_invented_row_is_seen,
     an_echo_of_our_own_call_is_no_difference, a_wrong_flag_is_seen, a_message_that_came_back_is_seen,
     a_key_of_an_aborted_purge_is_counted_and_no_difference, a_record_with_no_outcome_or_two_is_seen], "checker", broker="embedded")
