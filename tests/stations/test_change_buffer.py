"""Nothing is lost between the rows and the events, and nothing old is taken for new."""

import asyncio

import pytest

from eventbus.testing import published_events
from stations.events import StationChanged
from stations.live import live_updates
from stations.live.change_buffer import ChangeBuffer
from stations.models import Station
from tests.stations.socket_client import key, polled, state

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def buffer() -> ChangeBuffer:
    """Has loaded one station with ten bikes."""
    polled({key(): state(bikes=10)})
    loaded = ChangeBuffer()
    loaded.load()
    loaded.take()
    return loaded


def events() -> list[StationChanged]:
    return published_events(StationChanged)


def test_an_event_that_the_rows_contain_says_nothing_new(buffer: ChangeBuffer):
    buffer.receive(events())

    assert buffer.take() == (None, [])


def test_the_next_version_is_taken_with_what_happened(buffer: ChangeBuffer):
    polled({key(): state(bikes=8, mechanical=4)})

    buffer.receive(events())

    (change,) = buffer.take().changes
    assert (change.view.bikes, change.view.version, change.kinds, change.taken) == (8, 2, ("taken",), 2)


def test_a_repeated_event_is_taken_once(buffer: ChangeBuffer):
    polled({key(): state(bikes=8)})

    buffer.receive([events()[-1], events()[-1]])

    assert len(buffer.take().changes) == 1


def test_a_skipped_version_has_the_row_read_again(buffer: ChangeBuffer):
    polled({key(): state(bikes=8)})
    polled({key(): state(bikes=7)})
    polled({key(): state(bikes=6)})
    third = events()[2]

    buffer.receive([third])

    (change,) = buffer.take().changes
    assert (change.view.bikes, change.view.version) == (6, 4)
    assert change.kinds == ()  # of what was skipped nobody knows what happened


def test_a_new_station_is_taken(buffer: ChangeBuffer):
    polled({key(2): state(bikes=3)})

    buffer.receive(events())

    assert [change.view.id for change in buffer.take().changes] == ["simulator/lyon-2"]


def test_loading_again_replaces_what_waited(buffer: ChangeBuffer):
    polled({key(): state(bikes=8)})
    buffer.receive(events())

    buffer.load()

    rows, changes = buffer.take()
    assert ([row.bikes for row in rows], changes) == ([8], [])


def test_an_audit_waits_for_the_event_before_it_reads_the_row(buffer: ChangeBuffer):
    polled({key(): state(bikes=8)})  # the event is lost on the way

    assert [buffer.audit(), buffer.audit(), buffer.audit()] == [0, 1, 0]
    assert [change.view.bikes for change in buffer.take().changes] == [8]


def test_a_row_that_vanished_is_no_reason_to_stop(buffer: ChangeBuffer):
    polled({key(): state(bikes=8)})
    polled({key(): state(bikes=7)})
    Station.objects.all().delete()

    buffer.receive(events()[2:])

    assert buffer.take() == (None, [])


def test_news_that_come_while_the_server_closes_its_loop_are_no_fault_of_ours(monkeypatch: pytest.MonkeyPatch):
    async def made() -> live_updates.Live:
        return live_updates.Live()

    loop = asyncio.new_event_loop()
    running = loop.run_until_complete(made())
    loop.close()
    monkeypatch.setattr(loop, "is_closed", lambda: False)  # as it was a moment ago

    running._receive_status([])
