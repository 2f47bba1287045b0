"""Mistakes that publish what was rolled back, or change the order of a key's events on their way to the log."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import msgspec
from django.db import DEFAULT_DB_ALIAS, connections

from eventbus.backends.base import partition_of
from eventbus.database import outbox_inserts
from eventbus.failures import parking
from eventbus.publishing import outbox, relay
from tests.simulation.mistakes.mistake import Promise, Right, mistake

UNDONE = ("what_is_rolled_back_is_never_heard_of",)
_numbers = count()


@mistake(outbox.insert, breaks=Promise.NOTHING_LOST, noticed_by=UNDONE)
def an_event_is_published_before_its_transaction_commits(
    right: Right, connection: Any, *given: Any, **named: Any
) -> None:
    right(connection, *given, **named)
    connection.connection.commit()


@mistake(outbox_inserts.insert, breaks=Promise.NOTHING_LOST, noticed_by=UNDONE, only="postgresql")
def an_event_is_published_on_another_connection(right: Right, connection: Any, sealed: Any, *, ordered: bool) -> None:
    """As a call to a broker would be."""
    connections.databases["other"] = dict(connections[DEFAULT_DB_ALIAS].settings_dict)
    try:
        right(connections["other"], sealed, ordered=False)
    finally:
        connections["other"].close()


@mistake(
    outbox.gathered,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_handler_that_fails_after_publishing_has_published_nothing"],
)
@contextmanager
def a_handler_that_fails_has_published(right: Right) -> Iterator[None]:
    connection = connections[DEFAULT_DB_ALIAS]
    try:
        with right():
            yield
    except Exception:
        outbox._add_gathered(connection)
        connection.connection.commit()
        raise


@mistake(
    outbox_inserts.slots,
    breaks=Promise.ORDER,
    noticed_by=["commit_order_decides_when_two_publish_to_one_key"],
    only="postgresql",
)
def publishers_of_a_key_do_not_wait_for_one_another(right: Right, sealed: Any) -> list[Any]:
    """The order is that of the ids, and those are drawn before the commits."""
    return []


@mistake(relay.Relay._unsent, breaks=Promise.ORDER, noticed_by=["commit_order_decides_not_the_clock"])
def events_are_sent_by_the_time_of_their_creation(right: Right, *given: Any) -> list[Any]:
    return sorted(right(*given), key=lambda row: msgspec.json.decode(row.headers)["time"])


@mistake(partition_of, breaks=Promise.ORDER, noticed_by=["each_key_is_heard_in_the_order_it_was_told"])
def a_key_lies_in_any_partition(right: Right, key: str, partitions: int) -> int:
    return next(_numbers) % partitions


@mistake(parking.parked_keys, breaks=Promise.ORDER, noticed_by=["order_holds_through_retries"])
def a_parked_key_is_overtaken(right: Right, *given: Any) -> dict[str, Any]:
    return {}


@mistake(
    relay.Relay._fence,
    breaks=Promise.ORDER,
    noticed_by=["a_relay_that_has_lost_its_lease_appends_nothing"],
)
def a_relay_appends_without_its_lease(right: Right, self: relay.Relay) -> None: ...
