"""What the shop asks of any payment company, and what it may answer.

Shoppers type their card on the company's own page; the shop sees the last four digits at most.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from eventbus import ServiceUnavailable


class SessionStatus(StrEnum):
    """Where a session stands. SUCCEEDED and EXPIRED are final: nothing more can be charged."""

    OPEN = "open"
    ACTION_REQUIRED = "action_required"
    SUCCEEDED = "succeeded"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class SessionRequest:
    """One amount to be paid on the company's page, before `expires_at`. Amounts are minor units of `currency`."""

    order_id: UUID
    amount: int
    currency: str
    return_url: str
    webhook_url: str
    expires_at: datetime
    language: str


@dataclass(frozen=True, kw_only=True)
class SessionState:
    """A session as the company tells it. Of two states the one with the higher `revision` is newer.

    `charge_ref`: the company's id of the money, once SUCCEEDED. `decline_code`: why the last card was refused, while
    OPEN. `url`: the page to send the shopper to; empty where the company does not repeat it.
    """

    ref: str
    status: SessionStatus
    revision: int
    amount: int
    currency: str
    charge_ref: str = ""
    last4: str = ""
    decline_code: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Charge:
    """Money that the company took: for which session and order, when, and how much of it went back since."""

    ref: str
    session_ref: str
    order_id: str  # as the shop said it when it opened the session; not every charge is of an order
    amount: int
    currency: str
    refunded: int
    charged_at: datetime


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """What a genuine webhook told: the id is the same when it is told again."""

    event_id: str
    session: SessionState


class ProviderError(Exception):
    """The company did not do what was asked."""


class Declined(ProviderError):
    """It said no, and will say so again. `code` tells why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ProviderDown(ProviderError, ServiceUnavailable):
    """It was not reached, or not even asked, so it did nothing."""


class ProviderBusy(ProviderDown):
    """Too much is asked of it: it says so, or others wait here for an answer that usually comes soon."""


class ProviderTimeout(ProviderError):
    """It was reached and did not answer: it may have done what was asked. Ask again with the same key."""


class ProviderUnreadable(ProviderTimeout):
    """It answered with what is no answer: it may have done what was asked. Ask again with the same key."""


class BadSignature(ProviderError):
    """A webhook that the company did not sign, or signed too long ago."""


class Provider(Protocol):
    """A payment company, for one piece of work: all its calls together are bounded in time.

    Every call may raise ProviderDown, ProviderTimeout or Declined.

    Calls that change something take an idempotency key: the same key does it once, however often it is asked.
    No call may be made inside a database transaction.
    """

    def create_session(self, request: SessionRequest, *, idempotency_key: str) -> SessionState:
        """Open a page to pay at. A repeat may answer with the state of the first time."""

    def fetch_session(self, ref: str) -> SessionState:
        """The session as it is now."""

    def expire_session(self, ref: str, *, idempotency_key: str) -> SessionState:
        """Make sure that nothing more is charged, and tell the end: EXPIRED, or SUCCEEDED if that came first."""

    def refund(self, charge_ref: str, *, amount: int, currency: str, idempotency_key: str) -> str:
        """Give money back; answers the company's id of the refund."""

    def fetch_charge(self, ref: str) -> Charge:
        """The charge as it is now."""

    def charges(self, *, after: str = "") -> tuple[list[Charge], bool]:
        """A page of everything that was ever charged, oldest first, from the charge `after` on; whether more follow."""

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes, now: datetime) -> Webhook | None:
        """What a webhook says; None when it is none of our concern. Raises BadSignature, ProviderUnreadable."""
