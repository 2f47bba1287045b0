"""`doctor`: find settings that endanger a promise of the bus."""

from typing import Any

from django.core.management.base import CommandError

from eventbus.console import Actions, Printer, printable
from eventbus.doctor.examination import examine
from eventbus.doctor.gathering import gather


def add(actions: Actions) -> None:
    """Add the action. It runs without system checks: those stop at settings that the doctor explains."""
    text = "settings of broker, topics, clients, database, proxy and clocks that endanger a promise; 1 if there is one"
    actions.add("doctor", doctor, text).set_defaults(skip_checks=True)


def doctor(*, printer: Printer, json: bool, **options: Any) -> None:
    """Print each finding with its reason, remedy and source. Raises CommandError if there is one."""
    facts = gather()
    found = examine(facts)
    if json:
        printer.json({"findings": found, "unknown": facts.unknown})
    else:
        for one in found:
            printer.fields({one.id: one.what, "why": one.why, "remedy": one.remedy, "source": one.source})
        for what, why in facts.unknown.items():
            printer.line(f"not seen: {what}: {printable(why)}")
        if not found:
            printer.line("No setting endangers a promise, as far as it was seen.")
    if found:
        raise CommandError(f"{len(found)} settings endanger a promise: {', '.join(one.id for one in found)}")
