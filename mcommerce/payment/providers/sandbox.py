"""The sandbox's side of the contract: its HTTP API, and its signatures."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import requests
from django.conf import settings

from mcommerce.payment.providers.base import (
    BadSignature,
    Declined,
    ProviderDown,
    ProviderTimeout,
    SessionRequest,
    SessionState,
    SessionStatus,
    Webhook,
)

CONNECT_TIMEOUT_SECONDS = 3  # a company that does not pick up is down
READ_TIMEOUT_SECONDS = 5  # a shopper is waiting for the page; what comes later is asked for later
SIGNATURE_TOLERANCE_SECONDS = 300  # older ones may be replays; five minutes forgive a slow line and a wrong clock
SIGNATURE_HEADER = "Sandbox-Signature"


class Sandbox:
    """The stand-in at `url`. The key is sent and never shown: not in errors, not in logs."""

    def __init__(self, *, url: str, api_key: str, webhook_secrets: Sequence[str]) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._webhook_secrets = webhook_secrets

    @classmethod
    def from_settings(cls) -> Self:
        return cls(
            url=settings.SANDBOX_PROVIDER_URL,
            api_key=settings.SANDBOX_PROVIDER_KEY,
            webhook_secrets=[settings.SANDBOX_WEBHOOK_SECRET, *settings.SANDBOX_WEBHOOK_SECRET_FALLBACKS],
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
        return _session(self._call("POST", "/v1/sessions", body=body, key=idempotency_key))

    def fetch_session(self, ref: str) -> SessionState:
        return _session(self._call("GET", f"/v1/sessions/{ref}"))

    def expire_session(self, ref: str, *, idempotency_key: str) -> SessionState:
        return _session(self._call("POST", f"/v1/sessions/{ref}/expire", body={}, key=idempotency_key))

    def refund(self, charge_ref: str, *, amount: int, currency: str, idempotency_key: str) -> str:
        body = {"charge": charge_ref, "amount": amount}
        return str(self._call("POST", "/v1/refunds", body=body, key=idempotency_key)["id"])

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes, now: datetime) -> Webhook | None:
        check_signature(headers.get(SIGNATURE_HEADER, ""), body, secrets=self._webhook_secrets, now=now)
        told = json.loads(body)
        if not told["type"].startswith("session."):
            return None
        return Webhook(event_id=told["id"], session=_session(told["session"]))

    def _call(self, method: str, path: str, *, body: dict[str, Any] | None = None, key: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._api_key}"} | ({"Idempotency-Key": key} if key else {})
        try:
            with requests.Session() as http:
                http.trust_env = False  # a .netrc would replace the key, a proxy would read it
                response = http.request(
                    method,
                    f"{self._url}{path}",
                    json=body,
                    headers=headers,
                    timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                    allow_redirects=False,
                )
        except requests.ConnectionError as error:
            raise _no_answer(error) from None
        except requests.RequestException:
            raise ProviderTimeout("no answer") from None
        return _answer(response)


def check_signature(header: str, body: bytes, *, secrets: Sequence[str], now: datetime) -> None:
    """Raises BadSignature unless `header` ("t=<seconds>,v1=<hex>") signs exactly this body, and recently.

    Any of the secrets will do: while one is changed for another, both are good.
    """
    match = re.fullmatch(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", header)
    if not match:
        raise BadSignature("no signature")
    signed_at = int(match[1])
    signed = b"%d.%b" % (signed_at, body)
    expected = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    if not any(hmac.compare_digest(one, match[2]) for one in expected):
        raise BadSignature("wrong signature")
    if abs(now.timestamp() - signed_at) > SIGNATURE_TOLERANCE_SECONDS:
        raise BadSignature("signed too long ago")


def _no_answer(error: requests.ConnectionError) -> ProviderDown | ProviderTimeout:
    """Down when no connection was made; otherwise the request may have arrived."""
    cause = error.args[0] if error.args else None  # with a `reason` when it was connecting that failed
    if isinstance(error, requests.ConnectTimeout) or hasattr(cause, "reason"):
        return ProviderDown("not reached")
    return ProviderTimeout("no answer")


def _answer(response: requests.Response) -> dict[str, Any]:
    if response.status_code == 503:
        raise ProviderDown("not available")
    if response.status_code == 429 or response.status_code >= 500:
        raise ProviderTimeout(f"status {response.status_code}")
    try:
        told: dict[str, Any] = response.json()
        if response.ok:
            return told
        code = str(told["error"]["code"])
    except (ValueError, KeyError, TypeError):
        raise ProviderTimeout("an answer that cannot be read") from None
    raise Declined(code)


def _session(told: dict[str, Any]) -> SessionState:
    return SessionState(
        ref=told["id"],
        status=SessionStatus(told["status"]),
        revision=told["revision"],
        amount=told["amount"],
        currency=told["currency"],
        charge_ref=told["charge"] or "",
        last4=told["last4"],
        decline_code=told["decline_code"],
        url=told.get("url", ""),
    )
