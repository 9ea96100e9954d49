#!/usr/bin/python3
"""How far a service is caught up, on Apache Kafka with the real consumers: the watermark of a service moves on while nothing happens, and
stands still while something of it is held, waits for Altinn 3, is set aside or is behind, and only then. And the load of the whole state
of Altinn 2, beside live, until both sides are equal.

Watermarks are read from the log files of the broker by delegation_log.py.
"""
import json
import os
import time
import urllib.error
import urllib.request

import delegation_log
from delegation_acts import CLEAN_UP
from delegation_world import BACKLOG_TO3, BACKLOG_TO2, CAPTURES, CONSUMERS, TO2, TO3, DelegationWorld
from harness import SEED, check, page, run, size, wait_until
from test_delegation_simulator import Receiver

NAME = "altinn2-delegation"
WATERMARK = "sync.delegation-watermark.v1"
ADD = "/accessmanagement/api/v1/delegations/addrules"
UNKNOWN_USER = 28000001


def scene(stack):
    """The loop without its simulators: what Altinn 2 says is said by the tests."""
    if not hasattr(stack, "world"):
        world = stack.world = DelegationWorld(stack, parties=100, resources=10, keys=size(1000, 10000), seed=SEED, options={
            "capture": {"feed_poll_ms": 200, "feed_overlap_ms": 3000}})
        world.migrate()
        world.fill()
        world.load()
        stack.sql_file("connectors/altinn3/sql/delegation-publication.sql", "authorization")
        stack.verb("capture", "init", "altinn3-delegation", config=world.config)
        for name in CAPTURES:
            stack.sync_process(name, "capture", config=world.loop_config).start()
        stack.sync_process(TO3, "run", config=world.loop_config).start()
    return stack.world


def services(world):
    return [r["id"] for r in world.population["resource"] if r["resourceType"] == "CorrespondenceService"]


def latest(stack):
    """The newest watermark of each resource."""
    found = {}
    for record in sorted(delegation_log.records(stack, WATERMARK, delegation_log.WATERMARK), key=lambda r: r["offset"]):
        found[record["key"]] = record["value"]
    return found


def caught_up(stack, name):
    """Seconds since 1970, 0 = nobody knows."""
    return (latest(stack).get(name, {}).get("live_time") or 0) / 1e6


def give(world, resource, right="Read", user=None):
    """Altinn 2 tells of a rule; returns when it was told."""
    giver, person = world.population["party"][0], next(p for p in world.population["party"] if p.get("userId"))
    body = [{"offeredByPartyId": giver["partyId"], "coveredBy": [{"id": "urn:altinn:userid", "value": str(user or person["userId"])}],
             "resource": [{"id": "urn:altinn:resource", "value": resource}], "delegatedByUserId": person["userId"],
             "action": {"id": "action-id", "value": right}}]
    request = urllib.request.Request(f"http://127.0.0.1:{world.push_port}{ADD}", data=json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})

    def answered():
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status == 201
        except (urllib.error.HTTPError, OSError):
            return False

    before = time.time()
    wait_until("the call is taken", answered, 60)
    return before, time.time()


def moves_on(stack, name, seconds=60):
    now = time.time()
    wait_until(f"{name} is caught up to now", lambda: caught_up(stack, name) > now, seconds, every=0.5)


def stands_still(stack, name, other, counter, told):
    """Other goes on, and this one stops before what was told between these two times."""
    wait_until(f"{counter} is counted", lambda: latest(stack).get(name, {}).get(counter, 0) == 1, 60, every=0.5)
    moves_on(stack, other)
    at = caught_up(stack, name)
    check(at <= told[1], f"{name} is said to be caught up to {at}, and what was told at {told} waits ({counter})")
    check(latest(stack)[other][counter] == 0, f"{other} has nothing to do with it")


def an_idle_service_is_caught_up_to_now(stack):
    world = scene(stack)
    for name in services(world)[:2]:
        moves_on(stack, name, 90)
        first = latest(stack)[name]
        moves_on(stack, name)
        check(latest(stack)[name]["live_pos"] == first["live_pos"], "nothing happened: the position stands, the time does not")


def what_is_held_stops_its_service_alone(stack):
    world = scene(stack)
    name, other = services(world)[:2]
    told = give(world, name, user=UNKNOWN_USER)
    stands_still(stack, name, other, "held", told)
    newcomer = next(p["partyId"] for p in reversed(world.population["party"]) if not p.get("userId"))
    world.altinn3.transaction(newcomer, CLEAN_UP, lambda cursor, stamp: cursor.execute(
        "UPDATE dbo.entity SET userid = %s, audit_validfrom = now() WHERE partyid = %s", (UNKNOWN_USER, newcomer)))
    wait_until("the person is known, and the record decided", lambda: latest(stack)[name]["held"] == 0, 60, every=0.5)
    moves_on(stack, name)


def what_waits_for_altinn3_stops_its_service_alone(stack):
    world = scene(stack)
    name, other = services(world)[2], services(world)[1]
    stack.query_authorization("UPDATE sync.resource_state SET phase = 1 WHERE resource = %s", name)
    told = give(world, name)
    stands_still(stack, name, other, "pending", told)
    world.load()
    wait_until("it is written", lambda: latest(stack)[name]["pending"] == 0, 60, every=0.5)
    moves_on(stack, name)


def a_consumer_that_rests_stops_all(stack):
    world = scene(stack)
    names = services(world)[:3]
    stack.verb("--yes", "pause", TO3, "--reason", "test", config=world.config)
    wait_until("the consumer has noticed", lambda: "[+] paused by an operator" in page(stack, TO3, "/readyz?verbose")[1], 30)
    told = give(world, names[0])

    def stopped():
        before = caught_up(stack, names[1])
        count = len(delegation_log.records(stack, WATERMARK, delegation_log.WATERMARK))
        wait_until("watermarks come", lambda: len(delegation_log.records(stack, WATERMARK, delegation_log.WATERMARK)) > count + 20, 60, every=0.5)
        return caught_up(stack, names[1]) == before

    wait_until("all stand still", stopped, 60)
    check(all(caught_up(stack, name) <= told[1] for name in names), "before what is not applied")
    stack.verb("--yes", "resume", TO3, "--reason", "test", config=world.config)
    for name in names:
        moves_on(stack, name)


def what_is_set_aside_stops_its_service_alone(stack):
    world = scene(stack)
    name, other = services(world)[0], services(world)[1]
    told = give(world, name, right="strange")
    stands_still(stack, name, other, "parked", told)
    stack.query_authorization("UPDATE sync.parked SET state = 3 WHERE state = 0")  # as an operator discards it
    moves_on(stack, name)


def all_that_altinn2_had_is_loaded_beside_live(stack):
    """People act for a while with nobody of ours listening. Then everything starts, and they go on while it is loaded."""
    world = scene(stack)
    stack.processes[NAME].stop()
    nobody = Receiver()
    world.start_altinn2(rate=size(300, 1000), extra=["--push-url", nobody.url])
    wait_until("there is something to load", lambda: stack.query_authorization(
        "SELECT count(*) > %s FROM altinn2delegations.held WHERE kind IN (0, 2)", size(300, 3000))[0][0], 60)
    world.stop_acting()
    wait_until("it was told to nobody", lambda: world.state()["pending"] == 0, 60)
    stack.processes["altinn2-delegation-sim"].stop()
    stack.query_authorization("TRUNCATE altinn2delegations.rule_id")  # ids that nobody of ours gave
    for table in ("held", "change", "report"):  # Altinn 2 exports no rules of messages: it never had one
        stack.query_authorization(f"DELETE FROM altinn2delegations.{table} WHERE kind = 1")
    before = stack.query_authorization("SELECT count(*) FROM altinn2delegations.held")[0][0]
    stack.processes[NAME].start()
    for name in (TO2, BACKLOG_TO3, BACKLOG_TO2):
        stack.sync_process(name, "run", config=world.loop_config).start()
    world.start_altinn2(rate=size(10, 100))
    stack.verb("--yes", "capture", "backfill", NAME, "start", "--reason", "first load", config=world.config)

    def states():
        return {r[0] for r in stack.query_authorization("SELECT state FROM sync.backfill WHERE capture = %s", NAME)}

    wait_until("everything is loaded", lambda: states() == {"done"}, 180, every=0.5)
    world.stop_acting()
    for name in services(world):
        wait_until(f"{name} is said to be loaded", lambda name=name: latest(stack)[name]["backlog"] == "DONE", 60, every=0.5)
    wait_until("both sides are equal", lambda: world.outstanding() or world.judge().counts["rights differ"] == 0, 180, every=2)
    result = world.judge()
    check(result.counts["resurrected"] == 0, f"{result.witnesses['resurrected']}")
    stack.processes["altinn2-delegation-sim"].stop()
    loaded = stack.query_authorization("SELECT sum(rows_done) FROM sync.backfill WHERE capture = %s", NAME)[0][0]
    check(before > 100 and loaded > 100, f"{before} were there, {loaded} rows were loaded")


if __name__ == "__main__":
    run([all_that_altinn2_had_is_loaded_beside_live, an_idle_service_is_caught_up_to_now, what_is_held_stops_its_service_alone,
         what_waits_for_altinn3_stops_its_service_alone, a_consumer_that_rests_stops_all, what_is_set_aside_stops_its_service_alone],
        "delegation-caught-up")
