"""`skip`: let a paused group go past events that wait for it, so that its handlers never see them."""

import sys
from typing import Any

import msgspec
from django.core.management.base import CommandError

from eventbus import registry
from eventbus.console import EXIT_WRONG_LINE, Actions, Printer, who
from eventbus.console.named_rows import positive
from eventbus.console.repairs.dead_letters import YES
from eventbus.console.repairs.replaying import partition_of, time_of
from eventbus.models import BulkRun
from eventbus.registry import Group
from eventbus.repairs.dead_letters import UNDO_DAYS
from eventbus.repairs.skipping import SKIPPED_MAX, SkipFilter, SkipRefused, Stretch
from eventbus.selections import skips

COLUMNS = ("topic", "partition", "from", "to", "to skip", "passed")


def add(actions: Actions) -> None:
    """Add the action `skip`."""
    text = (
        f"let a paused group go past at most {SKIPPED_MAX} events that wait for it: they are discarded, and for "
        f"{UNDO_DAYS} days `undo` brings them back"
    )
    adding = actions.add("skip", run, text)
    adding.add_argument("group", metavar="GROUP", help="as `eventbus status` shows it")
    adding.add_argument(
        "--partition",
        type=partition_of,
        action="append",
        default=[],
        metavar="TOPIC/NUMBER",
        help="only this partition; again for another",
    )
    adding.add_argument("--to-offset", type=positive, metavar="OFFSET", help="what waits before this offset")
    until = "what waits before the first event published then or later, such as 2026-11-25T08:00:00Z"
    adding.add_argument("--to-time", type=time_of, metavar="TIME", help=until)
    adding.add_argument("--dry-run", action="store_true", help="only count what would be skipped, and write nothing")
    expect = "do it only if it is so many events, as you saw them; without a terminal say this, or --yes"
    adding.add_argument("--expect", type=positive, metavar="NUMBER", help=expect)
    adding.add_argument("--yes", action="store_true", help="do it without a question, however many they are")


def run(*, printer: Printer, json: bool, dry_run: bool, **options: Any) -> None:
    """Count waiting events, and skip them after a yes. Raises CommandError when that is refused."""
    wanted = _wanted(**options)
    try:
        if dry_run:
            _tell(printer, json, wanted.group, wanted.stretches(), None)
            return
        if not skips.is_paused(wanted.group.name):
            name = wanted.group.name
            raise CommandError(f"Pause group {name} first: manage.py eventbus pause {name}. Nothing was skipped.")
        frozen = skips.freeze(wanted, who())
        _agree(frozen.total, options["expect"], yes=options["yes"])
        skips.begin(frozen, who())
    except SkipRefused as refused:
        raise CommandError(str(refused)) from refused
    _tell(printer, json, wanted.group, skips.stretches(frozen), frozen)


def _wanted(*, group: str, partition: list[Any], to_offset: int | None, to_time: Any, **options: Any) -> SkipFilter:
    text = ""
    if group not in registry.groups:
        text = f"No such group: {group}. Known: {', '.join(sorted(registry.groups))}."
    elif (to_offset is None) == (to_time is None):
        text = "Say where it shall go on: --to-offset, or --to-time."
    elif strange := {one.topic for one in partition} - set(registry.groups[group].topics):
        text = f"Group {group} does not read {', '.join(sorted(strange))}."
    if text:
        raise CommandError(text, returncode=EXIT_WRONG_LINE)
    return SkipFilter(group=registry.groups[group], partitions=partition or None, offset=to_offset, time=to_time)


def _agree(count: int, expect: int | None, *, yes: bool) -> None:
    """Raise CommandError unless the operator wants exactly so many events skipped."""
    if expect is not None:
        if expect != count:
            raise CommandError(f"These are {count} events, and not {expect}: look again. Nothing was skipped.")
    elif not yes:
        if not sys.stdin.isatty():
            text = f"These are {count} events. To skip them: --expect {count}"
            raise CommandError(text, returncode=EXIT_WRONG_LINE)
        if input(f"Skip {count} events? [y/N] ").strip().lower() not in YES:
            raise CommandError("Nothing was skipped.")


def _tell(printer: Printer, json: bool, group: Group, found: list[Stretch], done: BulkRun | None) -> None:
    events, decision = sum(one.events for one in found), done.decision if done else None
    if json:
        told = {"group": group.name, "events": events, "decision": decision}
        printer.json({**told, "partitions": [msgspec.structs.asdict(one) for one in found]})
        return
    rows = [(one.topic, one.partition, one.begin, one.end, one.events, one.others) for one in found]
    printer.table(COLUMNS, rows)
    printer.line(f"\n{'skipped' if done else 'to skip'}: {events} events")
    if done:
        printer.line(f"The group is still paused: manage.py eventbus resume {group.name}")
        printer.line(f"To undo it, within {UNDO_DAYS} days: manage.py eventbus undo --decision {decision}")
