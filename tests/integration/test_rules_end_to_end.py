#!/usr/bin/python3
"""Single records through the whole loop on Apache Kafka: what each side holds, and which rule decided.

Four real processes, the real tables, a bridge that journals its calls. Each test uses message ids of its own.
"""
import time

from harness import (ARCHIVED, CONFIRMED, PURGED_BY_OWNER, PURGED_BY_RECIPIENT, READ, RESTORED, SOFT_DELETED, Bridge, a3_id,
                     a3_rows, act3, check, consumed, decided_rules, insert_message, insert_party, outcomes, party, push, run,
                     unaccounted, wait_until)

P, Q = party(1), party(2)
TO3, TO2 = "status-to-altinn3", "status-to-altinn2"
bridge = None


def start(stack):
    global bridge
    if bridge is None:
        bridge = Bridge(stack)
        for number in (1, 2):
            insert_party(stack, number)
        stack.start_loop()


def a_read_in_altinn2_becomes_a_row_in_altinn3_once(stack):
    start(stack)
    insert_message(stack, 1001)
    now = int(time.time()) - 100
    check(push(stack, 1001, [(READ, P, now + 0.12), (READ, P, now + 0.48)]) == 200, "the push is answered 200")
    wait_until("the row is there", lambda: a3_rows(stack, 1001) == [(READ, P, now)], 30)
    check(push(stack, 1001, [(READ, P, now + 0.12)]) == 200, "the repeat is answered 200")
    wait_until("the repeat is decided", lambda: len(decided_rules(stack, 1001)) == 3, 20)
    check(decided_rules(stack, 1001) == ["CS-31", "CS-20", "CS-20"], f"rules {decided_rules(stack, 1001)}")
    check(a3_rows(stack, 1001) == [(READ, P, now)], "still one row")
    check(bridge.of(1001) == [], "Altinn 2 is not told what it said")


def acts_in_altinn3_reach_the_bridge_in_order(stack):
    start(stack)
    insert_message(stack, 1002)
    now = int(time.time()) - 100
    act3(stack, 1002, READ, P, now)
    act3(stack, 1002, READ, Q, now + 1)
    act3(stack, 1002, CONFIRMED, P, now + 2)
    act3(stack, 1002, ARCHIVED, P, now + 3)
    act3(stack, 1002, PURGED_BY_RECIPIENT, P, now + 4)
    wait_until("three calls came", lambda: bridge.of(1002) == ["read", "confirm", "delete"], 30)
    wait_until("all is decided", lambda: len(decided_rules(stack, 1002)) == 5, 20)
    call = next(c for c in bridge.calls if c["correspondenceId"] == 1002)
    check(call["partyId"] == 50000001 and call["eventType"] == "read"
          and call["path"].endswith("/storage/api/v1/sblbridge/synccorrespondenceevent"), f"the call is {call}")
    wait_until("the flags are held", lambda: stack.query(
        "SELECT a2_read, a2_confirmed, a2_deleted FROM sync.correspondence WHERE altinn2_id = 1002") == [(2, 2, 2)], 20)


def purge_beats_everything_in_every_order(stack):
    start(stack)
    now = int(time.time()) - 100
    orders = [[PURGED_BY_OWNER, READ, ARCHIVED], [READ, PURGED_BY_OWNER, SOFT_DELETED], [SOFT_DELETED, READ, PURGED_BY_OWNER]]
    for index, order in enumerate(orders):
        message = 1010 + index
        insert_message(stack, message)
        for step, kind in enumerate(order):
            check(push(stack, message, [(kind, P, now + step)]) == 200, "push")
    for index in range(len(orders)):
        message = 1010 + index
        wait_until("three rows", lambda: len(a3_rows(stack, message)) == 3, 30)
        check(stack.one("SELECT is_purged FROM sync.correspondence WHERE altinn2_id = %s", message), "purged")
        check(stack.one("""SELECT count(*) FROM correspondence."IdempotencyKeys" WHERE "CorrespondenceId" = %s""",
                        a3_id(message)) == 1, "one purge key")
        check(stack.one("""SELECT count(*) FROM correspondence."CorrespondenceDeleteEvents"
                            WHERE "CorrespondenceId" = %s AND "EventType" = 1""", a3_id(message)) == 1, "one delete event")
    labels = stack.query("""SELECT entity_key, name, state FROM sync.outbox WHERE target = 'dialog'
                             AND entity_key IN ('1010', '1011', '1012') AND name <> 'dialog/delete' AND state IN (0, 6)""")
    check(labels == [], f"no dialog effect waits on a purged message: {labels}")


def the_label_is_the_derived_one_in_every_order(stack):
    start(stack)
    now = int(time.time()) - 1000
    story = [(SOFT_DELETED, 1), (RESTORED, 2), (ARCHIVED, 3), (SOFT_DELETED, 4), (RESTORED, 5)]
    for index, order in enumerate(([0, 1, 2, 3, 4], [3, 2, 0, 1, 4], [4, 3, 2, 1, 0])):
        message = 1020 + index
        insert_message(stack, message)
        for step in order:
            check(push(stack, message, [(story[step][0], P, now + story[step][1])]) == 200, "push")
    for message in (1020, 1021, 1022):
        wait_until("all rows are there", lambda: len(a3_rows(stack, message)) == 5, 30)
        check(stack.one("SELECT dlg_label FROM sync.correspondence WHERE altinn2_id = %s", message) == 4, "Archive")


def a_fact_waits_for_its_message_and_adoption_releases_it(stack):
    start(stack)
    now = int(time.time()) - 100
    held = outcomes(stack, TO3)["held"]
    check(push(stack, 1030, [(READ, P, now), (CONFIRMED, Q, now + 1)], extension=True) == 200, "push of an unknown message")
    wait_until("both are held", lambda: outcomes(stack, TO3)["held"] == held + 2, 30)
    insert_message(stack, 1030)
    wait_until("adopted within 10 s", lambda: a3_rows(stack, 1030) == [(READ, P, now), (CONFIRMED, Q, now + 1)], 10)
    check(outcomes(stack, TO3)["held"] == held, "nothing is held any more")
    check(push(stack, 1031, [(READ, P, now)]) == 404, "without the extension an unknown message is 404")


def a_second_run_of_the_same_input_changes_nothing(stack):
    start(stack)
    insert_message(stack, 1040)
    now = int(time.time()) - 100
    events = [(READ, P, now), (CONFIRMED, P, now + 1), (SOFT_DELETED, Q, now + 2), (PURGED_BY_OWNER, P, now + 3)]
    check(push(stack, 1040, events) == 200, "push")
    wait_until("four rows", lambda: len(a3_rows(stack, 1040)) == 4, 30)
    dump = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} t"
    tables = ['sync.correspondence', 'sync.correspondence_fact', 'sync.outbox', 'correspondence."CorrespondenceStatuses"',
              'correspondence."CorrespondenceDeleteEvents"', 'correspondence."IdempotencyKeys"']
    before = [stack.one(dump.format(t)) for t in tables]
    calls = len(bridge.calls)
    count = consumed(stack, TO3)
    check(push(stack, 1040, events) == 200, "second push")
    wait_until("the repeat is consumed", lambda: consumed(stack, TO3) >= count + 4, 30)
    check([stack.one(dump.format(t)) for t in tables] == before, "no row changed")
    check(len(bridge.calls) == calls, "no request was sent")


def our_own_writes_do_not_come_back(stack):
    """The log is read in order: when an act behind our writes has come through, they would have come, too."""
    start(stack)
    written = stack.one("""SELECT count(*) FROM correspondence."CorrespondenceStatuses" WHERE "SyncedFromAltinn2" IS NOT NULL""")
    check(written > 0, "we wrote something")
    insert_message(stack, 1050)
    act3(stack, 1050, READ, P, int(time.time()) - 100)
    wait_until("an act behind them came through", lambda: bridge.of(1050) == ["read"], 30)
    check(stack.one("SELECT count(*) FROM sync.decision WHERE rule = 'CS-05'") == 0, "no own write leaked to the topic")
    born3 = stack.one("""SELECT (SELECT count(*) FROM correspondence."CorrespondenceStatuses" WHERE "SyncedFromAltinn2" IS NULL)
        + (SELECT count(*) FROM correspondence."CorrespondenceDeleteEvents" WHERE "SyncedFromAltinn2" IS NULL AND "EventType" > 2)""")
    check(consumed(stack, TO2) == born3, f"{consumed(stack, TO2)} records of Altinn 3 for {born3} acts")


def every_record_has_one_outcome(stack):
    start(stack)
    check(unaccounted(stack) == [], f"unaccounted: {unaccounted(stack)}")
    for scope in (TO3, TO2):
        check(sum(outcomes(stack, scope).values()) == consumed(stack, scope), f"sums of {scope}")


if __name__ == "__main__":
    run([a_read_in_altinn2_becomes_a_row_in_altinn3_once, acts_in_altinn3_reach_the_bridge_in_order,
         purge_beats_everything_in_every_order, the_label_is_the_derived_one_in_every_order,
         a_fact_waits_for_its_message_and_adoption_releases_it, a_second_run_of_the_same_input_changes_nothing,
         our_own_writes_do_not_come_back, every_record_has_one_outcome], "rules")
