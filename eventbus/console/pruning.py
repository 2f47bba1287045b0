"""`prune` and `close`: remove events and groups that are no longer needed."""

import argparse
import threading
from datetime import timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandError

from eventbus.console import EXIT_WRONG_LINE, Actions, Printer, who
from eventbus.errors import LogUnavailable
from eventbus.models import OperatorAction
from eventbus.operations import pruning
from eventbus.operations.pruning import Pruned, Pruning
from eventbus.processes.command_runner import on_signal
from eventbus.recovery import divergence
from eventbus.repairs import group_removal
from eventbus.selections import audit_trail

RETENTION_HOURS_MAX = 100 * 366 * 24  # a century: far more would reach back before the year 1
KEEP_HOURS_MIN = 0.1  # a watch in another process may be some minutes behind


def add(actions: Actions) -> None:
    """Add the actions that remove events and groups."""
    text = "take away what every group has passed; a site that runs the bus does it by itself"
    adding = actions.add("prune", prune, text)
    hours = f"what was appended longer ago (EVENTBUS_RETENTION_HOURS: {settings.EVENTBUS_RETENTION_HOURS})"
    adding.add_argument(
        "--older-than", type=_hours, default=settings.EVENTBUS_RETENTION_HOURS, metavar="HOURS", help=hours
    )
    adding.add_argument("--dry-run", action="store_true", help="only count what would go")
    text = "forget a consumer group that is gone for good, so that it holds nothing back"
    adding = actions.add("close", close, text)
    adding.add_argument("group", metavar="GROUP", help="as `eventbus status` shows it")
    adding.add_argument("--topic", default="", help="only this topic of the group")
    adding.add_argument("--force", action="store_true", help="let its parked, dead and lost events go with it")


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of hours") from None
    if hours > RETENTION_HOURS_MAX:
        raise argparse.ArgumentTypeError(f"at most {RETENTION_HOURS_MAX}")
    if not hours >= KEEP_HOURS_MIN:
        raise argparse.ArgumentTypeError(f"at least {KEEP_HOURS_MIN}: who watches from elsewhere reads the same rows")
    return hours


def prune(*, printer: Printer, json: bool, older_than: float, dry_run: bool, **options: Any) -> None:
    """Prune events. Raises CommandError if the delivery audit does not balance in a partition, whose events then stay.

    It also raises while a `Divergence` is recorded (the database was restored and `eventbus restored --apply` has not
    run): the repair needs these rows.
    """
    if divergence.stands():
        raise CommandError("\n".join(["Nothing is pruned while a store has gone back.", *divergence.problems()]))
    if not dry_run:
        audit_trail.note(OperatorAction.Action.PRUNE, who(), about=f"older than {older_than:g} hours")
    stop = threading.Event()

    def show(pruned: Pruned) -> None:
        printer.progress(f"{pruned.events} events")

    with on_signal(stop.set):
        try:
            pruned = Pruning(timedelta(hours=older_than), dry_run=dry_run, stop=stop, told=show).go()
        except LogUnavailable as error:
            raise CommandError(
                f"Nothing is pruned, since the log does not say what it can still show: {error}"
            ) from error
    held = pruning.held_back()
    if json:
        printer.json({**msgspec.structs.asdict(pruned), "dry_run": dry_run, "held_back": held})
    else:
        printer.table(("rows of", "would go" if dry_run else "pruned"), list(_counts(pruned).items()))
        for one in held:
            printer.line(f"\n{one}")
    if pruned.unbalanced:
        raise CommandError("\n".join(pruned.unbalanced))


def _counts(pruned: Pruned) -> dict[str, int]:
    counts = msgspec.structs.asdict(pruned)
    del counts["unbalanced"]
    return {name.replace("_", " "): count for name, count in counts.items()}


def close(*, printer: Printer, json: bool, group: str, topic: str, force: bool, **options: Any) -> None:
    """Remove a consumer group. Raises CommandError when that is refused, or the group is unknown."""
    try:
        closed = group_removal.close(group, topic, force=force, who=who())
    except group_removal.Unknown as unknown:
        raise CommandError(str(unknown), returncode=EXIT_WRONG_LINE) from unknown
    except group_removal.RemovalRefused as refused:
        raise CommandError(str(refused)) from refused
    if json:
        printer.json(closed)
    else:
        printer.fields(msgspec.structs.asdict(closed))
