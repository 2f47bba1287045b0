"""Promises 1 and 3 where handlers publish: what a transaction of many events publishes is added once, at its end."""

import threading
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from eventbus import publish
from eventbus.database.outbox_inserts import slots
from eventbus.models import OutboxRow
from eventbus.publishing.encoding import encode
from eventbus.testing import published_events
from tests.eventbus.bus_app import House, Mended, Noted, Sown
from tests.waiting import DEADLINE_SECONDS, until

KEYS = [f"key{number}" for number in range(12)]


@pytest.mark.django_db(transaction=True)
class PublishedByHandlers:
    """Promises 1 and 3. A batch may take its time: see `InBatches.time`."""

    def test_what_a_batch_publishes_is_one_statement(self, house: House) -> None:
        house.handler(call=lambda event: publish(Sown(name=KEYS[event.number], number=event.number)))
        worker = house.worker()
        house.say(("vase", 0))
        house.relay()
        house.step(worker)
        house.say(*(("vase", number) for number in range(1, len(KEYS))))
        house.relay()

        with CaptureQueriesContext(connection) as queries:
            until(lambda: house.step(worker) == 0, "all handled")
        worker.close()

        assert len([one for one in queries.captured_queries if "INSERT INTO eventbus_outbox" in one["sql"]]) == 1
        assert sown() == [(key, number) for number, key in enumerate(KEYS)]

    def test_each_names_the_event_that_it_follows_from(self, house: House) -> None:
        house.handler(call=sow)

        ids = house.say(*((key, number) for number, key in enumerate(KEYS)))
        house.settle()

        rows = OutboxRow.objects.filter(type=Sown.wire_type()).order_by("id")
        causes = {row.key: msgspec.json.decode(row.headers)["causationid"] for row in rows}
        assert causes == dict(zip(KEYS, map(str, ids), strict=True))

    def test_a_savepoint_of_a_handler_takes_its_events_along(self, house: House) -> None:
        def sow_and_regret(event: Noted) -> None:
            sow(event)
            with suppress(Regret), transaction.atomic():
                publish(Sown(name=event.name, number=-event.number))
                raise Regret
            publish(Sown(name=event.name, number=event.number * 10))

        house.handler(call=sow_and_regret)

        house.say(("vase", 1), ("vase", 2))
        house.settle()

        assert sown() == [("vase", 1), ("vase", 10), ("vase", 2), ("vase", 20)]

    def test_a_handler_that_fails_after_publishing_has_published_nothing(self, house: House) -> None:
        broken = Mended("chair")

        def sow_or_fail(event: Noted) -> None:
            sow(event)
            broken(event)

        house.handler(call=sow_or_fail, backoff=(0.0, 0.0), attempts=3)

        house.say(("vase", 1), ("chair", 2), ("vase", 3))
        house.settle()
        assert sown() == [("vase", 1), ("vase", 3)]

        broken.names.clear()
        [letter] = house.dead()
        letter.request = "requeue"
        letter.save()
        house.settle()

        assert sown() == [("vase", 1), ("vase", 3), ("chair", 2)]

    def test_two_groups_that_publish_for_keys_in_unlike_orders_both_commit_at_once(self, house: House) -> None:
        """Each publishes for one key, waits until the other has published for its own, and publishes for that too."""
        if connection.vendor == "sqlite":
            pytest.skip("SQLite has one writer at a time")
        [one, other] = unlike_slots()
        both = threading.Barrier(2)
        tried: list[str] = []

        def crossing(group: str, first: str, second: str) -> Any:
            def sow_both(event: Noted) -> None:
                tried.append(group)
                publish(Sown(name=first, number=1))
                if tried.count(group) == 1:
                    both.wait(DEADLINE_SECONDS)
                publish(Sown(name=second, number=2))

            return sow_both

        house.handler("house-a", crossing("house-a", one, other))
        house.handler("house-b", crossing("house-b", other, one))
        house.say(("vase", 1))
        house.relay()

        with house.working("house-a"), house.working("house-b"):
            until(lambda: house.seen("house-a") and house.seen("house-b"), "both handled")

        assert sorted(tried) == ["house-a", "house-b"]
        assert sorted(sown()) == sorted([(one, 1), (one, 2), (other, 1), (other, 2)])


class Regret(Exception):
    """The handler thinks better of it."""


def sow(event: Noted) -> None:
    publish(Sown(name=event.name, number=event.number))


def sown() -> list[tuple[str, int]]:
    """What was published, in the order of the outbox."""
    return [(event.name, event.number) for event in published_events(Sown)]


def unlike_slots() -> list[str]:
    """Two keys with locks of their own, the one with the smaller first."""
    by_slot = {slots(encode([Sown(name=key, number=0)]))[0]: key for key in KEYS}
    return [by_slot[slot] for slot in sorted(by_slot)[:2]]
