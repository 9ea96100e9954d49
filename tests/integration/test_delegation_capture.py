#!/usr/bin/python3
"""The capture of delegations of Altinn 3 alone: what it publishes of acts on the real tables, that nothing is lost or invented when
anything dies, how far its marks go, and the load of the whole state beside live.

What arrived is read from the log files of Apache Kafka by delegation_log.py: never by our reader.
"""
import collections
import random
import threading
import time
import urllib.request

import delegation_log
import delegations
from delegation_acts import CLEAN_UP, ENDUSER_API
from delegation_world import DelegationWorld
from harness import SEED, Failed, check, run, say, size, wait_until

NAME = "altinn3-delegation"
LIVE, BACKLOG = "altinn3.delegation.v1", "altinn3.delegation-backlog.v1"
PACKAGE = "urn:altinn:accesspackage:hovedadministrator"
FIRST = 50001  # the first party: an organisation, the next one a person, and so on
MARK = FIRST + 38  # what this giver does only says that everything before it has arrived


class Scene:
    """One capture on one stack. Acts are made through the application's way of writing; each says what must be published."""

    def __init__(self, stack):
        self.stack = stack
        self.world = DelegationWorld(stack, parties=40, resources=10, keys=10)
        self.world.migrate()
        self.world.fill()
        self.act = self.world.altinn3
        self.resource = self.world.population["resource"]
        populate(self, size(6000, 100000))  # before there is a slot: nothing but a load can bring these
        with open("connectors/altinn3/sql/delegation-publication.sql", encoding="utf-8") as handle:
            stack.query_authorization(handle.read())
        stack.verb("capture", "init", NAME, config=self.world.config)
        self.process = stack.sync_process(NAME, "capture", config=self.world.config)
        self.package = stack.query_authorization("SELECT id::text FROM dbo.package WHERE urn = %s", PACKAGE)[0][0]
        self.marked = False

    def start(self):
        if not self.process.alive():
            self.process.start()
        return self.process

    def mark(self):
        self.marked = not self.marked
        self.act.set_package(MARK, MARK + 1, self.package, self.marked, time.time(), CLEAN_UP)

    def caught_up(self, seconds=60):
        """Everything written before this call is delivered: the stored position has passed the log's end of now."""
        end = self.stack.query_authorization("SELECT pg_current_wal_lsn()::text")[0][0]
        self.mark()
        wait_until("the capture has delivered what is written", lambda: self.stack.query_authorization(
            "SELECT delivered_lsn > %s::pg_lsn FROM sync.source WHERE name = %s", end, NAME)[0][0], seconds)

    def live(self):
        """What people did, in the order of its numbers, each number once. Repeats must be equal in every byte that counts."""
        seen = {}
        for record in delegation_log.records(self.stack, LIVE):
            value = record["value"]
            if value["kind"] == "CONTROL" or value["from"]["uuid"] == self.act.party[MARK]:
                continue
            check(record["key"] == value["from"]["uuid"], "the key is the giver")
            check(seen.setdefault(value["seq"], value) == value, f"number {value['seq']} means one thing")
        return [seen[seq] for seq in sorted(seen)]

    def of(self, giver):
        return [told(v) for v in self.live() if v["from"]["uuid"] == self.act.party[giver]]

    def backfill(self, *words, check=True):
        return self.stack.verb("--yes", "capture", "backfill", NAME, *words, config=self.world.config, check=check)

    def figure(self, start_of_line):
        with urllib.request.urlopen(f"http://{self.process.ready['http']}/metrics", timeout=5) as answer:
            lines = answer.read().decode().split("\n")
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start_of_line)), 0.0)


def scene(stack):
    if not hasattr(stack, "scene"):
        stack.scene = Scene(stack)
    return stack.scene


def told(v):
    """An event in short: op, kind, target, rights, by, whether it has an origin."""
    return (v["op"], v["kind"], v["target"]["id"], tuple(v["rights"]), v["by"], v["origin_source"])


def acts_of_people_and_machines_are_published_as_they_are(stack):
    s = scene(stack)
    s.start()
    giver, taker, name = FIRST, FIRST + 1, s.resource[0]["id"]
    s.act.set_actions(giver, taker, name, {"read", "subscribe"}, time.time())
    s.act.set_actions(giver, taker, name, {"read", "write"}, time.time())
    s.act.set_actions(giver, taker, name, set(), time.time(), system=CLEAN_UP)
    instance = "urn:altinn:correspondence-id:11111111-2222-4333-8444-555555555555"
    s.act.set_actions(giver, taker, name, {"read"}, time.time(), instance=instance)
    s.act.set_actions(giver, taker, name, {"read"}, time.time(), instance=instance, app=True)
    s.act.set_package(giver, taker, s.package, True, time.time())
    s.caught_up()
    check(s.of(giver) == [
        ("GRANT", "SINGLE", name, ("read", "subscribe"), "HUMAN", None),
        ("GRANT", "SINGLE", name, ("write",), "HUMAN", None), ("REVOKE", "SINGLE", name, ("subscribe",), "HUMAN", None),
        ("REVOKE_ALL", "SINGLE", name, (), "MACHINE", None),
        ("GRANT", "INSTANCE", name, ("read",), "HUMAN", None), ("GRANT", "INSTANCE", name, ("read",), "HUMAN", None),
        ("GRANT", "PACKAGE", PACKAGE, ("*",), "HUMAN", None)], f"{s.of(giver)}")
    variants = [(v["instance"], v["app_controlled"]) for v in s.live() if v["kind"] == "INSTANCE"]
    check(variants == [(instance, False), (instance, True)], f"{variants}")


def what_falls_with_its_parent_is_revoked_and_relations_are_no_delegations(stack):
    s = scene(stack)
    s.start()
    giver, taker = FIRST + 2, FIRST + 3
    s.act.set_actions(giver, taker, s.resource[0]["id"], {"read"}, time.time())
    s.act.set_package(giver, taker, s.package, True, time.time())
    s.act.relate(giver, taker)

    def end(cursor, stamp):
        cursor.execute("DELETE FROM dbo.assignment WHERE fromid = %s", (s.act.party[giver],))
    s.act.transaction(giver, ENDUSER_API, end)
    s.caught_up()
    found = collections.Counter((e[0], e[1], e[4]) for e in s.of(giver))
    check(found == {("GRANT", "SINGLE", "HUMAN"): 1, ("GRANT", "PACKAGE", "HUMAN"): 1, ("REVOKE_ALL", "SINGLE", "HUMAN"): 1,
                    ("REVOKE_ALL", "PACKAGE", "HUMAN"): 1}, f"{found}")


def our_own_writes_are_published_with_their_origin(stack):
    """As a consumer writes: under a replication origin of its pool, with our stamp."""
    s = scene(stack)
    s.start()
    giver, taker = FIRST + 4, FIRST + 5
    role = s.stack.query_authorization("SELECT id::text FROM dbo.role WHERE code = 'hadm'")[0][0]
    s.stack.query_authorization("SELECT pg_replication_origin_create('sync:test:1')")  # one made in the transaction is not sent
    with stack.connect_authorization() as connection:
        connection.autocommit = False
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_replication_origin_session_setup('sync:test:1')")
            cursor.execute("SELECT pg_replication_origin_xact_setup('0/1', clock_timestamp())")
            delegations.stamp(cursor, delegations.IDENTITY, delegations.IDENTITY, "altinn-sync/A2/a2.role.1/4711")
            s.act.assignment(cursor, giver, taker, role)
        connection.commit()
    s.act.remove_role(giver, taker, role)
    s.caught_up()
    ours, theirs = [v for v in s.live() if v["from"]["uuid"] == s.act.party[giver]]
    check((ours["origin_source"], ours["origin_stream"], ours["origin_seq"]) == ("A2", "a2.role.1", 4711), f"{ours}")
    check(told(theirs) == ("REVOKE_ALL", "ROLE", "hadm", (), "HUMAN", None), f"{theirs}")
    check(ours["capture_time"] > 1e15, "the time of a transaction with an origin is a time")


def a_document_that_comes_late_holds_up_its_giver_only(stack):
    s = scene(stack)
    s.start()
    late, other, name = FIRST + 6, FIRST + 8, s.resource[1]["id"]

    def give(cursor, stamp):
        parent = s.act.assignment(cursor, late, late + 1, delegations.RIGHTHOLDER)
        cursor.execute("""INSERT INTO dbo.assignmentresource (id, assignmentid, resourceid, policypath, policyversion) VALUES
            (%s, %s, %s, 'late', '1')""", (s.act.row_id(), parent, s.act.resource[name]))
    s.act.transaction(late, ENDUSER_API, give)
    s.act.set_package(late, late + 1, s.package, True, time.time())
    s.act.set_package(other, other + 1, s.package, True, time.time())
    wait_until("the other giver's act is there", lambda: s.of(other) == [("GRANT", "PACKAGE", PACKAGE, ("*",), "HUMAN", None)], 60)
    check(s.of(late) == [], "the giver's later act has not overtaken")
    s.stack.query_authorization("INSERT INTO sync.policy_document VALUES ('late', '1', '{read,write}', NULL)")
    s.caught_up()
    check(s.of(late) == [("GRANT", "SINGLE", name, ("read", "write"), "HUMAN", None),
                         ("GRANT", "PACKAGE", PACKAGE, ("*",), "HUMAN", None)], f"{s.of(late)}")


class Crowd:
    """Acts at random on few keys; the journal says what must have been published, in the order of each key."""

    def __init__(self, s, seed, first, count):
        self.s, self.random, self.first, self.count = s, random.Random(seed), first, count
        self.sets = collections.defaultdict(frozenset)
        self.journal = collections.defaultdict(list)

    def act(self):
        s = self.s
        giver = self.first + 2 * self.random.randrange(self.count)
        name = s.resource[self.random.randrange(3)]["id"]
        actions = frozenset(a for a in ("read", "write", "sign") if self.random.random() < 0.5)
        old = self.sets[giver, name]
        system = ENDUSER_API if self.random.random() < 0.7 else CLEAN_UP
        by = "HUMAN" if system == ENDUSER_API else "MACHINE"
        s.act.set_actions(giver, giver + 1, name, actions, time.time(), system=system)
        journal = self.journal[giver, name]
        if not actions and old:
            journal.append(("REVOKE_ALL", (), by))
        elif actions != old:
            if actions - old:
                journal.append(("GRANT", tuple(sorted(actions - old)), by))
            if old and old - actions:
                journal.append(("REVOKE", tuple(sorted(old - actions)), by))
        self.sets[giver, name] = actions

    def compare(self):
        found = collections.defaultdict(list)
        givers = {s_uuid: number for number, s_uuid in self.s.act.party.items()}
        for v in self.s.live():
            giver = givers[v["from"]["uuid"]]
            if self.first <= giver < self.first + 2 * self.count:
                found[giver, v["target"]["id"]].append((v["op"], tuple(sorted(v["rights"])), v["by"]))
        for key in {*found, *self.journal}:
            check(found[key] == self.journal[key], f"{key}: published {found[key]}, done {self.journal[key]}")
        return sum(len(events) for events in found.values())


def killed_at_any_moment_it_loses_and_invents_nothing(stack):
    s = scene(stack)
    process = s.start()
    crowd = Crowd(s, SEED, FIRST + 10, 5)
    for _ in range(size(5, 25)):
        for _ in range(size(20, 100)):
            crowd.act()
        process.kill()
        process.start()
    s.caught_up()
    count = crowd.compare()
    check(count > size(80, 2000), f"{count} events were compared")
    check(s.process.stop() == 0, "it ends cleanly")
    check(stack.query_authorization("""SELECT confirmed_flush_lsn = delivered_lsn FROM sync.source, pg_replication_slots
        WHERE name = %s AND slot_name = slot""", NAME)[0][0], "slot and record agree")


def outages_of_broker_and_database_lose_nothing(stack):
    s = scene(stack)
    s.start()
    crowd = Crowd(s, SEED + 1, FIRST + 20, 3)
    for _ in range(10):
        crowd.act()
    stack.shell("dev/kafka.sh", "kill", stack.kafka_directory)
    for _ in range(10):
        crowd.act()
    stack.shell("dev/kafka.sh", "start", stack.kafka_directory)
    stack.disconnect()
    stack.shell("dev/postgres.sh", "kill", stack.postgres_directory)
    stack.shell("dev/postgres.sh", "restart", stack.postgres_directory)
    for _ in range(10):
        crowd.act()
    s.caught_up(120)
    crowd.compare()
    check(s.process.alive(), "the process has lived through it")


def ticks(stack):
    """Positions of the marks in each partition, in order."""
    found = collections.defaultdict(list)
    for record in delegation_log.records(stack, LIVE):
        if record["value"]["op"] == "TICK":
            check(record["key"] is None, "a mark has no key")
            found[record["partition"]].append(record["value"]["seq"])
    return found


def marks_never_pass_a_change_that_is_still_to_come(stack):
    """A transaction writes early and commits late: its number is low, and no mark may have promised otherwise."""
    s = scene(stack)
    s.start()
    giver = FIRST + 26
    s.act.set_package(giver, giver + 1, s.package, True, time.time())
    s.caught_up()
    connection = stack.connect_authorization()
    connection.autocommit = False
    with connection.cursor() as cursor:
        delegations.stamp(cursor, s.act.party[giver + 1], ENDUSER_API, "slow")
        cursor.execute("CREATE TEMP TABLE session_audit_context ON COMMIT DROP AS SELECT %s::uuid AS changed_by, "
                       "%s::uuid AS changed_by_system, 'slow'::text AS change_operation_id", (s.act.party[giver + 1], ENDUSER_API))
        cursor.execute("DELETE FROM dbo.assignmentpackage c USING dbo.assignment a WHERE a.id = c.assignmentid AND a.fromid = %s",
                       (s.act.party[giver],))
    before = {p: len(t) for p, t in ticks(stack).items()}
    other = FIRST + 28
    for _ in range(5):
        s.act.set_actions(other, other + 1, s.resource[0]["id"], {"read", random.choice(("write", "sign"))}, time.time())
    wait_until("marks go on while it is open", lambda: all(len(t) > before[p] + 1 for p, t in ticks(stack).items()), 90)
    connection.commit()
    connection.close()
    s.caught_up()
    slow = [v for v in s.live() if v["from"]["uuid"] == s.act.party[giver] and v["op"] == "REVOKE_ALL"][-1]
    fast = [v for v in s.live() if v["from"]["uuid"] == s.act.party[other]]
    check(slow["seq"] < min(v["seq"] for v in fast), "its number is lower than those that came before it")
    promised, seen = collections.defaultdict(int), set()
    for record in delegation_log.records(stack, LIVE):
        partition, value = record["partition"], record["value"]
        if value["op"] == "TICK":
            promised[partition] = max(promised[partition], value["seq"])
        elif value["seq"] not in seen:  # what came before and is sent again after a kill breaks no promise
            seen.add(value["seq"])
            check(value["seq"] > promised[partition], f"a mark at {promised[partition]} promised that {value['seq']} would not come")
    wait_until("marks pass it once it is delivered", lambda: all(t[-1] > slow["seq"] for t in ticks(stack).values()), 60)


def populate(s, count):
    """Single rights of many givers, one statement, as an import writes them."""
    s.stack.query_authorization("INSERT INTO sync.policy_document VALUES ('bulk', '1', '{read}', NULL) ON CONFLICT DO NOTHING")
    with s.stack.connect_authorization() as connection:
        connection.autocommit = False
        with connection.cursor() as cursor:
            delegations.stamp(cursor)
            cursor.execute("""INSERT INTO dbo.entity (id, typeid, variantid, name, refid)
                SELECT ('99999999-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, e.typeid, e.variantid, 'bulk', 'bulk' || i
                  FROM generate_series(1, %s) i, (SELECT typeid, variantid FROM dbo.entity WHERE partyid = %s) e
                ON CONFLICT DO NOTHING""", (count, FIRST))
            cursor.execute("""INSERT INTO dbo.assignment (id, fromid, toid, roleid)
                SELECT ('88888888-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
                       ('99999999-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, %s, %s FROM generate_series(1, %s) i
                ON CONFLICT DO NOTHING""", (s.act.party[FIRST + 1], delegations.RIGHTHOLDER, count))
            cursor.execute("""INSERT INTO dbo.assignmentresource (id, assignmentid, resourceid, policypath, policyversion)
                SELECT ('77777777-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
                       ('88888888-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, %s, 'bulk', '1' FROM generate_series(1, %s) i
                ON CONFLICT DO NOTHING""", (s.resource[0]["uuid"], count))
        connection.commit()


def state_of_altinn3(s):
    """What every row gives now: {(kind, giver, receiver, target): actions}."""
    rows = s.stack.query_authorization(f"""
        SELECT 'SINGLE', a.fromid::text, a.toid::text, r.refid, d.actions FROM dbo.assignmentresource c
          JOIN dbo.assignment a ON a.id = c.assignmentid JOIN dbo.resource r ON r.id = c.resourceid
          JOIN sync.policy_document d ON (d.path, d.version) = (c.policypath, c.policyversion)
         WHERE a.roleid = '{delegations.RIGHTHOLDER}'
        UNION ALL SELECT 'PACKAGE', a.fromid::text, a.toid::text, p.urn, ARRAY['*'] FROM dbo.assignmentpackage c
          JOIN dbo.assignment a ON a.id = c.assignmentid JOIN dbo.package p ON p.id = c.packageid
        UNION ALL SELECT 'ROLE', a.fromid::text, a.toid::text, o.code, ARRAY['*'] FROM dbo.assignment a
          JOIN dbo.role o ON o.id = a.roleid WHERE o.providerid = '{delegations.ALTINN2}'""")
    return {tuple(row[:4]): frozenset(row[4]) for row in rows}


def replay(events):
    """What a reader holds who applies everything in the order that the rules give, whatever lane it came by."""
    held = collections.defaultdict(set)
    for v in sorted(events, key=lambda v: (v["snapshot_pos"] if v["snapshot_pos"] is not None else v["seq"], v["op"] != "GRANT")):
        if v["kind"] not in ("SINGLE", "PACKAGE", "ROLE"):
            continue
        key = (v["kind"], v["from"]["uuid"], v["to"]["uuid"], v["target"]["id"])
        if v["op"] == "GRANT":
            held[key] |= set(v["rights"])
        elif v["op"] == "REVOKE":
            held[key] -= set(v["rights"])
        else:
            held[key].clear()
    return {key: frozenset(rights) for key, rights in held.items() if rights}


def backlog(stack, snapshot_id):
    """Rows of a load by number, and its ENDs by (partition, target)."""
    rows, ends = {}, {}
    for record in delegation_log.records(stack, BACKLOG):
        v = record["value"]
        if v["snapshot_id"] != snapshot_id:
            continue
        if v["op"] == "END":
            ends[record["partition"], v["target"] and (v["target"]["kind"], v["target"]["id"])] = v["seq"]
            continue
        check(v["op"] == "GRANT" and v["snapshot_pos"] is not None, f"{v}")
        check(rows.setdefault(v["seq"], (record["partition"], v))[1]["from"] == v["from"], "a number is one row for ever")
    return rows, ends


def the_whole_state_is_loaded_beside_live_however_often_it_is_killed(stack):
    s = scene(stack)
    process = s.start()
    s.caught_up()
    crowd = Crowd(s, SEED + 2, FIRST + 30, 3)
    stopped = threading.Event()

    def live():
        while not stopped.is_set():
            crowd.act()
            stopped.wait(0.05)
    thread = threading.Thread(target=live)
    check(s.backfill("status", check=False).returncode == 4, "nothing was ever loaded")
    check("parts" in s.backfill("start", "--reason", "test", "--rate", str(size(3000, 20000))).stdout, "it is ordered")
    check(s.backfill("start", "--reason", "again", check=False).returncode == 5, "one at a time")
    snapshot_id = stack.query_authorization("SELECT DISTINCT snapshot_id::text FROM sync.backfill")[0][0]
    thread.start()
    try:
        for _ in range(size(4, 12)):
            done = rows_done(stack)
            wait_until("the load goes on", lambda: rows_done(stack) > done or is_done(stack), 60)
            process.kill()
            process.start()
        watched = stack.verb("capture", "backfill", NAME, "status", "--watch", config=s.world.config, check=False, timeout=600)
        check(watched.returncode == 0 and "%" in watched.stderr, f"{watched.returncode} {watched.stderr}")
    finally:
        stopped.set()
        thread.join()
    s.caught_up(300)
    rows, ends = backlog(stack, snapshot_id)
    sent = collections.Counter((partition, (v["target"]["kind"], v["target"]["id"])) for partition, v in rows.values())
    check({key: n for key, n in ends.items() if key[1] and n} == dict(sent), "END says what was sent, by partition and target")
    totals = collections.Counter(partition for partition, _ in rows.values())
    check({p: ends[p, None] for p in range(4)} == {p: totals[p] for p in range(4)}, "and of all")
    events = [v for _, v in rows.values()] + [v for v in all_live(stack)]
    check(replay(events) == state_of_altinn3(s), "state and log together give what stands in Altinn 3")
    check(s.figure('altinn_sync_backfill_progress_ratio{source="altinn3-delegation",table="dbo.assignmentresource"}') == 1, "the metric says so")
    check(all(l["msg"] != "delegation_unresolved" for l in process.lines()), "everything was found")
    check(len(rows) >= size(6000, 100000), f"{len(rows)} rows")


def all_live(stack):
    seen = {}
    for record in delegation_log.records(stack, LIVE):
        if record["value"]["kind"] != "CONTROL":
            seen[record["value"]["seq"]] = record["value"]
    return seen.values()


def rows_done(stack):
    return stack.query_authorization("SELECT sum(rows_done)::bigint FROM sync.backfill")[0][0]


def is_done(stack):
    return stack.query_authorization("SELECT bool_and(state = 'done') FROM sync.backfill")[0][0]


def a_revoke_that_was_open_while_its_row_was_loaded_wins(stack):
    """The row is gone in a transaction that wrote before the load began and commits after it: its number is below the log's end
    of then, and still above the position under which the row went out."""
    s = scene(stack)
    s.start()
    giver = FIRST + 36
    s.act.set_package(giver, giver + 1, s.package, True, time.time())
    s.caught_up()
    connection = stack.connect_authorization()
    connection.autocommit = False
    with connection.cursor() as cursor:
        delegations.stamp(cursor, s.act.party[giver + 1], ENDUSER_API, "slow")
        cursor.execute("CREATE TEMP TABLE session_audit_context ON COMMIT DROP AS SELECT %s::uuid AS changed_by, "
                       "%s::uuid AS changed_by_system, 'slow'::text AS change_operation_id", (s.act.party[giver + 1], ENDUSER_API))
        cursor.execute("DELETE FROM dbo.assignmentpackage c USING dbo.assignment a WHERE a.id = c.assignmentid AND a.fromid = %s",
                       (s.act.party[giver],))
    for _ in range(3):  # the log goes on meanwhile
        s.mark()
    s.backfill("start", "--reason", "test")
    snapshot_id = stack.query_authorization("SELECT DISTINCT snapshot_id::text FROM sync.backfill")[0][0]
    wait_until("the load is over", lambda: is_done(stack), 120)
    connection.commit()
    connection.close()
    s.caught_up()
    rows, _ = backlog(stack, snapshot_id)
    loaded = [v for _, v in rows.values() if v["from"]["uuid"] == s.act.party[giver] and v["kind"] == "PACKAGE"]
    revoked = [v for v in s.live() if v["from"]["uuid"] == s.act.party[giver] and v["op"] == "REVOKE_ALL"]
    check(len(loaded) == 1 and len(revoked) == 1, f"{len(loaded)} rows, {len(revoked)} revokes")
    check(revoked[0]["seq"] > loaded[0]["snapshot_pos"], f"revoked at {revoked[0]['seq']}, loaded at {loaded[0]['snapshot_pos']}")


def a_load_is_cancelled_and_begun_anew(stack):
    s = scene(stack)
    s.start()
    check(s.backfill("pause", "--reason", "test", check=False).returncode == 5, "nothing goes on")
    check(s.backfill("start", check=False).returncode == 2, "it wants a reason")
    s.backfill("start", "--reason", "test", "--rate", "500")
    first = stack.query_authorization("SELECT DISTINCT snapshot_id::text FROM sync.backfill")[0][0]
    s.backfill("pause", "--reason", "test")
    check(s.backfill("status", check=False).returncode == 3, "paused is told")
    s.backfill("cancel", "--reason", "test")
    check(s.backfill("resume", "--reason", "test", check=False).returncode == 5, "what is given up does not go on")
    s.backfill("start", "--reason", "test")
    check(stack.query_authorization("SELECT count(*) FROM sync.backfill WHERE snapshot_id = %s", first)[0][0] == 0, "a new one")
    wait_until("it is over", lambda: is_done(stack), 120)
    check(stack.query_authorization("SELECT count(*) FROM sync.audit WHERE action LIKE 'capture backfill %%'")[0][0] >= 5, "all is audited")


def a_publication_that_loses_a_table_ends_the_capture_with_a_gap(stack):
    s = scene(stack)
    process = s.start()
    s.caught_up()
    stack.query_authorization("ALTER PUBLICATION altinn_sync_delegation DROP TABLE dbo_history.auditassignmentpackage")
    check(process.child.wait(30) == 1 and "delegation-publication.sql" in process.tail(), process.tail())
    check(stack.query_authorization("SELECT count(*) FROM sync.source_gap WHERE closed_at IS NULL")[0][0] == 1, "the gap is recorded")
    check(stack.verb("capture", "status", NAME, config=s.world.config, check=False).returncode == 3, "and told")
    looked = stack.verb("doctor", "--home", "authorization", config=s.world.config, check=False).stdout
    check("slot of altinn3-delegation" in looked and "1 open gaps" in looked, looked)


run([acts_of_people_and_machines_are_published_as_they_are,
     what_falls_with_its_parent_is_revoked_and_relations_are_no_delegations,
     our_own_writes_are_published_with_their_origin,
     a_document_that_comes_late_holds_up_its_giver_only,
     killed_at_any_moment_it_loses_and_invents_nothing,
     outages_of_broker_and_database_lose_nothing,
     marks_never_pass_a_change_that_is_still_to_come,
     the_whole_state_is_loaded_beside_live_however_often_it_is_killed,
     a_revoke_that_was_open_while_its_row_was_loaded_wins,
     a_load_is_cancelled_and_begun_anew,
     a_publication_that_loses_a_table_ends_the_capture_with_a_gap], "delegation-capture",
    options={"capture": {"heartbeat_ms": 2000}})
