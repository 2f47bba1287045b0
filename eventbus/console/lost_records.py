"""`lost`: records that the log deleted before a group read them, and that the outbox does not have."""

from typing import Any

from django.core.management.base import CommandError

from eventbus.console import EXIT_WRONG_LINE, Actions, Printer
from eventbus.console.printing import who
from eventbus.console.selection import named, positive
from eventbus.models import LostRecords
from eventbus.recovery import lost_records

COLUMNS = ("id", "group", "topic", "partition", "begin", "end", "count", "noted_at", "accepted_at", "accepted_by")


def add(actions: Actions) -> None:
    """Add the action."""
    text = "records that the log let go of before a group read them, and that the outbox does not have either"
    asking = actions.add("lost", lost, text)
    asking.add_argument("--all", action="store_true", help="also those that somebody has seen to")
    asking.add_argument(
        "--accept", type=positive, nargs="+", metavar="ID", default=[], help="it is seen to: say no more"
    )
    asking.add_argument("--reopen", type=positive, nargs="+", metavar="ID", default=[], help="undo that")


def lost(*, printer: Printer, json: bool, all: bool, accept: list[int], reopen: list[int], **options: Any) -> None:
    """Show, accept or reopen lost records. Raises CommandError for an unknown id."""
    if bool(accept) + bool(reopen) + all > 1:
        raise CommandError("Name one of --all, --accept and --reopen.", returncode=EXIT_WRONG_LINE)
    everything = LostRecords.objects.order_by("id")
    if accept or reopen:
        asked = named(everything, accept or reopen, what="lost records", command="lost --all")
        if accept:
            lost_records.accept(asked, who())
        else:
            lost_records.reopen(asked)
        found = list(everything.filter(id__in=accept or reopen))
    else:
        found = list(everything if all else lost_records.waiting())
    if json:
        printer.json([{name: getattr(row, name) for name in COLUMNS} for row in found])
    elif found:
        printer.table(COLUMNS, [[getattr(row, name) for name in COLUMNS] for row in found])
    else:
        printer.line("No records are lost." if all else "No records are lost that somebody has not seen to.")
