"""Two groups whose handlers publish to one topic, in batches and at the same time, with locks that could cross."""

import time

import pytest
from django.db import connection

from eventbus import publish
from eventbus.models import OutboxRow
from tests.eventbus.bus_app import House, Noted, Sown
from tests.waiting import until

GROUPS = ("house-a", "house-b")
EVENTS, KEYS = 1_500, 300  # of a busy minute; each of the topic's 64 locks is wanted by many keys

pytestmark = pytest.mark.postgresql(only=True)


def deadlocks() -> int:
    """How often this database had to end a circle. A session's count is seen once it has ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_both_are_done_soon_and_never_wait_in_a_circle(house: House) -> None:
    for group in GROUPS:
        house.handler(group, lambda event: publish(Sown(name=f"{event.name}-{event.number}", number=event.number)))
    house.say(*((f"key{number % KEYS}", number) for number in range(EVENTS)))
    while OutboxRow.objects.filter(topic=Noted.topic, offset=None).exists():
        house.relay()
    before, began = deadlocks(), time.monotonic()

    with house.working("house-a"), house.working("house-b"):
        until(lambda: all(house.offset(group) >= EVENTS for group in GROUPS), "both have handled all")
    seconds = time.monotonic() - began

    print(f"{EVENTS} events by two groups in {seconds:.1f} s, {deadlocks() - before} deadlocks")
    assert deadlocks() == before
    assert all(len(set(house.seen(group))) == len(house.seen(group)) == EVENTS for group in GROUPS)
    assert OutboxRow.objects.filter(topic=Sown.topic).count() == 2 * EVENTS
