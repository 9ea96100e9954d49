#!/usr/bin/python3
"""Single acts through the whole delegation loop on Apache Kafka: what each side shows afterwards, and which rule decided.

The examples are those of the rules, by number. Users of Altinn 2 act in its simulator, users of Altinn 3 on the real tables; facts above
both sides and rows of old exports are put on their topics. First Altinn 2 has no command endpoint, as the real one; then it has one.
"""
import json
import os
import subprocess
import time
import uuid

from delegation_acts import CLEAN_UP, JOB
from delegation_checker import ZERO, key_uuid
from delegation_world import CONSUMERS, OWN_USER, TOPICS, DelegationWorld
from harness import BUILD, ROOT, check, run, wait_until

MESSAGES, SERVICE, FORM = "ttd-migratedcorrespondence-5100-2", "ttd-service-5103", "app_ttd_form5101"
HADM, A0239 = "d9e05d40-9849-4982-bf04-aa03b19e4a66", "ebed65a5-dd87-4180-b898-e1da249b128d"
MANAGER = "urn:altinn:accesspackage:hovedadministrator"
BOOKS = "urn:altinn:accesspackage:regnskapsforer-med-signeringsrettighet"
NOW = time.time()
world = None
givers = iter(range(50001 + 2, 50201, 2))


def start(stack):
    global world
    if world is None:
        made = DelegationWorld(stack, parties=400, resources=10, keys=10, endpoint=False)
        made.prepare()
        made.start_altinn2()
        made.start_loop()
        made.wait_claimed()
        world = made
    return world


def open_route(stack):
    """From here on Altinn 2 has the endpoint."""
    if not world.endpoint:
        world.endpoint = True
        for name in CONSUMERS:
            stack.processes[name].stop()
        stack.processes["altinn2-delegation-sim"].stop()
        world.write_config()
        world.start_altinn2()
        for name in CONSUMERS:
            stack.sync_process(name, "run", config=world.loop_config).start()


class Case:
    """One giver and one receiver of their own, and one target."""

    def __init__(self, stack, kind, target, instance=""):
        start(stack)
        self.stack, self.kind, self.target, self.instance = stack, kind, target, instance
        self.giver = next(givers)
        self.receiver = self.giver + 201
        self.a2, self.a3 = world.altinn2, world.altinn3
        self.giver_id, self.receiver_id = self.a3.party[self.giver], self.a3.party[self.receiver]

    def uuid(self, kind=None, target=None, facilitator=ZERO):
        target = target or self.target
        if (kind or self.kind) in ("package", "client"):
            return str(uuid.uuid5(uuid.UUID("002b8d8e-6dce-5ff3-aef6-c1ccad164ddf"), "delegation/" + "|".join(
                (kind or self.kind, self.giver_id, self.receiver_id, target, "", "0", facilitator))))
        return key_uuid((kind or self.kind, self.giver_id, self.receiver_id, target.lower(), self.instance))

    def effective(self, **of):
        rows = self.stack.query_authorization("SELECT effective FROM sync.deleg_key WHERE key_uuid = %s", self.uuid(**of))
        return set(rows[0][0]) if rows else set()

    def rules(self):
        """Rules that decided the records of this giver, in order."""
        return [row[0] for row in self.stack.query_authorization(
            "SELECT rule FROM sync.decision WHERE entity_key IN (%s, %s) ORDER BY decided_at, record_offset",
            self.giver_id, f"p:{self.giver}")]

    def shows3(self):
        if self.kind == "role":
            return {"*"} if self.a3.has_role(self.giver, self.receiver, self.target.lower()) else set()
        return self.a3.shows(self.giver, self.receiver, self.target, self.instance or None)

    def shows2(self):
        return self.a2.shows(self.giver, self.receiver, self.target, self.instance)

    def wait(self, want, **of):
        wait_until(f"{self.kind} of {self.giver} to be {want}", lambda: self.effective(**of) == want or
                   f"{self.effective(**of)}, rules {self.rules()}", 30)

    def wait3(self, want):
        wait_until(f"Altinn 3 shows {want}", lambda: self.shows3() == want or f"{self.shows3()}, rules {self.rules()}", 30)

    def wait2(self, want):
        wait_until(f"Altinn 2 shows {want}", lambda: self.shows2() == want or f"{self.shows2()}, rules {self.rules()}", 30)

    def wait_rule(self, rule, count=1):
        wait_until(f"{rule} decided {count} times", lambda: self.rules().count(rule) >= count or str(self.rules()), 30)

    def waiting(self):
        """Commands to Altinn 2 that have no route."""
        return [json.loads(bytes(row[0]))["rights"] for row in self.stack.query_authorization(
            "SELECT body FROM sync.outbox WHERE target = 'altinn2' AND state = 6 AND entity_key = %s", self.uuid())]


def put(stack, topic, *records):
    """Records that no capture of ours makes: facts above both sides, rows of old exports."""
    text = "\n".join(json.dumps({"capture_time": int(time.time() * 1e6), "by": "HUMAN", **r}) for r in records)
    done = subprocess.run([os.path.join(BUILD, "tests/test-delegation_producer"), "--bootstrap", stack.bootstrap, "--topic", topic],
                          input=text, text=True, capture_output=True, cwd=ROOT, check=False)
    check(done.returncode == 0, f"delegation_producer: {done.stderr[-300:]}")


def micros(at):
    return int(at * 1e6)


# -- without a route to Altinn 2 ----------------------------------------------------------------------------

def example_1_four_names_give_one_right_and_the_last_one_ends_it(stack):
    c = Case(stack, "single", MESSAGES)
    t = NOW - 1000
    c.a2.give(c.giver, c.receiver, MESSAGES, ["write"], t + 100)
    c.wait3({"read"})
    c.a2.give(c.giver, c.receiver, MESSAGES, ["archivedelete"], t + 101)
    c.wait_rule("DL-22")
    c.a2.take(c.giver, c.receiver, MESSAGES, ["write"], t + 200)
    c.wait_rule("DL-31")
    check(c.shows3() == {"read"}, "revoking one of two rules leaves the right")
    c.a2.take(c.giver, c.receiver, MESSAGES, ["archivedelete"], t + 210)
    c.wait3(set())
    check([r for r in c.rules() if r != "DL-07" and r != "DL-06"] == ["DL-20", "DL-22", "DL-31", "DL-35"], f"rules {c.rules()}")


def example_2_what_altinn3_removed_does_not_come_back_by_an_export(stack):
    c = Case(stack, "single", SERVICE)
    c.a2.give(c.giver, c.receiver, SERVICE, ["read"], NOW - 1000)
    c.wait3({"read"})
    c.a3.set_actions(c.giver, c.receiver, SERVICE, set(), None)
    c.wait(set())
    wait_until("the command has no route", lambda: c.waiting() == [[]], 20)
    check(c.shows2() == {"read"}, "Altinn 2 keeps it")
    put(stack, TOPICS["backlog2"], {
        "source": "A2", "stream": "a2.rule.9", "seq": 1, "weak": True, "snapshot_id": str(uuid.uuid4()), "snapshot_pos": 2 ** 40,
        "kind": "SINGLE", "op": "GRANT", "from": {"uuid": c.giver_id}, "to": {"uuid": c.receiver_id},
        "target": {"kind": "RESOURCE", "id": SERVICE}, "rights": ["Read"], "event_time": micros(NOW - 1000)})
    c.wait_rule("DL-25")
    check(c.effective() == set() and c.shows3() == set() and c.waiting() == [[]], "it stays ended, and the command stays")


def example_3_live_overtakes_the_backlog(stack):
    c = Case(stack, "single", MESSAGES)
    record = {"source": "A2", "stream": "a2.rule.9", "weak": True, "kind": "SINGLE", "from": {"uuid": c.giver_id},
              "to": {"uuid": c.receiver_id}, "target": {"kind": "SERVICE", "service_code": "5100", "edition": 2}}
    put(stack, TOPICS["altinn2"], {**record, "seq": 615, "op": "REVOKE", "rights": ["Read"], "event_time": micros(NOW - 100)})
    c.wait_rule("DL-30")
    snapshot = {"snapshot_id": str(uuid.uuid4()), "snapshot_pos": 600, "op": "GRANT"}
    put(stack, TOPICS["backlog2"], {**record, **snapshot, "seq": 1, "rights": ["Read"], "event_time": micros(NOW - 3000)})
    c.wait_rule("DL-11")
    check(c.effective() == set(), "an older row of the same ref gives nothing")
    put(stack, TOPICS["backlog2"], {**record, **snapshot, "seq": 2, "rights": ["ArchiveRead"], "event_time": micros(NOW - 2900)})
    c.wait_rule("DL-24")
    c.wait3({"read"})


def example_5_two_rules_on_one_message(stack):
    message = f"urn:altinn:correspondence-id:{uuid.uuid4()}"
    c = Case(stack, "instance", MESSAGES, message)
    t = time.time() - 60
    first = c.a2.give_message(c.giver, c.receiver, MESSAGES, message, ["read", "subscribe"], t + 10)
    c.wait3({"read", "subscribe"})
    second = c.a2.give_message(c.giver, c.receiver, MESSAGES, message, ["read"], t + 20)
    c.wait_rule("DL-22")
    c.a3.set_actions(c.giver, c.receiver, MESSAGES, {"read", "subscribe", "sign"}, t + 25, instance=message)
    c.wait({"read", "subscribe", "sign"})
    c.a2.take_message(c.giver, c.receiver, MESSAGES, message, first, t + 30)
    c.wait3({"read", "sign"})
    c.a2.take_message(c.giver, c.receiver, MESSAGES, message, second, t + 40)
    c.wait3(set())
    check(c.effective() == set(), "a person's last revoke ends what Altinn 3 gave, too")


def example_6_a_role_and_its_package(stack):
    c = Case(stack, "role", "HADM")
    t = time.time() - 60
    c.a2.give_role(c.giver, c.receiver, "HADM", t + 1)
    c.wait3({"*"})
    wait_until("the package is there", lambda: c.a3.has_package(c.giver, c.receiver, MANAGER), 20)
    c.a3.remove_role(c.giver, c.receiver, HADM)
    removed = time.time()
    wait_until("the package goes with the role", lambda: not c.a3.has_package(c.giver, c.receiver, MANAGER), 30)
    wait_until("a command for the role waits", lambda: c.waiting() == [[]], 20)
    c.a2.take_role(c.giver, c.receiver, "HADM", time.time(), actor=JOB)
    c.wait_rule("DL-30")
    wait_until("no clock can take the next grant for an older one", lambda: time.time() > removed + 3, 10)
    c.a2.give_role(c.giver, c.receiver, "HADM", time.time())
    c.wait3({"*"})
    wait_until("the package is there again", lambda: c.a3.has_package(c.giver, c.receiver, MANAGER), 20)
    check(c.waiting() == [], "the command is withdrawn")


# -- with the endpoint --------------------------------------------------------------------------------------

def example_4_a_weak_stream_without_times(stack):
    open_route(stack)
    c = Case(stack, "single", SERVICE)
    c.a2.give(c.giver, c.receiver, SERVICE, ["read"], NOW - 1000)
    c.wait3({"read"})
    c.a2.take(c.giver, c.receiver, SERVICE, ["read"], time.time())
    c.wait3(set())
    c.a2.give(c.giver, c.receiver, SERVICE, ["read"], NOW - 500)
    c.wait_rule("DL-12")
    c.wait2(set())
    check(c.shows3() == set(), "it may be the old grant: nobody gets it")
    c.a2.give(c.giver, c.receiver, SERVICE, ["read"], time.time() + 1)
    c.wait3({"read"})
    check("DL-24" in c.rules() and c.shows2() == {"read"}, f"rules {c.rules()}")


def example_7_a_client_role_before_its_relation(stack):
    open_route(stack)
    c = Case(stack, "role", "A0239")
    firm, client = 50001 + 20, c.giver
    with stack.connect_authorization() as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; DELETE FROM dbo.assignment WHERE fromid = %s", (c.giver_id,))
    facilitator = c.a3.party[firm]
    c.a2.give_role(client, c.receiver, "A0239", time.time() - 20, facilitator=firm)
    c.wait({"*"}, kind="client", target=BOOKS, facilitator=facilitator)
    wait_until("it waits for the relation", lambda: stack.query_authorization("""
        SELECT p.dependency_kind FROM sync.pending p JOIN sync.deleg_key k USING (key_id) WHERE k.key_uuid = %s""",
        c.uuid(kind="client", target=BOOKS, facilitator=facilitator)) == [("relation",)], 20)
    c.a2.take_role(client, c.receiver, "A0239", time.time(), facilitator=firm)
    c.wait(set(), kind="client", target=BOOKS, facilitator=facilitator)
    c.a3.relate(client, firm)
    c.a2.give_role(client, c.receiver, "A0239", time.time() + 1, facilitator=firm)
    wait_until("the delegation is there", lambda: c.a3.has_client(client, firm, c.receiver, BOOKS), 30)


def example_8_a_removal_is_remembered(stack):
    open_route(stack)
    message = f"urn:altinn:correspondence-id:{uuid.uuid4()}"
    c = Case(stack, "instance", MESSAGES, message)
    c.a2.give_message(c.giver, c.receiver, MESSAGES, message, ["read"], time.time() - 60)
    c.wait3({"read"})
    c.a3.set_actions(c.giver, c.receiver, MESSAGES, set(), None, instance=message)
    c.wait2(set())
    wait_until("Altinn 2's report of it is an echo", lambda: "DL-07" in c.rules(), 30)
    c.a3.set_actions(c.giver, c.receiver, MESSAGES, {"read"}, time.time() + 3, instance=message)
    c.wait2({"read"})
    wait_until("its report is an echo, too", lambda: c.rules().count("DL-06") >= 2, 30)
    rule = stack.query_authorization("SELECT max(id) FROM altinn2delegations.held WHERE instance = %s", message)[0][0]
    c.a2.take_message(c.giver, c.receiver, MESSAGES, message, rule, time.time() + 6)
    c.wait3(set())
    check(c.effective() == set() and c.shows2() == set() and "DL-36" in c.rules(), f"rules {c.rules()}")


def example_9_a_job_that_tidies_up_does_not_take_what_a_person_gave(stack):
    open_route(stack)
    c = Case(stack, "single", SERVICE)
    c.a2.give(c.giver, c.receiver, SERVICE, ["read"], NOW - 1000)
    c.wait3({"read"})
    for turn in (1, 2, 3):
        c.a3.set_actions(c.giver, c.receiver, SERVICE, set(), None, system=CLEAN_UP)
        c.wait_rule("DL-37", turn)
        c.wait3({"read"})
    c.a3.set_actions(c.giver, c.receiver, SERVICE, set(), None, system=CLEAN_UP)
    wait_until("at the fourth loss restoring is parked", lambda: stack.query_authorization(
        "SELECT restore_parked_a3 FROM sync.deleg_key WHERE key_uuid = %s", c.uuid()) == [(True,)], 30)
    check(c.effective() == {"read"} and c.shows3() == set() and c.shows2() == {"read"}, "the right stays, its row does not")


def example_10_a_death_and_a_key_never_seen(stack):
    open_route(stack)
    c = Case(stack, "single", SERVICE)
    t = time.time() - 2000
    register = {"source": "SYS", "stream": "sys.register.1", "kind": "SCOPE", "by": "MACHINE",
                "scope": {"kind": "PARTY", "ids": [c.receiver_id], "final": True}}
    put(stack, TOPICS["sys"], {**register, "seq": 300, "op": "REVOKE_ALL", "event_time": micros(t + 700)})
    wait_until("the death is known", lambda: stack.query_authorization("SELECT count(*) FROM sync.sys_scope WHERE scope_id = %s",
                                                                       c.receiver_id)[0][0] == 1, 30)
    c.a2.give(c.giver, c.receiver, SERVICE, ["read"], t + 650)
    c.wait_rule("DL-26")
    c.a2.give(c.giver, c.receiver, SERVICE, ["write"], t + 900)
    c.wait_rule("DL-26", 2)
    check(c.effective() == set() and c.shows3() == set(), "the dead get nothing")
    put(stack, TOPICS["sys"], {**register, "seq": 320, "op": "LIFT", "event_time": micros(t + 1000)})
    wait_until("the mistake is known", lambda: stack.query_authorization("SELECT final FROM sync.sys_scope WHERE scope_id = %s",
                                                                         c.receiver_id) == [(False,)], 30)
    check(c.effective() == set(), "nothing returns by itself")
    c.a2.give(c.giver, c.receiver, SERVICE, ["sign"], time.time())
    c.wait3({"sign"})


def a_persons_last_revoke_in_altinn3_ends_the_grant_of_altinn2(stack):
    open_route(stack)
    c = Case(stack, "single", FORM)
    c.a2.give(c.giver, c.receiver, FORM, ["read"], NOW - 1000)
    c.wait3({"read"})
    c.a3.set_actions(c.giver, c.receiver, FORM, set(), None)
    c.wait2(set())
    c.wait(set())
    wait_until("Altinn 2 was told once", lambda: c.a2.calls(c.giver, c.receiver, FORM) == [[]] or
               str(c.a2.calls(c.giver, c.receiver, FORM)), 20)
    wait_until("its cache was cleared", lambda: stack.query_authorization("""
        SELECT count(*) FROM altinn2delegations.call WHERE path = 'cache' AND (from_party, to_party) = (%s, %s)""",
        c.giver, c.receiver)[0][0] >= 1, 30)


def a_grant_that_is_taken_back_before_it_left_never_reaches_altinn2(stack):
    open_route(stack)
    c = Case(stack, "single", SERVICE)
    stack.processes["altinn2-delegation-sim"].stop()
    c.a3.set_actions(c.giver, c.receiver, SERVICE, {"read"}, time.time())
    c.wait({"read"})
    c.a3.set_actions(c.giver, c.receiver, SERVICE, set(), None)
    c.wait(set())
    stack.processes["altinn2-delegation-sim"].start()
    other = Case(stack, "single", SERVICE)
    other.a3.set_actions(other.giver, other.receiver, SERVICE, {"sign"}, time.time())
    other.wait2({"sign"})
    given = [rights for rights in c.a2.calls(c.giver, c.receiver, SERVICE) if rights]
    check(given == [] and c.shows2() == set(), f"Altinn 2 was told {given}")


# -- what is not known --------------------------------------------------------------------------------------

def an_unknown_right_is_parked_alone(stack):
    open_route(stack)
    c = Case(stack, "single", SERVICE)
    c.a2.give(c.giver, c.receiver, SERVICE, ["read", "teleport"], NOW - 1000)
    c.wait3({"read"})
    parts = stack.query_authorization("SELECT part, field FROM sync.parked WHERE entity_key IN (%s, %s)", c.giver_id, f"p:{c.giver}")
    check(parts == [(True, "rights")], f"the part is parked: {parts}")
    c.a2.give(c.giver, c.receiver, SERVICE, ["teleport"], NOW - 999)
    c.wait_rule("DL-03")
    check(c.effective() == {"read"}, "and gives nothing")
    c.a2.give(c.giver, c.receiver, SERVICE, ["sign"], NOW - 998)
    c.wait3({"read", "sign"})


def an_unknown_action_of_the_role_feed_is_parked_and_the_next_event_flows(stack):
    open_route(stack)
    c = Case(stack, "role", "LOPER")
    stack.query_authorization("""INSERT INTO altinn2delegations.event (event_id, action, role, from_party, to_party, facilitator, who, at,
        role_delegation_id, visible_at, raw) VALUES (nextval('altinn2delegations.event_number'), 1, 'LOPER', %s, %s, 0, %s, now(), 1, now(),
        '{"delegationAction": "Explode"}')""", c.giver, c.receiver, OWN_USER - 1)
    c.wait_rule("DL-02")
    check(c.effective() == set(), "what nobody understands gives nothing")
    c.a2.give_role(c.giver, c.receiver, "LOPER", time.time())
    c.wait3({"*"})


def a_role_that_altinn3_does_not_know_waits_for_it(stack):
    open_route(stack)
    c = Case(stack, "role", "NYROL")
    c.a2.give_role(c.giver, c.receiver, "NYROL", time.time())
    c.wait({"*"})
    check(c.shows3() == set(), "there is no row for it")
    c.a2.give_role(c.giver, c.receiver, "UTINN", time.time())
    wait_until("its neighbour flows", lambda: c.a3.has_role(c.giver, c.receiver, "utinn"), 30)

    def add(cursor, stamp):
        cursor.execute("""INSERT INTO dbo.role (id, providerid, code, name, urn, description) SELECT gen_random_uuid(), providerid, 'nyrol',
                          'Ny rolle', 'urn:altinn:rolecode:nyrol', 'Ny rolle' FROM dbo.role WHERE code = 'utinn'""")
    c.a3.transaction(c.giver, CLEAN_UP, add)
    c.wait3({"*"})


def an_unknown_party_holds_its_own_records_only(stack):
    open_route(stack)
    c = Case(stack, "single", SERVICE)
    stranger = 90002
    stack.query_authorization("INSERT INTO altinn2delegations.party VALUES (%s, %s, gen_random_uuid())", stranger, 20000000 + stranger)
    c.a2.give(c.giver, stranger, SERVICE, ["read"], NOW - 1000)
    c.wait_rule("DL-08")
    c.a2.give(c.giver, c.receiver, SERVICE, ["read"], NOW - 999)
    c.wait3({"read"})
    identity = stack.query_authorization("SELECT uuid::text FROM altinn2delegations.party WHERE party_id = %s", stranger)[0][0]

    def add(cursor, stamp):
        cursor.execute("""INSERT INTO dbo.entity (id, typeid, variantid, name, refid, partyid, userid)
                          SELECT %s, typeid, variantid, 'Ny', 'ny', %s, %s FROM dbo.entity WHERE partyid = %s""",
                       (identity, stranger, 20000000 + stranger, c.receiver))
    c.a3.transaction(c.giver, CLEAN_UP, add)
    c.a3.party[stranger] = identity
    wait_until("the grant is released", lambda: c.a3.shows(c.giver, stranger, SERVICE) == {"read"}, 40)


def an_unknown_resource_holds_its_own_records_only(stack):
    open_route(stack)
    c = Case(stack, "single", SERVICE)
    stack.query_authorization("INSERT INTO altinn2delegations.resource VALUES ('ttd-service-9999', 9999, 1, ARRAY['read'])")
    c.a2.give(c.giver, c.receiver, "ttd-service-9999", ["read"], NOW - 1000)
    wait_until("it is held", lambda: stack.query_authorization(
        "SELECT missing_kind, missing_id FROM sync.hold WHERE missing_id = 'ttd-service-9999'") == [("resource", "ttd-service-9999")], 30)
    c.a2.give(c.giver, c.receiver, SERVICE, ["read"], NOW - 999)
    c.wait3({"read"})
    c.a2.take(c.giver, c.receiver, "ttd-service-9999", ["read"], NOW - 998)
    wait_until("its end is held behind it", lambda: stack.query_authorization(
        "SELECT count(*) FROM sync.hold WHERE missing_id = 'ttd-service-9999'") == [(2,)], 30)


if __name__ == "__main__":
    run([example_1_four_names_give_one_right_and_the_last_one_ends_it, example_2_what_altinn3_removed_does_not_come_back_by_an_export,
         example_3_live_overtakes_the_backlog, example_5_two_rules_on_one_message, example_6_a_role_and_its_package,
         example_4_a_weak_stream_without_times, example_7_a_client_role_before_its_relation, example_8_a_removal_is_remembered,
         example_9_a_job_that_tidies_up_does_not_take_what_a_person_gave, example_10_a_death_and_a_key_never_seen,
         a_persons_last_revoke_in_altinn3_ends_the_grant_of_altinn2, a_grant_that_is_taken_back_before_it_left_never_reaches_altinn2,
         an_unknown_right_is_parked_alone, an_unknown_action_of_the_role_feed_is_parked_and_the_next_event_flows,
         a_role_that_altinn3_does_not_know_waits_for_it, an_unknown_party_holds_its_own_records_only,
         an_unknown_resource_holds_its_own_records_only], "delegation-rules")
