"""The shop as the run sees it from outside: what was ordered, whether all is over, and the operator who is called."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos.shop import verdict
from tests.chaos.shop.roles import SHOPPERS
from tests.chaos.told import read_told

LOOK_SECONDS = 0.2


class Shop:
    """One site's. `rows` asks its database, `run` runs a module on it."""

    def __init__(self, folder: Path, rows: verdict.Rows, run: Callable[[str], None]) -> None:
        self._folder, self._rows, self._run = folder, rows, run

    def ordered(self) -> int:
        """How many orders were acknowledged."""
        return len(read_told([self._folder / SHOPPERS], "ordered"))

    def cut_short(self) -> int:
        """How many requests a page server has taken in and not answered."""
        return len(read_told([self._folder / SHOPPERS], "cut"))

    def takes_orders(self, since: int, seconds: float) -> bool:
        """Whether another is acknowledged within so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.ordered() > since:
                return True
            time.sleep(LOOK_SECONDS)  # between two looks of a poll that has a deadline
        return False

    def at_rest(self) -> bool:
        return verdict.at_rest(self._rows, self._folder)

    def decide(self) -> None:
        """Have the operator decide about mails in doubt, if there are any."""
        if verdict.in_doubt(self._rows):
            self._run("tests.chaos.shop.deciding")

    def verdict(self) -> verdict.Verdict:
        return verdict.Verdict(self._rows, self._folder)
