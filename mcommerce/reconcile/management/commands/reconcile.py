"""`manage.py reconcile`: compare provider, payments, orders, stock and bus; repair by asking."""

import logging
import sys
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from eventbus import clock
from eventbus.console import Printer, printable, who
from eventbus.journeys import keys_under_way
from mcommerce.payment.providers.base import ProviderError
from mcommerce.reconcile.difference import Difference

logger = logging.getLogger(__name__)

COMPARED = ("mcommerce.products", "mcommerce.orders", "mcommerce.payment")
EXIT_DIFFERENCES, EXIT_NOT_COMPARED = 1, 2


class Command(BaseCommand):
    help = (
        "Compare what the payment provider charged with the payments, the orders, the stock and the bus, and list each "
        "difference by name. Nothing is changed without --repair. Exit code 0: no difference is left; 1: some are; "
        "2: the provider did not answer, or the line was wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="repair each, after asking")
        parser.add_argument(
            "--expect",
            type=int,
            metavar="NUMBER",
            help="with --repair: repair all without asking, if they are as many as in the list that you read",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *, repair: bool, expect: int | None, json: bool, **options: Any) -> None:
        _refuse_without_what_is_compared()
        ask = expect is None
        if not ask and not repair:
            raise CommandError("--expect goes with --repair.", returncode=EXIT_NOT_COMPARED)
        if repair and ask and (json or not sys.stdin.isatty()):
            text = "There is nobody to ask here: say with --expect how many there are, or leave out --repair."
            raise CommandError(text, returncode=EXIT_NOT_COMPARED)
        printer = Printer(self.stdout)
        try:
            found, busy = self._compare()
            if found:  # a change during the comparison is no difference at a second one
                seen = {one.about for one in found}
                found, busy = self._compare()
                found = [one for one in found if one.about in seen]
        except ProviderError as error:
            text = f"The payment provider does not answer, so nothing was compared: {error}. Try again later."
            raise CommandError(text, returncode=EXIT_NOT_COMPARED) from None
        if not ask and len(found) != expect:
            text = f"There are {len(found)} differences, and not {expect}: look again. Nothing was repaired."
            raise CommandError(text, returncode=EXIT_NOT_COMPARED)
        if not json:
            for one in found:
                printer.line(f"{printable(str(one))}. Repair: {one.remedy}.")
        outcomes = [self._repaired(one, ask=ask) if repair else "" for one in found]
        self._print(printer, found, outcomes, busy=len(busy), json=json)

    def _compare(self) -> tuple[list[Difference], set[str]]:
        """Return the differences, and the keys of the orders that were left out: their events are not handled yet."""
        from mcommerce.reconcile import bus_differences, order_differences, provider_differences

        busy, now = keys_under_way.keys(bus_differences.KEYED_BY_ORDER), clock.now()
        comparison = provider_differences.ChargeComparison(settings.PAYMENT_PROVIDER, under_way=busy, now=now)
        found = list(comparison.differences())
        found += order_differences.OrderComparison(charges=comparison.charges, under_way=busy, now=now).differences()
        found += bus_differences.differences(who=who())
        return found, busy

    def _repaired(self, one: Difference, *, ask: bool) -> str:
        """Return `repaired`, `left`, or why it could not be repaired."""
        if one.repair is None:
            return "left"
        if ask and not _agreed(one):
            return "left"
        try:
            one.repair()
        except Exception as error:  # the next one may well be repaired
            return f"not repaired: {type(error).__name__}: {error}"
        logger.warning("Repaired by %s: %s (%s)", who(), one, one.remedy)
        return "repaired"

    def _print(self, printer: Printer, found: list[Difference], outcomes: list[str], *, busy: int, json: bool) -> None:
        repaired = outcomes.count("repaired")
        left = len(found) - repaired
        if json:
            told = [one.told() | {"outcome": outcome} for one, outcome in zip(found, outcomes, strict=True)]
            printer.json({"differences": told, "left": left, "orders_with_events_under_way": busy})
        else:
            for one, outcome in zip(found, outcomes, strict=True):
                if outcome.startswith("not repaired"):
                    printer.line(f"{one.name}: {printable(outcome)}")
            counted = ", ".join(f"{name} {count}" for name, count in sorted(Counter(one.name for one in found).items()))
            printer.line(f"{len(found)} differences{f' ({counted})' if counted else ''}, {repaired} repaired.")
            if busy:
                printer.line(f"{busy} orders were left out: events about them are under way. Run this again later.")
        if left:
            raise CommandError(self._remedy(left), returncode=EXIT_DIFFERENCES)

    def _remedy(self, left: int) -> str:
        return f"{left} differences are left. manage.py reconcile --repair asks about each."


def _refuse_without_what_is_compared() -> None:
    """Raise CommandError on a site that lacks one of COMPARED. Only a site with all of them imports their code."""
    if missing := [name for name in COMPARED if not apps.is_installed(name)]:
        raise CommandError(
            f"Nothing was compared: {', '.join(missing)} is not in INSTALLED_APPS. Run this on a site that has all of "
            f"{', '.join(COMPARED)}, and take mcommerce.reconcile out of INSTALLED_APPS on this one.",
            returncode=EXIT_NOT_COMPARED,
        )


def _agreed(one: Difference) -> bool:
    """Return whether the operator says yes. The end of their input is no."""
    try:
        said = input(f"{printable(str(one))}. {one.remedy.capitalize()}? [y/N] ")
    except EOFError:
        return False
    return said.strip().lower() in {"y", "yes"}
