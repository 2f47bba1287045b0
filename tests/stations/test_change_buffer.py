"""Nothing is lost between the rows and the events, and nothing old is taken for new."""

import pytest

from eventbus.testing import published_events
from stations.events import StationChanged
from stations.live.change_buffer import ChangeBuffer
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
