"""The JSON API that shops call, with a bearer key.

POST /v1/sessions                {amount, currency, reference, return_url, webhook_url, expires_at, language}
GET  /v1/sessions/<id>
POST /v1/sessions/<id>/expire    the session as it is afterwards: one that was paid stays paid
POST /v1/refunds                 {charge, amount}
GET  /v1/charges?after=<id>      everything that was ever charged, oldest first, in pages
GET  /v1/charges/<id>

A POST carries an Idempotency-Key: the same key with the same body gets the same answer, with another body 409.
"""

import hashlib
import hmac
import json
import re
import sqlite3
from collections.abc import Callable
from typing import Any

from mcommerce.payment.sandbox import sessions
from mcommerce.payment.sandbox.http_messages import Request, Response, error, json_response
from mcommerce.payment.sandbox.provider_books import Ledger, new_id

AMOUNT_MAX = 99_999_999  # minor units, as at real providers: a larger one is a mistake
TEXT_MAX = 200  # characters of a reference or a key: an id and a prefix
URL_MAX = 2000  # characters: what every browser accepts
PAGE_SIZE = 100  # charges in one answer
ANSWERS_KEPT_SECONDS = 7 * 24 * 3600  # longer than any shop retries one request
LANGUAGES = ("en", "fr")


class Refused(Exception):
    """The request cannot be served; `response` says why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.response = error(status, code, message)


class Api:
    def __init__(self, ledger: Ledger, *, key: str, url: str) -> None:
        self._ledger = ledger
        self._authorization = f"Bearer {key}".encode()
        self._url = url

    def answer(self, request: Request) -> Response:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, self._authorization):
            return error(401, "wrong_key", "Send the header: Authorization: Bearer <your key>.")
        try:
            if request.method == "POST":
                return self._once(request)
            with self._ledger.transaction() as db:
                return self._read(db, request)
        except sessions.NoSuchSession:
            return error(404, "no_such_session", "There is no session with this id.")
        except Refused as refused:
            return refused.response

    def _once(self, request: Request) -> Response:
        """Do what a POST requests, unless its key was seen: then repeat the stored answer."""
        key = request.headers.get("Idempotency-Key", "")
        if not 0 < len(key) <= TEXT_MAX:
            raise Refused(400, "key_missing", "A POST needs an Idempotency-Key of at most 200 characters.")
        fingerprint = hashlib.sha256(request.path.encode() + b"\n" + request.body).hexdigest()
        with self._ledger.transaction() as db:
            now = self._ledger.now()
            db.execute("DELETE FROM answer WHERE created_at < ?", (now - ANSWERS_KEPT_SECONDS,))
            said = db.execute("SELECT * FROM answer WHERE key = ?", (key,)).fetchone()
            if said is None:
                told = json.dumps(self._write(db, request, now))
                db.execute("INSERT INTO answer VALUES (?, ?, ?, ?)", (key, fingerprint, told, now))
                return Response(200, told.encode())
        if said["fingerprint"] != fingerprint:
            raise Refused(409, "key_reused", "This Idempotency-Key was used for another request.")
        return Response(200, said["body"].encode())

    def _read(self, db: sqlite3.Connection, request: Request) -> Response:
        if request.path == "/v1/charges":
            return json_response(200, _charges(db, after=request.asked().get("after", "")))
        if match := re.fullmatch(r"/v1/charges/(\w+)", request.path):
            return json_response(200, _charge(db, match[1]))
        if match := re.fullmatch(r"/v1/sessions/(\w+)", request.path):
            session = sessions.read(db, match[1], now=self._ledger.now())
            if session["answers_to_lose"] > 0:
                db.execute("UPDATE session SET answers_to_lose = answers_to_lose - 1 WHERE id = ?", (match[1],))
                return Response(504, lost=True)
            return json_response(200, self._told(db, session))
        raise Refused(404, "no_such_path", "The API has no such path.")

    def _write(self, db: sqlite3.Connection, request: Request, now: float) -> dict[str, Any]:
        if request.path == "/v1/sessions":
            return self._told(db, sessions.create(db, details=_session_details(_body(request), now=now)))
        if request.path == "/v1/refunds":
            return _refund(db, _body(request), now=now)
        if match := re.fullmatch(r"/v1/sessions/(\w+)/expire", request.path):
            session = sessions.read(db, match[1], now=now)
            return self._told(db, sessions.expire(db, session, now=now))
        raise Refused(404, "no_such_path", "The API has no such path.")

    def _told(self, db: sqlite3.Connection, session: sqlite3.Row) -> dict[str, Any]:
        return sessions.describe(db, session) | {"url": f"{self._url}/pay/{session['id']}"}


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refused(400, "not_json", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Refused(400, "not_json", "The body is not a JSON object.")
    return body


def _session_details(body: dict[str, Any], *, now: float) -> dict[str, Any]:
    """Return the checked columns of a new session. Raises Refused, which names the wrong field."""
    checks: dict[str, Callable[[Any], bool]] = {
        "amount": _is_amount,
        "currency": lambda value: isinstance(value, str) and bool(re.fullmatch(r"[A-Z]{3}", value)),
        "reference": lambda value: isinstance(value, str) and 0 < len(value) <= TEXT_MAX,
        "return_url": _is_url,
        "webhook_url": _is_url,
        "expires_at": lambda value: isinstance(value, int | float) and value > now,
        "language": lambda value: value in LANGUAGES,
    }
    for name, holds in checks.items():
        if not holds(body.get(name)):
            raise Refused(400, "field_invalid", f"{name} is missing or wrong.")
    return {name: body[name] for name in checks}


def _is_amount(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= AMOUNT_MAX


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= URL_MAX and bool(re.match(r"https?://[^\s/]+", value))


def _refund(db: sqlite3.Connection, body: dict[str, Any], *, now: float) -> dict[str, Any]:
    charge, amount = body.get("charge"), body.get("amount")
    if not isinstance(charge, str) or not _is_amount(amount):
        raise Refused(400, "field_invalid", "A refund needs a charge and an amount.")
    charged = _charge(db, charge)
    if charged["refunded"] == charged["amount"]:
        raise Refused(422, "already_refunded", "All of this charge was given back before.")
    given_back = db.execute(
        "UPDATE charge SET refunded = refunded + ? WHERE id = ? AND refunded + ? <= amount", (amount, charge, amount)
    )
    if given_back.rowcount == 0:
        raise Refused(422, "refund_too_large", "More than was charged cannot be given back.")
    refund_id = new_id("ref")
    db.execute("INSERT INTO refund VALUES (?, ?, ?, ?)", (refund_id, charge, amount, now))
    return {"id": refund_id, "charge": charge, "amount": amount}


def _charge(db: sqlite3.Connection, charge: str) -> dict[str, Any]:
    row = db.execute("SELECT * FROM charge WHERE id = ?", (charge,)).fetchone()
    if row is None:
        raise Refused(404, "no_such_charge", "There is no charge with this id.")
    return dict(row)


def _charges(db: sqlite3.Connection, *, after: str) -> dict[str, Any]:
    newer = "SELECT * FROM charge WHERE rowid > coalesce((SELECT rowid FROM charge WHERE id = ?), 0) ORDER BY rowid"
    rows = db.execute(f"{newer} LIMIT {PAGE_SIZE + 1}", (after,)).fetchall()
    return {"charges": [dict(row) for row in rows[:PAGE_SIZE]], "more": len(rows) > PAGE_SIZE}
