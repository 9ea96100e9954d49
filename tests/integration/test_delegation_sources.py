#!/usr/bin/python3
"""What Altinn 2 says about delegations, on its way to Apache Kafka: calls, exports and the role feed of capture altinn2-delegation.

What arrived is read from the log files of Apache Kafka by delegation_log.py: never by our reader. No consumer runs: what an event
means is tested elsewhere.
"""
import collections
import http.server
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
import uuid

import delegation_log
from delegation_world import OWN_PARTY, OWN_USER, TOPICS, DelegationWorld
from harness import SEED, check, free_port, login, run, size, wait_until

NAME, LOGIN = "altinn2-delegation", "altinn-sync-altinn2-delegation"
SERVICE = "/accessmanagement/api/v1/delegations/"
MESSAGE = "/accessmanagement/api/v1/internal-a2/instance/"
FEED = "/roledelegationevent/api/getevents"
EXPORT = "/resourceregistry/api/v1/altinn2export/"
WATERMARK = "sync.delegation-watermark.v1"
POLL_MS, OVERLAP_MS = 200, 3000
FIRST = 50001  # party of tests, an organisation of the population
USER = 20000000
NOBODY = 49999999
world = None


# -- what every test needs --------------------------------------------------------------------------------

def start(stack, options=None):
    """The world once, and the capture with these options of section capture."""
    global world
    if world is None:
        world = DelegationWorld(stack, parties=40, resources=5, keys=300, seed=SEED, options={
            "capture": {"feed_poll_ms": POLL_MS, "feed_overlap_ms": OVERLAP_MS}})
        special(bridge={"delegation_command_path": None})  # of the consumers
        world.migrate()
        world.fill()
        for path in ("roles.sql", "authorization-grants.sql"):  # the capture has the rights of its own login, and no other
            stack.sql_file(f"examples/sql/{path}", "authorization")
        for row in world.population["resource"]:
            stack.query_authorization("INSERT INTO sync.resource_state (resource, type, service_code, edition, actions, phase)"
                                      " VALUES (%s, %s, %s, %s, %s, 2) ON CONFLICT DO NOTHING", row["id"].lower(), row["resourceType"],
                                      str(row["serviceCode"]) if row["serviceCode"] else None,
                                      row["serviceEdition"] if row["serviceCode"] else None, row["actions"])
    if options is not None:
        stop(stack)
    process = stack.processes.get(NAME)
    if not process or not process.alive():
        config = special(capture=options or {}, database={"dsn": "", "authorization_dsn": login(stack.authorization_dsn, LOGIN)})
        process = stack.sync_process(NAME, "capture", config=config).start()
        wait_until("the capture is ready", lambda: is_ready(process), 30)
    return process


def is_ready(process):
    try:
        with urllib.request.urlopen(f"http://{process.ready['http']}/readyz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def special(**options):
    """A configuration of the loop with other options; None takes one away, for good."""
    with open(world.loop_config, encoding="utf-8") as handle:
        sections = json.load(handle)
    for section, values in options.items():
        sections[section].update({k: v for k, v in values.items() if v is not None})
        for name in (k for k, v in values.items() if v is None):
            sections[section].pop(name, None)
            world.loop_config = world.write("loop", sections)
    return world.write("special", sections)


def stop(stack):
    process = stack.processes.get(NAME)
    if process and process.alive():
        check(process.stop() == 0, "the capture ends cleanly")


def records(stack, topic, marks=False):
    """Every record of a topic, in the order of each partition; marks in the stream left out unless they are wanted."""
    out = []
    for record in delegation_log.records(stack, topic):
        value = record["value"]
        if marks or value["kind"] != "CONTROL":
            out.append({**value, **{n: record[n] for n in ("partition", "offset", "key")}, "target": (value["target"] or {}).get("id")})
    return out


def watermarks(stack):
    return delegation_log.records(stack, WATERMARK, delegation_log.WATERMARK)


def call(path, body, timeout=30):
    """(code, answer) of a call as Altinn 2 makes it."""
    request = urllib.request.Request(f"http://127.0.0.1:{world.push_port}{path}", data=json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def uuid_of(party):
    return next(p["uuid"] for p in world.population["party"] if p["partyId"] == party)


def parties():
    return [p["partyId"] for p in world.population["party"]]


def policy(giver, user, resource):
    return {"offeredByPartyId": giver, "coveredBy": [{"id": "urn:altinn:userid", "value": str(user)}],
            "resource": [{"id": "urn:altinn:resource", "value": resource}]}


def rule(giver, user, resource, action, at=None, who=USER + 1):
    dated = {"delegatedDateTime": at} if at else {}
    return {**policy(giver, user, resource), "delegatedByUserId": who, "action": {"id": "action-id", "value": action}, **dated}


def message(number, giver, receiver, at, actions=("read",), who=None):
    body = {"authorizationruleid": number, "created": at, "fromuuid": uuid_of(giver), "touuid": uuid_of(receiver),
            "performedby": who or uuid_of(parties()[1]), "resourceid": "ttd-migratedcorrespondence-5100-2",
            "instanceid": str(uuid.uuid5(uuid.NAMESPACE_URL, str(number)))}
    return {**body, "actions": list(actions)} if actions else body


# -- calls ------------------------------------------------------------------------------------------------

def rules_of_a_call_are_grants_with_their_answer(stack):
    start(stack)
    giver = parties()[0]
    code, answer = call(SERVICE + "addrules", [rule(giver, USER + 2, "first", "Read"), rule(giver, USER + 3, "first", "Read"),
                                               rule(giver, USER + 2, "first", "Write", at="2025-03-04T09:00:00Z")])
    check(code == 201 and [r["action"]["value"] for r in answer] == ["Read", "Read", "Write"], f"{code} {answer}")
    check(all(r["createdSuccessfully"] and uuid.UUID(r["ruleId"]) for r in answer), "each rule has its id")
    again = call(SERVICE + "addrules", [rule(giver, USER + 2, "first", "Read")])[1]
    check(again[0]["ruleId"] == answer[0]["ruleId"], "a repeat gets the same id")
    found = [r for r in records(stack, TOPICS["altinn2"]) if r["target"] == "first"]
    check([(r["op"], r["rights"], r["to"]["user_id"]) for r in found] == [
        ("GRANT", ["Read", "Write"], USER + 2), ("GRANT", ["Read"], USER + 3), ("GRANT", ["Read"], USER + 2)], f"{found}")
    check(all(r["key"] == uuid_of(giver) == r["from"]["uuid"] and r["weak"] and r["stream"] == "a2.rule.1" for r in found), f"{found}")
    check([r["seq"] for r in found] == sorted({r["seq"] for r in found}), "numbers rise")
    check(found[0]["event_time"] is None and found[0]["by"] == "HUMAN" and found[0]["origin_source"] is None, f"{found[0]}")


def deletions_find_their_actions_again(stack):
    start(stack)
    giver = parties()[2]
    names = ["Read", "ArchiveDelete", "Sign", "strange"]
    ids = [r["ruleId"] for r in call(SERVICE + "addrules", [rule(giver, USER + 2, "second", n) for n in names])[1]]
    match = {"deletedByUserId": USER + 1, "policyMatch": policy(giver, USER + 2, "second")}
    code, answer = call(SERVICE + "deleterules", [{**match, "ruleIds": ids[:2]}])
    check(code == 200 and {r["ruleId"] for r in answer} == set(ids[:2]), f"{code} {answer}")
    code, answer = call(SERVICE + "deleterules", [{**match, "ruleIds": [ids[2], ids[3], str(uuid.uuid4())]}])
    check(code == 206 and [r["ruleId"] for r in answer] == [ids[2]], f"what nobody knows is not taken for anything: {code} {answer}")
    stack.query_authorization("INSERT INTO sync.resource_state VALUES ('second', 'AltinnApp', NULL, NULL, '{strange}', 2, NULL)"
                              " ON CONFLICT DO NOTHING")
    code, answer = call(SERVICE + "deleterules", [{**match, "ruleIds": [ids[3]]}])
    check(code == 200, f"the policy names it: {code} {answer}")
    code, answer = call(SERVICE + "deleterules", [{**match, "ruleIds": [str(uuid.uuid4())]}])
    check(code == 206 and answer == [], f"{code} {answer}")
    check(call(SERVICE + "deletepolicy", [match]) == (200, []), "the whole policy")
    elements = []
    for user in range(USER + 10, USER + 20):  # several policies in one call
        given = [r["ruleId"] for r in call(SERVICE + "addrules", [rule(giver, user, "several", n) for n in names[:3]])[1]]
        elements.append({"deletedByUserId": 1, "policyMatch": policy(giver, user, "several"), "ruleIds": given})
    code, answer = call(SERVICE + "deleterules", elements)
    check(code == 200 and [r["ruleId"] for r in answer] == [i for e in elements for i in e["ruleIds"]], f"{code} {answer}")
    ended = [r for r in records(stack, TOPICS["altinn2"]) if r["target"] == "several" and r["op"] == "REVOKE"]
    check([(r["to"]["user_id"], len(r["rights"])) for r in ended] == [(u, 3) for u in range(USER + 10, USER + 20)], f"{ended}")
    found = [(r["op"], sorted(r["rights"])) for r in records(stack, TOPICS["altinn2"]) if r["target"] == "second"]
    check(found[1:] == [("REVOKE", ["archivedelete", "read"]), ("REVOKE", ["sign"]), ("REVOKE", ["strange"]), ("REVOKE_ALL", [])],
          f"{found}")


def a_deletion_that_names_the_user_otherwise_finds_the_rule(stack):
    start(stack)
    giver, receiver = parties()[4], next(p for p in world.population["party"] if p.get("userId"))
    ids = [r["ruleId"] for r in call(SERVICE + "addrules", [rule(giver, receiver["userId"], "third", "Read")])[1]]
    match = {**policy(giver, 0, "third"), "coveredBy": [{"id": "urn:altinn:person:uuid", "value": receiver["uuid"]}]}
    code, answer = call(SERVICE + "deleterules", [{"deletedByUserId": 1, "policyMatch": match, "ruleIds": ids}])
    check(code == 200, f"the party table knows that they are one: {code} {answer}")


def rules_of_messages_carry_their_number(stack):
    start(stack)
    giver, receiver = parties()[0], parties()[3]
    at = "2025-03-04T10:00:00+01:00"
    check(call(MESSAGE + "delegation", message(501, giver, receiver, at, ("read", "sign"))) == (201, None), "a rule")
    check(call(MESSAGE + "revoke", message(501, giver, receiver, "2025-03-05T10:00:00+01:00", None)) == (204, None), "its end")
    check(call(MESSAGE + "revoke", message(502, giver, receiver, at, None)) == (204, None), "also when there was nothing")
    found = [r for r in records(stack, TOPICS["altinn2"]) if r["kind"] == "INSTANCE"]
    check([(r["op"], r["refs"], r["rights"]) for r in found] == [
        ("GRANT", ["501"], ["read", "sign"]), ("REVOKE", ["501"], []), ("REVOKE", ["502"], [])], f"{found}")
    check(found[0]["stream"] == "a2.message.1" and found[0]["key"] == uuid_of(giver), f"{found[0]}")
    check(found[0]["event_time"] == 1741078800000000, f"{found[0]}")


def the_same_dated_acts_are_published_once(stack):
    start(stack)
    giver, at = parties()[5], "2025-03-04T09:00:00Z"
    for body in ([rule(giver, USER + 2, "dated", "Read", at)], [rule(giver, USER + 2, "undated", "Read")]):
        check([call(SERVICE + "addrules", body)[0] for _ in range(3)] == [201] * 3, "repeats are answered like the first")
    count = collections.Counter(r["target"] for r in records(stack, TOPICS["altinn2"]))
    check(count["dated"] == 1 and count["undated"] == 3, f"{count}")


def what_our_bridge_did_comes_back_as_an_echo(stack):
    start(stack)
    giver = parties()[6]
    check(call(SERVICE + "addrules", [rule(giver, USER + 2, "echo", "Read", who=OWN_USER), rule(giver, USER + 2, "echo", "Write")])[0] == 201, "")
    check(call(MESSAGE + "delegation", message(503, giver, parties()[3], "2025-03-04T10:00:00Z", who=OWN_PARTY))[0] == 201, "")
    found = [r for r in records(stack, TOPICS["altinn2"]) if r["key"] == uuid_of(giver)]
    check([(r["rights"], r["origin_source"], r["by"]) for r in found] == [
        (["Read"], "A3", "MACHINE"), (["Write"], None, "HUMAN"), (["read"], "A3", "MACHINE")], f"{found}")


def a_giver_that_nobody_knows_is_published_by_his_number(stack):
    start(stack)
    check(call(SERVICE + "addrules", [rule(NOBODY, USER + 2, "nobody", "Read")])[0] == 201, "form is right, so it is taken")
    found = [r for r in records(stack, TOPICS["altinn2"]) if r["target"] == "nobody"]
    check([(r["key"], r["from"]["uuid"]) for r in found] == [(f"p:{NOBODY}", None)], f"{found}")


def marks_say_how_far_each_stream_has_come(stack):
    start(stack)
    call(SERVICE + "addrules", [rule(parties()[0], USER + 2, "marks", "Read")])
    number = max(r["seq"] for r in records(stack, TOPICS["altinn2"]) if r["target"] == "marks")

    def told():
        ticks = [r for r in records(stack, TOPICS["altinn2"], marks=True) if r["kind"] == "CONTROL" and r["seq"] >= number]
        return {(r["stream"], r["partition"]) for r in ticks} >= {(s, p) for s in ("a2.rule.1", "a2.message.1") for p in range(4)}

    wait_until("every partition was told the position of both streams", told, 30, every=2)
    for partition in range(4):  # nothing with a number up to a mark comes behind it
        highest = 0
        for r in (r for r in records(stack, TOPICS["altinn2"], marks=True) if r["partition"] == partition and r["stream"] != "a2.role.1"):
            check(r["kind"] == "CONTROL" or r["seq"] > highest, f"behind the mark of {highest}: {r}")
            highest = max(highest, r["seq"]) if r["kind"] == "CONTROL" else highest


# -- exports ----------------------------------------------------------------------------------------------

def an_export_is_rows_with_their_numbers_and_an_end_with_counts(stack):
    start(stack)
    snapshot = str(uuid.uuid4())
    code, answer = call(f"/export/{snapshot}/begin", {})
    position = answer["snapshotPos"]
    check(code == 200 and call(f"/export/{snapshot}/begin", {})[1]["snapshotPos"] == position, "an export has one position")
    live = call(SERVICE + "addrules", [rule(parties()[0], USER + 2, "exported", "Read")])
    check(live[0] == 201, "live goes on")
    base = f"/export/{snapshot}/{position}"
    rows = [[rule(g, USER + 2, "exported", a, "2024-01-02T03:04:05Z") for a in ("Read", "Write")] for g in parties()]
    for row in rows:
        check(call(base + SERVICE + "addrules", row)[0] == 201, "a row")
    check(call(base + SERVICE + "addrules", [r for row in rows[:10] for r in row])[0] == 201, "rows that were sent before")
    check(call(base + SERVICE + "deletepolicy", [{"deletedByUserId": 1, "policyMatch": policy(1, 2, "exported")}])[0] == 400, "grants only")
    code, answer = call(base + "/end", {"resource": "exported", "count": len(rows) + 1})
    check(code == 409, f"a row is missing: {code} {answer}")
    code, answer = call(base + "/end", {"resource": "exported", "count": len(rows)})
    check(code == 200 and answer["stored"] == len(rows), f"{code} {answer}")
    check(call(f"/export/{snapshot}/{position + 1}/end", {"resource": "exported", "count": 0})[0] == 409, "not at another position")
    check(call(f"/export/{uuid.uuid4()}/{10 ** 12}{SERVICE}addrules", rows[0])[0] == 400, "not above what was ever said")
    found = [r for r in records(stack, TOPICS["backlog2"], marks=True) if r["snapshot_id"] == snapshot]
    grants = [r for r in found if r["kind"] == "SINGLE"]
    ends = [r for r in found if r["op"] == "END"]
    check(len({(r["seq"], r["key"]) for r in grants}) == len({r["seq"] for r in grants}) == len(rows), "a repeat has the number of its row")
    check(all(r["rights"] == ["Read", "Write"] and r["snapshot_pos"] == position and r["op"] == "GRANT" for r in grants), f"{grants[0]}")
    check({r["partition"]: r["seq"] for r in ends} == {p: len({r["seq"] for r in grants if r["partition"] == p}) for p in range(4)},
          f"each partition is told its own count: {ends}")
    check(all(r["target"] == "exported" for r in ends) and len(ends) == 4, f"{ends}")
    check([r for r in records(stack, TOPICS["altinn2"]) if r["snapshot_id"]] == [], "no row of it is live")


def an_empty_export_ends_too(stack):
    start(stack)
    snapshot = str(uuid.uuid4())
    position = call(f"/export/{snapshot}/begin", {})[1]["snapshotPos"]
    check(call(f"/export/{snapshot}/{position}/end", {"resource": "nothing", "count": 0})[0] == 200, "")
    ends = [r for r in records(stack, TOPICS["backlog2"], marks=True) if r["snapshot_id"] == snapshot]
    check([(r["op"], r["seq"]) for r in ends] == [("END", 0)] * 4, f"{ends}")


# -- the broker, the process ------------------------------------------------------------------------------

class Caller:
    """Makes calls as Altinn 2's job does: the same again until it is answered well. Remembers what it was promised."""

    def __init__(self, name, giver):
        self.name, self.giver, self.codes, self.promised = name, giver, collections.Counter(), set()
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        number = 0
        while not self.ending.is_set():
            number += 1
            resource = f"{self.name}-{number}"
            while not self.ending.is_set():
                try:
                    code = call(SERVICE + "addrules", [rule(self.giver, USER + 2, resource, "Read", "2025-03-04T09:00:00Z")], 20)[0]
                except OSError:
                    code = 0
                self.codes[code] += 1
                if code == 201:
                    self.promised.add(resource)
                    break
                self.ending.wait(0.1)

    def end(self):
        self.ending.set()
        self.thread.join(30)
        check(not self.thread.is_alive(), "the caller ends")


def while_the_broker_is_away_nobody_is_promised_anything(stack):
    start(stack)
    caller = Caller("broker", parties()[7])
    wait_until("calls go through", lambda: len(caller.promised) > 5, 30)
    stack.shell("dev/kafka.sh", "stop", stack.kafka_directory)
    wait_until("a call was refused", lambda: caller.codes[503] > 0, 60)
    before = len(caller.promised)
    wait_until("more are refused", lambda: caller.codes[503] > 2, 60)
    check(len(caller.promised) <= before + 1, "what was under way at most")
    stack.shell("dev/kafka.sh", "start", stack.kafka_directory)
    count = len(caller.promised)
    wait_until("calls go through again", lambda: len(caller.promised) > count + 5, 90)
    caller.end()
    check(set(caller.codes) <= {201, 503}, f"{caller.codes}")
    there = {r["target"] for r in records(stack, TOPICS["altinn2"]) if r["target"].startswith("broker-")}
    check(caller.promised <= there, f"promised and not there: {caller.promised - there}")


# -- the role feed ----------------------------------------------------------------------------------------

class Feed:
    """A bridge with a role feed, whose pages go by the number of their first event and lead where they are told to, and with exports,
    which are only written down: the rows are the test's."""

    def __init__(self, port):
        self.events, self.calls, self.size, self.pages, self.lock = {}, [], 3, {}, threading.Lock()
        self.orders, self.order_code = [], 201
        self.base, feed = f"http://127.0.0.1:{port}", self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with feed.lock:
                    feed.calls.append(self.path)
                    code, text = feed.answer(self.path)
                self.reply(code, text)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with feed.lock:
                    feed.orders.append((self.path, feed.order_code, body))
                self.reply(feed.order_code, b"")

            def reply(self, code, text):
                self.send_response(code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.server.shutdown()
        self.server.server_close()

    def link(self, after):
        return f"{self.base}{FEED}?subscriptionId=10&after={after}"

    def ordered(self):
        return [body for path, code, body in self.orders if code == 201 and path == EXPORT + "exportdelegations"]

    def answer(self, path):
        if path.startswith(EXPORT + "delegationcount?"):
            return 200, json.dumps({"numberOfDelegations": 9, "numberOfRelations": 4}).encode()
        after = int(path.rpartition("after=")[2]) if "after=" in path else 0
        special = self.pages.get(after)
        if isinstance(special, int):
            return special, b""
        ids = [i for i in sorted(self.events) if i > after][:self.size]
        full = len(ids) == self.size
        page = {"stats": {"pageStart": ids[0] if ids else after, "pageEnd": ids[-1] if ids else after,
                          "sequenceMax": max(self.events, default=0)},
                "links": {"next": special if special is not None else self.link(ids[-1]) if full else ""},
                "data": [{"altinnRoleDelegationEventId": i, **self.events[i]} for i in ids]}
        return 200, json.dumps(page).encode()

    def add(self, number, **members):
        giver, receiver = parties()[8], parties()[9]
        event = {"delegationAction": "Delegate", "roleTypeCode": "HADM  ", "fromPartyId": giver, "fromPartyUuid": uuid_of(giver),
                 "toPartyId": receiver, "toUserPartyUuid": uuid_of(receiver), "toUserType": "SSNIdentified",
                 "delegationChangeDateTime": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()), "performedByUserId": USER + 1}
        with self.lock:
            self.events[number] = {**event, **members}


def forget_feed(stack):
    """The capture as it is before its first start, on a new number line."""
    start(stack)
    stop(stack)
    stack.query_authorization("UPDATE sync.source SET continuation = NULL, feed_highest = NULL, feed_gaps = NULL,"
                              " generation = generation + 1 WHERE name = %s", NAME)
    stack.query_authorization("DELETE FROM sync.backfill WHERE capture = %s", NAME)
    stack.query_authorization("DELETE FROM sync.source_gap WHERE name = %s", NAME)
    return f"a2.role.{generation(stack)}"


def generation(stack):
    return stack.query_authorization("SELECT generation FROM sync.source WHERE name = %s", NAME)[0][0]


def roles(stack, stream):
    """Numbers of the events of a stream: (of the backlog, live)."""
    return tuple([r["seq"] for r in records(stack, TOPICS[t]) if r["stream"] == stream] for t in ("backlog2", "altinn2"))


def source_row(stack):
    return stack.query_authorization("SELECT coalesce(feed_highest, 0), coalesce(feed_gaps::text, '[]') FROM sync.source"
                                     " WHERE name = %s", NAME)[0]


def logged(stack, name):
    return [line for line in stack.processes[NAME].lines() if line.get("msg") == name]


def the_first_load_is_history_and_the_rest_live(stack):
    stream = forget_feed(stack)
    with Feed(world.bridge_port) as feed:
        for number in range(1, 12):
            feed.add(number)
        start(stack)
        wait_until("the first load is done", lambda: stack.query_authorization(
            "SELECT state, rows_done, high_pos FROM sync.backfill WHERE capture = %s", NAME) == [("done", 11, 11)], 30)
        feed.add(12, delegationAction=2)
        feed.add(14, delegationAction="Wish")
        feed.add(15, toUserType="EnterpriseIdentified")
        feed.add(16, delegationAction="DelegationSchemeCascadingDelete", performedByPartyId=parties()[10])
        wait_until("live has come", lambda: source_row(stack)[0] == 16, 30)
        feed.add(13)  # late
        wait_until("the late one has come", lambda: source_row(stack) == (16, "[]"), 30)
        backlog, live = roles(stack, stream)
        check(backlog == list(range(1, 12)) and sorted(live) == [12, 13, 14, 15, 16], f"{backlog} {live}")
        found = {r["seq"]: r for r in records(stack, TOPICS["altinn2"]) if r["stream"] == stream}
        check([found[n]["op"] for n in range(12, 17)] == ["REVOKE", "GRANT", "LIFT", "GRANT", "REVOKE"], f"{found}")
        check(found[13]["target"] == "HADM" and not found[13]["weak"] and found[13]["rights"] == ["*"], f"{found[13]}")
        check(found[15]["to"]["type"] == "EnterpriseIdentified", f"{found[15]}")
        check(found[16]["by"] == "MACHINE" and found[16]["facilitator"]["party_id"] == parties()[10], f"{found[16]}")
        check(len(logged(stack, "feed_event_unknown")) == 1, "an action that nobody knows is told")
        stop(stack)


def a_link_that_leads_elsewhere_is_refused_and_nothing_of_its_page_taken(stack):
    stream = forget_feed(stack)
    with Feed(world.bridge_port) as feed, Feed(free_port()) as foreign:
        for number in range(1, 8):
            feed.add(number)
            foreign.add(number + 100)
        feed.pages[3] = foreign.link(0)
        start(stack)
        wait_until("it is told", lambda: logged(stack, "feed_refused"), 30)
        check(foreign.calls == [], "the foreign address was not called")
        check(roles(stack, stream) == ([1, 2, 3], []), "the page before it was taken")
        feed.pages.clear()
        wait_until("it goes on when the link is right", lambda: source_row(stack)[0] == 7, 30)
        check(roles(stack, stream) == (list(range(1, 8)), []), "each once")
        stop(stack)


def pages_that_come_twice_or_are_empty_do_no_harm(stack):
    stream = forget_feed(stack)
    with Feed(world.bridge_port) as feed:
        for number in range(1, 10):
            feed.add(number)
        feed.pages[3] = feed.link(3)  # leads to itself
        feed.pages[9] = feed.link(9)  # an empty last page that leads to itself
        start(stack)
        wait_until("a page that leads to itself ends the drain", lambda: logged(stack, "feed_circle"), 30)
        feed.pages[3] = feed.link(0)  # and a circle of two
        wait_until("so does a circle", lambda: len(logged(stack, "feed_circle")) > 1, 30)
        del feed.pages[3]
        wait_until("it goes on", lambda: source_row(stack)[0] == 9, 30)
        feed.add(10)
        wait_until("behind the empty page", lambda: source_row(stack)[0] == 10, 30)
        backlog, live = roles(stack, stream)
        check(sorted(backlog + live) == list(range(1, 11)), f"each once: {backlog} {live}")
        stop(stack)


def an_id_that_never_comes_is_given_up_with_an_alarm(stack):
    forget_feed(stack)
    with Feed(world.bridge_port) as feed:
        feed.add(1)
        start(stack)
        wait_until("the first load is done", lambda: source_row(stack)[0] == 1, 30)
        feed.add(2)
        feed.add(5)
        wait_until("two are missing", lambda: '"last": 4' in source_row(stack)[1], 30)
        wait_until("and are given up", lambda: source_row(stack)[1] == "[]" and logged(stack, "feed_ids_missing"), 60)
        check(logged(stack, "feed_ids_missing")[-1]["count"] == 2, f"{logged(stack, 'feed_ids_missing')}")
        stop(stack)


def a_feed_that_went_back_or_lost_our_place_stops_with_a_gap_on_record(stack):
    forget_feed(stack)
    with Feed(world.bridge_port) as feed:
        for number in range(1, 8):
            feed.add(number)
        start(stack)
        wait_until("all is read", lambda: source_row(stack)[0] == 7, 30)
        with feed.lock:
            feed.pages.update({n: 404 for n in range(1, 8)})
        wait_until("an expired link stops it", lambda: stack.query_authorization(
            "SELECT count(*) FROM sync.source_gap WHERE name = %s AND closed_at IS NULL", NAME)[0][0] == 1, 30)
        check(call(SERVICE + "addrules", [rule(parties()[0], USER + 2, "beside", "Read")])[0] == 201, "calls go on")
        stop(stack)
        feed.pages.clear()
        start(stack)
        wait_until("a restart does not help", lambda: logged(stack, "feed_stopped"), 30)
        stop(stack)
        stack.query_authorization("UPDATE sync.source_gap SET closed_at = now() WHERE name = %s", NAME)
        with feed.lock:
            feed.events = {1: feed.events[1]}
        start(stack)
        wait_until("nor does a feed that is younger than we are", lambda: stack.query_authorization(
            "SELECT count(*) FROM sync.source_gap WHERE name = %s AND closed_at IS NULL", NAME)[0][0] == 1, 30)
        stop(stack)
        stack.query_authorization("UPDATE sync.source_gap SET closed_at = now() WHERE name = %s", NAME)


def two_readers_share_the_feed_where_a_link_for_live_is_known(stack):
    stream = forget_feed(stack)
    with Feed(world.bridge_port) as feed:
        for number in range(1, 41):
            feed.add(number)
        with feed.lock:
            feed.pages[9] = 503  # the first load stands still here
        start(stack, {"feed_start_link": feed.link(38)})
        wait_until("the first load has begun", lambda: stack.query_authorization(
            "SELECT high_pos FROM sync.backfill WHERE capture = %s", NAME) == [(40,)], 30)
        feed.add(41)
        wait_until("live does not wait", lambda: source_row(stack)[0] == 41, 30)
        check(41 in roles(stack, stream)[1], "the newest event is live")
        wait_until("the first load is under way", lambda: stack.query_authorization(
            "SELECT state, low_pos, high_pos FROM sync.backfill WHERE capture = %s", NAME) == [("running", 9, 40)], 30)
        stack.query_authorization("UPDATE sync.backfill SET state = 'paused', updated_at = now() WHERE capture = %s", NAME)
        wait_until("it is asked again whether it is paused", lambda: stack.query_authorization(
            "SELECT now() > updated_at + interval '2 s' FROM sync.backfill WHERE capture = %s", NAME)[0][0], 30)
        with feed.lock:
            feed.pages.clear()
        feed.add(42)
        wait_until("live goes on", lambda: source_row(stack)[0] == 42, 30)
        check(stack.query_authorization("SELECT low_pos FROM sync.backfill WHERE capture = %s", NAME) == [(9,)], "a paused load rests")
        stack.query_authorization("UPDATE sync.backfill SET state = 'running' WHERE capture = %s", NAME)
        wait_until("and is done when it goes on", lambda: stack.query_authorization(
            "SELECT state, low_pos FROM sync.backfill WHERE capture = %s", NAME) == [("done", 40)], 30)
        backlog, live = roles(stack, stream)
        check(set(backlog) == set(range(1, 41)) and {41, 42} <= set(live), f"{backlog} {live}")
        stop(stack)


def rewind_feed(stack, highest):
    """An older checkpoint, as a restored database has it."""
    stop(stack)
    stack.query_authorization("UPDATE sync.source SET continuation = %s, feed_highest = %s, feed_gaps = NULL WHERE name = %s",
                              f"http://127.0.0.1:{world.bridge_port}{FEED}?subscriptionId=10", highest, NAME)


def killed_and_rewound_in_the_middle_nothing_is_lost_or_invented(stack):
    stream = forget_feed(stack)
    world.start_altinn2(rate=size(40, 200), extra=["--late-seconds", "1.5", "--delay-seconds", "0.5", "--repeat-percent", "5",
                                                   "--page-size", "20"])
    start(stack)
    caller = Caller("kill", parties()[11])
    for turn in range(size(6, 20)):
        read = source_row(stack)[0]
        wait_until("the feed moves", lambda read=read: source_row(stack)[0] > read + 10, 60)
        stack.processes[NAME].kill()
        if turn == 3:
            rewind_feed(stack, 5)
        start(stack)
    world.stop_acting()
    caller.end()
    wait_until("everything is told", lambda: not any(world.state()[n] for n in ("pending", "unread")), 300)
    events = dict(stack.query_authorization("SELECT event_id, action FROM altinn2delegations.event"))
    wait_until("the feed is read", lambda: source_row(stack)[0] == max(events), 60)
    seen = [r for t in ("backlog2", "altinn2") for r in records(stack, TOPICS[t]) if r["stream"] == stream]
    check({r["seq"] for r in seen} == set(events), f"lost {set(events) - {r['seq'] for r in seen}}, "
          f"invented {({r['seq'] for r in seen} - set(events))}")
    ops = {1: "GRANT", 2: "REVOKE", 3: "REVOKE"}
    wrong = [r for r in seen if ops[events[r["seq"]]] != r["op"]]
    check(not wrong, f"{wrong[:3]}")
    bodies = collections.defaultdict(set)
    for r in seen:
        bodies[r["seq"]].add(json.dumps({k: v for k, v in r.items() if k not in ("offset", "partition", "capture_time")}, sort_keys=True))
    check(all(len(b) == 1 for b in bodies.values()), "what came again is what came before")
    live = records(stack, TOPICS["altinn2"])
    there = {r["target"] for r in live if r["target"].startswith("kill-")}
    check(caller.promised <= there, f"promised and not there: {caller.promised - there}")
    pushed = [r for r in live if r["stream"].split(".")[1] in ("rule", "message")]
    check(len({(r["stream"], r["seq"]) for r in pushed}) == len(pushed), "no number was given twice")
    check_reports(stack, pushed)


def check_reports(stack, pushed):
    """Every report that the batch job has told is on the topic, and nothing else."""
    rows = stack.query_authorization("""SELECT kind, op, from_party, lower(target), instance, rule FROM altinn2delegations.report
                                         WHERE pushed_at IS NOT NULL AND (kind = 1 OR op = 0)""")
    told = {(o, str(rule)) if k == 1 else (o, f, t) for k, o, f, t, _, rule in rows}
    ops = {"GRANT": 0, "REVOKE": 1, "REVOKE_ALL": 2}
    names = {p["uuid"]: p["partyId"] for p in world.population["party"]}
    seen = set()
    for r in pushed:
        if r["kind"] == "INSTANCE":
            seen.add((ops[r["op"]], r["refs"][0]))
        elif r["op"] == "GRANT":
            seen.add((0, names.get(r["from"]["uuid"]), r["target"]))
    check(told <= seen, f"told and not there: {list(told - seen)[:3]}")


def exports_of_the_simulator_survive_kills(stack):
    start(stack)
    if "altinn2-delegation-sim" not in stack.processes:
        world.start_altinn2(rate=0)
    snapshot, resource = str(uuid.uuid4()), world.population["resource"][0]["id"]
    position = call(f"/export/{snapshot}/begin", {})[1]["snapshotPos"]
    body = {"resourceId": resource, "snapshotId": snapshot, "snapshotPos": position}
    order = urllib.request.Request(f"http://127.0.0.1:{world.bridge_port}/resourceregistry/api/v1/altinn2export/exportdelegations",
                                   data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(order, timeout=10) as answer:
        check(answer.status == 201, "the export is ordered")
    stack.processes[NAME].kill()
    start(stack)
    wait_until("the export has ended", lambda: not world.state()["exporting"], 60)
    found = [r for r in records(stack, TOPICS["backlog2"], marks=True) if r["snapshot_id"] == snapshot]
    sent = stack.query_authorization("SELECT rows_sent FROM altinn2delegations.export WHERE snapshot = %s", snapshot)[0][0]
    grants = {r["seq"] for r in found if r["op"] == "GRANT"}
    counted = {r["partition"]: r["seq"] for r in found if r["op"] == "END"}
    check(len(grants) == sum(counted.values()) >= sent, f"{len(grants)} rows, counted {counted}, sent {sent}")


# -- the load ---------------------------------------------------------------------------------------------

def backfill(stack, *words, code=0):
    done = stack.verb("--yes", "capture", "backfill", NAME, *words, config=world.config, check=False)
    check(done.returncode == code, f"{words}: exit {done.returncode}: {done.stdout} {done.stderr}")
    return done.stdout + done.stderr


def order_backfill(stack, action, code=0):
    return backfill(stack, action, "--reason", "test", code=code)


def parts(stack):
    """State, rows and estimate of every resource of the load."""
    rows = stack.query_authorization("SELECT table_name, state, rows_done, rows_total FROM sync.backfill WHERE capture = %s"
                                     " AND table_name <> 'role_feed'", NAME)
    return {name: (state, done, total) for name, state, done, total in rows}


def stop_simulator(stack):
    if "altinn2-delegation-sim" in stack.processes:
        stack.processes["altinn2-delegation-sim"].stop()


def an_operator_loads_what_altinn2_has_one_resource_after_the_other(stack):
    forget_feed(stack)
    stop_simulator(stack)
    names = sorted(r[0] for r in stack.query_authorization("SELECT resource FROM sync.resource_state WHERE lower(type) <> 'altinn2service'"))
    stack.query_authorization("UPDATE sync.resource_state SET phase = CASE WHEN resource = %s THEN 2 ELSE 1 END", names[0])
    with Feed(world.bridge_port) as feed:
        feed.add(1)
        feed.order_code = 503
        process = start(stack)
        backfill(stack, "start", "--reason", "test", "--rate", "5", code=2)  # Altinn 2 decides how fast it is
        order_backfill(stack, "pause", code=5)  # none is going on
        order_backfill(stack, "start")
        order_backfill(stack, "start", code=5)  # one is open
        place = wait_until("the first has its place in the stream", lambda: stack.query_authorization(
            "SELECT low_pos, generation FROM sync.backfill, sync.source WHERE capture = name AND table_name = %s AND low_pos IS NOT NULL",
            names[0]), 30)[0]
        wait_until("a mark later", lambda: stack.query_authorization(
            "SELECT now() > updated_at + interval '5 s' FROM sync.backfill WHERE table_name = %s", names[0])[0][0], 30)
        check(feed.orders == [], "where we write, the order waits for live to have passed the place")
        for partition in range(4):
            stack.query_authorization("INSERT INTO sync.stream_pos VALUES (%s, now(), %s, %s, %s)", place[0], partition,
                                      f"a2.rule.{place[1]}", TOPICS["altinn2"])
        wait_until("what fails is asked for again", lambda: len(feed.orders) > 1, 30)
        check(feed.ordered() == [] and set(parts(stack)) == set(names), f"{parts(stack)}")
        feed.order_code = 201
        wait_until("the first is ordered", feed.ordered, 30)
        order = feed.ordered()[0]
        check(order["resourceId"] == names[0] and uuid.UUID(order["snapshotId"]) and order["snapshotPos"] >= 0, f"{order}")
        wait_until("its size was asked for", lambda: parts(stack)[names[0]] == ("running", 0, 4), 10)
        base = f"/export/{order['snapshotId']}/{order['snapshotPos']}"
        rows = [[rule(g, USER + 2, names[0], "Read", "2024-01-02T03:04:05Z")] for g in parties()[:4]]
        check(call(base + SERVICE + "addrules", rows[0])[0] == 201, "a row")
        check(parts(stack)[names[0]] == ("running", 1, 4), f"{parts(stack)}")
        order_backfill(stack, "pause")
        check(call(base + SERVICE + "addrules", rows[1])[0] == 503, "a paused load takes no rows")
        check(call(base + "/end", {"resource": names[0], "count": 1})[0] == 503, "and no end")
        check("25.0" in backfill(stack, "status", code=3), "how far it is")
        order_backfill(stack, "resume")
        process.kill()
        start(stack)
        for row in (*rows[1:], rows[1]):  # one of them twice
            check(call(base + SERVICE + "addrules", row)[0] == 201, "it goes on behind a kill")
        check(call(base + "/end", {"resource": names[0], "count": 4})[0] == 200, "the end")
        wait_until("and is done", lambda: parts(stack)[names[0]] == ("done", 4, 4), 10)
        wait_until("then the next is ordered", lambda: [o["resourceId"] for o in feed.ordered()] == names[:2], 30)
        order_backfill(stack, "cancel")
        base = f"/export/{feed.ordered()[1]['snapshotId']}/{feed.ordered()[1]['snapshotPos']}"
        check(call(base + SERVICE + "addrules", [rule(parties()[0], USER + 2, names[1], "Read")])[0] == 410, "a cancelled load is over")
        feed.order_code = 400  # of none of them Altinn 2 knows anything
        order_backfill(stack, "start")
        wait_until("what Altinn 2 refuses is left out", lambda: {p[0] for p in parts(stack).values()} == {"cancelled"}, 60)
        check(len({o[2]["snapshotId"] for o in feed.orders}) == 2 + len(names), "a new load has snapshots of its own")
        found = [r for r in records(stack, TOPICS["backlog2"], marks=True) if r["snapshot_id"] == order["snapshotId"]]
        check(len({r["seq"] for r in found if r["op"] == "GRANT"}) == 4 == sum(r["seq"] for r in found if r["op"] == "END"), f"{found}")
        stop(stack)


def the_whole_state_of_the_simulator_is_loaded_beside_live(stack):
    forget_feed(stack)
    stop_simulator(stack)
    stack.query_authorization("UPDATE sync.resource_state SET phase = 1")  # we do not write to Altinn 2 yet
    world.start_altinn2(rate=size(20, 100))  # people go on
    start(stack)
    known = {r["id"].lower() for r in world.population["resource"]}  # other tests have made more, which Altinn 2 refuses
    order_backfill(stack, "start")
    caller = Caller("beside", parties()[12])

    def loaded():
        states = [p[0] for name, p in parts(stack).items() if name in known]
        check(len(states) == len(known) and set(states) <= {"planned", "running", "done"}, f"{states}")
        return states.count("done")

    for done in range(3):
        wait_until("the load goes on", lambda done=done: loaded() > done, 60)
        stack.processes[NAME].kill()
        start(stack)
    watched = stack.verb("capture", "backfill", NAME, "status", "--watch", config=world.config, check=False)
    check("100.0 %" in watched.stderr and loaded() == len(known), f"it is watched until it is over: {watched.stderr}")
    world.stop_acting()
    caller.end()
    check(len(caller.promised) > 5, "live did not wait")
    found = records(stack, TOPICS["backlog2"], marks=True)
    snapshots = dict(stack.query_authorization("SELECT snapshot_id::text, table_name FROM sync.backfill WHERE snapshot_id IS NOT NULL"
                                               " AND state = 'done'"))
    positions = dict(stack.query_authorization("SELECT snapshot_id::text, snapshot_pos FROM sync.export"))
    for snapshot, resource in snapshots.items():
        rows = [r for r in found if r["snapshot_id"] == snapshot]
        grants = {r["seq"] for r in rows if r["op"] == "GRANT"}
        ends = {r["partition"]: r["seq"] for r in rows if r["op"] == "END"}
        check(len(ends) == 4 and sum(ends.values()) == len(grants) == parts(stack)[resource][1], f"{resource}: {len(grants)} {ends}")
        check(all(r["snapshot_pos"] == positions[snapshot] for r in rows), "one position each")
    lost = stack.query_authorization("""SELECT from_party, to_party, lower(target) FROM altinn2delegations.held WHERE kind = 0
        AND granted_at < (SELECT min(started_at) FROM sync.backfill WHERE snapshot_id IS NOT NULL)""")
    names = {p["uuid"]: p["partyId"] for p in world.population["party"]}
    told = {(names.get(r["from"]["uuid"]), r["target"]) for r in found if r["op"] == "GRANT" and r["snapshot_id"] in snapshots}
    check({(f, t) for f, _, t in lost} <= told, "what was there before is in the load")


def watermarks_name_every_resource(stack):
    start(stack)
    services = {r[0]: r[1:] for r in stack.query_authorization("SELECT resource, service_code, edition FROM sync.resource_state")}
    before = collections.Counter(r["key"] for r in watermarks(stack))

    def told():
        after = collections.Counter(r["key"] for r in watermarks(stack))
        return all(after[name] > before[name] for name in services)

    wait_until("every resource is told again", told, 40, every=0.5)
    for record in watermarks(stack):
        value = record["value"]
        check(record["key"] == value["resource"] and services[record["key"]] == (value["service_code"], value["edition"]), f"{record}")
        check(value["live_time"] is None and value["live_pos"] is None, "no consumer has passed anything")


def a_clean_end_answers_what_is_open(stack):
    process = start(stack)
    process.signal(signal.SIGTERM)
    check(process.child.wait(20) == 0, "exit 0")


run([rules_of_a_call_are_grants_with_their_answer,
     deletions_find_their_actions_again,
     a_deletion_that_names_the_user_otherwise_finds_the_rule,
     rules_of_messages_carry_their_number,
     the_same_dated_acts_are_published_once,
     what_our_bridge_did_comes_back_as_an_echo,
     a_giver_that_nobody_knows_is_published_by_his_number,
     marks_say_how_far_each_stream_has_come,
     an_export_is_rows_with_their_numbers_and_an_end_with_counts,
     an_empty_export_ends_too,
     while_the_broker_is_away_nobody_is_promised_anything,
     the_first_load_is_history_and_the_rest_live,
     a_link_that_leads_elsewhere_is_refused_and_nothing_of_its_page_taken,
     pages_that_come_twice_or_are_empty_do_no_harm,
     an_id_that_never_comes_is_given_up_with_an_alarm,
     a_feed_that_went_back_or_lost_our_place_stops_with_a_gap_on_record,
     two_readers_share_the_feed_where_a_link_for_live_is_known,
     killed_and_rewound_in_the_middle_nothing_is_lost_or_invented,
     exports_of_the_simulator_survive_kills,
     an_operator_loads_what_altinn2_has_one_resource_after_the_other,
     the_whole_state_of_the_simulator_is_loaded_beside_live,
     watermarks_name_every_resource,
     a_clean_end_answers_what_is_open], "delegation-sources")
