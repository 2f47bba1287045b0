"""The test cards, and the faults of a typed card."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

YEARS_AHEAD_MAX = 20  # no bank issues a card for longer: a later year is a typing error


class Behaviour(StrEnum):
    """The outcome of charging a card."""

    SUCCEED = "succeed"
    DECLINE = "decline"
    CONFIRM = "confirm"  # a second step, as when a bank asks its customer to approve
    LOSE_ANSWER = "lose_answer"  # charged, but the answer is lost for a while


TEST_CARDS = {
    "4242424242424242": Behaviour.SUCCEED,
    "4000000000000002": Behaviour.DECLINE,
    "4000000000003220": Behaviour.CONFIRM,
    "4000000000000341": Behaviour.LOSE_ANSWER,
}


@dataclass(frozen=True)
class Card:
    """A card that may be charged. The number itself is not kept."""

    last4: str
    behaviour: Behaviour


class CardInvalid(Exception):
    """The card was typed wrongly. `faults` names the word that explains each field's fault."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__(", ".join(f"{field}: {fault}" for field, fault in faults.items()))
        self.faults = faults


def read_card(*, number: str, expiry: str, cvc: str, now: float) -> Card:
    """Return the card that three typed fields describe. Raises CardInvalid with every fault at once."""
    digits = re.sub(r"[\s-]", "", number)
    found = {
        "number": _number_fault(digits),
        "expiry": _expiry_fault(expiry, today=datetime.fromtimestamp(now, UTC).date()),
        "cvc": None if re.fullmatch(r"[0-9]{3,4}", cvc.strip()) else "cvc_invalid",
    }
    faults = {field: fault for field, fault in found.items() if fault}
    if faults:
        raise CardInvalid(faults)
    return Card(last4=digits[-4:], behaviour=TEST_CARDS[digits])


def passes_luhn(digits: str) -> bool:
    """Return whether the last digit agrees with the others, as on every card: it finds a mistyped digit."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _number_fault(digits: str) -> str | None:
    if not digits:
        return "number_missing"
    if not re.fullmatch(r"[0-9]{12,19}", digits) or not passes_luhn(digits):
        return "number_invalid"
    if digits not in TEST_CARDS:
        return "test_card_required"  # somebody's real card: neither charged nor kept
    return None


def _expiry_fault(expiry: str, *, today: date) -> str | None:
    match = re.fullmatch(r"(0?[1-9]|1[0-2])\s*/?\s*((?:20)?[0-9]{2})", expiry.strip())
    if not match:
        return "expiry_invalid"
    month, year = int(match[1]), 2000 + int(match[2][-2:])
    if (year, month) < (today.year, today.month):
        return "expiry_past"
    if year > today.year + YEARS_AHEAD_MAX:
        return "expiry_invalid"
    return None
