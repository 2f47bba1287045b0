"""What is read from a row, what is forgiven, and what is left out with which reason."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Bad, Key, PollFailed, Reading
from stations.feeds.formats.jcdecaux import JCDecauxFeed
from tests.stations.feed_server import AnsweringServer
from tests.stations.rows import BAD_ROWS, GOOD_ROWS, v1, v3

FeedOf = Callable[..., JCDecauxFeed]


def read(server: AnsweringServer, feed_of: FeedOf, *rows: Any, base_url: str = "") -> list[Reading]:
    server.will_answer(list(rows))
    fetched = feed_of(base_url=base_url or server.url).fetch()
    assert not fetched.bad
    return fetched.readings


def test_a_row_of_version_3_is_read(server: AnsweringServer, feed_of: FeedOf):
    row = v3(2010, bikes=5, stands=17, capacity=22)
    row["totalStands"]["availabilities"] |= {"mechanicalBikes": 2, "electricalBikes": 3}

    (reading,) = read(server, feed_of, row)

    assert reading.key == Key("jcdecaux:lyon", "2010")
    state = reading.state
    assert (state.bikes, state.mechanical, state.electrical, state.stands, state.capacity) == (5, 2, 3, 17, 22)
    assert (state.connected, state.overflow, state.banking, state.status) == (True, False, True, "OPEN")
    assert reading.reported_at == datetime(2026, 5, 1, 23, 46, 39, tzinfo=UTC)


def test_a_row_of_version_1_is_read_and_says_nothing_of_kinds(server: AnsweringServer, feed_of: FeedOf):
    (reading,) = read(server, feed_of, v1(42), base_url=server.url_v1)

    assert (reading.state.bikes, reading.state.stands, reading.state.capacity) == (4, 6, 10)
    assert (reading.state.mechanical, reading.state.connected, reading.state.overflow) == (None, None, None)
    assert reading.reported_at == datetime(2025, 2, 22, 19, 4, 10, tzinfo=UTC)


FORGIVEN = {
    "an unknown word for its status": {"status": "MAINTENANCE"},
    "no status at all": {"status": None},
    "no heartbeat": {"lastUpdate": None},
    "a heartbeat that is no time": {"lastUpdate": "soon"},
    "a heartbeat beyond all time": {"lastUpdate": "9999-12-31T23:59:59-23:00"},
    "no address": {"address": None},
    "fields never seen": {"wheels": 3, "shape": {"a": 1}},
    "no terminal mentioned": {"banking": None},
    "the contract in capitals": {"contractName": "LYON"},
    "broken stands": {"totalStands": {"capacity": 20, "availabilities": {"bikes": 4, "stands": 6}}},
    "no word on the kinds": {"totalStands": {"capacity": 10, "availabilities": {"bikes": 4, "stands": 6}}},
    "more bikes than stands where overflow is on": {
        "overflow": True,
        "totalStands": {"capacity": 10, "availabilities": {"bikes": 14, "stands": 0}},
    },
    "closed and without a stand": {
        "status": "CLOSED",
        "totalStands": {"capacity": 0, "availabilities": {"bikes": 0, "stands": 0}},
    },
}


@pytest.mark.parametrize("odd", FORGIVEN.values(), ids=FORGIVEN)
def test_what_is_odd_but_possible_is_kept(odd: dict[str, Any], server: AnsweringServer, feed_of: FeedOf):
    assert len(read(server, feed_of, v3(1, **odd), v3(2))) == 2


def test_texts_lose_their_padding_line_ends_and_control_characters(server: AnsweringServer, feed_of: FeedOf):
    (reading,) = read(server, feed_of, v3(1, name="  PLACE \x00BELLECOUR\u202e ", address="Rue Zola\r\n"))

    assert (reading.state.name, reading.state.address) == ("PLACE BELLECOUR", "Rue Zola")


@pytest.mark.parametrize("never", [1450155600000, 0, -62135596800000, 10**30])
def test_a_heartbeat_that_means_never_is_none(never: int, server: AnsweringServer, feed_of: FeedOf):
    (reading,) = read(server, feed_of, v1(1, last_update=never), base_url=server.url_v1)

    assert reading.reported_at is None


@pytest.mark.parametrize("reason", BAD_ROWS)
def test_a_bad_row_is_counted_by_its_reason_and_ends_nothing(reason: Bad, server: AnsweringServer, feed_of: FeedOf):
    server.will_answer([*GOOD_ROWS, BAD_ROWS[reason]])

    fetched = feed_of().fetch()

    assert fetched.bad == {reason: 1}
    assert len(fetched.readings) == len(GOOD_ROWS)


MORE_BAD_ROWS = [
    (Bad.NOT_AN_OBJECT, None),
    (Bad.NOT_AN_OBJECT, [1, 2]),
    (Bad.NUMBER, {name: value for name, value in v3().items() if name != "number"}),
    (Bad.NUMBER, v3(0)),
    (Bad.NUMBER, v3(-4)),
    (Bad.NUMBER, v3(2**31)),
    (Bad.NUMBER, v3(1.5)),
    (Bad.NUMBER, v3(True)),
    (Bad.NAME, v3(21, name="  ")),
    (Bad.COORDINATES, v3(21, position={"latitude": 91, "longitude": 4})),
    (Bad.COORDINATES, v3(21, position={"latitude": 45, "longitude": -181})),
    (Bad.COORDINATES, v3(21, position={"latitude": "45.7", "longitude": 4.8})),
    (Bad.COORDINATES, v3(21, position={"latitude": 45.7})),
    (Bad.COUNTS, v3(21, totalStands=None)),
    (Bad.COUNTS, v3(21, bikes="4")),
    (Bad.COUNTS, v3(21, stands=2.5)),
    (Bad.COUNTS_RANGE, v3(21, capacity=10**9)),
    (Bad.SUM, v3(21, stands=11, bikes=0, overflow=True)),
]


@pytest.mark.parametrize(("reason", "row"), MORE_BAD_ROWS)
def test_other_bad_rows_have_their_reason_too(reason: Bad, row: object, server: AnsweringServer, feed_of: FeedOf):
    server.will_answer([*GOOD_ROWS, row])

    assert feed_of().fetch().bad == {reason: 1}


def test_a_bad_row_that_says_its_number_keeps_its_station_listed(server: AnsweringServer, feed_of: FeedOf):
    server.will_answer([v3(1), v3(2, bikes=None)])

    fetched = feed_of().fetch()

    assert fetched.complete
    assert Key("jcdecaux:lyon", "2") in fetched.listed


def test_a_bad_row_without_a_number_makes_the_answer_incomplete(server: AnsweringServer, feed_of: FeedOf):
    server.will_answer([v3(1), "a station"])

    assert not feed_of().fetch().complete


def test_an_answer_of_bad_rows_only_is_a_failed_poll_that_says_which(server: AnsweringServer, feed_of: FeedOf):
    server.will_answer([v3(1, bikes=-1), v3(2, bikes=-1)])

    with pytest.raises(PollFailed) as failed:
        feed_of().fetch()

    assert failed.value.reason == Failure.NOTHING_GOOD
    assert failed.value.detail == f"2 {Bad.COUNTS_RANGE}"
