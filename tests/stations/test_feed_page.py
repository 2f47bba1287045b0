"""A feed's page says how far it deserves belief, which rows are kept apart, and leads to each of its stations."""

from datetime import timedelta

import pytest
from django.test import Client

from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Bad
from stations.feeds.quarantine import Hold
from stations.services.feed_record import record_of
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


def test_two_feeds_of_one_city_are_both_reachable(client: Client, settings) -> None:
    settings.STATIONS_FEEDS = ["jcdecaux:lyon", "simulator:lyon"]
    polled({key(1, feed="simulator:lyon"): state(name="INVENTED")}, feed="simulator:lyon")
    polled({key(1, feed="jcdecaux:lyon"): state(name="REAL")}, feed="jcdecaux:lyon")

    for feed, name in (("simulator", "INVENTED"), ("jcdecaux", "REAL")):
        page = client.get(f"/stations/feeds/{feed}-lyon/").content.decode()
        assert f'href="/stations/{feed}-lyon/1/">{name}' in page
        assert name in client.get(f"/stations/{feed}-lyon/1/").content.decode()
    assert client.get("/stations/").context["total"].stations == 1  # they never add up


def test_held_rows_stand_there_with_their_reason(client: Client) -> None:
    polled({key(1): state(name="TEST", held=Hold.TEST_BENCH.value), key(2): state()})

    page = client.get("/stations/feeds/simulator/", headers={"accept-language": "fr"}).content.decode()

    assert "un banc d’essai ou un atelier" in page


def test_a_feed_that_is_not_in_use_has_no_page(client: Client) -> None:
    assert client.get("/stations/feeds/jcdecaux-lyon/").status_code == 404
