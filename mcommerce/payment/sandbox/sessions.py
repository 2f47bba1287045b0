"""A session: one amount that one shopper may pay once, until it expires.

open -> action_required -> succeeded, or back to open when the card is declined; open or action_required -> expired.
Every change adds one to `revision`: of two states, the one with the higher revision is newer. The functions take the
connection of a running ledger transaction. So two submits of one form run one after the other, and only one charges.
"""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from mcommerce.payment.sandbox.cards import Behaviour, Card
from mcommerce.payment.sandbox.provider_books import new_id

Row = sqlite3.Row


class NoSuchSession(Exception):
    """There is no session with this id."""


@dataclass(frozen=True)
class Lateness:
    """The delays of the lost-answer card: requests without an answer, and the time until its webhook (None: never)."""

    answers: int
    webhook_seconds: float | None


def create(db: sqlite3.Connection, *, details: dict[str, Any]) -> Row:
    session_id = new_id("ses")
    db.execute(
        "INSERT INTO session VALUES (:id, :reference, :amount, :currency, :language, :return_url, :webhook_url,"
        " :expires_at, 'open', 1, '', '', 0)",
        {"id": session_id, **details},
    )
    return _row(db, session_id)


def read(db: sqlite3.Connection, session_id: str, *, now: float) -> Row:
    """Return the session as it is now, expired if its time is over. Raises NoSuchSession."""
    session = _row(db, session_id)
    if session["status"] in ("open", "action_required") and session["expires_at"] <= now:
        return expire(db, session, now=now)
    return session


def submit(db: sqlite3.Connection, session: Row, card: Card, *, lateness: Lateness, now: float) -> Row:
    """Try a card. A session that is not open stays as it is: nothing is charged twice."""
    if session["status"] not in ("open", "action_required"):
        return session
    if card.behaviour is Behaviour.DECLINE:
        return _decline(db, session, card.last4, "card_declined", now=now)
    if card.behaviour is Behaviour.CONFIRM:
        return _change(db, session, "action_required", last4=card.last4, now=now)
    if card.behaviour is Behaviour.LOSE_ANSWER:
        return _charge(db, session, card.last4, answers_to_lose=lateness.answers, now=now, late=lateness)
    return _charge(db, session, card.last4, now=now)


def confirm(db: sqlite3.Connection, session: Row, *, approved: bool, now: float) -> Row:
    """Apply the second step's answer. A session that awaits none stays as it is."""
    if session["status"] != "action_required":
        return session
    if approved:
        return _charge(db, session, session["last4"], now=now)
    return _decline(db, session, session["last4"], "authentication_refused", now=now)


def expire(db: sqlite3.Connection, session: Row, *, now: float) -> Row:
    """Expire a session: no card can be charged any more. One that was charged already stays charged."""
    if session["status"] in ("succeeded", "expired"):
        return session
    return _change(db, session, "expired", last4=session["last4"], decline_code=session["decline_code"], now=now)


def expire_due(db: sqlite3.Connection, *, now: float, limit: int) -> None:
    """Expire the sessions whose time is over, so that their shops get a webhook."""
    due = "SELECT * FROM session WHERE status IN ('open', 'action_required') AND expires_at <= ? LIMIT ?"
    for session in db.execute(due, (now, limit)).fetchall():
        expire(db, session, now=now)


def describe(db: sqlite3.Connection, session: Row) -> dict[str, Any]:
    """Return the session as the API and the webhooks report it."""
    charge = db.execute("SELECT id FROM charge WHERE session = ?", (session["id"],)).fetchone()
    shown = ("id", "reference", "amount", "currency", "status", "revision", "expires_at", "last4", "decline_code")
    return {name: session[name] for name in shown} | {"charge": charge["id"] if charge else None}


def _row(db: sqlite3.Connection, session_id: str) -> Row:
    session: Row | None = db.execute("SELECT * FROM session WHERE id = ?", (session_id,)).fetchone()
    if session is None:
        raise NoSuchSession(session_id)
    return session


def _charge(
    db: sqlite3.Connection,
    session: Row,
    last4: str,
    *,
    now: float,
    answers_to_lose: int = 0,
    late: Lateness | None = None,
) -> Row:
    db.execute(
        "INSERT INTO charge (id, session, reference, amount, currency, last4, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (new_id("chg"), session["id"], session["reference"], session["amount"], session["currency"], last4, now),
    )
    db.execute("UPDATE session SET answers_to_lose = ? WHERE id = ?", (answers_to_lose, session["id"]))
    delay = late.webhook_seconds if late else 0.0
    return _change(db, session, "succeeded", last4=last4, now=now, webhook_delay=delay)


def _decline(db: sqlite3.Connection, session: Row, last4: str, code: str, *, now: float) -> Row:
    return _change(db, session, "open", last4=last4, decline_code=code, now=now)


def _change(
    db: sqlite3.Connection,
    session: Row,
    status: str,
    *,
    last4: str,
    now: float,
    decline_code: str = "",
    webhook_delay: float | None = 0.0,
) -> Row:
    db.execute(
        "UPDATE session SET status = ?, last4 = ?, decline_code = ?, revision = revision + 1 WHERE id = ?",
        (status, last4, decline_code, session["id"]),
    )
    changed = _row(db, session["id"])
    if webhook_delay is not None:
        _announce(db, changed, now=now, delay=webhook_delay)
    return changed


def _announce(db: sqlite3.Connection, session: Row, *, now: float, delay: float) -> None:
    event_id = new_id("evt")
    kind = "declined" if session["status"] == "open" else session["status"]
    told = {"id": event_id, "type": f"session.{kind}", "created": now, "session": describe(db, session)}
    db.execute(
        "INSERT INTO delivery (id, url, body, due_at) VALUES (?, ?, ?, ?)",
        (event_id, session["webhook_url"], json.dumps(told), now + delay),
    )
