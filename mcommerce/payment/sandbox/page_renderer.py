"""The renderer of the page templates beside this file. Every value is escaped here, once."""

import sqlite3
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import urlencode

from mcommerce.money import format_money
from mcommerce.payment.sandbox.cards import TEST_CARDS
from mcommerce.payment.sandbox.texts import WORDS

FOLDER = Path(__file__).parent
ASSETS = {
    f"/assets/{name}": ((FOLDER / "assets" / name).read_bytes(), content_type)
    for name, content_type in (
        ("pay.css", "text/css; charset=utf-8"),
        ("pay.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    )
}
TEMPLATES = {path.stem: Template(path.read_text("utf-8")) for path in (FOLDER / "templates").glob("*.html")}


def render(
    name: str,
    *,
    language: str,
    session: sqlite3.Row | None,
    state: str = "",
    message: str = "",
    faults: dict[str, str] | None = None,
    expiry: str = "",
    return_url: str = "",
) -> str:
    """Return one whole page: "card", "confirm" or "closed" inside the frame."""
    words = WORDS[language]
    values = words | {
        "expiry_typed": expiry,
        "message": message,
        "return_url": session["return_url"] if session else return_url,
        "last4": session["last4"] if session else "",
        "money": format_money(session["amount"], session["currency"], language) if session else "",
        "action": f"/pay/{session['id']}?{urlencode({'lang': language})}" if session else "",
        "confirm_action": f"/pay/{session['id']}/confirm?{urlencode({'lang': language})}" if session else "",
        "state_title": words.get(f"{state}_title", ""),
        "state_text": words.get(f"{state}_text", ""),
    }
    safe = {key: escape(value) for key, value in values.items()} | {
        "alert": f'<p class="alert" role="alert">{escape(message)}</p>' if message else "",
        "test_card_rows": _test_card_rows(words),
        **_field_marks(faults or {}),
    }
    return TEMPLATES["frame"].substitute(safe, main=TEMPLATES[name].substitute(safe))


def _field_marks(faults: dict[str, str]) -> dict[str, str]:
    """Return for each field its fault as a line of text, and the attributes that tie the field to it."""
    marks = {}
    for field in ("number", "expiry", "cvc"):
        fault = faults.get(field)
        marks[f"{field}_fault"] = f'<p class="fault" id="{field}-fault">{escape(fault)}</p>' if fault else ""
        marks[f"{field}_invalid"] = 'aria-invalid="true"' if fault else ""
    return marks


def _test_card_rows(words: dict[str, str]) -> str:
    row = TEMPLATES["test_card"]
    return "".join(
        row.substitute(
            number=" ".join(number[i : i + 4] for i in range(0, 16, 4)),
            what=escape(words[f"card_{behaviour}"]),
            use=escape(words["use"]),
        )
        for number, behaviour in TEST_CARDS.items()
    )
