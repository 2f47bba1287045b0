"""`redeliver` and `lost`: hand a group what it passed and never handled, and list lost records."""

from typing import Any

import msgspec
from django.core.management.base import CommandError

from eventbus.console import EXIT_WRONG_LINE, Actions, Printer, who
from eventbus.console.named_rows import named, positive
from eventbus.models import ConsumerGroup, LostRecords
from eventbus.recovery import lost_records
from eventbus.repairs import redelivery
from eventbus.repairs.redelivery import Redelivered

COLUMNS = ("id", "group", "topic", "partition", "begin", "end", "count", "noted_at", "accepted_at", "accepted_by")


def add(actions: Actions) -> None:
    """Add both actions."""
    _add_redeliver(actions)
    _add_lost(actions)


def _add_redeliver(actions: Actions) -> None:
    text = "have a group handle what it passed and never handled: what is lost for it, or what an older release ignored"
    asking = actions.add("redeliver", redeliver, text)
    asking.add_argument("group", metavar="GROUP", help="as `eventbus status` shows it")
    asking.add_argument("--lost", action="store_true", help="what the delivery audit calls lost")
    asking.add_argument(
        "--type",
        action="append",
        default=[],
        dest="types",
        help="what it ignored of this event type; again for another",
    )
    asking.add_argument(
        "--dismiss", action="store_true", help="of these types nothing need be handled: say no more of it"
    )
    asking.add_argument("--dry-run", action="store_true", help="only count what would be handled")


def redeliver(
    *,
    printer: Printer,
    json: bool,
    group: str,
    lost: bool,
    types: list[str],
    dismiss: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Redeliver, count or dismiss events. Raises CommandError when that is refused, or when there are none."""
    _refuse_wrong_line(group, lost=lost, types=types, dismiss=dismiss, dry_run=dry_run)
    if dismiss:
        _dismiss(printer, json, group, types)
        return
    try:
        if dry_run:
            found = redelivery.count(group, types=types, lost=lost)
        else:
            found = redelivery.redeliver(group, types=types, lost=lost, who=who())
    except redelivery.RedeliveryRefused as error:
        raise CommandError(f"{error}.") from error
    _print(printer, json, found, dry_run)


def _refuse_wrong_line(group: str, *, lost: bool, types: list[str], dismiss: bool, dry_run: bool) -> None:
    text = ""
    if not ConsumerGroup.objects.filter(name=group).exists():
        known = ", ".join(ConsumerGroup.objects.order_by("name").values_list("name", flat=True))
        text = f"No such group: {group}. Known: {known}."
    elif not (lost or types):
        text = "Say --lost, or --type with an event type as `eventbus status` shows it."
    elif dismiss and (lost or dry_run):
        text = "--dismiss goes with --type alone."
    if text:
        raise CommandError(text, returncode=EXIT_WRONG_LINE)


def _dismiss(printer: Printer, json: bool, group: str, types: list[str]) -> None:
    events = redelivery.dismiss(group, types, who())
    if json:
        printer.json({"group": group, "dismissed": events})
    elif events:
        printer.line(f"dismissed: {events} events that group {group} ignored")
    if not events:
        raise CommandError(f"Group {group} ignored nothing of {', '.join(types)} that its release did not know.")


def _print(printer: Printer, json: bool, found: Redelivered, dry_run: bool) -> None:
    if json:
        printer.json({**msgspec.structs.asdict(found), "dry_run": dry_run})
    elif found.types:
        printer.table(("type", "would be handled" if dry_run else "on their way"), sorted(found.types.items()))
        if found.left:
            printer.line(f"\n{found.left} more when these are handled: its parked keys are full. Ask again then.")
    if not found.types:
        raise CommandError(f"Group {found.group} has passed nothing of that which is still in the outbox.")


def _add_lost(actions: Actions) -> None:
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
