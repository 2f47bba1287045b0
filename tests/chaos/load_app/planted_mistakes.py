"""Mistakes of tests.simulation.mistakes, made one at a time by CHAOS_SABOTAGE: the oracle must tell each of them."""

import os
from typing import NamedTuple

from tests.chaos.restored_events import GHOSTS

KEPT = "acknowledged is kept"
UNDONE = "nothing undone is heard"
LOST = "nothing is lost"
TWICE = "nothing is done twice"
ORDER = "a key's order is its commits' order"
ONE_KEY = "an effect has one idempotency key"
ASIDE = "nothing is set aside"
OTHERS = "others pass an event that breaks its own world"
EARLY = "acknowledged before the database"  # the publisher's own


class Sabotage(NamedTuple):
    """The promise that a mistake breaks, and the faults under which it does; most need none.

    `shop`: it is a mistake in the shop, which must be there then.
    """

    breaks: str
    under: tuple[str, ...] = ()
    shop: bool = False


IN_THE_BUS = {
    EARLY: Sabotage(KEPT),
    "the inbox is forgotten": Sabotage(TWICE),
    "an event gets its id when it is sent": Sabotage(TWICE),
    "a new owner begins at the end of the log": Sabotage(LOST, ("worker killed", "connections ended")),
    # A relay that is faster than whoever drew the lower number sends in the order of commits: it is held up.
    "publishers of a key do not wait for one another": Sabotage(ORDER, ("relay stopped", "broker stopped")),
    "an event is published on another connection": Sabotage(UNDONE),
    "a key lies in any partition": Sabotage(ORDER),
    "an event without an acknowledgement counts as sent": Sabotage(LOST, ("broker killed",)),
    "a handlers error is swallowed": Sabotage(LOST),
    "a handler runs outside the transaction": Sabotage(TWICE),
    "a parked key is overtaken": Sabotage(ORDER),
    "the first failure is the last": Sabotage(ASIDE),
    "each attempt has another idempotency key": Sabotage(ONE_KEY, ("provider in trouble",)),
    "an event that looks like an outage is waited for": Sabotage(OTHERS, ("poison: statement timeout",)),
    "deleted records are skipped": Sabotage(LOST, ("log cut behind a group",)),
    "added partitions get keys at once": Sabotage(LOST, ("partitions added",)),
    "a log that lost its end is not noticed": Sabotage(LOST, ("Kafka restored",)),
    "events that a restore forgot are handled": Sabotage(GHOSTS, ("PostgreSQL restored",)),
    "a worker that leaves skips what is ahead": Sabotage(LOST, ("upgrade",)),
}


def plant(name: str) -> None:
    """Raises KeyError for an unknown one."""
    from tests.simulation.mistakes import named  # only now: it imports models

    if name != EARLY:
        named(name).plant()


def of_the_bus() -> bool:
    """Whether a mistake is planted that is the bus's own."""
    return os.environ.get("CHAOS_SABOTAGE") in IN_THE_BUS


def acknowledges_early() -> bool:
    """Whether the site says yes before its database has said so."""
    return os.environ.get("CHAOS_SABOTAGE") == EARLY
