"""`rejected`, `resend` and `withdraw`: show events that the log rejected, and decide about them."""

from functools import partial
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Q

from eventbus.console import EXIT_WRONG_LINE, Actions, Printer
from eventbus.console.named_rows import ask, named, positive
from eventbus.database.storable_text import readable
from eventbus.models import OutboxRow
from eventbus.publishing import rejected_records

EVENTS_SHOWN = 100  # enough for a terminal; --limit shows more
REASON_CHARACTERS_SHOWN = 60  # a row stays on one line; --json shows the whole
COLUMNS = ("id", "topic", "type", "event_id", "key", "created_at", "behind", "rejected")


def add(actions: Actions) -> None:
    """Add the actions for events that the log rejected."""
    text = "events that the log rejected, why, and how many later ones of their keys wait behind them"
    shown = actions.add("rejected", rejected, text)
    shown.add_argument("--topic", default="", help="only those of this topic")
    shown.add_argument("--withdrawn", action="store_true", help="those that were withdrawn instead")
    shown.add_argument("--limit", type=positive, default=EVENTS_SHOWN, help="how many at most (%(default)s)")
    text = "offer rejected events to the log again, each before the later ones of its key: first have it take them"
    again = actions.add("resend", resend, text)
    again.add_argument("--all", action="store_true", help="every rejected event")
    text = "never tell rejected events; their keys go on without them. With --json it prints them whole, to be kept"
    let_go = actions.add("withdraw", withdraw, text)
    for asking in (again, let_go):
        asking.add_argument("ids", nargs="*", type=positive, metavar="ID", help="as `eventbus rejected` shows it")


def rejected(*, printer: Printer, json: bool, topic: str, withdrawn: bool, limit: int, **options: Any) -> None:
    """Print rejected or withdrawn events, the oldest first."""
    rows = list(rejected_records.rejected(topic, withdrawn=withdrawn)[:limit])
    if json:
        printer.json([_told(row) for row in rows])
    elif rows:
        printer.table(COLUMNS, [_row(row) for row in rows])
    else:
        printer.line(f"{'Nothing was withdrawn' if withdrawn else 'The log rejects nothing'}{_of(topic)}.")


def _of(topic: str) -> str:
    return f" of {topic}" if topic else ""


def resend(*, ids: list[int], all: bool, printer: Printer, json: bool, action: str, **options: Any) -> None:
    """Offer rejected events to the log once more."""
    if bool(ids) == all:
        raise CommandError("Name ids, or --all.", returncode=EXIT_WRONG_LINE)
    rows = list(rejected_records.rejected()) if all else _named(ids)
    _ask(rejected_records.resend, rows, printer=printer, json=json, action=action)


def withdraw(*, ids: list[int], printer: Printer, json: bool, action: str, **options: Any) -> None:
    """Withdraw rejected events: they are never published."""
    if not ids:
        raise CommandError("Name ids, as manage.py eventbus rejected shows them.", returncode=EXIT_WRONG_LINE)
    _ask(rejected_records.withdraw, _named(ids), printer=printer, json=json, action=action)


def _named(ids: list[int]) -> list[OutboxRow]:
    return named(rejected_records.events(Q()), ids, what="event in the outbox", command="rejected")


def _row(row: OutboxRow) -> list[Any]:
    told = {**_told(row), "created_at": f"{row.created_at:%Y-%m-%d %H:%M:%S}"}
    told["rejected"] = row.rejected[:REASON_CHARACTERS_SHOWN]
    return [told[name] for name in COLUMNS]


def _told(row: Any) -> dict[str, Any]:
    """Return an event of `rejected_records.events` in full."""
    return {
        "id": row.pk,
        "topic": row.topic,
        "type": row.type,
        "event_id": row.event_id,
        "key": row.key,
        "created_at": row.created_at,
        "behind": row.behind,
        "rejected": row.rejected,
        "withdrawn_at": row.withdrawn_at,
        "headers": row.headers,
        "payload": readable(row.payload),
    }


_ask = partial(ask, refusal=rejected_records.NotRejected, told=_told, of="topic", none="the log rejects nothing")
