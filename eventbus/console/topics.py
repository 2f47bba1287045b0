"""`topics`: show the topics and their event types; on brokers, make and change topics as declared."""

from typing import Any

from django.core.management.base import CommandError
from django.db import connection

from eventbus.backends.topics import MORE
from eventbus.console import EXIT_WRONG_LINE, Actions, Printer, who
from eventbus.errors import LogUnavailable
from eventbus.models import OperatorAction
from eventbus.operations import topic_setup
from eventbus.operations.topic_setup import TopicStatus
from eventbus.selections import audit_trail

COLUMNS = ("topic", "partitions", "records", "types", "read by")
ON_BROKERS = ("topic on the brokers", "partitions", "copies", "min.insync.replicas", "retention.ms")


def add(actions: Actions) -> None:
    """Add the action."""
    text = "the topics, their end offsets, event types and readers; exits with 1 when one is not as declared"
    asking = actions.add("topics", topics, text)
    asking.add_argument("--apply", action="store_true", help="make what is missing, and set what differs")
    more = "with --apply: add partitions as well, which moves keys; it tells first how to do that safely"
    asking.add_argument("--add-partitions", action="store_true", help=more)


def topics(*, printer: Printer, json: bool, apply: bool, add_partitions: bool, **options: Any) -> None:
    """Show topics, and apply their declarations if asked to. Raises CommandError with the differences that remain."""
    if add_partitions and not apply:
        raise CommandError("--add-partitions goes with --apply.", returncode=EXIT_WRONG_LINE)
    try:
        found = topic_setup.topics()
        if not json:
            _print(printer, found)
        if apply:
            _apply(printer, found, json=json, add_partitions=add_partitions)
    except (LogUnavailable, topic_setup.TopicSetupRefused) as error:
        raise CommandError(str(error)) from error
    if json:
        printer.json(found)
    if left := [str(one) for topic in found for one in topic.differences if not one.applied]:
        raise CommandError("\n".join(left if apply else [*left, "manage.py eventbus topics --apply makes them so."]))


def _print(printer: Printer, found: list[TopicStatus]) -> None:
    rows = [(one.topic, len(one.ends), sum(one.ends), ", ".join(one.types), ", ".join(one.groups)) for one in found]
    printer.table(COLUMNS, rows)
    there = [(one.name, one.found) for one in found if one.found]
    if there:
        printer.line()
        names = ON_BROKERS[3:]
        specs = [(name, is_.partitions, is_.replication, *map(is_.configs.get, names)) for name, is_ in there]
        printer.table(ON_BROKERS, specs)


def _apply(printer: Printer, found: list[TopicStatus], *, json: bool, add_partitions: bool) -> None:
    """Show the differences, and then apply the declarations."""
    told = [one for topic in found for one in topic.differences]
    if not json:
        if told:
            printer.line()
        for one in told:
            printer.line(str(one) if one.remedy != MORE else f"{one.topic}: WARNING: {one}")
    if told and _has_trail():
        names = ", ".join(sorted({one.topic for one in told}))
        audit_trail.note(OperatorAction.Action.TOPICS, who(), about=names, count=len(told))
    topic_setup.mend_topics(found, add_partitions=add_partitions)
    if not json:
        for one in told:
            if one.applied:
                printer.line(f"done: {one.topic}: {one.what} is {one.declared}")


def _has_trail() -> bool:
    """Return False before the first `migrate`: topics are made first, since a new group begins at their ends."""
    return OperatorAction._meta.db_table in connection.introspection.table_names()
