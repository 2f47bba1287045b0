"""Parsers of the sandbox's answers, which check every field. An invalid answer raises ProviderUnreadable."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from mcommerce.payment.providers.base import Charge, ProviderUnreadable, SessionState, SessionStatus, Webhook

Reader = Callable[[bytes], Any]
Number = Annotated[int, Meta(ge=0, le=2**31 - 1)]  # as the columns hold it
Ref = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,100}\Z")]  # part of URLs, and held in columns
SECONDS_MAX = 32_503_680_000  # the year 3000: later is a mistake, and far later no valid date
Code = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.-]{0,50}\Z")]
Url = Annotated[str, Meta(pattern=r"\A(https?://[\x21-\x7e]{1,480})?\Z")]  # browsers are redirected there


class _Session(msgspec.Struct):
    id: Ref
    status: SessionStatus
    revision: Number
    amount: Number
    currency: Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]
    charge: Ref | None
    last4: Annotated[str, Meta(pattern=r"\A[0-9]{0,4}\Z")]
    decline_code: Code
    url: Url = ""


class _Charge(msgspec.Struct):
    id: Ref
    session: Ref
    reference: Annotated[str, Meta(max_length=200)]
    amount: Number
    currency: Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]
    refunded: Number
    created_at: Annotated[float, Meta(ge=0, le=SECONDS_MAX)]


class _Charges(msgspec.Struct):
    charges: list[_Charge]
    more: bool


class _Refund(msgspec.Struct):
    id: Ref


class _Error(msgspec.Struct):
    code: Code


class _Refusal(msgspec.Struct):
    error: _Error


class _Webhook(msgspec.Struct):
    id: Ref
    type: str
    session: msgspec.Raw = msgspec.Raw(b"null")


T = TypeVar("T")


def session(body: bytes) -> SessionState:
    """Parse a session in any status."""
    told = _read(body, _Session)
    if (told.status is SessionStatus.SUCCEEDED) != bool(told.charge and told.amount):
        raise ProviderUnreadable("a session that is paid without a charge, or charged without being paid")
    return SessionState(
        ref=told.id,
        status=told.status,
        revision=told.revision,
        amount=told.amount,
        currency=told.currency,
        charge_ref=told.charge or "",
        last4=told.last4,
        decline_code=told.decline_code,
        url=told.url,
    )


def opened(body: bytes) -> SessionState:
    """Parse a session just opened: it has a page."""
    told = session(body)
    if not told.url:
        raise ProviderUnreadable("a new session without a page")
    return told


def session_named(ref: str) -> Callable[[bytes], SessionState]:
    """Return a reader that accepts just this session."""

    def read(body: bytes) -> SessionState:
        told = session(body)
        if told.ref != ref:
            raise ProviderUnreadable("an answer about another session")
        return told

    return read


def charge_named(ref: str) -> Callable[[bytes], Charge]:
    """Return a reader that accepts just this charge."""

    def read(body: bytes) -> Charge:
        told = _charge(_read(body, _Charge))
        if told.ref != ref:
            raise ProviderUnreadable("an answer about another charge")
        return told

    return read


def charges(body: bytes) -> tuple[list[Charge], bool]:
    """Parse a page of charges, and whether more follow. An empty page with more behind it would never end."""
    told = _read(body, _Charges)
    if told.more and not told.charges:
        raise ProviderUnreadable("an empty page of charges with more behind it")
    return [_charge(one) for one in told.charges], told.more


def _charge(told: _Charge) -> Charge:
    return Charge(
        ref=told.id,
        session_ref=told.session,
        order_id=told.reference,
        amount=told.amount,
        currency=told.currency,
        refunded=told.refunded,
        charged_at=datetime.fromtimestamp(told.created_at, UTC),
    )


def refund(body: bytes) -> str:
    """Parse the provider's id of a refund."""
    return _read(body, _Refund).id


def refusal(body: bytes) -> str:
    """Parse the code of a refusal."""
    return _read(body, _Refusal).error.code


def webhook(body: bytes) -> Webhook | None:
    """Parse a webhook about a session; None when it is about something else."""
    told = _read(body, _Webhook)
    if not told.type.startswith("session."):
        return None
    return Webhook(event_id=told.id, session=session(bytes(told.session)))


def _read(body: bytes, kind: type[T]) -> T:
    """Decode an answer. Errors name only the place, since their own text may quote long content."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        place = re.search(r"`(\$[A-Za-z0-9_.]+)`", str(error))
        fault = f"{place[1] if place else 'the whole'} is not what it should be"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fault = "it is not JSON"
    raise ProviderUnreadable(f"an answer that cannot be read: {fault}")
