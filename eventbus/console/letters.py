"""`dead`, `requeue` and `discard`: what failed for good, and what shall become of it."""

from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import QuerySet

from eventbus import operations
from eventbus.console import EXIT_WRONG_LINE, Actions, Printer
from eventbus.console.asking import ask, named, positive
from eventbus.models import DeadLetter
from eventbus.text import readable

LETTERS_SHOWN = 100  # what one looks at in a terminal; --limit shows more
ERROR_CHARACTERS_SHOWN = 60  # the row stays a row; an id shows the whole
SELECTORS = ("group", "topic", "key")
LETTER_COLUMNS = ("id", "group", "topic", "type", "key", "attempts", "died_at", "request", "error")


def add(actions: Actions) -> None:
    """Add what deals with dead letters."""
    shown = actions.add("dead", dead, "dead letters; with ids, in full")
    _selecting(shown)
    shown.add_argument("--discarded", action="store_true", help="those that were discarded instead")
    shown.add_argument("--limit", type=positive, default=LETTERS_SHOWN, help="how many at most (%(default)s)")
    again = "have dead letters handled again, each at the head of its key: first mend what made them fail"
    let_go = "let dead letters go; their keys go on without them"
    for name, run, text in (("requeue", requeue, again), ("discard", discard, let_go)):
        asking = actions.add(name, run, text)
        _selecting(asking)
        asking.add_argument("--all", action="store_true", help="every open dead letter")


def dead(*, printer: Printer, json: bool, ids: list[int], limit: int, discarded: bool, **options: Any) -> None:
    """Many as rows, named ones in full."""
    letters = _letters_by_id(ids) if ids else list(_selected(options, discarded=discarded)[:limit])
    if json:
        printer.json([_told(letter) for letter in letters])
    elif ids:
        for letter in letters:
            printer.fields(_told(letter))
    elif letters:
        printer.table(LETTER_COLUMNS, [_row(letter) for letter in letters])
    else:
        printer.line(f"There are no {'discarded' if discarded else 'dead'} letters{_those(**options)}.")


def requeue(*, printer: Printer, json: bool, action: str, **options: Any) -> None:
    """Once more."""
    _ask(operations.request_requeue, _chosen(**options), printer=printer, json=json, action=action)


def discard(*, printer: Printer, json: bool, action: str, **options: Any) -> None:
    """Never again."""
    _ask(operations.request_discard, _chosen(**options), printer=printer, json=json, action=action)


def _selecting(parser: CommandParser) -> None:
    parser.add_argument("ids", nargs="*", type=positive, metavar="ID", help="as `eventbus dead` shows it")
    for name in SELECTORS:
        parser.add_argument(f"--{name}", default="", help=f"those of this {name}")


def _selected(options: dict[str, Any], *, discarded: bool = False) -> QuerySet[DeadLetter]:
    group, topic, key = (options[name] for name in SELECTORS)
    return operations.dead(group=group, topic=topic, key=key, discarded=discarded)


def _those(**options: Any) -> str:
    said = ", ".join(f"{name} {options[name]}" for name in SELECTORS if options[name])
    return f" of {said}" if said else ""


def _chosen(*, ids: list[int], all: bool, **options: Any) -> list[DeadLetter]:
    """The dead letters that were named. Raises CommandError for an unknown id, or when nothing was named."""
    if bool(ids) + any(options[name] for name in SELECTORS) + all != 1:
        raise CommandError("Name ids, or --group, --topic and --key, or --all.", returncode=EXIT_WRONG_LINE)
    if ids:
        return _letters_by_id(ids)
    return list(_selected(options).filter(request=DeadLetter.Request.NONE))


def _letters_by_id(ids: list[int]) -> list[DeadLetter]:
    return named(DeadLetter.objects.all(), ids, what="dead letter", command="dead")


def _row(letter: DeadLetter) -> list[Any]:
    told = {**_told(letter), "died_at": f"{letter.died_at:%Y-%m-%d %H:%M:%S} UTC"}
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
        "payload": readable(letter.payload),
    }


_ask = partial(ask, refusal=operations.Refused, told=_told, of="group", none="no open dead letter matches")
