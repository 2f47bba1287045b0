"""Mistakes of tests.simulation.mistakes, made one at a time by CHAOS_MISTAKE: the oracle must tell each of them."""

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


class Trial(NamedTuple):
    """The promise that a mistake breaks, and the faults under which it does; most need none.

    `shop`: it is a mistake in the shop, which must be there then.
    """

    breaks: str
    under: tuple[str, ...] = ()
    shop: bool = False


IN_THE_BUS = {
    EARLY: Trial(KEPT),
    "the inbox is forgotten": Trial(TWICE),
    "an event gets its id when it is sent": Trial(TWICE),
    "a new owner begins at the end of the log": Trial(LOST, ("worker killed", "connections ended")),
    # A relay that is faster than whoever drew the lower number sends in the order of commits: it is held up.
    "publishers of a key do not wait for one another": Trial(ORDER, ("relay stopped", "broker stopped")),
    "an event is published on another connection": Trial(UNDONE),
    "a key lies in any partition": Trial(ORDER),
    "an event without an acknowledgement counts as sent": Trial(LOST, ("broker killed",)),
    "a handlers error is swallowed": Trial(LOST),
    "a handler runs outside the transaction": Trial(TWICE),
    "a parked key is overtaken": Trial(ORDER),
    "the first failure is the last": Trial(ASIDE),
    "each attempt has another idempotency key": Trial(ONE_KEY, ("provider in trouble",)),
    "an event that looks like an outage is waited for": Trial(OTHERS, ("poison: statement timeout",)),
    "deleted records are skipped": Trial(LOST, ("log cut behind a group",)),
    "added partitions get keys at once": Trial(LOST, ("partitions added",)),
    "a log that lost its end is not noticed": Trial(LOST, ("Kafka restored",)),
    "events that a restore forgot are handled": Trial(GHOSTS, ("PostgreSQL restored",)),
    "a worker that leaves skips what is ahead": Trial(LOST, ("upgrade",)),
}


def plant(name: str) -> None:
    """Raises KeyError for an unknown one."""
    from tests.simulation.mistakes import named  # only now: it imports models

    if name != EARLY:
        named(name).plant()


def of_the_bus() -> bool:
    """Whether a mistake is planted that is the bus's own."""
    return os.environ.get("CHAOS_MISTAKE") in IN_THE_BUS


def acknowledges_early() -> bool:
    """Whether the site says yes before its database has said so."""
    return os.environ.get("CHAOS_MISTAKE") == EARLY
