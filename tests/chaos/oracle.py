"""The verdict, from outside: what publishers wrote down on their disk, and SQL.

Nothing of the bus is asked but its own delivery audit, whose verdict is one among others.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.chaos.client_records import Violation, read_told
from tests.chaos.servers import Site
from tests.chaos.shop import verdict

CALLED, REMINDED = "town.called", "town.reminded"
GROUPS = {"writers": (CALLED, REMINDED), "answerers": (CALLED,), "readers": (CALLED,), "ringers": (REMINDED,)}
KEPT = "acknowledged is kept"
UNDONE = "nothing undone is heard"
LOST = "nothing is lost"
TWICE = "nothing is done twice"
ORDER = "a key's order is its commits' order"
ONE_KEY = "an effect has one idempotency key"
ASIDE = "nothing is set aside"
BALANCES = "the delivery audit balances"
SERVED = "served while the broker is away"
FITS = "each event fits its schema"
LEFT = {
    "dead letters": "SELECT count(*) FROM eventbus_deadletter WHERE state = 'open'",
    "parked events": "SELECT count(*) FROM eventbus_parkedevent",
    "timers that did not fire": verdict.TIMERS,
    "rows that were not sent": "SELECT count(*) FROM eventbus_outbox WHERE log_offset IS NULL",
    "stopped groups": "SELECT count(*) FROM eventbus_consumergroup WHERE breaker_opened_at IS NOT NULL",
}


class Oracle:
    """Looks at a site that has come to rest. `told` has what was committed, whoever knows of it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.told = {token: rest for token, *rest in site.rows("SELECT token, kind, name, number FROM town_told")}
        self.seen: defaultdict[str, list[str]] = defaultdict(list)
        for group, token in site.rows('SELECT "group", token FROM town_seen ORDER BY id'):
            self.seen[group].append(token)
        self.calls = read_calls(site.folder / "calls")
        self.events = site.number("SELECT count(*) FROM eventbus_outbox")

    def violations(self) -> Iterator[Violation]:
        yield from self._acknowledged()
        for group, kinds in GROUPS.items():
            wanted = {token for token, (kind, _name, _number) in self.told.items() if kind in kinds}
            yield from named(LOST, f"never seen by {group}", wanted - set(self.seen[group]))
            yield from named(TWICE, f"seen more than once by {group}", repeated(self.seen[group]))
            yield from named(ORDER, f"overtaken in {group}", self._overtaken(group))
        many = {token for token, keys in self.calls.items() if len(set(keys)) > 1}
        yield from named(ONE_KEY, "asked for under several keys", many)
        yield from named(ONE_KEY, "recorded and never asked for", set(self.seen["ringers"]) - self.calls.keys())
        for what, question in LEFT.items():
            if count := self._site.number(question):
                yield Violation(ASIDE, f"{what}: {count}")
        yield from (Violation(FITS, complaint) for complaint in self._site.misfits())
        if complaint := self._site.status():
            yield Violation(BALANCES, complaint[-600:])
        if self._site.shop:
            yield from verdict.violations(self._site.rows, self._site.folder)

    def _acknowledged(self) -> Iterator[Violation]:
        acknowledged, undone = (read_told(self._site.crew.told_files(), what) for what in ("ack", "undo"))
        heard = set().union(*self.seen.values()) | self.calls.keys()
        yield from named(KEPT, "acknowledged and not in the database", acknowledged - self.told.keys())
        yield from named(UNDONE, "rolled back and heard", undone & heard)
        yield from named(UNDONE, "heard and never committed", heard - undone - self.told.keys())

    def _overtaken(self, group: str) -> Iterator[str]:
        """A timer has its own time, and no number."""
        last: defaultdict[str, int] = defaultdict(int)
        for token in self.seen[group]:
            _kind, name, number = self.told.get(token, ("", "", 0))
            if number:
                if number < last[name]:
                    yield token
                last[name] = max(last[name], number)

    def duplicates_absorbed(self) -> int:
        """Records beyond one an event in the log, and questions to the provider beyond one an effect."""
        again = sum(len(keys) - 1 for keys in self.calls.values())
        return max(0, self._site.before_loss + self._site.appended() - self.events) + again


def at_rest(site: Site) -> bool:
    """Whether all that was told was seen: how often, in which order, is another question. And the shop is at rest."""
    if site.number(verdict.TIMERS) or (site.shop and not verdict.at_rest(site.rows)):
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


def repeated(tokens: Iterable[str]) -> Iterator[str]:
    once: set[str] = set()
    for token in tokens:
        if token in once:
            yield token
        once.add(token)


def named(promise: str, what: str, tokens: Iterable[str]) -> Iterator[Violation]:
    return (Violation(promise, f"{what}: {token}") for token in tokens)
