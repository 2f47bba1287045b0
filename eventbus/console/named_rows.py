"""Shared parts of commands that act on rows an operator names."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django.core.management.base import CommandError
from django.db.models import Model, QuerySet

from eventbus.console import EXIT_WRONG_LINE, Printer, who

M = TypeVar("M", bound=Model)

ID_DIGITS_MAX = 18  # any number of 18 digits fits into 64 bits


def positive(text: str) -> int:
    """Parse a positive whole number for argparse. Its size is limited, so that a database can compare ids with it."""
    if not text.isdecimal() or len(text) > ID_DIGITS_MAX or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 with {ID_DIGITS_MAX} digits at most")
    return int(text)


def named(rows: QuerySet[M], ids: Iterable[int], *, what: str, command: str) -> list[M]:
    """Return the rows with these ids, the oldest first. Raises CommandError with the ids that have no row."""
    found = list(rows.filter(id__in=ids).order_by("id"))
    if unknown := sorted(set(ids) - {row.pk for row in found}):
        text = f"No such {what}: {', '.join(map(str, unknown))}. See manage.py eventbus {command}."
        raise CommandError(text, returncode=EXIT_WRONG_LINE)
    return found


def ask(
    request: Callable[[M, str], None],
    rows: Iterable[M],
    *,
    refusal: type[Exception],
    told: Callable[[M], Mapping[str, Any]],
    of: str,
    none: str,
    action: str,
    printer: Printer,
    json: bool,
) -> None:
    """Call `request(row, operator)` for each row and print the result. A refusal does not stop the others.

    `refusal`: the exception by which `request` refuses. `told`: returns the fields of a row to print; `of` names the
    field that is printed before type and key. `action`: the word for the request. `none`: why there may be no rows.
    Raises CommandError for refusals, or if there is no row.
    """
    asked, refused = [], []
    for row in rows:
        try:
            request(row, who())
            asked.append(told(row))
        except refusal as error:
            refused.append(str(error))
    if json:
        printer.json({"action": action, "asked": asked, "refused": refused})
    else:
        for one in asked:
            printer.line(f"{action} {one['id']}: {one[of]} {one['type']} {one['key']}")
    if refused or not asked:
        raise CommandError("\n".join(refused) or f"Nothing to {action}: {none}.")
