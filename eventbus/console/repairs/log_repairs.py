"""`restored` and `republish`: repair differences between log and database, and append old events to the log again."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandError

from eventbus import backends
from eventbus.console import EXIT_WRONG_LINE, Actions, Printer, who
from eventbus.console.named_rows import positive
from eventbus.console.repairs.replaying import time_of
from eventbus.errors import LogUnavailable
from eventbus.operations import topic_setup
from eventbus.recovery import divergence
from eventbus.recovery.topic_recovery import Refilled
from eventbus.repairs import republishing, restore_repair
from eventbus.repairs.forgotten_stretches import Stretch
from eventbus.repairs.restore_repair import Found

STRETCHES = ("topic", "partition", "from", "to", "forgotten events", "types")
BEHIND = ("topic", "partition", "ends at", "had ended at")


def add(actions: Actions) -> None:
    """Add both actions."""
    _add_restored(actions)
    _add_republish(actions)


def _add_restored(actions: Actions) -> None:
    text = "compare log and database once one of them was restored, and repair what differs; 1 while it is not"
    asking = actions.add("restored", restored, text)
    asking.add_argument("--apply", action="store_true", help="repair it; without, it is only shown")
    beyond = "let numbers go on beyond this one as well, which readers elsewhere have seen (docs/debezium.md)"
    asking.add_argument("--beyond", type=positive, default=0, metavar="SEQUENCE", help=beyond)


def restored(*, printer: Printer, json: bool, apply: bool, beyond: int, **options: Any) -> None:
    """Show the differences between log and database, or repair them. Raises CommandError with what is left to do."""
    backend = backends.current()
    found = restore_repair.apply(backend, who(), beyond) if apply else restore_repair.look(backend, beyond)
    differs = bool(found.stretches or found.behind or beyond)
    if json:
        printer.json({"applied": apply, **found.told()})
    elif differs:
        _print(printer, found, done=apply)
    elif not found.unsigned:
        printer.line("Log and database tell of the same past: nothing is to be repaired.")
    left = [divergence.by_no_key(count, topic) for topic, count in found.unsigned.items()]
    if not apply and (differs or divergence.stands()):
        left.append("Nothing is repaired yet: manage.py eventbus restored --apply does that.")
    if left:
        raise CommandError("\n".join(left))


def _print(printer: Printer, found: Found, *, done: bool) -> None:
    if found.stretches:
        printer.line("The database went back to an earlier time: it has forgotten events that the log holds.\n")
        printer.table(STRETCHES, [(*one.span, one.events, _types(one)) for one in found.stretches])
    if found.behind:
        printer.line("The log went back to an earlier time: it ends before where it had ended.\n")
        printer.table(BEHIND, [(one.topic, one.partition, one.end, one.had) for one in found.behind])
    printer.line("\nDone:" if done else "\nWith --apply:")
    for step in _steps(found):
        printer.line(f"  - {step}")
    if found.stretches:
        printer.line("\nThen:")
        for step in _next(found):
            printer.line(f"  - {step}")


def _types(stretch: Stretch) -> str:
    return ", ".join(f"{name} {count}" for name, count in stretch.types.items())


def _steps(found: Found) -> list[str]:
    steps = []
    if found.stretches:
        steps.append(f"groups pass over the {found.forgotten} forgotten events: no handler is called for them")
    if found.last:
        steps.append(
            f"numbers go on beyond {found.last}; {found.waiting} events that wait in the outbox have new ones, in order"
        )
    if found.sent:
        steps.append(f"{found.sent} events were sent under numbers used before: tell whoever reads `sequence`")
    if found.behind:
        steps.append("the relay appends to the log again what the outbox has of it, and inboxes drop what was handled")
    return [*steps, "groups and relay go on"]


def _next(found: Found) -> list[str]:
    told = ["restart every process that serves pages or sockets: it remembers what the database has forgotten"]
    told += [f"go on with a replay that was under way: {one}" for one in found.replays]
    told += [f"make a projection anew, should it differ: {one}" for one in found.projections]
    return [*told, "compare with the payment provider: manage.py reconcile"]


def _add_republish(actions: Actions) -> None:
    text = "append what was published since a time to the log again, in order; groups drop what they have handled"
    asking = actions.add("republish", republish, text)
    asking.add_argument("--since", type=time_of, required=True, metavar="TIME", help="such as 2026-11-25T08:00:00Z")
    asking.add_argument("--topic", default="", help="only this one")
    asking.add_argument("--dry-run", action="store_true", help="only count what would be appended again")


def republish(*, printer: Printer, json: bool, since: datetime, topic: str, dry_run: bool, **options: Any) -> None:
    """Append events to the log again, or only count them.

    Raises CommandError if no event matches, the topic is unknown, the log is unavailable, or the outbox is the log.
    """
    backend, known = backends.current(), topic_setup.topic_names()
    if backend.topics is None:
        text = "This log is the outbox: it has all that the outbox has. See manage.py eventbus replay --help."
        raise CommandError(text)
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
        raise CommandError(f"Nothing was published since {since:%Y-%m-%d %H:%M:%S %Z} that the outbox still has.")


def _one(topic: str, since: datetime, dry_run: bool) -> Refilled:
    return (
        republishing.count(topic, since) if dry_run else republishing.republish(backends.current(), topic, since, who())
    )
