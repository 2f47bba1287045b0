"""A feed's page says how far it deserves belief, which rows are kept apart, and leads to each of its stations."""

from datetime import timedelta

import pytest
from django.test import Client

from eventbus import clock
from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Bad
from stations.feeds.quarantine import Hold
from stations.services.feed_record import record_of
from stations.services.feed_rhythm import rhythm_of
from tests.stations.socket_client import NOON, key, poll_failed, polled, state

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_score_is_made_of_the_polls_and_the_rows() -> None:
    polled({key(1): state(), key(2): state(), key(3): state(held=Hold.TEST_BENCH.value), key(4): state()})
    polled({}, faults={key(4): Bad.SUM}, at=NOON + timedelta(minutes=1))
    for minute in (2, 3):
        poll_failed(Failure.THEIR_ERROR, at=NOON + timedelta(minutes=minute))

    record = record_of("simulator", now=NOON + timedelta(minutes=4))

    assert (record.polls, record.answered, record.fresh) == (4, 0.5, None)
    assert (record.listed, record.frozen, record.held, record.readable) == (4, 1, 1, 0.5)
    assert record.score == 25
    assert record_of("simulator", now=NOON + timedelta(days=2)).score is None


def test_the_rhythm_shows_what_the_feed_claims_and_what_was_measured() -> None:
    for minute, bikes in enumerate((5, 5, 6, 6, 18, 18, 17)):
        at = NOON + timedelta(minutes=minute)
        polled({key(1): state(bikes=bikes, capacity=40)}, at=at, updated_at=at - timedelta(seconds=20 + minute))
    for minute in (7, 9):
        poll_failed(Failure.THEIR_ERROR, at=NOON + timedelta(minutes=minute))
    polled({key(1): state(bikes=17, capacity=40)}, at=NOON + timedelta(minutes=12))
    poll_failed(Failure.THEIR_ERROR, at=NOON + timedelta(minutes=13))

    rhythm = rhythm_of("simulator", now=NOON + timedelta(minutes=14))

    assert rhythm.since == NOON
    assert (rhythm.claimed, rhythm.measured) == (23, 120)
    assert rhythm.down == 60 * (2 + 3 + 1)
    assert (rhythm.jumps, rhythm.shifted) == (1, 0)


def test_rows_that_change_places_are_counted_and_a_station_moved_in_its_street_is_not(client: Client) -> None:
    here, there = {"lat": 45.75, "lng": 4.85}, {"lat": 45.78, "lng": 4.88}
    now = clock.now()
    polled({key(1): state(**here), key(2): state(**there), key(3): state(**here)}, at=now - timedelta(minutes=2))
    polled({key(1): state(**there), key(2): state(**here), key(3): state(lat=45.7501, lng=4.8499)}, at=now)

    page = client.get("/stations/feeds/simulator/").content.decode()

    assert '<dd data-figure="shifted">2</dd>' in page


def test_two_feeds_of_one_city_are_both_reachable(client: Client, settings) -> None:
    settings.STATIONS_FEEDS = ["jcdecaux:lyon", "simulator:lyon"]
    polled({key(1, feed="simulator:lyon"): state(name="INVENTED")}, feed="simulator:lyon")
    polled({key(1, feed="jcdecaux:lyon"): state(name="REAL")}, feed="jcdecaux:lyon")

    for feed, name in (("simulator", "INVENTED"), ("jcdecaux", "REAL")):
        page = client.get(f"/stations/feeds/{feed}-lyon/").content.decode()
        assert f'href="/stations/{feed}-lyon/1/">{name}' in page
        assert name in client.get(f"/stations/{feed}-lyon/1/").content.decode()
    assert client.get("/stations/").context["total"].stations == 1  # they never add up


def test_a_feed_that_is_not_in_use_has_no_page(client: Client) -> None:
    assert client.get("/stations/feeds/jcdecaux-lyon/").status_code == 404
