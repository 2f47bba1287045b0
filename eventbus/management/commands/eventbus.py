"""`manage.py eventbus`: inspect the bus, and decide about failed events. The actions are in `eventbus.console`."""

from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from eventbus.console import (
    EXITS,
    Actions,
    Printer,
    Run,
    contracts,
    doctor,
    log_levels,
    pausing,
    pruning,
    schema,
    status,
    topics,
)
from eventbus.console.repairs import (
    dead_letters,
    log_repairs,
    redelivery,
    rejected_records,
    replaying,
    skipping,
    untrusted_records,
)
from eventbus.errors import LogUnavailable


class Command(BaseCommand):
    help = "Look at the event bus, and decide about what failed for good. Each action has --help and --json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.epilog, parser.formatter_class = EXITS, RawDescriptionHelpFormatter
        actions = Actions(parser.add_subparsers(dest="action", required=True, metavar="ACTION"))
        modules = (
            status,
            doctor,
            topics,
            schema,
            contracts,
            dead_letters,
            rejected_records,
            untrusted_records,
            pausing,
            replaying,
            skipping,
            redelivery,
            log_repairs,
            log_levels,
            pruning,
        )
        for module in modules:
            module.add(actions)

    def handle(self, *, run: Run, **options: Any) -> None:
        try:
            run(printer=Printer(self.stdout), **options)
        except LogUnavailable as error:
            raise CommandError(str(error)) from error
