"""A small house on the bus, for tests: groups of its own, and a table in which its handlers write what they saw."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, connections, transaction
from django.utils.module_loading import import_string

from eventbus import Event, backends, effect, handles, publish, registry, testing
from eventbus.consuming.worker import Worker
from eventbus.events import Record
from eventbus.models import DeadLetter, ParkedEvent, ParkedKey, Progress
from eventbus.progress import group_starts, groups
from eventbus.publishing.relay import Relay
from tests import waiting

ELSEWHERE = 999  # a partition that this process does not own, since it has never heard of it


class Noted(Event, name="house.noted", topic="house", key="name", unsigned_from=("/elsewhere", "/here", "/there")):
    """Something with a number was noted for a key."""

    name: str
    number: int


class Unknown(Event, name="house.unknown", topic="house", key="name"):
    """A fact on the same topic that no group of the house knows."""

    name: str


class Sown(Event, name="garden.sown", topic="garden", key="name"):
    """Something with a number was sown for a key, on another topic."""

    name: str
    number: int


class Mended:
    """A handler that fails until it is mended."""

    def __init__(self, *names: str, error: Exception | None = None) -> None:
        self.names, self.error, self.calls = set(names), error or ValueError("broken"), 0

    def __call__(self, event: Noted) -> None:
        if event.name in self.names:
            self.calls += 1
            raise self.error


class House:
    """Groups, a table `house_seen`, and ways to let time pass."""

    def handler(
        self,
        group: str = "house-a",
        call: Callable[[Any], Any] | None = None,
        on: type[Noted | Sown] = Noted,
        **policy: Any,
    ) -> None:
        """Add to a group a handler that writes down each event after it has `call`ed."""

        def write_down(event: Noted | Sown) -> None:
            if call:
                call(event)
            self.write(group, event)

        handles(on, group=group, **policy)(write_down)
        group_starts.ensure(backends.current(), [registry.groups[group]])

    def effect(
        self, group: str = "house-a", call: Callable[..., Any] = lambda event, **named: None, **policy: Any
    ) -> None:
        """Add to a group an effect that `call`s."""
        effect(Noted, group=group, **policy)(call)
        group_starts.ensure(backends.current(), [registry.groups[group]])

    def write(self, group: str, event: Noted | Sown) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO house_seen (team, name, number) VALUES (%s, %s, %s)", [group, event.name, event.number]
            )

    def recording(self, group: str) -> Callable[[Noted, Any], None]:
        """What records an effect's answer: it writes down the event."""
        return lambda event, answer: self.write(group, event)

    def asking(self, group: str, *, on_unknown_outcome: str) -> list[int]:
        """Add a group whose effect asks somebody who always answers: a list that grows by each number asked."""
        asked: list[int] = []
        self.effect(
            group,
            lambda event, **named: asked.append(event.number),
            record=self.recording(group),
            on_unknown_outcome=on_unknown_outcome,
        )
        return asked

    def say(self, *notes: tuple[str, int]) -> list[Any]:
        with transaction.atomic():
            return publish(*(Noted(name=name, number=number) for name, number in notes))

    def settle(self, *, raise_errors: bool = False) -> None:
        testing.settle(raise_errors=raise_errors)

    def restart(self) -> None:
        """What a new process would remember: nothing."""
        testing.forget()

    def seen(self, group: str = "house-a", name: str | None = None) -> list[Any]:
        """Numbers seen for a name, or (name, number) pairs, in the order in which they were written."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, number FROM house_seen WHERE team = %s ORDER BY id", [group])
            rows = cursor.fetchall()
        return [number for one, number in rows if one == name] if name is not None else rows

    def offset(self, group: str = "house-a") -> int:
        return sum(Progress.objects.filter(group=group).values_list("offset", flat=True))

    def rewind(self, group: str = "house-a") -> None:
        """Let a group's log come again from the start, as after a lost offset."""
        Progress.objects.filter(group=group).update(offset=0)
        self.restart()

    def parked(self, group: str = "house-a") -> list[str]:
        return list(ParkedKey.objects.filter(group=group).order_by("key").values_list("key", flat=True))

    def waiting(self) -> list[int]:
        """Numbers of the events behind parked keys, in the order in which they wait."""
        rows = ParkedEvent.objects.order_by("offset")
        return [msgspec.json.decode(bytes(row.payload), type=Noted).number for row in rows]

    def dead(self, group: str = "house-a") -> list[DeadLetter]:
        return list(DeadLetter.objects.filter(group=group).order_by("id"))

    def log(self) -> list[Record]:
        """All that was appended to the house's topic."""
        consumer = backends.current().consumer([Noted.topic])
        records: list[Record] = []
        try:
            consumer.catch_up(waiting.DEADLINE_SECONDS)
            while found := consumer.fetch(100):
                records += found
                consumer.catch_up(waiting.DEADLINE_SECONDS)
        finally:
            consumer.close()
        return records

    def worker(self, group: str = "house-a", stop: threading.Event | None = None) -> Worker:
        return Worker(registry.groups[group], backends.current(), stop)

    def step(self, worker: Worker) -> int:
        """One step of a worker, once what lies in the log has come to it."""
        worker.catch_up(waiting.DEADLINE_SECONDS)
        return worker.step()

    def taken_over(self, group: str = "house-a") -> None:
        """What another worker does when the group's partitions are given to it."""
        places = backends.current().partitions(registry.groups[group].topics)
        groups.take_over(registry.groups[group], places, lambda: None, interrupted={})

    def another_backend(self) -> backends.Backend:
        """The backend as another process has it."""
        return import_string(settings.EVENTBUS["BACKEND"])(**settings.EVENTBUS.get("OPTIONS", {}))

    def relay(self) -> None:
        Relay(backends.current()).step()

    @contextmanager
    def working(
        self, group: str = "house-a", *, worker: Worker | None = None, stop: threading.Event | None = None
    ) -> Iterator[threading.Event]:
        """A worker in a thread of its own; setting what it yields asks it to leave, and leaving waits for it.

        `worker` is one that has begun already; it has been given `stop`.
        """
        stop = stop or threading.Event()
        worker = worker or self.worker(group, stop)

        def work() -> None:
            try:
                worker.run()
            finally:
                worker.close()
                connections.close_all()

        thread = threading.Thread(target=work, daemon=True)  # one that does not leave is told of; it holds up nobody
        thread.start()
        try:
            yield stop
        finally:
            stop.set()
            thread.join(waiting.DEADLINE_SECONDS)
            assert not thread.is_alive(), "the worker did not leave"


def elsewhere(number: int) -> dict[str, Any]:
    """What a row of a group has that lies in a partition of another worker."""
    return {"group": "house-a", "topic": Noted.topic, "partition": ELSEWHERE, "key": f"elsewhere {number}"}


@contextmanager
def open_house(kind: Callable[[], House] = House) -> Iterator[House]:
    """The house's table and an empty registry; both are as before afterwards."""
    kept = dict(registry.groups)
    registry.groups.clear()
    serial = "BIGSERIAL PRIMARY KEY" if connection.vendor == "postgresql" else "INTEGER PRIMARY KEY AUTOINCREMENT"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE house_seen (id {serial}, team TEXT, name TEXT, number INTEGER)")
    try:
        yield kind()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE house_seen")
        registry.groups.clear()
        registry.groups.update(kept)
