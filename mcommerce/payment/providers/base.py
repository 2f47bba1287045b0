"""The interface of a payment provider, and its possible answers.

Shoppers type their card on the provider's own page; the shop sees the last four digits at most.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from eventbus import ServiceUnavailable


class SessionStatus(StrEnum):
    """The status of a session. SUCCEEDED and EXPIRED are final: nothing more can be charged."""

    OPEN = "open"
    ACTION_REQUIRED = "action_required"
    SUCCEEDED = "succeeded"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class SessionRequest:
    """A request to pay one amount on the provider's page before `expires_at`, in minor units of `currency`."""

    order_id: UUID
    amount: int
    currency: str
    return_url: str
    webhook_url: str
    expires_at: datetime
    language: str


@dataclass(frozen=True, kw_only=True)
class SessionState:
    """A session as the provider reports it. Of two states the one with the higher `revision` is newer.

    `charge_ref`: the provider's id of the charge, once SUCCEEDED. `decline_code`: why the last card was refused, while
    OPEN. `url`: the page to send the shopper to; empty if the provider does not repeat it.
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
    """Money that the provider took: its session and order, its time, and how much of it was refunded since."""

    ref: str
    session_ref: str
    order_id: str  # as the shop sent it with the session; not every charge is of an order
    amount: int
    currency: str
    refunded: int
    charged_at: datetime


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """The content of a genuine webhook: a repeat has the same id."""

    event_id: str
    session: SessionState


class ProviderError(Exception):
    """The provider did not do what was requested."""


class Declined(ProviderError):
    """The provider refused, and will refuse again. `code` tells why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ProviderDown(ProviderError, ServiceUnavailable):
    """The provider was not reached, or not even called, so it did nothing."""


class ProviderBusy(ProviderDown):
    """Too many calls: the provider says so, or as many visitors as allowed already wait for its answers."""


class ProviderTimeout(ProviderError):
    """The provider was reached and did not answer: it may have acted. Call again with the same key."""


class ProviderUnreadable(ProviderTimeout):
    """The provider's answer cannot be read: it may have acted. Call again with the same key."""


class BadSignature(ProviderError):
    """A webhook that the provider did not sign, or signed too long ago (`is_signed`)."""

    def __init__(self, why: str, *, is_signed: bool = False) -> None:
        super().__init__(why)
        self.is_signed = is_signed


class Provider(Protocol):
    """A client of a payment provider, for one piece of work: all its calls share one time limit.

    Every call may raise ProviderDown, ProviderTimeout or Declined.

    A call that changes something takes an idempotency key. Repeated with the same key, it makes the change only once.
    No call may be made inside a database transaction.
    """

    def create_session(self, request: SessionRequest, *, idempotency_key: str) -> SessionState:
        """Open a page to pay at. A repeat may answer with the state of the first time."""

    def fetch_session(self, ref: str) -> SessionState:
        """Return the session as it is now."""

    def expire_session(self, ref: str, *, idempotency_key: str) -> SessionState:
        """End the session, so that nothing more is charged. Returns EXPIRED, or SUCCEEDED if that came first."""

    def refund(self, charge_ref: str, *, amount: int, currency: str, idempotency_key: str) -> str:
        """Give money back; return the provider's id of the refund."""

    def fetch_charge(self, ref: str) -> Charge:
        """Return the charge as it is now."""

    def charges(self, *, after: str = "") -> tuple[list[Charge], bool]:
        """Return a page of all charges ever, oldest first, from the charge `after` on; and whether more follow."""

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes, now: datetime) -> Webhook | None:
        """Return the webhook; None when it does not concern us. Raises BadSignature, ProviderUnreadable."""
