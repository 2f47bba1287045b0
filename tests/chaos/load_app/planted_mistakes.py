"""Faults in the bus itself, planted one at a time by CHAOS_SABOTAGE: the oracle must tell each of them.

Each is a mistake that somebody could make while mending the bus, in a line or two.
"""

import os
import random
import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from uuid import uuid4

Plant = Callable[[], None]

KEPT = "acknowledged is kept"
UNDONE = "nothing undone is heard"
LOST = "nothing is lost"
TWICE = "nothing is done twice"
ORDER = "a key's order is its commits' order"
ONE_KEY = "an effect has one idempotency key"
ASIDE = "nothing is set aside"
OTHERS = "others pass an event that breaks its own world"


class Sabotage(NamedTuple):
    """A mistake, the promise that it breaks, and the faults under which it does; most need none.

    `shop`: it is a mistake in the shop, which must be there then.
    """

    plant: Plant
    breaks: str
    under: tuple[str, ...]
    shop: bool


ALL: dict[str, Sabotage] = {}


def plant(name: str) -> None:
    """Raises KeyError for an unknown one."""
    ALL[name].plant()


def of_the_bus() -> bool:
    """Whether a mistake is planted that is the bus's own."""
    one = ALL.get(os.environ.get("CHAOS_SABOTAGE", ""))
    return one is not None and not one.shop


def acknowledges_early() -> bool:
    """Whether the site says yes before its database has said so."""
    return os.environ.get("CHAOS_SABOTAGE") == "acknowledged before the database"


def fault(name: str, breaks: str, *under: str, shop: bool = False) -> Callable[[Plant], Plant]:
    def add(plant: Plant) -> Plant:
        ALL[name] = Sabotage(plant, breaks, under, shop)
        return plant

    return add


@fault("acknowledged before the database", KEPT)
def _early() -> None:
    """The publisher itself looks."""


@fault("no inbox", TWICE)
def _no_inbox() -> None:
    from eventbus.progress import inbox

    inbox.known = lambda *arguments, **options: set()
    inbox.note = lambda *arguments, **options: None


@fault("ids made when sending", TWICE)
def _new_ids() -> None:
    from eventbus.backends.kafka import producer

    right = producer.headers_of
    producer.headers_of = lambda row, partition: right(
        row._replace(headers=re.sub(r'"id":"[^"]*"', f'"id":"{uuid4()}"', row.headers, count=1)), partition
    )


@fault("offset before commit", LOST, "worker killed", "connections ended")
def _offsets_first() -> None:
    """A worker that begins goes on at the log's end: what its predecessor had fetched counts as done."""
    from eventbus.backends import current
    from eventbus.progress import groups

    right = groups.take_over

    def take_over(group: Any, assigned: Any, *arguments: Any, **options: Any) -> Any:
        rows = right(group, assigned, *arguments, **options)
        for partition, row in rows.items():
            row.offset = current().end(partition)
        return rows

    groups.take_over = take_over


@fault("order by creation time", ORDER)
def _creation_time() -> None:
    """Of the event in memory, which may be long before it is inserted."""
    from datetime import timedelta

    from eventbus.database import outbox_inserts
    from eventbus.publishing import relay

    values = outbox_inserts.postgres_values

    def earlier(one: Any) -> tuple[Any, ...]:
        *rest, created_at = values(one)
        return *rest, created_at - timedelta(seconds=random.uniform(0, 0.3))

    outbox_inserts.postgres_values = earlier
    head, order, tail = relay._UNSENT.rpartition("ORDER BY id")
    assert order, "the relay asks in another way: plant it anew"
    relay._UNSENT = f"{head}ORDER BY created_at{tail}"


@fault("no lock while publishing", ORDER, "relay stopped", "broker stopped")
def _no_slots() -> None:
    """A relay that is faster than whoever drew the lower number sends in the order of commits: it is held up."""
    from eventbus.database import outbox_inserts
    from eventbus.publishing import outbox

    right = outbox_inserts.insert

    def insert(connection: Any, sealed: Any, *, ordered: bool) -> None:
        right(connection, sealed, ordered=False)

    outbox.outbox_inserts.insert = insert


@fault("published outside the transaction", UNDONE)
def _dual_write() -> None:
    """On a connection of its own, as a call to a broker would be."""
    from django.db import connections

    from eventbus.database import outbox_inserts
    from eventbus.publishing import outbox

    right = outbox_inserts.insert

    def insert(connection: Any, sealed: Any, *, ordered: bool) -> None:
        if "dual" not in connections.databases:
            connections.databases["dual"] = dict(connection.settings_dict)
        right(connections["dual"], sealed, ordered=False)

    outbox.outbox_inserts.insert = insert


@fault("sent in reverse", ORDER)
def _reversed() -> None:
    from eventbus.backends.kafka.producer import Sender

    right = Sender.send
    Sender.send = lambda self, rows: right(self, rows[::-1])  # type: ignore[method-assign]


@fault("any partition", ORDER)
def _any_partition() -> None:
    from eventbus.backends.kafka import producer

    class Scattering(producer.Producer):  # type: ignore[misc]
        def produce(self, *arguments: Any, **options: Any) -> None:
            super().produce(*arguments, **options | {"partition": random.randrange(4)})

    right = producer.Sender._current

    def current(self: Any) -> Any:
        import eventbus.backends.kafka.backend as kafka

        kafka.Producer = Scattering
        return right(self)

    producer.Sender._current = current  # type: ignore[method-assign]


@fault("a broker's timeout swallowed", LOST, "broker killed")
def _timeout() -> None:
    """What was not acknowledged counts as sent."""
    from eventbus.backends.kafka import producer

    right = producer.Sender.send
    beyond = iter(range(10**9, 10**12))  # places where nothing else lies

    def send(self: Any, rows: Sequence[Any]) -> Any:
        outcome = producer.Outcome([], {}, "")
        with suppress(producer.LogUnavailable):
            outcome = right(self, rows)
        there = {sent.id for sent in outcome.sent}
        made_up = [producer.Sent(row.id, os.getpid() % 30_000, next(beyond)) for row in rows if row.id not in there]
        return producer.Outcome([*outcome.sent, *made_up], {}, "")

    producer.Sender.send = send  # type: ignore[method-assign]


@fault("a handler's error swallowed", LOST)
def _swallowed() -> None:
    from django.db import transaction

    from eventbus.registry import Group

    right = Group.call

    def call(self: Any, record: Any) -> None:
        with suppress(Exception), transaction.atomic():
            right(self, record)

    Group.call = call  # type: ignore[method-assign]


@fault("a handler outside the transaction", TWICE)
def _autocommit() -> None:
    from eventbus import failpoints

    right = failpoints.atomic

    @contextmanager
    def nothing(name: str) -> Any:
        yield

    failpoints.atomic = lambda name: nothing(name) if name in ("handle.batch", "handle.single") else right(name)


@fault("parked keys overtaken", ORDER)
def _overtaken() -> None:
    from eventbus.failures import parking

    parking.parked_keys = lambda *arguments, **options: {}


@fault("given up at once", ASIDE)
def _given_up() -> None:
    from eventbus.registry import Handler

    Handler.gives_up = lambda self, error, attempts: True  # type: ignore[method-assign]


@fault("a failure skipped", LOST)
def _skipped() -> None:
    """The log goes on behind what failed, and nobody keeps it."""
    from eventbus.failures import parking

    parking.park = lambda *arguments, **options: None


@fault("another idempotency key each time", ONE_KEY, "provider in trouble")
def _new_keys() -> None:
    from tests.chaos.load_app import provider_stub

    call = provider_stub.call
    provider_stub.call = lambda idempotency_key, token: call(f"{idempotency_key}:{uuid4()}", token)


@fault("timers forgotten", LOST)
def _timers() -> None:
    """Deleted in one transaction, published in the next: a death or an error in between loses them."""
    from eventbus.publishing import relay

    right = relay._sealed
    relay.Relay._publish_due = _publish_half(right)  # type: ignore[method-assign]


def _publish_half(sealed: Callable[[Any], Any]) -> Callable[[Any], int]:
    def publish_due(self: Any) -> int:
        from django.db import DEFAULT_DB_ALIAS, connections, transaction

        from eventbus import clock
        from eventbus.models import Timer
        from eventbus.publishing import outbox

        due = list(Timer.objects.filter(due__lte=clock.now()).order_by("due", "id")[:100])
        Timer.objects.filter(id__in=[timer.id for timer in due]).delete()
        for timer in due:
            if random.random() < 0.1:
                return 0  # the error
            with transaction.atomic():
                outbox.insert(connections[DEFAULT_DB_ALIAS], [sealed(timer)])
        return len(due)

    return publish_due


from tests.chaos.load_app import planted_tool_mistakes  # noqa: E402, F401  # adds its own to ALL
