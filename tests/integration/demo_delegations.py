"""Delegations in the demo: people give and take rights on both sides, beside those who read and purge messages."""
from delegation_world import CONSUMERS, DelegationWorld
from harness import outcomes

PARTIES, RESOURCES, KEYS = 60, 20, 600


def start(stack, seed):
    """A population in the home authorization, the captures and consumers of delegations."""
    world = DelegationWorld(stack, parties=PARTIES, resources=RESOURCES, keys=KEYS, seed=seed)
    world.prepare()
    world.start_loop()
    return world


def act(world, rate=10):
    world.start_altinn2(rate)
    world.start_altinn3(rate)


def facts(world, result):
    """Rows for below the table of differences."""
    acts2, acts3 = world.acts_done()
    to3, to2 = (outcomes(world.stack, scope, world.stack.query_authorization) for scope in CONSUMERS)
    return [
        ("rights given or taken in Altinn 2, in Altinn 3", f"{acts2:,}, {acts3:,}"),
        ("records applied to Altinn 3, to Altinn 2", f"{to3['applied']:,}, {to2['applied']:,}"),
        ("commands to Altinn 2", f"{world.state()['commands']:,}"),
        ("parked", f"{to3['parked'] + to2['parked']:,}"),
        ("keys whose restoring waits for a person (DL-85)", f"{result.figures['keys whose restoring is parked']:,}"),
    ]
