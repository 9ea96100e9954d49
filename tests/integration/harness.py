"""What the integration tests share: messages, acts, pushes, a programmable bridge, and the small runner.

A test is a function whose name is a sentence; run(tests) gives each a fresh Stack unless it shares one.
"""
import http.server
import json
import os
import random
import re
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "dev"))
from stack import BUILD, PROCESSES, TOPIC2, TOPIC3, Failed, Stack, free_port, say, wait_until  # noqa: E402,F401

PROOF = os.environ.get("SYNC_SIZE") == "proof"
SEED = int(os.environ.get("SYNC_TEST_SEED", "1"))
PUSH_PATH = "/correspondence/api/v1/migration/correspondence/syncStatusEvent"
READ, CONFIRMED, PURGED_BY_RECIPIENT, PURGED_BY_OWNER, ARCHIVED, SOFT_DELETED, RESTORED = 4, 6, 7, 8, 9, 13, 14
DELETE_EVENT = {PURGED_BY_OWNER: 1, PURGED_BY_RECIPIENT: 2, SOFT_DELETED: 3, RESTORED: 4}
ZERO = "00000000-0000-0000-0000-000000000000"


def size(test, proof):
    return proof if PROOF else test


def check(condition, sentence):
    if not condition:
        raise Failed(sentence)


def login(dsn, role):
    """The DSN of a stack for another role of its server."""
    changed = re.sub(r"//[^@/]*@", f"//{role}@", dsn)
    check(role in changed, "the DSN of the stack takes another role")
    return changed


def a3_id(a2_id):
    return str(uuid.uuid5(uuid.UUID("6f1c1b6e-0b0a-5c68-9d53-0d6a4f4f2f10"), f"test/{a2_id}"))


def party(number):
    return str(uuid.uuid5(uuid.UUID("6f1c1b6e-0b0a-5c68-9d53-0d6a4f4f2f10"), f"party/{number}"))


def insert_message(stack, a2_id, hidden=False, confirm=True):
    """A message as Altinn 3's application inserts it: the sync is not told."""
    stack.query("""
        WITH m AS (INSERT INTO correspondence."Correspondences" ("Id", "Altinn2CorrespondenceId", "ResourceId", "Recipient",
            "Sender", "SendersReference", "PartyId", "Created", "RequestedPublishTime", "Published", "IsMigrating",
            "IsConfirmationNeeded", "PropertyList")
          VALUES (%s, %s, 'test-resource', 'urn:altinn:organization:identifier-no:310000001',
            '0192:991825827', 'ref', 50000001, now() - interval '1 day', now() - interval '1 day',
            now() - interval '1 day', %s, %s, '') RETURNING "Id")
        INSERT INTO correspondence."CorrespondenceContents" ("Id", "CorrespondenceId", "Language", "MessageTitle",
            "MessageSummary", "MessageBody") SELECT gen_random_uuid(), "Id", 'nb', 'title', 'summary', 'body' FROM m
        """, a3_id(a2_id), a2_id, hidden, confirm)


def insert_party(stack, number):
    stack.query("INSERT INTO sync.party VALUES (%s, %s) ON CONFLICT DO NOTHING", party(number), 50000000 + number)


def act3(stack, a2_id, kind, who, at):
    """An act in Altinn 3, written as its application writes it. at: seconds since 1970."""
    with stack.connect() as connection:
        connection.autocommit = False
        with connection.cursor() as cursor:
            if kind in (PURGED_BY_RECIPIENT, PURGED_BY_OWNER):
                key = str(uuid.uuid5(uuid.UUID(a3_id(a2_id)), "PurgeCorrespondence"))
                cursor.execute("""INSERT INTO correspondence."IdempotencyKeys" ("Id", "CorrespondenceId", "IdempotencyType")
                                  VALUES (%s, %s, 5)""", (key, a3_id(a2_id)))
            if kind <= 12:
                cursor.execute("""INSERT INTO correspondence."CorrespondenceStatuses" ("Id", "CorrespondenceId", "Status",
                    "StatusText", "StatusChanged", "PartyUuid") VALUES (gen_random_uuid(), %s, %s, 'test', to_timestamp(%s), %s)""",
                               (a3_id(a2_id), kind, at, who))
            if kind in DELETE_EVENT:
                cursor.execute("""INSERT INTO correspondence."CorrespondenceDeleteEvents" ("Id", "CorrespondenceId", "EventType",
                    "EventOccurred", "PartyUuid") VALUES (gen_random_uuid(), %s, %s, to_timestamp(%s), %s)""",
                               (a3_id(a2_id), DELETE_EVENT[kind], at, who))
        connection.commit()


def iso(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(at))) + f".{int(at * 1e6) % 1000000:06d}Z"


def push(stack, a2_id, events, extension=False, timeout=30, path=PUSH_PATH, raw=None):
    """The call of Altinn 2's batch job. events: (kind, party, seconds). Returns the HTTP code."""
    body = {"correspondenceId": a3_id(a2_id), "syncedStatusEvents": [
        {"status": kind, "statusText": "test", "statusChanged": iso(at), "eventUserPartyUuid": who} for kind, who, at in events]}
    if extension:
        body["altinn2CorrespondenceId"] = a2_id
    request = urllib.request.Request(f"http://127.0.0.1:{stack.push_port}{path}", data=raw or json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.read()
        return error.code


def page(stack, name, path):
    """(code, text) of a page that a process shows."""
    try:
        with urllib.request.urlopen(f"http://{stack.processes[name].ready['http']}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def figures(stack, name):
    """The page of figures of a process."""
    code, text = page(stack, name, "/metrics")
    check(code == 200, f"{name}: /metrics answers {code}")
    return text


class Bridge:
    """Altinn 2's bridge: journals each call, answers what answer(call) says: a code, or None to drop the connection."""

    def __init__(self, stack, answer=lambda call: 200):
        self.calls, self.answer, self.lock = [], answer, threading.Lock()
        self.gone = False
        bridge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if bridge.gone:  # a connection from before; a new one is refused
                    self.close_connection = True
                    return
                call["key"], call["path"] = self.headers.get("Idempotency-Key"), self.path
                with bridge.lock:
                    bridge.calls.append(call)
                code = bridge.answer(call)
                if code is None:
                    self.close_connection = True
                    return
                self.send_response(code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", stack.bridge_port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.gone = True
        self.server.shutdown()
        self.server.server_close()

    def of(self, a2_id):
        return [c["eventType"] for c in self.calls if c["correspondenceId"] == a2_id]


def run_dry(outstanding, compare, seconds):
    """Waits until nothing is left to do and both sides are equal; returns the last table of differences, and what is left to do."""
    result, open_work = None, ""

    def equal():
        nonlocal result, open_work
        open_work = outstanding()
        result = None if open_work else compare()
        return result is not None and result.differences() == 0 and not outstanding()
    try:
        wait_until("both sides are equal", equal, seconds, every=0.5)
    except Failed:
        return result or compare(), open_work
    return result, ""


def kill_and_start(stack, name):
    if name == "postgresql":
        stack.shell("dev/postgres.sh", "kill", stack.postgres_directory)
        stack.shell("dev/postgres.sh", "restart", stack.postgres_directory)
    elif name == "kafka":
        stack.shell("dev/kafka.sh", "kill", stack.kafka_directory)
        stack.shell("dev/kafka.sh", "start", stack.kafka_directory)
    else:
        stack.processes[name].kill()
        stack.processes[name].start(0)


def kill_by_plan(stack, plan, chooser, seconds, halfway, ready_seconds):
    """Kills one victim after the other, each up to so many seconds after the one before, and starts it again; does something else in the
    middle, and ends when all are ready."""
    for number, victim in enumerate(plan):
        moment = time.monotonic() + chooser.uniform(1, seconds)
        wait_until("the next moment", lambda: time.monotonic() >= moment, seconds + 1, every=0.05)
        say(f"kill {number + 1} of {len(plan)}: {victim}")
        kill_and_start(stack, victim)
        if number == len(plan) // 2:
            halfway()
    for process in stack.processes.values():
        wait_until(f"{process.name} is ready again", process.find_ready, ready_seconds)


def outcomes(stack, scope, query=None):
    """Outcome counts of a scope, by name. query: of its home, when that is another than correspondence."""
    names = ("applied", "duplicate", "stale", "echo", "held", "parked")
    rows = (query or stack.query)("SELECT outcome, sum(n)::bigint FROM sync.outcome_count WHERE scope = %s GROUP BY 1", scope)
    return {**dict.fromkeys(names, 0), **{names[o]: int(n) for o, n in rows}}


def consumed(stack, scope):
    return int(stack.one("SELECT coalesce(sum(position - first_position), 0) FROM sync.partition_owner WHERE scope = %s", scope))


def unaccounted(stack):
    """Partitions whose outcomes do not sum to what was consumed."""
    return stack.query("""
        SELECT o.scope, o.topic, o.partition, o.position - o.first_position, coalesce(sum(c.n), 0)
          FROM sync.partition_owner o LEFT JOIN sync.outcome_count c USING (scope, topic, partition)
         GROUP BY 1, 2, 3, o.position, o.first_position
        HAVING o.position - o.first_position <> coalesce(sum(c.n), 0)""")


def a3_rows(stack, a2_id):
    """(kind, party, second) of every history row of a message, sorted; delete events of purges left out."""
    return sorted(stack.query("""
        SELECT "Status", "PartyUuid"::text, floor(extract(epoch FROM "StatusChanged"))::bigint
          FROM correspondence."CorrespondenceStatuses" WHERE "CorrespondenceId" = %s
        UNION ALL
        SELECT CASE "EventType" WHEN 3 THEN 13 ELSE 14 END, "PartyUuid"::text, floor(extract(epoch FROM "EventOccurred"))::bigint
          FROM correspondence."CorrespondenceDeleteEvents" WHERE "CorrespondenceId" = %s AND "EventType" IN (3, 4)""",
                              a3_id(a2_id), a3_id(a2_id)))


def wait_consumed(stack, scope, count, seconds=30):
    return wait_until(f"{scope} has consumed {count} records", lambda: consumed(stack, scope) >= count, seconds)


def decided_rules(stack, a2_id):
    return [r[0] for r in stack.query("SELECT rule FROM sync.decision WHERE entity_key = %s ORDER BY decided_at, record_offset", str(a2_id))]


def run(tests, stack_name, **stack_options):
    """Runs the tests, each on the shared stack of this file; prints one line each and the closing line."""
    random.seed(SEED)
    chosen = [t for t in tests if len(sys.argv) < 2 or any(word in t.__name__ for word in sys.argv[1:])]
    check(chosen, f"no test is named like {sys.argv[1:]}")
    failed = 0
    say(f"{stack_name}: seed {SEED} (SYNC_TEST_SEED={SEED} repeats it)")
    try:
        with Stack(stack_name, **stack_options) as stack:
            if stack.broker != "none":
                stack.prepare()
            for test in chosen:
                started = time.monotonic()
                try:
                    test(stack)
                    print(f"ok   {test.__name__.replace('_', ' ')} ({time.monotonic() - started:.1f} s)", flush=True)
                except Exception as error:  # every failure is printed, then the next test runs
                    failed += 1
                    print(f"FAIL {test.__name__.replace('_', ' ')}: {error}", flush=True)
                    if not isinstance(error, Failed):
                        traceback.print_exc()
                    stack.show_trouble()
            if failed:
                stack.keep = True
    except Failed as error:
        print(f"FAIL {stack_name}: {error}", flush=True)
        failed += 1
    print(f"{len(chosen) - min(failed, len(chosen))} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)
