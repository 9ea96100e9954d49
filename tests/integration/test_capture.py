#!/usr/bin/python3
"""The capture of Altinn 3 alone: what it publishes and what not, that nothing is lost when anything dies, and when it refuses.

What arrived is read from Apache Kafka by its own console consumer: keys and headers, never our reader.
"""
import signal
import subprocess
import time

from harness import (ARCHIVED, CONFIRMED, PURGED_BY_RECIPIENT, READ, RESTORED, SOFT_DELETED, TOPIC3, a3_id, act3, check,
                     figures, insert_message, party, run, size, wait_until)

NAME = "altinn3-status"
P = party(1)
MARKED = 99  # the message whose acts tell how far the capture is
DELIVERY_MS = size(8000, 60000)  # what the client tries for before it gives a record up; ours is 120 s, test_faults.py outlasts it


def start(stack):
    if not stack.query('SELECT FROM correspondence."Correspondences" WHERE "Id" = %s', a3_id(MARKED)):
        insert_message(stack, MARKED)
    process = stack.processes.get(NAME) or stack.sync_process(NAME, "capture")
    if not process.alive():
        process.start()
    return process


def tool(stack, name, *arguments):
    return stack.shell("dev/kafka.sh", "tool", stack.kafka_directory, f"org.apache.kafka.tools.{name}",
                       "--bootstrap-server", stack.bootstrap, "--topic", TOPIC3, *arguments).stdout


def records(stack):
    """(key, event id) of every record of the topic: as many as its offsets say, or it fails."""
    count = sum(int(line.rsplit(":", 1)[1]) for line in tool(stack, "GetOffsetShell").split())
    if count == 0:
        return []
    out = tool(stack, "consumer.ConsoleConsumer", "--from-beginning", "--max-messages", str(count), "--timeout-ms", "60000",
               "--formatter-property", "print.key=true", "--formatter-property", "print.headers=true",
               "--formatter-property", "print.value=false")
    found = []
    for line in out.split("\n"):
        headers, tab, key = line.rpartition("\t")
        if tab:
            pairs = dict(pair.split(":", 1) for pair in headers.split(",") if ":" in pair)
            found.append((key, pairs["ce_id"]))
    check(len(found) == count, f"{len(found)} of {count} records were read")
    return found


def of(stack, *messages):
    keys = {str(m) for m in messages}
    return [r for r in records(stack) if r[0] in keys]


def figure(stack, start_of_line):
    lines = figures(stack, NAME).split("\n")
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start_of_line)), 0.0)


def resident_kb(process):
    with open(f"/proc/{process.child.pid}/status", encoding="ascii") as handle:
        return next(int(line.split()[1]) for line in handle if line.startswith("VmRSS"))


def caught_up(stack):
    """Everything written before this call is delivered: the stored position has passed the log's end of now."""
    end = stack.one("SELECT pg_current_wal_lsn()::text")
    stack.query("SELECT pg_logical_emit_message(true, 'test', 'mark')")
    act3(stack, MARKED, READ, P, time.time())
    wait_until("the capture has delivered what is written", lambda: stack.one(
        "SELECT delivered_lsn > %s::pg_lsn FROM sync.source WHERE name = %s", end, NAME), 60)


def only_acts_born_in_altinn_3_are_published(stack):
    start(stack)
    insert_message(stack, 1)
    insert_message(stack, 101)
    now = int(time.time()) - 100
    for kind in (READ, CONFIRMED, ARCHIVED, SOFT_DELETED, RESTORED, PURGED_BY_RECIPIENT):
        act3(stack, 101, kind, P, now)
    act3(stack, 101, 3, P, now)  # Fetched is not a fact
    insert_message(stack, 102)
    stack.query("""INSERT INTO correspondence."CorrespondenceStatuses" VALUES
        (gen_random_uuid(), %s, 4, 'synced', now(), %s, now())""", a3_id(102), P)
    stack.query("SELECT pg_replication_origin_create('sync:test:1')")  # an origin made in the transaction itself is not sent
    with stack.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_replication_origin_session_setup('sync:test:1')")
        cursor.execute("""INSERT INTO correspondence."CorrespondenceStatuses" VALUES
            (gen_random_uuid(), %s, 6, 'ours', now(), %s, NULL)""", (a3_id(102), P))
    stack.query("""INSERT INTO correspondence."Correspondences" ("Id", "ResourceId", "Recipient", "Sender", "SendersReference",
        "Created", "RequestedPublishTime", "PropertyList") VALUES (%s, 'r', 'r', 's', 'ref', now(), now(), '')""", a3_id(103))
    act3(stack, 103, READ, P, now)  # no Altinn 2 id
    caught_up(stack)
    check(len(of(stack, 101)) == 6, "six facts of the message, the purge once")
    check(of(stack, 102) == [], "nothing that the sync wrote")
    check(of(stack, a3_id(103), 103) == [], "nothing without counterpart")
    dropped = 'altinn_sync_source_dropped_total{source="altinn3-status",reason='
    check(figure(stack, dropped + '"own_write"') == 2, "own writes are counted")
    check(figure(stack, dropped + '"no_counterpart"') == 1, "what has no counterpart is counted")


def write_many(stack, message, count):
    stack.query("""INSERT INTO correspondence."CorrespondenceStatuses" SELECT gen_random_uuid(), %s, 4, 'many',
        clock_timestamp(), gen_random_uuid(), NULL FROM generate_series(1, %s)""", a3_id(message), count)


def rows_of_one_statement_have_identities_of_their_own(stack):
    start(stack)
    insert_message(stack, 201)
    write_many(stack, 201, 500)
    caught_up(stack)
    check(len({r[1] for r in of(stack, 201)}) == 500, "500 rows, 500 identities")


def killed_at_any_moment_it_loses_nothing_and_keeps_identities(stack):
    process = start(stack)
    insert_message(stack, 301)
    rounds = size(6, 20)
    for _ in range(rounds):
        write_many(stack, 301, 100)
        process.kill()
        process.start()
        write_many(stack, 301, 100)
    caught_up(stack)
    check(len({r[1] for r in of(stack, 301)}) == rounds * 200, "every row once, by identity")


def a_restart_of_postgresql_is_not_held_up_and_loses_nothing(stack):
    start(stack)
    insert_message(stack, 401)
    write_many(stack, 401, 100)
    began = time.monotonic()
    stack.shell("dev/postgres.sh", "restart", stack.postgres_directory)
    check(time.monotonic() - began < 30, "the server could shut down while we stream")
    write_many(stack, 401, 100)
    stack.shell("dev/postgres.sh", "kill", stack.postgres_directory)
    stack.shell("dev/postgres.sh", "restart", stack.postgres_directory)
    write_many(stack, 401, 100)
    caught_up(stack)
    check(len({r[1] for r in of(stack, 401)}) == 300, "every row once, by identity")


def a_killed_broker_loses_nothing(stack):
    start(stack)
    insert_message(stack, 501)
    write_many(stack, 501, 100)
    stack.shell("dev/kafka.sh", "kill", stack.kafka_directory)
    write_many(stack, 501, 100)
    stack.shell("dev/kafka.sh", "start", stack.kafka_directory)
    caught_up(stack)
    check(len({r[1] for r in of(stack, 501)}) == 200, "every row once, by identity")


def an_outage_beyond_the_delivery_time_out_is_streamed_again(stack):
    """More transactions than the capture keeps open, so that it stands still before the client gives up."""
    process = start(stack)
    insert_message(stack, 551)
    caught_up(stack)
    stack.shell("dev/kafka.sh", "pause", stack.kafka_directory)
    try:
        stack.query("""DO $$BEGIN FOR i IN 1..20000 LOOP
            INSERT INTO correspondence."CorrespondenceStatuses" VALUES (gen_random_uuid(), '%s', 4, 'outage', clock_timestamp(),
                gen_random_uuid(), NULL); COMMIT; END LOOP; END$$""" % a3_id(551))
        written = len(process.lines())
        wait_until("the producer was given up twice", lambda: sum(
            l.get("msg") == "producer_replaced" for l in process.lines()[written:]) >= 2, 3 * DELIVERY_MS / 1000 + 30)
        # A new producer streams again from the confirmed prefix, on a new connection.
        wait_until("the server hears of us again", lambda: stack.one("SELECT active FROM pg_replication_slots"), 20)
    finally:
        stack.shell("dev/kafka.sh", "resume", stack.kafka_directory)
    caught_up(stack)
    check(len({r[1] for r in of(stack, 551)}) == 20000, "every row once, by identity")
    check(process.alive(), "the process has lived through it")


def a_transaction_of_a_hundred_thousand_rows_takes_no_more_memory(stack):
    process = start(stack)
    insert_message(stack, 561)
    caught_up(stack)
    before = resident_kb(process)
    write_many(stack, 561, 100000)
    caught_up(stack)
    grown = resident_kb(process) - before
    check(grown < 100000, f"grown by {grown} kB")
    check(len({r[1] for r in of(stack, 561)}) == 100000, "every row once, by identity")


def a_publication_that_loses_a_table_ends_the_capture_with_a_gap(stack):
    process = start(stack)
    table = 'correspondence."CorrespondenceDeleteEvents"'
    caught_up(stack)
    columns = '("Id", "CorrespondenceId", "EventType", "EventOccurred", "PartyUuid", "SyncedFromAltinn2")'
    for change, mend in ((f"DROP TABLE {table}", f"ADD TABLE {table} {columns}"), ("SET (publish = 'update')", "SET (publish = 'insert')")):
        stack.query(f"ALTER PUBLICATION altinn_sync_status {change}")
        before = len(process.lines())
        check(process.child.wait(30) == 1 and "publication.sql" in process.tail(), f"{change}: {process.tail()}")
        check(all(l.get("msg") != "streaming" for l in process.lines()[before:]), "it was streaming when it noticed")
        check(stack.one("SELECT count(*) FROM sync.source_gap WHERE closed_at IS NULL") == 1, "the gap is recorded")
        check(refusal(stack)[0] == 1, "it does not start with it either")
        stack.query(f"ALTER PUBLICATION altinn_sync_status {mend}")
        stack.query("UPDATE sync.source_gap SET closed_at = now()")
        process.start()
        caught_up(stack)


def a_clean_stop_leaves_the_slot_at_what_is_delivered(stack):
    process = start(stack)
    caught_up(stack)
    check(process.stop() == 0, "exit 0")
    check(stack.one("""SELECT confirmed_flush_lsn = delivered_lsn FROM sync.source, pg_replication_slots
        WHERE name = %s AND slot_name = slot""", NAME), "slot and record agree")
    check(stack.verb("capture", "status", NAME).returncode == 0, "capture status agrees")
    check("nothing to do" in stack.verb("capture", "init", NAME).stdout, "capture init does nothing then")


def a_message_that_nobody_knows_is_published_by_its_own_id_after_a_time(stack):
    process = stack.processes[NAME]
    process.stop()
    insert_message(stack, 601)
    act3(stack, 601, READ, P, int(time.time()) - 100)
    stack.query('DELETE FROM correspondence."Correspondences" WHERE "Id" = %s', a3_id(601))
    start(stack)
    wait_until("the record is counted", lambda: figure(stack, "altinn_sync_source_unresolved_total") == 1, 60)
    wait_until("the record is there", lambda: len([r for r in records(stack) if r[0] == a3_id(601)]) == 1, 20)


def refusal(stack):
    """Exit code and log of a capture that must not stream."""
    process = stack.processes[NAME]
    process.start(ready_seconds=0)
    try:
        code = process.child.wait(30)
    except subprocess.TimeoutExpired:
        process.signal(signal.SIGTERM)
        code = None
    return code, process.tail()


def it_refuses_a_slot_or_server_that_is_not_the_recorded_one(stack):
    stack.processes[NAME].stop()
    wait_until("the slot is free", lambda: stack.one("SELECT NOT active FROM pg_replication_slots"), 20)
    for column, value, word in (("system_id", "1", "system id"), ("timeline", "77", "timeline"),
                                ("publication", "elsewhere", "publication")):
        before = stack.one(f"SELECT {column}::text FROM sync.source WHERE name = %s", NAME)
        stack.query(f"UPDATE sync.source SET {column} = %s WHERE name = %s", value, NAME)
        code, text = refusal(stack)
        check(code == (2 if column == "publication" else 1) and word in text, f"{column}: exit {code}, {text}")
        stack.query(f"UPDATE sync.source SET {column} = %s WHERE name = %s", before, NAME)
    stack.query("SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM pg_replication_slots")
    code, text = refusal(stack)
    check(code == 1 and "moved" in text, f"moved slot: exit {code}, {text}")
    check(stack.verb("capture", "status", NAME, check=False).returncode == 3, "capture status sees it, too")
    check(stack.verb("capture", "init", NAME, "--yes", check=False).returncode == 5, "init does not touch a slot that exists")
    check(stack.one("SELECT count(*) FROM sync.source_gap WHERE closed_at IS NULL") >= 1, "the gap is recorded")


def a_lost_slot_begins_a_new_generation_with_its_gap_on_record(stack):
    stack.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    code, text = refusal(stack)
    check(code == 1 and "does not exist" in text, f"missing slot: exit {code}, {text}")
    check(stack.verb("capture", "init", NAME, check=False).returncode == 5, "it wants to be told")
    check(stack.verb("--yes", "capture", "init", NAME).returncode == 0, "and then makes one")
    check(stack.one("SELECT generation FROM sync.source WHERE name = %s", NAME) == 2, "the second generation")
    start(stack)
    caught_up(stack)


run([only_acts_born_in_altinn_3_are_published,
     rows_of_one_statement_have_identities_of_their_own,
     killed_at_any_moment_it_loses_nothing_and_keeps_identities,
     a_restart_of_postgresql_is_not_held_up_and_loses_nothing,
     a_killed_broker_loses_nothing,
     an_outage_beyond_the_delivery_time_out_is_streamed_again,
     a_transaction_of_a_hundred_thousand_rows_takes_no_more_memory,
     a_publication_that_loses_a_table_ends_the_capture_with_a_gap,
     a_clean_stop_leaves_the_slot_at_what_is_delivered,
     a_message_that_nobody_knows_is_published_by_its_own_id_after_a_time,
     it_refuses_a_slot_or_server_that_is_not_the_recorded_one,
     a_lost_slot_begins_a_new_generation_with_its_gap_on_record], "capture",
    options={"kafka": {"properties": {"delivery.timeout.ms": str(DELIVERY_MS)}}})
