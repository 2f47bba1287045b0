"""`dead`, `requeue`, `discard` and `undo`: show dead letters, and decide about them."""

import sys
from collections.abc import Collection
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import QuerySet

from eventbus.console import EXIT_WRONG_LINE, Actions, Printer, printable, who
from eventbus.console.named_rows import named, positive
from eventbus.models import DeadLetter
from eventbus.operations import status
from eventbus.repairs import dead_letters
from eventbus.repairs.dead_letters import UNDO_DAYS
from eventbus.selections.export import described

LETTERS_SHOWN = 100  # enough for a terminal; --limit shows more
ERROR_CHARACTERS_SHOWN = 60  # each row fits on one line; `dead ID` shows the whole error
YES = {"y", "yes"}
SELECTORS = ("group", "topic", "key")
TOLD_BRIEFLY = ("id", "group", "topic", "type", "event_id", "key", "attempts", "error_class", "error")
LETTER_COLUMNS = ("id", "group", "topic", "type", "key", "attempts", "died_at", "request", "error")


def add(actions: Actions) -> None:
    """Add the actions for dead letters."""
    shown = actions.add("dead", dead, "dead letters; with ids, in full")
    _selecting(shown)
    shown.add_argument("--discarded", action="store_true", help="those that were discarded instead")
    shown.add_argument("--limit", type=positive, default=LETTERS_SHOWN, help="how many at most (%(default)s)")
    again = "have dead letters handled again, each at the head of its key: first mend what made them fail"
    _selecting(actions.add("requeue", requeue, again), all="every open dead letter")
    let_go = f"let dead letters go; their keys go on without them. For {UNDO_DAYS} days `undo` brings them back"
    letting_go = actions.add("discard", discard, let_go)
    _selecting(letting_go, all="every open dead letter")
    letting_go.add_argument("--with-parked", action="store_true", help="and what waits behind them now")
    expect = "do it only if it is so many events, as you saw them; without a terminal to ask on, this must be said"
    letting_go.add_argument("--expect", type=positive, metavar="NUMBER", help=expect)
    undo = f"undo a discard, for {UNDO_DAYS} days: the dead letters are as they were, and their keys wait again"
    restoring = actions.add("undo", restore, undo)
    _selecting(restoring, all="every dead letter that can be restored")
    restoring.add_argument("--decision", type=positive, metavar="NUMBER", help="all of one `discard`, which said it")


def dead(*, printer: Printer, json: bool, ids: list[int], limit: int, discarded: bool, **options: Any) -> None:
    """Print dead letters as rows, or those named by id in full."""
    letters = _letters_by_id(ids) if ids else list(_selected(options, discarded=discarded)[:limit])
    if json:
        printer.json([described(dead_letter) for dead_letter in letters])
    elif ids:
        for dead_letter in letters:
            printer.fields(described(dead_letter))
    elif letters:
        printer.table(LETTER_COLUMNS, [_row(dead_letter) for dead_letter in letters])
    else:
        printer.line(f"There are no {'discarded' if discarded else 'dead'} letters{_those(**options)}.")


def requeue(*, printer: Printer, json: bool, **options: Any) -> None:
    """Request that dead letters are handled once more."""
    _decide(DeadLetter.Request.REQUEUE, _chosen(DeadLetter.Request.REQUEUE, **options), printer, json)


def discard(
    *, printer: Printer, json: bool, with_parked: bool, expect: int | None, ids: list[int], **options: Any
) -> None:
    """Discard exactly the dead letters and parked events that were counted. Those that come later stay."""
    letters = _chosen(DeadLetter.Request.DISCARD, ids=ids, **options)
    behind, through = dead_letters.behind(letters) if with_parked else (0, None)
    count = len(letters) + behind
    if count and (expect is not None or with_parked or not ids):
        _agree(
            f"{len(letters)} dead letters" + (f" and {behind} events parked behind them" if behind else ""),
            count,
            expect,
        )
    _decide(DeadLetter.Request.DISCARD, letters, printer, json, through=through, behind=behind)


def restore(*, printer: Printer, json: bool, decision: int | None, **options: Any) -> None:
    """Restore discarded dead letters: those that are named, or all of one decision."""
    if decision is None:
        letters = _chosen(DeadLetter.Request.RESTORE, discarded=True, **options)
    elif options["ids"] or options["all"] or _selectors(options):
        raise CommandError("--decision says it all: name nothing else.", returncode=EXIT_WRONG_LINE)
    else:
        possible = dead_letters.discarded(decision).filter(dead_letters.possible(DeadLetter.Request.RESTORE))
        letters = list(possible.values_list("id", flat=True))
    _decide(DeadLetter.Request.RESTORE, letters, printer, json)


def _agree(what: str, count: int, expect: int | None) -> None:
    """Raise CommandError unless `expect` equals the count, or the operator confirms at the terminal."""
    if expect is not None:
        if expect != count:
            text = f"These are {what}, {count} in all, and not {expect}: look again. Nothing was discarded."
            raise CommandError(text)
    elif not sys.stdin.isatty():
        text = f"These are {what}. To discard them: --expect {count}"
        raise CommandError(text, returncode=EXIT_WRONG_LINE)
    elif input(f"Discard {what}? [y/N] ").strip().lower() not in YES:
        raise CommandError("Nothing was discarded.")


def _decide(
    action: DeadLetter.Request,
    letter_ids: Collection[int],
    printer: Printer,
    json: bool,
    *,
    through: int | None = None,
    behind: int = 0,
) -> None:
    """Request the action for each dead letter. Raises CommandError if one is refused, or if there is none."""
    decided = dead_letters.decide(letter_ids, action, who(), through=through)
    if json:
        asked = [_briefly(dead_letter) for dead_letter in decided.asked]
        told = {"action": action, "asked": asked, "parked": behind, "refused": decided.refused}
        printer.json({**told, "decision": decided.decision or None})
    else:
        for dead_letter in decided.asked:
            printer.line(
                f"{action} {dead_letter.pk}: {dead_letter.group} {dead_letter.type} {printable(dead_letter.key)}"
            )
        if action == DeadLetter.Request.DISCARD and decided.asked:
            text = f"To undo it, within {UNDO_DAYS} days: manage.py eventbus undo --decision {decided.decision}"
            printer.line(text)
    if decided.refused or not decided.asked:
        none = "nothing that was discarded" if action == DeadLetter.Request.RESTORE else "no open dead letter"
        raise CommandError("\n".join(decided.refused) or f"Nothing to {action}: {none} matches.")


def _briefly(dead_letter: DeadLetter) -> dict[str, Any]:
    names = (
        "id",
        "group",
        "topic",
        "partition",
        "offset",
        "type",
        "event_id",
        "key",
        "attempts",
        "error_class",
        "error",
    )
    return {name: getattr(dead_letter, name) for name in names}


def _selecting(parser: CommandParser, all: str = "") -> None:
    parser.add_argument("ids", nargs="*", type=positive, metavar="ID", help="as `eventbus dead` shows it")
    for name in SELECTORS:
        parser.add_argument(f"--{name}", default="", help=f"those of this {name}")
    if all:
        parser.add_argument("--all", action="store_true", help=all)


def _selected(options: dict[str, Any], *, discarded: bool = False) -> QuerySet[DeadLetter]:
    group, topic, key = (options[name] for name in SELECTORS)
    return status.dead(group=group, topic=topic, key=key, discarded=discarded)


def _those(**options: Any) -> str:
    said = ", ".join(f"{name} {options[name]}" for name in SELECTORS if options[name])
    return f" of {said}" if said else ""


def _selectors(options: dict[str, Any]) -> bool:
    return any(options[name] for name in SELECTORS)


def _chosen(
    request: DeadLetter.Request, *, ids: list[int], all: bool, discarded: bool = False, **options: Any
) -> list[int]:
    """Return the ids of the named dead letters. Raises CommandError for an unknown id, or when nothing was named."""
    if bool(ids) + _selectors(options) + all != 1:
        raise CommandError("Name ids, or --group, --topic and --key, or --all.", returncode=EXIT_WRONG_LINE)
    if ids:
        return [dead_letter.pk for dead_letter in _letters_by_id(ids)]
    letters = _selected(options, discarded=discarded).filter(dead_letters.possible(request))
    return list(letters.values_list("id", flat=True))


def _letters_by_id(ids: list[int]) -> list[DeadLetter]:
    return named(DeadLetter.objects.all(), ids, what="dead letter", command="dead")


def _row(dead_letter: DeadLetter) -> list[Any]:
    told = {**described(dead_letter), "died_at": f"{dead_letter.died_at:%Y-%m-%d %H:%M:%S} UTC"}
    told["error"] = f"{dead_letter.error_class}: {dead_letter.error}"[:ERROR_CHARACTERS_SHOWN]
    return [told[name] for name in LETTER_COLUMNS]
