"""`replay`: have a group's projections handle old events again."""

import argparse
import threading
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError

from eventbus import registry
from eventbus.backends.base import TopicPartition
from eventbus.console import EXIT_WRONG_LINE, Actions, Printer, who
from eventbus.console.named_rows import positive
from eventbus.models import ReplayRun
from eventbus.processes.command_runner import on_signal
from eventbus.registry import Group
from eventbus.repairs import replay, replay_filter
from eventbus.repairs.replay import Replay, ReplayFailed
from eventbus.repairs.replay_filter import Preview, ReplayFilter, ReplayRefused

LIMITS = ("since", "until", "key", "id", "partition", "from_offset")


def add(actions: Actions) -> None:
    """Add the action `replay`."""
    text = "show a group's projections past events again, as after a bug in one was mended; nothing is published"
    adding = actions.add("replay", run, text)
    adding.add_argument("group", metavar="GROUP", help="the consumer group; its handlers must be declared replayable")
    adding.add_argument("--topic", default="", help="only this topic of the group")
    adding.add_argument(
        "--since", type=time_of, metavar="TIME", help="published then or later, such as 2026-11-25T08:00:00Z"
    )
    adding.add_argument("--until", type=time_of, metavar="TIME", help="published before")
    adding.add_argument("--key", default="", help="only events of this key")
    adding.add_argument("--id", type=UUID, metavar="EVENT_ID", help="only this event")
    adding.add_argument(
        "--partition",
        type=partition_of,
        action="append",
        default=[],
        metavar="TOPIC/NUMBER",
        help="only this partition; again for another",
    )
    adding.add_argument("--from-offset", type=positive, default=0, metavar="OFFSET", help="this offset or later")
    adding.add_argument("--all", action="store_true", help="everything in the log, when no limit is given")
    adding.add_argument("--dry-run", action="store_true", help="only count what would be handled, and write nothing")
    adding.add_argument("--resume", type=int, metavar="RUN", help="go on with a run that failed or was stopped")


def time_of(text: str) -> datetime:
    """Parse a time on the command line, which must name its zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no time: write it like 2026-11-25T08:00:00Z") from None
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text} has no time zone: write {at.isoformat()}Z for UTC, or +01:00 at its end"
        )
    return at


def partition_of(text: str) -> TopicPartition:
    """Parse a partition on the command line, such as orders/0."""
    topic, slash, number = text.rpartition("/")
    if not (slash and topic and number.isascii() and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is no partition: write it like orders/0")
    return TopicPartition(topic, int(number))


def run(*, printer: Printer, json: bool, group: str, resume: int | None, dry_run: bool, **options: Any) -> None:
    """Run, resume or count a replay. Raises CommandError when it was refused, has failed or was stopped."""
    try:
        found = _group(group)
        if resume is not None:
            _go(_resumed(found, resume, dry_run, options), printer, json)
            return
        wanted = _wanted(found, **options)
        if dry_run:
            _tell_counted(printer, json, found, replay_filter.count(wanted))
            return
        begun, counted = replay.begin(wanted, who())
        if counted.reach and not json:
            printer.line(counted.reach)
        _go(begun, printer, json)
    except ReplayRefused as refused:
        raise CommandError(str(refused)) from refused


def _group(name: str) -> Group:
    if name not in registry.groups:
        known = ", ".join(sorted(registry.groups))
        raise CommandError(f"No such group: {name}. Known: {known}.", returncode=EXIT_WRONG_LINE)
    return registry.groups[name]


def _wanted(group: Group, *, topic: str, all: bool, id: UUID | None, **options: Any) -> ReplayFilter:
    limits = {name: options[name] for name in ("since", "until", "key")} | {"event_id": id}
    limits |= {"partitions": options["partition"] or None, "offset": options["from_offset"]}
    if any(limits.values()) == all:
        text = "Name --since, --until, --key, --id, --partition or --from-offset; or --all, for everything in the log."
        raise CommandError(text, returncode=EXIT_WRONG_LINE)
    if topic and topic not in group.topics:
        text = f"Group {group.name} does not read {topic}. It reads {', '.join(group.topics)}."
        raise CommandError(text, returncode=EXIT_WRONG_LINE)
    strange = {one.topic for one in options["partition"]} - ({topic} if topic else set(group.topics))
    if strange:
        text = f"Name partitions of the topics that are replayed, and not of {', '.join(sorted(strange))}."
        raise CommandError(text, returncode=EXIT_WRONG_LINE)
    named = sorted({one.topic for one in options["partition"]})
    return ReplayFilter(group=group, topics=[topic] if topic else named or group.topics, **limits)


def _resumed(group: Group, number: int, dry_run: bool, options: dict[str, Any]) -> ReplayRun:
    if dry_run or options["topic"] or options["all"] or any(options[name] for name in LIMITS):
        text = "A run goes on with the limits it began with: give --resume alone."
        raise CommandError(text, returncode=EXIT_WRONG_LINE)
    found = ReplayRun.objects.filter(id=number, group=group.name).first()
    if found is None:
        raise CommandError(f"Group {group.name} has no replay {number}.", returncode=EXIT_WRONG_LINE)
    replay.resume(found, who())
    return found


def _go(found: ReplayRun, printer: Printer, json: bool) -> None:
    stop = threading.Event()
    if not json:
        printer.line(f"replay {found.id} of group {found.group}: {found.matched - found.handled} events to go")

    def show(run: ReplayRun) -> None:
        printer.progress(f"replay {run.id}: {run.handled} of {run.matched} events")

    with on_signal(stop.set):
        try:
            Replay(found, stop, show).go()
        except ReplayFailed as failed:
            _print(printer, json, found)
            raise CommandError(
                f"Replay {found.id} failed at {failed}\n{_remedy(found, 'Mend it, then go')}"
            ) from failed
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database could not go on: {error}\n{_remedy(found, 'Go')}") from error
    _print(printer, json, found)
    if found.state != ReplayRun.State.DONE:
        raise CommandError(replay.why_ended(found) or f"Replay {found.id} is not done. {_remedy(found, 'Go')}")


def _remedy(found: ReplayRun, verb: str) -> str:
    return f"{verb} on with manage.py eventbus replay {found.group} --resume {found.id}"


def _print(printer: Printer, json: bool, found: ReplayRun) -> None:
    done = found.state == ReplayRun.State.DONE
    left_out = found.matched - found.handled if done else None
    if json:
        told = {"run": found.id, "group": found.group, "state": found.state, "matched": found.matched}
        _, reaches_back_to = replay_filter.reach_of(replay.spans_of(found))
        told |= {"handled": found.handled, "left_out": left_out, "error": found.error}
        printer.json({**told, "reaches_back_to": reaches_back_to})
    elif done:
        aside = f", {left_out} left out: parked or dead" if left_out else ""
        printer.line(f"replay {found.id} done: {found.handled} handled{aside}")


def _tell_counted(printer: Printer, json: bool, group: Group, counted: Preview) -> None:
    if json:
        told = {"group": group.name, "types": counted.types, "left_out": counted.left_out}
        printer.json({**told, "matched": counted.matched, "reaches_back_to": counted.reaches_back_to})
        return
    printer.table(("type", "events"), list(counted.types.items()))
    printer.line(f"\nleft out, parked or dead: {counted.left_out}")
    printer.line(counted.reach or "The log has everything.")
