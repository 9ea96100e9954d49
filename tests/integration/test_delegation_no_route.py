#!/usr/bin/python3
"""Delegations while Altinn 2 has no command endpoint, as the real one: both sides act at once, and what Altinn 3 ended or gave waits
without a route. At the end the sides differ by exactly that, key by key. Then the endpoint is there and the lanes are opened: they become
equal.
"""
from delegation_world import AWKWARD, CONSUMERS, DelegationWorld, must_be_equal
from harness import SEED, check, run, size, wait_until


def waiting(stack):
    return stack.query_authorization("SELECT count(*) FROM sync.outbox WHERE target = 'altinn2' AND state = 6")[0][0]


def the_sides_differ_by_what_waits_for_a_route_and_become_equal_when_it_is_opened(stack):
    acts, rate = size(800, 20000), 80
    world = DelegationWorld(stack, parties=400, resources=50, keys=size(600, 5000), seed=SEED, endpoint=False)
    world.prepare()
    world.start_loop()
    world.start_altinn2(rate, None, [*AWKWARD, "--acts", str(acts)])
    world.start_altinn3(rate, None, ["--machine-percent", "2"], acts)
    wait_until("the users have acted", lambda: world.has_acted(acts) or str(world.acts_done()), size(240, 900), every=1)
    world.stop_acting()
    result = must_be_equal(world, size(120, 300))
    count = waiting(stack)
    check(count > 0 and world.state()["commands"] == 0, f"{count} commands wait, {world.state()['commands']} were sent")
    print(f"FIGURE {world.acts_done()} acts, {count} commands wait for a route, {result.figures}")
    open_the_route(stack, world)
    result = must_be_equal(world, size(120, 600))
    print(f"FIGURE with the route {world.state()['commands']} commands were sent, {result.figures}")


def open_the_route(stack, world):
    for name in (*CONSUMERS, "altinn2-delegation-sim"):
        stack.processes[name].stop()
    world.endpoint = True
    world.write_config()
    world.start_altinn2()
    for name in CONSUMERS:
        stack.sync_process(name, "run", config=world.loop_config).start()
    stack.verb("lanes", "open", "altinn2", "--home", "authorization", "--since", "2020-01-01T00:00:00Z",
               "--reason", "the endpoint is there", "--yes", config=world.loop_config)


if __name__ == "__main__":
    run([the_sides_differ_by_what_waits_for_a_route_and_become_equal_when_it_is_opened], "delegation-no-route")
