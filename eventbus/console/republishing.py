"""`republish`: append events of the outbox to the log again, by hand, as after brokers lost a stretch."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandError

from eventbus import backends
from eventbus.console import EXIT_WRONG_LINE, Actions, Printer
from eventbus.console.printing import who
from eventbus.console.replaying import time_of
from eventbus.errors import LogUnavailable
from eventbus.operations import topic_setup
from eventbus.recovery.topic_recovery import Refilled
from eventbus.repairs import republishing


def add(actions: Actions) -> None:
    """Add the action."""
    text = "append what was told since a time to the log again, in order; groups drop what they have handled"
    asking = actions.add("republish", republish, text)
    asking.add_argument("--since", type=time_of, required=True, metavar="TIME", help="such as 2026-11-25T08:00:00Z")
    asking.add_argument("--topic", default="", help="only this one")
    asking.add_argument("--dry-run", action="store_true", help="only count what would be appended again")


def republish(*, printer: Printer, json: bool, since: datetime, topic: str, dry_run: bool, **options: Any) -> None:
    """Append events again, or count them. Raises CommandError when there are none, or it is not possible."""
    backend, known = backends.current(), topic_setup.topic_names()
    if backend.topics is None:
        raise CommandError("This log is the outbox: it has all that the outbox has. See manage.py eventbus replay.")
    if topic and topic not in known:
        raise CommandError(f"No such topic: {topic}. Known: {', '.join(known)}.", returncode=EXIT_WRONG_LINE)
    try:
        found = [_one(one, since, dry_run) for one in ([topic] if topic else known)]
    except LogUnavailable as error:
        raise CommandError(str(error)) from error
    told = [one for one in found if one.events]
    if json:
        printer.json({"dry_run": dry_run, "topics": told})
    else:
        columns = ("topic", "would be appended again" if dry_run else "on their way to the log again")
        printer.table(columns, [(one.topic, one.events) for one in told])
    if not told:
        raise CommandError(f"Nothing was told since {since:%Y-%m-%d %H:%M:%S %Z} that the outbox still has.")


def _one(topic: str, since: datetime, dry_run: bool) -> Refilled:
    return (
        republishing.count(topic, since) if dry_run else republishing.republish(backends.current(), topic, since, who())
    )
