"""The delegation loop as a living system: population, two captures, consumers, two simulators, and its end.

It may run beside the status loop of world.py on the same stack: the homes are two databases, the processes have a configuration of
their own, since each capture listens at its own address and the bridge of the simulator is another.
"""
import json
import os
import signal
import urllib.request

import delegation_checker
from delegation_acts import Altinn2, Altinn3
from harness import BUILD, ROOT, check, free_port, run_dry, wait_until
import delegations  # noqa: E402 of dev/, known from harness on

TOPICS = {"altinn2": "altinn2.delegation.v1", "altinn3": "altinn3.delegation.v1", "sys": "sync.delegation-sys.v1",
          "backlog2": "altinn2.delegation-backlog.v1", "backlog3": "altinn3.delegation-backlog.v1"}
CAPTURES = ("altinn2-delegation", "altinn3-delegation")
TO3, TO2 = "delegation-to-altinn3", "delegation-to-altinn2"
BACKLOG_TO3, BACKLOG_TO2 = "delegation-backlog-to-altinn3", "delegation-backlog-to-altinn2"
CONSUMERS = (TO3, TO2)
OWN_USER, OWN_PARTY = 29999999, "0f8fad5b-d9cb-469f-a165-70867728950e"
COMMAND_PATH = "/delegations/commands"
# Reports told in another order and twice, events of roles that show up late, small pages.
AWKWARD = ["--delay-seconds", "1.5", "--late-seconds", "2", "--repeat-percent", "3", "--page-size", "50"]


class DelegationWorld:
    """parties, resources: the population. keys: numbers 0 … keys - 1 are what users act on."""

    def __init__(self, stack, parties=400, resources=50, keys=3000, seed=1, endpoint=True, options=None):
        self.stack, self.parties, self.resources, self.keys, self.seed, self.endpoint = stack, parties, resources, keys, seed, endpoint
        self.bridge_port, self.push_port = free_port(), free_port()
        self.options = options or {}
        self.population = delegations.lines(os.path.join(BUILD, "dev/dev-make-delegations"), parties, resources)
        self.write_config()
        self.altinn2, self.altinn3 = Altinn2(stack), Altinn3(stack, self.population)

    def write_config(self):
        """Two files: for verbs, and for the processes of the loop."""
        with open(self.stack.config, encoding="utf-8") as handle:
            sections = json.load(handle)
        sections["database"] = {**sections["database"], "authorization_dsn": self.stack.authorization_dsn}
        self.config = self.write("verbs", sections)
        sections["capture"] = {**sections["capture"], "listen": f"127.0.0.1:{self.push_port}", "altinn2_own_user_id": OWN_USER,
                               "altinn2_own_party_uuid": OWN_PARTY}
        sections["capture"].update(feed_poll_ms=1000, feed_overlap_ms=30000)  # late by load, too
        sections["bridge"] = {**sections["bridge"], "base_url": f"http://127.0.0.1:{self.bridge_port}",
                              "delegation_command_path": COMMAND_PATH if self.endpoint else ""}
        for name, options in self.options.items():
            sections[name] = {**sections.get(name, {}), **options}
        self.loop_config = self.write("loop", sections)

    def write(self, name, sections):
        path = os.path.join(self.stack.directory, f"delegation-{name}.yaml")
        with open(path, "w", encoding="utf-8") as handle:
            json.dump(sections, handle, indent=1)
        os.chmod(path, 0o644)
        return path

    def migrate(self):
        self.stack.verb("db", "migrate", config=self.config)

    def fill(self):
        """What stands in Altinn 3 before anything is synced: parties, roles, packages, resources."""
        connection = self.stack.connect_authorization()
        delegations.fill(connection, self.population)
        connection.close()

    def load(self, phase="sync"):
        """Tells the sync which resources there are, and their phase."""
        path = os.path.join(self.stack.directory, "resources.jsonl")
        with open(path, "w", encoding="utf-8") as handle:
            for row in self.population["resource"]:
                line = {"type": "resource", "id": row["id"], "resourceType": row["resourceType"], "actions": row["actions"],
                        "phase": phase}
                if row["serviceCode"]:
                    line.update(serviceCode=row["serviceCode"], serviceEdition=row["serviceEdition"])
                handle.write(json.dumps(line) + "\n")
        os.chmod(path, 0o644)
        self.stack.verb("load", path, config=self.config)

    def prepare(self):
        """Tables, population, resources, publication and slot; the topics are the stack's."""
        self.migrate()
        self.fill()
        self.load()
        self.stack.sql_file("connectors/altinn3/sql/delegation-publication.sql", home="authorization")
        self.stack.verb("capture", "init", "altinn3-delegation", config=self.config)

    def start_loop(self):
        """Backlog, too: what a capture finds in its source when it first looks goes there."""
        for name in CAPTURES:
            self.stack.sync_process(name, "capture", config=self.loop_config).start()
        for name in (*CONSUMERS, BACKLOG_TO3, BACKLOG_TO2):
            self.stack.sync_process(name, "run", config=self.loop_config).start()

    def wait_claimed(self, seconds=120):
        """Until every partition of the live topics has an owner: a consumer group takes its time to form."""
        wait_until("the partitions are claimed", lambda: self.stack.query_authorization(
            "SELECT count(*) FROM sync.partition_owner WHERE scope = ANY (%s)", list(CONSUMERS))[0][0] == 12, seconds)

    def start_altinn2(self, rate=0, faults=None, extra=()):
        argv = [os.path.join(BUILD, "dev/altinn2-delegation-sim"), "--dsn", self.stack.authorization_dsn,
                "--schema", os.path.join(ROOT, "dev/altinn2-delegation-sim/schema.sql"), "--parties", str(self.parties),
                "--resources", str(self.resources), "--keys", f"0-{self.keys - 1}", "--seed", str(self.seed), "--rate", str(rate),
                "--listen", f"127.0.0.1:{self.bridge_port}", "--push-url", f"http://127.0.0.1:{self.push_port}",
                "--own-user-id", str(OWN_USER), "--own-party-uuid", OWN_PARTY, "--push-seconds", "0.5", *extra]
        if self.endpoint:
            argv += ["--command-path", COMMAND_PATH]
        if faults:
            argv += ["--faults", faults]
        self.stack.add("altinn2-delegation-sim", argv).start()

    def start_altinn3(self, rate=0, faults=None, extra=(), acts=0, actors=1):
        """actors: programs that share rate and acts, each with choices of its own; acts 0: until they are stopped."""
        for number in range(actors):
            argv = [os.path.join(BUILD, "dev/altinn3-delegation-sim"), "--dsn", self.stack.authorization_dsn,
                    "--schema", os.path.join(ROOT, "dev/altinn3-delegation-sim/schema.sql"), "--parties", str(self.parties),
                    "--resources", str(self.resources), "--keys", f"0-{self.keys - 1}", "--seed", str(self.seed + number),
                    "--rate", str(rate / actors), "--acts", str(-(-acts // actors)), *extra]
            if faults:
                argv += ["--faults", faults]
            name = "altinn3-delegation-sim" + (f"-{number + 1}" if number else "")
            self.stack.add(name, argv).start()

    def state(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.bridge_port}/sim/state", timeout=10) as answer:
            return json.load(answer)

    def acts_done(self):
        """Changes by users and jobs, in Altinn 2 and in Altinn 3."""
        return self.stack.query_authorization("""SELECT (SELECT count(*) FROM altinn2delegations.change WHERE actor < 2),
                                                        (SELECT count(*) FROM altinn3delegations.act)""")[0]

    def has_acted(self, acts):
        """A simulator that answers late, on a busy machine or while its database is away, is asked again."""
        try:
            return not self.state()["acting"] and self.acts_done()[1] >= acts
        except OSError:
            return False

    # -- the end ----------------------------------------------------------------------------------------

    def stop_acting(self):
        for name, process in self.stack.processes.items():
            if name.startswith(("altinn2-delegation-sim", "altinn3-delegation-sim")):
                process.signal(signal.SIGUSR1)

    def outstanding(self):
        """What the loop still has to do, as a sentence; empty when it has run dry."""
        try:
            state = self.state()
        except OSError as error:
            return f"Altinn 2 does not answer ({error})"
        for name, what in (("pending", "acts of Altinn 2 not pushed"), ("unread", "events of roles not read"),
                           ("exporting", "exports not ended")):
            if state[name]:
                return f"{state[name]} {what}"
        for sql, what in (("SELECT count(*) FROM sync.outbox WHERE state IN (0, 1) AND target = 'altinn2'", "commands waiting"),
                          ("SELECT count(*) FROM sync.hold", "records held"), ("SELECT count(*) FROM sync.pending", "keys pending")):
            count = self.stack.query_authorization(sql)[0][0]
            if count:
                return f"{count} {what}"
        return ""

    def judge(self):
        return delegation_checker.judge(self.stack, self.population["resource"], with_endpoint=self.endpoint)

    def finish(self, seconds=60):
        """Waits by condition until the loop is dry and both sides are equal; returns the last table of differences."""
        return run_dry(self.outstanding, self.judge, seconds)


def must_be_equal(world, seconds):
    result, open_work = world.finish(seconds)
    check(not open_work, f"work is left: {open_work}")
    delegation_checker.print_stories(world.stack, result)
    check(result.differences() == 0, f"differences: {result.counts} {result.witnesses}")
    return result
