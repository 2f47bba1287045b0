"""A busy site, for tests of what must hold meanwhile; and what its delivery audit says."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.db import connection, connections, transaction

from eventbus import Permanent, publish
from eventbus.audit import delivery_audit
from eventbus.audit.delivery_audit import Account
from eventbus.database.sqlite3.base import queue_of
from eventbus.models import DeadLetter, OutboxRow
from eventbus.operations.pruning import Pruned, Pruning
from tests.eventbus.bus_app import House, Noted, Unknown
from tests.waiting import until

WRITERS = 2
TRANSACTIONS = 25  # of each writer: some seconds of work on a busy machine
HANDLED = WRITERS * TRANSACTIONS * 3 * 2  # three of a transaction's events, by both groups of the noise
KEEP = timedelta(hours=24)
PLACES = ("handled", "ignored", "skipped", "discarded", "dead", "parked", "pending")


def account(group: str = "house-a") -> Account:
    [found] = [one for one in delivery_audit.read().accounts if one.group == group]
    return found


def places(group: str = "house-a") -> dict[str, int]:
    """Where the group's events lie, the empty places left out. It must balance."""
    found = delivery_audit.read()
    assert delivery_audit.problems(found) == []
    [one] = [one for one in found.accounts if one.group == group]
    counted = {name: getattr(one, name) for name in PLACES}
    assert one.published == sum(counted.values())
    return {name: count for name, count in counted.items() if count}


def noise(house: House) -> list[str]:
    """A group whose handler fails for each key that begins with x, and forgives the second time; p is poison.

    The list that it gives back grows with each event whose handling is committed.
    """
    failed: set[int] = set()
    handled: list[str] = []

    def handle(event: Noted) -> None:
        if event.name.startswith("p"):
            raise Permanent("poison")
        if event.name.startswith("x") and event.number not in failed:
            failed.add(event.number)
            raise ValueError("not the first time")
        transaction.on_commit(lambda: handled.append(event.name))

    house.handler("house-a", handle, backoff=(0.0, 0.0))
    house.handler("house-b", handle, backoff=(0.0, 0.0), on_dead="skip")
    return handled


class Meanwhile:
    """Lets an event be handled elsewhere after the first question of a reading, as long as there is one left.

    `crossed` counts the readings in which that happened.
    """

    def __init__(self, handled: list[str]) -> None:
        self._handled, self.crossed = handled, 0

    def is_over(self) -> bool:
        return len(self._handled) == HANDLED

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        before: list[int] = []

        def ask(execute: Callable[..., Any], sql: str, *question: Any) -> Any:
            answer = execute(sql, *question)
            if not before and sql.startswith("SELECT"):
                before.append(len(self._handled))
                with contextlib.suppress(AssertionError):  # then this reading met nothing
                    until(lambda: len(self._handled) > before[0] or self.is_over(), "an event handled")
                self.crossed += len(self._handled) > before[0]
            return answer

        with connection.execute_wrapper(ask):
            yield


@contextlib.contextmanager
def threads(*jobs: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Run these beside the test; what it yields says whether one still runs. Their errors are raised at the end."""
    errors: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    running = [threading.Thread(target=run, args=[job]) for job in jobs]
    for thread in running:
        thread.start()
    try:
        yield lambda: any(thread.is_alive() for thread in running)
    finally:
        for thread in running:
            thread.join()
    assert not errors, errors


def writer(number: int) -> Callable[[], None]:
    def write() -> None:
        for turn in range(TRANSACTIONS):
            with transaction.atomic():
                names = [f"{kind}{number}-{turn % 7}" for kind in "vxv"] + ([f"p{turn}"] if turn % 5 == 0 else [])
                publish(*(Noted(name=name, number=number * TRANSACTIONS + turn) for name in names), Unknown(name="u"))

    return write


def decide_about_the_dead() -> None:
    """Requeue or discard whatever died, in turns."""
    requests = ["requeue", "discard"] * 20
    for request in requests:
        DeadLetter.objects.filter(state="open", request="").update(request=request)
        threading.Event().wait(0.02)  # an operator is no faster


def prune_a_day_later(bus_clock: Any) -> Pruned:
    bus_clock.advance(hours=25)
    return Pruning(KEEP).go()


def kept(name: str = "vase") -> list[int]:
    """Numbers of the events of a key that are still in the outbox."""
    rows = OutboxRow.objects.filter(key=name, type=Noted.wire_type()).order_by("id")
    return [int(bytes(row.payload).rpartition(b":")[2].strip(b"}")) for row in rows]


def many(name: str = "vase", count: int = 5) -> list[tuple[str, int]]:
    return [(name, number) for number in range(1, count + 1)]


def waiting() -> int:
    """How many wait until another's transaction ends: on PostgreSQL for a lock of its, on SQLite for their turn."""
    if connection.vendor != "postgresql":
        return len(queue_of(str(connection.settings_dict["NAME"])).here._waiting)
    with connection.cursor() as cursor:
        cursor.execute(
            # Not pg_stat_activity: within a transaction that is as it was at the first look.
            "SELECT count(DISTINCT pid) FROM pg_locks AS asked JOIN pg_locks AS theirs USING (pid)"
            " JOIN pg_database ON pg_database.oid = theirs.database"
            " WHERE datname = current_database() AND NOT asked.granted"
        )
        return cursor.fetchone()[0]
