"""The operator's own answers, as they came."""

from collections import Counter
from collections.abc import Callable

from stations.events import Kind
from stations.feeds.feed_interface import Held, Key, diff
from stations.feeds.formats.jcdecaux import JCDecauxFeed
from tests.stations.feed_server import AnsweringServer
from tests.stations.recorded_feeds import (
    DUBLIN_V1,
    LYON_V3,
    ROUEN_29_V1,
    TOULOUSE_V1,
    needs_recorded,
    recorded,
)

pytestmark = needs_recorded
FeedOf = Callable[..., JCDecauxFeed]


def test_lyon_has_448_stations_one_without_a_heartbeat(server: AnsweringServer, feed_of: FeedOf):
    server.will_answer(recorded(LYON_V3))

    fetched = feed_of("lyon").fetch()

    assert (len(fetched.readings), fetched.bad, fetched.complete) == (448, Counter(), True)
    assert sum(reading.reported_at is None for reading in fetched.readings) == 1
    assert sum(reading.state.connected is False for reading in fetched.readings) == 5


def test_toulouse_has_418_stations_most_with_stands_out_of_order(server: AnsweringServer, feed_of: FeedOf):
    server.will_answer(recorded(TOULOUSE_V1))

    fetched = feed_of("toulouse", base_url=server.url_v1).fetch()

    assert (len(fetched.readings), fetched.bad) == (418, Counter())
    states = [reading.state for reading in fetched.readings]
    assert sum(state.bikes + state.stands != state.capacity for state in states) == 261


def test_an_open_station_that_never_reported_is_a_station(server: AnsweringServer, feed_of: FeedOf):
    server.will_answer(recorded(ROUEN_29_V1))

    (reading,) = feed_of("rouen", base_url=server.url_v1).fetch().readings

    assert (reading.state.status, reading.reported_at) == ("OPEN", None)


def test_dublin_in_five_minutes_changes_at_6_and_22_stations_of_114(server: AnsweringServer, feed_of: FeedOf):
    server.will_answer(*map(recorded, DUBLIN_V1))
    feed = feed_of("dublin", base_url=server.url_v1)
    held: dict[Key, Held] = {}
    polls = []

    for _ in DUBLIN_V1:
        changes = diff(held, feed.fetch())
        held |= {change.key: Held(change.version, change.state, change.reported_at) for change in changes}
        polls.append(changes)

    assert [len(changes) for changes in polls] == [114, 6, 22]
    assert {kind for change in polls[0] for kind in change.kinds} == {Kind.APPEARED}
    assert {kind for changes in polls[1:] for change in changes for kind in change.kinds} == {Kind.TAKEN, Kind.RETURNED}
