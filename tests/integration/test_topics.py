#!/usr/bin/python3
"""topics apply, status and a missing topic on Apache Kafka: what the embedded broker cannot show, because it creates no
topic on request and makes a missing one by itself."""
import json
import os
import subprocess

from harness import BUILD, ROOT, TOPIC2, TOPIC3, check, run, wait_until

TO3 = "status-to-altinn3"


def program(stack, *words, timeout=120):
    return subprocess.run([os.path.join(BUILD, "altinn-sync"), "-c", stack.config, *words], text=True, capture_output=True,
                          timeout=timeout, stdin=subprocess.DEVNULL, env=stack.env, cwd=ROOT)


def apply(stack, *words, overlay=None):
    files = ["topics.yaml", "topics.dev.yaml"]
    if overlay is not None:
        path = os.path.join(stack.directory, "overlay.yaml")
        with open(path, "w", encoding="utf-8") as handle:
            json.dump(overlay, handle)
        files.append(path)
    return program(stack, "topics", "apply", *words, *[part for file in files for part in ("-f", file)])


def tool(stack, *words):
    return subprocess.run([os.path.join(ROOT, "dev/kafka.sh"), "tool", stack.kafka_directory, "org.apache.kafka.tools.TopicCommand",
                           "--bootstrap-server", stack.bootstrap, *words], text=True, capture_output=True, timeout=120)


def described(stack, topic):
    """First line of the description, "" when there is no such topic."""
    line = tool(stack, "--describe", "--topic", topic).stdout.split("\n")[0]
    return line if line.startswith("Topic:") else ""


def expect(done, code, *patterns):
    said = done.stdout + done.stderr
    check(done.returncode == code, f"exit {done.returncode} instead of {code}: {said[-400:]}")
    for pattern in patterns:
        check(pattern in said, f"no \"{pattern}\" in: {said[-400:]}")


def topics_are_created_as_the_file_says(stack):
    for topic in (TOPIC2, TOPIC3):
        line = described(stack, topic)
        for part in ("PartitionCount: 4", "ReplicationFactor: 1", "message.timestamp.type=LogAppendTime", "retention.ms=2592000000",
                     "cleanup.policy=delete", "compression.type=uncompressed", "max.message.bytes=1048576",
                     "min.insync.replicas=1"):
            check(part in line, f"{topic} has no {part}: {line}")


def a_second_run_changes_nothing(stack):
    done = apply(stack, "--yes")
    expect(done, 0, "nothing to do")
    check("created" not in done.stderr, done.stderr)


def without_yes_nothing_is_created(stack):
    extra = {"topics": [topic_entry("sync.extra.v1")]}
    expect(apply(stack, overlay=extra), 5, "create", "add --yes to go on")
    check(described(stack, "sync.extra.v1") == "", "the topic was created")


def topic_entry(name, **changes):
    return {"name": name, "profile": "changes", "partitions": 3, "replicas": 1, "owner": "team-sync", "consumers": [],
            "value": {"schema": "no.altinn.sync.StatusChange", "subject": "topic"}, **changes}


def a_new_topic_is_created_and_a_planned_one_is_not(stack):
    extra = {"topics": [topic_entry("sync.extra.v1", config={"retention.ms": "P20D"}), topic_entry("sync.later.v1", state="planned")]}
    expect(apply(stack, "--yes", overlay=extra), 0, "created sync.extra.v1", "planned, not created")
    check("retention.ms=1728000000" in described(stack, "sync.extra.v1"), described(stack, "sync.extra.v1"))
    check(described(stack, "sync.later.v1") == "", "a planned topic was created")


def other_partitions_and_absent_topics_are_told_but_not_changed(stack):
    expect(apply(stack, "--yes", overlay={"defaults": {"partitions": 5}}), 6, "differs in partitions")
    check("PartitionCount: 4" in described(stack, TOPIC2), "the partitions were changed")
    extra = {"topics": [topic_entry("sync.extra.v1", state="absent")]}
    expect(apply(stack, "--yes", overlay=extra), 6, "not deleted by this version")
    check("sync.extra.v1" in described(stack, "sync.extra.v1"), "the topic was deleted")


def another_cluster_is_refused_before_any_write(stack):
    extra = {"cluster": {"id": "another"}, "topics": [topic_entry("sync.refused.v1")]}
    expect(apply(stack, "--yes", overlay=extra), 5, "the file expects the cluster another")
    check(described(stack, "sync.refused.v1") == "", "a topic was created")


def what_the_broker_refuses_is_one_sentence(stack):
    done = apply(stack, "--yes", overlay={"topics": [topic_entry("sync.bad.v1", config={"x-no.such.setting": "1"})]})
    expect(done, 1, "create topic sync.bad.v1: ")


def status_shows_partitions_and_lag(stack):
    stack.sync_process(TO3, "run").start()

    def row():
        done = program(stack, "status", "-o", "json")
        return next(r for r in json.loads(done.stdout)["routes"] if r["scope"] == TO3)

    wait_until("the route has claimed its partitions", lambda: row()["partitions"] == 4, 60)
    check(row()["lag"] == 0 and row()["state"] == "up to date", f"{row()}")
    stack.processes[TO3].stop(20)
    producer = subprocess.run([os.path.join(BUILD, "tests/test-status_producer"), "--bootstrap", stack.bootstrap, "--topic", TOPIC2],
                              input="".join(json.dumps({"key": str(n), "value_hex": "00"}) + "\n" for n in range(1, 8)), text=True,
                              capture_output=True, timeout=60)
    check(producer.returncode == 0, producer.stderr[-300:])
    check(row()["lag"] == 7, f"{row()}")


def a_missing_topic_ends_the_consumer_with_a_sentence(stack):
    check(tool(stack, "--delete", "--topic", TOPIC2).returncode == 0, "delete the topic")
    wait_until("the topic is gone", lambda: described(stack, TOPIC2) == "", 30)
    expect(program(stack, "run", TO3, timeout=150), 1, TOPIC2)


if __name__ == "__main__":
    run([topics_are_created_as_the_file_says, a_second_run_changes_nothing, without_yes_nothing_is_created,
         a_new_topic_is_created_and_a_planned_one_is_not, other_partitions_and_absent_topics_are_told_but_not_changed,
         another_cluster_is_refused_before_any_write, what_the_broker_refuses_is_one_sentence, status_shows_partitions_and_lag,
         a_missing_topic_ends_the_consumer_with_a_sentence], "topics", broker="kafka")
