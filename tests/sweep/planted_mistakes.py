"""Mistakes of tests.simulation.mistakes that are made in a run's site, to see that the sweep sees them."""

from typing import NamedTuple


class Trial(NamedTuple):
    """The point at which a mistake shows, in one of its first passes, and the verdict's words for it."""

    point: str
    told: str


TRIALS = {
    "the inbox is forgotten": Trial("append", "does not balance"),
    "progress is stored before handling": Trial("handler.done", "eaten"),
    "a payment is opened without a key": Trial("payment.opened", "sessions of them"),
    "a service is called without a claim": Trial("effect.answered", "got the mails"),
    "an event is set aside after one death": Trial("payment.refunded", "dead letters are left"),
    "a pause is noted after its commit": Trial("pause.committed", "the trail says"),
}
