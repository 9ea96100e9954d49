"""A whole local system for the demo and the tests: broker, PostgreSQL, simulators, processes of altinn-sync.

Everything listens on loopback, lives below one temporary directory and is stopped by process id. Nothing here
knows a rule: what must be true at the end stands in tests/integration/checker.py.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, os.environ.get("SYNC_BUILD", "build/release"))
TOPIC2 = "altinn2.correspondence-status.v1"
TOPIC3 = "altinn3.correspondence-status.v1"
PROCESSES = ("altinn2-status", "altinn3-status", "status-to-altinn3", "status-to-altinn2")


class Failed(Exception):
    """A condition did not come true in time, or a command failed."""


def say(text):
    print(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}", file=sys.stderr, flush=True)


def wait_until(what, condition, seconds, every=0.1):
    """Polls condition until it is true; raises with its last answer after the deadline."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer is True or (answer is not False and answer is not None and not isinstance(answer, str) and answer):
            return answer
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s for: {what}" + (f" (last: {answer})" if answer not in (False, None) else ""))
        time.sleep(every)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child with its log on disk; the JSON line "ready" of its standard output is kept."""

    def __init__(self, name, argv, directory, env=None):
        self.name, self.argv, self.env = name, argv, env
        self.path = os.path.join(directory, f"{name}.log")
        self.child = None
        self.starts = 0
        self.expected_codes = {0, -signal.SIGKILL, -signal.SIGTERM}
        self.lock = threading.Lock()

    def start(self, ready_seconds=30):
        self.starts += 1
        log = open(self.path, "ab")
        self.offset = log.tell()
        self.child = subprocess.Popen(self.argv, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=self.env,
                                      start_new_session=True)
        log.close()
        if ready_seconds:
            self.ready = wait_until(f"{self.name} says ready (log: {self.path})", self.find_ready, ready_seconds, 0.05)
        return self

    def find_ready(self):
        if self.child.poll() is not None:
            raise Failed(f"{self.name} ended with {self.child.returncode}: {self.tail()}")
        return next((line for line in self.lines(self.offset) if line.get("msg") == "ready"), None)

    def lines(self, offset=0):
        """JSON lines of the log from a byte on."""
        out = []
        with open(self.path, "rb") as log:
            log.seek(offset)
            for raw in log.read().split(b"\n"):
                if raw.startswith(b"{"):
                    try:
                        out.append(json.loads(raw))
                    except ValueError:
                        pass  # a line still being written
        return out

    def tail(self, count=5):
        with open(self.path, "rb") as log:
            return b" | ".join(log.read().split(b"\n")[-count - 1:]).decode(errors="replace")

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def peak_mib(self):
        """Most memory that it has had resident so far."""
        with open(f"/proc/{self.child.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

    def signal(self, number):
        if self.alive():
            os.kill(self.child.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        if self.child:
            self.child.wait()

    def stop(self, seconds=20):
        """SIGTERM, then SIGKILL after the deadline. Returns the exit code."""
        self.signal(signal.SIGTERM)
        if not self.child:
            return 0
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL


class Stack:
    def __init__(self, name, broker="kafka", keep=False, options=None):
        self.name, self.broker, self.keep = name, broker, keep
        self.directory = tempfile.mkdtemp(prefix=f"altinn-sync-{name}.", dir="/tmp")
        os.chmod(self.directory, 0o755)
        self.postgres_directory = os.path.join(self.directory, "postgres")
        self.kafka_directory = os.path.join(self.directory, "kafka")
        self.processes = {}
        self.options = options or {}
        self.bridge_port, self.push_port = free_port(), free_port()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "ALTINN_SYNC"))}
        self.connections = {}

    # -- life -------------------------------------------------------------------------------------------

    def __enter__(self):
        try:
            self.start_servers()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.show_trouble()
        self.close(kept_for_reading=kind is not None)

    def start_servers(self):
        self.shell("dev/postgres.sh", "start", self.postgres_directory)
        with open(os.path.join(self.postgres_directory, "dsn"), encoding="utf-8") as handle:
            self.dsn = handle.read().strip()
        with open(os.path.join(self.postgres_directory, "dsn-authorization"), encoding="utf-8") as handle:
            self.authorization_dsn = handle.read().strip()
        if self.broker == "kafka":
            self.shell("dev/kafka.sh", "start", self.kafka_directory)
            address = os.path.join(self.kafka_directory, "address")
        elif self.broker == "none":  # a test without records
            self.bootstrap = "127.0.0.1:1"
            self.write_config()
            return
        else:
            address = os.path.join(self.directory, "broker-address")
            self.add("dev-broker", [os.path.join(BUILD, "dev/dev-broker"), "--topics", "topics.yaml,topics.dev.yaml",
                                    "--address-file", address]).start()
        with open(address, encoding="utf-8") as handle:
            self.bootstrap = handle.read().strip()
        self.write_config()

    def close(self, kept_for_reading=False):
        for process in self.processes.values():
            process.signal(signal.SIGCONT)
            process.signal(signal.SIGTERM)
        for process in reversed(list(self.processes.values())):
            process.stop(5)
        self.disconnect()
        if self.broker == "kafka" and os.path.isdir(self.kafka_directory):
            self.shell("dev/kafka.sh", "stop", self.kafka_directory, check=False)
        if os.path.isdir(self.postgres_directory):
            self.shell("dev/postgres.sh", "stop", self.postgres_directory, check=False)
        if kept_for_reading or self.keep:
            say(f"logs are kept in {self.directory}")
            shutil.rmtree(self.kafka_directory, ignore_errors=True)
            shutil.rmtree(self.postgres_directory, ignore_errors=True)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def show_trouble(self):
        for process in self.processes.values():
            if os.path.exists(process.path):
                bad = [l for l in process.lines() if l.get("level") in ("WARN", "ERROR", "warn", "error")]
                for line in bad[-6:]:
                    say(f"{process.name}: {json.dumps(line)}")
                if process.child and process.child.poll() is not None:
                    say(f"{process.name}: ended with {process.child.returncode}: {process.tail(3)}")

    def shell(self, *argv, check=True, timeout=120):
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=timeout, env=self.env)
        if check and done.returncode != 0:
            raise Failed(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()[-500:]}")
        return done

    # -- configuration ----------------------------------------------------------------------------------

    def write_config(self):
        self.config = os.path.join(self.directory, "altinn-sync.yaml")
        consumer = {"adoption_interval_ms": 1000, **self.options.get("consumer", {})}
        sections = {
            "kafka": {"bootstrap_servers": self.bootstrap, **self.options.get("kafka", {})},
            "database": {"dsn": self.dsn, **self.options.get("database", {})},
            "topics": {"file": os.path.join(ROOT, "topics.yaml"), "overlay": os.path.join(ROOT, "topics.dev.yaml")},
            "schemas": {"dir": os.path.join(ROOT, "schemas")},
            "http": {"listen": "127.0.0.1:0"},
            "capture": {"listen": f"127.0.0.1:{self.push_port}", **self.options.get("capture", {})},
            "bridge": {"base_url": f"http://127.0.0.1:{self.bridge_port}", **self.options.get("bridge", {})},
            "consumer": consumer,
            "decision_log": self.options.get("decision_log", {"mode": "full"}),
        }
        with open(self.config, "w", encoding="utf-8") as handle:
            json.dump(sections, handle, indent=1)  # JSON is YAML
        os.chmod(self.config, 0o644)

    def verb(self, *words, check=True, timeout=120, config=None):
        argv = [os.path.join(BUILD, "altinn-sync"), "-c", config or self.config]
        if self.broker != "kafka":
            argv.append("--dev")
        return self.shell(*argv, *words, check=check, timeout=timeout)

    def prepare(self):
        """Topics, tables, publication, slot."""
        if self.broker == "kafka":
            self.verb("topics", "apply", "--yes")
        self.verb("db", "migrate")
        self.sql_file("connectors/altinn3/sql/publication.sql")
        self.verb("capture", "init", "altinn3-status")

    # -- database ---------------------------------------------------------------------------------------

    def connect(self, home="correspondence"):
        connection = psycopg2.connect(self.dsn if home == "correspondence" else self.authorization_dsn)
        connection.autocommit = True
        return connection

    def connect_authorization(self):
        return self.connect("authorization")

    def query(self, sql, *args, home="correspondence"):
        for attempt in (1, 2):
            try:
                connection = self.connections.get(home)
                if connection is None or connection.closed:
                    connection = self.connections[home] = self.connect(home)
                with connection.cursor() as cursor:
                    cursor.execute(sql, args or None)
                    return cursor.fetchall() if cursor.description else cursor.rowcount
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                self.connections.pop(home, None)
                if attempt == 2:
                    raise

    def query_authorization(self, sql, *args):
        return self.query(sql, *args, home="authorization")

    def disconnect(self):
        """Ends the connections of this process: a database is copied, or its server restarted."""
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()

    def one(self, sql, *args):
        return self.query(sql, *args)[0][0]

    def sql_file(self, path, home="correspondence"):
        with open(os.path.join(ROOT, path), encoding="utf-8") as handle:
            text = "".join(line for line in handle if not line.startswith("\\"))
        with self.connect(home) as connection, connection.cursor() as cursor:
            cursor.execute(text)

    # -- processes --------------------------------------------------------------------------------------

    def add(self, name, argv, env=None):
        self.processes[name] = Process(name, argv, self.directory, {**self.env, **(env or {})})
        return self.processes[name]

    def sync_process(self, name, verb, key=None, env=None, config=None):
        argv = [os.path.join(BUILD, "altinn-sync"), "-c", config or self.config]
        if self.broker != "kafka" or (env and "SYNC_TEST_STOP_AFTER_GATE" in env):
            argv.append("--dev")
        return self.add(key or name, [*argv, verb, name], env)

    def start_loop(self):
        for name in ("altinn2-status", "altinn3-status"):
            self.sync_process(name, "capture").start()
        for name in ("status-to-altinn3", "status-to-altinn2"):
            self.sync_process(name, "run").start()

    def metrics_addresses(self):
        return [p.ready["http"] for n, p in self.processes.items() if n in PROCESSES and p.alive() and "http" in p.ready]
