"""Mutants that change nothing anybody could notice, each with the reason why."""

import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.mutants.runner import EQUIVALENT, SURVIVED, Outcome

JUDGED = Path(__file__).with_name("judged.toml")


class Judgements(NamedTuple):
    """Judged changes: a module, the line as it is and as the mutant has it; the place in the module does not matter."""

    judged: frozenset[tuple[str, str, str]]

    @classmethod
    def read(cls, file: Path = JUDGED) -> "Judgements":
        entries = tomllib.loads(file.read_text()).get("equivalent", []) if file.exists() else []
        for entry in entries:
            if not entry["why"].strip():
                raise ValueError(f"{file.name}: say why {entry['after']!r} in {entry['module']} changes nothing")
        return cls(frozenset((entry["module"], entry["before"], entry["after"]) for entry in entries))

    def of(self, outcome: Outcome) -> Outcome:
        """As it came, or as judged if nothing noticed it."""
        if outcome.end == SURVIVED and (outcome.mutant.module, *changed_lines(outcome.diff)) in self.judged:
            return outcome._replace(end=EQUIVALENT)
        return outcome


def changed_lines(diff: str) -> tuple[str, str]:
    """What was there and what stands there now, without indentation; several lines are joined by a space."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    before, after = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in ("-", "+"))
    return before, after
