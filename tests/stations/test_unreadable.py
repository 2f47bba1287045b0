"""A station whose row can no longer be read is marked, with why and since when, until it can be read again."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from eventbus.testing import settle
from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Bad
from stations.feeds.formats.jcdecaux import JCDecauxFeed
from stations.models import Station, StationHistory
from stations.polling.poller import Poller
from tests.stations.feed_server import AnsweringServer
from tests.stations.rows import BAD_ROWS, GOOD_ROWS, v3
from tests.stations.socket_client import NOON, browsing, happens, key, on_a_loop, polled, state

pytestmark = pytest.mark.django_db(transaction=True)

FeedOf = Callable[..., JCDecauxFeed]


def ask(server: AnsweringServer, feed: JCDecauxFeed, *rows: Any) -> None:
    server.will_answer(list(rows))
    Poller(feed).poll()


@pytest.mark.parametrize("contract", ["lyon", None])
@pytest.mark.parametrize("reason", [Bad.NAME, Bad.COORDINATES, Bad.COUNTS, Bad.COUNTS_RANGE, Bad.SUM])
def test_a_row_that_turned_bad_marks_its_station_with_the_reason(
    server: AnsweringServer, feed_of: FeedOf, contract: str | None, reason: Bad
):
    feed, bad = feed_of(contract), BAD_ROWS[reason]
    ask(server, feed, *GOOD_ROWS, v3(bad["number"]))

    ask(server, feed, *GOOD_ROWS, bad)

    marked = Station.objects.exclude(bad="")
    assert [(one.number, one.bad, one.status, one.bikes, one.gone) for one in marked] == [
        (bad["number"], reason.value, "OPEN", 4, False)
    ]


def test_as_long_as_it_stays_unreadable_the_first_reason_and_time_stand(server: AnsweringServer, feed_of: FeedOf):
    feed = feed_of()
    ask(server, feed, *GOOD_ROWS, v3(27))
    ask(server, feed, *GOOD_ROWS, BAD_ROWS[Bad.COUNTS])
    since = Station.objects.get(number=27).polled_at

    ask(server, feed, *GOOD_ROWS, v3(27, position=None))

    station = Station.objects.get(number=27)
    assert (station.bad, station.polled_at, station.version) == (Bad.COUNTS.value, since, 2)


def test_a_row_that_can_be_read_again_takes_the_mark_away(server: AnsweringServer, feed_of: FeedOf):
    feed = feed_of()
    ask(server, feed, *GOOD_ROWS, v3(27))
    ask(server, feed, *GOOD_ROWS, BAD_ROWS[Bad.COUNTS])

    ask(server, feed, *GOOD_ROWS, v3(27))
    settle()

    assert Station.objects.get(number=27).bad == ""
    kinds = StationHistory.objects.filter(station_id="27").order_by("version").values_list("kinds", flat=True)
    assert list(kinds) == [["appeared"], ["unreadable"], ["readable"]]


def test_an_answer_of_bad_rows_only_fails_and_marks_each_station_it_names(server: AnsweringServer, feed_of: FeedOf):
    poller = Poller(feed_of())
    server.will_answer([v3(27), v3(28), v3(29)], [v3(27, bikes=None), v3(28, bikes=-1)], [v3(27), v3(28), v3(29)])
    poller.poll()

    run = poller.poll()

    assert (run.outcome, run.reason) == ("failed", Failure.NOTHING_GOOD)
    marks = dict(Station.objects.filter(gone=False).values_list("number", "bad"))
    assert marks == {27: Bad.COUNTS.value, 28: Bad.COUNTS_RANGE.value, 29: ""}

    poller.poll()

    assert not Station.objects.exclude(bad="").exists()


def test_pages_say_why_and_since_when_and_call_it_not_open(client: Client, bus_clock):
    bus_clock.hold(NOON + timedelta(minutes=2))
    polled({key(1): state(name="BELLECOUR", bikes=10, stands=10), key(2): state(name="TERREAUX", bikes=3)})
    polled({}, faults={key(1): Bad.COUNTS_RANGE}, at=NOON + timedelta(minutes=1))

    page, city = read(client, "/stations/simulator/lyon-1/"), client.get("/stations/?contract=lyon")

    assert "The feed’s row about this station has been unreadable since 2026-05-01 14:01:00" in page  # Lyon's time
    assert "counts negative or beyond belief" in page
    assert "unreadable" in read(client, "/stations/?contract=lyon")
    assert (city.context["chosen"].stations, city.context["chosen"].open, city.context["chosen"].bikes) == (1, 1, 3)
    assert "La ligne du flux sur cette station est illisible depuis" in read(
        client, "/stations/simulator/lyon-1/", "fr"
    )


@on_a_loop
async def test_a_browser_is_told_that_a_station_is_unreadable():
    async with browsing() as browser:
        await browser.subscribe()
        await happens({key(): state(bikes=10)})
        await browser.hear()
        await happens({}, faults={key(): Bad.SUM})

        told = (await browser.hear())["changes"][0]

    assert (told["bad"], told["kinds"], told["bikes"], told["status"]) == (Bad.SUM.value, ["unreadable"], 10, "OPEN")


def read(client: Client, path: str, language: str = "en") -> str:
    page = client.get(path, headers={"accept-language": language}).content.decode()
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_a_station_that_is_gone_is_not_called_unreadable():
    polled({key(): state(), key(2): state()})
    polled({}, faults={key(): Bad.SUM})

    polled({key(2): state()}, gone=[key()])

    station = Station.objects.get(number=1)
    assert (station.gone, station.bad) == (True, "")
