"""`pause` and `resume`: let consumer groups stand still, and go on."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError
from django.db.models import QuerySet

from eventbus.console import EXIT_WRONG_LINE, Actions, Printer, who
from eventbus.models import ConsumerGroup
from eventbus.operations import pausing


def add(actions: Actions) -> None:
    """Add the actions that pause and resume groups."""
    stop = (
        "let consumer groups stand still: each finishes what it has in hand, then nothing of it is handled, tried "
        "again, probed, requeued or discarded until it is resumed; other groups flow"
    )
    go = "let paused groups go on, and close open circuit breakers, which then judge by what comes"
    for name, run, text in (("pause", pause, stop), ("resume", resume, go)):
        asking = actions.add(name, run, text)
        asking.add_argument("groups", nargs="*", metavar="GROUP", help="as `eventbus status` shows it")
        asking.add_argument("--all", action="store_true", help="every consumer group that can be")


def pause(**options: Any) -> None:
    """Pause the named groups."""
    _ask(pausing.pause, pausing.pausable, **options)


def resume(**options: Any) -> None:
    """Resume the named groups."""
    _ask(pausing.resume, pausing.resumable, **options)


def _ask(
    request: Callable[[ConsumerGroup, str], None],
    possible: Callable[[], QuerySet[ConsumerGroup]],
    *,
    printer: Printer,
    json: bool,
    action: str,
    groups: list[str],
    all: bool,
    **options: Any,
) -> None:
    """Call `request` for each group, and print the result. If a group is refused, the others are still tried."""
    asked, refused = [], []
    for group in _chosen(possible, groups, all):
        try:
            request(group, who())
            asked.append(group.name)
        except pausing.PauseRefused as error:
            refused.append(str(error))
    if json:
        printer.json({"action": action, "asked": asked, "refused": refused})
    else:
        for name in asked:
            printer.line(f"{action} {name}")
    if refused or not asked:
        raise CommandError("\n".join(refused) or f"Nothing to {action}.")


def _chosen(possible: Callable[[], QuerySet[ConsumerGroup]], names: list[str], all: bool) -> list[ConsumerGroup]:
    """Return the groups that were named. Raises CommandError for an unknown one, or when nothing was named."""
    if bool(names) == all:
        raise CommandError("Name groups, or --all.", returncode=EXIT_WRONG_LINE)
    if all:
        return list(possible())
    if unknown := pausing.unknown(names):
        known = ", ".join(ConsumerGroup.objects.order_by("name").values_list("name", flat=True))
        raise CommandError(f"No such group: {', '.join(unknown)}. Known: {known}.", returncode=EXIT_WRONG_LINE)
    return list(ConsumerGroup.objects.filter(name__in=names).order_by("name"))
