"""Mistakes of tests.simulation.mistakes that are made in a run's site, to see that the sweep sees them."""

from typing import NamedTuple


class Sabotage(NamedTuple):
    """The point at which a mistake shows, in one of its first passes, and the verdict's words for it."""

    point: str
    told: str


SABOTAGES = {
    "the inbox is forgotten": Sabotage("append", "does not balance"),
    "progress is stored before handling": Sabotage("handler.done", "eaten"),
    "a payment is opened without a key": Sabotage("payment.opened", "sessions of them"),
    "a service is called without a claim": Sabotage("effect.answered", "got the mails"),
    "an event is set aside after one death": Sabotage("payment.refunded", "dead letters are left"),
    "a pause is noted after its commit": Sabotage("pause.committed", "the trail says"),
}
