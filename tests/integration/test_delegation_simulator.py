#!/usr/bin/python3
"""The simulated Altinn 2 is tried alone: whoever takes its pushes, pages and exports as they come must end with what it shows.

No process of altinn-sync runs. The receiver here is the test's own: it refuses one call in twenty, and drops an answer now and then.
"""
import http.server
import json
import os
import random
import threading
import urllib.error
import urllib.request
import uuid

from harness import BUILD, ROOT, SEED, check, run, wait_until

COMMANDS = "/delegations/commands"
OWN_USER = 29999999


class Receiver:
    """What Altinn 3 would know from the calls: {(giver, receiver, resource): {rule id: right}}, messages, and rows of exports."""

    def __init__(self, seconds=0):
        self.seconds = seconds  # until an answer
        self.rules, self.messages, self.exported, self.ended = {}, {}, {}, {}
        self.lock, self.random = threading.Lock(), random.Random(SEED)
        self.own = 0  # calls in the name of the bridge
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with receiver.lock:
                    lot = receiver.random.random()
                    code, answer = (503, None) if lot < 0.05 else receiver.take(self.path, body)
                threading.Event().wait(receiver.seconds)  # as a busy server takes it
                if lot > 0.97:  # it happened, and nobody hears of it
                    self.close_connection = True
                    return
                text = json.dumps(answer).encode() if answer is not None else b""
                self.send_response(code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass  # a simulator that is killed leaves its connections

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @staticmethod
    def named(giver, covered, resource):
        return giver, json.dumps(covered, sort_keys=True), json.dumps(resource, sort_keys=True)

    def take(self, path, body):
        if path.startswith("/export/") and path.endswith("/end"):
            self.ended[body["resource"]] = body["count"]
            return 200, None
        if path.endswith("/addrules"):
            return 201, [self.add(rule, path.startswith("/export/")) for rule in body]
        if path.endswith("/deleterules") or path.endswith("/deletepolicy"):
            for element in body:
                self.delete(element, path.endswith("/deletepolicy"))
            return 200, None
        key = tuple(body[name] for name in ("fromuuid", "touuid", "resourceid", "instanceid"))
        if path.endswith("/instance/delegation"):
            self.messages.setdefault(key, {})[body["authorizationruleid"]] = set(body["actions"])
            return 201, None
        if path.endswith("/instance/revoke"):
            self.messages.get(key, {}).pop(body["authorizationruleid"], None)
            return 204, None
        return 404, None

    def add(self, rule, exported):
        key = self.named(rule["offeredByPartyId"], rule["coveredBy"], rule["resource"])
        right = rule["action"]["value"]
        number = str(uuid.uuid5(uuid.NAMESPACE_URL, repr((key, right))))
        (self.exported if exported else self.rules).setdefault(key, {})[number] = right
        self.own += rule["delegatedByUserId"] == OWN_USER
        return {**rule, "ruleId": number, "createdSuccessfully": True}

    def delete(self, element, everything):
        match = element["policyMatch"]
        key = self.named(match["offeredByPartyId"], match["coveredBy"], match["resource"])
        self.own += element["deletedByUserId"] == OWN_USER
        check(everything or element["ruleIds"], "a deletion names rules")
        for number in list(self.rules.get(key, {})):
            if everything or number in element["ruleIds"]:
                self.rules[key].pop(number)


class Simulator:
    def __init__(self, stack, receiver, extra=()):
        faults = os.path.join(stack.directory, "faults.txt")
        with open(faults, "w", encoding="utf-8") as handle:
            handle.write("feed repeat 5%\nfeed 503 5%\nbridge 503 5%\nbridge lose-answer 5%\nbridge apply-twice 5%\n")
        if "altinn2-delegation-sim" in stack.processes:
            stack.processes["altinn2-delegation-sim"].stop()
        stack.query_authorization("DROP SCHEMA IF EXISTS altinn2delegations CASCADE")
        self.stack = stack
        self.process = stack.add("altinn2-delegation-sim", [
            os.path.join(BUILD, "dev/altinn2-delegation-sim"), "--dsn", stack.authorization_dsn, "--schema",
            os.path.join(ROOT, "dev/altinn2-delegation-sim/schema.sql"), "--parties", "400", "--resources", "10", "--keys", "0-2999",
            "--seed", str(SEED), "--push-url", receiver.url, "--push-seconds", "0.2", "--command-path", COMMANDS, "--page-size", "20",
            "--repeat-percent", "5", "--delay-seconds", "1", "--late-seconds", "1", "--faults", faults, *extra]).start()

    def url(self, path):
        return f"http://{self.process.ready['http']}{path}"

    def call(self, path, body=None, method="POST"):
        """Answers of the bridge, until one comes."""
        def once():
            request = urllib.request.Request(self.url(path), data=json.dumps(body).encode() if body else None, method=method,
                                             headers={"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    text = answer.read()
                    return answer.status, json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                return False if error.code == 503 else (error.code, None)
            except OSError:
                return False
        return wait_until(f"{method} {path} is answered", once, 30)

    def state(self):
        return self.call("/sim/state", method="GET")[1]

    def is_dry(self):
        state = self.state()
        return not state["acting"] and state["pending"] == 0 and state["exporting"] == 0

    def items(self):
        """The whole role feed, as a reader that begins anew sees it: {number: item}."""
        out, link = {}, self.url("/roledelegationevent/api/getevents?subscriptionId=10")
        while link:
            page = self.call(link[len(self.url("")):], method="GET")[1]
            for item in page["data"]:
                out[item["altinnRoleDelegationEventId"]] = item
            link = page["links"]["next"]
        return out


def held(stack, kind, *columns):
    return {row for row in stack.query_authorization(f"""
        SELECT {', '.join(columns)} FROM altinn2delegations.held h JOIN altinn2delegations.party f ON f.party_id = h.from_party
          JOIN altinn2delegations.party t ON t.party_id = h.to_party WHERE h.kind = %s""", kind)}


def canonical(text):
    return json.dumps(json.loads(text), sort_keys=True)


RULE = ("h.from_party", "altinn2delegations.covered_json(t.party_id, t.user_id)::text",
        "altinn2delegations.resource_json(h.target)::text", "altinn2delegations.shown_right(h.name)")


def rules_shown(stack):
    return {(giver, canonical(covered), canonical(resource), right) for giver, covered, resource, right in held(stack, 0, *RULE)}


def rules_told(rules):
    return {(*key, right) for key, ids in rules.items() for right in ids.values()}


def what_is_told_is_what_it_shows(stack):
    receiver = Receiver()
    simulator = Simulator(stack, receiver, ["--rate", "600", "--acts", "2000"])
    wait_until("some acts are told", lambda: receiver.rules, 30)
    simulator.process.kill()
    simulator.process.start()
    commands = 0
    while simulator.state()["acting"]:
        commands += command_some(stack, simulator, commands)
    wait_until("everything is told", simulator.is_dry, 60)
    check(commands > 0 and receiver.own > 0, f"{commands} commands, {receiver.own} told in the name of the bridge")
    told = check_told(stack, receiver)
    wait_until("the role feed tells what is shown", lambda: roles_told(simulator.items()) == held(
        stack, 2, "f.party_id", "t.party_id", "h.target", "nullif(h.facilitator, 0)"), 20)
    print(f"FIGURE {told} rules on messages, {len(rules_shown(stack))} rights to services, {commands} commands")


def check_told(stack, receiver):
    """Every right to a service and every rule on a message is known to the receiver, and no other. Returns how many rules."""
    check(rules_told(receiver.rules) == rules_shown(stack), f"rules: {len(rules_told(receiver.rules) ^ rules_shown(stack))} differ")
    told = {(*key, number, tuple(sorted(actions))) for key, rules in receiver.messages.items() for number, actions in rules.items()}
    shown = {(f, t, r, i, n, tuple(sorted(a))) for f, t, r, i, n, a in {
        (f, t, r, i, n, tuple(a)) for f, t, r, i, n, a in stack.query_authorization("""
            SELECT f.uuid::text, t.uuid::text, h.target, h.instance, h.id, h.actions FROM altinn2delegations.held h
              JOIN altinn2delegations.party f ON f.party_id = h.from_party JOIN altinn2delegations.party t ON t.party_id = h.to_party
             WHERE h.kind = 1""")}}
    check(told == shown, f"messages: {len(told ^ shown)} differ")
    return len(told)


def a_database_that_goes_while_calls_are_under_way_lets_no_report_out(stack):
    receiver = Receiver(seconds=0.03)
    simulator = Simulator(stack, receiver, ["--rate", "300", "--acts", "5000"])
    told = "SELECT count(*) FROM altinn2delegations.report WHERE pushed_at IS NOT NULL"
    for ended in range(10):
        before = stack.query_authorization(told)
        wait_until("some more is told", lambda known=before: stack.query_authorization(told) > known, 30)
        check(simulator.state()["acting"], f"the acts have ended after {ended} sessions")
        stack.query_authorization("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                                      WHERE application_name = 'altinn2-delegation-sim-push'""")
    wait_until("everything is told", simulator.is_dry, 60)
    check_told(stack, receiver)


def command_some(stack, simulator, number):
    keys = stack.query_authorization("""SELECT kind, from_party, to_party, target, instance FROM altinn2delegations.held
                                         ORDER BY md5(id::text || %s) LIMIT 2""", str(number))
    for kind, giver, receiver, target, instance in keys:
        key = {"id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number}/{giver}/{receiver}/{target}/{instance}")),
               "kind": ("single", "instance", "role")[kind], "fromPartyId": giver, "toPartyId": receiver, "toUserId": None,
               "resource": target if kind < 2 else None, "instance": instance or None, "role": target.lower() if kind == 2 else None}
        rights = [] if number % 2 else ["*" if kind == 2 else "read"]
        code, answer = simulator.call(COMMANDS, {"key": key, "version": 7, "rights": rights, "cause": "DL-36", "origin": "A3/a3.change.1/1"})
        check((code, answer) == (200, {"version": 7}), f"the command is answered {code} {answer}")
        code, answer = simulator.call(COMMANDS, {"key": key, "version": 6, "rights": ["sign"], "cause": "DL-20", "origin": "A3/a3.change.1/2"})
        check((code, answer) == (200, {"version": 7}), f"a lower version changes nothing: {code} {answer}")
    return len(keys)


def roles_told(items):
    state = {}
    for number in sorted(items):
        item = items[number]
        key = (item["fromPartyId"], item["toPartyId"], item["roleTypeCode"].strip(), item["performedByPartyId"])
        state[key] = item["delegationAction"] in ("Delegate", 1)
    return {key for key, there in state.items() if there}


def a_command_waits_for_the_act_of_a_user_on_its_key(stack):
    """Whoever comes second tells his report second: a set that is cleared and given anew ends as it was given."""
    receiver = Receiver()
    simulator = Simulator(stack, receiver, ["--rate", "0"])
    giver, taker, target = stack.query_authorization("""
        SELECT f.party_id, t.party_id, r.id FROM altinn2delegations.party f, altinn2delegations.party t, altinn2delegations.resource r
         WHERE f.user_id = 0 AND t.user_id > 0 ORDER BY 1, 2, 3 LIMIT 1""")[0]
    act = "SELECT altinn2delegations.act(0, %s, %s, %s, '', 0, %s, 0, now(), 0, 0)"
    stack.query_authorization(act, giver, taker, target, 10)  # gives a right
    wait_until("it is told", lambda: receiver.rules and simulator.is_dry(), 30)
    user = stack.connect_authorization()
    user.autocommit = False
    user.cursor().execute(act, (giver, taker, target, 95))  # takes all, and is not through yet
    key = {"id": str(uuid.uuid4()), "kind": "single", "fromPartyId": giver, "toPartyId": taker, "toUserId": None, "resource": target,
           "instance": None, "role": None}
    body = {"key": key, "version": 1, "rights": ["read", "write"], "cause": "DL-20", "origin": "A3/a3.change.1/1"}
    command = threading.Thread(target=simulator.call, args=(COMMANDS, body))
    command.start()
    told = "SELECT count(*) FROM altinn2delegations.report WHERE pushed_at IS NOT NULL"
    wait_until("the command waits, or is told", lambda: stack.query_authorization(told)[0][0] > 1 or stack.query_authorization(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'altinn2%%'")[0][0], 30)
    user.commit()
    user.close()
    command.join()
    wait_until("everything is told", simulator.is_dry, 30)
    check(len(rules_shown(stack)) == 2, f"it is shown: {rules_shown(stack)}")
    check_told(stack, receiver)


def the_feed_is_as_awkward_as_the_real_one(stack):
    # One act in twenty is on a role, and one of its events in twenty is late: so many acts that no seed is without.
    receiver = Receiver()
    simulator = Simulator(stack, receiver, ["--rate", "2000", "--acts", "8000"])
    wait_until("the acts are told", simulator.is_dry, 120)
    wait_until("every event is there", lambda: len(simulator.items()) == stack.query_authorization(
        "SELECT count(*) FROM altinn2delegations.event")[0][0], 20)
    items = simulator.items()
    numbers = sorted(items)
    check(any(b - a > 1 for a, b in zip(numbers, numbers[1:])), "the numbers have gaps")
    check(any(i["roleTypeCode"] != i["roleTypeCode"].strip() for i in items.values()), "some codes are padded")
    check({type(i["delegationAction"]) for i in items.values()} == {str, int}, "actions are words and numbers")
    code, page = simulator.call(f"/roledelegationevent/api/getevents?subscriptionId=10&after={numbers[-1]}", method="GET")
    check((code, page["data"], page["stats"]["sequenceMax"]) == (200, [], numbers[-1]), f"the page behind the end: {page}")
    late = stack.query_authorization("""SELECT count(*) FROM altinn2delegations.event e WHERE EXISTS (
        SELECT FROM altinn2delegations.event x WHERE x.event_id > e.event_id AND x.visible_at < e.visible_at)""")[0][0]
    check(late > 0, "some events show up after later ones")


def an_export_tells_every_right_once_and_how_many_rows(stack):
    receiver = Receiver()
    simulator = Simulator(stack, receiver, ["--rate", "600", "--acts", "1000"])
    wait_until("the acts are told", simulator.is_dry, 60)
    resources = [row[0] for row in stack.query_authorization("SELECT id FROM altinn2delegations.resource ORDER BY id")]
    for resource in resources:
        code, _ = simulator.call("/resourceregistry/api/v1/altinn2export/exportdelegations",
                                 {"resourceId": resource, "snapshotId": str(uuid.uuid4()), "snapshotPos": 5})
        check(code == 201, f"the order is answered {code}")
    simulator.process.kill()
    simulator.process.start()
    wait_until("the exports have ended", simulator.is_dry, 60)
    check(rules_told(receiver.exported) == rules_shown(stack), "the rows are what is shown")
    rows = dict(stack.query_authorization("SELECT resource, rows_sent FROM altinn2delegations.export"))
    check(receiver.ended == rows and sum(rows.values()) > 0, f"the ends count the rows: {receiver.ended} {rows}")
    ids = stack.query_authorization("SELECT count(*) FROM altinn2delegations.rule_id")[0][0]
    check(ids >= len(rules_shown(stack)), "the ids of exported rules are known")


if __name__ == "__main__":
    run([what_is_told_is_what_it_shows, a_database_that_goes_while_calls_are_under_way_lets_no_report_out,
         a_command_waits_for_the_act_of_a_user_on_its_key, the_feed_is_as_awkward_as_the_real_one, an_export_tells_every_right_once_and_how_many_rows],
        "delegation-simulator", broker="none")
