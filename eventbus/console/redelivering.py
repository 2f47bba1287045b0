"""`redeliver`: give a group the events that it passed and never handled."""

from typing import Any

import msgspec
from django.core.management.base import CommandError

from eventbus.console import EXIT_WRONG_LINE, Actions, Printer
from eventbus.console.printing import who
from eventbus.models import ConsumerGroup
from eventbus.repairs import redelivery
from eventbus.repairs.redelivery import Redelivered


def add(actions: Actions) -> None:
    """Add the action."""
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
    _tell(printer, json, found, dry_run)


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


def _tell(printer: Printer, json: bool, found: Redelivered, dry_run: bool) -> None:
    if json:
        printer.json({**msgspec.structs.asdict(found), "dry_run": dry_run})
    elif found.types:
        printer.table(("type", "would be handled" if dry_run else "on their way"), sorted(found.types.items()))
        if found.left:
            printer.line(f"\n{found.left} more when these are handled: its parked keys are full. Ask again then.")
    if not found.types:
        raise CommandError(f"Group {found.group} has passed nothing of that which is still in the outbox.")
