"""The shop as the run sees it from outside: what was ordered, whether all is over, and the operator who is called."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.client_records import Violation, read_told
from tests.chaos.shop import verdict
from tests.chaos.shop.restored_orders import Forgotten, Known
from tests.chaos.shop.roles import SHOPPERS
from tests.waiting import is_true_within

LOOK_SECONDS = 0.2


class Shop:
    """One site's. `rows` asks its database, `run` runs a module on it, `manage` a command of the operator's."""

    def __init__(
        self, folder: Path, rows: verdict.Rows, run: Callable[[str], None], manage: Callable[..., str]
    ) -> None:
        self._folder, self._rows, self._run, self._manage = folder, rows, run, manage
        self.forgotten = Forgotten()
        self.broken: list[Violation] = []  # what was promised, and was seen not to hold

    def ordered(self) -> int:
        """How many orders were acknowledged."""
        return len(read_told([self._folder / SHOPPERS], "ordered"))

    def cut_short(self) -> int:
        """How many requests a page server has taken in and not answered."""
        return len(read_told([self._folder / SHOPPERS], "cut"))

    def takes_orders(self, since: int, seconds: float) -> bool:
        """Whether another is acknowledged within so long."""
        return is_true_within(seconds, lambda: self.ordered() > since, look=LOOK_SECONDS)

    def known(self) -> Known:
        """What is known outside by now: a backup that begins later has all of it."""
        return Known.now(self._folder)

    def restored(self, before: Known, after: Known) -> None:
        """The database was. See `Forgotten.note`."""
        orders = {str(order) for (order,) in self._rows("SELECT id FROM orders_order")}
        self.forgotten.note(before, after, orders)

    def reconcile(self) -> bool:
        """Have the operator compare company and shop, and repair what differs. Whether nothing does, of any order."""
        found = self._compared()
        if found is None or not found["differences"]:
            return found is not None and not found["orders_with_events_under_way"]
        for one in found["differences"]:
            if one["order"] and one["order"] not in self.forgotten.touched:
                self.broken.append(Violation(verdict.ENDED, f"to be repaired, and no restore forgot it: {one}"))
        try:
            self._manage("reconcile", "--repair", "--expect", str(len(found["differences"])))
        except (RuntimeError, subprocess.TimeoutExpired) as error:  # another fault was in its way: it is asked again
            print(error)
        return False

    def _compared(self) -> dict[str, Any] | None:
        """What the operator sees; None where the company or the database did not answer."""
        try:
            told = self._manage("reconcile", "--json")
        except RuntimeError as error:
            told = str(error)
        except subprocess.TimeoutExpired:
            return None
        printed = re.search(r"^\{$.*", told, re.MULTILINE | re.DOTALL)
        try:
            found = json.JSONDecoder().raw_decode(printed[0])[0] if printed else {}
        except ValueError:
            return None
        return found if "differences" in found else None

    def at_rest(self) -> bool:
        """After a restore what the company has is compared before mails are waited for: some follow from that."""
        if verdict.is_under_way(self._rows):
            return False
        if self.forgotten.restored and not self.reconcile():
            return False
        return verdict.at_rest(self._rows, self._folder)

    def decide(self) -> None:
        """Have the operator decide about mails in doubt, if there are any."""
        if verdict.in_doubt(self._rows):
            self._run("tests.chaos.shop.operator_process")

    def verdict(self) -> verdict.Verdict:
        return verdict.Verdict(self._rows, self._folder, self.forgotten)
