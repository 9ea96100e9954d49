#!/usr/bin/python3
"""What ends a process at its start: each with exit code 1 and a sentence that says what to mend."""
import json
import sys
import time

from harness import PROCESSES, READ, Failed, Stack, check, insert_message, party, push, say, wait_until

VERBS = {"altinn2-status": "capture", "altinn3-status": "capture", "status-to-altinn3": "run", "status-to-altinn2": "run"}


def end_of(process, seconds):
    """Exit code and what it said last."""
    wait_until(f"{process.name} ends", lambda: not process.alive(), seconds)
    return process.child.returncode, process.tail(2)


def start_all(stack, suffix, config=None):
    return [stack.sync_process(name, VERBS[name], key=f"{name}-{suffix}", config=config).start(0) for name in PROCESSES]


def each_ends(processes, seconds, *words):
    end = time.monotonic() + seconds
    for process in processes:
        code, text = end_of(process, max(1, end - time.monotonic()))
        check(code == 1, f"{process.name}: exit {code}, wanted 1: {text}")
        check(any(word in text for word in words), f"{process.name} says: {text}")
        say(f"{process.name}: {text.split(' | ')[-2]}")


def changed(stack, suffix, **sections):
    with open(stack.config, encoding="utf-8") as handle:
        config = json.load(handle)
    for section, values in sections.items():
        config[section].update(values)
    path = f"{stack.config}.{suffix}.yaml"
    with open(path, "w", encoding="utf-8") as handle:
        json.dump(config, handle)
    return path


def a_database_without_our_tables(stack):
    each_ends(start_all(stack, "bare"), 30, "db migrate")


def a_database_that_does_not_exist(stack):
    config = changed(stack, "nodb", database={"dsn": stack.dsn.replace("/correspondence", "/nowhere")})
    each_ends(start_all(stack, "nodb", config), 30, "nowhere")


def a_role_that_does_not_exist(stack):
    config = changed(stack, "norole", database={"dsn": stack.dsn.replace("postgres@", "nobody@")})
    each_ends(start_all(stack, "norole", config), 30, "nobody")


def a_role_without_rights(stack):
    stack.query("CREATE ROLE powerless LOGIN REPLICATION")
    config = changed(stack, "powerless", database={"dsn": stack.dsn.replace("postgres@", "powerless@")})
    each_ends(start_all(stack, "powerless", config), 30, "permission", "may not")


def topics_that_do_not_exist(stack):
    each_ends(start_all(stack, "notopic"), 80, "topics apply")


def a_topic_with_the_times_of_its_producers(stack):
    stack.verb("topics", "apply", "--yes")
    for topic in ("altinn2.correspondence-status.v1", "altinn3.correspondence-status.v1"):
        stack.shell("dev/kafka.sh", "tool", stack.kafka_directory, "kafka.admin.ConfigCommand", "--bootstrap-server",
                    stack.bootstrap, "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config",
                    "message.timestamp.type=CreateTime")
    source = stack.sync_process("altinn2-status", "capture").start()
    insert_message(stack, 1)
    wait_until("the push is answered", lambda: push(stack, 1, [(READ, party(1), int(time.time()) - 50)]) == 200, 60)
    consumer = stack.sync_process("status-to-altinn3", "run").start(0)
    each_ends([consumer], 40, "message.timestamp.type")
    source.stop()


if __name__ == "__main__":
    failed = 0
    tests = [a_database_that_does_not_exist, a_role_that_does_not_exist, a_database_without_our_tables, a_role_without_rights,
             topics_that_do_not_exist, a_topic_with_the_times_of_its_producers]
    with Stack("starts") as stack:
        for test in tests:
            if test is a_role_without_rights:
                stack.verb("db", "migrate")
                stack.sql_file("connectors/altinn3/sql/publication.sql")
                stack.verb("capture", "init", "altinn3-status")
            try:
                test(stack)
                print(f"ok   {test.__name__.replace('_', ' ')}", flush=True)
            except Failed as error:
                failed += 1
                print(f"FAIL {test.__name__.replace('_', ' ')}: {error}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)
