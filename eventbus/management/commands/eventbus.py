"""`manage.py eventbus`: look at the bus, and decide about what died."""

import getpass
import os
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from eventbus import operations
from eventbus.models import DeadLetter
from eventbus.operations import GroupStatus, Status

LETTERS_SHOWN = 100  # what one looks at in a terminal; --limit shows more
ERROR_CHARACTERS_SHOWN = 60  # the row stays a row; an id shows the whole
EXIT_UNKNOWN_ID = 2
NOTHING = "-"  # in a table's empty cell

GROUP_COLUMNS = (
    *("group", "topic", "position", "end", "lag", "handled", "ignored", "skipped", "discarded"),
    *("retrying_keys", "dead_keys", "dead_letters"),
)
SELECTORS = ("group", "topic", "key")
LETTER_COLUMNS = ("id", "group", "topic", "type", "key", "attempts", "died_at", "request", "error")
EXITS = """exit codes:
  0  done, and all is well
  1  status: something is wrong, and it is named; requeue and discard: nothing to do, or refused
  2  an id is unknown, or the command line is wrong"""


class Command(BaseCommand):
    help = "Look at the event bus, and requeue or discard what failed for good. Each action has --help and --json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.epilog, parser.formatter_class = EXITS, RawDescriptionHelpFormatter
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        self._add(actions, "status", self._status, "outbox, timers, groups and leases; 1 when something is wrong")
        self._add(actions, "topics", self._topics, "topics, their ends, what is told in them and who reads them")
        dead = self._add(actions, "dead", self._dead, "dead letters; with ids, in full")
        _selecting(dead)
        dead.add_argument("--discarded", action="store_true", help="those that were discarded instead")
        dead.add_argument("--limit", type=int, default=LETTERS_SHOWN, help="how many at most (%(default)s)")
        requeue = "have dead letters handled again, each at the head of its key: first mend what made them fail"
        discard = "let dead letters go; their keys go on without them"
        for name, run, text in (("requeue", self._requeue, requeue), ("discard", self._discard, discard)):
            asking = self._add(actions, name, run, text)
            _selecting(asking)
            asking.add_argument("--all", action="store_true", help="every open dead letter")

    def _add(self, actions: Any, name: str, run: Callable[..., None], text: str) -> CommandParser:
        added: CommandParser = actions.add_parser(
            name, help=text, description=f"{text}.", epilog=EXITS, formatter_class=RawDescriptionHelpFormatter
        )
        added.add_argument("--json", action="store_true", help="print JSON instead of a table")
        added.set_defaults(run=run)
        return added

    def handle(self, *, run: Callable[..., None], **options: Any) -> None:
        run(**options)

    def _status(self, **options: Any) -> None:
        found, dispatches = operations.status(), operations.is_beating()
        wrong = operations.problems(found, dispatches=dispatches)
        if options["json"]:
            self._say_json({**msgspec.structs.asdict(found), "dispatches": dispatches, "problems": wrong})
        else:
            self._say_status(found, dispatches)
        if wrong:
            raise CommandError("\n".join(wrong))

    def _say_status(self, found: Status, dispatches: bool) -> None:
        oldest = f", the oldest {found.outbox.oldest_seconds:.1f} s old" if found.outbox.oldest_at else ""
        due = f", the next due {found.timers.next_due:%Y-%m-%d %H:%M:%S} UTC" if found.timers.next_due else ""
        self.stdout.write(f"outbox: {found.outbox.depth} unsent{oldest}")
        self.stdout.write(f"timers: {found.timers.count}{due}")
        self.stdout.write(f"dispatched: {'yes' if dispatches else 'no'}\n\n")
        self._say_table(GROUP_COLUMNS, [_cells(one) for one in found.groups])
        self.stdout.write("")
        leases = [(one.name, one.owner or "nobody", one.beat, one.epoch) for one in found.leases]
        self._say_table(("lease", "owner", "beat", "epoch"), leases)

    def _topics(self, **options: Any) -> None:
        found = operations.topics()
        if options["json"]:
            self._say_json(found)
            return
        columns = ("topic", "partitions", "records", "types", "read by")
        rows = [(one.topic, len(one.ends), sum(one.ends), ", ".join(one.types), ", ".join(one.groups)) for one in found]
        self._say_table(columns, rows)

    def _dead(self, *, ids: list[int], limit: int, discarded: bool, **options: Any) -> None:
        letters = _letters_by_id(ids) if ids else list(_selected(options, discarded=discarded)[: max(0, limit)])
        if options["json"]:
            self._say_json([_told(letter) for letter in letters])
        elif ids:
            for letter in letters:
                self._say_fields(_told(letter))
        else:
            self._say_table(LETTER_COLUMNS, [_row(letter) for letter in letters])

    def _requeue(self, **options: Any) -> None:
        self._ask(operations.request_requeue, **options)

    def _discard(self, **options: Any) -> None:
        self._ask(operations.request_discard, **options)

    def _ask(self, request: Callable[[DeadLetter, str], None], *, action: str, **options: Any) -> None:
        """Each is asked for in a transaction of its own: what is refused stops no other."""
        asked, refused = [], []
        for letter in _chosen(**options):
            try:
                request(letter, _who())
                asked.append(letter)
            except operations.Refused as error:
                refused.append(str(error))
        if options["json"]:
            self._say_json({"action": action, "asked": [_told(letter) for letter in asked], "refused": refused})
        else:
            for letter in asked:
                self.stdout.write(f"{action} {letter.pk}: {letter.group} {letter.type} {letter.key}")
        if refused or not asked:
            raise CommandError("\n".join(refused) or f"Nothing to {action}: no open dead letter matches.")

    def _say_json(self, told: Any) -> None:
        self.stdout.write(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())

    def _say_fields(self, told: dict[str, Any]) -> None:
        for name, value in told.items():
            text = "\n".join(_printable(line) for line in str(value).splitlines())
            self.stdout.write(f"{name}:\n{text}" if "\n" in text else f"{name}: {text}")
        self.stdout.write("")

    def _say_table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Aligned columns: numbers to the right, the rest to the left."""
        lines = [list(columns), *([_cell(value) for value in row] for row in rows)]
        numbers = [all(line[at].isdigit() for line in lines[1:]) for at in range(len(columns))]
        widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
        for line in lines:
            cells = zip(line, widths, numbers, strict=True)
            self.stdout.write(
                "  ".join(f"{cell:{'>' if number else '<'}{width}}" for cell, width, number in cells).rstrip()
            )


def _selecting(parser: CommandParser) -> None:
    parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="as `eventbus dead` shows it")
    for name in SELECTORS:
        parser.add_argument(f"--{name}", default="", help=f"those of this {name}")


def _selected(options: dict[str, Any], *, discarded: bool = False) -> QuerySet[DeadLetter]:
    group, topic, key = (options[name] for name in SELECTORS)
    return operations.dead(group=group, topic=topic, key=key, discarded=discarded)


def _chosen(*, ids: list[int], all: bool, **options: Any) -> list[DeadLetter]:
    """The dead letters that were named. Raises CommandError for an unknown id, or when nothing was named."""
    if bool(ids) + any(options[name] for name in SELECTORS) + all != 1:
        raise CommandError("Name ids, or --group, --topic and --key, or --all.", returncode=2)
    if ids:
        return _letters_by_id(ids)
    return list(_selected(options).filter(request=DeadLetter.Request.NONE))


def _letters_by_id(ids: list[int]) -> list[DeadLetter]:
    unknown = operations.unknown_ids(ids)
    if unknown:
        names = ", ".join(map(str, unknown))
        raise CommandError(f"No such dead letter: {names}. See manage.py eventbus dead.", returncode=EXIT_UNKNOWN_ID)
    return list(DeadLetter.objects.filter(id__in=ids).order_by("id"))


def _who() -> str:
    try:
        return f"{getpass.getuser()} at the command line"
    except (KeyError, OSError):  # in a container a user may have no name
        return f"user {os.getuid()} at the command line"


def _cells(one: GroupStatus) -> list[Any]:
    return [getattr(one, name) for name in GROUP_COLUMNS]


def _cell(value: Any) -> str:
    return _printable(str(value)) or NOTHING


def _printable(text: str) -> str:
    """An error's or a key's control characters must not steer the operator's terminal."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _row(letter: DeadLetter) -> list[Any]:
    told = {**_told(letter), "died_at": f"{letter.died_at:%Y-%m-%d %H:%M:%S}"}
    told["error"] = f"{letter.error_class}: {letter.error}"[:ERROR_CHARACTERS_SHOWN]
    return [told[name] for name in LETTER_COLUMNS]


def _told(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.pk,
        "group": letter.group,
        "topic": letter.topic,
        "partition": letter.partition,
        "position": letter.position,
        "type": letter.type,
        "event_id": letter.event_id,
        "key": letter.key,
        "state": letter.state,
        "request": letter.request,
        "parks": letter.parks,
        "attempts": letter.attempts,
        "died_at": letter.died_at,
        "error_class": letter.error_class,
        "error": letter.error,
        "traceback": letter.traceback,
        "headers": letter.headers,
        "payload": operations.readable(letter.payload),
    }
