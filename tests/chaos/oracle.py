"""The verdict, from outside: what publishers wrote down on their disk, and SQL.

Nothing of the bus is asked but its own delivery audit, whose verdict is one among others.
"""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from tests.chaos.client_records import Violation, read_told
from tests.chaos.servers import Site
from tests.chaos.shop import verdict

CALLED, REMINDED = "town.called", "town.reminded"
GROUPS = {"writers": (CALLED, REMINDED), "answerers": (CALLED,), "readers": (CALLED,), "ringers": (REMINDED,)}
FITS = "each event fits its schema"
PROMISES = (
    "acknowledged is kept",
    "nothing undone is heard",
    "nothing is lost",
    "nothing is done twice",
    "a key's order is its commits' order",
    "an effect has one idempotency key",
    "nothing is set aside",
    "the delivery audit balances",
    "served while the broker is away",
    FITS,
    *verdict.PROMISES,
)


class Told(NamedTuple):
    """A row of the table: committed, whoever knows of it."""

    kind: str
    name: str
    number: int


class Oracle:
    """Looks at a site that has come to rest."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.told = {
            token: Told(*rest) for token, *rest in site.rows("SELECT token, kind, name, number FROM town_told")
        }
        self.seen: defaultdict[str, list[str]] = defaultdict(list)
        for group, token in site.rows('SELECT "group", token FROM town_seen ORDER BY id'):
            self.seen[group].append(token)
        self.calls = read_calls(site.folder / "calls")

    def violations(self) -> list[Violation]:
        found = [*self._acknowledged(), *self._aside()]
        for group, kinds in GROUPS.items():
            found += self._handled(group, kinds)
            found += self._ordered(group)
        found += self._effects()
        found += [Violation(FITS, complaint) for complaint in self._site.misfits()]
        if self._site.shop:
            found += verdict.Verdict(self._site.rows, self._site.folder).violations()
        if complaint := self._site.status():
            found.append(Violation("the delivery audit balances", complaint[-600:]))
        return found

    def _acknowledged(self) -> list[Violation]:
        acknowledged = read_told(self._site.crew.told_files(), "ack")
        undone = read_told(self._site.crew.told_files(), "undo")
        seen = {token for tokens in self.seen.values() for token in tokens}
        heard = seen | self.calls.keys()
        return [
            *_named("acknowledged is kept", "acknowledged and not in the database", acknowledged - self.told.keys()),
            *_named("nothing undone is heard", "rolled back and heard", undone & heard),
            *_named("nothing undone is heard", "heard and never committed", heard - undone - self.told.keys()),
        ]

    def _handled(self, group: str, kinds: tuple[str, ...]) -> list[Violation]:
        wanted = {token for token, told in self.told.items() if told.kind in kinds}
        seen = self.seen[group]
        once: set[str] = set()
        twice = {token for token in seen if token in once or once.add(token)}  # type: ignore[func-returns-value]
        return [
            *_named("nothing is lost", f"never seen by {group}", wanted - once),
            *_named("nothing is done twice", f"seen more than once by {group}", twice),
        ]

    def _ordered(self, group: str) -> list[Violation]:
        last: defaultdict[str, int] = defaultdict(int)
        early: set[str] = set()
        for token in self.seen[group]:
            told = self.told.get(token)
            if told is None or not told.number:
                continue  # a timer has its own time
            if told.number < last[told.name]:
                early.add(token)
            last[told.name] = max(last[told.name], told.number)
        return _named("a key's order is its commits' order", f"overtaken in {group}", early)

    def _effects(self) -> list[Violation]:
        many = {token for token, keys in self.calls.items() if len(set(keys)) > 1}
        unasked = {token for token in self.seen["ringers"] if token not in self.calls}
        return [
            *_named("an effect has one idempotency key", "asked for under several keys", many),
            *_named("an effect has one idempotency key", "recorded and never asked for", unasked),
        ]

    def _aside(self) -> list[Violation]:
        found = []
        for what, question in {
            "dead letters": "SELECT count(*) FROM eventbus_deadletter WHERE state = 'open'",
            "parked events": "SELECT count(*) FROM eventbus_parkedevent",
            "timers that did not fire": verdict.TIMERS,
            "rows that were not sent": "SELECT count(*) FROM eventbus_outbox WHERE log_offset IS NULL",
            "stopped groups": "SELECT count(*) FROM eventbus_consumergroup WHERE breaker_opened_at IS NOT NULL",
        }.items():
            if count := self._site.number(question):
                found.append(Violation("nothing is set aside", f"{what}: {count}"))
        return found

    def events(self) -> int:
        """How many were published."""
        return self._site.number("SELECT count(*) FROM eventbus_outbox")

    def duplicates_absorbed(self) -> int:
        """Records beyond one an event in the log, and questions to the provider beyond one an effect."""
        repeated = sum(len(keys) - 1 for keys in self.calls.values())
        return max(0, self._site.before_loss + self._site.appended() - self.events()) + repeated


def at_rest(site: Site) -> bool:
    """Whether all that was told was seen: how often, in which order, is another question. And the shop is at rest."""
    if site.shop and not verdict.at_rest(site.rows, site.folder):
        return False
    if site.number(verdict.TIMERS):
        return False
    counts = dict(site.rows('SELECT "group", count(DISTINCT token) FROM town_seen GROUP BY 1'))
    told = dict(site.rows("SELECT kind, count(*) FROM town_told GROUP BY 1"))
    return all(counts.get(group, 0) >= sum(told.get(kind, 0) for kind in kinds) for group, kinds in GROUPS.items())


def read_calls(file: Path) -> dict[str, list[str]]:
    """Idempotency keys by token, in the order of the questions."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in file.read_text().splitlines() if file.exists() else []:
        token, _, key = line.partition(" ")
        found[token].append(key)
    return dict(found)


def _named(promise: str, what: str, tokens: set[str]) -> list[Violation]:
    """One for each token; the first few are enough to begin looking."""
    return [Violation(promise, f"{what}: {token}") for token in sorted(tokens)]
