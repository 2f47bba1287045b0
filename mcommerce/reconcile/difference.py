"""A difference between two records of the same fact: its name, its subject and its repair."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mcommerce.money import format_money

PERSON = "have a person look at it"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A fact that two records state differently. Without `repair` no command can mend it: `remedy` says who can."""

    name: str
    what: str
    remedy: str
    repair: Callable[[], None] | None = None
    order_id: UUID | None = None
    order_number: str = ""
    payment_id: UUID | None = None
    charge: str = ""

    def __str__(self) -> str:
        about = f"order {self.order_number or self.order_id}" if self.order_id else self.charge
        return f"{self.name}: {about}: {self.what}" if about else f"{self.name}: {self.what}"

    @property
    def about(self) -> tuple[str, UUID | None, UUID | None, str]:
        """The difference's name and its subject. They stay the same at each run, while sums and times may change."""
        return self.name, self.order_id, self.payment_id, self.charge

    def told(self) -> dict[str, Any]:
        """Return the difference as a dict for JSON."""
        return {
            "name": self.name,
            "order": str(self.order_id) if self.order_id else None,
            "order_number": self.order_number or None,
            "payment": str(self.payment_id) if self.payment_id else None,
            "charge": self.charge or None,
            "what": self.what,
            "remedy": self.remedy,
            "repairable": self.repair is not None,
        }


def money(amount: int, currency: str) -> str:
    """Return a sum as text for operators, whose language is English."""
    return format_money(amount, currency, "en")
