"""`untrusted` and `dismiss`: show and dismiss records that were set aside, since their publisher is unknown."""

from functools import partial
from typing import Any

from django.core.management.base import CommandError

from eventbus.console import EXIT_WRONG_LINE, Actions, Printer
from eventbus.console.named_rows import ask, named, positive
from eventbus.database.storable_text import TIME
from eventbus.repairs import untrusted_records

RECORDS_SHOWN = 100  # enough for a terminal; --limit shows more
COLUMNS = ("id", "group", "topic", "partition", "offset", "type", "key", "event_id", "source", "seen_at")


def add(actions: Actions) -> None:
    """Add the actions for records that are not trusted."""
    text = "records that groups have set aside, since they bear no signature of the site, and where they lie"
    shown = actions.add("untrusted", show, text)
    shown.add_argument("--topic", default="", help="only those of this topic")
    shown.add_argument("--limit", type=positive, default=RECORDS_SHOWN, help="how many at most (%(default)s)")
    text = "you have seen them: `status` names them no more, and the operators' actions keep what they were"
    seen = actions.add("dismiss", dismiss, text)
    seen.add_argument("ids", nargs="*", type=positive, metavar="ID", help="as `eventbus untrusted` shows it")
    seen.add_argument("--all", action="store_true", help="every one that is there now")


def show(*, printer: Printer, json: bool, topic: str, limit: int, **options: Any) -> None:
    """Print untrusted records, the oldest first."""
    rows = [untrusted_records.told(row) for row in untrusted_records.found(topic)[:limit]]
    if json:
        printer.json(rows)
    elif rows:
        shown = [{**row, "seen_at": f"{row['seen_at']:{TIME}}"} for row in rows]
        printer.table(COLUMNS, [[row[name] for name in COLUMNS] for row in shown])
    else:
        printer.line(f"No record{f' of {topic}' if topic else ''} is set aside.")


def dismiss(*, ids: list[int], all: bool, printer: Printer, json: bool, action: str, **options: Any) -> None:
    """Dismiss untrusted records that an operator has seen."""
    if bool(ids) == all:
        raise CommandError("Name ids, or --all.", returncode=EXIT_WRONG_LINE)
    rows = (
        list(untrusted_records.found())
        if all
        else named(untrusted_records.found(), ids, what="record", command="untrusted")
    )
    _ask(untrusted_records.dismiss, rows, printer=printer, json=json, action=action)


_ask = partial(
    ask, refusal=untrusted_records.Gone, told=untrusted_records.told, of="topic", none="no record is set aside"
)
