"""The client of the sandbox: its HTTP API, and its signatures."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar

from django.conf import settings

from eventbus import clock
from mcommerce.payment.providers import sandbox_answers as answers
from mcommerce.payment.providers.base import (
    BadSignature,
    Charge,
    Declined,
    ProviderBusy,
    ProviderDown,
    ProviderTimeout,
    ProviderUnreadable,
    SessionRequest,
    SessionState,
    Webhook,
)
from outside.circuit_breaker import CircuitOpen, NotAnswering, TooManyWaiting, service
from outside.http import Answer, NoAnswer, Why, ask

T = TypeVar("T")
VISITOR_SECONDS = 1.5  # a shopper waits for the page, which takes less than half a second more; checks call again later
WORK_SECONDS = 8.0  # nobody waits: a slow answer is better than another call
ANSWER_BYTES_MAX = 2**20  # a session is some hundred bytes
SIGNATURE_TOLERANCE_SECONDS = 300  # older ones may be replays; five minutes allow for a slow line and a wrong clock
SIGNATURE_HEADER = "Sandbox-Signature"


class Sandbox:
    """A client of the stand-in at `url`. The key never appears in errors or logs."""

    def __init__(self, *, url: str, api_key: str, webhook_secrets: Sequence[str], by_visitor: bool = False) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._webhook_secrets = webhook_secrets
        self._by_visitor = by_visitor
        self._deadline = clock.monotonic() + (VISITOR_SECONDS if by_visitor else WORK_SECONDS)
        # A refusal, and an answer that asks for fewer calls, show that the service works.
        self._service = service("payment provider", at=self._url, excluded=(Declined, ProviderBusy))

    @classmethod
    def from_settings(cls, *, by_visitor: bool = False) -> Self:
        return cls(
            url=settings.SANDBOX_PROVIDER_URL,
            api_key=settings.SANDBOX_PROVIDER_KEY,
            webhook_secrets=[settings.SANDBOX_WEBHOOK_SECRET, *settings.SANDBOX_WEBHOOK_SECRET_FALLBACKS],
            by_visitor=by_visitor,
        )

    def create_session(self, request: SessionRequest, *, idempotency_key: str) -> SessionState:
        body = {
            "reference": str(request.order_id),
            "amount": request.amount,
            "currency": request.currency,
            "return_url": request.return_url,
            "webhook_url": request.webhook_url,
            "expires_at": request.expires_at.timestamp(),
            "language": request.language,
        }
        return self._call("POST", "/v1/sessions", answers.opened, body=body, key=idempotency_key)

    def fetch_session(self, ref: str) -> SessionState:
        return self._call("GET", f"/v1/sessions/{ref}", answers.session_named(ref))

    def expire_session(self, ref: str, *, idempotency_key: str) -> SessionState:
        path = f"/v1/sessions/{ref}/expire"
        return self._call("POST", path, answers.session_named(ref), body={}, key=idempotency_key)

    def refund(self, charge_ref: str, *, amount: int, currency: str, idempotency_key: str) -> str:
        body = {"charge": charge_ref, "amount": amount}
        return self._call("POST", "/v1/refunds", answers.refund, body=body, key=idempotency_key)

    def fetch_charge(self, ref: str) -> Charge:
        return self._call("GET", f"/v1/charges/{ref}", answers.charge_named(ref))

    def charges(self, *, after: str = "") -> tuple[list[Charge], bool]:
        return self._call("GET", f"/v1/charges?after={after}", answers.charges)

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes, now: datetime) -> Webhook | None:
        check_signature(headers.get(SIGNATURE_HEADER, ""), body, secrets=self._webhook_secrets, now=now)
        return answers.webhook(body)

    def _call(
        self,
        method: str,
        path: str,
        read: Callable[[bytes], T],
        *,
        body: dict[str, Any] | None = None,
        key: str = "",
    ) -> T:
        headers = {"Authorization": f"Bearer {self._api_key}"} | ({"Idempotency-Key": key} if key else {})
        try:
            with self._service.asked(by_visitor=self._by_visitor, seconds=self._seconds_left()):
                return read(self._ask(method, path, json=body, headers=headers))
        except TooManyWaiting as error:
            raise ProviderBusy(str(error)) from None
        except (CircuitOpen, NotAnswering) as error:
            raise ProviderDown(str(error)) from None

    def _ask(self, method: str, path: str, **asked: Any) -> bytes:
        """Return the body of an answer with a status from 200 to 299. Any other outcome raises a ProviderError."""
        url, seconds = f"{self._url}{path}", self._seconds_left()
        try:
            told = ask(method, url, seconds=seconds, bytes_max=ANSWER_BYTES_MAX, **asked)
        except NoAnswer as none:
            raise _without_answer(none) from None
        if 200 <= told.status < 300:
            return told.body
        raise _refusal(told)

    def _seconds_left(self) -> float:
        return max(0.0, self._deadline - clock.monotonic())


def check_signature(header: str, body: bytes, *, secrets: Sequence[str], now: datetime) -> None:
    """Raise BadSignature unless `header` ("t=<seconds>,v1=<hex>") is a recent signature of exactly this body.

    A signature with any of `secrets` is valid, so that a secret can be replaced. An empty secret is ignored: anybody
    could sign with it.
    """
    match = re.fullmatch(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", header)
    if not match:
        raise BadSignature("no signature")
    signed_at = int(match[1])
    signed = b"%d.%b" % (signed_at, body)
    expected = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets if secret)
    if not any(hmac.compare_digest(one, match[2]) for one in expected):
        raise BadSignature("wrong signature")
    if abs(now.timestamp() - signed_at) > SIGNATURE_TOLERANCE_SECONDS:
        raise BadSignature("signed too long ago", is_signed=True)


def _without_answer(none: NoAnswer) -> ProviderDown | ProviderTimeout:
    """Return ProviderDown when no connection was made; otherwise the request may have arrived."""
    if not none.arrived:
        return ProviderDown(str(none))
    if none.why in (Why.TOO_LARGE, Why.UNEXPECTED):
        return ProviderUnreadable(str(none))
    return ProviderTimeout(str(none))


def _refusal(told: Answer) -> ProviderDown | ProviderTimeout | Declined:
    if told.status == 503:
        return ProviderDown("not available (503)")
    if told.status == 429:
        return ProviderBusy("it wants fewer questions (429)")
    if told.status >= 500:
        return ProviderTimeout(f"an error of its own ({told.status})")
    if told.status < 400:
        return ProviderUnreadable(f"it sends us elsewhere, which is not followed ({told.status})")
    return Declined(answers.refusal(told.body))
