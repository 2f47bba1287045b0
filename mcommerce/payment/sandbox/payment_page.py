"""The page where a shopper pays: card, second step, and the way back to the shop.

The page sets no cookie and never shows a card number. Anybody with the address of a session may pay it.
"""

import re
import sqlite3
from typing import Any
from urllib.parse import urlencode, urlsplit

from mcommerce.payment.sandbox import page_renderer, sessions
from mcommerce.payment.sandbox.cards import CardInvalid, read_card
from mcommerce.payment.sandbox.http_messages import Request, Response
from mcommerce.payment.sandbox.provider_books import Ledger
from mcommerce.payment.sandbox.sessions import Lateness
from mcommerce.payment.sandbox.texts import WORDS, choose_language


class Checkout:
    def __init__(self, ledger: Ledger, *, lateness: Lateness) -> None:
        self._ledger = ledger
        self._lateness = lateness

    def answer(self, request: Request) -> Response:
        """Answer GET /pay/<session>, POST /pay/<session> (a card), POST /pay/<session>/confirm (the second step)."""
        match = re.fullmatch(r"/pay/(\w+)(/confirm)?", request.path)
        try:
            if match is None:
                raise sessions.NoSuchSession(request.path)
            if request.method == "GET":
                return self._show(request, match[1])
            return self._confirm(request, match[1]) if match[2] else self._submit(request, match[1])
        except sessions.NoSuchSession:
            return _page("closed", 404, language=_language(request, chosen_by_shop=""), state="missing", return_url="/")

    def _show(self, request: Request, session_id: str) -> Response:
        with self._ledger.transaction() as db:
            session = sessions.read(db, session_id, now=self._ledger.now())
        language = _language(request, chosen_by_shop=session["language"])
        if session["status"] == "open":
            return _card_page(session, language)
        if session["status"] == "action_required":
            return _page("confirm", 200, language=language, session=session)
        return _page("closed", 200, language=language, state=session["status"], session=session)

    def _submit(self, request: Request, session_id: str) -> Response:
        now = self._ledger.now()
        fields = {name: request.form().get(name, "") for name in ("number", "expiry", "cvc")}
        with self._ledger.transaction() as db:
            session = sessions.read(db, session_id, now=now)
        try:
            card = read_card(**fields, now=now)
        except CardInvalid as invalid:
            language = _language(request, chosen_by_shop=session["language"])
            return _card_page(session, language, faults=invalid.faults, expiry=fields["expiry"])
        with self._ledger.transaction() as db:
            # Read again: another submit may have been faster, and then this one charges nothing.
            tried = sessions.submit(
                db, sessions.read(db, session_id, now=now), card, lateness=self._lateness, now=self._ledger.now()
            )
        return self._after(request, tried)

    def _confirm(self, request: Request, session_id: str) -> Response:
        approved = request.form().get("answer") == "approve"
        with self._ledger.transaction() as db:
            now = self._ledger.now()
            tried = sessions.confirm(db, sessions.read(db, session_id, now=now), approved=approved, now=now)
        return self._after(request, tried)

    def _after(self, request: Request, session: sqlite3.Row) -> Response:
        """Redirect a shopper once a card was tried: back to the shop, or to what is left to do."""
        language = _language(request, chosen_by_shop=session["language"])
        if session["status"] == "succeeded":
            slow = session["answers_to_lose"] > 0
            return Response(303, headers={"Location": session["return_url"]}, held=slow)
        return Response(303, headers={"Location": f"/pay/{session['id']}?{urlencode({'lang': language})}"})


def _language(request: Request, *, chosen_by_shop: str) -> str:
    accepted = request.headers.get("Accept-Language", "")
    return choose_language(asked=request.asked().get("lang", ""), accepted=accepted, chosen_by_shop=chosen_by_shop)


def _card_page(
    session: sqlite3.Row, language: str, *, faults: dict[str, str] | None = None, expiry: str = ""
) -> Response:
    """Return the card form with its error: faults of what was typed, or the decline of the last card."""
    words = WORDS[language]
    message = words["check_card"] if faults else words.get(session["decline_code"], "")
    said = {name: words[fault] for name, fault in (faults or {}).items()}
    return _page("card", 200, language=language, session=session, message=message, faults=said, expiry=expiry)


def _page(name: str, status: int, *, language: str, session: sqlite3.Row | None = None, **values: Any) -> Response:
    body = page_renderer.render(name, language=language, session=session, **values)
    shop = urlsplit(session["return_url"]) if session else None
    # Browsers check a form's redirect against form-action too: it must contain the shop.
    form_targets = f"'self' {shop.scheme}://{shop.netloc}" if shop else "'self'"
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {form_targets}"
    )
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
    return Response(status, body.encode(), "text/html; charset=utf-8", headers)
