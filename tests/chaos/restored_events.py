"""What restores of the database took with them: it was told, and nobody may ask for it, nor hear of it, any more."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from tests.chaos.client_records import Violation, read_told

GHOSTS = "what a restore forgot is heard by nobody"


class Forgotten:
    """Of one run, which may have several restores. `told_files` are the publishers'; `calls` is what was asked outside.

    acknowledged: tokens of what publishers were told to be committed.
    """

    def __init__(self, told_files: Collection[Path], calls: Path) -> None:
        self._told_files, self._calls = list(told_files), calls
        self.acknowledged: set[str] = set()
        self._asked = Counter[str]()

    def known(self) -> set[str]:
        """What is acknowledged by now: a backup that begins later has all of it."""
        return read_told(self._told_files, "ack")

    def note(self, before: set[str], after: set[str], told: set[str]) -> None:
        """The database was restored. `told` is what it has.

        Known `before` the backup, and `after`, when the database was away and nobody who had published lived any more.
        """
        self.acknowledged |= after - before - told
        asked = asked_outside(self._calls)
        self._asked |= Counter({token: count for token, count in asked.items() if token not in told})

    def heard_again(self, seen: set[str]) -> list[Violation]:
        """By a group, which was restored as well; or outside, which forgets nothing: after the restore."""
        asked = asked_outside(self._calls)
        outside = {token for token, count in self._asked.items() if asked[token] > count}
        return [
            *(Violation(GHOSTS, f"seen after the restore: {token}") for token in sorted(self.acknowledged & seen)),
            *(Violation(GHOSTS, f"asked for after the restore: {token}") for token in sorted(outside)),
        ]

    def asked(self) -> set[str]:
        """Tokens of which a provider knows and the database does not, rightly."""
        return set(self._asked)


def asked_outside(calls: Path) -> Counter[str]:
    """How often the provider was asked, by token."""
    lines = calls.read_text().splitlines() if calls.exists() else []
    return Counter(line.partition(" ")[0] for line in lines)
