"""What restores of the shop's database took with them, and what shoppers and the company still know of it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.client_records import read_told
from tests.chaos.shop.mail_log import letters
from tests.chaos.shop.roles import SHOPPERS

ENDS = ("paid", "cancelled")


@dataclass
class Known:
    """What was known outside the database at one moment. `letters` by kind and order's number."""

    ordered: set[str]
    ended: set[str]
    letters: Counter[tuple[str, str]]

    @classmethod
    def now(cls, folder: Path) -> "Known":
        """As the shoppers' diary and the letterbox have it."""
        diary = [folder / SHOPPERS]
        ended = set[str]().union(*(read_told(diary, end) for end in ENDS))
        return cls(read_told(diary, "ordered"), ended, letters(folder))


@dataclass
class Forgotten:
    """Of one run, which may have several restores.

    orders: acknowledged, and not in the database any more.
    ended: orders of which somebody was told an end that the database may have forgotten.
    touched: orders of which it may have forgotten something: all that it had after the last restore, and those above.
    letters: mails that were sent, and of which the database may know nothing.
    """

    restored: bool = False
    orders: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    letters: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, before: Known, after: Known, orders: set[str]) -> None:
        """The database was restored from a backup that began after `before`. `orders` is what it had then.

        `after` is what was known when it was away already, so that nobody could be told of anything new.
        """
        self.restored = True
        self.orders |= after.ordered - before.ordered - orders
        self.ended |= after.ended - before.ended
        self.touched |= self.orders | orders
        self.letters += after.letters - before.letters
